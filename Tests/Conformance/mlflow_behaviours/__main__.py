"""Plays MLflow's documented behaviours on the server at URL and on a real MLflow server, and tells where they differ.

usage: mlflow_behaviours URL [--against URL] [--only WORD] [--sample N]

Every difference must stand in justified.py, with a row of the guide's table that says why; one that is not there, and one
that is there and no longer found, is an error (exit 1). --against takes a server that runs already, --only the cases with a
word in their names, --sample one case of N.
"""
import argparse
import contextlib
import importlib
import pathlib
import re
import sys
import threading
import time
import uuid

from justified import JUSTIFIED
from play import Server, difference
from server import RealServer

GUIDE = pathlib.Path(__file__).resolve().parents[3] / "Documentation/guides/mlflow.md"
MODULES = ["wire", "experiments", "runs", "logging_", "datasets", "search", "histories", "logged_models", "models",
           "versions", "registry_search", "artifacts"]


def play(url, groups, answers, failures):
    """Plays the cases on one server: their answers by name, a list for the requests of each."""
    try:
        server, salt = Server(url), uuid.uuid4().hex[:12]
        for number, (group, cases) in enumerate(groups):
            shared = {"g": f"g{number}x{salt}"}
            for step in group.fixture:
                answer = server.play(step, shared)
                if answer["status"] != 200:
                    raise SystemExit(f"{url}: {group.name}: {step}: {answer}")
            for index, (name, _, steps) in enumerate(cases):
                values = dict(shared, n=f"n{number}x{index}x{salt}")
                answers[f"{group.name}: {name}"] = [server.play(step, values) for step in steps]
        server.close()
    except BaseException as error:
        failures.append(f"{url} broke off: {type(error).__name__}: {error}")


def compare(groups, ours, theirs):
    """What is wrong, a text for each case: by name those that differ, and those where MLflow itself is not as transcribed."""
    differing, mistaken = {}, []
    for group, cases in groups:
        for case, outcome, steps in cases:
            name = f"{group.name}: {case}"
            last = theirs[name][-1]
            if outcome not in (last["status"], last.get("error")):
                mistaken.append(f"{name}: MLflow answers {last}, not {outcome}")
            for step, answer in zip(steps, theirs[name]):
                if step.text is not None and answer.get("message") != f"has {step.text!r}":
                    mistaken.append(f"{name}: MLflow says {answer}, not {step.text!r}")
                if step is not steps[-1] and step.kept and answer["status"] != 200:
                    mistaken.append(f"{name}: {step}: {answer}")
            for number, step in enumerate(steps):
                lines = list(difference(ours[name][number], theirs[name][number]))
                if lines:
                    differing[name] = f"{step}\n    " + "\n    ".join(lines[:8])
                    break
    return differing, mistaken


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1].removeprefix("usage: "))
    parser.add_argument("url")
    parser.add_argument("--against")
    parser.add_argument("--only", default="")
    parser.add_argument("--sample", type=int, default=1)
    options = parser.parse_args()
    groups = []
    for module in MODULES:
        for group in importlib.import_module(f"cases.{module}").GROUPS:
            chosen = [case for case in group.cases if options.only in f"{group.name}: {case[0]}"][::options.sample]
            groups.append((group, chosen))
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        against = options.against or stack.enter_context(RealServer()).url
        ready = time.monotonic()
        ours, theirs, failures = {}, {}, []
        players = [threading.Thread(target=play, args=(url, groups, answers, failures))
                   for url, answers in [(options.url, ours), (against, theirs)]]
        for player in players:
            player.start()
        for player in players:
            player.join()
    if failures:
        raise SystemExit("\n".join(failures))
    played = time.monotonic()
    differing, problems = compare(groups, ours, theirs)
    section = GUIDE.read_text().partition("\n## Where it differs\n")[2].partition("\n## ")[0]
    rows = set(re.findall(r"^\| (.*?) \|", section, re.MULTILINE))
    reasons = {}
    for row, names in JUSTIFIED.items():
        if row not in rows:
            problems.append(f"justified.py: the guide has no row '{row}'")
        reasons.update({name: row for name in names})
    problems += [f"the guide's row '{row}': no case shows it" for row in rows - set(JUSTIFIED) - {"here", "---"}]
    problems += [f"{name}: {text}" for name, text in differing.items() if name not in reasons]
    for name in reasons:
        if name in ours and name not in differing:
            problems.append(f"justified.py: {name}: there is no difference any more")
        if name not in ours and not options.only and options.sample == 1:
            problems.append(f"justified.py: {name}: there is no such case")
    for problem in problems:
        print(problem)
    for row in JUSTIFIED:
        print(f"{sum(reasons.get(name) == row for name in differing)} cases differ for a reason: {row}")
    print(f"{len(ours)} cases, {len(differing)} differ, {len(problems)} problems; the server started in "
          f"{ready - started:.1f} s, the cases took {played - ready:.1f} s")
    sys.exit(1 if problems else 0)


main()
