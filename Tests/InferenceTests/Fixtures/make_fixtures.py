#!/usr/bin/env python3
"""Makes the small models of this folder and, with the libraries' own Python packages, their answers (answers.json).

usage: .deps/serving/bin/python Tests/InferenceTests/Fixtures/make_fixtures.py   (after scripts/setup-wheels serving)
"""
import json
import os
import shutil

import lightgbm
import numpy as np
import onnx
import onnxruntime
import skl2onnx
import xgboost
from onnx import TensorProto as T
from onnx import helper, numpy_helper
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

os.chdir(os.path.dirname(os.path.abspath(__file__)))
random = np.random.default_rng(7)
OPSET = [helper.make_opsetid("", 20)]
NAMES = {"bool": "BOOL", "float16": "FP16", "float32": "FP32", "float64": "FP64", "object": "BYTES"}
cases = []


def datatype(array):
    return NAMES.get(str(array.dtype), str(array.dtype).upper())


def tensor(name, array):
    array = np.asarray(array)
    data = [str(x) if array.dtype == object else x.item() for x in array.ravel()]
    data = ["NaN" if isinstance(x, float) and x != x else x for x in data]
    if array.dtype == np.uint64:
        data = [str(x) for x in data]
    return {"name": name, "datatype": datatype(array), "shape": list(array.shape), "data": data}


def save(name, nodes, inputs, outputs, initializers=(), opsets=OPSET, ir=9, **more):
    graph = helper.make_graph(nodes, name, inputs, outputs, list(initializers))
    model = helper.make_model(graph, opset_imports=opsets, ir_version=ir, **more)
    onnx.save(model, name + ".onnx")
    return model


def value(name, kind, shape):
    return helper.make_tensor_value_info(name, kind, shape)


def ask(file, feeds, flatten=None):
    """onnxruntime's answer, on one thread as we ask."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    answers = session.run(None, feeds)
    outputs = []
    for place, answer in zip(session.get_outputs(), answers):
        if isinstance(answer, list):
            answer = np.array([[row[key] for key in sorted(row)] for row in answer], dtype=np.float32)
        outputs.append(tensor(place.name, answer))
    cases.append({
        "file": file, "inputs": [tensor(place.name, feeds[place.name]) for place in session.get_inputs()],
        "outputs": outputs})


# Two texts in, the same two out: what a table's fields are read as.
save(
    "words", [helper.make_node("Identity", ["first"], ["one"]), helper.make_node("Identity", ["second"], ["two"])],
    [value("first", T.STRING, ["rows"]), value("second", T.STRING, ["rows", 1])],
    [value("one", T.STRING, ["rows"]), value("two", T.STRING, ["rows", 1])])

# A network as services have it.
weights = [random.normal(size=s).astype("f4") * 0.5 for s in [(12, 16), (16,), (16, 3), (3,)]]
save(
    "mlp",
    [helper.make_node("Gemm", ["x", "w0", "b0"], ["h"]), helper.make_node("Relu", ["h"], ["r"]),
     helper.make_node("Gemm", ["r", "w1", "b1"], ["z"]), helper.make_node("Softmax", ["z"], ["probabilities"])],
    [value("x", T.FLOAT, ["rows", 12])], [value("probabilities", T.FLOAT, ["rows", 3])],
    [numpy_helper.from_array(w, n) for w, n in zip(weights, ["w0", "b0", "w1", "b1"])])
ask("mlp.onnx", {"x": random.normal(size=(5, 12)).astype("f4")})
ask("mlp.onnx", {"x": random.normal(size=(1, 12)).astype("f4")})

# Every datatype through the runtime; scalars; strings of any bytes.
kinds = [(T.BOOL, "bool"), (T.UINT8, "uint8"), (T.UINT16, "uint16"), (T.UINT32, "uint32"), (T.UINT64, "uint64"),
         (T.INT8, "int8"), (T.INT16, "int16"), (T.INT32, "int32"), (T.INT64, "int64"), (T.FLOAT16, "float16"),
         (T.FLOAT, "float32"), (T.DOUBLE, "float64"), (T.STRING, "object")]
save(
    "types",
    [helper.make_node("Concat", [name + "_in", name + "_in"], [name], axis=0) for _, name in kinds],
    [value(name + "_in", kind, ["n"]) for kind, name in kinds], [value(name, kind, ["m"]) for kind, name in kinds])
feeds = {}
for _, name in kinds:
    if name == "bool":
        feeds["bool_in"] = np.array([True, False])
    elif name == "object":
        feeds["object_in"] = np.array(["", "Zürich \U0001f600"], dtype=object)
    elif name.startswith("float"):
        feeds[name + "_in"] = np.array([1.1, -2.5e-3], dtype=name)
    else:
        feeds[name + "_in"] = np.array([np.iinfo(name).min, np.iinfo(name).max], dtype=name)
ask("types.onnx", feeds)

save(
    "scalar", [helper.make_node("Add", ["a", "b"], ["sum"]), helper.make_node("Shape", ["sum"], ["shape"])],
    [value("a", T.FLOAT, []), value("b", T.FLOAT, ["r", "c"])],
    [value("sum", T.FLOAT, ["r", "c"]), value("shape", T.INT64, [2])])
ask("scalar.onnx", {"a": np.array(2.5, "f4"), "b": np.ones((2, 3), "f4")})
ask("scalar.onnx", {"a": np.array(1, "f4"), "b": np.ones((0, 3), "f4")})

# Shapes that depend on values, two inputs that have to fit each other.
save(
    "nonzero", [helper.make_node("NonZero", ["x"], ["where"])], [value("x", T.FLOAT, ["a", "b"])],
    [value("where", T.INT64, [2, "found"])])
ask("nonzero.onnx", {"x": np.array([[0, 1, 0], [2, 0, 3]], "f4")})
save(
    "product", [helper.make_node("MatMul", ["a", "b"], ["c"])], [value("a", T.FLOAT, ["i", "k"]), value("b", T.FLOAT, ["l", "j"])],
    [value("c", T.FLOAT, ["i", "j"])])
ask("product.onnx", {"a": random.normal(size=(2, 3)).astype("f4"), "b": random.normal(size=(3, 4)).astype("f4")})

# Rows that touch each other though the first dimension is free; a first dimension that is fixed.
save(
    "centred",
    [helper.make_node("ReduceMean", ["x", "axes"], ["mean"]), helper.make_node("Sub", ["x", "mean"], ["y"])],
    [value("x", T.FLOAT, ["n", 3])], [value("y", T.FLOAT, ["n", 3])], [numpy_helper.from_array(np.array([0]), "axes")])
ask("centred.onnx", {"x": random.normal(size=(3, 3)).astype("f4")})
save("fixed", [helper.make_node("Neg", ["x"], ["y"])], [value("x", T.FLOAT, [1, 3])], [value("y", T.FLOAT, [1, 3])])
ask("fixed.onnx", {"x": np.array([[1, 2, 3]], "f4")})
# Outputs that are an input itself and a constant, and an input with a value of its own.
save(
    "passing", [helper.make_node("Identity", ["x"], ["same"]), helper.make_node("Mul", ["x", "factor"], ["scaled"])],
    [value("x", T.FLOAT, ["n", 2]), value("factor", T.FLOAT, [1])],
    [value("same", T.FLOAT, ["n", 2]), value("scaled", T.FLOAT, ["n", 2]), value("constant", T.FLOAT, [2])],
    [numpy_helper.from_array(np.array([3], "f4"), "factor"), numpy_helper.from_array(np.array([4, 5], "f4"), "constant")])
ask("passing.onnx", {"x": np.array([[1, 2], [3, 4]], "f4")})

# scikit-learn: text and numbers in, a class and a map of scores for each row out.
places = np.array(["JFK", "LGA", "EWR"], dtype=object)
table = np.empty((60, 3), dtype=object)
table[:, 0] = places[random.integers(0, 3, 60)]
table[:, 1:] = random.normal(size=(60, 2)).astype("f4")
answer = np.where(table[:, 1].astype("f4") > 0.3, "late", np.where(table[:, 0] == "JFK", "early", "on time")).astype(str)
pipeline = Pipeline([
    ("columns", ColumnTransformer([("place", OneHotEncoder(handle_unknown="ignore"), [0]), ("rest", StandardScaler(), [1, 2])])),
    ("model", LogisticRegression(max_iter=500))]).fit(table, answer)
converted = skl2onnx.to_onnx(
    pipeline, initial_types=[("place", StringTensorType([None, 1])), ("delay", FloatTensorType([None, 1])), ("wind", FloatTensorType([None, 1]))],
    target_opset=18)
onnx.save(converted, "pipeline.onnx")
ask("pipeline.onnx", {
    "place": np.array([["JFK"], ["EWR"], ["nowhere"]], dtype=object), "delay": np.array([[0.1], [1.5], [-0.2]], "f4"),
    "wind": np.array([[1], [0], [-1]], "f4")})
numbers = random.normal(size=(80, 4)).astype("f4")
labels = np.array([10, 2, -3])[np.argmax(numbers[:, :3], axis=1)]
onnx.save(
    skl2onnx.to_onnx(LogisticRegression(max_iter=500).fit(numbers, labels), numbers[:1], target_opset=18), "classes.onnx")
ask("classes.onnx", {"X": numbers[:4]})
onnx.save(
    skl2onnx.to_onnx(
        LogisticRegression(max_iter=500).fit(numbers, labels == 2), numbers[:1], target_opset=18,
        options={"zipmap": False}), "binary.onnx")
ask("binary.onnx", {"X": numbers[:4]})

# Weights in a file beside the model, and in files it may not ask for.
shutil.rmtree("beside", ignore_errors=True)
os.mkdir("beside")
model = helper.make_model(
    helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], "beside", [value("x", T.FLOAT, ["n", 16])],
        [value("y", T.FLOAT, ["n", 8])], [numpy_helper.from_array(random.normal(size=(16, 8)).astype("f4"), "w")]),
    opset_imports=OPSET, ir_version=9)
onnx.save_model(model, "beside/model.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
ask("beside/model.onnx", {"x": random.normal(size=(2, 16)).astype("f4")})
os.makedirs("hostile", exist_ok=True)


def outside(name, location, offset="0"):
    model = onnx.load("beside/model.onnx", load_external_data=False)
    weights = model.graph.initializer[0]
    del weights.external_data[:]
    for key, text in [("location", location), ("offset", offset), ("length", "512")]:
        weights.external_data.add(key=key, value=text)
    with open(f"hostile/{name}.onnx", "wb") as file:
        file.write(model.SerializeToString())


outside("parent", "../beside/weights.bin")
outside("absolute", "/etc/passwd")
outside("memory", "*/_ORT_MEM_ADDR_/*", "4096")
outside("missing", "nothing.bin")
outside("beyond", "../../weights.bin")
shutil.copy("beside/weights.bin", "hostile/weights.bin")
outside("past_end", "weights.bin", "400")
with open("hostile/custom.onnx", "wb") as file:
    graph = helper.make_graph(
        [helper.make_node("Launch", ["x"], ["y"], domain="com.example")], "custom", [value("x", T.FLOAT, ["n"])],
        [value("y", T.FLOAT, ["n"])])
    file.write(helper.make_model(
        graph, opset_imports=OPSET + [helper.make_opsetid("com.example", 1)], ir_version=9).SerializeToString())
with open("hostile/rankless.onnx", "wb") as file:
    graph = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["y"])], "rankless", [helper.make_tensor_value_info("x", T.FLOAT, None)],
        [helper.make_tensor_value_info("y", T.FLOAT, None)])
    file.write(helper.make_model(graph, opset_imports=OPSET, ir_version=9).SerializeToString())
with open("hostile/sequence.onnx", "wb") as file:
    graph = helper.make_graph(
        [helper.make_node("SequenceConstruct", ["x"], ["y"])], "sequence", [value("x", T.FLOAT, ["n"])],
        [helper.make_tensor_sequence_value_info("y", T.FLOAT, ["n"])])
    file.write(helper.make_model(graph, opset_imports=OPSET, ir_version=9).SerializeToString())

# Well formed, and still no model to load without bounds: a loop of 2^60 turns, 4 GiB of ones.
body = helper.make_graph(
    [helper.make_node("Identity", ["going"], ["goes"]), helper.make_node("Mul", ["value", "half"], ["next"])], "body",
    [value("turn", T.INT64, []), value("going", T.BOOL, []), value("value", T.FLOAT, ["n", 1])],
    [value("goes", T.BOOL, []), value("next", T.FLOAT, ["n", 1])],
    [numpy_helper.from_array(np.array([0.5], "f4"), "half")])
endless = helper.make_graph(
    [helper.make_node("Loop", ["turns", "always", "x"], ["y"], body=body)], "endless", [value("x", T.FLOAT, ["n", 1])],
    [value("y", T.FLOAT, ["n", 1])],
    [numpy_helper.from_array(np.array(2**60), "turns"), numpy_helper.from_array(np.array(True), "always")])
large = helper.make_graph(
    [helper.make_node("ConstantOfShape", ["size"], ["ones"], value=numpy_helper.from_array(np.array([1], "f4"))),
     helper.make_node("ReduceSum", ["ones"], ["sum"], keepdims=0), helper.make_node("Add", ["x", "sum"], ["y"])], "large",
    [value("x", T.FLOAT, ["n", 1])], [value("y", T.FLOAT, ["n", 1])],
    [numpy_helper.from_array(np.array([1 << 30]), "size")])
for name, graph in [("endless", endless), ("large", large)]:
    with open(f"hostile/{name}.onnx", "wb") as file:
        file.write(helper.make_model(graph, opset_imports=OPSET, ir_version=9).SerializeToString())

# Trees: binary, several classes, regression, categories, dropped trees, a line; answers and SHAP values.
rows = random.normal(size=(300, 5)).astype("f4")
rows[random.random(rows.shape) < 0.1] = np.nan
signal = np.nan_to_num(rows[:, 0]) + 0.5 * np.nan_to_num(rows[:, 1])
codes = rows.copy()
codes[:, 2] = random.integers(0, 6, 300)
cut = np.digitize(signal, [-0.5, 0.5])
ask_rows = random.normal(size=(6, 5)).astype("f4")
ask_rows[0, 0] = np.nan
ask_codes = ask_rows.copy()
ask_codes[:, 2] = [0, 1, 2, 3, 4, 5]
forests = {
    "binary.json": (rows, signal > 0, {"objective": "binary:logistic"}),
    "classes.ubj": (rows, cut, {"objective": "multi:softprob", "num_class": 3}),
    "class.json": (rows, cut, {"objective": "multi:softmax", "num_class": 3}),
    "regression.ubj": (rows, signal, {"objective": "reg:squarederror"}),
    "categories.json": (codes, signal + (codes[:, 2] == 3), {"objective": "reg:squarederror", "max_cat_to_onehot": 1}),
    "dart.ubj": (rows, signal > 0, {"objective": "binary:logistic", "booster": "dart", "rate_drop": 0.5}),
    "linear.json": (np.nan_to_num(rows), signal, {"objective": "reg:squarederror", "booster": "gblinear"}),
}
os.makedirs("xgboost", exist_ok=True)
for name, (table, target, parameters) in forests.items():
    is_coded = name.startswith("categories")
    kinds = ["q", "q", "c", "q", "q"] if is_coded else None
    train = xgboost.DMatrix(
        table, target, feature_names=list("abcde"), feature_types=kinds, enable_categorical=is_coded)
    booster = xgboost.train({**parameters, "max_depth": 3, "seed": 1, "nthread": 1}, train, 6)
    file = "xgboost/" + name
    booster.save_model(file)
    asked = np.nan_to_num(ask_rows) if "linear" in name else ask_codes if is_coded else ask_rows
    matrix = xgboost.DMatrix(asked, feature_names=list("abcde"), feature_types=kinds, enable_categorical=is_coded)
    answers = booster.predict(matrix, strict_shape=True)
    cases.append({
        "file": file, "inputs": [tensor("input__0", asked)], "outputs": [tensor("output__0", answers)],
        "contributions": tensor("", booster.predict(matrix, pred_contribs=True, strict_shape=True))})

os.makedirs("lightgbm", exist_ok=True)
for name, target, parameters in [
    ("binary", signal > 0, {"objective": "binary"}), ("classes", cut, {"objective": "multiclass", "num_class": 3}),
    ("regression", signal, {"objective": "regression"}),
]:
    booster = lightgbm.train(
        {**parameters, "num_leaves": 7, "verbosity": -1, "num_threads": 1, "seed": 1},
        lightgbm.Dataset(rows.astype("f8"), target), 6)
    booster.save_model(f"lightgbm/{name}.txt")
    asked = ask_rows.astype("f8")
    answers = booster.predict(asked)
    cases.append({
        "file": f"lightgbm/{name}.txt", "inputs": [tensor("input__0", asked)],
        "outputs": [tensor("output__0", answers.reshape(len(asked), -1))]})
with open("lightgbm/dump.json", "w") as file:
    json.dump({**booster.dump_model(), "tree_info": []}, file)

with open("answers.json", "w") as file:
    json.dump(cases, file, indent=None, separators=(",", ":"))
