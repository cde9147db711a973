#!/usr/bin/env python3
"""Drives a feature server as the stock Feast SDK does (`online_store: {type: remote}`) and tells what it saw.

usage: .deps/feast/bin/python feast_remote.py URL [--token TOKEN] [--out SEEN.json] [--expect OTHER.json]

The server must serve the data of feast_repository.py, with nothing materialized. Reads go through a client whose registry
is empty, as an application's would; writes through one that knows the definitions. SEEN.json maps each step to what the
SDK gave: for a read `{feature: {"values": [...], "statuses": [...]}}`, for a refusal
`{"error": class, "message": text}`, for a write `null`. With --expect it prints each difference to what another server
gave (values and statuses) and exits with 1 if there is one.

Steps named `by_choice_...` may differ between correct servers: Feast's own SQLite store lets an older push replace a
newer value, and its server says PRESENT for a null. --expect leaves the former out and takes null values' PRESENT and
NULL_VALUE as one.
"""
import argparse
import json
import logging
import os
import sys
import tempfile
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any, Callable

os.environ["FEAST_USAGE"] = "False"
os.environ["TZ"] = "UTC"

import pandas  # noqa: E402
import requests  # noqa: E402
from feast import FeatureService, FeatureStore, RepoConfig  # noqa: E402
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus  # noqa: E402
from feast.type_map import feast_value_type_to_python_type  # noqa: E402

from feast_repository import day, definitions, write_data  # noqa: E402

ALL = ["driver_stats:trips", "driver_stats:rate", "driver_stats:city"]
ROUTE = ["route_stats:minutes", "route_stats:flights"]
KINDS = [f"kind_stats:{name}" for name in ("flag", "score", "small", "seen", "both", "words")]
DRIVERS = [{"driver_id": number} for number in (1001, 1002, 1020, 424242, 1001)]
ROUTES = [{"origin": "EWR", "dest": "JFK"}, {"origin": "JFK", "dest": "EWR"}, {"origin": "EWR", "dest": "XXX"}]


def client(url: str, folder: Path, name: str) -> FeatureStore:
    return FeatureStore(config=RepoConfig(
        project="reference", provider="local", registry=str(folder / f"{name}.db"), offline_store={"type": "duckdb"},
        online_store={"type": "remote", "path": url}, entity_key_serialization_version=3))


def seen(response: Any) -> dict[str, Any]:
    """The whole answer as plain values, by feature name."""
    names = list(response.proto.metadata.feature_names.val)
    found: dict[str, Any] = {}
    for name, vector in zip(names, response.proto.results):
        found[name] = {
            "values": [feast_value_type_to_python_type(value) for value in vector.values],
            "statuses": [FieldStatus.Name(status) for status in vector.statuses],
        }
    return dict(sorted(found.items()))


def rows(*drivers: tuple[int, float, int | None, float | None, str | None]) -> pandas.DataFrame:
    return pandas.DataFrame({
        "driver_id": [driver for driver, *_ in drivers],
        "event_timestamp": pandas.to_datetime([day(at) for _, at, *_ in drivers], utc=True),
        "created": pandas.to_datetime([day(at) + timedelta(minutes=1) for _, at, *_ in drivers], utc=True),
        "trips": pandas.array([row[2] for row in drivers], dtype="Int64"),
        "rate": [row[3] for row in drivers],
        "city": [row[4] for row in drivers],
    })


def kinds() -> pandas.DataFrame:
    """A row with each type and one of nulls."""
    return pandas.DataFrame({
        "driver_id": [1001, 1004],
        "event_timestamp": pandas.to_datetime([day(3), day(3)], utc=True),
        "created": pandas.to_datetime([day(3), day(3)], utc=True),
        "flag": pandas.array([False, None], dtype="boolean"),
        "score": [0.3, 2.5],
        "small": pandas.array([2**31 - 1, None], dtype="Int32"),
        "seen": pandas.to_datetime([day(2.25), day(2.5)], utc=True),
        "both": [[0.1, 2.0], [3.5]],
        "words": [["å", "b"], ["c"]],
    })


def scenario(url: str, folder: Path) -> list[tuple[str, Callable[[], Any]]]:
    reader = client(url, folder, "empty")
    writer = client(url, folder, "defined")
    write_data(folder / "data", 1)
    writer.apply(definitions(folder / "data"))

    def read(features: Any, entities: list[dict[str, Any]], full: bool = False, store: FeatureStore = reader) -> Any:
        return lambda: seen(store.get_online_features(features=features, entity_rows=entities, full_feature_names=full))

    def service(name: str) -> FeatureService:
        return FeatureService(name=name, features=[])

    mixed = [{**driver, **ROUTES[0]} for driver in DRIVERS]
    return [
        ("health", lambda: requests.get(f"{url}/health", timeout=30).status_code),
        ("before", read(ALL, DRIVERS)),
        ("materialize", lambda: reader.materialize(day(1), day(10))),
        ("materialized", read(ALL, DRIVERS)),
        ("materialize_incremental", lambda: reader.materialize_incremental(day(15))),
        ("incremental", read(ALL, DRIVERS)),
        ("again", lambda: reader.materialize_incremental(day(15))),
        ("one_feature", read(["driver_stats:rate"], DRIVERS[:1])),
        ("full_names", read(ALL, DRIVERS, full=True)),
        ("service", read(service("driver_service"), DRIVERS)),
        ("two_keys", read(ROUTE, ROUTES)),
        ("two_views", read([*ALL, *ROUTE], mixed)),
        ("mixed_service", read(service("mixed_service"), mixed)),
        ("defined_client", read(ALL, DRIVERS, store=writer)),
        ("push", lambda: writer.push("driver_push", rows((1001, 21, 77, 0.25, "Bergen"), (5000, 21.5, 1, 0.5, "Ålesund")))),
        ("pushed", read(ALL, [{"driver_id": 1001}, {"driver_id": 5000}, {"driver_id": 1002}])),
        ("write", lambda: writer.write_to_online_store("driver_stats", rows((1002, 22, 5, None, "Rīga")))),
        ("written", read(ALL, [{"driver_id": 1002}, {"driver_id": 5000}])),
        ("push_older", lambda: writer.push("driver_push", rows((1001, 2, 3, 0.125, "Roma")))),
        ("by_choice_older", read(ALL, [{"driver_id": 1001}])),
        ("types", read(KINDS, [{"driver_id": number} for number in (1001, 1002, 1003, 1004)])),
        ("write_types", lambda: writer.write_to_online_store("kind_stats", kinds())),
        ("written_types", read(KINDS, [{"driver_id": number} for number in (1001, 1002, 1003, 1004)])),
        ("unknown_view", read(["nothing:trips"], DRIVERS)),
        ("unknown_feature", read(["driver_stats:nothing"], DRIVERS)),
        ("unknown_service", read(service("nothing"), DRIVERS)),
        ("missing_key", read(ALL, [{"dest": "JFK"}])),
        ("wrong_key_type", read(ALL, [{"driver_id": "many"}])),
        ("unknown_view_materialize", lambda: reader.materialize(day(1), day(2), feature_views=["nothing"])),
    ]


def differences(step: str, ours: Any, theirs: Any) -> list[str]:
    """What a client would notice: values and statuses by name, and whether a request was refused."""
    if step.startswith("by_choice_"):
        return []
    refused = [isinstance(one, dict) and "error" in one for one in (ours, theirs)]
    if any(refused):
        # Feast's client knows its own exceptions again in a refusal; the other classes only tell how often it tried.
        known = any(one.get("error", "").endswith("NotFoundException") for one in (ours, theirs) if isinstance(one, dict))
        same = all(refused) and (not known or ours["error"] == theirs["error"])
        return [] if same else [f"{step}: {ours} instead of {theirs}"]
    if not isinstance(ours, dict) or not isinstance(theirs, dict):
        return [] if ours == theirs else [f"{step}: {ours} instead of {theirs}"]
    found = []
    if set(ours) != set(theirs):
        found.append(f"{step}: features {sorted(ours)} instead of {sorted(theirs)}")
    for name in sorted(set(ours) & set(theirs)):
        for part in ("values", "statuses"):
            pair = [alike(one[name])[part] for one in (ours, theirs)]
            if pair[0] != pair[1]:
                found.append(f"{step}: {part} of {name} are {pair[0]} instead of {pair[1]}")
    return found


def alike(vector: dict[str, Any]) -> dict[str, Any]:
    statuses = [
        "PRESENT" if value is None and status == "NULL_VALUE" else status
        for value, status in zip(vector["values"], vector["statuses"])]
    return {"values": vector["values"], "statuses": statuses}


def main() -> int:
    parser = argparse.ArgumentParser(description="Drives a feature server as the stock Feast SDK does.")
    parser.add_argument("url")
    parser.add_argument("--token", help="sent as a bearer token with every request")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--expect", type=Path)
    options = parser.parse_args()
    logging.disable(logging.ERROR)
    warnings.simplefilter("ignore")
    url = options.url.rstrip("/")
    if options.token:
        with_token(options.token)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="feast-remote.") as folder:
        for step, act in scenario(url, Path(folder)):
            try:
                found[step] = act()
            except Exception as error:
                found[step] = {"error": type(error).__name__, "message": str(error)[:1000]}
    text = json.dumps(found, indent=1, ensure_ascii=False)
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    else:
        print(text)
    if not options.expect:
        return 0
    expected = json.loads(options.expect.read_text(encoding="utf-8"))
    told = [line for step in expected for line in differences(step, found.get(step), expected[step])]
    print("\n".join(told) if told else f"{len(expected)} steps agree")
    return 1 if told else 0


def with_token(token: str) -> None:
    """Feast sends tokens of OIDC and Kubernetes only: every session of this process sends this one."""
    prepared = requests.Session.prepare_request

    def prepare(session: requests.Session, request: requests.Request) -> requests.PreparedRequest:
        request.headers = {**(request.headers or {}), "Authorization": f"Bearer {token}"}
        return prepared(session, request)

    requests.Session.prepare_request = prepare  # type: ignore[method-assign]


sys.exit(main())
