"""What MLflow's stock client does with traces, against the server at URL.

usage: mlflow_traces.py URL   (prints what differs from MLflow's rules, and exits 1 where anything does)
"""
import json
import time

from mlflow_checks import SALT, URL, check, client, play, refused

import mlflow
import requests
from mlflow.entities import SpanStatusCode, SpanType
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

EXPERIMENT = mlflow.set_experiment(f"traces {SALT}").experiment_id


@mlflow.trace(span_type=SpanType.CHAIN, attributes={"colour": "blue"})
def answer(question, depth=0):
    with mlflow.start_span("look up", span_type=SpanType.RETRIEVER) as span:
        span.set_inputs({"question": question, "nested": [[{"deep": {"deeper": [1, 2.5, None, True, "ü"]}}]]})
        span.set_attribute("large", 9_007_199_254_740_993)
        span.set_outputs(["a", {"b": {}}, []])
        span.add_event(mlflow.entities.SpanEvent("found", attributes={"pages": 3}))
    if depth > 0:
        answer(question, depth - 1)
    return {"answer": question.upper()}


def search(filter="", **named):
    found = mlflow.search_traces(
        locations=[EXPERIMENT], filter_string=filter or None, return_type="list", **named)
    return [trace.info.trace_id for trace in found]


def whole_trace():
    answer("where is the plane?", depth=2)
    mlflow.flush_trace_async_logging()
    id = mlflow.get_last_active_trace_id()
    trace = mlflow.get_trace(id)
    check("id", trace.info.trace_id, id)
    check("experiment", trace.info.experiment_id, EXPERIMENT)
    check("state", trace.info.state, "OK")
    check("name", trace.info.tags["mlflow.traceName"], "answer")
    check("where spans are", trace.info.tags["mlflow.trace.spansLocation"], "TRACKING_STORE")
    check("where files are", trace.info.tags["mlflow.artifactLocation"].endswith(f"/traces/{id}/artifacts"), True)
    check("duration", trace.info.execution_duration >= 0, True)
    check("preview", json.loads(trace.info.request_preview), {"question": "where is the plane?", "depth": 2})
    check("answer's preview", json.loads(trace.info.response_preview), {"answer": "WHERE IS THE PLANE?"})
    spans = trace.data.spans
    check("spans", sorted(span.name for span in spans), ["answer"] * 3 + ["look up"] * 3)
    roots = [span for span in spans if span.parent_id is None]
    check("one root", len(roots), 1)
    check("root's inputs", roots[0].inputs, {"question": "where is the plane?", "depth": 2})
    check("root's outputs", roots[0].outputs, {"answer": "WHERE IS THE PLANE?"})
    check("attribute", roots[0].get_attribute("colour"), "blue")
    check("type", roots[0].span_type, SpanType.CHAIN)
    parents = {span.span_id for span in spans}
    check("parents", all(span.parent_id in parents for span in spans if span.parent_id), True)
    look = next(span for span in spans if span.name == "look up")
    check("nested inputs", look.inputs["nested"], [[{"deep": {"deeper": [1, 2.5, None, True, "ü"]}}]])
    check("outputs", look.outputs, ["a", {"b": {}}, []])
    check("large number", look.get_attribute("large"), 9_007_199_254_740_993)
    check("event", [(event.name, event.attributes["pages"]) for event in look.events], [("found", 3)])
    check("times", look.start_time_ns <= look.end_time_ns, True)
    check("status", look.status.status_code, SpanStatusCode.OK)
    check("found by search", search(), [id])
    infos = client._tracing_client.store.batch_get_trace_infos([id, "tr-none"])
    check("infos of several", [info.trace_id for info in infos], [id])
    return id


def failing_trace():
    @mlflow.trace
    def fail():
        raise ValueError("no fuel")

    try:
        fail()
    except ValueError:
        pass
    mlflow.flush_trace_async_logging()
    trace = mlflow.get_trace(mlflow.get_last_active_trace_id())
    check("state of a failure", trace.info.state, "ERROR")
    span = trace.data.spans[0]
    check("status of a failure", span.status.status_code, SpanStatusCode.ERROR)
    check("description of a failure", "no fuel" in span.status.description, True)
    check("event of a failure", [event.name for event in span.events], ["exception"])
    return trace.info.trace_id


def run_trace():
    with mlflow.start_run() as run:
        with mlflow.start_span("in a run") as span:
            span.set_inputs("text only")
    mlflow.flush_trace_async_logging()
    id = mlflow.get_last_active_trace_id()
    check("traces of a run", search(run_id=run.info.run_id), [id])
    check("run", mlflow.get_trace(id).info.trace_metadata["mlflow.sourceRun"], run.info.run_id)
    return id


def tagged_trace():
    with mlflow.start_span("tagged") as span:
        mlflow.update_current_trace(
            tags={"team": "red"}, metadata={"release": "7"}, client_request_id=f"call-{SALT}")
    mlflow.flush_trace_async_logging()
    id = span.trace_id
    mlflow.set_trace_tag(id, "shift", "night")
    mlflow.set_trace_tag(id, "shift", "late")
    mlflow.set_trace_tag(id, "other", "x")
    mlflow.delete_trace_tag(id, "other")
    info = mlflow.get_trace(id).info
    check("tags", {key: info.tags.get(key) for key in ("team", "shift", "other")},
          {"team": "red", "shift": "late", "other": None})
    check("metadata", info.trace_metadata["release"], "7")
    check("client's id", info.client_request_id, f"call-{SALT}")
    refused("tag that is not there", "RESOURCE_DOES_NOT_EXIST", mlflow.delete_trace_tag, id, "none")
    return id


def searches(whole, failed, in_run, tagged):
    everything = {whole, failed, in_run, tagged}
    check("newest first", search(), [tagged, in_run, failed, whole])
    check("oldest first", search(order_by=["timestamp_ms ASC"]), [whole, failed, in_run, tagged])
    check("by state", search("status = 'ERROR'"), [failed])
    check("by other states", set(search("attributes.status != 'ERROR'")), everything - {failed})
    check("by name", search("name = 'answer'"), [whole])
    check("by ids", set(search(f"request_id IN ('{whole}', '{failed}')")), {whole, failed})
    check("by part of a name", search("trace.name LIKE 'in a %'"), [in_run])
    check("by tag", search("tags.team = 'red'"), [tagged])
    check("by tag and state", search("tags.shift = 'late' AND status = 'OK'"), [tagged])
    check("without a tag", set(search("tags.team IS NULL")), everything - {tagged})
    check("by metadata", search("metadata.release = '7'"), [tagged])
    check("by request metadata", search("request_metadata.release = '8'"), [])
    check("by client's id", search(f"client_request_id = 'call-{SALT}'"), [tagged])
    check("by id", search(f"request_id = '{failed}'"), [failed])
    now = int(time.time() * 1000) + 1000
    check("by time", set(search(f"timestamp_ms <= {now} AND timestamp_ms > {now - 600_000}")), everything)
    check("by later time", search(f"timestamp > {now}"), [])
    check("by duration", set(search("execution_time_ms >= 0")), everything)
    page = client.search_traces(locations=[EXPERIMENT], max_results=3)
    rest = client.search_traces(locations=[EXPERIMENT], max_results=3, page_token=page.token)
    check("pages", [len(page), len(rest), rest.token], [3, 1, None])
    check("without spans", [len(t.data.spans) for t in client.search_traces([EXPERIMENT], include_spans=False)], [0] * 4)
    check("as a table", len(mlflow.search_traces(locations=[EXPERIMENT])), 4)
    for text in ("status > 'OK'", "nothing = 'x'", "name ="):
        refused(f"filter {text!r}", "INVALID_PARAMETER_VALUE", search, text)


def plain_spans():
    """Spans of an exporter that knows nothing of MLflow: the outermost comes last, in an export of its own."""
    trace = int(SALT).to_bytes(16, "big")
    second = 10**9

    def export(*spans, experiment=EXPERIMENT, type="application/x-protobuf", body=None, trace=trace):
        request = ExportTraceServiceRequest()
        scope = request.resource_spans.add().scope_spans.add()
        for id, parent, name, start, end, code in spans:
            span = scope.spans.add(
                trace_id=trace, span_id=id.to_bytes(8, "big"), name=name, start_time_unix_nano=start,
                end_time_unix_nano=end)
            span.status.code = code
            if parent:
                span.parent_span_id = parent.to_bytes(8, "big")
        headers = {"Content-Type": type} | ({"x-mlflow-experiment-id": experiment} if experiment else {})
        data = request.SerializeToString() if body is None else body
        return requests.post(f"{URL}/v1/traces", data=data, headers=headers, timeout=10).status_code

    start = 1_700_000_000 * second
    check("inner span", export((2, 1, "inner", start + second, start + 2 * second, 1)), 200)
    id = f"tr-{trace.hex()}"
    info = client._tracing_client.get_trace_info(id)
    check("state before its end", (info.state, info.request_time), ("IN_PROGRESS", 1_700_000_001_000))
    check("outer span", export((1, 0, "outer", start, start + 3 * second, 2)), 200)
    found = mlflow.get_trace(id)
    check("state at its end", found.info.state, "ERROR")
    check("time and duration", (found.info.request_time, found.info.execution_duration), (1_700_000_000_000, 3000))
    check("order of spans", [span.name for span in found.data.spans], ["outer", "inner"])
    check("sent again", export((2, 1, "inner again", start + second, start + 2 * second, 1)), 200)
    check("replaced", [span.name for span in mlflow.get_trace(id).data.spans], ["outer", "inner again"])
    good = (3, 1, "x", start, start, 1)
    check("no experiment", export(good, experiment=None) in (400, 422), True)
    other = (int(SALT) + 1).to_bytes(16, "big")
    check("unknown experiment", export(good, experiment="987654321", trace=other), 404)
    check("nothing", export(body=b""), 400)
    check("other type", export(good, type="text/plain"), 400)
    check("no message", export(body=b"\xff\xff\xff\xff"), 400)
    return id


def deletion(experiment, traces):
    refused("delete nothing", "INVALID_PARAMETER_VALUE", client.delete_traces, experiment)
    check("delete one", client.delete_traces(experiment, trace_ids=[traces[0], "tr-none"]), 1)
    check("deleted", mlflow.get_trace(traces[0], silent=True), None)
    check("in another experiment", client.delete_traces("0", trace_ids=[traces[1]]), 0)
    later = int(time.time() * 1000) + 1000
    check("delete the oldest", client.delete_traces(experiment, max_timestamp_millis=later, max_traces=1), 1)
    check("left", len(search()), len(traces) - 2)
    check("delete all", client.delete_traces(experiment, max_timestamp_millis=later), len(traces) - 2)
    check("none left", search(), [])


def traces():
    whole, failed, in_run, tagged = whole_trace(), failing_trace(), run_trace(), tagged_trace()
    searches(whole, failed, in_run, tagged)
    plain = plain_spans()
    check("unknown trace", mlflow.get_trace("tr-none", silent=True), None)
    deletion(EXPERIMENT, [whole, failed, in_run, tagged, plain])


play(traces)
