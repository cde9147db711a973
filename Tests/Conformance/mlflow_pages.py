"""What MLflow's own web pages show in headless Chromium, served by the server at URL, of what its client logged there.

usage: mlflow_pages.py URL   (prints what differs, and exits 1 where anything does)

MODELWORKS_SCREENSHOT=FILE keeps a picture of the page that plots the runs.
"""
import json
import logging
import os
import sys
import warnings

os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "1"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["GIT_PYTHON_REFRESH"] = "quiet"
warnings.simplefilter("ignore")
logging.disable(logging.WARNING)

import mlflow
from mlflow import MlflowClient

from chromium import Browser

URL = sys.argv[1]
POINTS = 20
problems = []
# Who is signed in, and an assistant that runs on the machine of MLflow's own server: pages ask, and do without.
UNANSWERED = ("/ajax-api/2.0/mlflow/users/current", "/ajax-api/3.0/mlflow/assistant/")
MODEL = """
flavors:
  python_function: {loader_module: none}
signature:
  inputs: '[{"name": "distance_flown", "type": "double", "required": true}]'
  outputs: '[{"type": "long", "required": true}]'
"""


def check(what, good, detail=""):
    if not good:
        problems.append(f"{what}: {detail}")


def shows(page, what, *texts):
    """Checks that the page comes to show texts."""
    if not page.wait_text(*texts):
        text = page.text()
        problems.append(f"{what}: no {[t for t in texts if t not in text]} in:\n{text[:2000]}")


def log():
    """Logs two runs and a registered model; gives the experiment and the runs."""
    mlflow.set_tracking_uri(URL)
    experiment = mlflow.set_experiment("flights").experiment_id
    runs = []
    for name, rate, accuracy in (("careful", 0.25, 0.875), ("hasty", 0.75, 0.5)):
        with mlflow.start_run(run_name=name) as run:
            runs.append(run.info.run_id)
            mlflow.log_params({"rate": rate, "depth": 4})
            for step in range(POINTS):
                mlflow.log_metric("loss", rate + 1 / (step + 1), step=step)
            mlflow.log_metric("accuracy", accuracy)
            mlflow.set_tag("team", "red")
            mlflow.log_text("what the pilot wrote", "notes/pilot.txt")
            mlflow.log_text(MODEL, "model/MLmodel")
    client = MlflowClient(URL)
    client.create_registered_model("delays", description="how late planes are")
    client.create_model_version("delays", f"runs:/{runs[0]}/model", runs[0], description="the first of them")
    client.set_registered_model_alias("delays", "champion", 1)
    return experiment, runs


LINES = """(() => [...document.querySelectorAll('.js-plotly-plot')].flatMap(plot => plot.data || [])
    .filter(line => line.type !== 'bar' && line.x && line.x.length > 1).map(line => line.x.length))()"""


def visit(page, experiment, runs):
    page.open(f"{URL}/#/experiments")
    shows(page, "the list of experiments", "flights", "Default")

    page.open(f"{URL}/#/experiments/{experiment}/runs")
    shows(page, "the list of runs", "careful", "hasty", "2 matching runs")

    box = "document.querySelector('input[placeholder*=\"metrics.rmse\"]')"
    if page.wait(f"!!{box}"):
        page.click(box)
        page.type("metrics.accuracy > 0.6 and params.depth = '4'")
        # The first closes the list of what could be typed.
        page.press_enter()
        page.press_enter()
        shows(page, "a search", "careful", "1 matching run")
        check("a search", "hasty" not in page.text(), "'hasty' does not match")
    else:
        problems.append("a search: there is no field for it")

    page.open("about:blank")
    page.open(f"{URL}/#/compare-runs?runs={json.dumps(runs)}&experiments={json.dumps([experiment])}".replace(" ", ""))
    shows(page, "a comparison", "Comparing 2 Runs", "careful", "hasty", "0.25", "0.75", "0.875", "0.5")
    check("a comparison's plot", page.wait("!!document.querySelector('.js-plotly-plot svg')"), "none")

    page.open("about:blank")
    page.open(f"{URL}/#/experiments/{experiment}/runs/{runs[0]}")
    shows(page, "a run", "careful", "Finished", "loss", "0.875", "rate", "team", "delays")

    page.open(f"{URL}/#/experiments/{experiment}/runs/{runs[0]}/artifacts/notes/pilot.txt")
    shows(page, "an artifact", "pilot.txt", "what the pilot wrote")

    page.open(f"{URL}/#/models")
    shows(page, "the list of models", "delays", "Version 1", "champion")
    page.open(f"{URL}/#/models/delays")
    shows(page, "a model", "how late planes are", "Version 1", "the first of them")
    page.open(f"{URL}/#/models/delays/versions/1")
    shows(page, "a version", "careful", "the first of them", "Inputs (1)", "Outputs (1)", "champion")

    page.open("about:blank")
    page.open(f"{URL}/#/experiments/{experiment}/runs?compareRunsMode=CHART&searchFilter=")
    plotted = page.wait(f"{LINES}.filter(count => count == {POINTS}).length >= 2")
    check("a plot of two runs", plotted, f"lines of {page.script(LINES)} points in:\n{page.text()[:2000]}")
    check("a plot that is drawn", page.script("!!document.querySelector('.js-plotly-plot path.js-line')"))
    shows(page, "a plot", "loss", "accuracy", "careful", "hasty")
    close = "document.querySelector('button[aria-label=\"Close\"], button[aria-label=\"close\"]')"
    if page.script(f"!!{close}"):
        page.click(close)
        page.wait(f"!({close})", patience=5)
    picture = os.environ.get("MODELWORKS_SCREENSHOT")
    if picture:
        # The lines are drawn anew when there is more room.
        page.wait("false", patience=1)
        page.picture(picture)


with Browser() as browser:
    visit(browser, *log())
    for status, method, url in browser.answers:
        if status >= 400 and not any(part in url for part in UNANSWERED):
            problems.append(f"{method} {url}: {status}")
    problems += [f"the page failed: {text}" for text in browser.console]

for problem in problems:
    print(problem)
print(f"{len(browser.answers)} answers, {len(problems)} problems")
sys.exit(1 if problems else 0)
