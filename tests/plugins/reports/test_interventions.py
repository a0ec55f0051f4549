"""Sign errors in the report `sensitivity`: made recipes with seeds, what is not declared, and why there are none."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from harness import Measure, StatisticsPlan, inference
from harness.output.formats import render, to_json
from harness.plugins.importers.paper import GROUPS, Paper
from harness.plugins.reports.sensitivity import Sensitivity, schema
from harness.study.compose import compose
from harness.study.rows import Row
from tests.helpers.typed_documents import violations

REPORT = Sensitivity()
BIASES, AXES = {"cue": ("cue@a",)}, {"Far": ("top1@b", "top1@c")}
RECIPES = {f"w{width}-{loss}": (width, loss) for width in (16, 32) for loss in ("plain", "robust")}
DECLARED = {
    "w16-*": {"width": 16}, "w32-*": {"width": 32}, "*-plain*": {"loss": "plain"}, "*-robust*": {"loss": "robust"},
}  # fmt: skip
SEEDS = 4


def rows(cue, far, seeds=SEEDS, n=10_000, unit="fraction"):
    """`seeds` networks of each recipe: `cue` and `far` are functions of width, loss and seed."""

    def of(name, value, unit, n):
        return Measure(name=name, value=float(value), unit=unit, direction="higher", n=n)

    return [
        Row(
            name=f"{recipe}-s{seed}",
            group="g",
            run="runs/a",
            measures={
                "cue@a": of("cue", cue(*facts, seed), "1", None),
                "top1@b": of("top1", far(*facts, seed) - 0.05, unit, n),
                "top1@c": of("top1", far(*facts, seed) + 0.05, unit, 50_000),
            },
            missing=(),
        )
        for recipe, facts in RECIPES.items()
        for seed in range(seeds)
    ]


def far(width, loss, seed):
    """Width is worth ten points, the robust loss five."""
    return width / 160 + 0.05 * (loss == "robust") + seed / 1000


def blind(width, loss, seed):
    """Rises with the width as `far` does, and falls where the loss is robust."""
    return width - 4 * (loss == "robust")


def report(models, declared=DECLARED):
    plan = StatisticsPlan(hyperparameters=declared)
    data = REPORT.data(compose(models, BIASES, AXES, statistics=plan))
    assert list(violations(json.loads(to_json(data)), schema.SensitivityData)) == []
    return data, data["sensitivities"][0]["interventions"]


def test_a_bias_that_follows_the_width_alone_fails_by_factor():
    data, found = report(rows(blind, far))
    assert (found["n"], found["images"], found["direction"], found["reason"]) == (16, 10_000, 1, None)
    assert {factor: of["worst"] for factor, of in found["factors"].items()} == {"width": 0.0, "loss": 1.0}
    assert found["overall"] == {"environments": 4, "mean": 0.5, "high": 1.0, "worst": 1.0}
    assert [(c["factor"], c["before"], c["after"], c["fixed"], c["pairs"]) for c in found["changes"]] == [
        ("loss", "plain", "robust", {"width": 16}, 16), ("loss", "plain", "robust", {"width": 32}, 16),
        ("width", 16, 32, {"loss": "plain"}, 16), ("width", 16, 32, {"loss": "robust"}, 16),
    ]  # fmt: skip
    text = " ".join(render(REPORT, data, "terminal").split())
    assert "Sign errors under one change of the recipe" in text
    assert [row[-1] for row in table(data)] == ["1.00", "0.00", "1.00"]


def test_csv_has_each_change():
    text = render(REPORT, report(rows(blind, far))[0], "csv")
    lines = [row for row in csv.reader(text.splitlines()) if row[:3] == ["cue", "Far", "loss"]]
    assert lines[0] == ["cue", "Far", "loss", "1", "2", "1.0", "1.0", "1.0"]
    assert [line[3:7] for line in lines[1:]] == [["plain", "robust", f"width {w}", "16"] for w in (16, 32)]
    assert [line[8] for line in lines[1:]] == ["1.0", "1.0"]


def table(data):
    (only,) = [t for t in REPORT.tables(data) if t.title.startswith("Sign errors")]
    return [[cell.text for cell in row] for row in only.rows]


def test_the_numbers_are_those_of_the_function_in_the_direction_of_the_coefficient():
    models = rows(lambda *facts: -blind(*facts), far)
    found = report(models)[1]
    recipes = [StatisticsPlan(hyperparameters=DECLARED).hyperparameters_of(row.name) for row in models]
    g = [(row.measures["top1@b"].value + row.measures["top1@c"].value) / 2 for row in models]
    expected = inference.robust_sign_error([-row.measures["cue@a"].value for row in models], g, recipes, 10_000)
    assert (found["direction"], found["overall"]["worst"]) == (-1, expected.overall.worst)
    environments = {(e.error, e.size, e.factor, *e.fixed.values()) for e in expected.environments}
    assert {(c["error"], c["size"], c["factor"], *c["fixed"].values()) for c in found["changes"]} == environments
    assert [c["error"] for c in found["changes"]] == [1, 1, 0, 0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"seeds": 1}, "undefined (one network a recipe: effective sample size 1, expected at least 12)"),
        ({"seeds": 2}, "undefined (effective sample size at most 4.0, expected at least 12)"),
        ({"n": 10}, "undefined (no difference is beyond the noise of 10 images)"),
        ({"n": None}, "undefined (of how many images top1@b is, is unknown)"),
        ({"unit": "1"}, "undefined (top1@b is no share of images)"),
    ],
)
def test_why_there_are_none_is_said_once(change, reason):
    data, found = report(rows(blind, far, **change))
    assert (found["overall"], found["factors"], found["reason"]) == (None, {}, reason)
    assert data["warnings"].count(f"sign errors: {reason}") == 1
    assert not [t for t in REPORT.tables(data) if t.title.startswith("Sign errors")]


def test_pooled_views_count_images_and_not_decisions():
    """Of 75 views of 320 images, a difference of .07 is no more certain than of one view of them."""
    models = rows(blind, far, n=24_000)
    for at, one in enumerate(models):
        pooled = replace(one.measures["top1@b"], by_image=True, low=0.1, high=0.2)
        views = {f"top1@b/fog-{k}": replace(pooled, n=320, condition=f"fog-{k}", by_image=False) for k in (1, 2)}
        models[at] = replace(one, measures={**one.measures, **views, "top1@b": pooled, "top1@bb/x": pooled})
    found = report(models)[1]
    assert found["images"] == 320
    assert found["overall"] == report(rows(blind, far, n=320))[1]["overall"]


def test_models_without_all_hyperparameters_are_left_out_by_name():
    models = rows(blind, far)
    other = replace(models[0], name="resnet")
    data, found = report([*models, other])
    assert found == report(models)[1]
    assert "sign errors: without all hyperparameters, so left out: resnet" in data["warnings"]


def test_models_without_the_bias_are_left_out():
    models = rows(blind, far)
    lacking = replace(models[0], measures={"top1@b": models[0].measures["top1@b"]})
    found = report([lacking, *models[1:]])[1]
    assert (found["n"], [c["pairs"] for c in found["changes"]]) == (15, [12, 16, 12, 16])


def test_a_constant_bias_is_a_coin_and_nothing_declared_is_nothing():
    found = report(rows(lambda *_: 1.0, far))[1]
    assert (found["direction"], found["overall"]["mean"], found["overall"]["worst"]) == (0, 0.5, 0.5)
    data, found = report(rows(blind, far), {})
    assert found is None
    assert not any("sign errors" in warning for warning in data["warnings"])


def test_declared_of_no_model_of_the_study():
    data, found = report(rows(blind, far), {"other-*": {"width": 1}})
    assert (found["n"], found["overall"]) == (0, None)
    assert np.all([found["reason"].startswith("undefined (")])
    assert any(warning.startswith("sign errors: undefined") for warning in data["warnings"])
    assert "hyperparameters: no model that takes part fits other-*" in data["warnings"]
    assert not any("left out" in warning for warning in data["warnings"])


def test_the_worst_changes_are_listed_and_all_are_counted(monkeypatch):
    monkeypatch.setattr("harness.plugins.reports.sensitivity.interventions.MOST_CHANGES", 3)
    found = report(rows(blind, far))[1]
    assert ([c["error"] for c in found["changes"]], found["overall"]["environments"]) == ([1, 1, 0], 4)


def test_the_published_networks_have_one_seed_each(real):
    published = Paper().read(real / "paper" / "benchmark.csv")
    rows = [Row(name=m.name, group=m.group, run="p", measures=m.measures, missing=()) for m in published.models]
    epsilon = {name: {"epsilon": float(name.rpartition("eps")[2])} for name in GROUPS["adversarial_training"][:10]}
    plan = StatisticsPlan(hyperparameters=epsilon)
    data = REPORT.data(compose(rows, published.biases, published.axes, statistics=plan))
    assert {entry["interventions"]["n"] for entry in data["sensitivities"]} == {10}
    reasons = {entry["generalization"]: entry["interventions"]["reason"] for entry in data["sensitivities"]}
    assert reasons["ID"] == "undefined (one network a recipe: effective sample size 1, expected at least 12)"
    assert reasons["Robustness"] == "undefined (of how many images top1@imagenet-c is, is unknown)"
