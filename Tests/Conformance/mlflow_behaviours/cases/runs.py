"""Runs: how they begin, end, are deleted and come back."""
from play import Group, get, post

WRONG, GONE = "INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"
fixture = [post("experiments/create", name="<g>").keep(e="experiment_id"),
           post("experiments/create", name="<g> deleted").keep(egone="experiment_id"),
               post("experiments/delete", experiment_id="<egone>")]


def new(**fields):
    return post("runs/create", experiment_id="<e>", **fields).keep(r="run.info.run_id")


def update(**fields):
    return post("runs/update", run_id="<r>", **fields)


read, remove, restore = get("runs/get", run_id="<r>"), post("runs/delete", run_id="<r>"), post("runs/restore", run_id="<r>")
NAME = "mlflow.runName"

runs = Group("runs", *fixture)
runs.add("create with nothing", 200, new(), read)
runs.add("create with all", 200, new(user_id="ann", run_name="one", start_time=1234, tags=[{"key": "a", "value": "1"}]),
         read)
runs.add("create with a name as a tag", 200, new(tags=[{"key": NAME, "value": "one"}]), read)
runs.add("create with the same name twice", 200, new(run_name="one", tags=[{"key": NAME, "value": "one"}]))
runs.add("create with two names", WRONG, new(run_name="one", tags=[{"key": NAME, "value": "two"}]))
runs.add("create with an empty name", 200, new(run_name=""))
runs.add("create with a tag twice", 400, new(tags=[{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]))
runs.add("create with a bad tag", 200, new(tags=[{"key": "a//b", "value": "1"}]))
runs.add("create with a user tag", 200, new(tags=[{"key": "mlflow.user", "value": "bob"}]))
runs.add("create with a start before 1970", 200, new(start_time=-5), read)
runs.add("create without an experiment", 400, post("runs/create"))
runs.add("create in an unknown experiment", GONE, post("runs/create", experiment_id="99999999"))
runs.add("create in a bad experiment", WRONG, post("runs/create", experiment_id="x"))
runs.add("create in a deleted experiment", WRONG, post("runs/create",
         experiment_id="<egone>").says("must be in the 'active' state"))
runs.add("create with a name of 8,001 characters", 200, new(run_name="x" * 8001))
runs.add("get: none", GONE, get("runs/get", run_id="0" * 32).says("not found"))
runs.add("get: no id", WRONG, get("runs/get").says("'run_id'"))
runs.add("get: by run_uuid", 200, new(run_name="x"), get("runs/get", run_uuid="<r>"))
runs.add("get: an odd id", 404, get("runs/get", run_id="../x"))
for status in ["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"]:
    runs.add(f"update: {status}", 200, new(run_name="x"), update(status=status), read)
runs.add("update: end", 200, new(run_name="x"), update(end_time=99, status="FINISHED"), read)
runs.add("update: end in text", 200, new(run_name="x"), update(end_time="99"))
runs.add("update: a status by number", 200, new(run_name="x"), update(status=3), read)
runs.add("update: name", 200, new(run_name="x"), update(run_name="y"), read)
runs.add("update: an empty name", 200, new(run_name="x"), update(run_name=""), read)
runs.add("update: nothing", 200, new(run_name="x"), update(), read)
runs.add("update: back to running", 200, new(run_name="x"), update(status="FINISHED", end_time=9), update(status="RUNNING"),
         read)
runs.add("update: an unknown status", 200, new(run_name="x"), update(status="DONE"), read)
runs.add("update: no run", WRONG, post("runs/update", status="FINISHED"))
runs.add("update: an unknown run", GONE, post("runs/update", run_id="0" * 32, status="FINISHED"))
runs.add("update: by run_uuid", 200, new(run_name="x"), post("runs/update", run_uuid="<r>", status="FINISHED"))
runs.add("update: a deleted run", WRONG, new(run_name="x"), remove, update(status="FINISHED"))
runs.add("delete", 200, new(run_name="x"), remove, read)
runs.add("delete twice", 200, new(run_name="x"), remove, remove)
runs.add("delete: none", GONE, post("runs/delete", run_id="0" * 32))
runs.add("delete: no id", WRONG, post("runs/delete"))
runs.add("restore", 200, new(run_name="x"), remove, restore, read)
runs.add("restore an active one", 200, new(run_name="x"), restore)
runs.add("restore: none", GONE, post("runs/restore", run_id="0" * 32))
for what, path, fields in [
        ("a metric", "log-metric", {"key": "a", "value": 1, "timestamp": 1}),
            ("a param", "log-parameter", {"key": "a", "value": "1"}),
        ("a tag", "set-tag", {"key": "a", "value": "1"}), ("a tag's end", "delete-tag", {"key": "mlflow.runName"}),
        ("a batch", "log-batch", {"tags": [{"key": "a", "value": "1"}]}),
        ("an empty batch", "log-batch", {}),
        ("inputs", "log-inputs", {"datasets": [{"dataset": {"name": "a", "digest": "b", "source_type": "c",
            "source": "d"}}]}),
]:
    runs.add(f"deleted: {what}", WRONG, new(run_name="x"), remove, post(f"runs/{path}", run_id="<r>", **fields))
    runs.add(f"unknown: {what}", GONE, post(f"runs/{path}", run_id="0" * 32, **fields))
    runs.add(f"no run: {what}", WRONG, post(f"runs/{path}", **fields))
GROUPS = [runs]
