"""Fills MLflow's own SQLite store with the runs of the search bench, through the tables of its store, in bulk.

usage: mlflow_fill.py DATABASE ARTIFACTS RUNS POINTS

Makes experiment 1 with RUNS runs of 10 metrics, 10 params and 5 tags each, counted out as Benchmarks/tracking does it; the
first run, whose id is all zeros, gets a history of POINTS points of the metric `loss`.
"""
import math
import sys

from mlflow.store.tracking.dbmodels.models import SqlLatestMetric, SqlMetric, SqlParam, SqlRun, SqlTag
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

database, artifacts, runs, points = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
store = SqlAlchemyStore(f"sqlite:///{database}", artifacts)
experiment = int(store.create_experiment("search"))


def run_id(number):
    return f"{number - 1:032x}"


def metrics(number):
    time = 1_760_000_000_000 + number
    return [dict(key=f"m{index}", value=number * (2 * index + 3) * 7919 % 10007 / 10007, timestamp=time, step=0,
                 is_nan=False, run_uuid=run_id(number)) for index in range(10)]


with store.ManagedSessionMaker() as session:
    for start in range(1, runs + 1, 1000):
        numbers = range(start, min(start + 1000, runs + 1))
        session.bulk_insert_mappings(SqlRun, [dict(
            run_uuid=run_id(number), name=f"run {number}", source_type="UNKNOWN", source_name="", entry_point_name="",
            user_id="mina", status="RUNNING", start_time=1_760_000_000_000 + number, source_version="",
            lifecycle_stage="active", artifact_uri=f"{artifacts}/{run_id(number)}", experiment_id=experiment)
            for number in numbers])
        every = [metric for number in numbers for metric in metrics(number)]
        session.bulk_insert_mappings(SqlMetric, every)
        session.bulk_insert_mappings(SqlLatestMetric, every)
        session.bulk_insert_mappings(SqlParam, [
            dict(key=f"p{index}", value=str((number + index) % 20), run_uuid=run_id(number))
            for number in numbers for index in range(10)])
        session.bulk_insert_mappings(SqlTag, [
            dict(key=key, value=value, run_uuid=run_id(number))
            for number in numbers
            for key, value in [(f"t{index}", f"v{number * index % 7}") for index in range(5)]
            + [("mlflow.runName", f"run {number}")]])
    if points:
        session.bulk_insert_mappings(SqlMetric, [
            dict(key="loss", value=math.sin(number / 1000), timestamp=1_760_000_000_000 + number, step=number,
                 is_nan=False, run_uuid=run_id(1)) for number in range(points)])
