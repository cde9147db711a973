#!/usr/bin/env python3
"""Drives a server as the stock Triton clients do, over HTTP and gRPC, and checks what they give.

usage: .deps/serving/bin/python triton_clients.py HTTP_HOST:PORT GRPC_HOST:PORT

The server must have the model `echo`, with one input of shape [-1, -1] for each datatype, named like it in lower case,
and the outputs NAME_out; `sum` of the FP32 inputs a and b of shape [-1] with the outputs sum and difference; and `text`,
which echoes the BYTES input x of shape [-1]. Prints each check that fails, then how many were made; exits with 1 if one
failed.
"""
import asyncio
import queue
import sys

import ml_dtypes
import numpy as np
import tritonclient.grpc as over_grpc
import tritonclient.grpc.aio as over_grpc_aio
import tritonclient.http as over_http
import tritonclient.http.aio as over_http_aio
from tritonclient.utils import InferenceServerException

TYPES = {
    "BOOL": np.array([[True, False]]), "UINT8": np.array([[0, 255]], np.uint8),
    "UINT16": np.array([[0, 65535]], np.uint16), "UINT32": np.array([[0, 2**32 - 1]], np.uint32),
    "UINT64": np.array([[0, 2**64 - 1]], np.uint64), "INT8": np.array([[-128, 127]], np.int8),
    "INT16": np.array([[-2**15, 2**15 - 1]], np.int16), "INT32": np.array([[-2**31, 2**31 - 1]], np.int32),
    "INT64": np.array([[-2**63, 2**63 - 1]], np.int64), "FP16": np.array([[0.1, -65504]], np.float16),
    "FP32": np.array([[0.1, 3.4028235e38]], np.float32), "FP64": np.array([[0.1, 5e-324]], np.float64),
    "BYTES": np.array([["caf\u00e9", 'x"\\\n'.encode()]], np.object_),
}
BF16 = np.array([[1.5, -2.0]], ml_dtypes.bfloat16)
checks = 0
failures = 0


def check(what, good, *seen):
    global checks, failures
    checks += 1
    if not good:
        failures += 1
        print(f"FAILED {what}:", *seen)


def same(given, found):
    if given.dtype == np.object_:
        given = np.array([[x.encode() if isinstance(x, str) else x for x in row] for row in np.atleast_2d(given)],
                         np.object_)
        found = np.array([[x.encode() if isinstance(x, str) else x for x in row] for row in np.atleast_2d(found)],
                         np.object_)
    return found is not None and given.shape == found.shape and np.array_equal(
        given.view(np.uint8) if given.dtype.kind == "f" else given,
        found.view(np.uint8) if found.dtype.kind == "f" else found)


def refusal(what, status, words, call):
    try:
        call()
    except InferenceServerException as error:
        check(what, str(error.status()) == status and words in error.message(), error.status(), error.message())
    else:
        check(what, False, "was answered")


def every_input(client, binary=None):
    inputs = []
    for name, array in TYPES.items():
        tensor = client.InferInput(name.lower(), list(array.shape), name)
        if binary is None:
            tensor.set_data_from_numpy(array)
        else:
            tensor.set_data_from_numpy(array, binary_data=binary or name == "FP16")
        inputs.append(tensor)
    bf16 = client.InferInput("bf16", [1, 2], "BF16")
    bf16.set_data_from_numpy(BF16)
    return inputs + [bf16]


def check_echo(what, result):
    for name, array in TYPES.items():
        check(f"{what} {name}", same(array, result.as_numpy(f"{name.lower()}_out")), result.as_numpy(f"{name.lower()}_out"))
    found = result.as_numpy("bf16_out")
    check(f"{what} BF16", found is not None and np.array_equal(BF16.astype(np.float32), found.astype(np.float32)), found)


def sums(client, a, b):
    left = client.InferInput("a", [len(a)], "FP32")
    left.set_data_from_numpy(np.array(a, np.float32))
    right = client.InferInput("b", [len(b)], "FP32")
    right.set_data_from_numpy(np.array(b, np.float32))
    return [left, right]


def metadata(what, client, plain):
    check(f"{what} live", client.is_server_live())
    check(f"{what} ready", client.is_server_ready())
    check(f"{what} model ready", client.is_model_ready("echo") and client.is_model_ready("echo", "1"))
    server = plain(client.get_server_metadata())
    check(f"{what} extensions", "binary_tensor_data" in server["extensions"], server)
    model = plain(client.get_model_metadata("sum"))
    check(f"{what} metadata", [t["name"] for t in model["inputs"]] == ["a", "b"]
          and [int(x) for x in model["outputs"][1]["shape"]] == [-1] and model["versions"] == ["1"], model)
    config = plain(client.get_model_config("sum"))
    config = config.get("config", config)
    check(f"{what} config", config["max_batch_size"] > 0 and config["input"][0]["data_type"] == "TYPE_FP32", config)
    before = plain(client.get_inference_statistics("sum"))["model_stats"][0]
    for _ in range(3):
        client.infer("sum", sums(over_http if what == "http" else over_grpc, [1, 2], [3, 4]))
    after = plain(client.get_inference_statistics("sum"))["model_stats"][0]
    check(f"{what} statistics", int(after["inference_count"]) - int(before.get("inference_count", 0)) == 6, before, after)
    check(f"{what} all statistics", len(plain(client.get_inference_statistics())["model_stats"]) == 3)
    index = plain(client.get_model_repository_index())
    index = index.get("models", []) if isinstance(index, dict) else index
    check(f"{what} index", {entry["name"]: entry["state"] for entry in index}
          == {"echo": "READY", "sum": "READY", "text": "READY"}, index)


def http(url):
    client = over_http.InferenceServerClient(url, concurrency=4)
    metadata("http", client, lambda value: value)
    check_echo("http binary", client.infer("echo", every_input(over_http, True)))
    inputs = [tensor for tensor in every_input(over_http, False)]
    asked = [over_http.InferRequestedOutput(f"{name.lower()}_out", binary_data=name == "FP16") for name in TYPES]
    asked.append(over_http.InferRequestedOutput("bf16_out", binary_data=True))
    check_echo("http json", client.infer("echo", inputs, outputs=asked))
    for coding in ("gzip", "deflate"):
        check_echo(f"http {coding}", client.infer(
            "echo", every_input(over_http, True), request_compression_algorithm=coding,
            response_compression_algorithm=coding))
    pending = [client.async_infer("sum", sums(over_http, [n], [1])) for n in range(20)]
    check("http async", [float(p.get_result().as_numpy("sum")[0]) for p in pending] == [n + 1.0 for n in range(20)])
    answer = client.infer("sum", sums(over_http, [1], [2]), model_version="1", request_id="mine", priority=1,
                          timeout=10_000_000, parameters={"colour": "blue"}, sequence_id=5, sequence_start=True,
                          outputs=[over_http.InferRequestedOutput("difference")])
    check("http chosen", answer.as_numpy("sum") is None and answer.as_numpy("difference")[0] == -1
          and answer.get_response()["id"] == "mine")
    nan = client.infer("sum", sums(over_http, [float("nan")], [float("inf")]))
    check("http nan", np.isnan(nan.as_numpy("sum")[0]))
    texts = over_http.InferInput("x", [2], "BYTES")
    texts.set_data_from_numpy(np.array([b"\x00\xff raw", b""], np.object_))
    check("http bytes that are no text", list(client.infer("text", [texts]).as_numpy("x_out")) == [b"\x00\xff raw", b""])
    refusal("http unknown model", "404", "no model 'nobody'", lambda: client.infer("nobody", sums(over_http, [1], [1])))
    refusal("http unknown version", "404", "version '9'",
            lambda: client.infer("sum", sums(over_http, [1], [1]), model_version="9"))
    refusal("http missing input", "400", "'b' is missing", lambda: client.infer("sum", sums(over_http, [1], [1])[:1]))
    refusal("http wrong model's inputs", "400", "missing", lambda: client.infer("sum", [texts]))
    refusal("http unknown output", "400", "no output", lambda: client.infer(
        "sum", sums(over_http, [1], [1]), outputs=[over_http.InferRequestedOutput("other")]))
    refusal("http classes", "501", "classification", lambda: client.infer(
        "sum", sums(over_http, [1], [1]), outputs=[over_http.InferRequestedOutput("sum", class_count=1)]))
    refusal("http shared memory", "501", "not offered", lambda: client.get_system_shared_memory_status())
    refusal("http trace", "501", "not offered", lambda: client.get_trace_settings())
    refusal("http load", "400", "by callers", lambda: client.load_model("nobody"))
    check("http is not ready", not client.is_model_ready("nobody"))
    client.close()


async def aio(http_url, grpc_url):
    for what, module, client in (("http", over_http, over_http_aio.InferenceServerClient(http_url)),
                                 ("grpc", over_grpc, over_grpc_aio.InferenceServerClient(grpc_url))):
        answers = await asyncio.gather(*[client.infer("sum", sums(module, [n], [2])) for n in range(30)])
        check(f"{what} aio", [float(a.as_numpy("sum")[0]) for a in answers] == [n + 2.0 for n in range(30)])
        await client.close()


def grpc(url):
    client = over_grpc.InferenceServerClient(url)
    metadata("grpc", client, lambda message: json_of(message))
    check_echo("grpc raw", client.infer("echo", every_input(over_grpc)))
    for coding in ("gzip", "deflate"):
        if coding == "gzip":
            check_echo("grpc gzip", client.infer("echo", every_input(over_grpc), compression_algorithm=coding))
    answer = client.infer("sum", sums(over_grpc, [1], [2]), model_version="1", request_id="mine", priority=1,
                          timeout=10_000_000, parameters={"colour": "blue"},
                          outputs=[over_grpc.InferRequestedOutput("difference")])
    check("grpc chosen", answer.as_numpy("sum") is None and answer.as_numpy("difference")[0] == -1
          and answer.get_response().id == "mine")
    done = queue.Queue()
    for n in range(20):
        client.async_infer("sum", sums(over_grpc, [n], [1]), callback=lambda result, error: done.put((result, error)))
    seen = sorted(float(done.get(timeout=20)[0].as_numpy("sum")[0]) for _ in range(20))
    check("grpc async", seen == [n + 1.0 for n in range(20)], seen)
    texts = over_grpc.InferInput("x", [2], "BYTES")
    texts.set_data_from_numpy(np.array([b"\x00\xff raw", b""], np.object_))
    check("grpc bytes that are no text", list(client.infer("text", [texts]).as_numpy("x_out")) == [b"\x00\xff raw", b""])
    refusal("grpc unknown model", "StatusCode.NOT_FOUND", "no model 'nobody'",
            lambda: client.infer("nobody", sums(over_grpc, [1], [1])))
    refusal("grpc unknown version", "StatusCode.NOT_FOUND", "version '9'",
            lambda: client.infer("sum", sums(over_grpc, [1], [1]), model_version="9"))
    refusal("grpc missing input", "StatusCode.INVALID_ARGUMENT", "'b' is missing",
            lambda: client.infer("sum", sums(over_grpc, [1], [1])[:1]))
    refusal("grpc unknown output", "StatusCode.INVALID_ARGUMENT", "no output", lambda: client.infer(
        "sum", sums(over_grpc, [1], [1]), outputs=[over_grpc.InferRequestedOutput("other")]))
    refusal("grpc classes", "StatusCode.UNIMPLEMENTED", "classification", lambda: client.infer(
        "sum", sums(over_grpc, [1], [1]), outputs=[over_grpc.InferRequestedOutput("sum", class_count=1)]))
    refusal("grpc shared memory", "StatusCode.UNIMPLEMENTED", "", lambda: client.get_system_shared_memory_status())
    refusal("grpc trace", "StatusCode.UNIMPLEMENTED", "", lambda: client.get_trace_settings())
    refusal("grpc load", "StatusCode.FAILED_PRECONDITION", "by callers", lambda: client.load_model("nobody"))
    stream(client)
    typed(url)
    client.close()


def stream(client):
    """Answers come in order; what is wrong with one request leaves the stream open."""
    done = queue.Queue()
    client.start_stream(lambda result, error: done.put((result, error)))
    for n in range(10):
        client.async_stream_infer("sum" if n != 4 else "nobody", sums(over_grpc, [n], [1]), request_id=str(n))
    seen = [done.get(timeout=20) for _ in range(10)]
    client.stop_stream()
    check("grpc stream answers", [float(r.as_numpy("sum")[0]) for r, e in seen if e is None]
          == [n + 1.0 for n in range(10) if n != 4])
    check("grpc stream error", seen[4][1] is not None and "nobody" in str(seen[4][1]), seen[4])


def typed(url):
    """Typed contents, which no client of Triton sends, are answered by typed contents."""
    import grpc as rpc
    from tritonclient.grpc import service_pb2, service_pb2_grpc
    with rpc.insecure_channel(url) as channel:
        service = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        request = service_pb2.ModelInferRequest(model_name="echo", id="typed")
        fields = {"BOOL": "bool", "UINT8": "uint", "UINT16": "uint", "UINT32": "uint", "UINT64": "uint64",
                  "INT8": "int", "INT16": "int", "INT32": "int", "INT64": "int64", "FP32": "fp32", "FP64": "fp64",
                  "BYTES": "bytes"}
        wanted = []
        for name, field in fields.items():
            values = [x.encode() if isinstance(x, str) else x for x in TYPES[name][0].tolist()]
            tensor = request.inputs.add(name=name.lower(), datatype=name, shape=[1, 2])
            getattr(tensor.contents, f"{field}_contents").extend(values)
            request.outputs.add(name=f"{name.lower()}_out")
            wanted.append((f"{field}_contents", values))
        for name in ("fp16", "bf16"):
            request.inputs.add(name=name, datatype=name.upper(), shape=[0, 2])
        try:
            service.ModelInfer(request)
        except rpc.RpcError as error:
            check("grpc half precision is raw only", error.code() == rpc.StatusCode.INVALID_ARGUMENT, error)
        text = service_pb2.ModelInferRequest(model_name="text", id="typed")
        tensor = text.inputs.add(name="x", datatype="BYTES", shape=[2])
        tensor.contents.bytes_contents.extend([b"a", b"\xff"])
        answer = service.ModelInfer(text)
        check("grpc typed", list(answer.outputs[0].contents.bytes_contents) == [b"a", b"\xff"]
              and not answer.raw_output_contents and answer.id == "typed", answer)
        numbers = service_pb2.ModelInferRequest(model_name="sum")
        for name in ("a", "b"):
            numbers.inputs.add(name=name, datatype="FP32", shape=[2]).contents.fp32_contents.extend([1.5, 2])
        answer = service.ModelInfer(numbers)
        check("grpc typed numbers", list(answer.outputs[0].contents.fp32_contents) == [3, 4], answer)
        for what, change in (
                ("raw and typed", lambda r: r.raw_input_contents.extend([b"\0\0\0\0" * 2] * 2)),
                ("too few raw", lambda r: (r.inputs[0].ClearField("contents"), r.inputs[1].ClearField("contents"),
                                           r.raw_input_contents.append(b"\0" * 8))),
                ("too many values", lambda r: r.inputs[0].contents.fp32_contents.append(1)),
                ("values of another type", lambda r: (r.inputs[0].contents.Clear(),
                                                      r.inputs[0].contents.int_contents.extend([1, 2]))),
                ("huge shape", lambda r: r.inputs[0].shape.extend([2**62, 2**62])),
                ("negative shape", lambda r: r.inputs[0].shape.__setitem__(0, -1)),
                ("unknown type", lambda r: setattr(r.inputs[0], "datatype", "FP8")),
                ("the same input twice", lambda r: r.inputs.append(r.inputs[0])),
        ):
            wrong = service_pb2.ModelInferRequest()
            wrong.CopyFrom(numbers)
            change(wrong)
            try:
                service.ModelInfer(wrong)
                check(f"grpc {what}", False, "was answered")
            except rpc.RpcError as error:
                check(f"grpc {what}", error.code() == rpc.StatusCode.INVALID_ARGUMENT, error)


def json_of(message):
    from google.protobuf.json_format import MessageToDict
    return MessageToDict(message, preserving_proto_field_name=True)


if __name__ == "__main__":
    http(sys.argv[1])
    if len(sys.argv) > 2:
        grpc(sys.argv[2])
        asyncio.run(aio(sys.argv[1], sys.argv[2]))
    print(f"{checks} checks, {failures} failed")
    sys.exit(1 if failures else 0)
