"""What runs read and make: datasets and logged models as inputs and outputs."""
from play import Group, get, post

WRONG, GONE = "INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"
fixture = [post("experiments/create", name="<g>").keep(e="experiment_id")]
new = post("runs/create", experiment_id="<e>", run_name="x").keep(r="run.info.run_id")
read = get("runs/get", run_id="<r>")
model = post("logged-models", experiment_id="<e>", name="m", source_run_id="<r>").keep(m="model.info.model_id")


def data(name="<n>", digest="d1", tags=(), **fields):
    fields = {"source_type": "local", "source": "{}", **fields}
    return {"dataset": {"name": name, "digest": digest, **fields}, "tags": list(tags)}


def inputs(*datasets, **fields):
    return post("runs/log-inputs", run_id="<r>", datasets=list(datasets), **fields)


CONTEXT = {"key": "mlflow.data.context", "value": "training"}
datasets = Group("datasets", *fixture)
datasets.add("log", 200, new, inputs(data(tags=[CONTEXT], schema="s", profile="p")), read)
datasets.add("without schema and profile", 200, new, inputs(data()), read)
datasets.add("the same twice", 200, new, inputs(data(tags=[CONTEXT])), inputs(data(tags=[CONTEXT])), read)
datasets.add("the same with other tags", 200, new, inputs(data(tags=[CONTEXT])),
             inputs(data(tags=[{"key": "b", "value": "2"}])), read)
datasets.add("the same with another source: the first stays", 200, new, inputs(data()), inputs(data(source="other")), read)
datasets.add("another digest", 200, new, inputs(data()), inputs(data(digest="d2")), get("runs/get", run_id="<r>"))
datasets.add("a tag without a value", 200, new, inputs(data(tags=[{"key": "a"}])))
datasets.add("a tag without a key", 200, new, inputs(data(tags=[{"value": "a"}])))
datasets.add("no name", 200, new, inputs({"dataset": {"digest": "d", "source_type": "l", "source": "s"}}))
datasets.add("no digest", 200, new, inputs({"dataset": {"name": "<n>", "source_type": "l", "source": "s"}}), read)
datasets.add("no dataset", 200, new, inputs({"tags": [CONTEXT]}))
datasets.add("an empty list", 200, new, inputs(), read)
for what, fields in [("a name of 501", {"name": "x" * 501}), ("a digest of 37", {"digest": "x" * 37}),
    ("a source of 65,536", {"source": "x" * 65536})]:
    datasets.add(f"{what} characters", WRONG, new, inputs(data(**fields)))
datasets.add("a tag's key of 256 characters", WRONG, new, inputs(data(tags=[{"key": "k" * 256, "value": "1"}])))
datasets.add("a tag's value of 501 characters", WRONG, new, inputs(data(tags=[{"key": "k", "value": "v" * 501}])))
datasets.add("a model as input", 200, new, model, inputs(models=[{"model_id": "<m>"}]), read)
datasets.add("a model without an id", 200, new, inputs(models=[{}]))
datasets.add("a model as output", 200, new, model, post("runs/outputs", run_id="<r>",
             models=[{"model_id": "<m>", "step": 3}]), read)
datasets.add("a model as output of two steps", 200, new, model,
             post("runs/outputs", run_id="<r>", models=[{"model_id": "<m>", "step": 3}]),
             post("runs/outputs", run_id="<r>", models=[{"model_id": "<m>", "step": 3}]), read)
datasets.add("an output of an unknown run", GONE, post("runs/outputs", run_id="0" * 32, models=[]))
datasets.add("an output of no run", WRONG, post("runs/outputs", models=[]))
datasets.add("an output without a step", 200, new, model, post("runs/outputs", run_id="<r>", models=[{"model_id": "<m>"}]))
datasets.add("an output of a deleted run", WRONG, new, post("runs/delete", run_id="<r>"),
             post("runs/outputs", run_id="<r>", models=[]))
GROUPS = [datasets]
