#!/usr/bin/env python3
"""Runs SQL over Parquet tables on Spark and writes Parquet.

usage: python3 spark_history.py [--master URL] [--fall-back] JOB.json
       python3 spark_history.py [--master URL] [--fall-back] --cases JOBS.json
       spark-submit --master URL spark_history.py JOB.json

JOB.json:
    {"sql": "SELECT ...",
     "tables": {"name": "/path/of.parquet"},    files, folders or globs of Parquet, each a view of that name
     "out": "/path/of/result.parquet",          replaced once the whole result is written
     "folder": false,                           true: a folder of parts, written in parallel; false: one file
     "settings": {"spark.sql.shuffle.partitions": "8"}}

JOBS.json is `{"settings": {...}, "jobs": [JOB, ...]}`: many jobs in one session, each with its own views; a job's own
settings may then be only those that Spark lets change while it runs.

Timestamps are microseconds in UTC. The last line of standard output is JSON: `jobs`, `failed` (for each `out`, `class`
and `message`), `start_seconds` (until the session was ready), `seconds`. It exits with 1 if a job failed, and with 3 if
Spark did not start. Without --master the one of spark-submit is used, else `local-cluster[2,1,1024]`: two executor
processes of one core and 1 GiB on this machine. With --fall-back a master that does not start gives way to `local[2]`.
"""
from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pyspark import SparkConf, SparkContext
from pyspark.find_spark_home import _find_spark_home
from pyspark.sql import SparkSession

MASTER = "local-cluster[2,1,1024]"
SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # Days before 1582 and instants before 1900 are as every other reader of Parquet has them.
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInRead": "CORRECTED",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
# Many small jobs in one session: compiling code for each, and then machine code of that, costs more than running it.
SETTINGS_OF_CASES = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.executor.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
}


def is_submitted() -> bool:
    """Whether spark-submit started this script: the Java side runs already, with its own master and home."""
    return "PYSPARK_GATEWAY_PORT" in os.environ


def own_home(scratch: Path) -> None:
    """Gives Spark a home in `scratch`, because local clusters keep the files of their executors under it."""
    home = scratch / "home"
    home.mkdir()
    for entry in Path(_find_spark_home()).iterdir():
        if entry.name != "work":
            (home / entry.name).symlink_to(entry)
    os.environ["SPARK_HOME"] = str(home)
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    os.environ.setdefault("SPARK_LOCAL_HOSTNAME", "127.0.0.1")


def start(master: str | None, settings: dict[str, str], scratch: Path) -> SparkSession:
    conf = SparkConf()
    if not is_submitted():
        conf.setAll([
            ("spark.driver.host", "127.0.0.1"), ("spark.driver.bindAddress", "127.0.0.1"),
            ("spark.local.dir", str(scratch / "local")), ("spark.sql.warehouse.dir", str(scratch / "warehouse")),
        ])
        conf.setMaster(master or MASTER)
    elif master:
        conf.setMaster(master)
    conf.setAppName("history").setAll(settings.items())
    context = SparkContext(conf=conf)
    context.setLogLevel("ERROR")
    return SparkSession(context)


def is_local(path: str) -> bool:
    return "://" not in path and not path.startswith(("s3:", "hdfs:", "file:"))


def run(session: SparkSession, job: dict[str, Any]) -> None:
    """Writes the result of one job beside its place, and then moves it there."""
    for name, value in (job.get("settings") or {}).items():
        session.conf.set(name, value)
    for name, path in job["tables"].items():
        session.read.parquet(path).createOrReplaceTempView(name)
    result = session.sql(job["sql"])
    out: str = job["out"]
    if not is_local(out):
        (result if job.get("folder") else result.coalesce(1)).write.mode("overwrite").parquet(out)
        return
    place = Path(out)
    staging = place.with_name(f".{place.name}.{uuid.uuid4().hex}")
    try:
        if job.get("folder"):
            result.write.mode("overwrite").parquet(str(staging))
            remove(place)
            staging.rename(place)
        else:
            # One task in the end: the order of an ORDER BY stays.
            result.coalesce(1).write.mode("overwrite").parquet(str(staging))
            (part,) = staging.glob("part-*.parquet")
            if place.is_dir():
                remove(place)
            part.replace(place)
    finally:
        remove(staging)


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    elif path.exists():
        path.unlink()


def attempt(session: SparkSession, job: dict[str, Any]) -> dict[str, str] | None:
    """Runs one job in a session of its own; what went wrong, or nothing."""
    try:
        run(session.newSession(), job)
    except Exception as error:
        return failure(job, error)
    return None


def failure(job: dict[str, Any], error: Exception) -> dict[str, str]:
    return {"out": str(job.get("out")), "class": type(error).__name__, "message": str(error)[:4000]}


def session_for(options: argparse.Namespace, settings: dict[str, str], scratch: Path) -> SparkSession:
    try:
        return start(options.master, settings, scratch)
    except Exception as error:
        if not options.fall_back:
            print(json.dumps({"jobs": 0, "failed": [failure({}, error)]}))
            sys.exit(3)
        print(f"spark_history: {options.master or MASTER} did not start ({type(error).__name__}); using local[2]", file=sys.stderr)
        return start("local[2]", settings, scratch)


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs SQL over Parquet tables on Spark and writes Parquet.")
    parser.add_argument("file", type=Path, metavar="JOB.json")
    parser.add_argument("--cases", action="store_true", help="the file holds many jobs")
    parser.add_argument("--master", help="where Spark runs")
    parser.add_argument("--fall-back", action="store_true", help="run on local[2] if the master does not start")
    options = parser.parse_args()
    # Being told to stop takes the scratch folder and Spark's processes along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    given = json.loads(options.file.read_text(encoding="utf-8"))
    jobs: list[dict[str, Any]] = given["jobs"] if options.cases else [{**given, "settings": {}}]
    with tempfile.TemporaryDirectory(prefix="spark-history.") as folder:
        scratch = Path(folder)
        if not is_submitted():
            own_home(scratch)
        begin = time.monotonic()
        usual = {**SETTINGS, **SETTINGS_OF_CASES} if options.cases else SETTINGS
        session = session_for(options, {**usual, **(given.get("settings") or {})}, scratch)
        ready = time.monotonic()
        # Most of a small job is waiting for its next stage: a few at a time fill the executors.
        with ThreadPoolExecutor(max_workers=4) as pool:
            failed = [found for found in pool.map(lambda job: attempt(session, job), jobs) if found]
        end = time.monotonic()
        session.stop()
    print(json.dumps({
        "jobs": len(jobs), "failed": failed, "start_seconds": round(ready - begin, 2), "seconds": round(end - ready, 2)}))
    return 1 if failed else 0


sys.exit(main())
