"""Writes requests of every form for libFuzzer to begin with.

usage: make_seeds.py FOLDER
"""
import json
import pathlib
import struct
import sys

folder = pathlib.Path(sys.argv[1])


def seed(name, form, model, body):
    (folder / name).write_bytes(bytes([form | model << 4]) + body)


def infer(**tensor):
    return {"id": "a", "inputs": [{"name": "x", **tensor}], "parameters": {"timeout": 5}}


def with_bytes(document, tail):
    text = json.dumps(document).encode()
    return struct.pack("<H", len(text)) + text + tail


rows = infer(shape=[2, 3], datatype="FP32", data=[[1, 2.5, -3e2], [0, 4, 5]])
seed("json", 0, 1, json.dumps(rows).encode())
seed("outputs", 0, 1, json.dumps({**rows, "outputs": [{"name": "x", "parameters": {"binary_data": True}}]}).encode())
seed("text", 0, 2, json.dumps(infer(shape=[2], datatype="BYTES", data=["caf\u00e9", "\n"])).encode())
names = {"BOOL": True, "FP16": 1.5, "BYTES": "a"}
types = ["BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64", "BYTES"]
every = [{"name": kind.lower(), "shape": [1, 1], "datatype": kind, "data": [names.get(kind, 1)]} for kind in types]
seed("types", 0, 0, json.dumps({"inputs": every}).encode())
binary = {"shape": [1, 3], "datatype": "FP32", "parameters": {"binary_data_size": 12}}
seed("binary", 1, 1, with_bytes(infer(**binary), struct.pack("<3f", 1, 2, 3)))
seed("words", 1, 2, with_bytes(
    infer(shape=[2], datatype="BYTES", parameters={"binary_data_size": 11}), struct.pack("<I3sI", 3, b"abc", 0)))
seed("raw", 2, 1, struct.pack("<6f", *range(6)))
for name, document in {
        "split": {"dataframe_split": {"columns": ["a", "b"], "data": [[1, "x"], [None, "y"]]}},
        "records": {"dataframe_records": [{"a": 1, "b": {"b64": "QQ=="}}, {"a": 2.5}]},
        "instances": {"instances": [{"a": [1, 2]}, {"a": [3, 4]}]},
        "inputs": {"inputs": {"a": [[1], [2]], "b": ["x", "y"]}, "params": {"k": 1}},
}.items():
    seed(name, 3, 0, json.dumps(document).encode())
for number, message in enumerate([
        "0a0373756d1a0169220f0a0774696d656f7574120410c0843d2a140a01781204465033321a020103320c000000003a0c",
        "0a046563686f2a1b0a01781204465033321a0201032a0b32090000803f0000",
        "0a047465787" "42a160a0178120542595445531a01022a07420261624201ff",
]):
    seed(f"message{number}", 4 + number % 2, 1 + number // 2, bytes.fromhex(message))
