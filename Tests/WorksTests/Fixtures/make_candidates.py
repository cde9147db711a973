"""Makes models of three features that load well and then fail under traffic, for the tests of rollouts.

usage: make_candidates.py FOLDER      (needs onnx and numpy)
"""
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def save(name, nodes, constants):
    graph = helper.make_graph(
        nodes, name, [helper.make_tensor_value_info("input", TensorProto.DOUBLE, [None, 3])],
        [helper.make_tensor_value_info("score", TensorProto.DOUBLE, [None, 1])],
        [numpy_helper.from_array(value, key) for key, value in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, f"{sys.argv[1]}/{name}.onnx")


first = helper.make_node("Gather", ["input", "zero"], ["size"], axis=1)
zero = {"zero": np.array([0], np.int64)}

# Looks up the second of one score where the first feature is above a half.
save(
    "failing",
    [
        first, helper.make_node("Greater", ["size", "half"], ["large"]),
        helper.make_node("Cast", ["large"], ["index"], to=TensorProto.INT64),
        helper.make_node("Gather", ["scores", "index"], ["score"], axis=0),
    ],
    zero | {"half": np.array(0.5), "scores": np.array([0.3])})

# Multiplies two matrices of ones for each answer, for nothing.
save(
    "slow",
    [
        first, helper.make_node("ReduceMax", ["size"], ["largest"], keepdims=0),
        helper.make_node("Cast", ["largest"], ["single"], to=TensorProto.FLOAT),
        helper.make_node(
            "ConstantOfShape", ["sides"], ["ones"],
            value=helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])),
        helper.make_node("Mul", ["ones", "single"], ["matrix"]),
        helper.make_node("MatMul", ["matrix", "matrix"], ["product"]),
        helper.make_node("ReduceMin", ["product"], ["least"], keepdims=0),
        helper.make_node("Mul", ["least", "nothing"], ["none"]),
        helper.make_node("Cast", ["none"], ["double"], to=TensorProto.DOUBLE),
        helper.make_node("Mul", ["size", "half"], ["scaled"]),
        helper.make_node("Add", ["scaled", "double"], ["score"]),
    ],
    zero | {"sides": np.array([768, 768], np.int64), "nothing": np.array(0, np.float32), "half": np.array(0.5)})
