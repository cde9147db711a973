#!/usr/bin/env python3
"""Asks a model with the FP64 input x of shape [-1] by gRPC and prints the ids of the answers: one that was given, one that
was made by the server, and one of a stream.

usage: .deps/serving/bin/python prediction_ids.py GRPC_HOST:PORT MODEL
"""
import queue
import sys

import numpy as np
import tritonclient.grpc as grpc

address, model = sys.argv[1:]
values = np.array([1.0, 2.0])
tensor = grpc.InferInput("x", [2], "FP64")
tensor.set_data_from_numpy(values)
with grpc.InferenceServerClient(address) as client:
    for request_id in ["mine", ""]:
        print(client.infer(model, [tensor], request_id=request_id).get_response().id)
    answers = queue.Queue()
    client.start_stream(lambda result, error: answers.put((result, error)))
    client.async_stream_infer(model, [tensor])
    result, error = answers.get(timeout=60)
    client.stop_stream()
    if error is not None:
        sys.exit(str(error))
    print(result.get_response().id)
