#!/usr/bin/env python3
"""The history bench's question, asked of Feast with its DuckDB or its Dask offline store.

usage: feast_history.py STORE FOLDER; prints FIGURE and a JSON object: wall and processor seconds, peak megabytes.
"""
import json
import resource
import sys
import time
import warnings
from datetime import timedelta
from pathlib import Path

warnings.filterwarnings("ignore")

import pandas  # noqa: E402
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig  # noqa: E402
from feast.types import Float64  # noqa: E402
from feast.value_type import ValueType  # noqa: E402

store, folder = sys.argv[1], Path(sys.argv[2])
TTLS = {1: timedelta(days=1), 2: timedelta(days=7), 3: timedelta(0)}
feast = FeatureStore(config=RepoConfig(
    project="bench", provider="local", registry=str(folder / f"feast-{store}.db"),
    offline_store={"type": store}, online_store={"type": "sqlite", "path": str(folder / f"feast-{store}-online.db")},
    entity_key_serialization_version=3))
user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64)
views = [
    FeatureView(
        name=f"fv{view}", entities=[user], ttl=ttl,
        schema=[Field(name=f"v{view}_f{index}", dtype=Float64) for index in range(4)],
        source=FileSource(
            path=str(folder / "data" / f"fv{view}.parquet"), timestamp_field="event_timestamp",
            created_timestamp_column="created"))
    for view, ttl in TTLS.items()
]
feast.apply([user, *views])
entities = pandas.read_parquet(folder / "entity.parquet")
entities["event_timestamp"] = entities["event_timestamp"].dt.tz_localize("UTC")
before = resource.getrusage(resource.RUSAGE_SELF)
start = time.monotonic()
result = feast.get_historical_features(
    entity_df=entities, features=[f"fv{view}:v{view}_f{index}" for view in TTLS for index in range(4)]).to_arrow()
wall = time.monotonic() - start
after = resource.getrusage(resource.RUSAGE_SELF)
print("FIGURE " + json.dumps({
    "what": store, "wall": wall,
    "processor": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
    "peakMegabytes": after.ru_maxrss / 1024, "check": str(result.num_rows)}))
