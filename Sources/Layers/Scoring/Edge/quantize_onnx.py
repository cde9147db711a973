"""Makes an ONNX model's numbers 8-bit with ONNX Runtime's own quantizer.

usage: python quantize_onnx.py ORDER

ORDER is JSON: `model` and `out` (files), `method` (`dynamic` or `static`), and for `static` the `examples`: for each input
its `name`, `datatype`, `shape` and the `file` with its elements, row-major and little-endian.
"""
import json
import logging
import sys

import numpy
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static

TYPES = {
    "BOOL": "?", "UINT8": "u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "INT8": "i1", "INT16": "<i2",
    "INT32": "<i4", "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}


class Rows(CalibrationDataReader):
    """The examples, row by row where their first dimension counts rows."""

    def __init__(self, examples):
        self.inputs = {}
        for example in examples:
            if example["datatype"] not in TYPES:
                sys.exit(f"static quantisation takes numbers, and '{example['name']}' is {example['datatype']}")
            array = numpy.fromfile(example["file"], dtype=TYPES[example["datatype"]])
            self.inputs[example["name"]] = array.reshape(example["shape"])
        self.left = min(len(array) for array in self.inputs.values())
        self.row = 0

    def get_next(self):
        if self.row >= self.left:
            return None
        self.row += 1
        return {name: array[self.row - 1:self.row] for name, array in self.inputs.items()}


def main():
    logging.disable(logging.WARNING)
    with open(sys.argv[1]) as file:
        order = json.load(file)
    if order["method"] == "dynamic":
        quantize_dynamic(order["model"], order["out"], weight_type=QuantType.QInt8)
    else:
        quantize_static(
            order["model"], order["out"], Rows(order["examples"]), quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)


if __name__ == "__main__":
    main()
