"""Makes a store of MLflow with the stock client's own classes, and compares a store with a server through the stock client.

usage: mlflow_store.py make DIRECTORY sqlite|folder RUNS
       mlflow_store.py compare DIRECTORY sqlite|folder URL
"""
import hashlib
import math
import os
import random
import sys

os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
import warnings

warnings.filterwarnings("ignore")
import logging

logging.getLogger("alembic").setLevel(logging.ERROR)
logging.getLogger("mlflow").setLevel(logging.ERROR)
import mlflow
from mlflow import MlflowClient
from mlflow.entities import (
    Dataset, DatasetInput, InputTag, LoggedModelInput, LoggedModelOutput, Metric, Param, RunTag, ViewType,
)


def uri(directory, kind):
    return f"sqlite:///{directory}/mlflow.db" if kind == "sqlite" else f"file://{directory}/mlruns"


def make(directory, kind, count):
    chance = random.Random(11)
    mlflow.set_tracking_uri(uri(directory, kind))
    mlflow.set_registry_uri(uri(directory, kind))
    client = MlflowClient(tracking_uri=uri(directory, kind), registry_uri=uri(directory, kind))
    root = f"{directory}/artifacts"
    first = client.create_experiment("churn", artifact_location=f"file://{root}/churn", tags={"team": "growth"})
    gone = client.create_experiment("gone", artifact_location=f"{root}/gone", tags={})
    far = client.create_experiment("far", artifact_location="s3://bucket/far")
    versions = 0
    client.create_registered_model("classifier", tags={"owner": "ann"}, description="says who leaves")
    for number in range(count):
        home = far if number % 50 == 7 else gone if number % 25 == 3 else first
        run = client.create_run(
            home, start_time=1_700_000_000_000 + number, run_name=f"run {number}" if number % 3 else None,
            tags={"mlflow.user": "ann", "note": "two\nlines, \"quoted\" ü" if number % 2 else ""})
        id = run.info.run_id
        metrics = [
            Metric("loss", chance.gauss(1, 1) / (step + 1), 1_700_000_000_000 + step * 1000, step)
            for step in range(chance.randrange(1, 30))
        ]
        metrics += [
            Metric("val/auc", value, 1_700_000_000_500 + number, number)
            for value in (chance.random(), float("nan"), float("inf"), float("-inf"), -0.0, 5e-324, 1 / 3)
        ]
        client.log_batch(
            id, metrics=metrics,
            params=[Param("depth", str(chance.randrange(10))), Param("a/b c.d-e", "x" * chance.randrange(0, 400))],
            tags=[RunTag("mlflow.source.git.commit", hashlib.sha1(str(number).encode()).hexdigest())])
        if number % 4 == 0:
            data = Dataset("customers", f"d{number % 8}", "local", '{"uri": "x.csv"}', schema='{"c": "long"}')
            client.log_inputs(id, [DatasetInput(data, [InputTag("mlflow.data.context", "train")])])
        if home == first and number % 5 == 0:
            folder = f"{root}/churn/{id}/artifacts/plots"
            os.makedirs(folder)
            for name in ("a b.txt", "ü.bin"):
                with open(f"{folder}/{name}", "wb") as file:
                    file.write(chance.randbytes(chance.randrange(2000)))
        if home == first and number % 20 == 0:
            model = client.create_logged_model(
                first, name=f"model-{number}", source_run_id=id, params={"depth": "3"}, tags={"kind": "tree"})
            folder = model.artifact_location.removeprefix("file://")
            os.makedirs(folder)
            with open(f"{folder}/MLmodel", "w") as file:
                file.write(f"flavors: {{}}\nmodel: {number}\n")
            client.log_metric(id, "auc", 0.5 + number / 10_000, model_id=model.model_id, dataset_name="customers",
                              dataset_digest="d0")
            client.finalize_logged_model(model.model_id, "READY")
            client.log_outputs(id, [LoggedModelOutput(model.model_id, 2)])
            if number:
                client.log_inputs(id, models=[LoggedModelInput(model.model_id)])
            client.create_model_version(
                "classifier", f"models:/{model.model_id}", run_id=id, tags={"number": str(number)},
                description=f"of run {number}", model_id=model.model_id)
            versions += 1
        client.set_terminated(id, ["FINISHED", "FAILED", "KILLED"][number % 3], 1_700_000_100_000 + number)
        if number % 10 == 9:
            client.delete_run(id)
    if versions > 1:
        client.transition_model_version_stage("classifier", "1", "Archived")
        client.transition_model_version_stage("classifier", "2", "Production")
        client.set_registered_model_alias("classifier", "champion", "2")
    if versions > 3:
        client.delete_model_version("classifier", str(versions))
    client.create_registered_model("empty")
    client.delete_experiment(gone)


def compare(directory, kind, url):
    there = MlflowClient(tracking_uri=uri(directory, kind), registry_uri=uri(directory, kind))
    here = MlflowClient(tracking_uri=url, registry_uri=url)
    mlflow.set_tracking_uri(url)
    mlflow.set_registry_uri(url)
    checks = 0

    def equal(what, one, other):
        nonlocal checks
        checks += 1
        if one != other:
            sys.exit(f"{what}: there {one!r}, here {other!r}")

    def finite(value):
        # As MLflow's databases keep it: no infinities, and one zero.
        return "NaN" if math.isnan(value) else max(min(value, sys.float_info.max), -sys.float_info.max) + 0.0

    def points(history):
        return sorted((p.timestamp, p.step, str(finite(p.value))) for p in history)

    def aliases(one):
        return {alias: int(version) for alias, version in one.aliases.items()}

    def runs(client, id):
        found, token = [], None
        while True:
            page = client.search_runs([id], run_view_type=ViewType.ALL, max_results=500, page_token=token)
            found += page
            token = page.token
            if not token:
                return {run.info.run_id: run for run in found}

    for experiment in there.search_experiments(view_type=ViewType.ALL):
        other = here.get_experiment_by_name(experiment.name)
        equal("experiment", (experiment.lifecycle_stage, experiment.tags, experiment.creation_time,
                             experiment.last_update_time),
              (other.lifecycle_stage, other.tags, other.creation_time, other.last_update_time))
        before, after = runs(there, experiment.experiment_id), runs(here, other.experiment_id)
        equal(f"runs of {experiment.name}", sorted(before), sorted(after))
        for id, run in before.items():
            twin = after[id]
            for name in ("run_name", "status", "start_time", "end_time", "lifecycle_stage", "user_id"):
                equal(f"{id} {name}", getattr(run.info, name) or "", getattr(twin.info, name) or "")
            equal(f"{id} params", run.data.params, twin.data.params)
            equal(f"{id} tags", run.data.tags, twin.data.tags)
            equal(f"{id} metric keys", sorted(run.data.metrics), sorted(twin.data.metrics))
            if run.info.lifecycle_stage == "active":
                for key in run.data.metrics:
                    equal(f"{id} {key}", points(there.get_metric_history(id, key)),
                          points(here.get_metric_history(id, key)))

            def datasets(one):
                return sorted((d.dataset.name, d.dataset.digest, d.dataset.source, d.dataset.schema,
                               sorted((t.key, t.value) for t in d.tags)) for d in one.inputs.dataset_inputs)

            equal(f"{id} datasets", datasets(run), datasets(twin))
            equal(f"{id} outputs", [(m.model_id, m.step) for m in (run.outputs.model_outputs if run.outputs else [])],
                  [(m.model_id, m.step) for m in (twin.outputs.model_outputs if twin.outputs else [])])
            place = run.info.artifact_uri.removeprefix("file://")
            if place.startswith("s3:"):
                equal(f"{id} location", run.info.artifact_uri, twin.info.artifact_uri)
            elif os.path.isdir(place):
                copy = here.download_artifacts(id, "", dst_path=f"{directory}/{id}")
                equal(f"{id} artifacts", digests(place), digests(copy))
        for model in there.search_logged_models([experiment.experiment_id]):
            twin = here.get_logged_model(model.model_id)
            equal(model.model_id, (model.name, model.status, model.params, model.tags, model.source_run_id,
                                   model.creation_timestamp, model.last_updated_timestamp),
                  (twin.name, twin.status, twin.params, twin.tags, twin.source_run_id, twin.creation_timestamp,
                   twin.last_updated_timestamp))
            equal(f"{model.model_id} metrics",
                  [(m.key, m.value, m.timestamp, m.step, m.run_id, m.dataset_name) for m in model.metrics or []],
                  [(m.key, m.value, m.timestamp, m.step, m.run_id, m.dataset_name) for m in twin.metrics or []])
    for model in there.search_registered_models():
        twin = here.get_registered_model(model.name)
        model = there.get_registered_model(model.name)
        equal(model.name, (model.description or "", model.tags, aliases(model), model.creation_timestamp,
                           model.last_updated_timestamp),
              (twin.description or "", twin.tags, aliases(twin), twin.creation_timestamp, twin.last_updated_timestamp))

        def versions(client):
            return sorted((int(v.version), v.current_stage, v.run_id, v.description, sorted(v.tags.items()),
                           v.creation_timestamp) for v in client.search_model_versions(f"name='{model.name}'"))

        equal(f"versions of {model.name}", versions(there), versions(here))
        for version in there.search_model_versions(f"name='{model.name}'"):
            folder = there.get_model_version_download_uri(model.name, version.version).removeprefix("file://")
            copy = mlflow.artifacts.download_artifacts(
                f"models:/{model.name}/{version.version}", dst_path=f"{directory}/v{version.version}")
            found = {path: digest for path, digest in digests(copy).items() if path != "registered_model_meta"}
            equal(f"files of {model.name}/{version.version}", digests(folder), found)
    print(f"{checks} comparisons, all equal")


def digests(folder):
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, folder)] = hashlib.sha256(file.read()).hexdigest()
    return found


if sys.argv[1] == "make":
    make(sys.argv[2], sys.argv[3], int(sys.argv[4]))
else:
    compare(sys.argv[2], sys.argv[3], sys.argv[4])
