"""Serves one MLflow model to the process that started this one, over the socket that is its standard input.

Messages both ways: 4 bytes length of a header in JSON, 8 bytes length of a body, both little-endian; the header; the body.
The body holds tensors one after the other as the binary tensor data extension of the Open Inference Protocol has them;
the header tells name, datatype, shape and size of each. Started with the model's folder and a limit of memory in bytes (0
for none), it says once what the model takes and gives, then answers until the socket is closed.
"""
import json
import os
import resource
import socket
import struct
import sys
import threading
import time

channel = socket.socket(fileno=os.dup(0))
# What the model prints must not come between messages.
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
os.dup2(2, 1)

import numpy as np

DTYPES = {
    "BOOL": "bool", "UINT8": "uint8", "UINT16": "uint16", "UINT32": "uint32", "UINT64": "uint64", "INT8": "int8",
    "INT16": "int16", "INT32": "int32", "INT64": "int64", "FP16": "float16", "FP32": "float32", "FP64": "float64",
}
DATATYPES = {name: datatype for datatype, name in DTYPES.items()}
# MLflow's types of columns. What has no type of the protocol travels as text: a date by ISO 8601, the others as JSON.
COLUMNS = {
    "boolean": "BOOL", "integer": "INT32", "long": "INT64", "float": "FP32", "double": "FP64", "string": "BYTES",
    "binary": "BYTES", "datetime": "BYTES",
}


class BadInput(Exception):
    """What the caller sent does not fit the model."""


def receive(count):
    parts = bytearray(count)
    view = memoryview(parts)
    while count:
        got = channel.recv_into(view, count)
        if got == 0:
            sys.exit(0)
        view = view[got:]
        count -= got
    return parts


def send(header, tensors=()):
    text = json.dumps(header).encode()
    channel.sendall(struct.pack("<IQ", len(text), sum(map(len, tensors))) + text)
    for tensor in tensors:
        channel.sendall(tensor)


def unpack(tensor, body):
    """A NumPy array; BYTES become text, or stay bytes where they are no UTF-8."""
    shape = tensor["shape"]
    if tensor["datatype"] != "BYTES":
        return np.frombuffer(body, dtype=np.dtype(DTYPES[tensor["datatype"]])).reshape(shape)
    items = []
    position = 0
    while position < len(body):
        (length,) = struct.unpack_from("<I", body, position)
        item = bytes(body[position + 4:position + 4 + length])
        try:
            items.append(item.decode())
        except UnicodeDecodeError:
            items.append(item)
        position += 4 + length
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array.reshape(shape)


def pack(name, values):
    """The header and the bytes of a tensor; what is no number or truth becomes text."""
    array = np.asarray(values)
    if array.dtype == object:
        flat = [x for x in array.ravel() if x is not None]
        if flat and all(isinstance(x, (bool, np.bool_)) for x in flat) and len(flat) == array.size:
            array = array.astype(bool)
        elif flat and all(isinstance(x, (int, float, np.number)) and not isinstance(x, bool) for x in flat):
            array = np.array([np.nan if x is None else x for x in array.ravel()]).reshape(array.shape)
    if array.dtype.kind == "M":
        array = np.datetime_as_string(array).astype(object)
    datatype = DATATYPES.get(array.dtype.name)
    if datatype:
        body = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    else:
        datatype = "BYTES"
        parts = []
        for item in array.ravel():
            text = item if isinstance(item, bytes) else b"" if item is None else (
                item if isinstance(item, str) else json.dumps(item, default=str)).encode()
            parts.append(struct.pack("<I", len(text)) + text)
        body = b"".join(parts)
    return {"name": name, "datatype": datatype, "shape": list(array.shape), "size": len(body)}, body


class Served:
    """A model with the tensors it takes and gives, as its signature has them."""

    def __init__(self, folder):
        import mlflow.pyfunc

        self.model = mlflow.pyfunc.load_model(folder)
        metadata = self.model.metadata
        signature = metadata.signature
        if signature is None or signature.inputs is None:
            raise BadInput("the model has no signature, so nobody knows what it takes; log it with one")
        self.is_tensor = signature.inputs.is_tensor_spec()
        self.columns = {}
        self.inputs = [self.describe(spec, index, "input") for index, spec in enumerate(signature.inputs.inputs)]
        self.is_named = self.is_tensor and signature.inputs.inputs[0].name is not None
        outputs = signature.outputs.inputs if signature.outputs is not None else []
        self.outputs = [
            self.describe(spec, index, "output", len(outputs)) for index, spec in enumerate(outputs)
        ] or [{"name": "output", "datatype": "FP64", "shape": [-1]}]

    def describe(self, spec, index, word, count=1):
        import mlflow.types

        name = spec.name or (word if count == 1 else f"{word}_{index}")
        if isinstance(spec, mlflow.types.TensorSpec):
            datatype = DATATYPES.get(np.dtype(spec.type).name, "BYTES")
            return {"name": str(name), "datatype": datatype, "shape": [int(size) for size in spec.shape]}
        kind = spec.type.name if hasattr(spec.type, "name") else "object"
        if word == "input":
            self.columns[str(name)] = kind
        # A column of a table goes in as [rows, 1], as converters have it, and comes out as [rows].
        return {
            "name": str(name), "datatype": COLUMNS.get(kind, "BYTES"), "shape": [-1, 1] if word == "input" else [-1]}

    def data(self, tensors):
        if self.is_tensor:
            return tensors if self.is_named else next(iter(tensors.values()))
        import pandas as pd

        columns = {}
        for name, array in tensors.items():
            kind = self.columns[name]
            column = array.reshape(-1)
            try:
                if kind == "datetime":
                    column = pd.to_datetime(column)
                elif kind == "binary":
                    column = [item.encode() if isinstance(item, str) else item for item in column]
                elif kind not in COLUMNS:
                    column = [json.loads(item) for item in column]
            except ValueError as error:
                raise BadInput(f"column '{name}': {error}") from error
            columns[name] = column
        lengths = {name: len(column) for name, column in columns.items()}
        if len(set(lengths.values())) > 1:
            raise BadInput(f"columns differ in their rows: {lengths}")
        return pd.DataFrame(columns)

    def predict(self, tensors):
        import mlflow.exceptions

        data = self.data(tensors)
        try:
            answer = self.model.predict(data)
        except mlflow.exceptions.MlflowException as error:
            if error.error_code in ("INVALID_PARAMETER_VALUE", "BAD_REQUEST"):
                raise BadInput(str(error)) from error
            raise
        return self.named(answer)

    def named(self, answer):
        """The answer as arrays in the order of the declared outputs, others after them."""
        names = [output["name"] for output in self.outputs]
        if hasattr(answer, "toarray"):
            answer = answer.toarray()
        if hasattr(answer, "columns") and hasattr(answer, "to_numpy"):
            found = {str(name): answer[name].to_numpy() for name in answer.columns}
            if len(found) == len(names) and not set(names) & set(found):
                return dict(zip(names, found.values()))
            return found
        if isinstance(answer, dict):
            return {str(name): np.asarray(value) for name, value in answer.items()}
        answer = answer.to_numpy() if hasattr(answer, "to_numpy") else np.asarray(answer)
        if len(names) > 1 and answer.ndim == 2 and answer.shape[1] == len(names):
            return {name: answer[:, index] for index, name in enumerate(names)}
        return {names[0]: answer}


def outlive_nobody(parent):
    """Ends this process with the one that started it, also while the model is at work."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def main(folder, memory):
    threading.Thread(target=outlive_nobody, args=(os.getppid(),), daemon=True).start()
    try:
        served = Served(folder)
        if memory:
            resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    except Exception as error:
        send({"error": f"{type(error).__name__}: {error}"})
        return 1
    send({"inputs": served.inputs, "outputs": served.outputs})
    while True:
        lengths = struct.unpack("<IQ", receive(12))
        header = json.loads(receive(lengths[0]))
        body = memoryview(receive(lengths[1]))
        tensors = {}
        for tensor in header["inputs"]:
            tensors[tensor["name"]] = unpack(tensor, body[:tensor["size"]])
            body = body[tensor["size"]:]
        try:
            answers = served.predict(tensors)
            packed = [pack(name, answers[name]) for name in header["outputs"] if name in answers]
            missing = [name for name in header["outputs"] if name not in answers]
            if missing:
                raise RuntimeError(f"the model did not give {missing}; it gave {list(answers)}")
        except MemoryError:
            send({"error": "the model needs more memory than it may have", "memory": True})
            # What it holds by now is unknown.
            return 1
        except BadInput as error:
            send({"error": str(error), "argument": True})
        except Exception as error:
            send({"error": f"{type(error).__name__}: {error}"})
        else:
            send({"outputs": [head for head, _ in packed]}, [data for _, data in packed])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
