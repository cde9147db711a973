"""What checks of MLflow's stock client share: the client of the server at URL, and a list of what is not as it should be."""
import os
import sys
import time

os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "1"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["GIT_PYTHON_REFRESH"] = "quiet"

import logging
import warnings

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

URL = sys.argv[1]
mlflow.set_tracking_uri(URL)
client = MlflowClient(URL)
# Of every name, so that a server can be checked again.
SALT = str(time.time_ns())
_problems = []
_count = 0


def checks():
    """How many checks were made."""
    return _count


def check(what, found, wanted):
    global _count
    _count += 1
    if found != wanted:
        _problems.append(f"{what}: {found!r} instead of {wanted!r}")


def refused(what, code, call, *arguments, text="", **named):
    global _count
    _count += 1
    try:
        call(*arguments, **named)
    except MlflowException as error:
        if error.error_code != code:
            _problems.append(f"{what}: {error.error_code} ({error}) instead of {code}")
        elif text not in str(error):
            _problems.append(f"{what}: the message {error} lacks {text!r}")
    else:
        _problems.append(f"{what}: not refused")


def play(*parts):
    """Makes the checks of some functions, prints what is wrong, and ends the program."""
    for part in parts:
        try:
            part()
        except Exception as error:
            _problems.append(f"{part.__name__} broke off: {type(error).__name__}: {error}")
    for problem in _problems:
        print(problem)
    print(f"{_count} checks, {len(_problems)} problems")
    sys.exit(1 if _problems else 0)
