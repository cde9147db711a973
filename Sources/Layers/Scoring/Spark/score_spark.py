#!/usr/bin/env python3
"""Scores a table of Parquet files with an ONNX model on Spark, in mapInArrow.

usage: python3 score_spark.py [--master URL] JOB.json
       spark-submit --master URL score_spark.py JOB.json

JOB.json, as `modelworks score --engine spark --emit FILE` writes it:
    {"model": "/path/of.onnx", "name": "churn", "version": "3", "run": "…", stamped on each row
     "paths": ["/path/of.parquet"],                      files that all executors see
     "inputs": [{"name": "input", "datatype": "FP32", "width": 30, "list": false,
                 "columns": [{"column": "age", "missing": true}]}],
     "outputs": [{"name": "probabilities", "columns": [{"name": "probabilities_0", "type": "FLOAT"}]}],
     "keep": ["id"], "on_error": "fail",                 or "null"
     "batch": 4096, "out": "/path/of/folder",            replaced once it is written whole
     "settings": {"spark.sql.shuffle.partitions": "8"}}

The Python of driver and executors needs pyspark, pyarrow, numpy and onnxruntime. The last line of standard output is
JSON: `rows`, `failed` (for each `class` and `message`), `start_seconds` (until the session was ready), `seconds`. It exits
with 1 if the job failed, and with 3 if Spark did not start.
"""
from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any, Iterator

from pyspark import SparkConf, SparkContext
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f
from pyspark.sql.types import StringType, StructField, StructType, TimestampType

SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.catalogImplementation": "in-memory",
    # A value that does not fit is refused with its row, not with the whole job.
    "spark.sql.ansi.enabled": "true",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
REALS = {"FP16": "float", "FP32": "float", "FP64": "double"}
WHOLES = {
    "INT8": (-(2**7), 2**7 - 1), "INT16": (-(2**15), 2**15 - 1), "INT32": (-(2**31), 2**31 - 1),
    "INT64": (-(2**63), 2**63 - 1), "UINT8": (0, 2**8 - 1), "UINT16": (0, 2**16 - 1), "UINT32": (0, 2**32 - 1),
    "UINT64": (0, 2**63 - 1),
}
NUMPY = {"FP16": "float16", "FP32": "float32", "FP64": "float64", "BOOL": "bool"}
SPARK_TYPES = {"BOOLEAN": "boolean", "FLOAT": "float", "DOUBLE": "double", "BIGINT": "bigint", "VARCHAR": "string"}
ERROR = "score_error"


def quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def value(column: str, given: dict[str, Any]) -> str:
    """The SQL of a value in the type that the tensor is filled from, null where it is none."""
    name, datatype = quoted(column), given["datatype"]
    if given["list"]:
        kind = REALS.get(datatype, "bigint")
        cast = f"try_cast({name} AS array<{kind}>)"
        return f"CASE WHEN size({name}) = {given['width']} AND NOT exists({name}, x -> x IS NULL) THEN {cast} END"
    if datatype == "BYTES":
        return f"CAST({name} AS string)"
    if datatype in REALS:
        return f"try_cast({name} AS {REALS[datatype]})"
    if datatype == "BOOL":
        return f"try_cast({name} AS boolean)"
    low, high = WHOLES[datatype]
    whole = f"try_cast({name} AS bigint)"
    return (f"CASE WHEN try_cast({name} AS double) = {whole} AND {whole} BETWEEN {low}L AND {high}L THEN {whole} END"
            if datatype not in ("INT64", "UINT64") else
            f"CASE WHEN try_cast({name} AS double) = {whole}" + (f" AND {whole} >= 0" if low == 0 else "")
            + f" THEN {whole} END")


def scorer(job: dict[str, Any], kept: int):
    """The function that each executor runs over its batches."""

    def refusals(batch, values, misfits) -> list[str | None]:
        import numpy

        reasons: list[str | None] = [None] * batch.num_rows
        position = 0
        for given in job["inputs"]:
            for entry in given["columns"]:
                missing = numpy.asarray(values[position].is_null())
                unfit = numpy.asarray(misfits[position].fill_null(False))
                bad = unfit if entry["missing"] else missing
                for row in numpy.nonzero(bad)[0]:
                    if reasons[row] is None:
                        kind = f"list of {given['width']} {given['datatype']}" if given["list"] else given["datatype"]
                        reasons[row] = (f"the value of '{entry['column']}' is no {kind}" if unfit[row]
                                        else f"'{entry['column']}' is missing")
                position += 1
        return reasons

    def tensors(values, rows: int) -> dict[str, Any]:
        import numpy

        feeds: dict[str, Any] = {}
        position = 0
        for given in job["inputs"]:
            datatype, width = given["datatype"], given["width"]
            columns = values[position:position + len(given["columns"])]
            position += len(columns)
            if given["list"]:
                tensor = columns[0].flatten().to_numpy(zero_copy_only=False).reshape(rows, width)
            else:
                arrays = [column.to_numpy(zero_copy_only=False) for column in columns]
                tensor = numpy.stack(arrays, axis=1) if width is not None else arrays[0]
            kind = object if datatype == "BYTES" else NUMPY.get(datatype, datatype.lower())
            feeds[given["name"]] = numpy.ascontiguousarray(tensor.astype(kind))
        return feeds

    def columns(name: str, answer, wanted: list[dict[str, str]], good, rows: int):
        import numpy
        import pyarrow

        kinds = {"BOOLEAN": pyarrow.bool_(), "FLOAT": pyarrow.float32(), "DOUBLE": pyarrow.float64(),
                 "BIGINT": pyarrow.int64(), "VARCHAR": pyarrow.string()}
        if isinstance(answer, list):
            # Maps of classes to scores: the classes in ascending order.
            keys = sorted(answer[0]) if answer else []
            answer = numpy.array([[each[key] for key in keys] for each in answer], dtype="float32")
        answer = numpy.asarray(answer).reshape(len(good), len(wanted))
        for index, column in enumerate(wanted):
            kind = kinds[column["type"]]
            whole = numpy.empty(rows, dtype=object)
            whole[good] = answer[:, index]
            if column["type"] in ("FLOAT", "DOUBLE"):
                found = numpy.full(rows, numpy.nan, dtype=answer.dtype)
                found[good] = answer[:, index]
                # NaN is no number, and so null.
                yield pyarrow.array(found, mask=numpy.isnan(found)).cast(kind)
            else:
                absent = numpy.ones(rows, dtype=bool)
                absent[good] = False
                yield pyarrow.array([None if absent[row] else whole[row] for row in range(rows)], type=kind)

    def score(batches: Iterator[Any]) -> Iterator[Any]:
        import numpy
        import onnxruntime
        import pyarrow

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(job["model"], options, providers=["CPUExecutionProvider"])
        readings = sum(len(given["columns"]) for given in job["inputs"])
        wanted = [output["name"] for output in job["outputs"]]
        for batch in batches:
            found = batch.columns
            values, misfits = found[kept:kept + readings], found[kept + readings:]
            reasons = refusals(batch, values, misfits)
            good = numpy.array([row for row in range(batch.num_rows) if reasons[row] is None], dtype="int64")
            if len(good) < batch.num_rows and job["on_error"] == "fail":
                raise ValueError(next(reason for reason in reasons if reason))
            chosen = values if len(good) == batch.num_rows else [value.take(pyarrow.array(good)) for value in values]
            answers = session.run(wanted, tensors(chosen, len(good))) if len(good) else [[] for _ in wanted]
            made = []
            for output, answer in zip(job["outputs"], answers):
                made += columns(output["name"], answer, output["columns"], good, batch.num_rows)
            moment = pyarrow.scalar(time.time_ns() // 1000, pyarrow.timestamp("us", tz="UTC"))
            stamps = [pyarrow.array([job[key]] * batch.num_rows, pyarrow.string()) for key in ("name", "version", "run")]
            stamps.append(pyarrow.array([moment.as_py()] * batch.num_rows, pyarrow.timestamp("us", tz="UTC")))
            extra = [pyarrow.array(reasons, pyarrow.string())] if job["on_error"] == "null" else []
            arrays = found[:kept] + made + stamps + extra
            yield pyarrow.RecordBatch.from_arrays(arrays, names=[f"c{index}" for index in range(len(arrays))])

    return score


def scored(session: SparkSession, job: dict[str, Any]) -> DataFrame:
    """The rows with predictions and stamps, in the columns that Modelworks itself writes."""
    table = session.read.parquet(*job["paths"])
    kept = [table.schema[name] for name in job["keep"]]
    expressions = [f.col(quoted(name)) for name in job["keep"]]
    readings = [(entry["column"], given) for given in job["inputs"] for entry in given["columns"]]
    for index, (column, given) in enumerate(readings):
        expressions.append(f.expr(value(column, given)).alias(f"value {index}"))
    for index, (column, given) in enumerate(readings):
        sql = value(column, given)
        expressions.append(f.expr(f"{quoted(column)} IS NOT NULL AND ({sql}) IS NULL").alias(f"misfit {index}"))
    predictions = [column for output in job["outputs"] for column in output["columns"]]
    types = StructType([StructField(f"c{index}", field.dataType) for index, field in enumerate(kept)])
    for column in predictions:
        types.add(f"c{len(types)}", SPARK_TYPES[column["type"]])
    names = [field.name for field in kept] + [column["name"] for column in predictions]
    for name in ("model_name", "model_version", "run_id"):
        types.add(StructField(f"c{len(types)}", StringType()))
        names.append(name)
    types.add(StructField(f"c{len(types)}", TimestampType()))
    names.append("scored_at")
    if job["on_error"] == "null":
        types.add(StructField(f"c{len(types)}", StringType()))
        names.append(ERROR)
    return table.select(*expressions).mapInArrow(scorer(job, len(kept)), types).toDF(*names)


def run(session: SparkSession, job: dict[str, Any]) -> int:
    """Writes beside the place, and then moves there."""
    place = Path(job["out"])
    staging = place.with_name(f".{place.name}.{uuid.uuid4().hex}")
    try:
        scored(session, job).write.mode("overwrite").parquet(str(staging))
        rows = session.read.parquet(str(staging)).count()
        if place.is_dir():
            shutil.rmtree(place)
        staging.rename(place)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return rows


def start(master: str | None, job: dict[str, Any], scratch: str) -> SparkSession:
    conf = SparkConf().setAppName("score")
    # Where spark-submit started this script the Java side runs already.
    if "PYSPARK_GATEWAY_PORT" not in os.environ:
        conf.setMaster(master or "local[2]")
        conf.setAll([("spark.local.dir", f"{scratch}/local"), ("spark.sql.warehouse.dir", f"{scratch}/warehouse")])
        if (master or "local").startswith("local"):
            conf.setAll([("spark.driver.host", "127.0.0.1"), ("spark.driver.bindAddress", "127.0.0.1")])
    elif master:
        conf.setMaster(master)
    settings = {**SETTINGS, "spark.sql.execution.arrow.maxRecordsPerBatch": str(job["batch"]), **job.get("settings", {})}
    context = SparkContext(conf=conf.setAll(settings.items()))
    context.setLogLevel("ERROR")
    return SparkSession(context)


def failure(error: Exception) -> dict[str, str]:
    text = str(error)
    # Of an error in an executor's Python the last line of its traceback tells what it was.
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith(("ValueError:", "onnxruntime."))]
    return {"class": type(error).__name__, "message": (lines[0] if lines else text)[:4000]}


def main() -> int:
    parser = argparse.ArgumentParser(description="Scores Parquet files with an ONNX model on Spark.")
    parser.add_argument("file", type=Path, metavar="JOB.json")
    parser.add_argument("--master", help="where Spark runs")
    options = parser.parse_args()
    job = json.loads(options.file.read_text(encoding="utf-8"))
    # What executors run is this file's functions, which they have no copy of under its name.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    with tempfile.TemporaryDirectory(prefix="score-spark.") as scratch:
        begin = time.monotonic()
        try:
            session = start(options.master, job, scratch)
        except Exception as error:
            print(json.dumps({"rows": 0, "failed": [failure(error)]}))
            return 3
        ready = time.monotonic()
        rows, failed = 0, []
        try:
            rows = run(session, job)
        except Exception as error:
            failed = [failure(error)]
        end = time.monotonic()
        session.stop()
    print(json.dumps({
        "rows": rows, "failed": failed, "start_seconds": round(ready - begin, 2), "seconds": round(end - ready, 2)}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
