#!/usr/bin/env python3
"""Serves views v0 to v4, each with features f0 to f9 of doubles by `driver`, with the real `feast serve`.

usage: .deps/feast/bin/python feast_peer.py FOLDER ENTITIES [--redis HOST:PORT]

Writes all rows into the online store first. Prints `{"url", "pid"}` once it answers; ends on SIGTERM, or when the process
that started it has gone. Workers are never replaced (`--max-requests 0`), and one worker serves, as by default.
"""
import argparse
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import warnings
from datetime import datetime, timedelta, timezone
from pathlib import Path

os.environ["FEAST_USAGE"] = "False"

import numpy  # noqa: E402
import pandas  # noqa: E402
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType  # noqa: E402
from feast.types import Float64, Int64  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("entities", type=int)
    parser.add_argument("--redis")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    parent = os.getppid()
    online = f"{{type: sqlite, path: {folder}/online.db}}"
    if options.redis:
        online = f'{{type: redis, connection_string: "{options.redis}"}}'
    (folder / "feature_store.yaml").write_text(
        f"project: bench\nprovider: local\nregistry: {folder}/registry.db\noffline_store: {{type: duckdb}}\n"
        f"online_store: {online}\nentity_key_serialization_version: 3\n", encoding="utf-8")
    store = FeatureStore(repo_path=str(folder))
    driver = Entity(name="driver", join_keys=["driver"], value_type=ValueType.INT64)
    chance = numpy.random.default_rng(1)
    frame = pandas.DataFrame({
        "driver": range(options.entities), "event_timestamp": datetime(2026, 1, 1, tzinfo=timezone.utc),
        **{f"f{index}": chance.random(options.entities) for index in range(10)}})
    frame.to_parquet(folder / "rows.parquet")
    source = FileSource(path=str(folder / "rows.parquet"), timestamp_field="event_timestamp")
    views = [
        FeatureView(
            name=f"v{view}", entities=[driver], ttl=timedelta(0), source=source,
            schema=[Field(name="driver", dtype=Int64)] + [Field(name=f"f{index}", dtype=Float64) for index in range(10)])
        for view in range(5)]
    store.apply([driver, *views])
    for view in views:
        store.write_to_online_store(view.name, frame)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ending: list[int] = []
    # Who starts this may do so from a thread that takes no signals, and then they are held back here too.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    signal.signal(signal.SIGTERM, lambda number, _: ending.append(number))
    server = subprocess.Popen(
        [str(Path(sys.executable).parent / "feast"), "--chdir", str(folder), "serve", "--host", "127.0.0.1", "--port", str(port),
         "--no-access-log", "--workers", "1", "--max-requests", "0", "--max-requests-jitter", "0"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline and server.poll() is None and not ending:
            try:
                with urllib.request.urlopen(f"{url}/health", timeout=5):
                    break
            except OSError:
                time.sleep(0.1)
        print(json.dumps({"url": url, "pid": server.pid}), flush=True)
        while not ending and server.poll() is None and os.getppid() == parent:
            time.sleep(0.2)
        return 0
    finally:
        server.terminate()
        server.wait(20)


sys.exit(main())
