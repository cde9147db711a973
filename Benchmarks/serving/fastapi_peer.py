"""The usual server written by hand: FastAPI and the libraries' own Python packages. MODELS names the folder."""
import os

import numpy
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from serving_runtimes import runtime

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


MODELS = {name: runtime(name, FOLDER) for name in ("mlp", "gbm")}
app = FastAPI()


@app.get("/v2/health/ready")
def ready():
    return {"ready": True}


@app.post("/v2/models/{name}/infer")
async def infer(name: str, request: Request):
    model = MODELS.get(name)
    if model is None:
        raise HTTPException(404, f"unknown model {name}")
    expected, output, run = model
    for tensor in request.inputs:
        if tensor.name != expected:
            raise HTTPException(400, f"unknown input {tensor.name}")
        value = run(numpy.array(tensor.data, TYPES[tensor.datatype]).reshape(tensor.shape))
    outputs = [
        {"name": output, "shape": list(value.shape), "datatype": "FP32" if value.dtype == numpy.float32 else "FP64",
         "data": value.ravel().tolist()}]
    return {"model_name": name, "model_version": "1", "id": request.id, "outputs": outputs}
