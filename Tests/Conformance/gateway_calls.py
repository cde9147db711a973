#!/usr/bin/env python3
"""Drives a server with keys and limits by the stock clients, over gRPC and HTTP, and checks what they are told.

usage: .deps/serving/bin/python gateway_calls.py HTTP_HOST:PORT GRPC_HOST:PORT KEY BURST

The server must have the model `double` of one FP64 input x of shape [-1, 1], and a limit of BURST requests for each
caller that does not come back while this runs; KEY may ask it. Prints each check that fails, then how many were made;
exits with 1 if one failed.
"""
import queue
import sys

import grpc
import numpy as np
import tritonclient.grpc as over_grpc
import tritonclient.http as over_http
from tritonclient.utils import InferenceServerException

http_place, grpc_place, key, burst = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
checks = failures = 0


def check(what, good, *seen):
    global checks, failures
    checks += 1
    if not good:
        failures += 1
        print("FAILED", what, *seen)


def inputs(library):
    x = library.InferInput("x", [1, 1], "FP64")
    x.set_data_from_numpy(np.array([[21.0]]))
    return [x]


def status(call):
    try:
        call()
        return "OK"
    except InferenceServerException as error:
        return str(error.status())


client = over_grpc.InferenceServerClient(grpc_place)
check("ready without a key", client.is_server_ready())


def infer(headers, **more):
    return client.infer("double", inputs(over_grpc), headers=headers, **more).as_numpy("y")[0, 0]


check("no key", status(lambda: infer(None)) == "StatusCode.UNAUTHENTICATED")
check("a wrong key", status(lambda: infer({"x-api-key": "mw_wrong"})) == "StatusCode.UNAUTHENTICATED")
check("a wrong bearer", status(lambda: infer({"authorization": "Bearer a.b.c"})) == "StatusCode.UNAUTHENTICATED")
check("metadata without a key", status(lambda: client.get_model_metadata("double")) == "StatusCode.UNAUTHENTICATED")

# A stream of three requests counts three times.
answers = queue.Queue()
client.start_stream(lambda result, error: answers.put((result, error)), headers={"x-api-key": key})
for _ in range(3):
    client.async_stream_infer("double", inputs(over_grpc))
for _ in range(3):
    result, error = answers.get(timeout=60)
    check("a stream", error is None and result.as_numpy("y")[0, 0] == 42, error)
client.stop_stream()

for turn in range(burst - 3):
    headers = {"x-api-key": key} if turn % 2 else {"authorization": f"Bearer {key}"}
    compression = "gzip" if turn % 3 == 0 else None
    check("a call", infer(headers, compression_algorithm=compression) == 42)
for _ in range(3):
    check("over the limit", status(lambda: infer({"x-api-key": key})) == "StatusCode.RESOURCE_EXHAUSTED")
check("metadata over the limit", client.get_model_metadata("double", headers={"x-api-key": key}).name == "double")

# The same caller, by HTTP.
web = over_http.InferenceServerClient(http_place)
check("over the limit by HTTP", status(lambda: web.infer("double", inputs(over_http), headers={"X-API-Key": key})) == "429")
check("no key by HTTP", status(lambda: web.infer("double", inputs(over_http))) == "401")

# A message too long to be answered in place is counted, and its caller known, all the same.
large = over_grpc.InferInput("x", [200_000, 1], "FP64")
large.set_data_from_numpy(np.zeros((200_000, 1)))
check("a long message over the limit",
      status(lambda: client.infer("double", [large], headers={"x-api-key": key})) == "StatusCode.RESOURCE_EXHAUSTED")
check("a long message without a key",
      status(lambda: client.infer("double", [large])) == "StatusCode.UNAUTHENTICATED")
print(f"{checks} checks, {failures} failed")
sys.exit(failures > 0)
