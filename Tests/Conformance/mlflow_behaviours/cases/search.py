"""The search of runs: its grammar, orders and pages."""
from play import Group, get, post

WRONG = "INVALID_PARAMETER_VALUE"


def run(name, start, metrics, params, tags, user="ann"):
    return [
        post("runs/create", experiment_id="<e>", run_name=name, start_time=start,
            user_id=user).keep(**{f"r{name}": "run.info.run_id"}),
        post("runs/log-batch", run_id=f"<r{name}>", metrics=[{"key": k, "value": v, "timestamp": 1, "step": s} for k, v,
            s in metrics],
             params=[{"key": k, "value": v} for k, v in params.items()],
             tags=[{"key": k, "value": v} for k, v in tags.items()])]


search = Group(
    "search", post("experiments/create", name="<g>").keep(e="experiment_id"),
    post("experiments/create", name="<g> other").keep(eother="experiment_id"),
    *run("a", 1000, [("loss", 0.5, 0), ("odd", "NaN", 0), ("a b", 1, 0)], {"lr": "0.1", "kind": "Tree"},
        {"team": "red", "x.y": "1"}),
    *run("b", 2000, [("loss", 0.25, 0), ("odd", 1, 0)], {"lr": "0.2", "kind": "linear"}, {"team": "blue", "quote": "it's"}),
    *run("c", 3000, [("loss", 9.0, 0), ("loss", 0.75, 1), ("odd", -1, 0)], {"lr": "0.10", "kind": "tree"}, {"team": "Red"},
        "bob"),
    *run("d", 3200, [("loss", 0.5, 0), ("inf", "Infinity", 0)], {"empty": ""}, {"back": "a\\b", "cent": "50%"}),
    *run("f", 4000, [], {}, {}),
    *run("h", 5000, [("loss", 1e-10, 0), ("odd", 1, 0)], {"kind": "Tr_e", "a b": "1"}, {"mlflow.parentRunId": "<ra>"}),
    post("runs/update", run_id="<rb>", status="FAILED", end_time=2500),
        post("runs/update", run_id="<rc>", status="FINISHED", end_time=3500),
    post("runs/log-inputs", run_id="<ra>", datasets=[{"dataset": {"name": "rows", "digest": "d1", "source_type": "l",
        "source": "s"},
                                                      "tags": [{"key": "mlflow.data.context", "value": "train"}]}]),
    post("runs/log-inputs", run_id="<rb>", datasets=[{"dataset": {"name": "Rows2", "digest": "d2", "source_type": "l",
        "source": "s"}, "tags": []}]),
    post("runs/create", experiment_id="<eother>", run_name="z", start_time=1).keep(rz="run.info.run_id"),
    post("runs/create", experiment_id="<e>", run_name="gone", start_time=1).keep(rgone="run.info.run_id"),
        post("runs/delete", run_id="<rgone>"))


def find(filter="", order=("attributes.start_time ASC",), **fields):
    return post("runs/search", experiment_ids=["<e>"], filter=filter, order_by=list(order), **fields)


FILTERS = """
metrics.loss > 0.5
metrics.loss >= 0.5
metrics.loss < 0.5
metrics.loss <= 0.5
metrics.loss = 0.5
metrics.loss != 0.5
metrics.loss > 5e-1
metrics.loss > .5
metrics.loss > -1
metrics.loss = 1e-10
metrics.loss > 1E-11
metric.loss > 0.5
metrics.`loss` > 0.5
metrics."loss" > 0.5
metrics.`a b` = 1
metrics."a b" = 1
metrics.loss>0.5
metrics.loss > 0.5 AND metrics.loss < 1
metrics.loss > 0.1 and metrics.odd >= 1
metrics.loss > 0.1 And params.kind LIKE '%e' AND tags.team = 'red'
metrics.odd > -5
metrics.odd != 1
metrics.odd = 1
metrics.inf > 1
metrics.inf = 1.7976931348623157e308
metrics.nothing > 0
metrics.nothing != 0
params.lr = '0.1'
params.lr = "0.1"
params.lr != '0.1'
param.lr = '0.1'
parameter.lr = '0.1'
parameters.lr = '0.1'
params.`a b` = '1'
params."a b" = '1'
params.kind = 'tree'
params.kind LIKE 'T%'
params.kind LIKE 'tr__'
params.kind LIKE '%'
params.kind ILIKE 't%'
params.kind ILIKE 'TREE'
params.kind like 'T%'
params.kind iLike 'T%'
params.kind LIKE 'Tr\\_e'
params.empty = ''
params.kind = ''
params.kind IS NULL
params.kind IS NOT NULL
params.kind is not null
tags.team = 'red'
tag.team = 'red'
tags.team != 'red'
tags.team ILIKE 'RED'
tags.`x.y` = '1'
tags."x.y" = '1'
tags.x.y = '1'
tags.quote = "it's"
tags.back = 'a\\b'
tags.back LIKE 'a\\%'
tags.cent LIKE '%\\%'
tags.cent = '50%'
tags.team IS NULL
tags.team IS NOT NULL AND params.kind = 'Tree'
tags.mlflow.parentRunId = '<ra>'
tags.`mlflow.parentRunId` = '<ra>'
tags.mlflow.runName = 'a'
attributes.status = 'RUNNING'
attribute.status = 'FAILED'
attr.status != 'RUNNING'
run.status = 'FINISHED'
status = 'FINISHED'
status LIKE 'F%'
status ILIKE 'f%'
run_name = 'a'
attributes.run_name != 'a'
run_name LIKE '%'
run_name ILIKE 'A'
attributes.`run name` = 'a'
attributes.`Run name` = 'a'
run_id = '<ra>'
run_id != '<ra>'
run_id IN ('<ra>')
run_id IN ('<ra>','<rb>', 'other')
run_id NOT IN ('<ra>', '<rb>')
attributes.run_id in ('<ra>')
attributes.run_id not in ('<ra>')
user_id = 'bob'
user_id != 'bob'
attributes.user_id LIKE 'a%'
artifact_uri LIKE '%<ra>%'
start_time > 2000
start_time >= 2000
start_time < 2000
start_time = 3000
start_time != 3000
start_time > 2000.5
attributes.start_time <= 2000 AND attributes.start_time > 0
created > 2000
attributes.Created > 2000
end_time > 0
end_time <= 2500
end_time != 2500
datasets.name = 'rows'
dataset.name = 'rows'
datasets.name != 'rows'
datasets.name LIKE 'R%'
datasets.name ILIKE 'R%'
datasets.digest = 'd1'
datasets.digest IN ('d1', 'd2')
datasets.name NOT IN ('rows')
datasets.context = 'train'
datasets.context LIKE 't%'
datasets.name = 'rows' AND datasets.digest = 'd1' AND metrics.loss < 1
params.lr = '0.1' AND params.lr = '0.2'
params.lr = 'x'' OR 1=1 --'
tags.team = 'red''; DROP TABLE runs; --'
""".strip().splitlines()
for filter in FILTERS:
    search.add(filter, 200, find(filter))
for filter in ["metrics.loss > 0.5 AND", "AND metrics.loss > 0.5", "metrics. > 0.5", "params.lr = 'a' params.kind = 'b'"]:
    search.add(f"accepted: {filter}", 200, find(filter))
search.add("no filter", 200, find())
search.add("a filter of blanks", WRONG, find("  "))
search.add("300 clauses", 503, find(" AND ".join(["run_name != 'x'"] * 300)))
search.add("a filter of 100 KB", 200, find(f"run_name != '{'x' * 100_000}'"))
search.add("a filter with line ends", 200, find("metrics.loss > 0.5\n  AND\tparams.kind = 'tree'"))
REFUSED = """
metrics.loss
metrics.loss >
> 0.5
metrics.loss > 'x'
metrics.loss > '0.5'
metrics.loss > x
metrics.loss LIKE '1'
metrics.loss IS NULL
metrics.loss IN (1, 2)
metrics.loss = NaN
metrics.loss == 0.5
metrics.loss <> 0.5
metrics.loss > 0.5 OR metrics.loss < 0.1
NOT metrics.loss > 0.5
(metrics.loss > 0.5)
metrics.loss > 0.5, metrics.odd > 1
metrics.loss BETWEEN 0 AND 1
metrics > 0.5
params.lr = 0.1
params.lr = red
params.lr > '0.1'
params.lr IN ('0.1')
params.lr = 'a
params.lr = "a
tags.team < 'a'
tags.team = red
tags.team IN ('red')
foo.bar = 'x'
colour = 'x'
attributes.colour = 'x'
status = 5
status > 'A'
status IN ('FAILED')
status IS NULL
run_name IN ('a')
run_id > '1'
run_id IN '<ra>'
run_id IN (1)
run_id IN ()
run_id IN ('<ra>'
start_time > 'x'
start_time > '2000'
start_time LIKE '2'
start_time IN (2000)
datasets.colour = 'x'
datasets.name > 'x'
datasets.name = 5
params.lr = '1'; DROP TABLE runs
params.lr = '1' -- comment
params.lr = '1' UNION SELECT 1
'a' = 'a'
1 = 1
metrics.loss > 1 = 1
""".strip().splitlines()
for filter in REFUSED:
    search.add(f"refused: {filter}", WRONG, find(filter))
for name, order in [
        ("a metric", ["metrics.loss ASC"]), ("a metric down", ["metrics.loss DESC"]),
            ("NaN after numbers", ["metrics.odd"]),
        ("NaN after numbers down", ["metrics.odd DESC"]), ("a metric that none has", ["metrics.nothing DESC"]),
            ("a metric in back quotes", ["metrics.`a b`"]),
        ("a metric in double quotes", ["metrics.\"a b\" DESC"]), ("a param", ["params.lr ASC"]),
            ("a param down", ["params.lr DESC"]), ("a tag", ["tags.team"]),
        ("a tag down", ["tag.team desc"]), ("two keys", ["params.kind DESC", "metrics.loss ASC"]),
            ("start", ["attributes.start_time DESC"]),
        ("end", ["end_time ASC"]), ("end down", ["attributes.end_time DESC"]), ("status", ["status ASC", "start_time ASC"]),
            ("run name", ["run_name DESC"]),
        ("created", ["created DESC"]), ("user", ["user_id DESC", "attributes.run_name ASC"]), ("none", []),
        ("in small letters", ["metrics.loss asc"]),
]:
    search.add(f"order: {name}", 200, find(order=order))
for name, order in [
        ("run name by its other name", ["attributes.`Run Name`"]), ("many blanks", ["  metrics.loss   DESC "]),
            ("a bad direction", ["metrics.loss UP"]),
        ("two directions", ["metrics.loss ASC DESC"]), ("an unknown entity", ["foo.x"]),
            ("an unknown attribute", ["colour"]),
        ("a dataset", ["datasets.name"]), ("empty", [""]), ("a comparison", ["metrics.loss > 1"]),
            ("two keys in one", ["metrics.loss, metrics.odd"]),
        ("a statement", ["metrics.loss; DROP TABLE runs"]),
]:
    search.add(f"order refused: {name}", WRONG, find(order=order))
search.add("order: a key twice", 500, find(order=["metrics.loss ASC", "metrics.loss DESC"]))
search.add("order: one text", 200, post("runs/search", experiment_ids=["<e>"], order_by=["start_time DESC"]))
search.add("pages", 200, find(max_results=4).keep(t="next_page_token"), find(max_results=4, page_token="<t>"))
search.add("pages by a metric", 200, find(order=["metrics.odd ASC"], max_results=2).keep(t="next_page_token"),
           find(order=["metrics.odd ASC"], max_results=2, page_token="<t>").keep(u="next_page_token"),
               find(order=["metrics.odd ASC"], max_results=2, page_token="<u>"))
search.add("a page that is just full", 200, find(max_results=6))
search.add("max_results 0", WRONG, find(max_results=0))
search.add("max_results below 0", WRONG, find(max_results=-1))
search.add("max_results 50,000", 200, find(max_results=50000))
search.add("max_results 50,001", WRONG, find(max_results=50001))
search.add("max_results that is text", WRONG, find(max_results="x"))
search.add("a bad token", WRONG, find(page_token="garbage").says("Invalid page token"))
search.add("an empty token", 200, find(page_token=""))
search.add("deleted runs", 200, find(run_view_type="DELETED_ONLY"))
search.add("all runs", 200, find(run_view_type="ALL"))
search.add("an unknown view", 200, find(run_view_type="SOME"))
search.add("two experiments", 200, post("runs/search", experiment_ids=["<e>", "<eother>"], order_by=["start_time ASC"]))
search.add("an experiment twice", 200, post("runs/search", experiment_ids=["<e>", "<e>"], max_results=2))
search.add("no experiments", 200, post("runs/search", filter="metrics.loss > 0"))
search.add("an unknown experiment", 200, post("runs/search", experiment_ids=["99999999"]))
search.add("a bad experiment", 400, post("runs/search", experiment_ids=["x"]))
search.add("by GET", 405, get("runs/search", experiment_ids="<e>"))
GROUPS = [search]
