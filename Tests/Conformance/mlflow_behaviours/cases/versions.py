"""Versions of models: where they come from, and their stages."""
from play import Group, delete, get, patch, post

WRONG, GONE = "INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"
fixture = [post("experiments/create", name="<g>").keep(e="experiment_id"),
           post("runs/create", experiment_id="<e>", run_name="x").keep(r="run.info.run_id", u="run.info.artifact_uri"),
           post("runs/create", experiment_id="<e>", run_name="y").keep(s="run.info.run_id"),
           post("runs/log-metric", run_id="<r>", key="auc", value=0.5, timestamp=1),
           post("logged-models", experiment_id="<e>", name="logged", source_run_id="<r>").keep(m="model.info.model_id",
               v="model.info.artifact_uri")]
new = post("registered-models/create", name="<n>")


def version(source="s3://bucket/model", **fields):
    return post("model-versions/create", name="<n>", source=source, **fields)


def read(number="1"):
    return get("model-versions/get", name="<n>", version=number)


def move(stage, number="1", **fields):
    return post("model-versions/transition-stage", name="<n>", version=number, stage=stage, **fields)


def where(number="1"):
    return get("model-versions/get-download-uri", name="<n>", version=number)


versions = Group("model versions", *fixture)
versions.add("create and get", 200, new, version(), read())
versions.add("create with all", 200, new, version("<u>/model", run_id="<r>", tags=[{"key": "a", "value": "1"}],
             run_link="http://x", description="what"), read())
versions.add("create bumps the model", 200, new, version(), get("registered-models/get", name="<n>"))
versions.add("numbers go up", 200, new, version(), version(), version())
versions.add("create without a model", GONE, version())
versions.add("create without a name", WRONG, post("model-versions/create", source="s3://b/m"))
versions.add("create without a source", WRONG, new, post("model-versions/create", name="<n>"))
versions.add("create with a tag of an empty value", 200, new, version(tags=[{"key": "a", "value": ""}]), read())
versions.add("create with a bad tag", 400, new, version(tags=[{"key": "a;b", "value": "1"}]))
versions.add("create of an unknown run", 200, new, version(run_id="0" * 32))
versions.add("create of the run's own source", 200, new, version("<u>", run_id="<r>"), where())
versions.add("create of another run's source", WRONG, new,
             version("<u>", run_id="<s>").says("Invalid model version source"))
versions.add("create of a run's source without the run", WRONG, new, version("<u>"))
versions.add("create by runs:/", 200, new, version("runs:/<r>/model", run_id="<r>"), read())
versions.add("create by runs:/ of another", WRONG, new, version("runs:/<s>/model", run_id="<r>"))
versions.add("create by runs:/ without the run", WRONG, new, version("runs:/<r>/model"))
versions.add("create by models:/ of a logged one", 200, new, version("models:/<m>", model_id="<m>"), read())
versions.add("where a logged one is", 200, new, version("models:/<m>", model_id="<m>"), where())
versions.add("create by models:/ of another logged one", WRONG, new, version("models:/<m>", model_id="m-1"))
versions.add("create by models:/ of a version", 200, new, version("<u>/model", run_id="<r>"), version("models:/<n>/1"),
             read("2"))
versions.add("where a copied version is", 200, new, version("<u>/model", run_id="<r>"), version("models:/<n>/1"),
             where("2"))
versions.add("create by models:/ of an unknown version", 404, new, version("models:/<n>/7"))
versions.add("tells the logged one of its versions", 200, new, version("models:/<m>", model_id="<m>"))
for source in ["/etc/passwd", "file:///etc/passwd", "s3://bucket/../x", "mlflow-artifacts:/0/x", "<u>/../../x", "../x",
    "a/b", "file:///<u>"]:
    versions.add(f"create of {source}", WRONG, new, version(source, run_id="<r>"))
for source in ["s3://bucket/a b", "gs://b/m", "dbfs:/x"]:
    versions.add(f"create of {source}", 200, new, version(source), where())
for source in ["https://host/x", "hdfs://h/x", "abfss://c@h/x"]:
    versions.add(f"create of {source}", WRONG, new, version(source))
versions.add("get: none", GONE, new, get("model-versions/get", name="<n>", version="1").says("not found"))
versions.add("get: of no model", GONE, read())
versions.add("get: no number", WRONG, new, version(), get("model-versions/get", name="<n>",
             version="abc").says("must be an integer"))
versions.add("get: an empty number", WRONG, new, version(), read(""))
versions.add("get: a number with a sign", 200, new, version(), read("+1"))
versions.add("get: below one", GONE, new, version(), read("-1"))
versions.add("describe", 200, new, version(), patch("model-versions/update", name="<n>", version="1", description="what"),
             read())
versions.add("describe none", GONE, new, patch("model-versions/update", name="<n>", version="1", description="what"))
versions.add("describe without a description", 200, new, version(description="d"),
             patch("model-versions/update", name="<n>", version="1"), read())
versions.add("delete", GONE, new, version(), delete("model-versions/delete", name="<n>", version="1"), read())
versions.add("delete twice", GONE, new, version(), delete("model-versions/delete", name="<n>", version="1"),
             delete("model-versions/delete", name="<n>", version="1"))
versions.add("delete none", GONE, new, delete("model-versions/delete", name="<n>", version="1"))
versions.add("a number is never used again", 200, new, version(), version(),
             delete("model-versions/delete", name="<n>", version="2"), version())
versions.add("tag", 200, new, version(), post("model-versions/set-tag", name="<n>", version="1", key="a", value="1"),
             post("model-versions/set-tag", name="<n>", version="1", key="b", value=""), read())
versions.add("tag none", GONE, new, post("model-versions/set-tag", name="<n>", version="1", key="a", value="1"))
versions.add("tag with a bad key", WRONG, new, version(),
             post("model-versions/set-tag", name="<n>", version="1", key="a;b", value="1"))
versions.add("tag without a key", WRONG, new, version(), post("model-versions/set-tag", name="<n>", version="1", value="1"))
versions.add("tag of a bad version", WRONG, new, post("model-versions/set-tag", name="<n>", version="x", key="a",
             value="1"))
versions.add("delete a tag", 200, new, version(tags=[{"key": "a", "value": "1"}]),
             delete("model-versions/delete-tag", name="<n>", version="1", key="a"), read())
versions.add("delete a tag that is not there", 200, new, version(),
             delete("model-versions/delete-tag", name="<n>", version="1", key="a"))
versions.add("delete a tag of none", GONE, new, delete("model-versions/delete-tag", name="<n>", version="1", key="a"))
versions.add("where none is", GONE, new, where())

stages = Group("stages", *fixture)
mine = version("<u>/model", run_id="<r>")
for stage, shown in [("Staging", "Staging"), ("staging", "Staging"), ("PRODUCTION", "Production"), ("archived", "Archived"),
    ("None", "None")]:
    stages.add(f"to {stage}", 200, new, mine, move(stage), read())
stages.add("to an unknown one", WRONG, new, mine, move("Live").says("Invalid Model Version stage: Live"))
stages.add("to none given", WRONG, new, mine, post("model-versions/transition-stage", name="<n>", version="1"))
stages.add("of no version", GONE, new, move("Staging"))
stages.add("of a bad version", WRONG, new, move("Staging", "x"))
stages.add("the others are archived", 200, new, mine, mine, move("Staging"),
           move("Staging", "2", archive_existing_versions=True), read())
stages.add("the others in Staging stay", 200, new, mine, mine, move("Staging"), move("Staging", "2"), read())
stages.add("the others in Production are archived", 200, new, mine, mine, move("Production"),
           move("Production", "2", archive_existing_versions=True), read())
stages.add("the others in Production stay", 200, new, mine, mine, move("Production"), move("Production", "2"), read())
stages.add("archiving others needs an active stage", 500, new, mine, move("Archived", archive_existing_versions=True))
stages.add("to the same", 200, new, mine, move("Staging"), move("Staging"), read())
stages.add("back to None", 200, new, mine, move("Staging"), move("None"), read())
stages.add("out of Archived", 200, new, mine, move("Archived"), move("Staging"), read())
stages.add("to Production without a run", 200, new, version(), move("Production"), read())
stages.add("delete from Production", 200, new, mine, move("Production"),
           delete("model-versions/delete", name="<n>", version="1"))
stages.add("delete a model in Production", 200, new, mine, move("Production"),
           delete("registered-models/delete", name="<n>"))
stages.add("rename a model in Production", 200, new, mine, move("Production"),
           post("registered-models/rename", name="<n>", new_name="<n> new"))
latest = get("registered-models/get-latest-versions", name="<n>")
stages.add("latest of each", 200, new, mine, mine, mine, move("Staging", "2"), latest)
stages.add("latest by POST", 200, new, mine, post("registered-models/get-latest-versions", name="<n>"))
stages.add("latest of one", 200, new, mine, mine, move("Staging"),
           get("registered-models/get-latest-versions", name="<n>", stages=["Staging"]))
stages.add("latest of two", 200, new, mine, mine, move("staging"),
           get("registered-models/get-latest-versions", name="<n>", stages=["staging", "None"]))
stages.add("latest of an empty one", 200, new, mine, get("registered-models/get-latest-versions", name="<n>",
           stages=["Production"]))
stages.add("latest of an unknown one", WRONG, new, mine,
           get("registered-models/get-latest-versions", name="<n>", stages=["Live"]))
stages.add("latest of no versions", 200, new, latest)
stages.add("latest of no model", GONE, latest)
stages.add("latest in the model", 200, new, mine, mine, mine, move("Staging", "2"),
           get("registered-models/get", name="<n>"))
GROUPS = [versions, stages]
