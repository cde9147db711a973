"""The models that are served, and the requests that are sent to them: the same in every run."""
import json
import pathlib

import lightgbm
import numpy
import onnx
from onnx import TensorProto, helper

FEATURES = 30
ROWS = 64


def mlp(path, hidden=128, seed=1):
    """A perceptron of 30-128-128-2 with ReLU and softmax, or of other hidden layers."""
    random = numpy.random.default_rng(seed)
    sizes = [FEATURES, hidden, hidden, 2]
    nodes, weights, last = [], [], "input"
    for layer, (before, after) in enumerate(zip(sizes, sizes[1:])):
        scale = (2 / before) ** 0.5
        weights += [
            onnx.numpy_helper.from_array((random.standard_normal((before, after)) * scale).astype("f4"), f"w{layer}"),
            onnx.numpy_helper.from_array(numpy.zeros(after, "f4"), f"b{layer}"),
        ]
        out = "logits" if layer == 2 else f"h{layer}"
        nodes.append(helper.make_node("Gemm", [last, f"w{layer}", f"b{layer}"], [out]))
        if layer < 2:
            nodes.append(helper.make_node("Relu", [out], [f"r{layer}"]))
        last = f"r{layer}"
    nodes.append(helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1))
    graph = helper.make_graph(
        nodes, "mlp", [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", FEATURES])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 2])], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def gbm(path):
    """200 trees of 31 leaves."""
    random = numpy.random.default_rng(2)
    rows = random.standard_normal((5000, FEATURES))
    labels = (rows[:, :5].sum(axis=1) + random.standard_normal(5000) > 0).astype(int)
    booster = lightgbm.train(
        {"objective": "binary", "num_leaves": 31, "verbosity": -1, "num_threads": 1, "seed": 3, "deterministic": True},
        lightgbm.Dataset(rows, labels), num_boost_round=200)
    booster.save_model(path)


def bodies(path, name, datatype):
    """Requests of one row each: a tree model asked for the same row again and again would look faster than it is."""
    random = numpy.random.default_rng(4)
    with open(path, "w", encoding="ascii") as file:
        for number in range(ROWS):
            row = [round(float(value), 4) for value in random.standard_normal(FEATURES)]
            tensor = {"name": name, "shape": [1, FEATURES], "datatype": datatype, "data": row}
            file.write(json.dumps({"id": str(number), "inputs": [tensor]}, separators=(",", ":")) + "\n")


def make(folder):
    """Writes both models into `folder`/models and the requests beside it, `mlp.jsonl` and `gbm.jsonl`."""
    folder = pathlib.Path(folder)
    models = folder / "models"
    models.mkdir(parents=True, exist_ok=True)
    mlp(str(models / "mlp.onnx"))
    gbm(str(models / "gbm.txt"))
    bodies(folder / "mlp.jsonl", "input", "FP32")
    bodies(folder / "gbm.jsonl", "input__0", "FP64")
    return models
