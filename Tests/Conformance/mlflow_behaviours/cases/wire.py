"""What holds for every call: prefixes, spellings, types of content, and how errors look."""
from play import Group, get, patch, post, raw

WRONG = "INVALID_PARAMETER_VALUE"
wire = Group("wire")
wire.add("health is plain text", 200, get("/health"))
wire.add("web pages have a prefix of their own", 200, get("/ajax-api/2.0/mlflow/experiments/get", experiment_id="0"))
wire.add("camel case is read too", 200, raw("POST", "experiments/create",
         b'{"name": "<n>", "artifactLocation": "s3://b/<n>"}'),
         get("experiments/get-by-name", experiment_name="<n>"))
wire.add("camel case in a query is not", WRONG, post("experiments/create", name="<n>"),
         get("experiments/get-by-name", experimentName="<n>"))
wire.add("both spellings of a field", 400,
         raw("POST", "experiments/update", b'{"experiment_id": "0", "newName": "<n>", "new_name": "<n>"}'))
wire.add("what is not known is passed over", 200, post("experiments/create", name="<n>", colour="red", more={"a": [1]}))
wire.add("a body of another type", WRONG, raw("POST", "experiments/create", b'{"name": "<n>"}', "text/plain"))
wire.add("a type with a character set", 200,
         raw("POST", "experiments/create", b'{"name": "<n>"}', "application/json; charset=utf-8"))
wire.add("no type", WRONG, raw("POST", "experiments/create", b'{"name": "<n>"}', None))
wire.add("PATCH without a type", 200, post("registered-models/create", name="<n>"),
         raw("PATCH", "registered-models/update", b'{"name": "<n>", "description": "d"}', None))
wire.add("no JSON counts as empty", WRONG, raw("POST", "experiments/create", b"no JSON").says("'name'"))
wire.add("an empty body", WRONG, raw("POST", "experiments/create", b"").says("'name'"))
wire.add("JSON within JSON", 200, raw("POST", "experiments/create", b'"{\\"name\\": \\"<n>\\"}"'))
wire.add("no UTF-8", WRONG, raw("POST", "experiments/create", b'{"name": "\xff\xfe"}'))
wire.add("a lone surrogate", 400, raw("POST", "experiments/create", b'{"name": 5, "tags": "\\ud800"}'))
wire.add("no such route", "ENDPOINT_NOT_FOUND", post("experiments/nothing"))
wire.add("GET with a body and no query", 200, raw("GET", "experiments/get", b'{"experiment_id": "0"}'))
wire.add("a number for a text", WRONG, post("experiments/create", name=5))
wire.add("a list for a text", WRONG, post("experiments/create", name=["<n>"]))
wire.add("null counts as not given", WRONG, post("experiments/create", name=None))
wire.add("a number in text", 200, post("experiments/create", name="<n>").keep(e="experiment_id"),
         post("runs/create", experiment_id="<e>", start_time="1234"))
wire.add("a whole number with a point", 200, post("experiments/create", name="<n>").keep(e="experiment_id"),
         raw("POST", "runs/create", b'{"experiment_id": "<e>", "start_time": 5.0}'))
wire.add("a fraction for a whole number", 200, post("experiments/create", name="<n>").keep(e="experiment_id"),
         raw("POST", "runs/create", b'{"experiment_id": "<e>", "start_time": 5.5}'))
wire.add("a text for a whole number", WRONG, post("experiments/create", name="<n>").keep(e="experiment_id"),
         raw("POST", "runs/create", b'{"experiment_id": "<e>", "start_time": "x"}'))
wire.add("a number for an id", 400, raw("POST", "runs/create", b'{"experiment_id": 0}'))
wire.add("an unknown truth", 400, post("registered-models/create", name="<n>"),
         post("model-versions/create", name="<n>", source="s3://b/m"),
         post("model-versions/transition-stage", name="<n>", version="1", stage="Staging",
             archive_existing_versions="perhaps"))
wire.add("PATCH where POST belongs", 405, patch("experiments/create", name="<n>"))
GROUPS = [wire]
