"""A small Feast repository with seeded data, which the reference server serves and the remote client knows.

Views: `kind_stats` by `driver_id` (a feature of each type beside), `driver_stats` by `driver_id` (trips int64, rate double, city text; null here and there; fed by `driver_push` too)
and `route_stats` by `origin` and `dest` (minutes double, flights int64). Services: `driver_service` with all of
driver_stats, `mixed_service` with one feature of each. No ttl. Events fall between DAY 1 and DAY 20, one each 6 hours.
"""
import random
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
from feast import Entity, FeatureService, FeatureView, Field, FileSource, PushSource, ValueType
from feast.types import Array, Bool, Float32, Float64, Int32, Int64, String, UnixTimestamp

DRIVERS = range(1001, 1021)
PLACES = ["EWR", "JFK", "LGA"]


def day(number: float) -> datetime:
    """Midnight of a day of January 2026, UTC."""
    return datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(days=number - 1)


def write_data(folder: Path, seed: int) -> None:
    """Writes driver_stats.parquet and route_stats.parquet; equal seeds give equal files."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(seed)
    moments = [day(1) + timedelta(hours=6 * step) for step in range(76)]
    instant = pyarrow.timestamp("us", tz="UTC")
    # The last of the drivers starts late: an early read finds nothing of it.
    rows = [(driver, at) for at in moments for driver in DRIVERS if driver != DRIVERS[-1] or at >= day(12)]
    pyarrow.parquet.write_table(pyarrow.table({
        "driver_id": pyarrow.array([driver for driver, _ in rows], pyarrow.int64()),
        "event_timestamp": pyarrow.array([at for _, at in rows], instant),
        "created": pyarrow.array([at + timedelta(minutes=chance.randrange(60)) for _, at in rows], instant),
        "trips": pyarrow.array([None if chance.random() < 0.1 else chance.randrange(1000) for _ in rows], pyarrow.int64()),
        "rate": pyarrow.array([None if chance.random() < 0.1 else chance.random() for _ in rows], pyarrow.float64()),
        "city": pyarrow.array([None if chance.random() < 0.1 else chance.choice(["Oslo", "Kyōto", "São Paulo"]) for _ in rows]),
    }), folder / "driver_stats.parquet")
    legs = [(origin, dest, at) for at in moments for origin in PLACES for dest in PLACES if origin != dest]
    pyarrow.parquet.write_table(pyarrow.table({
        "origin": [origin for origin, _, _ in legs],
        "dest": [dest for _, dest, _ in legs],
        "event_timestamp": pyarrow.array([at for _, _, at in legs], instant),
        "created": pyarrow.array([at for _, _, at in legs], instant),
        "minutes": pyarrow.array([chance.uniform(20, 90) for _ in legs], pyarrow.float64()),
        "flights": pyarrow.array([chance.randrange(100) for _ in legs], pyarrow.int64()),
    }), folder / "route_stats.parquet")
    # No moment is null: Feast makes the least of all integers of one.
    kinds = [
        (1001, True, 0.1, 7, day(1.5), -0.5, 1e-7, "é"), (1002, False, None, None, day(1), 1.5, 2.0, "x"),
        (1003, None, 1.5, -3, datetime(1961, 4, 12, 6, 7, tzinfo=timezone.utc), 1e300, 3.0, "")]
    columns = list(zip(*kinds))
    pyarrow.parquet.write_table(pyarrow.table({
        "driver_id": pyarrow.array(columns[0], pyarrow.int64()),
        "event_timestamp": pyarrow.array([day(2)] * 3, instant),
        "created": pyarrow.array([day(2)] * 3, instant),
        "flag": pyarrow.array(columns[1], pyarrow.bool_()),
        "score": pyarrow.array(columns[2], pyarrow.float32()),
        "small": pyarrow.array(columns[3], pyarrow.int32()),
        "seen": pyarrow.array(columns[4], instant),
        "first": pyarrow.array(columns[5], pyarrow.float64()),
        "second": pyarrow.array(columns[6], pyarrow.float64()),
        "word": pyarrow.array(columns[7]),
        "both": pyarrow.array([list(pair) for pair in zip(columns[5], columns[6])], pyarrow.list_(pyarrow.float64())),
        "words": pyarrow.array([[word, word] for word in columns[7]], pyarrow.list_(pyarrow.string())),
    }), folder / "kind_stats.parquet")


def definitions(data: Path) -> list[Any]:
    """What to apply to a repository whose data lie in `data`."""
    driver = Entity(name="driver", join_keys=["driver_id"], value_type=ValueType.INT64)
    origin = Entity(name="origin", join_keys=["origin"], value_type=ValueType.STRING)
    dest = Entity(name="dest", join_keys=["dest"], value_type=ValueType.STRING)
    pushed = PushSource(name="driver_push", batch_source=source(data, "driver_stats"))
    drivers = FeatureView(
        name="driver_stats", entities=[driver], ttl=timedelta(0), source=pushed,
        schema=[Field(name="driver_id", dtype=Int64), Field(name="trips", dtype=Int64), Field(name="rate", dtype=Float64),
                Field(name="city", dtype=String)])
    routes = FeatureView(
        name="route_stats", entities=[origin, dest], ttl=timedelta(0), source=source(data, "route_stats"),
        schema=[Field(name="origin", dtype=String), Field(name="dest", dtype=String), Field(name="minutes", dtype=Float64),
                Field(name="flights", dtype=Int64)])
    kinds = FeatureView(
        name="kind_stats", entities=[driver], ttl=timedelta(0), source=source(data, "kind_stats"),
        schema=[Field(name="driver_id", dtype=Int64), Field(name="flag", dtype=Bool), Field(name="score", dtype=Float32),
                Field(name="small", dtype=Int32), Field(name="seen", dtype=UnixTimestamp),
                Field(name="both", dtype=Array(Float64)), Field(name="words", dtype=Array(String))])
    return [
        driver, origin, dest, drivers, routes, kinds,
        FeatureService(name="driver_service", features=[drivers]),
        FeatureService(name="mixed_service", features=[drivers[["rate"]], routes[["flights"]]]),
    ]


def source(data: Path, name: str) -> FileSource:
    return FileSource(
        name=f"{name}_rows", path=str((data / f"{name}.parquet").resolve()), timestamp_field="event_timestamp",
        created_timestamp_column="created")
