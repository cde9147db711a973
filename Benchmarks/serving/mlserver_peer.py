"""A model of the bench in MLServer; MODELS names the folder of the model files."""
import os

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

from serving_runtimes import runtime


class Runtime(MLModel):
    async def load(self):
        self.input, self.output, self.session = runtime(self.name, os.environ["MODELS"])
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        answer = self.session(NumpyCodec.decode_input(payload.inputs[0]))
        return InferenceResponse(
            id=payload.id, model_name=self.name, outputs=[NumpyCodec.encode_output(self.output, answer)])
