"""Cases of requests, the servers they are played on, and what of an answer counts.

A case is played with names of its own, so cases do not see each other. `<n>` in a request is a text that only this case has,
`<g>` one that only its group has; `<x>` is what an earlier request has kept as x.
"""
import http.client
import json
import re
import socket
import urllib.parse

PLACEHOLDER = re.compile(r"<([a-z]\w*)>")


class Step:
    """One request."""

    def __init__(self, method, path, body=None, query=None, type="application/json"):
        self.method, self.path, self.body, self.query, self.type = method, path, body, query or {}, type
        self.kept, self.text, self.unordered = {}, None, False

    def keep(self, **paths):
        """Keeps values of the answer under names, each found by a path such as `run.info.run_id`."""
        self.kept.update(paths)
        return self

    def says(self, text):
        """The message of the error has this text."""
        self.text = text
        return self

    def names(self):
        return set(PLACEHOLDER.findall(json.dumps([self.path, self.body, self.query],
            default=lambda b: b.decode("latin1"))))

    def __str__(self):
        body = self.body if self.body is not None else self.query
        return f"{self.method} {self.path} {str(body)[:300]}"


def post(path, /, **fields):
    return Step("POST", path, fields)


def patch(path, /, **fields):
    return Step("PATCH", path, fields)


def delete(path, /, **fields):
    return Step("DELETE", path, fields)


def get(path, /, **query):
    return Step("GET", path, query=query)


def raw(method, path, body=b"", type="application/json"):
    """A request whose body is sent as it is."""
    return Step(method, path, body, type=type)


def short(text):
    """A text as the name of a case has it."""
    return repr(text) if len(text) < 20 else f"of {len(text)} characters"


class Group:
    """Cases with a fixture that is made once for all of them."""

    def __init__(self, name, *fixture):
        self.name, self.fixture, self.cases = name, fixture, []

    def add(self, name, outcome, *steps):
        """A behaviour: the requests of `steps` in turn, the last of which has the outcome that MLflow's documentation or its
        code tells: a status, or the name of an error."""
        known = {"n", "g"}
        for step in self.fixture + steps:
            unknown = step.names() - known
            assert not unknown, f"{name}: {unknown} are not kept by an earlier request"
            known |= set(step.kept)
        assert name not in [case[0] for case in self.cases], f"two cases are called {name}"
        self.cases.append((name, outcome, steps))


class Server:
    """A connection to a server that speaks MLflow's protocol."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.address = (parts.hostname, parts.port)
        self.connection = None

    def send(self, method, path, body, type):
        for attempt in (1, 2):
            if self.connection is None:
                self.connection = http.client.HTTPConnection(*self.address, timeout=60)
                self.connection.connect()
                self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                # MLflow answers in two writes, and would wait for the late acknowledgement of the first.
                self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
                headers = {"Content-Type": type} if type else {}
                self.connection.request(method, path, body=body, headers=headers)
                answer = self.connection.getresponse()
                content = answer.read()
                if answer.will_close:
                    self.close()
                return answer.status, (answer.getheader("Content-Type") or "").split(";")[0], content
            except (http.client.HTTPException, OSError):
                self.close()
                if attempt == 2:
                    raise

    def close(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def play(self, step, values):
        """Sends a request, keeps what is to be kept, and gives what of the answer counts."""
        path = fill(step.path, values)
        path = path if path.startswith("/") else f"/api/2.0/mlflow/{path}"
        if step.query:
            path += "?" + urllib.parse.urlencode(fill(step.query, values), doseq=True)
        body = step.body
        if isinstance(body, bytes):
            body = fill(body.decode("latin1"), values).encode("latin1")
        elif body is not None:
            body = json.dumps(fill(body, values)).encode()
        status, type, content = self.send(step.method, path, body, step.type if body is not None else None)
        try:
            document = json.loads(content, parse_constant=lambda name: name)
        except ValueError:
            document = None
        for name, place in step.kept.items():
            found = dig(document, place)
            if found is not None:
                values[name] = str(found)
        if status >= 400:
            error = document.get("error_code") if isinstance(document, dict) else {404: "ENDPOINT_NOT_FOUND",
                405: "ENDPOINT_NOT_FOUND"}.get(status)
            outcome = {"status": status, "error": error}
            if step.text is not None:
                message = document.get("message", "") if isinstance(document, dict) else ""
                outcome["message"] = f"has {step.text!r}" if fill(step.text, values) in message else message
            return outcome
        if type == "application/json" and document is not None and "mlflow-artifacts/artifacts/" not in path:
            return {"status": status, "answer": canonical(document, values)}
        return {"status": status, "type": type, "content": canonical(content.decode("utf-8", "replace"), values)}


def fill(value, values):
    """A request with what was kept in place of the placeholders."""
    if isinstance(value, str):
        return PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), value)
    if isinstance(value, list):
        return [fill(item, values) for item in value]
    if isinstance(value, dict):
        return {fill(key, values): fill(item, values) for key, item in value.items()}
    return value


def dig(document, place):
    for part in place.split("."):
        if isinstance(document, list):
            document = document[int(part)] if int(part) < len(document) else None
        else:
            document = document.get(part) if isinstance(document, dict) else None
    return document


TIMES = {"creation_time", "last_update_time", "creation_timestamp", "last_updated_timestamp", "creation_timestamp_ms",
         "last_updated_timestamp_ms"}
# Their order means nothing.
SETS = {"params": "key", "tags": "key", "aliases": "alias", "latest_versions": "version"}


def canonical(value, values, key="", parent=""):
    """An answer without what differs from server to server and from day to day."""
    if isinstance(value, dict):
        # A text that is empty and one that is not there are the same to a client.
        return {name: canonical(item, values, name, key) for name, item in value.items()
                if (name, item) != ("description", "")}
    if isinstance(value, list):
        items = [canonical(item, values, key, parent) for item in value]
        order = "key" if key == "metrics" and parent == "data" else SETS.get(key)
        if order and all(isinstance(item, dict) for item in items):
            items.sort(key=lambda item: (str(item.get(order)), str(item)))
        elif key == "aliases":
            items.sort()
        elif key == "metrics" and parent != "data":
            # By ids, which are others on each server.
            items.sort(key=lambda item: item.get("run_id", ""))
        return items
    if key in TIMES and value:
        return "<a time>"
    if key == "next_page_token" and value:
        return "<a token>"
    if not isinstance(value, str):
        return value
    if key == "experiment_id":
        return next((f"<{name}>" for name, kept in values.items() if kept == value and name[0] == "e"), "<an experiment>")
    for name, kept in values.items():
        if len(kept) > 10:
            value = value.replace(kept, f"<{name}>")
    value = re.sub(r"m-[0-9a-f]{32}", "<a logged model>", value)
    value = re.sub(r"[0-9a-f]{32}", "<an id>", value)
    value = re.sub(r"mlflow-artifacts:/\d+", "mlflow-artifacts:/<an experiment>", value)
    if re.fullmatch(r"[a-z]+-[a-z]+-\d+", value):
        return "<a made up name>"
    return value


def difference(ours, theirs, place=""):
    """Where two answers differ, a line for each place."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(set(ours) | set(theirs)):
            if key not in ours or key not in theirs:
                side, item = ("MLflow has", theirs[key]) if key in theirs else ("MLflow lacks", ours[key])
                yield f"{place}.{key}: {side} {item!r}"
            else:
                yield from difference(ours[key], theirs[key], f"{place}.{key}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, pair in enumerate(zip(ours, theirs)):
            yield from difference(*pair, f"{place}[{index}]")
    elif ours != theirs:
        yield f"{place}: {str(ours)[:400]!r} here, {str(theirs)[:400]!r} with MLflow"
