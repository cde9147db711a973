"""What no client of MLflow should send, sent to the server at URL: nothing of it may break, leak or half-happen.

usage: mlflow_bad_input.py URL   (prints what is wrong, and exits 1 where anything is)
"""
import http.client
import json
import socket
import sys
import threading
import time
import urllib.parse

URL = urllib.parse.urlsplit(sys.argv[1])
SALT = str(time.time_ns())
API, STORE = "/api/2.0/mlflow", "/api/2.0/mlflow-artifacts/artifacts"
problems = []
count = 0


def check(what, found, wanted):
    global count
    count += 1
    if found != wanted:
        problems.append(f"{what}: {str(found)[:300]!r} instead of {str(wanted)[:300]!r}")


def send(method, path, body=None, type="application/json"):
    connection = http.client.HTTPConnection(URL.hostname, URL.port, timeout=60)
    try:
        content = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
        connection.request(method, path, body=content, headers={"Content-Type": type})
        answer = connection.getresponse()
        content = answer.read()
        try:
            return answer.status, json.loads(content)
        except ValueError:
            return answer.status, content
    finally:
        connection.close()


def post(path, **fields):
    return send("POST", f"{API}/{path}", fields)


def experiment(name):
    return post("experiments/create", name=f"{name} {SALT}")[1]["experiment_id"]


def run(group):
    return post("runs/create", experiment_id=group)[1]["run"]["info"]["run_id"]


def data(id):
    return send("GET", f"{API}/runs/get?run_id={id}")[1]["run"]["data"]


def pairs(items):
    return {item["key"]: item.get("value") for item in items}


INJECTIONS = [
    "' OR '1'='1", "'; DROP TABLE runs; --", "' UNION SELECT name FROM sqlite_master --", "x') OR 1=1 --", "\\' OR 1=1 --",
        "%' OR '%'='",
    "'; SELECT pg_sleep(30); --", "' || (SELECT value FROM run_tags LIMIT 1) || '", "\"; DELETE FROM experiments; --",
        "$$; DROP TABLE runs; $$",
    "?1", ":name", "{value}", "\x00' OR 1=1 --",
]


def injections():
    group = experiment("injections")
    id = run(group)
    post("runs/log-batch", run_id=id, params=[{"key": "p", "value": "secret"}], tags=[{"key": "t", "value": "secret"}],
         metrics=[{"key": "m", "value": 1, "timestamp": 1}])
    started = time.monotonic()
    for text in INJECTIONS:
        doubled = text.replace("'", "''")
        for filter in [f"params.p = '{text}'", f"params.p = '{doubled}'", f"tags.t LIKE '{doubled}'",
            f"params.`{text}` = 'secret'",
                       f"tags.\"{text}\" = 'x'", f"metrics.`{text}` > 0", f"run_id IN ('{text}')", f"metrics.m > {text}",
                       text]:
            status, answer = post("runs/search", experiment_ids=[group], filter=filter)
            check(f"the filter {filter!r} finds nothing or is refused", (status in (200, 400), answer.get("runs", [])),
                (True, []))
        for order in [text, f"metrics.`{text}`", f"metrics.m {text}", f"params.\"{text}\" DESC"]:
            status, answer = post("runs/search", experiment_ids=[group], order_by=[order])
            check(f"the order {order!r} is a key or refused", status in (200, 400), True)
            check(f"the order {order!r} finds what is there", [r["info"]["run_id"] for r in answer.get("runs", [])],
                [id] if status == 200 else [])
        for path in ["experiments/search", "logged-models/search"]:
            status, answer = post(path, experiment_ids=[group], max_results=10, filter=f"name = '{text}'")
            check(f"{path} with {text!r}", (status in (200, 400),
                {k: v for k, v in answer.items() if k in ("experiments", "models")}), (True, {}))
        for path, list in [("registered-models/search", "registered_models"), ("model-versions/search", "model_versions")]:
            status, answer = send("GET", f"{API}/{path}?" + urllib.parse.urlencode({"filter": f"name = '{text}'"}))
            check(f"{path} with {text!r}", (status in (200, 400), answer.get(list, [])), (True, []))
        check(f"the id {text!r}", send("GET", f"{API}/runs/get?" + urllib.parse.urlencode({"run_id": text}))[0] in (400,
            404), True)
        check(f"the experiment {text!r}", post("runs/search", experiment_ids=[text])[0], 400)
        check(f"the token {text!r}", post("runs/search", experiment_ids=[group], page_token=text)[0], 400)
        status, _ = post("runs/set-tag", run_id=id, key="note", value=text)
        if status == 200:
            check(f"the value {text!r} is kept as it is", pairs(data(id)["tags"])["note"], text)
    check("it took no time", time.monotonic() - started < 25, True)
    check("all is still there", pairs(data(id)["params"]), {"p": "secret"})


def filters():
    group = experiment("filters")
    run(group)
    for what, filter in [
            ("100 KB", f"params.a = '{'x' * 100_000}'"), ("1,000 clauses", " AND ".join(["metrics.a > 1"] * 1000)),
                ("1,000 ORs", " OR ".join(["metrics.a > 1"] * 1000)),
            ("100,000 brackets", "(" * 100_000), ("50,000 quotes", "'" * 50_001),
                ("30,000 commas", "run_id IN (" + ",".join(["'a'"] * 30_000)),
            ("a key of 60 KB", f"metrics.{'k' * 60_000}"), ("blanks and no end", "metrics.a >" + " " * 60_000)]:
        started = time.monotonic()
        status, answer = post("runs/search", experiment_ids=[group], filter=filter)
        check(f"a filter of {what}", (status, answer.get("error_code")), (400, "INVALID_PARAMETER_VALUE"))
        check(f"a filter of {what} is refused briefly", len(answer.get("message",
            "")) < 1000 and time.monotonic() - started < 5, True)
    id = run(group)
    post("runs/log-batch", run_id=id, metrics=[{"key": "a", "value": 2, "timestamp": 1}],
         params=[{"key": "p", "value": "x"}])
    used = {"dataset": {"name": "rows", "digest": "d", "source_type": "l", "source": "s"}, "tags": []}
    post("runs/log-inputs", run_id=id, datasets=[used])
    for clause in ["metrics.a > 1", "params.p = 'x'", "tags.none IS NULL", "datasets.name = 'rows'", "status = 'RUNNING'"]:
        started = time.monotonic()
        status, answer = post("runs/search", experiment_ids=[group], filter=" AND ".join([clause] * 200))
        found = [r["info"]["run_id"] for r in answer.get("runs", [])]
        check(f"200 times {clause}", (status, id in found, time.monotonic() - started < 8), (200, True, True))
    check("5,000 experiments", post("runs/search", experiment_ids=[str(i) for i in range(5000)])[0] in (200, 400), True)
    check("200 orders", post("runs/search", experiment_ids=[group], order_by=[f"metrics.a{i}" for i in range(200)])[0], 400)


def paths():
    group = experiment("paths")
    id = run(group)
    odd = ["../x", "..", "a/../../x", "/etc/passwd", "//etc/passwd", "%2e%2e/x", "%2E%2E%2Fx", "%252e%252e%252fx",
        "%25252e%25252e/x", "..%2fx", "..%5cx", "a%5c..%5c..%5cx",
           "%2fetc%2fpasswd", "a/%2e%2e/%2e%2e/x", "C:%5Cx", "C:/x", "file:///etc/passwd", "a%00b", "a//b", "./a", "a/.",
           "%c0%ae%c0%ae/x", "a%23b", "a" * 3000]
    for path in odd:
        for method in ["PUT", "GET", "DELETE"]:
            # Sent as it stands: clients would tidy it up.
            status = send(method, f"{STORE}/{path}", b"x" if method == "PUT" else None, "application/octet-stream")[0]
            check(f"{method} {path[:40]}", status in (400, 404, 414, 431), True)
            check(f"{method} {path[:40]} does nothing", not (method == "PUT" and status == 200), True)
        status, answer = send("GET", f"{STORE}?path={path}")
        check(f"the list of {path[:40]}", (status == 200 and not answer) or status in (400, 404, 414, 431), True)
        status, answer = send("GET", f"{API}/artifacts/list?run_id={id}&path={path}")
        check(f"the run's list of {path[:40]}", status in (400, 404, 414, 431) or not answer.get("files"), True)
    check("nothing was put", send("GET", f"{STORE}?path=x")[1], {})
    check("nothing was put", send("GET", f"{API}/artifacts/list?run_id={id}")[1].get("files", []), [])
    for location in ["mlflow-artifacts:/../x", "mlflow-artifacts:/a/../../b", "s3://b/../x"]:
        check(f"the location {location}", post("experiments/create", name=f"{location} {SALT}",
            artifact_location=location)[0], 400)


def cut_uploads():
    group = experiment("uploads")
    id = run(group)
    folder = f"{group}/{id}/artifacts"
    for what, head, body in [
            ("a length", f"Content-Length: 1000000\r\n", b"x" * 400_000),
                ("a length and no byte", "Content-Length: 10\r\n", b""),
            ("chunks", "Transfer-Encoding: chunked\r\n", b"4\r\nabcd\r\n8\r\nabc"),
                ("chunks without the last", "Transfer-Encoding: chunked\r\n", b"4\r\nabcd\r\n")]:
        name = what.replace(" ", "-")
        with socket.create_connection((URL.hostname, URL.port), 30) as wire:
            wire.sendall(f"PUT {STORE}/{folder}/{name} HTTP/1.1\r\nHost: {URL.netloc}\r\n{head}\r\n".encode() + body)
        check(f"cut by {what}: nothing is there", send("GET", f"{STORE}/{folder}/{name}")[0], 404)
        with socket.create_connection((URL.hostname, URL.port), 30) as wire:
            wire.sendall(f"PUT {STORE}/{folder}/kept HTTP/1.1\r\nHost: {URL.netloc}\r\nContent-Length: 5\r\nConnection: close\r\n\r\nfirst".encode())
            while wire.recv(4096):
                pass
        with socket.create_connection((URL.hostname, URL.port), 30) as wire:
            wire.sendall(f"PUT {STORE}/{folder}/kept HTTP/1.1\r\nHost: {URL.netloc}\r\n{head}\r\n".encode() + body)
        check(f"cut by {what}: the old one stays", send("GET", f"{STORE}/{folder}/kept"), (200, b"first"))
    check("the list", [f["path"] for f in send("GET", f"{API}/artifacts/list?run_id={id}")[1]["files"]], ["kept"])


def texts():
    group = experiment("texts")
    id = run(group)
    for what, body in [
            ("bytes that are no UTF-8", b'{"run_id": "' + id.encode() + b'", "key": "a", "value": "\xff\xfe"}'),
            ("an overlong slash", b'{"run_id": "' + id.encode() + b'", "key": "a", "value": "\xc0\xaf"}'),
            ("half a pair", b'{"run_id": "' + id.encode() + b'", "key": "a", "value": "\\ud800"}'),
            ("UTF-16", '{"run_id": "x"}'.encode("utf-16")), ("a list", b"[]"), ("a number", b"5"),
                ("an end", b'{"run_id": "'), ("depth", b"[" * 100_000),
            ("a NUL", b'{"run_id": "' + id.encode() + b'", "key": "a", "value": "\\u0000"}')]:
        status, answer = send("POST", f"{API}/runs/set-tag", body)
        check(f"{what}: refused", (status, answer.get("error_code")), (400, "INVALID_PARAMETER_VALUE"))
    check("nothing of it", set(pairs(data(id)["tags"])), {"mlflow.runName"})
    body = b'{"run_id": "' + id.encode() + b'", "run_id": "' + id.encode() + b'", "key": "a", "key": "b", "value": "1"}'
    check("a field twice", send("POST", f"{API}/runs/set-tag", body)[0] in (200, 400), True)
    for query in ["run_id=%ff", "run_id=%", "run_id=%zz", "run_id=" + "x" * 9000]:
        check(f"the query {query[:20]}", send("GET", f"{API}/runs/get?{query}")[0] in (400, 404, 414, 431), True)


def batches():
    group = experiment("batches")
    id = run(group)

    def batch(metrics=0, params=0, tags=0):
        return post("runs/log-batch", run_id=id, metrics=[{"key": f"m{i}", "value": 1,
            "timestamp": 1} for i in range(metrics)],
                    params=[{"key": f"p{i}", "value": "1"} for i in range(params)],
                    tags=[{"key": f"t{i}", "value": "1"} for i in range(tags)])

    for sizes in [(1001, 0, 0), (0, 101, 0), (0, 0, 101), (900, 60, 60), (100_000, 0, 0)]:
        check(f"a batch of {sizes}", batch(*sizes)[0], 400)
    twice = [{"key": "p", "value": "1"}, {"key": "p", "value": "2"}]
    check("a param twice", post("runs/log-batch", run_id=id, params=twice, tags=[{"key": "never", "value": "1"}])[0], 400)
    check("nothing of it", (data(id).get("metrics"), data(id).get("params"), set(pairs(data(id)["tags"]))),
        (None, None, {"mlflow.runName"}))
    check("a tag twice: the last", post("runs/log-batch", run_id=id,
        tags=[{"key": "t", "value": "1"}, {"key": "t", "value": "2"}])[0], 200)
    check("a tag twice: the last", pairs(data(id)["tags"])["t"], "2")


def races():
    """Two clients write one param at once with different values: one of them wins, the other is told so."""
    group = experiment("races")
    id = run(group)
    for round in range(40):
        ready, answers = threading.Barrier(2), {}

        def write(value):
            ready.wait()
            answers[value] = post("runs/log-parameter", run_id=id, key=f"p{round}", value=value)

        writers = [threading.Thread(target=write, args=(value,)) for value in ("one", "two")]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        won = [value for value, answer in answers.items() if answer[0] == 200]
        lost = [answer for answer in answers.values() if answer[0] != 200]
        check("one wins", len(won), 1)
        check("the other is told", [(status, "already logged" in answer["message"]) for status, answer in lost],
            [(400, True)])
        check("the winner's value stays", [pairs(data(id)["params"])[f"p{round}"]], won)


for part in [injections, filters, paths, cut_uploads, texts, batches, races]:
    try:
        part()
    except Exception as error:
        problems.append(f"{part.__name__} broke off: {type(error).__name__}: {error}")
for problem in problems:
    print(problem)
print(f"{count} checks, {len(problems)} problems")
sys.exit(1 if problems else 0)
