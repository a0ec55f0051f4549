"""The report `correlation`: analytic cases, gaps, groups, and every coefficient printed on the study's poster."""

import json
import math
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats

from harness import Measure, Remark, StatisticsPlan, proportion
from harness.output.formats import render, to_json
from harness.plugins.importers.paper import Paper
from harness.plugins.reports.correlation import Correlation, interval_of
from harness.statistics import holm
from harness.study.compose import compose, mended
from harness.study.errata import marked
from harness.study.rows import Row
from tests.helpers.reasons import absences, lines

BIASES = {"shape": ("shape-bias@cc",), "noise": ("noise@cc",)}
AXES = {"ID": ("top1@a",), "Robust": ("top1@b", "top1@c")}
PARTS = ("shape-bias@cc", "noise@cc", "top1@a", "top1@b", "top1@c")


def model(name, values, group="g", missing=None):
    measures = {
        part: Measure(name=part.partition("@")[0], value=value, low=value / 2, high=value, n=10)
        for part, value in zip(PARTS, values, strict=True)
        if value is not None
    }
    return Row(name=name, group=group, run="runs/a", measures=measures, missing=missing or ())


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
    assert mixed["spearman"] == pytest.approx(expected.statistic)
    assert (mixed["p"], mixed["p_method"]) == (pytest.approx(514 / 720), "exact")
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
    gap = model("gap", (0.5, 0.5, 0.5, 0.5, None), missing=absences({"top1@c": "failed: NaN logits"}))
    data = report([*rising(), gap])
    assert (entry(data, "shape", "ID")["n"], entry(data, "shape", "Robust")["n"]) == (7, 6)
    (shown,) = [m for m in data["models"] if m["name"] == "gap"]
    assert shown["axes"] == {"ID": 0.5, "Robust": None}
    assert lines(shown)["Robust"] == "no top1@c (failed: NaN logits)"
    text = render(Correlation(), data, "terminal")
    assert "– Robust: no top1@c (failed: NaN logits): gap" in text
    assert "n = 7 models" in text
    assert "but Robust n = 6" in " ".join(text.split())


def test_one_reason_for_several_values_is_told_once():
    """A checkpoint that is not there is why every bias and axis is missing: one line, not one for each."""
    absent = "model 'gone': its checkpoint is not on this machine"
    lost = {"t@cc": absent, "accuracy@a": absent, "accuracy@b": absent, "accuracy@c": "no folder c"}
    gone = model("gone", [None] * 5, missing=absences(tasks=lost))
    notes = notes_of(report([*rising(), gone]))
    assert notes.count(absent) == 1
    assert f"– shape, noise, ID, Robust: {absent}: gone" in notes
    assert "– Robust: no folder c: gone" in notes  # a second reason is not swallowed by the first


def test_as_many_reasons_as_models_are_not_all_told_and_no_model_is_dropped():
    lost = [
        model(f"gone{i}", [None] * 5, missing=absences(tasks={"t@cc": f"no file {i}", "accuracy@a": f"no file {i}"}))
        for i in range(14)
    ]
    notes = notes_of(report([*rising(), *lost]))
    assert "– shape, noise, ID: no file 0: gone0" in notes and "no file 2" not in notes
    assert "– shape, noise, ID: 12 more, with reasons in --format json: gone2, gone3, gone4" in notes
    assert all(f"gone{i}" in notes for i in range(14))


def notes_of(data):
    return "\n".join(table.note for table in Correlation().tables(data))


def test_counts_have_no_decimals():
    counts = [Measure(name="shape-decisions", value=value) for value in (1200.0, 84.0)]
    rows = [
        Row(name=name, group="g", run="r", measures={"shape-decisions@cc": one})
        for name, one in zip("ab", counts, strict=True)
    ]
    text = render(Correlation(), Correlation().data(compose(rows, {}, {})), "terminal")
    assert re.search(r"^a +g +1,200$", text, re.MULTILINE) and re.search(r"^b +g +84$", text, re.MULTILINE)


def test_models_without_a_group_take_part_only_if_asked():
    rows = [*rising(), model("stray", (0.1, 0.1, 0.1, 0.1, 0.1), None)]
    without, with_them = report(rows), report(rows, ungrouped=True)
    assert entry(without, "shape", "ID")["n"] == 6
    assert any("1 model without a group" in one and "--ungrouped" in one for one in without["warnings"])
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
    text = render(Correlation(), report([model(f"m{i}", (0.2,) * 5) for i in range(6)]), "terminal")
    assert "undefined (shape and ID constant)" in text and "at least 5 models" not in text


def test_data_is_strict_json_with_the_promised_keys():
    data = report([*rising(), model("gap", (None, 0.5, 0.5, 0.5, 0.5))])
    again = json.loads(to_json(data))
    assert again == data
    assert set(again["models"][0]) >= {
        "name",
        "group",
        "run",
        "measures",
        "biases",
        "axes",
        "missing",
        "details",
        "intervals",
    }
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


def test_every_model_that_lacks_something_else_is_named():
    lost = [model(f"lost{at}", (0.1, 0.1, 0.1, 0.1, 0.1), missing=absences({"top1@z": "gone"})) for at in range(9)]
    text = " ".join(render(Correlation(), report([*rising(), *lost]), "terminal").split())
    assert f"– top1@z: gone: {', '.join(one.name for one in lost)}" in text


def test_flagged_models_are_named_unless_all_are():
    def flagged(one, **flags):
        measures = {
            part: replace(measure, flags=(flags[part.partition("@")[0].replace("-", "_")],))
            if part.partition("@")[0].replace("-", "_") in flags
            else measure
            for part, measure in one.measures.items()
        }
        return replace(one, measures=measures)

    rows = [flagged(one, shape_bias="all", **({"noise": "odd"} if at < 5 else {})) for at, one in enumerate(rising(8))]
    text = " ".join(render(Correlation(), report(rows), "terminal").split())
    assert "noise@cc: odd: g0, g1, g2, g3, g4" in text and "shape-bias@cc: all (8 models)" in text
    assert "shape-bias@cc: all: g0" not in text
    few = [*rows[5:], *(flagged(one, noise="odd") for one in rising(3, "h"))]
    assert "Flagged models" not in render(Correlation(), report(few), "terminal")


def test_too_few_models_are_said_in_one_line():
    text = render(Correlation(), report(rising(3)), "terminal")
    assert "undefined (n = 3); at least 5 models with both numbers are needed" in text
    assert "p < 0.05" not in text


def test_undefined_groups_are_listed_once_and_stand_apart_as_gaps():
    plan = StatisticsPlan(set_apart="few")
    text = render(Correlation(), report([*rising(6), *rising(3, "few")], statistics=plan), "terminal")
    assert "No coefficients for: few undefined (n = 3)" in " ".join(text.split())
    apart = text.split("with few set apart\n")[1]
    assert re.search(r"^shape +ID +-1\.00\*\* +– +-1\.00\*\*$", apart, re.MULTILINE)
    assert "models: all 9, group 3, others 6" in apart


def test_the_declared_group_stands_apart():
    """Among `h` alone shape and ID rise together; without it, they go against each other."""
    against = [model(f"h{i}", (i / 10, 0.5 + i / 90, i / 10, i / 20 + 0.1, 0.2), "h") for i in range(7)]
    rows = [*rising(7), *against, *rising(5, "calm", 1)]
    data = report(rows, statistics=StatisticsPlan(set_apart="h"))
    text = render(Correlation(), data, "terminal")
    assert data["set_apart"] == "h"
    assert "Spearman's ρ with h set apart" in text
    lines = {tuple(line.split()[:2]): line.split()[2:] for line in text.split("set apart\n")[1].splitlines()}
    shown = [entry(data, "shape", "ID", models)["spearman"] for models in ("all", "h", "not h")]
    assert [cell.rstrip("*") for cell in lines["shape", "ID"]] == [f"{value:.2f}" for value in shown]
    calm = render(Correlation(), report(rows, statistics=StatisticsPlan(set_apart="calm")), "terminal")
    assert "Spearman's ρ with calm set apart" in calm  # though another group changes more


def test_no_group_is_set_apart_by_its_numbers():
    rows = [*rising(6), *rising(7, "h")]
    undeclared = " ".join(render(Correlation(), report(rows, statistics=StatisticsPlan())).split())
    assert "with h set apart" not in undeclared and "with g set apart" not in undeclared
    assert "No group is set apart: none was declared beforehand" in undeclared
    assert "Mean change of ρ when a group is left out: " in undeclared


@pytest.mark.parametrize(
    ("rows", "group", "remark"),
    [
        ([*rising(6), *rising(7, "h")], "gone", "no model that takes part has the group gone; these are: g, h"),
        (rising(6, None), "gone", "no model that takes part has the group gone; these are: none"),
        (rising(6), "g", "0 models are of other groups than g; coefficients need at least 5"),
        ([*rising(6), *rising(4, "h")], "g", "4 models are of other groups than g; coefficients need"),
        ([*rising(6), *rising(7, "h")], "g", None),
        (rising(3), "gone", None),
    ],
)
def test_a_declared_group_that_cannot_be_set_apart_is_said(rows, group, remark):
    data = report(rows, statistics=StatisticsPlan(set_apart=group))
    said = [text for text in data["warnings"] if text.startswith("set_apart: ")]
    assert len(said) == (remark is not None) and (remark or "") in "".join(said)


def test_poster_rounds_and_prints_zero_without_significance():
    data = report([*rising(), *rising(3, "few")])
    perfect, mixed, undefined = (
        entry(data, *names)["poster"] for names in (("shape", "ID", "g"), ("noise", "ID", "g"), ("shape", "ID", "few"))
    )
    assert (perfect, mixed, undefined) == (-1.0, 0.0, None)
    assert all("poster" in one for one in data["bias_correlations"])


def placed(**more):
    """Six imported models and two of one's own, of which one lacks its noise."""
    own = [replace(one, run="runs/mine") for one in (model("top", (9.0, 0.15, 0.05, 0.2, 0.2), None),)]
    own.append(replace(model("gap", (0.35, None, 0.55, 0.2, 0.2), None), run="runs/mine"))
    runs = [{"run": "runs/a", "kind": "imported"}, {"run": "runs/mine", "kind": "trials"}]
    return report([*rising(), *own], provenance=runs, **more)


def test_own_models_stand_out_among_imported_ones_with_their_ranks():
    data = placed()
    top, gap = (m for m in data["models"] if m["own"])
    assert top["ranks"]["shape"] == {"rank": 1, "of": 7}
    assert top["ranks"]["ID"] == {"rank": 7, "of": 7}
    assert gap["ranks"]["shape"] == {"rank": 4, "of": 7}
    assert "noise" not in gap["ranks"]
    assert entry(data, "shape", "ID")["n"] == 6
    text = render(Correlation(), data, "terminal")
    assert re.search(r"^► top +– +9\.00 ", text, re.MULTILINE)
    assert re.search(r"^► top +1 of 7 +\d of 7 +7 of 7", text, re.MULTILINE)
    assert re.search(r"^► gap +4 of 7 +– ", text, re.MULTILINE)
    assert '"top","",9.0' in render(Correlation(), data, "csv")


def test_without_an_imported_table_no_model_stands_out():
    data = report(rising(), provenance=[{"run": "runs/a", "kind": "trials"}])
    assert not any(m["own"] for m in data["models"])
    assert "►" not in render(Correlation(), data, "terminal")


# --- figures ----------------------------------------------------------------------------------


def figures(data):
    return {one.name: one for one in Correlation().figures(json.loads(to_json(data)))}


def test_a_scatter_shows_every_model_that_the_coefficient_rests_on_and_own_ones():
    found = figures(placed())
    assert list(found)[-2:] == ["matrix", "matrix-biases"]
    assert list(found)[:-2] == ["scatter-shape-ID", "scatter-shape-Robust", "scatter-noise-ID", "scatter-noise-Robust"]
    one = found["scatter-shape-ID"]
    imported, top, gap = one.series
    assert (imported.label, top.label, gap.label) == ("g", "► top", "► gap")
    assert imported.x == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    assert imported.y == pytest.approx([90, 80, 70, 60, 50, 40])  # percent, as in the tables
    assert imported.names == ("g0", "g1", "g2", "g3", "g4", "g5")
    assert one.title == "shape and ID: Spearman's ρ = -1.00**, p within = 0.003, n = 6"
    assert "ρ is without top, gap." in one.note
    assert [series.label for series in found["scatter-noise-ID"].series] == ["g", "► top"]
    assert "1 model is not drawn" in found["scatter-noise-ID"].note


def filtered(name, group, values):
    measures = {
        f"relative-top1@a/low-pass-{cutoff}": Measure(name="relative-top1", value=value, condition=f"low-pass-{cutoff}")
        for cutoff, value in values.items()
    }
    return Row(name=name, group=group, run="r", measures=measures)


def test_curves_are_models_while_they_are_few_and_else_means_of_groups():
    few = [filtered("m1", "g", {0.1: 0.2, 0.5: 0.8}), filtered("m2", "g", {0.5: 0.6, 0.1: 0.4})]
    curves = figures(Correlation().data(compose(few, {}, {})))["low-pass-a"].series
    assert [(one.label, one.x, one.y) for one in curves] == [
        ("m1", (0.1, 0.5), (0.2, 0.8)),
        ("m2", (0.1, 0.5), (0.4, 0.6)),
    ]
    many = [*few, *(filtered(f"h{i}", "h", {0.1: i / 10, 0.5: 1.0}) for i in range(8)), filtered("n", "h", {0.1: 0.35})]
    first, second = figures(Correlation().data(compose(many, {}, {})))["low-pass-a"].series
    assert (first.label, first.x) == ("g", (0.1, 0.5))
    assert first.y == pytest.approx((0.3, 0.7))
    assert (second.label, second.x) == (
        "h",
        (0.1,),
    )  # one of them has no 0.5, and a mean of the others is another thing
    assert second.y == pytest.approx(((sum(range(8)) / 10 + 0.35) / 9,))


def test_curves_are_without_what_means_something_else():
    odd = filtered("odd", "g", {0.1: 0.9, 0.5: 0.9})
    flag = Remark("comparability", "", "cut to 64 pixels")
    odd = replace(odd, measures={name: replace(measure, flags=(flag,)) for name, measure in odd.measures.items()})
    rows = [filtered("m1", "g", {0.1: 0.2, 0.5: 0.8}), odd]
    (curve,) = figures(Correlation().data(compose(rows, {}, {})))["low-pass-a"].series
    assert (curve.label, curve.y) == ("m1", (0.2, 0.8))


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


# --- n and intervals --------------------------------------------------------------------------


def judged(name, group="g", **parts):
    """A model; each part is (value, low, high, n)."""
    measures = {}
    for part, (value, low, high, n) in parts.items():
        measures[f"{part}@s"] = Measure(name=part, value=value, low=low, high=high, n=n)
    return Row(name=name, group=group, run="r", measures=measures)


def test_interval_of_a_mean_is_the_mean_of_its_parts_intervals():
    rows = [
        judged("m", a=(0.5, 0.4, 0.6, 100), b=(0.7, 0.4, 0.8, 60), c=(0.2, None, None, 60), d=(0.1, 0.0, 0.2, None))
    ]
    axes = {"one": ["a@s"], "two": ["a@s", "b@s"], "three": ["a@s", "c@s"], "four": ["a@s", "d@s"], "five": ["c@s"]}
    data = Correlation().data(compose(rows, {"lost": ["gone@s"]}, axes))
    (found,) = data["models"]
    assert found["intervals"] == {
        "one": {"low": 0.4, "high": 0.6, "n": 100},
        "two": {"low": pytest.approx(0.4), "high": pytest.approx(0.7), "n": 160},
        "three": {"low": None, "high": None, "n": 160},
        "four": {"low": pytest.approx(0.2), "high": pytest.approx(0.4), "n": None},
        "five": {"low": None, "high": None, "n": 60},
    }
    assert json.loads(to_json(data)) == data


@pytest.mark.parametrize("shared", [True, False], ids=["the same images", "other images"])
def test_the_interval_of_a_mean_is_never_too_narrow(shared):
    """Exactly right for parts on the same images that are right and wrong together; else wider than it need be."""
    rng, hold, truth = np.random.default_rng(0), 0, 0.6
    for _ in range(500):
        first = rng.random(200) < truth
        second = first if shared else rng.random(200) < truth
        found = interval_of([proportion("top1", int(one.sum()), 200) for one in (first, second)])
        hold += found["low"] <= truth <= found["high"]
    assert 0.925 < hold / 500 < 0.975 if shared else hold / 500 > 0.975


def test_every_column_says_on_how_much_it_rests():
    rows = [
        judged("m", bias=(0.5, 0.45, 0.57, 214), top1=(0.8, 0.75, 0.83, 320), other=(0.4, 0.3, 0.5, 320)),
        judged("k", bias=(0.1, 0.08, 0.13, 240), top1=(0.7, 0.66, 0.74, 320), other=(0.2, None, None, 320)),
    ]
    for row in rows:
        row.measures["band@s"] = Measure(name="band", value=1.5, unit="octaves", n=320)
        row.measures["width@s"] = Measure(name="width", value=2.5, unit="octaves", n=320)
    biases = {"shape": ["bias@s"], "bandwidth": ["band@s"], "width": ["width@s"]}
    data = Correlation().data(compose(rows, biases, {"ID": ["top1@s"], "Both": ["top1@s", "other@s"]}))
    (note,) = [table.note for table in Correlation().tables(data) if table.title.startswith("Models")]
    assert "shape: n = 214 to 240, 95 % interval at most ±0.070\n" in note
    assert "bandwidth, width: n = 320, no interval\n" in note
    assert "ID: n = 320, 95 % interval at most ±5.0 points\n" in note  # the longer of the two sides
    assert "Both: n = 640, 95 % interval at most ±7.5 points (of 1 of 2 models)\n" in note
    assert "The interval of a mean is the mean of its parts' intervals: an upper bound" in note


def test_unlike_parts_of_a_mean_are_told_one_by_one():
    """A third of this mean rests on 326 images; n = 60,326 would hide it."""
    rows = [judged("m", a=(0.5, 0.49, 0.51, 50_000), b=(0.5, 0.48, 0.52, 10_000), c=(0.5, 0.44, 0.56, 326))]
    notes = notes_of(Correlation().data(compose(rows, {}, {"ID": ["a@s", "b@s", "c@s"]})))
    assert "ID: n = 50,000 + 10,000 + 326, 95 % interval at most ±3.0 points" in notes


def test_numbers_of_which_nothing_is_known_get_no_line():
    rows = [judged("m", a=(0.5, None, None, None))]
    data = Correlation().data(compose(rows, {"a": ["a@s"]}, {"ID": ["a@s"]}))
    assert data["models"][0]["intervals"] == {}
    assert "interval" not in notes_of(data) and "n = " not in notes_of(data)


def test_measures_without_definitions_say_n_too():
    counts = Measure(name="shape-decisions", value=20.0, unit="count", n=240)
    rows = [judged("m", top1=(0.5, 0.4, 0.6, 100))]
    rows[0].measures["shape-decisions@s"] = counts
    notes = notes_of(Correlation().data(compose(rows, {}, {})))
    assert "top1@s: n = 100, 95 % interval at most ±0.100" in notes
    assert re.search(r"^shape-decisions@s: n = 240$", notes, re.MULTILINE)


def test_ranks_and_groups_apart_say_how_much_is_known():
    (ranks,) = [table for table in Correlation().tables(placed()) if "Rank" in table.title]
    assert "shape: n = 10, 95 % interval at most ±4.5\n" in ranks.note
    rows = [*rising(6), *rising(7, "h")]
    text = render(Correlation(), report(rows, statistics=StatisticsPlan(set_apart="h")), "terminal")
    half = {n: 1.96 / math.sqrt(n - 3) for n in (13, 6, 7)}
    shown = re.search(r"interval of a ρ near 0: all ±(\S+), group ±(\S+), others ±(\S+)\.$", text, re.MULTILINE)
    apart = re.search(r"models: all 13, group (\d+), others (\d+)", text)
    for value, n in zip(shown.groups(), (13, int(apart[1]), int(apart[2])), strict=True):
        assert float(value) == pytest.approx(math.tanh(half[n]), abs=0.01)


def test_without_definitions_the_measures_are_shown():
    rows = [Row(name="m", group="g", run="r", measures={"top1@a": Measure(name="top1", value=0.25)})]
    data = Correlation().data(compose(rows, {}, {}))
    assert data["correlations"] == []
    assert "no run defines biases or axes" in data["warnings"][0]
    assert "0.250" in render(Correlation(), data, "terminal")


# --- the published study ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def table(real):
    return Paper().read(real / "paper" / "benchmark.csv")


def as_study(table, **more):
    rows = [
        marked(
            Row(name=m.name, group=m.group, run="runs/paper", measures=m.measures, missing=absences(m.missing)),
            table.errata,
        )
        for m in table.models
    ]
    return compose(rows, table.biases, table.axes, errata=table.errata, statistics=table.statistics, **more)


@pytest.fixture(scope="module")
def published(table):
    return Correlation().data(as_study(table))


@pytest.fixture(scope="module")
def healed(table):
    return Correlation().data(mended(as_study(table)))


@pytest.fixture(scope="module")
def printed(real):
    """The published cells as they are, by pandas: a DataFrame of the 48 with a column for each bias and axis."""
    frame = pd.read_csv(real / "paper" / "benchmark.csv").set_index("model")
    groups = json.loads((real / "paper" / "r50_categories.json").read_text())
    columns = yaml.safe_load((real / "paper" / "poster.yaml").read_text())["columns"]
    found = pd.DataFrame({name: frame[[c] if isinstance(c, str) else c].mean(axis=1) for name, c in columns.items()})
    found["mended ID"] = frame[columns["ID"][:2]].mean(axis=1)
    found["group"] = pd.Series({name: group for group, names in groups.items() for name in names})
    return found.dropna(subset="group")


@pytest.mark.parametrize("state", ["published", "healed"])
def test_every_coefficient_of_the_poster(state, real, request):
    """Mending moves ID by 0.014 at most, and no coefficient of the other axes."""
    poster = yaml.safe_load((real / "paper" / "poster.yaml").read_text())["all"]
    data = request.getfixturevalue(state)
    found = {(e["generalization"], e["bias"]): e for e in data["correlations"] if e["models"] == "all"}
    assert len(found) == sum(map(len, poster.values())) == 24
    for (axis, bias), one in found.items():
        within = 0.0138 + 0.01 if (state, axis) == ("healed", "ID") else 0
        assert one["n"] == 48
        assert one["poster"] == pytest.approx(poster[axis][bias], abs=within), (axis, bias, one)


@pytest.mark.parametrize("state", ["published", "healed"])
def test_every_group_and_its_complement_straight_from_the_csv(state, printed, request):
    data, checked = request.getfixturevalue(state), 0
    for one in data["correlations"]:
        name = one["models"].removeprefix("not ")
        rows = printed
        if name != "all":
            rows = printed[(printed["group"] == name) != one["models"].startswith("not ")]
        axis = "mended ID" if (state, one["generalization"]) == ("healed", "ID") else one["generalization"]
        assert one["n"] == len(rows)
        if one["spearman"] is None:
            assert len(rows) < 5 or rows[one["bias"]].nunique() == 1
            continue
        # Published accuracies are float32: without rounding, equal means would be ranked by their rounding errors.
        expected = stats.spearmanr(rows[one["bias"]].round(9), rows[axis].round(5))
        assert one["spearman"] == pytest.approx(expected.statistic, abs=1e-9)
        assert one["p_method"] == ("exact" if len(rows) < 10 else "t")
        if one["p_method"] == "t":
            assert one["p"] == pytest.approx(expected.pvalue, abs=1e-9)
        checked += 1
    assert checked == (1 + 4 + 7) * 24 - 12  # the critical bands of the contrastive models are all alike


def test_published_gaps_are_outside_the_48(published):
    lacking = {m["name"] for m in published["models"] if None in [*m["biases"].values(), *m["axes"].values()]}
    assert len(lacking) == 5
    assert all(m["group"] is None for m in published["models"] if m["name"] in lacking)
    assert all(e["n"] == 48 for e in published["correlations"] if e["models"] == "all")


def test_with_all_70_the_gaps_show_in_n(table):
    data = Correlation().data(as_study(table, ungrouped=True))
    assert entry(data, "shape-bias", "Adversarial")["n"] == 65
    assert entry(data, "low-frequency-bias", "Concepts")["n"] == 68
    assert entry(data, "shape-bias", "ID")["n"] == 69


def test_adversarial_training_is_what_most_rests_on(published):
    text = render(Correlation(), published, "terminal")
    assert "with adversarial_training set apart" in text
    assert "models: all 48, group 15, others 33" in text
    assert "adversarial_training 0.31, training_recipes 0.12" in " ".join(text.split())


def test_the_published_figures(published):
    found = figures(published)
    assert len(found) == 28
    drawn = {name: one for name, one in found.items() if not one.maps}
    assert found.keys() - drawn.keys() == {"matrix", "matrix-biases"}
    for name, one in drawn.items():
        assert len(one.series) == 7
        assert sum(len(series.x) for series in one.series) == (77 if name.endswith("pass-imagenet") else 48)
    assert "† published top1@imagenet/pgd-40-low" in found["scatter-shape-bias-Adversarial"].note


def test_the_published_report_fits_80_columns(published):
    text = render(Correlation(), published, "terminal")
    assert max(map(len, text.splitlines())) <= 80
    assert "shape-bias                            -0.76**     -0.53      0.14*        0.47**" in text
    assert all(math.isfinite(e["p"]) for e in published["correlations"] if e["spearman"] is not None)


@pytest.mark.parametrize("group", ["all", "not h", "ALL", "not all"])
def test_a_stored_group_with_the_name_of_another_set_is_shown_under_another_name(group):
    # Registries refuse such groups; runs made before may have them.
    data = report([*rising(7, "h"), *(replace(row, group=group) for row in rising(6, "g"))])
    assert {model["group"] for model in data["models"]} == {"h", f"group-{group}"}
    sets = [entry["models"] for entry in data["correlations"]]
    assert list(dict.fromkeys(sets)) == ["all", "h", f"group-{group}", "not h", f"not group-{group}"]
    assert entry(data, "shape", "ID")["n"] == 13
    text = " ".join(render(Correlation(), data).split())
    assert f"the models of group '{group}' are shown as 'group-{group}'" in text


# --- short titles -----------------------------------------------------------------------------

LONG = "critical-band-peak-noise-sensitivity"


def titled():
    biases = {LONG: BIASES["shape"], "noise": BIASES["noise"]}
    titles = {LONG: "peak noise", "Robust": "rob.", "adversarial_training": "adversarial"}
    rows = [*rising(6, "adversarial_training"), *rising(7, "h")]
    return Correlation().data(compose(rows, biases, AXES, titles=titles))


def test_titles_stand_in_tables_and_figures_and_names_in_csv_and_json():
    data = titled()
    text, table = render(Correlation(), data), render(Correlation(), data, "csv")
    assert "peak noise" in text and LONG not in text and "adversarial_training " not in text
    assert f'"{LONG}"' in table and '"adversarial_training"' in table and '"peak noise"' not in table
    assert json.loads(to_json(data))["titles"][LONG] == "peak noise"
    figure = next(one for one in Correlation().figures(data) if one.name == f"scatter-{LONG}-ID")
    assert figure.x_label == "peak noise" and [one.label for one in figure.series] == ["adversarial", "h"]


def test_the_answer_comes_first_and_nothing_is_wider_than_80_columns():
    data = titled()
    titles = [table.title for table in Correlation().tables(data)]
    answer = ["Each axis predicted from all biases together", "Spearman's ρ of biases and generalization, all models"]
    assert titles[:2] == answer
    assert max(map(len, render(Correlation(), data).splitlines())) <= 80
    few = Correlation().data(compose(rising(3), BIASES, AXES))
    assert Correlation().tables(few)[0].title == "Models (3)"  # without coefficients, the models are the answer


def test_the_published_table_at_80_columns_has_whole_headings_and_readable_names(table):
    text = render(Correlation(), Correlation().data(as_study(table, titles=table.titles)))
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert not re.search(r"(^| )(criti|frequ|bandw|sensi|Robus|Conce|Adver)\.", text)
    assert any(line.startswith("robust_resnet50_l2_eps0.05 ") for line in lines)
    assert any(re.match(r"peak noise +0\.30\*{0,2} ", line) for line in lines[20:40])  # below both headings
