#!/usr/bin/env python3
"""Measures the folders that `modelworks export edge` writes: single rows, one after another, on one thread.

usage: .deps/serving/bin/python Benchmarks/serving/bench_edge.py BINARY [CALLS]

A call goes from the text of a request to the text of its answer. Beside it the bare runtime in Python with an array at hand.
Models: the perceptron in 32-bit floating point and in 8-bit whole numbers (dynamic and static), and 200 trees. Ends with
status 2 where a p99 is 10 ms or more.
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import lightgbm
import numpy
import onnxruntime
import pyarrow
import pyarrow.parquet

import serving_models

LIMIT_US = 10_000
NAMES = [f"Column_{index}" for index in range(serving_models.FEATURES)]


def percentiles(ask, calls):
    times = numpy.empty(calls)
    for call in range(calls):
        begin = time.perf_counter()
        ask(call % serving_models.ROWS)
        times[call] = time.perf_counter() - begin
    return numpy.percentile(times * 1e6, [50, 99])


def bare(models, calls):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(models / "mlp.onnx"), options, providers=["CPUExecutionProvider"])
    booster = lightgbm.Booster(model_file=str(models / "gbm.txt"))
    rows = numpy.random.default_rng(4).standard_normal((serving_models.ROWS, 1, serving_models.FEATURES))
    single = rows.astype("f4")
    return {
        "mlp": percentiles(lambda row: session.run(None, {"input": single[row]}), calls),
        "gbm": percentiles(lambda row: booster.predict(rows[row], num_threads=1), calls // 10),
    }


def export(binary, model, folder, *words):
    run = subprocess.run(
        [binary, "export", "edge", str(model), "--to", str(folder), "--features", ",".join(NAMES), "--json", *words],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return json.loads(run.stdout)


def measure(folder, rows, calls):
    run = subprocess.run([folder / "score", "--bench", str(calls), rows], stdout=subprocess.PIPE, check=True)
    return json.loads(run.stdout)


def main():
    binary = sys.argv[1]
    calls = int(sys.argv[2]) if len(sys.argv) > 2 else 50_000
    missed = False
    with tempfile.TemporaryDirectory(prefix="bench-edge.") as path:
        folder = pathlib.Path(path)
        models = serving_models.make(folder)
        examples = folder / "examples.parquet"
        values = numpy.random.default_rng(8).standard_normal((serving_models.FEATURES, 20_000)).astype("f4")
        pyarrow.parquet.write_table(pyarrow.table(dict(zip(NAMES, values))), examples)
        floors = bare(models, calls)
        print(f"edge: {calls:,} calls of one row on one thread, JSON in and out; limit: p99 under {LIMIT_US // 1000} ms")
        for name, (p50, p99) in floors.items():
            print(f"  {name}, bare runtime in Python: p50 {p50:.1f} us, p99 {p99:.1f} us")
        judge = ["--int8", "--examples", str(examples), "--max-loss", "1", "--python", sys.executable]
        for name, file, rows, words in [
            ("mlp fp32", "mlp.onnx", "mlp", []), ("mlp int8 dynamic", "mlp.onnx", "mlp", judge),
            ("mlp int8 static", "mlp.onnx", "mlp", [*judge, "--static"]), ("gbm", "gbm.txt", "gbm", []),
        ]:
            place = folder / name.replace(" ", "-")
            report = export(binary, models / file, place, *words)
            figures = measure(place, folder / f"{rows}.jsonl", calls)
            missed |= figures["p99_us"] >= LIMIT_US
            print(f"  {name}: p50 {figures['p50_us']:.1f} us, p99 {figures['p99_us']:.1f} us, p99.9 {figures['p999_us']:.1f} us,"
                  f" {figures['processor_us']:.1f} us of processor, {figures['peak_memory_mb']:.0f} MiB at most;"
                  f" folder {report['bytes'] / 1e6:.1f} MB: model {report['model_bytes'] / 1e3:.0f} kB, libraries"
                  f" {report['library_bytes'] / 1e6:.1f} MB, runner {report['runner_bytes'] / 1e3:.0f} kB"
                  f"{'' if figures['p99_us'] < LIMIT_US else ' MISSED'}")
            verdict = report["manifest"].get("quantization")
            if verdict:
                before, after = verdict["fp32"], verdict["int8"]

                def change(take):
                    return f"{take(after) / take(before) - 1:+.0%}"

                print(f"    against fp32 in turns: latency {change(lambda side: side['measured']['p50_us'])}, processor"
                      f" {change(lambda side: side['measured']['processor_us'])}, model size"
                      f" {change(lambda side: side['bytes'])}, classes that differ {verdict['loss']:.2%}"
                      f" (rule of thumb: latency +15%, cost -40%)")
    sys.exit(2 if missed else 0)


if __name__ == "__main__":
    main()
