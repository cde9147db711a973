"""Logged models of MLflow 3."""
from play import Group, delete, get, patch, post

WRONG, GONE = "INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"
fixture = [post("experiments/create", name="<g>").keep(e="experiment_id"),
           post("runs/create", experiment_id="<e>", run_name="x").keep(r="run.info.run_id")]


def new(name="m", **fields):
    return post("logged-models", experiment_id="<e>", name=name, **fields).keep(m="model.info.model_id")


read, remove = get("logged-models/<m>"), delete("logged-models/<m>")


def tag(*pairs):
    return patch("logged-models/<m>/tags", model_id="<m>", tags=[{"key": key, "value": value} for key, value in pairs])


def param(*pairs):
    return post("logged-models/<m>/params", model_id="<m>", params=[{"key": key, "value": value} for key, value in pairs])


logged = Group("logged models", *fixture)
logged.add("create and get", 200, new(), read)
logged.add("create with all", 200, new(model_type="tree", source_run_id="<r>", params=[{"key": "a", "value": "1"}],
           tags=[{"key": "b", "value": "2"}]), read)
logged.add("create without a name", 200, post("logged-models", experiment_id="<e>").keep(m="model.info.model_id"))
logged.add("create with an empty name", 200, new(""))
for name in ["a/b", "a:b", "a.b", "a%b", 'a"b', "a'b"]:
    logged.add(f"create with the name {name}", WRONG, new(name))
logged.add("create with the name of another", 200, new(), new())
logged.add("create in no experiment", 400, post("logged-models", name="m"))
logged.add("create in an unknown experiment", GONE, post("logged-models", experiment_id="99999999", name="m"))
logged.add("create of an unknown run", 200, new(source_run_id="0" * 32))
logged.add("create with a bad param", 200, new(params=[{"key": "a;b", "value": "1"}]))
logged.add("create with a bad tag", 200, new(tags=[{"key": "a;b", "value": "1"}]))
logged.add("get: none", GONE, get("logged-models/m-" + "0" * 32).says("not found"))
for status in ["LOGGED_MODEL_READY", "LOGGED_MODEL_UPLOAD_FAILED", "LOGGED_MODEL_PENDING"]:
    logged.add(f"finish as {status}", 200, new(), patch("logged-models/<m>", model_id="<m>", status=status), read)
logged.add("finish without a status", WRONG, new(), patch("logged-models/<m>", model_id="<m>"))
logged.add("finish with an unknown status", 200, new(), patch("logged-models/<m>", model_id="<m>", status="DONE"))
logged.add("finish none", GONE, patch("logged-models/m-1", model_id="m-1", status="LOGGED_MODEL_READY"))
logged.add("delete", GONE, new(), remove, read)
logged.add("delete twice", 200, new(), remove, remove)
logged.add("get a deleted one", 200, new(), remove, get("logged-models/<m>", allow_deleted="true"))
logged.add("tag", 200, new(), tag(("a", "1"), ("b", "2")), tag(("a", "3")), read)
logged.add("tag none", GONE, patch("logged-models/m-1/tags", tags=[{"key": "a", "value": "1"}]))
logged.add("delete a tag", 200, new(), tag(("a", "1")), delete("logged-models/<m>/tags/a"), read)
logged.add("delete a tag that is not there", GONE, new(), delete("logged-models/<m>/tags/a"))
logged.add("log params", 200, new(), param(("a", "1"), ("b", "2")), read)
logged.add("log the same param", 400, new(), param(("a", "1")), param(("a", "1")))
logged.add("log another value of a param", 400, new(), param(("a", "1")), param(("a", "2")))
logged.add("log a metric", 200, new(),
           post("runs/log-metric", run_id="<r>", key="auc", value=0.5, timestamp=5, step=2, model_id="<m>",
               dataset_name="rows", dataset_digest="d"), read)
logged.add("log a metric without a dataset", 200, new(),
           post("runs/log-metric", run_id="<r>", key="auc", value=0.5, timestamp=5, model_id="<m>"), read)
logged.add("log a batch of metrics", 200, new(), post("runs/log-batch", run_id="<r>", metrics=[
    {"key": "acc", "value": 1, "timestamp": 1, "step": i, "model_id": "<m>"} for i in range(2)]), read)
logged.add("log a metric to an unknown model", 400, post("runs/log-metric", run_id="<r>", key="auc2", value=0.5,
           timestamp=5, model_id="m-" + "0" * 32))
logged.add("artifacts of none", GONE, get("logged-models/m-1/artifacts/directories"))
logged.add("no artifacts", 200, new(), get("logged-models/<m>/artifacts/directories"))


def made(name, kind, metrics, params, tags):
    kept = f"m{name.lower()}"
    return [post("logged-models", experiment_id="<e>", name=name, model_type=kind, source_run_id="<r>",
        params=[{"key": k, "value": v} for k, v in params.items()],
                 tags=[{"key": k, "value": v} for k, v in tags.items()]).keep(**{kept: "model.info.model_id"})] + [
        post("runs/log-metric", run_id="<r>", key=key, value=value, timestamp=time, step=step, model_id=f"<{kept}>", **more)
        for key, value, time, step, more in metrics]


D1, D2 = {"dataset_name": "d", "dataset_digest": "1"}, {"dataset_name": "d", "dataset_digest": "2"}
found = Group("logged model search", *fixture,
              *made("one", "tree", [("auc", 0.5, 1, 0, D1), ("auc", 0.25, 2, 1, D2)], {"depth": "1"}, {"t": "x"}),
              *made("two", "Tree", [("auc", 0.75, 3, 0, D1)], {"depth": "2"}, {"t": "y"}),
              *made("Three", "net", [("loss", 2, 4, 0, {})], {}, {}),
              *made("gone", "net", [], {}, {}), delete("logged-models/<mgone>"))


def find(filter="", order=({"field_name": "name"},), **fields):
    return post("logged-models/search", experiment_ids=["<e>"], filter=filter, order_by=list(order), **fields)


for filter in """name = 'one'
name != 'one'
name LIKE 't%'
name ILIKE 't%'
name IN ('one', 'two')
name NOT IN ('one')
attributes.name = 'one'
model_type = 'tree'
model_type ILIKE 'TREE'
status = 'PENDING'
source_run_id = '<r>'
model_id = '<mone>'
model_id IN ('<mone>', '<mtwo>')
params.depth = '1'
params.depth != '1'
tags.t = 'x'
tags.t LIKE '_'
metrics.auc > 0.4
metrics.auc < 0.4
metrics.auc = 0.75
metrics.auc > 0.4 AND params.depth = '1'
creation_timestamp > 0
last_updated_timestamp < 5
creation_time > 0""".splitlines():
    found.add(filter, 200, find(filter))
for filter in ["colour = 'x'", "metrics.auc = 'x'"]:
    found.add(f"refused: {filter}", 500, find(filter))
found.add("a param without quotes", 200, find("params.depth = 5"))
for filter in ["name > 'a'", "name = 'a' OR name = 'b'", "foo.x = 'a'", "name ="]:
    found.add(f"refused: {filter}", WRONG, find(filter))
found.add("all", 200, find())
found.add("newest first", 200, find(order=[]))
for name, order in [
        ("down", [{"field_name": "name", "ascending": False}]), ("a metric", [{"field_name": "metrics.auc"}]),
            ("a metric down", [{"field_name": "metrics.auc", "ascending": False}]),
        ("a metric of a dataset", [{"field_name": "metrics.auc", "dataset_name": "d", "dataset_digest": "1"}]),
            ("creation", [{"field_name": "creation_timestamp"}]),
        ("a type", [{"field_name": "model_type"}, {"field_name": "name"}]),
            ("creation_time", [{"field_name": "creation_time"}]),
]:
    found.add(f"order: {name}", 200, find(order=order))
for name, order in [("an unknown one", [{"field_name": "colour"}]), ("a param", [{"field_name": "params.depth"}]),
    ("none", [{"ascending": True}])]:
    found.add(f"order: {name}", 400, find(order=order))
found.add("of a dataset", 200, find("metrics.auc > 0.1", datasets=[{"dataset_name": "d", "dataset_digest": "2"}]))
found.add("of a dataset's name", 200, find("metrics.auc > 0.6", datasets=[{"dataset_name": "d"}]))
found.add("pages", 200, find(max_results=2).keep(t="next_page_token"), find(max_results=2, page_token="<t>"))
found.add("no experiments", 400, post("logged-models/search", filter="name = 'one'"))
found.add("max_results 0", 200, find(max_results=0))
found.add("max_results below 0", 200, find(max_results=-1))
found.add("a bad token", 500, find(page_token="garbage"))
GROUPS = [logged, found]
