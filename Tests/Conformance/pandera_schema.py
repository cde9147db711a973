#!/usr/bin/env python3
"""Gives the failure cases that the real pandera finds in Parquet rows.

usage: .deps/data-peers/bin/python pandera_schema.py ROWS.parquet SCHEMA.json

SCHEMA.json:
    {"columns": {"NAME": {"dtype": "int64"|"float64"|"str"|"bool"|null, "nullable": false, "unique": false,
                          "checks": {"ge": 0, "le": 10, "gt": .., "lt": .., "isin": [..], "notin": [..],
                                     "str_matches": "^A", "in_range": [min, max], "str_length": [min, max]}}},
     "unique": ["NAME", ..] or null,           these columns together
     "strict": false}                          true: columns that are not named are failures
Prints JSON: `success` and `failures`, each with `column`, `check`, `row` (position, or null where it is of the whole
column) and `value` (as text), ordered by column, check and row.
"""
import argparse
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import pandas
import pandera.pandas as pandera


def checks(given: dict[str, Any]) -> list[pandera.Check]:
    made = []
    for name, value in given.items():
        check = getattr(pandera.Check, name)
        made.append(check(*value) if name in ("in_range", "str_length") else check(value))
    return made


def column(given: dict[str, Any]) -> pandera.Column:
    return pandera.Column(
        given.get("dtype"), checks=checks(given.get("checks") or {}), nullable=bool(given.get("nullable", False)),
        unique=bool(given.get("unique", False)))


def text(value: Any) -> str | None:
    return None if value is None or value is pandas.NA or value != value else str(value)


def main() -> int:
    parser = argparse.ArgumentParser(description="The failure cases of pandera.")
    parser.add_argument("rows", type=Path)
    parser.add_argument("schema", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    given = json.loads(options.schema.read_text(encoding="utf-8"))
    schema = pandera.DataFrameSchema(
        {name: column(one) for name, one in given["columns"].items()}, unique=given.get("unique"),
        strict=bool(given.get("strict", False)))
    failures: list[dict[str, Any]] = []
    try:
        schema.validate(pandas.read_parquet(options.rows), lazy=True)
    except pandera.errors.SchemaErrors as found:
        for case in found.failure_cases.to_dict("records"):
            row = case.get("index")
            failures.append({
                "column": text(case.get("column")), "check": text(case["check"]),
                "row": None if text(row) is None else int(row), "value": text(case["failure_case"])})
    failures.sort(key=lambda one: (one["column"] or "", one["check"] or "", -1 if one["row"] is None else one["row"]))
    print(json.dumps({"success": not failures, "failures": failures}, indent=1))
    return 0


sys.exit(main())
