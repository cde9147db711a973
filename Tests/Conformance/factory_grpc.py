#!/usr/bin/env python3
"""Asks a factory by gRPC for its endpoint `orders` and its model `double` (y is two times the FP64 input x).

usage: .deps/serving/bin/python factory_grpc.py GRPC_HOST:PORT
"""
import sys

import numpy as np
import tritonclient.grpc as grpc


def tensor(name, datatype, values):
    made = grpc.InferInput(name, list(values.shape), datatype)
    made.set_data_from_numpy(values)
    return made


with grpc.InferenceServerClient(sys.argv[1]) as client:
    assert client.is_server_ready()
    answer = client.infer("double", [tensor("x", "FP64", np.array([[21.0]]))], request_id="q")
    assert answer.as_numpy("y").tolist() == [[42.0]], answer.as_numpy("y")
    order = [tensor("shop", "BYTES", np.array([b"north"], np.object_)), tensor("size", "FP64", np.array([0.5]))]
    answer = client.infer("orders", order)
    score = answer.as_numpy("score")
    assert score.shape == (1,) and 0 < score[0] < 1, score
    assert len(answer.get_response().id) == 32, answer.get_response().id
    assert client.get_model_metadata("orders").outputs[0].name == "score"
    config = client.get_model_config("orders").config
    assert config.platform == "modelworks" and config.max_batch_size == 0, config
    assert list(config.version_policy.specific.versions) == [1], config
    stats = client.get_inference_statistics("orders").model_stats
    assert [(s.name, s.version, s.inference_count) for s in stats] == [("orders", "1", 1)], stats
    assert stats[0].inference_stats.success.count == 1 and stats[0].inference_stats.success.ns > 0, stats
    names = [s.name for s in client.get_inference_statistics().model_stats]
    assert names == ["orders", "double"], names
