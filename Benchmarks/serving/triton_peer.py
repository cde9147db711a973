"""A model of the bench in Triton's Python backend; MODELS names the folder of the model files."""
import os

import numpy
import triton_python_backend_utils as triton

from serving_runtimes import runtime


class TritonPythonModel:
    def initialize(self, arguments):
        self.input, self.output, self.run = runtime(arguments["model_name"], os.environ["MODELS"])

    def execute(self, requests):
        rows = [triton.get_input_tensor_by_name(request, self.input).as_numpy() for request in requests]
        answers = self.run(rows[0] if len(rows) == 1 else numpy.concatenate(rows))
        responses = []
        for part in rows:
            answer, answers = answers[:len(part)], answers[len(part):]
            responses.append(triton.InferenceResponse([triton.Tensor(self.output, answer)]))
        return responses
