#!/usr/bin/env python3
"""Answers historical feature requests with the real Feast and its DuckDB offline store, many cases in one process.

usage: .deps/feast/bin/python feast_history.py FOLDER [--created true|false]

Each folder FOLDER/NAME that holds a `case.json` is one case. The answer is FOLDER/NAME/feast.parquet: the columns of the
entity rows and then the features, rows in the order of the entity rows; or FOLDER/NAME/feast.error.json with `class` and
`message` where Feast refused. One line of JSON on standard output tells how many cases ran and the seconds they took.

case.json:
    {"entities": "entities.parquet",            entity rows: keys, event time, any other columns
     "event_time": "event_timestamp",           their column of event time; this is the default
     "views": [{"name": "drv", "rows": "drv.parquet", "keys": ["driver_id"], "event_time": "event_timestamp",
                "created": "created",           or null: no created time
                "ttl_seconds": 3600.5,          or null: for ever
                "features": ["trips", "rate"]}],
     "use": [{"view": "drv", "as": "origin", "keys": {"driver_id": "origin_id"}, "features": ["rate"]}],
                                                optional; without it every view with all its features
     "full_feature_names": false,
     "filter_by_created_timestamp": false}      rows created after the entity row's time stay out

`--created` overrides `filter_by_created_timestamp` of every case. Feast loses feature columns whose names end in `_y`.
"""
import argparse
import json
import logging
import os
import sys
import tempfile
import time
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

os.environ["TZ"] = "UTC"
os.environ["FEAST_USAGE"] = "False"
time.tzset()

import ibis  # noqa: E402
import pandas  # noqa: E402
import pyarrow  # noqa: E402
import pyarrow.parquet  # noqa: E402
from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType  # noqa: E402
from feast import types  # noqa: E402

ROW = "row_of_the_case"
INTEGERS = {
    pyarrow.int8(): pandas.Int8Dtype(), pyarrow.int16(): pandas.Int16Dtype(), pyarrow.int32(): pandas.Int32Dtype(),
    pyarrow.int64(): pandas.Int64Dtype(), pyarrow.bool_(): pandas.BooleanDtype(),
}


def feast_type(arrow: pyarrow.DataType) -> Any:
    if pyarrow.types.is_boolean(arrow):
        return types.Bool
    if pyarrow.types.is_int64(arrow):
        return types.Int64
    if pyarrow.types.is_integer(arrow):
        return types.Int32
    if pyarrow.types.is_float64(arrow):
        return types.Float64
    if pyarrow.types.is_floating(arrow):
        return types.Float32
    if pyarrow.types.is_timestamp(arrow):
        return types.UnixTimestamp
    if pyarrow.types.is_binary(arrow) or pyarrow.types.is_large_binary(arrow):
        return types.Bytes
    return types.String


def key_type(arrow: pyarrow.DataType) -> ValueType:
    if pyarrow.types.is_boolean(arrow):
        return ValueType.BOOL
    if pyarrow.types.is_integer(arrow):
        return ValueType.INT64 if pyarrow.types.is_int64(arrow) else ValueType.INT32
    return ValueType.STRING


def define(folder: Path, case: dict[str, Any]) -> tuple[list[Any], FeatureService]:
    """Everything to apply, and the service that asks for the case's features."""
    entities: dict[str, Entity] = {}
    views: dict[str, FeatureView] = {}
    for view in case["views"]:
        rows = folder / view["rows"]
        columns = pyarrow.parquet.read_schema(rows)
        for key in view["keys"]:
            entities.setdefault(key, Entity(name=key, join_keys=[key], value_type=key_type(columns.field(key).type)))
        ttl = view.get("ttl_seconds")
        views[view["name"]] = FeatureView(
            name=view["name"], entities=[entities[key] for key in view["keys"]], online=False,
            ttl=timedelta(microseconds=round((ttl or 0) * 1_000_000)),
            schema=[Field(name=name, dtype=feast_type(columns.field(name).type)) for name in [*view["keys"], *view["features"]]],
            source=FileSource(
                name=f"rows_of_{view['name']}", path=str(rows.resolve()), timestamp_field=view.get("event_time", "event_timestamp"),
                created_timestamp_column=view.get("created") or ""),
        )
    projections: list[Any] = []
    for use in case.get("use") or [{"view": name} for name in views]:
        view = views[use["view"]]
        projection: Any = view[use["features"]] if use.get("features") else view
        if use.get("as"):
            projection = projection.with_name(use["as"])
        if use.get("keys"):
            projection = projection.with_join_key_map(use["keys"])
        projections.append(projection)
    service = FeatureService(name="case", features=projections)
    return [*entities.values(), *views.values(), service], service


def answer(folder: Path, case: dict[str, Any], registry: Path, created: bool | None) -> pyarrow.Table:
    store = FeatureStore(config=RepoConfig(
        project="cases", provider="local", registry=str(registry), offline_store={"type": "duckdb"},
        online_store={"type": "sqlite", "path": str(registry) + ".online"}, entity_key_serialization_version=3))
    objects, service = define(folder, case)
    store.apply(objects)
    event_time = case.get("event_time", "event_timestamp")
    given = pyarrow.parquet.read_table(folder / case["entities"])
    asked = given.rename_columns(["event_timestamp" if name == event_time else name for name in given.column_names])
    asked = asked.append_column(ROW, pyarrow.array(range(len(given)), pyarrow.int64()))
    job = store.get_historical_features(
        entity_df=asked.to_pandas(types_mapper=INTEGERS.get), features=service,
        full_feature_names=bool(case.get("full_feature_names", False)),
        filter_by_created_timestamp=bool(case.get("filter_by_created_timestamp", False)) if created is None else created)
    found = job.to_arrow().sort_by(ROW).drop_columns([ROW])
    return found.rename_columns([event_time if name == "event_timestamp" else name for name in found.column_names])


def main() -> None:
    parser = argparse.ArgumentParser(description="Historical features by the real Feast.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--created", choices=["true", "false"])
    options = parser.parse_args()
    created = None if options.created is None else options.created == "true"
    # Feast warns of each new registry, and sets filters of its own when it is imported.
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    # The answer must not depend on the machine's zone: DuckDB's session has one of its own.
    engine = ibis.duckdb.connect()
    engine.raw_sql("SET TimeZone = 'UTC'")
    ibis.set_backend(engine)
    cases = sorted(path.parent for path in options.folder.glob("*/case.json"))
    if not cases:
        sys.exit(f"feast_history: no */case.json in {options.folder}")
    refused = 0
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="feast-history.") as scratch:
        for number, folder in enumerate(cases):
            case = json.loads((folder / "case.json").read_text(encoding="utf-8"))
            try:
                table = answer(folder, case, Path(scratch) / f"{number}.db", created)
                pyarrow.parquet.write_table(table, folder / "feast.parquet")
            except Exception as error:
                refused += 1
                text = json.dumps({"class": type(error).__name__, "message": str(error)})
                (folder / "feast.error.json").write_text(text, encoding="utf-8")
    print(json.dumps({"cases": len(cases), "refused": refused, "seconds": round(time.monotonic() - start, 2)}))


main()
