"""Artifacts: the list of a run, and the store that the server keeps itself."""
from play import Group, get, post, raw

WRONG, GONE = "INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"
STORE = "/api/2.0/mlflow-artifacts/artifacts"


def put(path, body=b"text", type="application/octet-stream"):
    return raw("PUT", f"{STORE}/{path}", body, type)


def take(path):
    return get(f"{STORE}/{path}")


def remove(path):
    return raw("DELETE", f"{STORE}/{path}", None)


def entries(**query):
    return get(STORE, **query)


store = Group("artifact store")
store.add("put and get", 200, put("<n>/a.txt"), take("<n>/a.txt"))
store.add("put and replace", 200, put("<n>/a.txt"), put("<n>/a.txt", b"other"), take("<n>/a.txt"))
store.add("an empty file", 200, put("<n>/a.bin", b""), take("<n>/a.bin"))
for name in ["a.json", "a.csv", "a.html", "a.png", "a.md", "a.yaml", "a.svg", "a.pdf", "a.log", "a.py", "a", "a.pkl",
    "MLmodel", "a.js", "a.xml", "a.zip", "a.parquet", "a.jpg", "a.tar.gz"]:
    store.add(f"the type of {name}", 200, put(f"<n>/{name}"), take(f"<n>/{name}"))
store.add("bytes of any kind", 200, put("<n>/a.txt", bytes(range(256))), take("<n>/a.txt"))
store.add("a type of any kind", 200, put("<n>/a.txt", b"{}", "application/json"), take("<n>/a.txt"))
store.add("a name with blanks and signs", 200, put("<n>/a%20b%20%C3%BC.txt"), take("<n>/a%20b%20%C3%BC.txt"),
          entries(path="<n>"))
store.add("get: none", GONE, take("<n>/none.txt"))
store.add("get: a folder", 400, put("<n>/d/a.txt"), take("<n>/d"))
store.add("list", 200, put("<n>/b.txt", b"12345"), put("<n>/a.txt"), put("<n>/d/c.txt"), entries(path="<n>"))
store.add("list a folder", 200, put("<n>/d/c.txt"), entries(path="<n>/d"))
store.add("list none", 200, entries(path="<n>"))
store.add("list a file", 200, put("<n>/a.txt"), entries(path="<n>/a.txt"))
store.add("delete", GONE, put("<n>/a.txt"), remove("<n>/a.txt"), take("<n>/a.txt"))
store.add("delete a folder", 200, put("<n>/d/a.txt"), put("<n>/d/b.txt"), remove("<n>/d"), entries(path="<n>"))
store.add("delete none", 200, remove("<n>/none"))
store.add("delete twice", 200, put("<n>/a.txt"), remove("<n>/a.txt"), remove("<n>/a.txt"))
store.add("a file where a folder is", 500, put("<n>/d/a.txt"), put("<n>/d"))
store.add("a folder where a file is", 500, put("<n>/d"), put("<n>/d/a.txt"))
for path in ["%2e%2e/x", "a/%2e%2e/x", "%252e%252e/x", "a%5c..%5cx", "%2Fetc/passwd", "a/%252F..%252F..", "C:/x", "C:%5Cx",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "a%23b", "..%00/x"]:
    odd = {"a%5c..%5cx": (200, 200, 200), "%2Fetc/passwd": (400, 400, 308), "..%00/x": (500, 404, 200)}.get(path,
        (400, 400, 400))
    store.add(f"put to {path}", odd[0], put(path))
    store.add(f"get of {path}", odd[1], put(path), take(path))
    store.add(f"delete of {path}", odd[2], remove(path))
for path in ["..", "../x", "a/../../x", "/etc", "/etc/passwd", "a\\..\\x", "%2e%2e", "file:///etc/passwd", "C:\\x", "a#b",
    "~"]:
    store.add(f"list of {path}", 400 if path not in ("~", "a\\..\\x") else 200, entries(path=path))

runs = Group("artifacts of runs", post("experiments/create", name="<g>").keep(e="experiment_id"),
             post("runs/create", experiment_id="<e>", run_name="x").keep(r="run.info.run_id"),
             put("<e>/<r>/artifacts/a.txt", b"12345"), put("<e>/<r>/artifacts/d/b.txt"), put("<e>/<r>/artifacts/d/c/e.txt"),
             post("runs/create", experiment_id="<e>", run_name="y").keep(s="run.info.run_id"),
             post("runs/create", experiment_id="<e>", run_name="z").keep(z="run.info.run_id"),
                 post("runs/delete", run_id="<z>"))
runs.add("list", 200, get("artifacts/list", run_id="<r>"))
runs.add("list a folder", 200, get("artifacts/list", run_id="<r>", path="d"))
runs.add("list a folder within", 200, get("artifacts/list", run_id="<r>", path="d/c"))
runs.add("list with a slash", 200, get("artifacts/list", run_id="<r>", path="d/"))
runs.add("list none", 200, get("artifacts/list", run_id="<r>", path="none"))
runs.add("list a file", 200, get("artifacts/list", run_id="<r>", path="a.txt"))
runs.add("list an empty run", 200, get("artifacts/list", run_id="<s>"))
runs.add("list by run_uuid", 200, get("artifacts/list", run_uuid="<r>"))
runs.add("list a deleted run", 200, get("artifacts/list", run_id="<z>"))
runs.add("list no run", WRONG, get("artifacts/list"))
runs.add("list an unknown run", GONE, get("artifacts/list", run_id="0" * 32))
for path in ["..", "../x", "a/../../x", "/etc", "%2e%2e", "%2e%2e%2fx", "a\\..\\x", "C:\\x", "file:///etc", "a#b"]:
    runs.add(f"list {path}", 200 if path == "a\\..\\x" else 400, get("artifacts/list", run_id="<r>", path=path))
runs.add("a logged model's", 200, post("logged-models", experiment_id="<e>", name="m").keep(m="model.info.model_id"),
         put("<e>/models/<m>/artifacts/d/MLmodel"), get("logged-models/<m>/artifacts/directories"),
         get("logged-models/<m>/artifacts/directories", artifact_directory_path="d"))
runs.add("a logged model's, a step up", 400, post("logged-models", experiment_id="<e>",
         name="m").keep(m="model.info.model_id"), get("logged-models/<m>/artifacts/directories", artifact_directory_path="../x"))
GROUPS = [store, runs]
