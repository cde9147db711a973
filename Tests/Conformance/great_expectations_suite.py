#!/usr/bin/env python3
"""Gives the verdict of the real Great Expectations on Parquet rows and a suite.

usage: .deps/data-peers/bin/python great_expectations_suite.py ROWS.parquet SUITE.json [--round-trip OUT.json]

SUITE.json is a suite as Great Expectations 1.x saves it: `{"name", "expectations": [{"type", "kwargs", "meta", "severity"}]}`;
`expectation_type` is taken for `type`, and `expectation_suite_name` for `name`, as versions before 1.0 wrote them. Prints JSON:
`success`, and per expectation in order `type`, `kwargs`, `success`, `element_count`, `unexpected_count`, `observed_value`
(what the expectation has) and `exception` (text or null). --round-trip writes the suite as Great Expectations saves it.
"""
import argparse
import json
import logging
import os
import sys
import warnings
from pathlib import Path
from typing import Any

os.environ["GX_ANALYTICS_ENABLED"] = "false"
os.environ["TZ"] = "UTC"

import great_expectations  # noqa: E402
import pandas  # noqa: E402
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration  # noqa: E402


def read_suite(path: Path) -> great_expectations.ExpectationSuite:
    given = json.loads(path.read_text(encoding="utf-8"))
    suite = great_expectations.ExpectationSuite(name=given.get("name") or given.get("expectation_suite_name") or "suite")
    for one in given["expectations"]:
        extra = {key: one[key] for key in ("meta", "severity") if one.get(key)}
        suite.add_expectation_configuration(
            ExpectationConfiguration(type=one.get("type") or one["expectation_type"], kwargs=one.get("kwargs") or {}, **extra))
    return suite


def plain(result: Any) -> dict[str, Any]:
    found = result.to_json_dict()
    config, values = found["expectation_config"], found.get("result") or {}
    exceptions = found.get("exception_info") or {}
    raised = [exceptions] if "raised_exception" in exceptions else list(exceptions.values())
    texts = [one.get("exception_message") for one in raised if isinstance(one, dict) and one.get("raised_exception")]
    return {
        "type": config["type"],
        "kwargs": {key: value for key, value in config["kwargs"].items() if key != "batch_id"},
        "success": found["success"],
        "element_count": values.get("element_count"),
        "unexpected_count": values.get("unexpected_count"),
        "observed_value": values.get("observed_value"),
        "exception": texts[0] if texts else None,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="The verdict of Great Expectations.")
    parser.add_argument("rows", type=Path)
    parser.add_argument("suite", type=Path)
    parser.add_argument("--round-trip", type=Path)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    context = great_expectations.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    suite = context.suites.add(read_suite(options.suite))
    if options.round_trip:
        options.round_trip.write_text(json.dumps(suite.to_json_dict(), indent=1), encoding="utf-8")
    asset = context.data_sources.add_pandas("rows").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": pandas.read_parquet(options.rows)})
    answer = batch.validate(suite, result_format="COMPLETE")
    # A suite's results may come in another order than its expectations.
    found = [plain(result) for result in answer.results]
    order = {json.dumps([one.expectation_type, one.configuration.kwargs], sort_keys=True, default=str): place
             for place, one in reversed(list(enumerate(suite.expectations)))}
    found.sort(key=lambda one: order.get(json.dumps([one["type"], one["kwargs"]], sort_keys=True, default=str), len(order)))
    print(json.dumps({"success": answer.success, "results": found}, indent=1, default=str))
    return 0


sys.exit(main())
