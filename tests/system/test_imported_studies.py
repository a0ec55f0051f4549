"""A study of 335 networks from two published tables, by the commands of docs/imported-studies.md."""

import json

import numpy as np
import pytest
from scipy.stats import rankdata

from harness.plugins.datasets._imagenet_classes import real_labels
from tests.helpers.command import completed
from tests.helpers.documents import console_commands
from tests.helpers.places import ROOT
from tests.helpers.published_tables import FACTOR_TABLE, TESTBED_TABLE, write_studies

DOCUMENT = ROOT / "docs" / "imported-studies.md"
GIVEN_ID = {
    "pose": 0.086, "background": 0.178, "pattern": -0.180, "color": -0.246, "smaller": 0.216, "shape": 0.143,
    "partial_view": 0.055, "subcategory": 0.031, "texture": -0.127, "larger": -0.224, "darker": -0.071,
    "object_blocking": 0.055, "person_blocking": 0.080, "style": -0.231, "brighter": -0.164, "multiple_objects": 0.078,
}  # fmt: skip
"""Partial coefficients with ImageNet-Sketch given ImageNet, of exact ranks."""
PLAIN = {
    ("pose", "ID"): -0.983, ("subcategory", "ID"): 0.991, ("texture", "ID"): 0.944, ("shape", "ID"): 0.938,
    ("background", "ID"): 0.942, ("texture", "Sketch"): 0.887, ("shape", "Sketch"): 0.909, ("pose", "Sketch"): -0.933,
    ("pose", "Video"): -0.950, ("larger", "Video"): 0.702,
}  # fmt: skip
DIGITS = 5.001e-4


def test_the_commands_of_the_document_on_tiny_tables(tmp_path):
    write_studies(tmp_path)
    (tmp_path / "predictions").mkdir()
    rows = ["file_name,predicted_class,predicted_probability,label"]
    labels = [(number, real_labels()[number - 1]) for number in range(1, 40)]
    rows += [f"ILSVRC2012_val_{number:08}.JPEG,{number},0.5,{one[0]}" for number, one in labels if len(one) == 1]
    (tmp_path / "predictions" / "net.csv").write_text("\n".join(rows))
    commands = list(console_commands(DOCUMENT))
    for command in commands:
        done = completed(command[1:], tmp_path)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    words = [word for command in commands for word in command]
    assert {
        FACTOR_TABLE,
        TESTBED_TABLE,
        "imagenet-x",
        "imagenet-testbed",
        "timm",
        "predictions",
        "partial-Sketch",
    } <= set(words)
    assert (tmp_path / "partial.svg").read_text().startswith("<?xml")


@pytest.fixture(scope="module")
def document(real, tmp_path_factory):
    """What ``harness report --format json`` prints of the two published tables."""
    folder = tmp_path_factory.mktemp("study")
    tables = {
        "imagenet-x": real / "more" / "imagenet_x_results" / FACTOR_TABLE,
        "imagenet-testbed": real / "more" / TESTBED_TABLE,
    }
    for form, table in tables.items():
        done = completed(["import", form, table, "--out", form], folder)
        assert done.returncode == 0, done.stderr
    done = completed(["report", *tables, "--format", "json"], folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def entries(document, axis):
    return {e["bias"]: e for e in document["correlations"] if (e["generalization"], e["models"]) == (axis, "all")}


@pytest.mark.slow
def test_plain_coefficients_of_335_networks(document):
    for (bias, axis), value in PLAIN.items():
        found = entries(document, axis)[bias]
        assert (found["n"], found["spearman"]) == (335, pytest.approx(value, abs=DIGITS)), (bias, axis)


@pytest.mark.slow
def test_the_16_partial_coefficients_given_accuracy(document):
    found = {bias: entry["partial"] for bias, entry in entries(document, "Sketch").items()}
    assert all((entry["given"], entry["n"]) == (["ID"], 335) for entry in found.values())
    # Three pairs of networks with ratios of background that agree to six digits share a rank: 0.1772, exactly 0.1776.
    expected = {
        bias: pytest.approx(value, abs=8e-4 if bias == "background" else DIGITS) for bias, value in GIVEN_ID.items()
    }
    assert {bias: entry["value"] for bias, entry in found.items()} == expected
    video = {bias: entry["partial"]["value"] for bias, entry in entries(document, "Video").items()}
    assert (video["pose"], video["larger"]) == (pytest.approx(0.283, abs=DIGITS), pytest.approx(-0.306, abs=DIGITS))


@pytest.mark.slow
def test_by_exact_ranks_background_is_as_published_too(document):
    models = [model for model in document["models"] if model["biases"]["background"] is not None]
    columns = [[model["biases"]["background"] for model in models]]
    columns += [[model["axes"][axis] for model in models] for axis in ("Sketch", "ID")]
    (_, xy, xz), (_, _, yz), _ = np.corrcoef([rankdata(column) for column in columns])
    assert (xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2)) == pytest.approx(0.178, abs=DIGITS)
