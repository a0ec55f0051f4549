"""The JSON of the reports is what their schemas say, key by key, and docs/report-json.md documents every key."""

import json
import re
from pathlib import Path
from types import UnionType
from typing import Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints

import pytest

from harness import open_study
from harness.plugins.reports import consistency, correlation
from harness.plugins.reports.consistency import schema as of_consistency
from harness.plugins.reports.correlation import schema as of_correlation
from harness.study import comparison_schema as of_comparison
from tests.helpers.command import run

DOCUMENT = Path(__file__).parents[3] / "docs" / "report-json.md"
SCHEMAS = {
    of_correlation.CorrelationData: (correlation.Correlation(), of_correlation),
    of_consistency.ConsistencyData: (consistency.ErrorConsistency(), of_consistency),
}
BASES = {of_correlation.Numbers, of_consistency.Means}
"""Entries whose keys others inherit: documented once."""


def entries(module):
    """The TypedDicts of a schema, by name."""
    return {name: value for name, value in vars(module).items() if hasattr(value, "__required_keys__")}


def violations(value, kind, place="$"):
    """Where `value` is not of the type `kind`: a TypedDict, list, dict, union, Literal or class."""
    origin, arguments = get_origin(kind), get_args(kind)
    if hasattr(kind, "__required_keys__"):
        hints = get_type_hints(kind)
        marked = get_type_hints(kind, include_extras=True)
        optional = {name for name in hints if not kind.__total__ or get_origin(marked[name]) is NotRequired}
        yield from (f"{place}.{name} is missing" for name in hints.keys() - optional - value.keys())
        yield from (f"{place}.{name} is not in the schema" for name in value.keys() - hints.keys())
        for name in value.keys() & hints.keys():
            yield from violations(value[name], hints[name], f"{place}.{name}")
    elif origin is list:
        for position, item in enumerate(value):
            yield from violations(item, arguments[0], f"{place}[{position}]")
    elif origin is dict:
        for name, item in value.items():
            yield from violations(item, arguments[1], f"{place}.{name}")
    elif origin in (Union, UnionType):
        if all(list(violations(value, argument, place)) for argument in arguments):
            yield f"{place} is {value!r}, expected {kind}"
    elif origin is Literal:
        if value not in arguments:
            yield f"{place} is {value!r}, expected one of {arguments}"
    elif kind is not Any and (
        not isinstance(value, (kind, int) if kind is float else kind) or isinstance(value, bool) != (kind is bool)
    ):
        yield f"{place} is {value!r}, expected {kind.__name__}"


@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_data_of_a_report_is_as_its_schema_says(schema, harness, data):
    assert run(harness, models=("plain", "other", "nan"))[0] == 1  # one network fails, and has a reason
    report, _ = SCHEMAS[schema]
    document = json.loads(json.dumps(report.data(open_study("run"))))
    assert document["models"] if schema is of_correlation.CorrelationData else document["pairs"]
    assert list(violations(document, schema)) == []
    assert list(violations({**document, "warnings": [1], "surprise": 2}, schema)) == [
        "$.surprise is not in the schema",
        "$.warnings[0] is 1, expected str",
    ]


def test_the_data_of_a_comparison_is_as_its_schema_says(harness, data):
    assert run(harness)[0] == 0 and run(harness, "--seed", 7, out="other")[0] == 0
    document = json.loads(harness("compare", "run", "--against", "other", "--format", "json")[1])
    assert document["comparisons"][0]["changes"][0]["path"] == "settings.seed"
    assert list(violations(document, of_comparison.ComparisonData)) == []


@pytest.mark.parametrize("module", [of_correlation, of_consistency, of_comparison])
def test_every_key_is_documented(module):
    text = DOCUMENT.read_text("utf-8")
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL))
    for name, entry in entries(module).items():
        documented = set(re.findall(r"^\| `(\w+)` \|", sections[name], re.MULTILINE))
        own = get_type_hints(entry).keys()
        for base in BASES - {entry}:
            own -= base.__annotations__.keys() if base.__annotations__.keys() <= own else set()
        assert documented == own, name
