"""The report `correlation`: analytic cases, gaps, groups, and every coefficient printed on the study's poster."""

import json
import math

import pytest
import yaml
from harness.plugins.importers.paper import Paper
from harness.plugins.reports.correlation import Correlation
from scipy import stats

from harness import Measure
from harness.rendering import render, to_json
from harness.statistics import holm
from harness.study import Row, compose

BIASES = {"shape": ("shape-bias@cc",), "noise": ("noise@cc",)}
AXES = {"ID": ("top1@a",), "Robust": ("top1@b", "top1@c")}
PARTS = ("shape-bias@cc", "noise@cc", "top1@a", "top1@b", "top1@c")


def model(name, values, group="g", missing=None):
    measures = {
        part: Measure(name=part.partition("@")[0], value=value, low=value / 2, high=value, n=10)
        for part, value in zip(PARTS, values, strict=True)
        if value is not None
    }
    return Row(name=name, group=group, run="runs/a", measures=measures, missing=missing or {})


def rising(n=6, group="g", start=0):
    """Shape rises, noise is mixed, ID falls, Robust rises."""
    mixed = [0.3, 0.1, 0.4, 0.15, 0.9, 0.2, 0.6]
    return [
        model(f"{group}{i}", (i / 10 + 0.1, mixed[i % 7], 0.9 - i / 10, i / 20 + 0.1, i / 30 + 0.1), group)
        for i in range(start, start + n)
    ]


def report(rows, **more):
    return Correlation().data(compose(rows, BIASES, AXES, **more))


def entry(data, first, second, models="all", kind="correlations"):
    key = "generalization" if kind == "correlations" else "other"
    (found,) = [e for e in data[kind] if (e["bias"], e[key], e["models"]) == (first, second, models)]
    return found


def test_perfect_orders_and_a_mixed_one():
    data = report(rising())
    assert entry(data, "shape", "ID")["spearman"] == -1.0
    assert entry(data, "shape", "Robust")["spearman"] == 1.0
    mixed = entry(data, "noise", "ID")
    expected = stats.spearmanr([0.3, 0.1, 0.4, 0.15, 0.9, 0.2], [5, 4, 3, 2, 1, 0])
    assert (mixed["spearman"], mixed["p"]) == pytest.approx((expected.statistic, expected.pvalue))
    assert mixed["low"] < mixed["spearman"] < mixed["high"]
    assert entry(data, "shape", "noise", kind="bias_correlations")["n"] == 6


def test_p_values_are_adjusted_over_the_pairs_of_one_set_of_models():
    data = report([*rising(6), *rising(7, "h")])
    for name in ("all", "g", "h", "not g", "not h"):
        family = [e for e in data["correlations"] if e["models"] == name]
        assert len(family) == 4
        assert [e["p_holm"] for e in family] == pytest.approx(holm([e["p"] for e in family]))


def test_groups_and_their_complements():
    data = report([*rising(6), *rising(7, "h"), *rising(3, "few")])
    sizes = {e["models"]: e["n"] for e in data["correlations"]}
    assert sizes == {"all": 16, "g": 6, "h": 7, "few": 3, "not g": 10, "not h": 9, "not few": 13}
    few = entry(data, "shape", "ID", "few")
    assert (few["spearman"], few["p"], few["p_holm"], few["reason"]) == (None, None, None, "undefined (n = 3)")


def test_models_that_lack_a_number_are_left_out_and_counted():
    gap = model("gap", (0.5, 0.5, 0.5, 0.5, None), missing={"top1@c": "failed: NaN logits"})
    data = report([*rising(), gap])
    assert (entry(data, "shape", "ID")["n"], entry(data, "shape", "Robust")["n"]) == (7, 6)
    (shown,) = [m for m in data["models"] if m["name"] == "gap"]
    assert shown["axes"] == {"ID": 0.5, "Robust": None}
    assert shown["missing"]["Robust"] == "no top1@c (failed: NaN logits)"
    text = render(Correlation(), data, "terminal")
    assert "– Robust: no top1@c (failed: NaN logits): gap" in text
    assert "n = 7 models" in text
    assert "but shape × Robust n = 6, noise × Robust n = 6" in " ".join(text.split())


def test_models_without_a_group_take_part_only_if_asked():
    rows = [*rising(), model("stray", (0.1, 0.1, 0.1, 0.1, 0.1), None)]
    without, with_them = report(rows), report(rows, ungrouped=True)
    assert entry(without, "shape", "ID")["n"] == 6
    assert any("1 model has no group" in one and "--ungrouped" in one for one in without["warnings"])
    assert len(without["models"]) == 7
    assert entry(with_them, "shape", "ID")["n"] == 7
    assert entry(with_them, "shape", "ID", "not g")["n"] == 1
    assert with_them["warnings"] == []


def test_without_any_group_all_take_part_and_it_is_said():
    data = report([Row(name=r.name, group=None, run=r.run, measures=r.measures) for r in rising()])
    assert {e["models"] for e in data["correlations"]} == {"all"}
    assert entry(data, "shape", "ID")["n"] == 6
    assert data["warnings"] == ["no model has a group: all take part in the correlations"]


def test_a_constant_is_named():
    rows = [model(f"m{i}", (0.2, i / 10, i / 10, i / 10, i / 10)) for i in range(6)]
    found = entry(report(rows), "shape", "ID")
    assert (found["spearman"], found["reason"]) == (None, "undefined (shape constant)")


def test_data_is_strict_json_with_the_promised_keys():
    data = report([*rising(), model("gap", (None, 0.5, 0.5, 0.5, 0.5))])
    again = json.loads(to_json(data))
    assert again == data
    assert set(again["models"][0]) >= {"name", "group", "run", "measures", "biases", "axes", "missing", "details"}
    promised = {"bias", "generalization", "models", "n", "spearman", "p", "low", "high", "p_holm", "reason"}
    assert all(promised <= set(e) for e in again["correlations"])
    assert all({"bias", "other", "models", "n", "spearman", "p"} <= set(e) for e in again["bias_correlations"])
    assert again["biases"] == {name: list(parts) for name, parts in BIASES.items()}
    assert again["axes"]["Robust"] == ["top1@b", "top1@c"]
    assert again["models"][0]["details"]["top1@a"] == {"unit": "fraction", "low": 0.45, "high": 0.9, "n": 10}


def test_tables_come_from_the_data_alone():
    data = report([*rising(), *rising(7, "h")])
    stored = json.loads(to_json(data))
    assert render(Correlation(), stored, "terminal") == render(Correlation(), data, "terminal")


def test_accuracies_are_percent_on_screen_and_fractions_in_json():
    data = report(rising(1))
    assert data["models"][0]["axes"]["ID"] == 0.9
    csv = render(Correlation(), data, "csv")
    assert '"model","group","shape","noise","ID %","Robust %"' in csv
    assert '"g0","g",0.1,0.3,90.0,10.0' in csv


def test_stars_say_what_colour_says():
    text = render(Correlation(), report([*rising(6), *rising(7, "h")]), "terminal")
    matrix = text.split("all models\n")[1].splitlines()
    assert "**" in next(line for line in matrix if line.startswith("shape"))
    assert "*" not in next(line for line in matrix if line.startswith("noise"))
    assert "* p < 0.05" in text


def test_too_few_models_are_said_in_one_line():
    text = render(Correlation(), report(rising(3)), "terminal")
    assert "undefined (n = 3); at least 5 models with both numbers are needed" in text
    assert "p < 0.05" not in text


def test_undefined_groups_are_listed_once_and_have_no_matrix():
    text = render(Correlation(), report([*rising(6), *rising(3, "few")]), "terminal")
    assert "No coefficients for: few undefined (n = 3)" in text
    assert "models: few" not in text
    assert "models: not few" in text


@pytest.mark.parametrize("rows", [[], rising(1), rising(3), rising(12)], ids=len)
@pytest.mark.parametrize("format", ["terminal", "csv", "markdown", "html"])
def test_every_size_renders(rows, format):
    text = render(Correlation(), report(rows), format)
    assert "Models" in text
    if format == "terminal":
        assert max(map(len, text.splitlines())) <= 80


def test_intervals_are_shown_while_they_are_few():
    few, many = (render(Correlation(), report(rising(n)), "terminal") for n in (3, 12))
    assert "95 % intervals, from n trials each" in few
    assert "95 % intervals, from n trials each" not in many


def test_without_definitions_the_measures_are_shown():
    rows = [Row(name="m", group="g", run="r", measures={"top1@a": Measure(name="top1", value=0.25)})]
    data = Correlation().data(compose(rows, {}, {}))
    assert data["correlations"] == []
    assert "no run defines biases or axes" in data["warnings"][0]
    assert "0.250" in render(Correlation(), data, "terminal")


# --- the published study ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def published(real):
    table = Paper().read(real / "paper" / "benchmark.csv")
    rows = [
        Row(name=one.name, group=one.group, run="runs/paper", measures=one.measures, missing=one.missing)
        for one in table.models
    ]
    return Correlation().data(compose(rows, table.biases, table.axes))


def test_every_coefficient_of_the_poster(published, real):
    printed = yaml.safe_load((real / "paper" / "poster.yaml").read_text())["all"]
    found = {(e["generalization"], e["bias"]): e for e in published["correlations"] if e["models"] == "all"}
    assert len(found) == sum(map(len, printed.values())) == 24
    for axis, biases in printed.items():
        for bias, coefficient in biases.items():
            one = found[axis, bias]
            shown = round(one["spearman"], 2) if one["p"] < 0.05 else 0.0
            assert (one["n"], shown) == (48, coefficient), (axis, bias, one)


def test_published_gaps_are_outside_the_48(published):
    lacking = {m["name"] for m in published["models"] if None in [*m["biases"].values(), *m["axes"].values()]}
    assert len(lacking) == 5
    assert all(m["group"] is None for m in published["models"] if m["name"] in lacking)
    assert all(e["n"] == 48 for e in published["correlations"] if e["models"] == "all")


def test_with_all_70_the_gaps_show_in_n(real):
    table = Paper().read(real / "paper" / "benchmark.csv")
    rows = [Row(name=m.name, group=m.group, run="p", measures=m.measures, missing=m.missing) for m in table.models]
    data = Correlation().data(compose(rows, table.biases, table.axes, ungrouped=True))
    assert entry(data, "shape-bias", "Adversarial")["n"] == 65
    assert entry(data, "low-frequency-bias", "Concepts")["n"] == 68
    assert entry(data, "shape-bias", "ID")["n"] == 69


def test_published_errata_are_warnings(published):
    errata = [one for one in published["warnings"] if "erratum" in one]
    assert [one.partition(":")[0] for one in errata] == ["top1@imagenet-real", "top1@imagenet/pgd-40-low"]


def test_the_published_report_fits_80_columns(published):
    text = render(Correlation(), published, "terminal")
    assert max(map(len, text.splitlines())) <= 80
    assert "shape-bias                            -0.76**     -0.53**    0.14         0.47**" in text
    assert all(math.isfinite(e["p"]) for e in published["correlations"] if e["spearman"] is not None)
