"""Makes teacher.onnx: a perceptron of 12-256-256-3 whose classes lie between planes, as a large model's might.

usage: python3 Examples/distillation/make_teacher.py FILE
"""
import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZES = [12, 256, 256, 3]


def main(path):
    random = numpy.random.default_rng(7)
    nodes, weights, last = [], [], "x"
    for layer, (before, after) in enumerate(zip(SIZES, SIZES[1:])):
        # The last layer is weaker, so that the teacher is not certain of everything.
        scale = (0.5 if after == SIZES[-1] else 2) / before
        weight = random.standard_normal((before, after)) * scale ** 0.5
        weights += [numpy_helper.from_array(weight.astype("f4"), f"w{layer}"),
                    numpy_helper.from_array(numpy.full(after, 1, "f4"), f"b{layer}")]
        nodes.append(helper.make_node("Gemm", [last, f"w{layer}", f"b{layer}"], [f"h{layer}"]))
        last = f"h{layer}"
        if layer < len(SIZES) - 2:
            nodes.append(helper.make_node("Relu", [last], [f"r{layer}"]))
            last = f"r{layer}"
    nodes.append(helper.make_node("Softmax", [last], ["probabilities"], axis=1))
    graph = helper.make_graph(
        nodes, "teacher", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", SIZES[0]])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["rows", SIZES[-1]])], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, path)


main(sys.argv[1])
