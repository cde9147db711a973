#!/usr/bin/env python3
"""Measures how fast `modelworks score` scores a Parquet file, beside the bare runtimes with the same number of threads.

usage: .deps/serving/bin/python Benchmarks/serving/bench_scoring.py BINARY [ROWS_OF_MLP] [ROWS_OF_TREES]

Bare is the runtime alone, asked for 4,096 rows at a time that lie in memory as it takes them: onnxruntime in Python, and
LightGBM through Python's package. Ours reads the rows from Parquet, scores them, and writes predictions, stamps and the rows'
ids as Parquet; its time is that of the whole process, from its start to its end. Both take turns, and the best of three of
each counts. Ends with status 2 where ours has less than 80% of the bare rows/s.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import lightgbm
import numpy
import onnxruntime
import pyarrow
import pyarrow.parquet

import serving_models

BATCH = 4096
TURNS = 3
SHARE = 0.8
NAMES = [f"Column_{index}" for index in range(serving_models.FEATURES)]


def table(path, rows):
    """Rows of 30 numbers with an id, in row groups as DuckDB and Spark write them."""
    random = numpy.random.default_rng(5)
    writer = None
    for start in range(0, rows, 122_880):
        count = min(122_880, rows - start)
        values = random.standard_normal((serving_models.FEATURES, count)).astype("f4")
        part = pyarrow.table({"id": numpy.arange(start, start + count), **dict(zip(NAMES, values))})
        # Numbers that hardly repeat have no dictionary there either.
        writer = writer or pyarrow.parquet.ParquetWriter(path, part.schema, compression="snappy", use_dictionary=False)
        writer.write_table(part)
    writer.close()


def spread(ask, batches, threads):
    """Rows/s of a function of one batch, asked by so many threads."""
    begin = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(ask, range(batches)))
    return batches * BATCH / (time.perf_counter() - begin)


def bare(models, rows, threads):
    """For each model a function that gives the bare runtime's rows/s."""
    random = numpy.random.default_rng(6)
    held = random.standard_normal((32, BATCH, serving_models.FEATURES)).astype("f4")
    wide = held.astype("f8")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(models / "mlp.onnx"), options, providers=["CPUExecutionProvider"])
    booster = lightgbm.Booster(model_file=str(models / "gbm.txt"))
    return {
        "mlp": lambda: spread(lambda turn: session.run(None, {"input": held[turn % 32]}), rows["mlp"] // BATCH, threads),
        "gbm": lambda: spread(
            lambda turn: booster.predict(wide[turn % 32], num_threads=1), rows["gbm"] // BATCH, threads),
    }


def ours(binary, model, source, folder, threads):
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    before = os.times()
    begin = time.perf_counter()
    run = subprocess.run(
        [binary, "score", str(model), "--input", str(source), "--output", str(out), "--keep", "id", "--batch", str(BATCH),
         "--threads", str(threads), "--features", ",".join(NAMES), "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    seconds = time.perf_counter() - begin
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    rows = json.loads(run.stdout)["rows"]
    return rows / seconds, spent * 1e6 / rows


def main():
    binary = sys.argv[1]
    rows = {"mlp": int(sys.argv[2]) if len(sys.argv) > 2 else 8_000_000,
            "gbm": int(sys.argv[3]) if len(sys.argv) > 3 else 500_000}
    threads = 1
    missed = False
    with tempfile.TemporaryDirectory(prefix="bench-scoring.") as path:
        folder = pathlib.Path(path)
        models = serving_models.make(folder)
        runtimes = bare(models, rows, threads)
        print(f"batch scoring, {BATCH} rows at a time, {threads} thread in the model; limit: {SHARE:.0%} of the bare runtime")
        for name, file in [("mlp", "mlp.onnx"), ("gbm", "gbm.txt")]:
            source = folder / f"{name}.parquet"
            table(source, rows[name])
            figures = [(runtimes[name](), *ours(binary, models / file, source, folder, threads)) for _ in range(TURNS)]
            floor = max(figure[0] for figure in figures)
            rate, processor = max(figure[1] for figure in figures), min(figure[2] for figure in figures)
            share = rate / floor
            missed |= share < SHARE
            print(f"  {name}: {rows[name]:,} rows: bare {floor:,.0f} rows/s, ours {rate:,.0f} rows/s = {share:.0%}"
                  f"{'' if share >= SHARE else ' MISSED'}; {processor:.2f} us of processor per row, everything included")
            source.unlink()
    sys.exit(2 if missed else 0)


if __name__ == "__main__":
    main()
