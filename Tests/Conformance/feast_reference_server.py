#!/usr/bin/env python3
"""Makes a small Feast repository with seeded data and serves it with the real `feast serve` on a free port of loopback.

usage: .deps/feast/bin/python feast_reference_server.py FOLDER [--seed 1] [--offline duckdb|dask] [--redis HOST:PORT]
           [--workers 1] [--max-requests 0] [--prepare]

FOLDER gets `data/` (Parquet), `feature_store.yaml`, the registry and, without --redis, the online store in SQLite; a
repository that is there already is served as it is. Prints one line of JSON, `{"port", "pid", "url", "data"}`, once
/health answers; ends with its server on SIGTERM or SIGINT, or when the process that started it has gone. --prepare makes
the repository and ends. The server's log is FOLDER/serve.log. The data are described in feast_repository.py.
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
from pathlib import Path

os.environ["FEAST_USAGE"] = "False"
os.environ["TZ"] = "UTC"


def prepare(folder: Path, options: argparse.Namespace) -> None:
    from feast import FeatureStore

    from feast_repository import definitions, write_data

    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    write_data(folder / "data", options.seed)
    online = f"    type: sqlite\n    path: {folder}/online.db"
    if options.redis:
        online = f'    type: redis\n    connection_string: "{options.redis}"'
    (folder / "feature_store.yaml").write_text(
        f"project: reference\nprovider: local\nregistry: {folder}/registry.db\n"
        f"offline_store:\n    type: {options.offline}\nonline_store:\n{online}\n"
        "entity_key_serialization_version: 3\n", encoding="utf-8")
    FeatureStore(repo_path=str(folder)).apply(definitions(folder / "data"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def main() -> int:
    parser = argparse.ArgumentParser(description="Serves a small repository with the real Feast.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--offline", choices=["duckdb", "dask"], default="duckdb")
    parser.add_argument("--redis", metavar="HOST:PORT")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--max-requests", type=int, default=0, help="0: workers are never replaced (Feast's default: 1000)")
    parser.add_argument("--prepare", action="store_true")
    options = parser.parse_args()
    folder = options.folder.resolve()
    parent = os.getppid()
    if not (folder / "feature_store.yaml").exists():
        folder.mkdir(parents=True, exist_ok=True)
        prepare(folder, options)
    if options.prepare:
        print(json.dumps({"data": str(folder / "data")}), flush=True)
        return 0
    ending: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: ending.append(received))
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [
        str(Path(sys.executable).parent / "feast"), "--chdir", str(folder), "serve", "--host", "127.0.0.1", "--port", str(port),
        "--no-access-log", "--workers", str(options.workers), "--max-requests", str(options.max_requests),
        "--max-requests-jitter", "0" if options.max_requests == 0 else "50"]
    with open(folder / "serve.log", "wb") as log:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 120
        while not is_healthy(url):
            if server.poll() is not None or ending or time.monotonic() > deadline:
                print(f"feast_reference_server: feast serve did not become ready; see {folder}/serve.log", file=sys.stderr)
                return 1
            time.sleep(0.05)
        print(json.dumps({"port": port, "pid": server.pid, "url": url, "data": str(folder / "data")}), flush=True)
        while not ending and server.poll() is None and os.getppid() == parent:
            time.sleep(0.2)
        return 0 if server.poll() is None else 1
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()


sys.exit(main())
