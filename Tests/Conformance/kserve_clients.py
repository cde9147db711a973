#!/usr/bin/env python3
"""Drives a server as KServe's Python clients do, over version 1, version 2 and gRPC, and checks what they give.

usage: .deps/serving/bin/python kserve_clients.py HTTP_HOST:PORT GRPC_HOST:PORT

The server must have the models that triton_clients.py names. Prints each check that fails, then how many were made; exits
with 1 if one failed.
"""
import asyncio
import sys

import httpx
import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig

checks = 0
failures = 0


def check(what, good, *seen):
    global checks, failures
    checks += 1
    if not good:
        failures += 1
        print(f"FAILED {what}:", *seen)


def request(a, b, binary, request_id=None):
    inputs = []
    for name, values in (("a", a), ("b", b)):
        tensor = InferInput(name, [len(values)], "FP32")
        tensor.set_data_from_numpy(np.array(values, np.float32), binary_data=binary)
        inputs.append(tensor)
    return InferRequest("sum", inputs, request_id=request_id)


async def refused(what, status, words, call):
    try:
        await call
        check(what, False, "was answered")
    except httpx.HTTPStatusError as error:
        check(what, error.response.status_code == status and words in str(error), error)


async def version_two(url):
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    check("v2 live", await client.is_server_live(url))
    check("v2 ready", await client.is_server_ready(url))
    check("v2 model ready", await client.is_model_ready(url, "sum"))
    check("v2 unknown model is not ready", not await client.is_model_ready(url, "nobody"))
    for binary in (False, True):
        answer = await client.infer(url, request([1, 0.1], [2, 3], binary, "mine"), model_name="sum")
        check(f"v2 sum binary={binary}", answer.get_output_by_name("sum").as_numpy().tolist()
              == np.array([3, np.float32(0.1) + np.float32(3)], np.float32).tolist() and answer.id == "mine", answer)
    long = np.arange(5000, dtype=np.float32)
    answer = await client.infer(url, request(long.tolist(), long.tolist(), False), model_name="sum")
    check("v2 long answers come compressed", np.array_equal(answer.get_output_by_name("sum").as_numpy(), long * 2))
    answers = await asyncio.gather(*[
        client.infer(url, request([n], [1], True), model_name="sum") for n in range(20)])
    check("v2 many at once", [a.get_output_by_name("sum").as_numpy()[0] for a in answers] == [n + 1 for n in range(20)])
    await refused("v2 unknown model", 404, "no model 'nobody'",
                  client.infer(url, request([1], [1], False), model_name="nobody"))
    await refused("v2 wrong inputs", 400, "missing",
                  client.infer(url, InferRequest("sum", request([1], [1], False).inputs[:1]), model_name="sum"))
    await client.close()


async def version_one(url):
    client = InferenceRESTClient(RESTConfig(protocol="v1"))
    check("v1 model ready", await client.is_model_ready(url, "sum"))
    answer = await client.infer(url, {"instances": [{"a": 1, "b": 2}, {"a": 0.5, "b": 1}]}, model_name="sum")
    check("v1 rows", answer == {"predictions": [{"sum": 3, "difference": -1}, {"sum": 1.5, "difference": -0.5}]}, answer)
    answer = await client.infer(url, {"inputs": {"a": [1], "b": [2]}}, model_name="sum")
    check("v1 columns", answer == {"outputs": {"sum": [3], "difference": [-1]}}, answer)
    await refused("v1 unknown model", 404, "nobody", client.infer(url, {"instances": [1]}, model_name="nobody"))
    await refused("v1 wrong", 400, "", client.infer(url, {"instances": [{"a": 1}]}, model_name="sum"))
    await client.close()


async def calls(url):
    client = InferenceGRPCClient(url)
    check("grpc live", await client.is_server_live())
    check("grpc ready", await client.is_server_ready())
    check("grpc model ready", await client.is_model_ready("sum"))
    for binary in (True, False):
        answer = await client.infer(request([1, 5], [2, 3], binary, "mine"))
        check(f"grpc sum raw={binary}", answer.get_output_by_name("difference").as_numpy().tolist() == [-1, 2], answer)
    await client.close()


async def main():
    await version_two(f"http://{sys.argv[1]}")
    await version_one(f"http://{sys.argv[1]}")
    if len(sys.argv) > 2:
        await calls(sys.argv[2])
    print(f"{checks} checks, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
