"""Distils a large model into a small one: the student learns the probabilities that the teacher gives, and is kept only where
it says the same often enough.

usage: distil.py TEACHER.onnx STUDENT.onnx [--gap SHARE] [--hidden N] [--rows N] [--seed N]

The teacher is any ONNX model with one input of rows of numbers and one output of a probability for each class. It is asked by
`modelworks score`, and so is the student at the end: what is compared is what would be served. Ends with 1, and leaves no
student, where more than the gap of the rows that neither has seen get another class.

The loss is the cross-entropy against the teacher's probabilities (G. Hinton, O. Vinyals, J. Dean: Distilling the Knowledge in a
Neural Network, 2015), which says more of a row than its class alone.
"""
import argparse
import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

MODELWORKS = os.environ.get("MODELWORKS", "modelworks")
EPOCHS, BATCH, RATE = 30, 128, 3e-3


def ask(model, rows, folder):
    """The probabilities of a model for rows, in their order."""
    source, answers = folder / "rows.csv", folder / f"{pathlib.Path(model).stem}.db"
    names = [f"x{column}" for column in range(rows.shape[1])]
    numpy.savetxt(source, rows, delimiter=",", header=",".join(names), comments="", fmt="%.9g")
    subprocess.run(
        [MODELWORKS, "score", str(model), "--input", f"sql:SELECT row_number() OVER () AS id, * FROM '{source}'",
         "--features", ",".join(names), "--keep", "id", "--output", f"sqlite:{answers}", "--table", "answers",
         "--root", str(folder / "root")], check=True, stdout=subprocess.DEVNULL)
    output = onnx.load(model).graph.output[0].name
    with sqlite3.connect(answers) as database:
        cursor = database.execute("SELECT * FROM answers ORDER BY id")
        wanted = [place for place, (name, *_) in enumerate(cursor.description) if name.startswith(output + "_")]
        return numpy.array([[record[place] for place in wanted] for record in cursor], "f4")


def softmax(scores):
    raised = numpy.exp(scores - scores.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def train(rows, told, hidden, random):
    """One hidden layer by Adam: (weights, biases) of both layers."""
    sizes = [(rows.shape[1], hidden), (hidden, told.shape[1])]
    parts = [part for size in sizes
             for part in (random.standard_normal(size) * (2 / size[0]) ** 0.5, numpy.zeros(size[1]))]
    means, squares = [0.0] * 4, [0.0] * 4
    step = 0
    for _ in range(EPOCHS):
        order = random.permutation(len(rows))
        for start in range(0, len(rows), BATCH):
            x, y = rows[order[start:start + BATCH]], told[order[start:start + BATCH]]
            inner = numpy.maximum(x @ parts[0] + parts[1], 0)
            error = (softmax(inner @ parts[2] + parts[3]) - y) / len(x)
            back = (error @ parts[2].T) * (inner > 0)
            slopes = [x.T @ back, back.sum(axis=0), inner.T @ error, error.sum(axis=0)]
            step += 1
            for place, slope in enumerate(slopes):
                means[place] = 0.9 * means[place] + 0.1 * slope
                squares[place] = 0.999 * squares[place] + 0.001 * slope ** 2
                size = (squares[place] / (1 - 0.999 ** step)) ** 0.5 + 1e-8
                parts[place] = parts[place] - RATE * means[place] / (1 - 0.9 ** step) / size
    return [part.astype("f4") for part in parts]


def save(parts, path, teacher):
    """The student with the names of the teacher's input and output, so that it can take its place."""
    given, answered = teacher.graph.input[0].name, teacher.graph.output[0].name
    nodes = [
        helper.make_node("Gemm", [given, "w0", "b0"], ["inner"]), helper.make_node("Relu", ["inner"], ["shown"]),
        helper.make_node("Gemm", ["shown", "w1", "b1"], ["scores"]),
        helper.make_node("Softmax", ["scores"], [answered], axis=1),
    ]
    graph = helper.make_graph(
        nodes, "student", [helper.make_tensor_value_info(given, TensorProto.FLOAT, ["rows", parts[0].shape[0]])],
        [helper.make_tensor_value_info(answered, TensorProto.FLOAT, ["rows", parts[2].shape[1]])],
        [numpy_helper.from_array(part, name) for part, name in zip(parts, ("w0", "b0", "w1", "b1"))])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def main():
    words = argparse.ArgumentParser(description="Distils a model.")
    words.add_argument("teacher")
    words.add_argument("student")
    words.add_argument("--gap", type=float, default=0.05, help="most rows that may get another class (default 0.05)")
    words.add_argument("--hidden", type=int, default=32)
    words.add_argument("--rows", type=int, default=8000)
    words.add_argument("--seed", type=int, default=1)
    given = words.parse_args()
    random = numpy.random.default_rng(given.seed)
    teacher = onnx.load(given.teacher)
    width = teacher.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    # In a factory these are rows that were asked for: `modelworks predictions`, or the table the teacher learned from.
    rows = random.standard_normal((given.rows, width)).astype("f4")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        told = ask(given.teacher, rows, folder)
        held = given.rows // 4
        candidate = folder / "student.onnx"
        save(train(rows[held:].astype("f8"), told[held:].astype("f8"), given.hidden, random), candidate, teacher)
        answered = ask(candidate, rows[:held], folder)
        gap = float((answered.argmax(axis=1) != told[:held].argmax(axis=1)).mean())
        good = gap <= given.gap
        print(json.dumps({
            "gap": gap, "allowed": given.gap, "meanDifference": float(numpy.abs(answered - told[:held]).mean()),
            "teacherBytes": os.path.getsize(given.teacher), "studentBytes": os.path.getsize(candidate),
            "kept": good}), flush=True)
        if not good:
            sys.exit(f"the student gives another class to {gap:.1%} of the rows, and {given.gap:.1%} are allowed: "
                     "give it more --hidden or --rows")
        pathlib.Path(given.student).write_bytes(candidate.read_bytes())


if __name__ == "__main__":
    main()
