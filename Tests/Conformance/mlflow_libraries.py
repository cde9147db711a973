"""What MLflow's stock client logs for scikit-learn, LightGBM and pandas, against the server at URL; and snippets of its users.

usage: mlflow_libraries.py URL   (prints what differs from MLflow's rules, and exits 1 where anything does)
"""
import os
import pathlib
import socket
import tempfile
import urllib.parse

from mlflow_checks import SALT, URL, check, client, play

import mlflow
import mlflow.lightgbm
import mlflow.sklearn

ROWS, LABELS = [[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1]


def scikit_learn():
    from sklearn.linear_model import LogisticRegression
    mlflow.set_experiment(f"scikit-learn {SALT}")
    with mlflow.start_run() as run:
        model = LogisticRegression(C=0.5).fit(ROWS, LABELS)
        mlflow.log_param("C", 0.5)
        mlflow.log_metric("accuracy", model.score(ROWS, LABELS))
        logged = mlflow.sklearn.log_model(
            model, name="model", input_example=ROWS[:1], registered_model_name=f"scikit-learn {SALT}",
            pip_requirements=["scikit-learn"])
    check("loaded", list(mlflow.sklearn.load_model(logged.model_uri).predict(ROWS)), LABELS)
    check("registered", list(mlflow.pyfunc.load_model(f"models:/scikit-learn {SALT}/1").predict(ROWS)), LABELS)
    client.set_registered_model_alias(f"scikit-learn {SALT}", "champion", "1")
    check("by alias", list(mlflow.pyfunc.load_model(f"models:/scikit-learn {SALT}@champion").predict(ROWS)), LABELS)
    check("latest", list(mlflow.pyfunc.load_model(f"models:/scikit-learn {SALT}/latest").predict(ROWS)), LABELS)
    check("its run", client.get_model_version(f"scikit-learn {SALT}", "1").run_id, run.info.run_id)
    check("in the run", [m.model_id for m in client.get_run(run.info.run_id).outputs.model_outputs], [logged.model_id])
    check("of the run", list(mlflow.sklearn.load_model(f"runs:/{run.info.run_id}/model").predict(ROWS)), LABELS)


def scikit_learn_autolog():
    import numpy
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    rows, labels = numpy.array(ROWS * 4), numpy.array(LABELS * 4)
    mlflow.set_experiment(f"scikit-learn autolog {SALT}")
    mlflow.sklearn.autolog(log_input_examples=False)
    try:
        with mlflow.start_run() as run:
            LogisticRegression(C=0.25).fit(rows, labels)
        # One model tells enough: MLflow loads each in a new process to find what it needs.
        mlflow.sklearn.autolog(log_models=False)
        with mlflow.start_run() as searched:
            GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0, 10.0]}, cv=2).fit(rows, labels)
    finally:
        mlflow.sklearn.autolog(disable=True)
    found = client.get_run(run.info.run_id)
    check("params and metrics", (found.data.params["C"], found.data.metrics["training_score"]), ("0.25", 1.0))
    check("class", found.data.tags["estimator_class"], "sklearn.linear_model._logistic.LogisticRegression")
    check("ended", found.info.status, "FINISHED")
    check("dataset", [tag.value for d in found.inputs.dataset_inputs for tag in d.tags], ["train"])
    model = found.outputs.model_outputs[0].model_id
    check("model", list(mlflow.sklearn.load_model(f"models:/{model}").predict(ROWS)), LABELS)
    check("logged model", str(client.get_logged_model(model).status), "READY")
    check("its metrics", "training_score" in {m.key for m in client.get_logged_model(model).metrics}, True)
    children = mlflow.search_runs(
        filter_string=f"tags.mlflow.parentRunId = '{searched.info.run_id}'", order_by=["params.C ASC"],
            output_format="list")
    check("children", [r.data.params["C"] for r in children], ["0.1", "1.0", "10.0"])
    check("best", "best_C" in client.get_run(searched.info.run_id).data.params, True)
    check("artifacts", "cv_results.csv" in {a.path for a in client.list_artifacts(searched.info.run_id)}, True)


def lightgbm_autolog():
    import lightgbm
    import numpy
    mlflow.set_experiment(f"LightGBM autolog {SALT}")
    random = numpy.random.default_rng(7)
    rows = random.normal(size=(200, 3))
    labels = (rows[:, 0] + rows[:, 1] > 0).astype(int)
    mlflow.lightgbm.autolog(log_input_examples=False)
    try:
        with mlflow.start_run() as run:
            data = lightgbm.Dataset(rows, labels)
            booster = lightgbm.train(
                {"objective": "binary", "metric": "binary_logloss", "num_leaves": 7, "verbosity": -1, "num_threads": 1},
                data, num_boost_round=12, valid_sets=[data], valid_names=["train"])
    finally:
        mlflow.lightgbm.autolog(disable=True)
    found = client.get_run(run.info.run_id)
    check("params", (found.data.params["num_leaves"], found.data.params["num_boost_round"]), ("7", "12"))
    history = client.get_metric_history(run.info.run_id, "train-binary_logloss")
    check("a point each round", [m.step for m in history], list(range(12)))
    check("it learns", history[-1].value < history[0].value / 2, True)
    check("the latest", found.data.metrics["train-binary_logloss"], history[-1].value)
    check("artifacts", {"feature_importance_gain.json", "feature_importance_split.json"}
          <= {a.path for a in client.list_artifacts(run.info.run_id)}, True)
    loaded = mlflow.lightgbm.load_model(f"models:/{found.outputs.model_outputs[0].model_id}")
    check("the same numbers", list(loaded.predict(rows)), list(booster.predict(rows)))
    version = mlflow.register_model(f"models:/{found.outputs.model_outputs[0].model_id}", f"LightGBM {SALT}")
    check("registered", list(mlflow.pyfunc.load_model(f"models:/{version.name}/{version.version}").predict(rows)),
          list(booster.predict(rows)))


def datasets():
    import pandas
    mlflow.set_experiment(f"pandas {SALT}")
    frame = pandas.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"]})
    data = mlflow.data.from_pandas(frame, source="s3://bucket/rows.csv", name="rows", targets="a")
    with mlflow.start_run() as run:
        mlflow.log_input(data, context="training")
        mlflow.log_table({"question": ["q"], "answer": ["a"]}, "table.json")
        mlflow.log_figure(figure(), "plot.png")
    used = client.get_run(run.info.run_id).inputs.dataset_inputs[0]
    check("name and digest", (used.dataset.name, used.dataset.digest), ("rows", data.digest))
    check("context", used.tags[0].value, "training")
    check("source", mlflow.data.get_source(used.dataset).uri, "s3://bucket/rows.csv")
    check("found by it", len(mlflow.search_runs(filter_string="datasets.name = 'rows' AND dataset.context = 'training'")),
        1)
    check("table", list(mlflow.load_table("table.json", run_ids=[run.info.run_id])["answer"]), ["a"])
    check("plot", mlflow.artifacts.load_image(f"{client.get_run(run.info.run_id).info.artifact_uri}/plot.png").size[0] > 0,
        True)


def figure():
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    pyplot.plot([1, 2, 3])
    return pyplot.gcf()


def snippets():
    """Scripts as users have them, that name their server http://mlflow-server:5000: that name and port lead to URL here."""
    from sklearn.linear_model import LogisticRegression
    server, look_up = urllib.parse.urlsplit(URL), socket.getaddrinfo

    def lead(host, port, *rest, **named):
        if (host, port) == ("mlflow-server", 5000):
            host, port = server.hostname, server.port
        return look_up(host, port, *rest, **named)

    socket.getaddrinfo = lead
    scripts = sorted((pathlib.Path(__file__).parent / "mlflow_snippets").glob("*.py"))
    check("scripts", len(scripts), 2)
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        pathlib.Path("confusion_matrix.png").write_bytes(b"a plot")
        try:
            for script in scripts:
                mlflow.set_tracking_uri(URL)
                names = {"model": LogisticRegression().fit(ROWS, LABELS), "__name__": "__main__"}
                exec(compile(script.read_text(), script.name, "exec"), names)
                run = mlflow.last_active_run()
                check(f"{script.name}: ended", client.get_run(run.info.run_id).info.status, "FINISHED")
                check(f"{script.name}: model",
                    list(mlflow.sklearn.load_model(f"runs:/{run.info.run_id}/model").predict(ROWS)), LABELS)
        finally:
            os.chdir(before)
            socket.getaddrinfo = look_up
            mlflow.set_tracking_uri(URL)


play(scikit_learn, scikit_learn_autolog, lightgbm_autolog, datasets, snippets)
