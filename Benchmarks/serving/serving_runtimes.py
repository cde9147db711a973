"""The models of the bench by the libraries' own Python packages, for the servers that are written in Python."""


def runtime(name, folder):
    """The names of a model's input and output, and what runs it on an array."""
    if name == "mlp":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(f"{folder}/mlp.onnx", options, providers=["CPUExecutionProvider"])
        return "input", "probabilities", lambda rows: session.run(None, {"input": rows})[0]
    import lightgbm

    booster = lightgbm.Booster(model_file=f"{folder}/gbm.txt", params={"num_threads": 1})
    return "input__0", "output__0", lambda rows: booster.predict(rows, num_threads=1).reshape(-1, 1)
