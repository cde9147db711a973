"""Makes the small Delta and Iceberg tables beside this file, with the deltalake and pyiceberg packages.

Prints the rows of every version as those packages read them: what the tests expect.
"""

import datetime
import os
import shutil

import pyarrow
from deltalake import DeltaTable, write_deltalake
from pyiceberg.catalog.memory import InMemoryCatalog
from pyiceberg.types import StringType

here = os.path.dirname(os.path.abspath(__file__))
# The metadata of Iceberg holds the place a table was written to.
warehouse = "/tmp/warehouse"
zone = datetime.timezone.utc


def rows(ids, year, **more):
    columns = {
        "id": pyarrow.array(ids, pyarrow.int64()),
        "at": pyarrow.array(
            [datetime.datetime(year, 1, 1, i, tzinfo=zone) for i in ids], pyarrow.timestamp("us", tz="UTC")
        ),
        "amount": pyarrow.array([i / 2 for i in ids], pyarrow.float64()),
        "year": pyarrow.array([year] * len(ids), pyarrow.int32()),
    }
    return pyarrow.table({**columns, **more})


def delta(path):
    shutil.rmtree(path, ignore_errors=True)
    note = pyarrow.array(["n"], pyarrow.string())
    write_deltalake(path, rows([1, 2], 2020), partition_by=["year"])
    write_deltalake(path, rows([3, 4], 2021), mode="append")
    DeltaTable(path).delete("id = 1")
    write_deltalake(path, rows([5], 2021, note=note), mode="append", schema_mode="merge")
    DeltaTable(path).create_checkpoint()
    write_deltalake(path, rows([6], 2022, note=note), mode="append")
    for version in range(5):
        table = DeltaTable(path, version=version).to_pyarrow_table()
        print("delta", version, [row["id"] for row in table.sort_by("id").to_pylist()])
    print([entry["timestamp"] for entry in DeltaTable(path).history()])


def iceberg(path):
    shutil.rmtree(warehouse, ignore_errors=True)
    catalog = InMemoryCatalog("catalog", warehouse=f"file://{warehouse}")
    catalog.create_namespace("shop")
    table = catalog.create_table("shop.orders", schema=rows([], 2020).schema)
    table.append(rows([1, 2], 2020))
    table.append(rows([3, 4], 2021))
    table.delete("id == 1")
    with table.update_schema() as update:
        update.rename_column("amount", "total")
        update.add_column("note", StringType())
    more = rows([5], 2021, note=pyarrow.array(["n"], pyarrow.string()))
    table.append(more.rename_columns(["id", "at", "total", "year", "note"]))
    for snapshot in table.metadata.snapshots:
        found = table.scan(snapshot_id=snapshot.snapshot_id).to_arrow().sort_by("id")
        print("iceberg", snapshot.snapshot_id, snapshot.timestamp_ms, found.column_names, found["id"].to_pylist())
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(f"{warehouse}/shop/orders", path)
    shutil.rmtree(warehouse)
    metadata = sorted(name for name in os.listdir(f"{path}/metadata") if name.endswith(".metadata.json"))
    for name in metadata[:-1]:
        os.remove(f"{path}/metadata/{name}")


delta(f"{here}/delta")
iceberg(f"{here}/iceberg")
