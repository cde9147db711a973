#!/usr/bin/env python3
"""Measures what asking a model in another way costs, and what is noticed of batching and of a swap.

usage: .deps/serving/bin/python Benchmarks/serving/bench_ways.py BINARY [SECONDS]

- gRPC (raw contents) and REST with binary tensors beside REST with JSON: h2load sends the same rows by all three, over
  HTTP/2 without TLS and HTTP/1.1, one request at a time on each connection. The ways take turns, and medians count.
- One connection with batching and without: wrk, on a model that is run where its requests come in, and on one that is
  large enough to be batched.
- A swap under full load: wrk over 32 connections while the model is replaced by another again and again, without a pause
  between, beside the same load without.

Every way is asked once first and has to give what onnxruntime gives. "As fast" is within 5%, which is what two medians of
the same thing differ by. Ends with status 2 where a limit is missed.
"""
import http.client
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import grpc
import numpy
import onnxruntime
import tritonclient.http
from tritonclient.grpc import service_pb2

import serving_models
from bench_serving import Limits, free_port, ours, processor_seconds

ROUNDS = 5
STARTS = 4
NEAR = 1.05
METHOD = "/inference.GRPCInferenceService/ModelInfer"


class Way:
    """A way to ask for one row: the same bytes for the check and for the load."""

    def __init__(self, name, folder, body, target, protocol, headers, read):
        self.name, self.body, self.target, self.read = name, body, target, read
        self.protocol, self.headers = protocol, headers
        self.file = pathlib.Path(folder) / f"{name}.body"
        self.file.write_bytes(body)

    def ask(self, port):
        """The answer to one request, as numbers."""
        if self.protocol == "h2c":
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                return self.read(channel.unary_unary(METHOD)(self.body[5:], timeout=10))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("POST", self.target, self.body, self.headers)
        answer = connection.getresponse()
        return self.read(answer.read(), answer)

    def load(self, server, port, connections, seconds):
        """Requests/s and microseconds of processor time for each, by h2load; how many failed."""
        words = [word for pair in self.headers.items() for word in ("-H", ": ".join(pair))]
        before = processor_seconds(server.process.pid)
        run = subprocess.run(
            ["h2load", "-t1", f"-c{connections}", "-m1", f"-D{seconds}", "-p", self.protocol, "-d", str(self.file), *words,
             f"http://127.0.0.1:{port}{self.target}"], capture_output=True, text=True, check=True)
        spent = processor_seconds(server.process.pid) - before
        done, failed = map(int, re.search(r"(\d+) succeeded, (\d+) failed", run.stdout).groups())
        return {"rate": done / seconds, "processor": spent * 1e6 / max(done, 1), "failed": failed}


def ways(folder, count):
    """JSON, binary tensors and gRPC, with the rows that all of them send."""
    lines = [json.loads(line)["inputs"][0] for line in (pathlib.Path(folder) / "mlp.jsonl").read_text().splitlines()[:count]]
    rows = numpy.array([line["data"] for line in lines], "f4")
    tensor = {**lines[0], "shape": list(rows.shape), "data": [number for line in lines for number in line["data"]]}
    line = json.dumps({"id": "0", "inputs": [tensor]}, separators=(",", ":"))
    target = "/v2/models/mlp/infer"

    def from_json(body, _):
        return json.loads(body)["outputs"][0]["data"]

    tensor = tritonclient.http.InferInput("input", list(rows.shape), "FP32")
    tensor.set_data_from_numpy(rows, binary_data=True)
    binary, length = tritonclient.http.InferenceServerClient.generate_request_body([tensor], request_id="0")

    def from_binary(body, answer):
        return numpy.frombuffer(body[int(answer.headers["Inference-Header-Content-Length"]):], "f4")

    message = service_pb2.ModelInferRequest(model_name="mlp", id="0", raw_input_contents=[rows.tobytes()])
    place = message.inputs.add(name="input", datatype="FP32")
    place.shape.extend(rows.shape)
    sent = message.SerializeToString()

    def from_grpc(body):
        return numpy.frombuffer(service_pb2.ModelInferResponse.FromString(body).raw_output_contents[0], "f4")

    kind = "content-type"
    return rows, [
        Way("JSON", folder, line.encode(), target, "http/1.1", {kind: "application/json"}, from_json),
        Way("binary", folder, bytes(binary), target, "http/1.1",
            {kind: "application/octet-stream", "inference-header-content-length": str(length)}, from_binary),
        Way("gRPC", folder, b"\0" + len(sent).to_bytes(4, "big") + sent, METHOD, "h2c",
            {kind: "application/grpc", "te": "trailers"}, from_grpc)]


def compare_ways(binary, folder, models, seconds, limits):
    session = onnxruntime.InferenceSession(str(models / "mlp.onnx"), providers=["CPUExecutionProvider"])
    port = free_port()
    server = ours(binary, models, grpc=port)
    failed = 0
    for count, connections in [(1, 8), (1, 32), (64, 8)]:
        rows, all_ways = ways(folder, count)
        wanted = session.run(None, {"input": rows})[0]
        ports = {way.name: port if way.protocol == "h2c" else server.port for way in all_ways}
        for way in all_ways:
            numpy.testing.assert_allclose(numpy.ravel(way.ask(ports[way.name])), wanted.ravel(), rtol=1e-4, atol=1e-6)
            way.load(server, ports[way.name], connections, 1)
        rounds = {way.name: [] for way in all_ways}
        for turn in range(ROUNDS):
            for way in all_ways[turn % 3:] + all_ways[:turn % 3]:
                rounds[way.name].append(way.load(server, ports[way.name], connections, seconds))
        figures = {}
        for name, cells in rounds.items():
            failed += sum(cell["failed"] for cell in cells)
            figures[name] = {key: statistics.median(cell[key] for cell in cells) for key in ["rate", "processor"]}
            print(f"{name:<7} mlp {count:>2} rows, {connections:>2} connections: {figures[name]['processor']:6.1f} us of "
                  f"processor, {figures[name]['rate']:9,.0f}/s", flush=True)
        for name in ["binary", "gRPC"]:
            cost = figures[name]["processor"] / figures["JSON"]["processor"]
            rate = figures[name]["rate"] / figures["JSON"]["rate"]
            limits.show(
                f"{name} beside JSON, {count} rows, {connections} connections",
                f"{cost:.0%} of the processor, {rate:.0%} of the requests/s", cost <= NEAR and rate >= 1 / NEAR, "as fast")
    server.stop()
    limits.show("requests by all ways that failed", failed, failed == 0, "none")


def compare_batching(binary, folder, seconds, limits):
    models = pathlib.Path(folder) / "batching"
    models.mkdir()
    for name, hidden in [("small", 128), ("large", 1536)]:
        for batching in ["on", "off"]:
            place = models / f"{name}-{batching}" / "1"
            place.mkdir(parents=True)
            serving_models.mlp(str(place / "model.onnx"), hidden)
            if batching == "off":
                (place.parent / "config.yaml").write_text("max_batch_size: 0\n")
    times = {place.name: [] for place in models.iterdir()}
    # Where a process has put a model's weights changes its time by some percent, so there are several.
    for _ in range(STARTS):
        server = ours(binary, models)
        for turn in range(ROUNDS):
            for name in sorted(times, reverse=turn % 2):
                figures = server.load(pathlib.Path(folder) / "mlp.jsonl", f"/v2/models/{name}/infer", 1, max(1, seconds // 2))
                # The first turn warms up.
                times[name] += [figures["p50"]] if turn else []
        server.stop()
    for name in ["small", "large"]:
        on, off = (statistics.median(times[f"{name}-{batching}"]) for batching in ["on", "off"])
        limits.show(
            f"p50 of one connection with batching, {name} model", f"{on:.0f} us, {off:.0f} us without",
            on <= off * NEAR, "within 5%")


class Swaps:
    """Replaces a model by the other of two, again and again, until told to stop."""

    def __init__(self, server, place, files):
        self.server, self.place, self.files = server, place, files
        self.count, self.refused, self.seconds = 0, 0, []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def work(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        while not self.over.is_set():
            shutil.copy(self.files[self.count % 2], f"{self.place}.next")
            os.replace(f"{self.place}.next", self.place)
            begun = time.monotonic()
            connection.request("POST", "/v2/repository/models/mlp/load", "{}", {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            self.seconds.append(time.monotonic() - begun)
            self.refused += answer.status != 200
            self.count += 1

    def stop(self):
        self.over.set()
        self.thread.join()


def compare_swaps(binary, folder, seconds, limits):
    models = pathlib.Path(folder) / "swapped"
    place = models / "mlp" / "1" / "model.onnx"
    place.parent.mkdir(parents=True)
    files = [pathlib.Path(folder) / f"{name}.onnx" for name in ["first", "second"]]
    for seed, file in enumerate(files):
        serving_models.mlp(str(file), seed=seed + 1)
    shutil.copy(files[0], place)
    server = ours(binary, models, "--model-control", "explicit", "--load-model", "mlp")
    bodies, target = pathlib.Path(folder) / "mlp.jsonl", "/v2/models/mlp/infer"
    server.load(bodies, target, 32, 1)
    still, moving, failed, swaps, refused, loads = [], [], 0, 0, 0, []
    for _ in range(ROUNDS):
        still.append(server.load(bodies, target, 32, seconds))
        turn = Swaps(server, place, files[::-1])
        moving.append(server.load(bodies, target, 32, seconds))
        turn.stop()
        swaps, refused, loads = swaps + turn.count, refused + turn.refused, loads + turn.seconds
    server.stop()
    failed = sum(cell["failed"] for cell in still + moving)
    requests = sum(cell["requests"] for cell in moving)
    before, during = (statistics.median(cell["p99"] for cell in cells) for cells in [still, moving])
    print(f"swap    mlp  32 connections: {swaps} swaps of {statistics.median(loads) * 1000:.0f} ms during {requests:,} "
          f"requests; {statistics.median(cell['rate'] for cell in still):,.0f}/s before, "
          f"{statistics.median(cell['rate'] for cell in moving):,.0f}/s during", flush=True)
    limits.show("requests during swaps, and swaps, that failed", failed + refused, failed + refused == 0, "none")
    limits.show(
        "p99 during swaps", f"{during:.0f} us, {before:.0f} us before = {during / before:.2f} times", during < 2 * before,
        "under 2 times")


def main():
    binary = sys.argv[1]
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    limits = Limits()
    with tempfile.TemporaryDirectory() as folder:
        models = serving_models.make(folder)
        compare_ways(binary, folder, models, seconds, limits)
        compare_batching(binary, folder, seconds, limits)
        compare_swaps(binary, folder, seconds, limits)
    sys.exit(2 if limits.missed else 0)


if __name__ == "__main__":
    main()
