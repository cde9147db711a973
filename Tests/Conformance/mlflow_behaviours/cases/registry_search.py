"""The searches of the registry."""
from play import Group, delete, get, post

WRONG = "INVALID_PARAMETER_VALUE"
PROMPT = "mlflow.prompt.is_prompt"


def model(name, **tags):
    return post("registered-models/create", name=f"{name} <g>", tags=[{"key": k, "value": v} for k, v in tags.items()])


def version(name, source="s3://b/m", tags=None, **fields):
    return post("model-versions/create", name=f"{name} <g>", source=source,
        tags=[{"key": k, "value": v} for k, v in (tags or {}).items()], **fields)


fixture = [post("experiments/create", name="<g>").keep(e="experiment_id"),
           post("runs/create", experiment_id="<e>", run_name="x").keep(r="run.info.run_id", u="run.info.artifact_uri"),
           model("alpha", team="red", **{"set": "<g>"}), model("Beta", team="blue", odd="it's"),
               model("gamma", **{"a.b": "1"}),
           post("registered-models/create", name="prompt <g>", tags=[{"key": PROMPT, "value": "true"}]),
           version("alpha", "<u>/m", {"t": "1", "u": "1"}, run_id="<r>"), version("alpha", "s3://b/m2", {"t": "1"}),
               version("alpha", "s3://b/M2"),
           version("Beta", "s3://b/m", {"t": "2"}), version("Beta", "gs://c/m"),
               delete("model-versions/delete", name="Beta <g>", version="2")]
models = Group("model search", *fixture)


def find(filter="", order=("name ASC",), **fields):
    return get("registered-models/search", filter=f"name LIKE '%<g>'{' AND ' if filter else ''}{filter}",
        order_by=list(order), **fields)


for filter in ["", "name = 'alpha <g>'", "name != 'alpha <g>'", "name LIKE 'alpha%'", "name LIKE 'ALPHA%'",
    "name ILIKE 'beta%'", "name IN ('alpha <g>', 'x')",
               "name NOT IN ('alpha <g>')", "tags.team = 'red'", "tag.team = 'red'", "tags.team != 'red'",
               "tags.team LIKE 'b%'", "tags.team ILIKE 'RED'",
               "tags.`a.b` = '1'", "tags.odd = \"it's\"", "tags.team = 'red' AND tags.set = '<g>'", "tags.nothing = 'x'",
               f"tags.`{PROMPT}` = 'true'",
               f"tags.`{PROMPT}` != 'true'", f"tags.`{PROMPT}` = 'false'", "attribute.name = 'alpha <g>'"]:
    models.add(filter or "all", 200, find(filter))
for filter in ["name = 5", "name > 'a'", "name = 'a' OR name = 'b'", "colour = 'x'", "metrics.a = 1", "name", "name =",
    "tags.team > 'a'", "tags.team IN ('red')", "name IN (1)", "name = 'a",
               "last_updated_timestamp > 0", "name = 'a'; DROP TABLE x"]:
    models.add(f"refused: {filter}", WRONG, get("registered-models/search", filter=filter))
for name, order in [("name down", ["name DESC"]), ("change", ["last_updated_timestamp ASC"]),
    ("timestamp down", ["timestamp DESC"]), ("none", []),
                    ("two", ["timestamp ASC", "name DESC"]), ("only a key", ["name"])]:
    models.add(f"order: {name}", 200, find(order=order))
for name, order in [("unknown", ["colour"]), ("a bad direction", ["name UP"]), ("a tag", ["tags.team"]), ("empty", [""]),
    ("creation", ["creation_timestamp"])]:
    models.add(f"order refused: {name}", WRONG, find(order=order))
models.add("order: a key twice", 500, find(order=["name ASC", "name DESC"]))
models.add("pages", 200, find(max_results=2).keep(t="next_page_token"), find(max_results=2, page_token="<t>"))
models.add("max_results 0", 200, find(max_results=0))
models.add("max_results below 0", 200, find(max_results=-1))
models.add("max_results 1,001", WRONG, find(max_results=1001))
models.add("max_results that is text", 400, find(max_results="x"))
models.add("a bad token", WRONG, find(page_token="garbage"))

versions = Group("version search", *fixture)


def find(filter="name LIKE '%<g>'", order=("name ASC", "version_number ASC"), **fields):
    return get("model-versions/search", filter=filter, order_by=list(order), **fields)


for filter in ["name = 'alpha <g>'", "name != 'alpha <g>' AND name LIKE '%<g>'", "name LIKE 'ALPHA <g>'",
    "name ILIKE 'ALPHA <g>'", "name IN ('alpha <g>', 'Beta <g>')",
               "run_id = '<r>'", "run_id IN ('<r>', 'x')", "name = 'alpha <g>' AND run_id != '<r>'",
               "name = 'alpha <g>' AND source_path = 's3://b/m2'",
               "name = 'alpha <g>' AND source_path LIKE 's3:%'", "name = 'alpha <g>' AND source_path ILIKE '%M2'",
               "name = 'alpha <g>' AND version_number > 1",
               "name = 'alpha <g>' AND version_number != 2", "name = 'alpha <g>' AND tags.t = '1'",
               "name = 'alpha <g>' AND tags.t = '1' AND tags.u = '1'",
               "name LIKE '%<g>' AND tags.t != '1'", "name LIKE '%<g>' AND tag.t LIKE '_'", "name = 'Beta <g>'",
               "name = 'alpha <g>' AND tags.t = '2'",
               "name = 'prompt <g>'", "name = 'alpha <g>' AND version_number = '1'"]:
    versions.add(filter, 200, find(filter))
for filter in ["name = 5", "name > 'a'", "name = 'a' OR name = 'b'", "colour = 'x'", "attributes.name = 'alpha <g>'",
    "version_number LIKE '1'", "name", "run_id > 'x'", "run_id IN ()",
               "metrics.a = 1", "tags.t > '1'", "source_path IN (1)", "version_number > 1.5", "stage = 'x'",
               "current_stage = 'None'"]:
    versions.add(f"refused: {filter}", WRONG, find(filter))
versions.add("refused: tags.t IS NULL", 500, find("tags.t IS NULL"))
for name, order in [("version down", ["version_number DESC", "name ASC"]), ("creation", ["creation_timestamp ASC"]),
    ("change", ["last_updated_timestamp ASC"]), ("none", []), ("name down", ["name DESC"])]:
    versions.add(f"order: {name}", 200, find(order=order))
for name, order in [("unknown", ["colour"]), ("a bad direction", ["name UP"]), ("a tag", ["tags.t"]), ("run", ["run_id"])]:
    versions.add(f"order refused: {name}", WRONG, find(order=order))
versions.add("pages", 200, find(max_results=2).keep(t="next_page_token"), find(max_results=2, page_token="<t>"))
versions.add("max_results 0", 400, find(max_results=0))
versions.add("max_results 200,001", WRONG, find(max_results=200001))
versions.add("a bad token", WRONG, find(page_token="garbage"))
GROUPS = [models, versions]
