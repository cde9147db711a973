"""The points of metrics over time."""
from play import Group, get, post

WRONG = "INVALID_PARAMETER_VALUE"
POINTS = [(1, 5, 0.5), (2, 5, 0.25), (0, 9, 1.0), (-1, 1, 7.0), (3, 5, 0.5), (3, 5, 0.75), (4, 20, "NaN"),
    (5, 21, "Infinity"), (6, 22, 1), (7, 23, 2)]
histories = Group(
    "histories", post("experiments/create", name="<g>").keep(e="experiment_id"),
    post("runs/create", experiment_id="<e>", run_name="x").keep(r="run.info.run_id"),
        post("runs/create", experiment_id="<e>", run_name="y").keep(s="run.info.run_id"),
    post("runs/log-batch", run_id="<r>", metrics=[{"key": "m", "value": v, "timestamp": t, "step": s} for s, t,
        v in POINTS]),
    post("runs/log-batch", run_id="<r>", metrics=[{"key": "many", "value": i / 4, "timestamp": 2 * i,
        "step": i} for i in range(100)]),
    post("runs/log-batch", run_id="<s>", metrics=[{"key": "many", "value": i / 4, "timestamp": 2 * i,
        "step": 10 * i} for i in range(7)]))


def history(key="many", **fields):
    return get("metrics/get-history", run_id="<r>", metric_key=key, **fields)


def bulk(**fields):
    return get("/ajax-api/2.0/mlflow/metrics/get-history-bulk",
        **{"run_id": ["<r>", "<s>"], "metric_key": "many", **fields})


def interval(prefix="/api", **fields):
    return get(f"{prefix}/2.0/mlflow/metrics/get-history-bulk-interval",
        **{"run_ids": ["<r>", "<s>"], "metric_key": "many", **fields})


histories.add("in order", 200, history("m"))
histories.add("pages", 200, history(max_results=40).keep(t="next_page_token"),
              history(max_results=40, page_token="<t>").keep(u="next_page_token"),
              history(max_results=40, page_token="<u>"))
histories.add("a page that is just full", 200, history(max_results=100))
histories.add("max_results 0", WRONG, history(max_results=0))
histories.add("max_results below 0", WRONG, history(max_results=-1))
histories.add("max_results that is text", 200, history(max_results="x"))
histories.add("a bad token", WRONG, history(max_results=5, page_token="garbage"))
histories.add("of an unknown metric", 200, history("nothing"))
histories.add("of an unknown run", 200, get("metrics/get-history", run_id="0" * 32, metric_key="m"))
histories.add("of no run", WRONG, get("metrics/get-history", metric_key="m"))
histories.add("of no metric", WRONG, get("metrics/get-history", run_id="<r>"))
histories.add("by run_uuid", 200, get("metrics/get-history", run_uuid="<r>", metric_key="m"))
histories.add("bulk", 200, bulk())
histories.add("bulk: a few", 200, bulk(run_id=["<r>"], max_results=5))
histories.add("bulk: of an unknown run", 200, bulk(run_id=["0" * 32]))
histories.add("bulk: of no run", WRONG, get("/ajax-api/2.0/mlflow/metrics/get-history-bulk", metric_key="m"))
histories.add("bulk: of no metric", WRONG, get("/ajax-api/2.0/mlflow/metrics/get-history-bulk", run_id="<r>"))
histories.add("bulk: of 101 runs", WRONG, bulk(run_id=["0" * 32] * 101))
histories.add("bulk: only for web pages", 404, get("metrics/get-history-bulk", run_id="<r>", metric_key="m"))
histories.add("interval", 200, interval())
histories.add("interval: for web pages", 200, interval("/ajax-api"))
for count in [1, 2, 3, 5, 7, 33, 99, 100, 101, 2500]:
    histories.add(f"interval: {count} points", 200, interval(max_results=count))
histories.add("interval: of steps", 200, interval(start_step=10, end_step=30))
histories.add("interval: of steps, sampled", 200, interval(start_step=10, end_step=60, max_results=6))
histories.add("interval: of one step", 200, interval(start_step=10, end_step=10))
histories.add("interval: with odd values", 200, interval(run_ids=["<r>"], metric_key="m", max_results=4))
histories.add("interval: no end", WRONG, interval(start_step=10))
histories.add("interval: the end first", WRONG, interval(start_step=10, end_step=9))
histories.add("interval: 2,501 points", WRONG, interval(max_results=2501))
histories.add("interval: no points", WRONG, interval(max_results=0))
histories.add("interval: no metric", WRONG, get("metrics/get-history-bulk-interval", run_ids="<r>"))
histories.add("interval: no runs", WRONG, get("metrics/get-history-bulk-interval", metric_key="m"))
histories.add("interval: 101 runs", WRONG, interval(run_ids=["0" * 32] * 101))
histories.add("interval: an unknown run", 200, interval(run_ids=["0" * 32]))
GROUPS = [histories]
