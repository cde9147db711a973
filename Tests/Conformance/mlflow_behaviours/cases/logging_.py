"""What is logged to runs: metrics, params, tags and batches of them."""
from play import Group, get, post, raw, short

WRONG, GONE = "INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"
fixture = [post("experiments/create", name="<g>").keep(e="experiment_id")]
new = post("runs/create", experiment_id="<e>", run_name="x").keep(r="run.info.run_id")
read = get("runs/get", run_id="<r>")
BAD_KEYS = ["a//b", "/a", "a/", "./a", "a/..", "..", ".", "a;b", "a'b", "a\tb", "a%b", "", "k" * 251]
GOOD_KEYS = ["a b", "a/b", "a:b", "a-b_c.d", "ü", "実", "5", "..a", " ", "k" * 250]


def metric(key="m", value=1.5, timestamp=10, **fields):
    return post("runs/log-metric", run_id="<r>", key=key, value=value, timestamp=timestamp, **fields)


def param(key="p", value="1"):
    return post("runs/log-parameter", run_id="<r>", key=key, value=value)


def tag(key="t", value="1"):
    return post("runs/set-tag", run_id="<r>", key=key, value=value)


def batch(**fields):
    return post("runs/log-batch", run_id="<r>", **fields)


history = get("metrics/get-history", run_id="<r>", metric_key="m")

metrics = Group("metrics", *fixture)
metrics.add("log", 200, new, metric(step=3), read)
metrics.add("without a step", 200, new, metric(), read)
metrics.add("without a value", WRONG, new, post("runs/log-metric", run_id="<r>", key="m", timestamp=1).says("'value'"))
metrics.add("without a time", WRONG, new, post("runs/log-metric", run_id="<r>", key="m", value=1).says("'timestamp'"))
metrics.add("without a key", WRONG, new, post("runs/log-metric", run_id="<r>", value=1, timestamp=1).says("'key'"))
for value in ["NaN", "Infinity", "-Infinity", "1.5", "1e3", 0, -0.0, 5e-324, 1.7976931348623157e308, 123456789012345678]:
    metrics.add(f"the value {value}", 200, new, metric(value=value), read)
for value in [True, "x", "", None, [1], {"a": 1}, "inf", "nan", "0x10", "1_000", " 5"]:
    metrics.add(f"the value {value!r}", 200, new, metric(value=value), read)
for time in [0, "7", 253402300799000]:
    metrics.add(f"the time {time!r}", 200, new, metric(timestamp=time), read)
for time, outcome in [(-1, 400), ("x", 400), (1.5, 200), (True, 200), (9223372036854775807, 200),
    (9223372036854775808, 200)]:
    metrics.add(f"the time {time!r}", outcome, new, metric(timestamp=time))
for step in [-5, 9223372036854775807, -9223372036854775808, "8"]:
    metrics.add(f"the step {step!r}", 200, new, metric(step=step), read)
for step, outcome in [(1.5, 200), ("x", 400), (9223372036854775808, 200)]:
    metrics.add(f"the step {step!r}", outcome, new, metric(step=step))
for key in GOOD_KEYS:
    metrics.add(f"the key {short(key)}", 200, new, metric(key), read)
for key in BAD_KEYS:
    metrics.add(f"the key {short(key)}", WRONG, new, metric(key))
metrics.add("the latest is of the greatest step", 200, new, metric(step=2, timestamp=1),
            metric(value=9, step=1, timestamp=5), read)
metrics.add("then of the greatest time", 200, new, metric(timestamp=5), metric(value=9, timestamp=4), read)
metrics.add("then of the greatest value", 200, new, metric(value=2), metric(value=1), read)
metrics.add("NaN counts as zero against less", 200, new, metric(value=-1), metric(value="NaN"), read)
metrics.add("NaN counts as zero against more", 200, new, metric(value=1), metric(value="NaN"), read)
metrics.add("NaN of a later step", 200, new, metric(value=1), metric(value="NaN", step=1), read)
metrics.add("a point twice", 200, new, metric(), metric(), history)
metrics.add("other values at one step", 200, new, metric(value=1), metric(value=2), metric(value=1), history)
metrics.add("by run_uuid", 200, new, post("runs/log-metric", run_uuid="<r>", key="m", value=1, timestamp=1), read)
metrics.add("with a dataset", 200, new, metric(dataset_name="d", dataset_digest="1"), read)

params = Group("params", *fixture)
params.add("log", 200, new, param(), read)
params.add("the same again", 200, new, param(), param(), read)
params.add("another value", WRONG, new, param(), param(value="2").says("Changing param values is not allowed"))
params.add("in another case", 200, new, param("a"), param("A", "2"), read)
params.add("an empty value", 200, new, param(value=""), read)
params.add("an empty value and another", WRONG, new, param(value=""), param(value="1"))
params.add("no value", 200, new, post("runs/log-parameter", run_id="<r>", key="p"), read)
params.add("no key", WRONG, new, post("runs/log-parameter", run_id="<r>", value="p"))
params.add("a number", WRONG, new, param(value=5))
params.add("a value of 6,000 characters", 200, new, param(value="v" * 6000), read)
params.add("a value of 6,001 characters", 200, new, param(value="v" * 6001), read)
params.add("a long value again", 200, new, param(value="ü" * 6001), param(value="ü" * 6001), read)
params.add("other letters", 200, new, param("ключ", "значение 実験 😀"), read)
params.add("line ends", 200, new, param(value="a\n\tb\r\n"), read)
params.add("by run_uuid", 200, new, post("runs/log-parameter", run_uuid="<r>", key="p", value="1"), read)
for key in GOOD_KEYS:
    params.add(f"the key {short(key)}", 200, new, param(key), read)
for key in BAD_KEYS:
    params.add(f"the key {short(key)}", WRONG, new, param(key))

tags = Group("tags", *fixture)
tags.add("set", 200, new, tag(), read)
tags.add("change", 200, new, tag(), tag(value="2"), read)
tags.add("no value", 200, new, post("runs/set-tag", run_id="<r>", key="t"), read)
tags.add("no key", WRONG, new, post("runs/set-tag", run_id="<r>", value="t"))
tags.add("a value of 8,000 characters", 200, new, tag(value="v" * 8000), read)
tags.add("a value of 8,001 characters", 200, new, tag(value="v" * 8001), read)
tags.add("the name of the run", 200, new, tag("mlflow.runName", "other"), read)
tags.add("delete", 200, new, tag(), post("runs/delete-tag", run_id="<r>", key="t"), read)
tags.add("delete none", GONE, new, post("runs/delete-tag", run_id="<r>", key="t").says("No tag with name: t"))
tags.add("delete without a key", WRONG, new, post("runs/delete-tag", run_id="<r>"))
tags.add("by run_uuid", 200, new, post("runs/set-tag", run_uuid="<r>", key="t", value="1"), read)
for key in GOOD_KEYS:
    tags.add(f"the key {short(key)}", 200, new, tag(key), read)
for key in BAD_KEYS:
    tags.add(f"the key {short(key)}", WRONG, new, tag(key))


def points(count, **fields):
    return [dict({"key": f"m{i}", "value": i / 8, "timestamp": 1}, **fields) for i in range(count)]


def pairs(count, first="k"):
    return [{"key": f"{first}{i}", "value": str(i)} for i in range(count)]


batches = Group("batches", *fixture)
batches.add("of all", 200, new, batch(metrics=points(3), params=pairs(3), tags=pairs(2)), read)
batches.add("of nothing", 200, new, batch())
batches.add("of 1,000 metrics", 200, new, batch(metrics=points(1000)))
batches.add("of 1,001 metrics", WRONG, new, batch(metrics=points(1001)).says("at most 1000 metrics"))
batches.add("of 100 params", 200, new, batch(params=pairs(100)), read)
batches.add("of 101 params", WRONG, new, batch(params=pairs(101)).says("at most 100 params"))
batches.add("of 100 tags", 200, new, batch(tags=pairs(100)), read)
batches.add("of 101 tags", WRONG, new, batch(tags=pairs(101)).says("at most 100 tags"))
batches.add("of 1,000 together", 200, new, batch(metrics=points(800), params=pairs(100), tags=pairs(100)))
batches.add("of 1,001 together", WRONG, new, batch(metrics=points(801), params=pairs(100),
            tags=pairs(100)).says("at most 1000"))
batches.add("with a param twice", WRONG, new, batch(params=[{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]))
batches.add("with the same param twice", WRONG, new,
            batch(params=[{"key": "a", "value": "1"}, {"key": "a", "value": "1"}]).says("Duplicate parameter keys"))
batches.add("with a tag twice", 200, new, batch(tags=[{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]), read)
batches.add("with a metric twice", 200, new, batch(metrics=points(1) + points(1)), read)
batches.add("with the steps of a metric", 200, new,
            batch(metrics=[{"key": "m", "value": i, "timestamp": i, "step": 5 - i} for i in range(5)]), read, history)
batches.add("with a param that is there", 200, new, param("k0", "0"), batch(params=pairs(2)), read)
batches.add("with a changed param", WRONG, new, param("k0", "x"), batch(params=pairs(2)))
batches.add("what a changed param leaves behind", 200, new, param("k0", "x"),
            batch(params=pairs(2), tags=pairs(2), metrics=points(2)), read)
batches.add("with a param and a metric of an unknown model", 200, new,
            batch(params=pairs(2), metrics=points(1, model_id="m-1")), read)
batches.add("with a metric without a value", WRONG, new,
            batch(metrics=[{"key": "a", "timestamp": 1}]).says("metrics[0].value"))
batches.add("with a metric without a time", WRONG, new, batch(metrics=points(1) + [{"key": "a",
            "value": 1}]).says("metrics[1].timestamp"))
batches.add("with a metric without a key", WRONG, new, batch(metrics=[{"timestamp": 1, "value": 1}]))
batches.add("with a param without a key", WRONG, new, batch(params=[{"value": "1"}]).says("params[0].key"))
batches.add("with a param without a value", 200, new, batch(params=[{"key": "a"}]), read)
batches.add("with a tag without a key", WRONG, new, batch(tags=[{"value": "1"}]).says("tags[0].key"))
batches.add("with a bad metric name", WRONG, new, batch(metrics=points(1, key="a//b")))
batches.add("with a bad param name", WRONG, new, batch(params=[{"key": "a;b", "value": "1"}]))
batches.add("with a bad tag name", WRONG, new, batch(tags=[{"key": "..", "value": "1"}]))
batches.add("with a bad value", 200, new, batch(metrics=points(1, value="x")))
batches.add("with a bad time", WRONG, new, batch(metrics=points(1, timestamp=-1)))
batches.add("with a bad step", 200, new, batch(metrics=points(1, step="x")))
batches.add("with odd numbers", 200, new, batch(metrics=[
    {"key": k, "value": v, "timestamp": 1} for k, v in [("a", "NaN"), ("b", "Infinity"), ("c", "-Infinity")]]), read)
batches.add("with a long param", 200, new, batch(params=[{"key": "a", "value": "v" * 6001}]), read)
batches.add("with a long tag", 200, new, batch(tags=[{"key": "a", "value": "v" * 8001}]), read)
batches.add("with the name of the run", 200, new, batch(tags=[{"key": "mlflow.runName", "value": "y"}]), read)
batches.add("with metrics that are no list", WRONG, new, batch(metrics="x"))
batches.add("with a metric that is no message", 500, new, batch(metrics=[5]))
batches.add("with a key twice in a message", 200, new, raw(
    "POST", "runs/log-batch", b'{"run_id": "<r>", "tags": [{"key": "a", "value": "1", "value": "2"}]}'), read)
batches.add("with an id of 300 characters", 400, post("runs/log-batch", run_id="r" * 300))
GROUPS = [metrics, params, tags, batches]
