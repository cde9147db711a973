"""The usual server written by hand: FastAPI and the libraries' own Python packages. MODELS names the folder."""
import os

import lightgbm
import numpy
import onnxruntime
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

FOLDER = os.environ["MODELS"]
TYPES = {"FP32": numpy.float32, "FP64": numpy.float64}


class Tensor(BaseModel):
    name: str
    shape: list[int]
    datatype: str
    data: list


class Request(BaseModel):
    id: str | None = None
    inputs: list[Tensor]


options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(f"{FOLDER}/mlp.onnx", options, providers=["CPUExecutionProvider"])
booster = lightgbm.Booster(model_file=f"{FOLDER}/gbm.txt", params={"num_threads": 1})
MODELS = {
    "mlp": lambda feeds: {"probabilities": session.run(None, feeds)[0]},
    "gbm": lambda feeds: {"output__0": booster.predict(feeds["input__0"], num_threads=1)},
}
app = FastAPI()


@app.get("/v2/health/ready")
def ready():
    return {"ready": True}


@app.post("/v2/models/{name}/infer")
async def infer(name: str, request: Request):
    model = MODELS.get(name)
    if model is None:
        raise HTTPException(404, f"unknown model {name}")
    feeds = {tensor.name: numpy.array(tensor.data, TYPES[tensor.datatype]).reshape(tensor.shape) for tensor in request.inputs}
    outputs = [
        {"name": output, "shape": list(value.shape), "datatype": "FP32" if value.dtype == numpy.float32 else "FP64",
         "data": value.ravel().tolist()}
        for output, value in model(feeds).items()]
    return {"model_name": name, "model_version": "1", "id": request.id, "outputs": outputs}
