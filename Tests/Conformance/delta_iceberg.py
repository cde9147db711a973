#!/usr/bin/env python3
"""Writes a Delta and an Iceberg table with several versions, and what each version holds.

usage: .deps/data-peers/bin/python delta_iceberg.py FOLDER [--seed 1] [--rows 100]

The versions of both: rows; rows appended; rows with `id` divisible by 7 deleted; a column `note` added and more rows appended;
and of Delta one more, a checkpoint followed by an append. FOLDER gets `delta/` (the table), `iceberg/` (an SQLite catalogue
`catalog.db`, the warehouse and the table `default.events`), and `expected/{delta,iceberg}-N.parquet`, ordered by id. Columns: id
int64, at timestamp (us, UTC), value double (with nulls), city text (with nulls), day text (Delta is partitioned by it). Prints
JSON: `delta` and `iceberg` with `table`, and for each version `version` (Iceberg: snapshot id), `time_ms`, `rows`, `columns`,
`expected`; for Iceberg also `metadata`, the newest metadata file.
"""
import argparse
import json
import random
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import deltalake
import pyarrow
import pyarrow.parquet
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.types import StringType

INSTANT = pyarrow.timestamp("us", tz="UTC")
CITIES = ["Oslo", "Kyōto", None]


def rows(first: int, count: int, chance: random.Random, note: bool = False) -> pyarrow.Table:
    start = datetime(2026, 1, 1, tzinfo=timezone.utc)
    moments = [start + timedelta(minutes=37 * number, microseconds=number) for number in range(first, first + count)]
    columns = {
        "id": pyarrow.array(range(first, first + count), pyarrow.int64()),
        "at": pyarrow.array(moments, INSTANT),
        "value": pyarrow.array([None if chance.random() < 0.2 else chance.gauss(0, 1) for _ in moments], pyarrow.float64()),
        "city": pyarrow.array([chance.choice(CITIES) for _ in moments], pyarrow.string()),
        "day": pyarrow.array([at.date().isoformat() for at in moments], pyarrow.string()),
    }
    if note:
        columns["note"] = pyarrow.array([f"n{number}" for number in range(first, first + count)], pyarrow.string())
    return pyarrow.table(columns)


def keep(folder: Path, kind: str, place: int, held: pyarrow.Table, version: int, time_ms: int) -> dict[str, Any]:
    path = folder / "expected" / f"{kind}-{place}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(held.sort_by("id"), path)
    return {"version": version, "time_ms": time_ms, "rows": len(held), "columns": held.column_names, "expected": str(path)}


def apart() -> None:
    """Times of versions are whole milliseconds: two versions never share one."""
    time.sleep(0.005)


def write_delta(folder: Path, seed: int, count: int) -> dict[str, Any]:
    chance = random.Random(seed)
    path = str(folder / "delta")
    deltalake.write_deltalake(path, rows(0, count, chance), partition_by=["day"])
    apart()
    deltalake.write_deltalake(path, rows(count, count, chance), mode="append")
    apart()
    deltalake.DeltaTable(path).delete("id % 7 = 0")
    apart()
    deltalake.write_deltalake(path, rows(2 * count, count, chance, note=True), mode="append", schema_mode="merge")
    apart()
    deltalake.DeltaTable(path).create_checkpoint()
    deltalake.write_deltalake(path, rows(3 * count, count, chance, note=True), mode="append")
    times = {entry["version"]: entry["timestamp"] for entry in deltalake.DeltaTable(path).history()}
    versions = [
        keep(folder, "delta", version, deltalake.DeltaTable(path, version=version).to_pyarrow_table(), version, times[version])
        for version in range(deltalake.DeltaTable(path).version() + 1)]
    return {"table": path, "versions": versions}


def write_iceberg(folder: Path, seed: int, count: int) -> dict[str, Any]:
    chance = random.Random(seed)
    home = folder / "iceberg"
    home.mkdir(parents=True, exist_ok=True)
    catalog = SqlCatalog("local", uri=f"sqlite:///{home}/catalog.db", warehouse=f"file://{home}/warehouse")
    catalog.create_namespace("default")
    first = rows(0, count, chance)
    table = catalog.create_table("default.events", schema=first.schema)
    table.append(first)
    apart()
    table.append(rows(count, count, chance))
    apart()
    sevenths = [number for number in range(2 * count) if number % 7 == 0]
    table.delete(f"id IN ({', '.join(map(str, sevenths))})")
    apart()
    with table.update_schema() as update:
        update.add_column("note", StringType())
    table.append(rows(2 * count, count, chance, note=True))
    versions = [
        keep(folder, "iceberg", place, table.scan(snapshot_id=snapshot.snapshot_id).to_arrow(), snapshot.snapshot_id,
             snapshot.timestamp_ms)
        for place, snapshot in enumerate(table.snapshots())]
    return {"table": table.location().removeprefix("file://"), "versions": versions,
            "metadata": table.metadata_location.removeprefix("file://")}


def main() -> int:
    parser = argparse.ArgumentParser(description="Writes Delta and Iceberg tables with several versions.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rows", type=int, default=100)
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    print(json.dumps({
        "delta": write_delta(folder, options.seed, options.rows),
        "iceberg": write_iceberg(folder, options.seed, options.rows)}, indent=1))
    return 0


sys.exit(main())
