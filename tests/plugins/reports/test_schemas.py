"""The JSON of the reports is what their schemas say, key by key, and docs/report-json.md documents every key."""

import json
import re
from pathlib import Path
from typing import get_type_hints

import pytest

from harness import open_study
from harness.plugins.reports import consistency, correlation, dataset_bias, prediction, sensitivity
from harness.plugins.reports.consistency import schema as of_consistency
from harness.plugins.reports.correlation import schema as of_correlation
from harness.plugins.reports.dataset_bias import schema as of_dataset_bias
from harness.plugins.reports.prediction import schema as of_prediction
from harness.plugins.reports.sensitivity import schema as of_sensitivity
from harness.study import comparison_schema as of_comparison
from tests.helpers.command import run
from tests.helpers.typed_documents import nulls_without_reason, violations

DOCUMENT = Path(__file__).parents[3] / "docs" / "report-json.md"
SCHEMAS = {
    of_correlation.CorrelationData: (correlation.Correlation(), of_correlation),
    of_consistency.ConsistencyData: (consistency.ErrorConsistency(), of_consistency),
    of_dataset_bias.DatasetBiasData: (dataset_bias.DatasetBias(), of_dataset_bias),
    of_sensitivity.SensitivityData: (sensitivity.Sensitivity(), of_sensitivity),
    of_prediction.PredictionData: (prediction.JointPrediction(), of_prediction),
}
SHOWN = {of_consistency.ConsistencyData: "pairs", of_correlation.CorrelationData: "models"}
"""Schema -> a list that has entries for a run of photographs."""
BASES = {
    *(of_correlation.Numbers, of_correlation.LabelFacts, of_consistency.Means),
    *(of_dataset_bias.Divergence, of_dataset_bias.Accuracy),
}
"""Entries whose keys others inherit: documented once."""


def entries(module):
    """The TypedDicts of a schema, by name."""
    return {name: value for name, value in vars(module).items() if hasattr(value, "__required_keys__")}


@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_data_of_a_report_is_as_its_schema_says(schema, harness, data):
    assert run(harness, models=("plain", "other", "nan"))[0] == 1  # one network fails, and has a reason
    report, _ = SCHEMAS[schema]
    document = json.loads(json.dumps(report.data(open_study("run"))))
    assert document[SHOWN.get(schema, "warnings")]
    assert list(violations(document, schema)) == [] and list(nulls_without_reason(document, schema)) == []
    assert list(violations({**document, "warnings": [1], "surprise": 2}, schema)) == [
        "$.surprise is not in the schema",
        "$.warnings[0] is 1, expected str",
    ]


def test_the_data_of_a_comparison_is_as_its_schema_says(harness, data):
    assert run(harness)[0] == 0 and run(harness, "--seed", 7, out="other")[0] == 0
    document = json.loads(harness("compare", "run", "--against", "other", "--format", "json")[1])
    assert document["comparisons"][0]["changes"][0]["path"] == "settings.seed"
    assert list(violations(document, of_comparison.ComparisonData)) == []


@pytest.mark.parametrize(
    "module", [of_correlation, of_consistency, of_dataset_bias, of_prediction, of_sensitivity, of_comparison]
)
def test_every_key_is_documented(module):
    text = DOCUMENT.read_text("utf-8")
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL))
    for name, entry in entries(module).items():
        documented = set(re.findall(r"^\| `([\w+-]+)` \|", sections[name], re.MULTILINE))
        own = get_type_hints(entry).keys()
        for base in BASES - {entry}:
            own -= base.__annotations__.keys() if base.__annotations__.keys() <= own else set()
        assert documented == own, name
