"""What MLflow's stock client does with experiments, runs, artifacts and the registry, against the server at URL.

usage: mlflow_tracking.py URL   (prints what differs from MLflow's rules, and exits 1 where anything does)
"""
import math
import os
import tempfile

from mlflow_checks import SALT, check, checks, client, play, refused

import mlflow
from mlflow.entities import (Dataset, DatasetInput, InputTag, Metric, Param, RunTag, ViewType)


def experiments():
    name = f"first {SALT}"
    one = client.create_experiment(name, tags={"team": "red"})
    found = client.get_experiment(one)
    check("name", found.name, name)
    check("tags", found.tags, {"team": "red"})
    check("stage", found.lifecycle_stage, "active")
    check("by name", client.get_experiment_by_name(name).experiment_id, one)
    check("no such name", client.get_experiment_by_name(name + "?"), None)
    check("default", client.get_experiment("0").name, "Default")
    refused("a name twice", "RESOURCE_ALREADY_EXISTS", client.create_experiment, name, text="already exists")
    refused("an id that is none", "INVALID_PARAMETER_VALUE", client.get_experiment, "x")
    refused("an unknown id", "RESOURCE_DOES_NOT_EXIST", client.get_experiment, "99999999")
    client.set_experiment_tag(one, "team", "blue")
    client.set_experiment_tag(one, "empty", "")
    check("changed tags", client.get_experiment(one).tags, {"team": "blue", "empty": ""})
    client.delete_experiment_tag(one, "empty")
    refused("a tag twice removed", "RESOURCE_DOES_NOT_EXIST", client.delete_experiment_tag, one, "empty")
    client.rename_experiment(one, name + " again")
    check("new name", client.get_experiment(one).name, name + " again")
    run = client.create_run(one).info.run_id
    client.delete_experiment(one)
    check("deleted", client.get_experiment(one).lifecycle_stage, "deleted")
    check("deleted run", client.get_run(run).info.lifecycle_stage, "deleted")
    refused("deleted twice", "RESOURCE_DOES_NOT_EXIST", client.delete_experiment, one)
    refused("a tag of a deleted one", "INVALID_PARAMETER_VALUE", client.set_experiment_tag, one, "a", "b")
    refused("a run of a deleted one", "INVALID_PARAMETER_VALUE", client.create_run, one)
    client.restore_experiment(one)
    check("restored run", client.get_run(run).info.lifecycle_stage, "active")
    for index in range(5):
        client.create_experiment(f"page {index} {SALT}", tags={"set": SALT, "index": str(index)})
    filter = f"tags.set = '{SALT}'"
    page = client.search_experiments(filter_string=filter, max_results=2, order_by=["name ASC"])
    seen = [e.name for e in page]
    while page.token:
        page = client.search_experiments(
            filter_string=filter, max_results=2, order_by=["name ASC"], page_token=page.token)
        seen += [e.name for e in page]
    check("pages", seen, [f"page {i} {SALT}" for i in range(5)])
    found = client.search_experiments(filter_string=f"name LIKE 'page%{SALT}' AND tags.index = '3'")
    check("LIKE", [e.name for e in found], [f"page 3 {SALT}"])
    check("case", len(client.search_experiments(filter_string=f"name LIKE 'PAGE%{SALT}'")), 0)
    check("ILIKE", len(client.search_experiments(filter_string=f"name ILIKE 'PAGE%{SALT}'")), 5)
    check("newest first", client.search_experiments(max_results=1)[0].name, f"page 4 {SALT}")
    refused("max_results 0", "INVALID_PARAMETER_VALUE", client.search_experiments, max_results=0)
    refused("OR", "INVALID_PARAMETER_VALUE", client.search_experiments, filter_string="name = 'a' OR name = 'b'")


def runs():
    group = client.create_experiment(f"runs {SALT}")
    run = client.create_run(group, start_time=1234, tags={"a": "b"}, run_name="one")
    id = run.info.run_id
    check("start", run.info.start_time, 1234)
    check("status", run.info.status, "RUNNING")
    check("end", run.info.end_time, None)
    check("name", run.info.run_name, "one")
    check("tags", run.data.tags, {"a": "b", "mlflow.runName": "one"})
    check("length of the id", len(id), 32)
    check("uri", run.info.artifact_uri.endswith(f"/{id}/artifacts"), True)
    check("made up name", client.create_run(group).info.run_name.count("-"), 2)
    client.update_run(id, status="FAILED", name="two")
    check("renamed", client.get_run(id).data.tags["mlflow.runName"], "two")
    check("no end yet", client.get_run(id).info.end_time, None)
    client.set_tag(id, "mlflow.runName", "three")
    check("renamed by tag", client.get_run(id).info.run_name, "three")
    client.set_terminated(id, "FINISHED", 5678)
    check("ended", (client.get_run(id).info.status, client.get_run(id).info.end_time), ("FINISHED", 5678))
    client.delete_run(id)
    client.delete_run(id)
    check("deleted", client.get_run(id).info.lifecycle_stage, "deleted")
    refused("a metric of a deleted run", "INVALID_PARAMETER_VALUE", client.log_metric, id, "m", 1,
            text="must be in the 'active' state")
    client.restore_run(id)
    client.restore_run(id)
    refused("an unknown run", "RESOURCE_DOES_NOT_EXIST", client.get_run, "0" * 32, text="not found")
    refused("an unknown experiment", "RESOURCE_DOES_NOT_EXIST", client.create_run, "99999999")


def records():
    group = client.create_experiment(f"records {SALT}")
    id = client.create_run(group).info.run_id
    client.log_param(id, "lr", 0.001)
    client.log_param(id, "lr", 0.001)
    refused("another value", "INVALID_PARAMETER_VALUE", client.log_param, id, "lr", 0.002,
            text="Changing param values is not allowed")
    client.log_param(id, "empty", "")
    client.log_param(id, "long", "x" * 6000)
    client.log_param(id, "naïve/key: 1", "ü")
    check("params", {k: v for k, v in client.get_run(id).data.params.items() if k != "long"},
          {"lr": "0.001", "empty": "", "naïve/key: 1": "ü"})
    check("a long value", len(client.get_run(id).data.params["long"]), 6000)
    client.set_tag(id, "t", "1")
    client.set_tag(id, "t", "2")
    check("tag", client.get_run(id).data.tags["t"], "2")
    client.delete_tag(id, "t")
    refused("a tag twice removed", "RESOURCE_DOES_NOT_EXIST", client.delete_tag, id, "t", text="No tag with name")
    for key in ["a//b", "./a", "../a", "/a", "a/", "a;b", "x" * 251]:
        refused(f"the name {key[:8]}", "INVALID_PARAMETER_VALUE", client.log_metric, id, key, 1)
        refused(f"the name {key[:8]}", "INVALID_PARAMETER_VALUE", client.log_param, id, key, 1)
        refused(f"the name {key[:8]}", "INVALID_PARAMETER_VALUE", client.set_tag, id, key, 1)
    for step, stamp, value in [(1, 10, 0.5), (3, 5, 0.25), (2, 99, 0.75), (3, 5, 0.125), (-1, 1, 9.0)]:
        client.log_metric(id, "loss", value, timestamp=stamp, step=step)
    client.log_metric(id, "loss", 0.75, timestamp=99, step=2)
    check("latest", client.get_run(id).data.metrics["loss"], 0.25)
    check("history", [(m.step, m.timestamp, m.value) for m in client.get_metric_history(id, "loss")],
          [(-1, 1, 9.0), (3, 5, 0.125), (3, 5, 0.25), (1, 10, 0.5), (2, 99, 0.75)])
    check("no such metric", client.get_metric_history(id, "none"), [])
    for index, value in enumerate([math.nan, math.inf, -math.inf]):
        client.log_metric(id, f"odd{index}", value)
    odd = client.get_run(id).data.metrics
    check("NaN", math.isnan(odd["odd0"]), True)
    check("infinities", (odd["odd1"], odd["odd2"]), (1.7976931348623157e308, -1.7976931348623157e308))
    for value in [5e-324, 0.1, -2.5e-7, 1e300, 123456789.123456789, 3]:
        client.log_metric(id, "exact", value, step=checks())
        check("exact", client.get_run(id).data.metrics["exact"], float(value))
    many = [Metric(f"m{i}", i / 7, 1000 + i, i) for i in range(880)]
    client.log_batch(id, many, [Param(f"p{i}", str(i)) for i in range(60)], [RunTag(f"t{i}", str(i)) for i in range(60)])
    data = client.get_run(id).data
    check("batch", (data.metrics["m879"], data.params["p59"], data.tags["t59"]), (879 / 7, "59", "59"))
    client.log_batch(id, [Metric("curve", i * 0.5, i, i) for i in range(1000)])
    check("curve", [m.value for m in client.get_metric_history(id, "curve")], [i * 0.5 for i in range(1000)])
    refused("a changed param in a batch", "INVALID_PARAMETER_VALUE", client.log_batch, id, [Metric("never", 1, 1, 1)],
            [Param("p1", "other")])
    check("nothing of it", "never" in client.get_run(id).data.metrics, False)
    client.log_batch(id, tags=[RunTag("twice", "1"), RunTag("twice", "2")])
    check("the last tag", client.get_run(id).data.tags["twice"], "2")
    data = Dataset("rows", "abc", "local", "{}", schema="s", profile="p")
    client.log_inputs(id, [DatasetInput(data, [InputTag("mlflow.data.context", "training")])])
    client.log_inputs(id, [DatasetInput(data, [InputTag("mlflow.data.context", "training")])])
    inputs = client.get_run(id).inputs.dataset_inputs
    check("datasets", [(d.dataset.name, d.dataset.digest, d.tags[0].value) for d in inputs],
          [("rows", "abc", "training")])


def search():
    group = client.create_experiment(f"search {SALT}")
    ids = []
    for index in range(20):
        run = client.create_run(group, start_time=1000 + index, run_name=f"run {index}")
        client.log_batch(run.info.run_id, [Metric("acc", index / 20, 1, 0)] + ([Metric("odd", 1, 1, 0)] if index % 2 else []),
                         [Param("lr", str(index % 4)), Param("model", "Tree" if index < 10 else "linear")],
                         [RunTag("index", str(index)), RunTag("a.b c", "x")] + ([RunTag("third", "1")] if index % 3 == 0 else []))
        ids.append(run.info.run_id)
    client.log_metric(ids[0], "strange", math.nan)
    client.log_metric(ids[1], "strange", 2.0)
    client.log_metric(ids[2], "strange", 1.0)
    client.set_terminated(ids[5], "FAILED", 7000)
    client.log_inputs(ids[7], [DatasetInput(Dataset("seven", "d7", "local", "{}"), [InputTag("mlflow.data.context", "eval")])])

    def find(filter="", order=None, **named):
        return [ids.index(r.info.run_id) for r in client.search_runs([group], filter, order_by=order, **named)]

    def both(what, filter, wanted, order=("start_time ASC",)):
        check(f"{what}: {filter}", find(filter, list(order)), wanted)

    check("newest first", find(max_results=3), [19, 18, 17])
    both("metric", "metrics.acc > 0.9", [19])
    both("metric", "metrics.acc >= 0.9", [18, 19])
    both("metric", "metric.acc < .1 and metrics.acc != 0", [1])
    both("metric", "metrics.`acc` = 0.5", [10])
    both("metric", 'metrics."acc" <= 5e-2', [0, 1])
    both("NaN differs", "metrics.strange != 1", [0, 1])
    both("NaN is no match", "metrics.strange > -1", [1, 2])
    both("param", "params.lr = '3' AND params.model = 'linear'", [11, 15, 19])
    both("param", "params.model != 'Tree' AND metrics.acc < 0.6", [10, 11])
    both("param", "params.model LIKE 'T%' and params.lr = \"1\"", [1, 5, 9])
    both("case", "params.model LIKE 't%'", [])
    both("ILIKE", "params.model ILIKE 't%' and parameters.lr = '0'", [0, 4, 8])
    both("NULL", "tags.third IS NULL AND metrics.acc < 0.3", [1, 2, 4, 5])
    both("NULL", "tags.third IS NOT NULL AND metrics.acc < 0.3", [0, 3])
    both("tag", "tags.`a.b c` = 'x' AND tag.index = '4'", [4])
    both("attribute", "attributes.status = 'FAILED'", [5])
    both("attribute", "status != 'RUNNING'", [5])
    both("attribute", "run_name = 'run 6'", [6])
    both("attribute", "attributes.run_name ILIKE 'RUN 1_'", list(range(10, 20)))
    both("attribute", "start_time >= 1018", [18, 19])
    both("attribute", "attributes.end_time > 0", [5])
    both("attribute", f"run_id IN ('{ids[3]}', '{ids[4]}')", [3, 4])
    both("attribute", f"attributes.run_id NOT IN ('{ids[3]}') and metrics.acc < 0.21", [0, 1, 2, 4])
    both("dataset", "datasets.name = 'seven'", [7])
    both("dataset", "dataset.context IN ('eval', 'x') AND dataset.digest LIKE 'd%'", [7])
    check("order", find(order=["metrics.acc DESC"], max_results=3), [19, 18, 17])
    check("missing last", find(order=["metrics.strange ASC"], max_results=4), [2, 1, 0, 19])
    check("missing last", find(order=["metrics.strange DESC"], max_results=4), [1, 2, 0, 19])
    check("two keys", find(order=["params.lr DESC", "attributes.start_time ASC"], max_results=3), [3, 7, 11])
    check("tag order", find(order=["tags.third ASC", "start_time ASC"], max_results=2), [0, 3])
    page = client.search_runs([group], "metrics.acc >= 0", max_results=7, order_by=["metrics.acc ASC"])
    seen = list(page)
    while page.token:
        page = client.search_runs(
            [group], "metrics.acc >= 0", max_results=7, order_by=["metrics.acc ASC"], page_token=page.token)
        seen += page
    check("pages", [ids.index(r.info.run_id) for r in seen], list(range(20)))
    client.delete_run(ids[0])
    check("active", len(find()), 19)
    check("deleted", find(run_view_type=ViewType.DELETED_ONLY), [0])
    check("all", len(find(run_view_type=ViewType.ALL)), 20)
    check("no experiments", len(client.search_runs([])), 0)
    for filter in ["metrics.acc > 'x'", "params.lr = 3", "foo.x = 'y'", "metrics.acc", "metrics.acc > 1 OR metrics.acc < 0",
                   "params.lr > '1'", "attributes.nothing = 'x'", "metrics.acc >", "params.lr = 'a", "status IN ('FAILED')",
                   "NOT metrics.acc > 1", "(metrics.acc > 1)", "params.lr = '1'; DROP TABLE runs", "tags.x = ''' OR 1=1 --"]:
        refused(f"the filter {filter}", "INVALID_PARAMETER_VALUE", client.search_runs, [group], filter)
    refused("an order", "INVALID_PARAMETER_VALUE", client.search_runs, [group], order_by=["metrics.acc UP"])
    refused("a token", "INVALID_PARAMETER_VALUE", client.search_runs, [group], page_token="garbage")
    refused("max_results", "INVALID_PARAMETER_VALUE", client.search_runs, [group], max_results=50001)
    check("still there", len(find()), 19)


def artifacts():
    group = client.create_experiment(f"artifacts {SALT}")
    id = client.create_run(group).info.run_id
    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(f"{folder}/deep/er")
        for path, text in [("a.txt", "alpha"), ("deep/b c.json", "{}"), ("deep/er/empty.bin", "")]:
            with open(f"{folder}/{path}", "w") as file:
                file.write(text)
        client.log_artifact(id, f"{folder}/a.txt")
        client.log_artifacts(id, folder, "all")
        client.log_text(id, "beta", "notes/ü.md")
        client.log_dict(id, {"k": 1}, "d.json")
        check("root", [(a.path, a.is_dir, a.file_size) for a in client.list_artifacts(id)],
              [("a.txt", False, 5), ("all", True, None), ("d.json", False, 12), ("notes", True, None)])
        check("folder", [(a.path, a.is_dir) for a in client.list_artifacts(id, "all/deep")],
              [("all/deep/b c.json", False), ("all/deep/er", True)])
        check("no folder", client.list_artifacts(id, "none"), [])
        target = client.download_artifacts(id, "all", folder)
        check("empty", os.path.getsize(f"{target}/deep/er/empty.bin"), 0)
        with open(client.download_artifacts(id, "notes/ü.md", folder)) as file:
            check("text", file.read(), "beta")
        client.log_text(id, "gamma", "a.txt")
        check("replaced", mlflow.artifacts.load_text(f"runs:/{id}/a.txt"), "gamma")
        check("dict", mlflow.artifacts.load_dict(f"runs:/{id}/d.json"), {"k": 1})


def fluent():
    mlflow.set_experiment(f"fluent {SALT}")
    with mlflow.start_run(run_name="parent") as parent:
        mlflow.log_param("learning_rate", 0.001)
        mlflow.log_metric("accuracy", 0.9)
        mlflow.log_params({"a": 1, "b": [1, 2]})
        mlflow.log_metrics({"x": 1.0, "y": 2.0}, step=3)
        mlflow.set_tag("phase", "test")
        mlflow.log_text("hello", "hello.txt")
        with mlflow.start_run(run_name="child", nested=True) as child:
            mlflow.log_metric("accuracy", 0.8)
    check("ended", client.get_run(parent.info.run_id).info.status, "FINISHED")
    children = mlflow.search_runs(
        filter_string=f"tags.mlflow.parentRunId = '{parent.info.run_id}'", output_format="list")
    check("nested", [r.info.run_id for r in children], [child.info.run_id])
    frame = mlflow.search_runs(order_by=["metrics.accuracy DESC"])
    check("frame", list(frame["metrics.accuracy"]), [0.9, 0.8])
    try:
        with mlflow.start_run() as broken:
            raise ValueError
    except ValueError:
        check("failed", client.get_run(broken.info.run_id).info.status, "FAILED")


def logged_models():
    group = client.create_experiment(f"logged {SALT}")
    run = client.create_run(group).info.run_id
    model = client.create_logged_model(group, name="first", source_run_id=run, tags={"a": "1"}, params={"depth": "3"},
                                       model_type="tree")
    check("id", model.model_id.startswith("m-") and len(model.model_id) == 34, True)
    check("pending", str(model.status), "PENDING")
    check("uri", model.artifact_location.endswith(f"/models/{model.model_id}/artifacts"), True)
    client.log_metric(run, "auc", 0.75, model_id=model.model_id, dataset_name="rows", dataset_digest="d1")
    client.set_logged_model_tags(model.model_id, {"a": "2", "b": "3"})
    client.delete_logged_model_tag(model.model_id, "b")
    refused("a tag twice removed", "RESOURCE_DOES_NOT_EXIST", client.delete_logged_model_tag, model.model_id, "b")
    client.finalize_logged_model(model.model_id, "READY")
    found = client.get_logged_model(model.model_id)
    check("ready", str(found.status), "READY")
    check("data", (found.tags["a"], found.params, found.source_run_id), ("2", {"depth": "3"}, run))
    check("metrics", [(m.key, m.value, m.dataset_name, m.run_id) for m in found.metrics], [("auc", 0.75, "rows", run)])
    check("on the run too", client.get_run(run).data.metrics, {"auc": 0.75})
    second = client.create_logged_model(group, name="second")
    client.log_metric(run, "auc", 0.5, step=1, model_id=second.model_id)

    def names(filter="", **named):
        return [m.name for m in client.search_logged_models([group], filter, **named)]

    check("newest first", names(), ["second", "first"])
    check("by metric", names("metrics.auc > 0.6"), ["first"])
    check("by name", names("name LIKE 'sec%'"), ["second"])
    check("by param", names("params.depth = '3'"), ["first"])
    check("ordered", names(order_by=[{"field_name": "metrics.auc", "ascending": False}]), ["first", "second"])
    for name in ["a/b", "a:b", "a.b", "a%b"]:
        refused(f"the name {name}", "INVALID_PARAMETER_VALUE", client.create_logged_model, group, name=name)
    client.log_outputs(run, [mlflow.entities.LoggedModelOutput(model.model_id, 2)])
    check("outputs", [(m.model_id, m.step) for m in client.get_run(run).outputs.model_outputs], [(model.model_id, 2)])
    client.delete_logged_model(second.model_id)
    refused("a deleted one", "RESOURCE_DOES_NOT_EXIST", client.get_logged_model, second.model_id, text="not found")
    check("left", names(), ["first"])


def registry():
    name = f"model {SALT}"
    made = client.create_registered_model(name, tags={"a": "1"}, description="what it is")
    check("made", (made.name, made.description, made.tags), (name, "what it is", {"a": "1"}))
    refused("twice", "RESOURCE_ALREADY_EXISTS", client.create_registered_model, name, text="already exists")
    refused("unknown", "RESOURCE_DOES_NOT_EXIST", client.get_registered_model, name + "?", text="not found")
    for wrong in ["a/b", "a:b"]:
        refused(f"the name {wrong}", "INVALID_PARAMETER_VALUE", client.create_registered_model, wrong)
    group = client.create_experiment(f"registry {SALT}")
    run = client.create_run(group).info.run_id
    client.log_metric(run, "auc", 0.9)
    client.log_text(run, "weights", "model/weights.txt")
    source = f"{client.get_run(run).info.artifact_uri}/model"
    one = client.create_model_version(name, source, run, tags={"t": "1"}, description="first")
    check("version", (str(one.version), one.current_stage, one.status, one.run_id, one.source),
          ("1", "None", "READY", run, source))
    two = client.create_model_version(name, source, run)
    check("second", str(two.version), "2")
    elsewhere = client.create_model_version(name, "s3://bucket/model")
    check("elsewhere", (str(elsewhere.version), elsewhere.source), ("3", "s3://bucket/model"))
    refused("another run's", "INVALID_PARAMETER_VALUE", client.create_model_version, name,
            source.replace(run, "0" * 32), run)
    refused("up", "INVALID_PARAMETER_VALUE", client.create_model_version, name, f"{source}/../../x", run)
    refused("a local path", "INVALID_PARAMETER_VALUE", client.create_model_version, name, "/etc/passwd")
    refused("no such model", "RESOURCE_DOES_NOT_EXIST", client.create_model_version, name + "?", source, run)
    check("where", client.get_model_version_download_uri(name, "1"), source)
    client.update_model_version(name, "1", "changed")
    client.set_model_version_tag(name, "1", "u", "2")
    client.delete_model_version_tag(name, "1", "t")
    client.delete_model_version_tag(name, "1", "t")
    found = client.get_model_version(name, "1")
    check("changed", (found.description, found.tags), ("changed", {"u": "2"}))
    refused("no such version", "RESOURCE_DOES_NOT_EXIST", client.get_model_version, name, "99", text="not found")
    refused("no number", "INVALID_PARAMETER_VALUE", client.get_model_version, name, "abc")
    client.set_registered_model_alias(name, "champion", "1")
    client.set_registered_model_alias(name, "champion", "2")
    check("alias", str(client.get_model_version_by_alias(name, "champion").version), "2")
    check("aliases", {k: str(v) for k, v in client.get_registered_model(name).aliases.items()}, {"champion": "2"})
    check("of the version", client.get_model_version(name, "2").aliases, ["champion"])
    for wrong in ["latest", "v1", "a b"]:
        refused(f"the alias {wrong}", "INVALID_PARAMETER_VALUE", client.set_registered_model_alias, name, wrong, "1")
    refused("no such alias", "INVALID_PARAMETER_VALUE", client.get_model_version_by_alias, name, "none")
    client.delete_registered_model_alias(name, "champion")
    check("no alias", client.get_registered_model(name).aliases, {})
    client.transition_model_version_stage(name, "1", "staging")
    client.transition_model_version_stage(name, "1", "Production")
    client.transition_model_version_stage(name, "2", "Production", archive_existing_versions=True)
    check("swapped", [client.get_model_version(name, v).current_stage for v in "123"], ["Archived", "Production", "None"])
    refused("no stage", "INVALID_PARAMETER_VALUE", client.transition_model_version_stage, name, "1", "Live")
    latest = client.get_latest_versions(name)
    check("latest", sorted((v.current_stage, str(v.version)) for v in latest),
          [("Archived", "1"), ("None", "3"), ("Production", "2")])
    check("latest in a stage", [str(v.version) for v in client.get_latest_versions(name, ["Production"])], ["2"])

    def versions(filter, **named):
        return [str(v.version) for v in client.search_model_versions(filter, **named)]

    check("of a model", versions(f"name = '{name}'", order_by=["version_number ASC"]), ["1", "2", "3"])
    check("of a run", versions(f"run_id = '{run}'", order_by=["version_number DESC"]), ["2", "1"])
    check("of a source", versions(f"name = '{name}' AND source_path LIKE 's3:%'"), ["3"])
    check("with a tag", versions(f"name = '{name}' AND tags.u = '2'"), ["1"])
    check("models", [m.name for m in client.search_registered_models(f"name = '{name}'")], [name])
    check("models by tag", [m.name for m in client.search_registered_models(f"name LIKE '%{SALT}' AND tags.a = '1'")], [name])
    check("no models", len(client.search_registered_models(f"name ILIKE 'nothing%{SALT}'")), 0)
    client.delete_model_version(name, "3")
    refused("deleted", "RESOURCE_DOES_NOT_EXIST", client.get_model_version, name, "3")
    check("never again", str(client.create_model_version(name, source, run).version), "4")
    client.set_registered_model_tag(name, "b", "2")
    client.delete_registered_model_tag(name, "a")
    client.update_registered_model(name, "again")
    client.transition_model_version_stage(name, "2", "Archived")
    client.rename_registered_model(name, name + " new")
    found = client.get_registered_model(name + " new")
    check("renamed", (found.tags, found.description, str(client.get_model_version(name + " new", "4").version)),
          ({"b": "2"}, "again", "4"))
    client.delete_registered_model(name + " new")
    refused("gone", "RESOURCE_DOES_NOT_EXIST", client.get_registered_model, name + " new")
    with mlflow.start_run(experiment_id=group) as active:
        mlflow.log_text("x", "m/MLmodel")
    version = mlflow.register_model(f"runs:/{active.info.run_id}/m", f"fluent {SALT}")
    check("fluent", str(version.version), "1")


play(experiments, runs, records, search, artifacts, fluent, logged_models, registry)
