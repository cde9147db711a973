"""Makes detector.onnx: the distance of a value from the mean of its window, in standard deviations, and whether it is far.

usage: .deps/serving/bin/python Examples/anomaly-stream/make_detector.py
"""
import pathlib

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

FAR = 4.0
# With fewer readings the deviation is not known well enough.
READINGS = 30


def value(name, kind):
    return helper.make_tensor_value_info(name, kind, ["readings"])


nodes = [
    helper.make_node("Sub", ["value", "mean_1m"], ["distance"]),
    helper.make_node("Div", ["distance", "std_1m"], ["score"]),
    helper.make_node("Abs", ["score"], ["size"]),
    # Without a deviation the score is no number, and no number is greater.
    helper.make_node("Greater", ["size", "far"], ["is_far"]),
    helper.make_node("GreaterOrEqual", ["count_1m", "enough"], ["is_known"]),
    helper.make_node("And", ["is_far", "is_known"], ["anomaly"]),
]
graph = helper.make_graph(
    nodes, "detector",
    [value(name, TensorProto.DOUBLE) for name in ("value", "mean_1m", "std_1m", "count_1m")],
    [value("score", TensorProto.DOUBLE), value("anomaly", TensorProto.BOOL)],
    [numpy_helper.from_array(numpy.float64(FAR), "far"), numpy_helper.from_array(numpy.float64(READINGS), "enough")])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
onnx.checker.check_model(model)
onnx.save(model, pathlib.Path(__file__).with_name("detector.onnx"))
