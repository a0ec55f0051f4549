"""Training families in the report `correlation`: numbers, table, stars, notes where a star and an interval differ."""

import csv
import io
import json
from itertools import combinations

import numpy as np
import pytest

from harness import Measure, inference
from harness.output.formats import render, to_json
from harness.plugins.importers.paper import Paper
from harness.plugins.reports.correlation import Correlation
from harness.plugins.reports.correlation import within as of_within
from harness.statistics import holm
from harness.study.compose import compose
from harness.study.rows import Row

BIASES, AXES = {"shape": ["shape@cc"], "noise": ["noise@cc"]}, {"ID": ["top1@a"], "Robust": ["top1@b"]}
PARTS = ("shape@cc", "noise@cc", "top1@a", "top1@b")


def row(name, group, *values):
    measures = {
        part: Measure(name=part.partition("@")[0], value=value)
        for part, value in zip(PARTS, values, strict=True)
        if value is not None
    }
    return Row(name=name, group=group, run="r", measures=measures)


def drawn(groups, seed=0, effect=0.0):
    """Families that differ in everything; inside them ID follows shape by `effect`."""
    rng, rows = np.random.default_rng(seed), []
    for group, size in groups.items():
        centre = 3 * rng.normal(size=4)
        for at in range(size):
            values = centre + rng.normal(size=4)
            values[2] += effect * (values[0] - centre[0])
            rows.append(row(f"{group}{at}", None if group == "" else group, *map(float, values)))
    return rows


def report(rows, **more):
    return Correlation().data(compose(rows, BIASES, AXES, **more))


def entry(data, first="shape", second="ID", models="all"):
    (found,) = [
        e for e in data["correlations"] if (e["bias"], e["generalization"], e["models"]) == (first, second, models)
    ]
    return found


def text_of(data):
    return " ".join(render(Correlation(), data).split())


@pytest.fixture(scope="module")
def published(real):
    table = Paper().read(real / "paper" / "benchmark.csv")
    rows = [Row(name=m.name, group=m.group, run="runs/paper", measures=m.measures, missing=()) for m in table.models]
    study = compose(rows, table.biases, table.axes, titles=table.titles, statistics=table.statistics)
    return Correlation().data(study)


def of_all(data):
    return [one for one in data["correlations"] if one["models"] == "all"]


def test_coefficients_over_all_models_have_families_and_others_have_not():
    data = report(drawn({"g": 6, "h": 7, "alone": 1}))
    for kind in ("correlations", "bias_correlations"):
        assert all(("families" in one) == (one["models"] == "all") for one in data[kind])
    found = entry(data)["families"]
    assert (found["n"], found["families"], found["draws"], found["seed"]) == (13, 2, 50_000, 0)
    assert (found["p_within_method"], set(found["signs"])) == ("permutation", {"g", "h"})
    assert [one["name"] for one in data["clusters"]] == ["shape", "noise", "ID", "Robust"]
    assert all((one["n"], one["families"]) == (14, 3) for one in data["clusters"])


def test_few_models_are_tested_exactly_and_p_is_adjusted_over_the_pairs():
    data = report(drawn({"g": 4, "h": 3}))
    found = [one["families"] for one in of_all(data)]
    assert all((one["p_within_method"], one["draws"], one["seed"]) == ("exact", 144, None) for one in found)
    assert [one["p_within_holm"] for one in found] == holm([one["p_within"] for one in found])
    assert "by all 144 permutations within families, corrected over these 4" in text_of(data)
    gap = report([row(f"{group}{at}", group, at, None, at**2, at) for group in "gh" for at in range(4)])
    assert "corrected over the 2 that have one, the primary tests" in text_of(gap)
    assert entry(gap)["families"]["p_within_holm"] == 2 * entry(gap)["families"]["p_within"]


def test_pairs_that_lack_models_rest_on_those_they_have():
    rows = [*drawn({"g": 6, "h": 6}), row("gap", "g", 0.1, 0.2, 0.3, None)]
    data = report(rows)
    assert entry(data)["families"]["n"] == 13
    assert entry(data, "shape", "Robust")["families"]["n"] == 12
    found, without = (entry(each, "noise", "Robust")["families"] for each in (data, report(rows[:-1])))
    assert found["within"] == without["within"]


def test_the_order_of_models_changes_no_number_of_families():
    rows = drawn({"g": 6, "h": 7})
    found, again = report(rows), report(rows[::-1])
    for one, other in zip(of_all(found), of_all(again), strict=True):
        assert one["families"]["p_within"] == other["families"]["p_within"]
        assert one["families"]["cluster_low"] == pytest.approx(other["families"]["cluster_low"], abs=1e-12)


def test_models_without_a_group_are_families_of_one():
    rows = [*drawn({"g": 6}), *drawn({"": 3}, seed=1)]
    found = entry(report(rows, ungrouped=True))
    assert (found["n"], found["families"]["n"], found["families"]["families"]) == (9, 6, 1)
    assert set(found["families"]["signs"]) == {"g"}


def test_without_families_models_count_as_independent_and_it_is_said():
    data = report(drawn({"": 12}))
    found = entry(data)["families"]
    assert (found["within"], found["p_within"]) == (None, None)
    assert found["reason"] == "undefined (no family has two models)"
    assert (found["cluster_low"], found["n_effective"], found["signs"]) == (None, None, {})
    text = text_of(data)
    assert "No training families to respect: each model counts as independent." in text
    assert "Within training families" not in text and "within their training family" not in text


def test_too_few_models_are_undefined_with_the_reason():
    found = entry(report(drawn({"g": 3})))["families"]
    assert (found["within"], found["cluster_low"], found["reason"]) == (None, None, "undefined (n = 3)")


def test_a_relation_between_families_alone_has_no_star_and_the_reason():
    """Two families far apart: Spearman's ρ is large over all and nothing inside."""
    rng = np.random.default_rng(3)
    rows = [
        row(f"{group}{at}", group, *(place + rng.normal(size=4)).tolist())
        for group, place in (("low", 0.0), ("mid", 20.0), ("high", 40.0))
        for at in range(6)
    ]
    data = report(rows)
    found = entry(data)
    assert found["p_holm"] < 0.001 and found["families"]["p_within"] > 0.05
    text = text_of(data)
    line = next(line for line in render(Correlation(), data).splitlines() if line.startswith("shape "))
    assert "*" not in line.split()[1]
    assert "Not starred, though the interval over models excludes 0" in text


def test_a_relation_inside_every_family_has_two_stars():
    data = report(drawn({"g": 8, "h": 8, "i": 8}, effect=4.0))
    found = entry(data)["families"]
    assert found["p_within_holm"] < 0.05 and found["signs"] == {"g": 1, "h": 1, "i": 1} and not found["simpson"]
    line = next(line for line in render(Correlation(), data).splitlines() if line.startswith("shape "))
    assert line.split()[1].endswith("**") == (entry(data)["spearman"] > 0)


def test_a_relation_that_turns_round_inside_families_has_no_star_but_a_word():
    rows = [
        row(f"{group}{at}", group, base + at / 10, at % 3, 5 * base - at / 10, at % 4)
        for base, group in enumerate("ghi")
        for at in range(7)
    ]
    data = report(rows)
    found = entry(data)
    assert found["spearman"] > 0.5 and found["families"]["within"] < -0.5
    assert found["families"]["simpson"] and found["families"]["reversed"] == ["g", "h", "i"]
    assert found["families"]["worst_error"] == 1.0
    text = text_of(data)
    assert "Not starred, since p < 0.05 within families has the other sign: shape × ID" in text
    line = next(line for line in render(Correlation(), data).splitlines() if line.startswith("shape "))
    assert "*" not in line.split()[1]


def test_many_models_cost_no_more_permutations_than_two_hundred():
    assert [of_within._draws(n) for n in (5, 200, 400, 5000)] == [50_000, 50_000, 25_000, 10_000]


def test_every_star_of_the_published_table_agrees_with_its_intervals_or_is_named(published):
    title = "Spearman's ρ of biases and generalization, all models"
    notes = {table.title: table.note for table in Correlation().tables(published)}[title]
    text = render(Correlation(), published).split(title)[1].split("\n\n")[0]
    lines = {line.split("  ")[0]: line for line in text.splitlines()[3:]}
    checked = 0
    for one in of_all(published):
        names = [published["titles"].get(one[key], one[key]) for key in ("bias", "generalization")]
        cell = lines[names[0]][11:].split()[list(published["axes"]).index(one["generalization"])]
        families = one["families"]
        for low, high in ((one["low"], one["high"]), (families["cluster_low"], families["cluster_high"])):
            agrees = ("*" in cell) == (not low <= 0 <= high)
            assert agrees or f"{names[0]} × {names[1]}" in notes, (names, cell)
            checked += not agrees
    assert checked >= 10


def test_the_numbers_of_the_published_table(published):
    """Counts, reversals and worst families as the reference has them; the poster's coefficients stay as they were."""
    found = {(one["bias"], one["generalization"]): one for one in of_all(published)}
    families = {pair: one["families"] for pair, one in found.items()}
    assert sum(one["p"] < 0.05 for one in found.values()) == 15
    assert sum(one["p_within"] < 0.05 for one in families.values()) == 10
    assert sum(one["p_within_holm"] < 0.05 for one in families.values()) == 4
    high = families["high-frequency-bias", "Adversarial"]
    assert high["simpson"] and high["within"] > 0 > found["high-frequency-bias", "Adversarial"]["spearman"]
    assert families["high-frequency-bias", "Robustness"]["reversed"] == ["contrastive"]
    assert sum(one["worst_error"] < 0.5 for one in families.values()) == 2
    shape = families["shape-bias", "ID"]
    assert -1 < shape["cluster_low"] < found["shape-bias", "ID"]["low"] and shape["cluster_high"] < 0
    assert all(one["n_effective"] <= 48 for one in families.values())
    assert {one["name"]: round(one["n_effective"], 1) for one in published["clusters"]}["Robustness"] == 6.0


def test_terminal_csv_and_json_show_the_same_numbers(published):
    data = json.loads(to_json(published))
    (table,) = [one for one in Correlation().tables(data) if one.title == "Within training families"]
    text = render(Correlation(), data, "csv")
    rows = list(csv.reader(io.StringIO(text[text.index("Within training families") :])))
    at = next(at for at, cells in enumerate(rows) if cells[:2] == ["bias", "axis"])
    lines = render(Correlation(), data).split("Within training families\n")[1].splitlines()[2:]
    for cells, line, shown, one in zip(rows[at + 1 : at + 25], lines[:24], table.rows, of_all(data), strict=True):
        families = one["families"]
        numbers = (one["spearman"], families["within"], families["p_within_holm"])
        assert [float(cell) for cell in cells[2:5]] == pytest.approx(numbers)
        assert [float(cell) for cell in cells[-2:]] == pytest.approx(
            (families["cluster_low"], families["cluster_high"])
        )
        assert all(cell.text in line for cell in shown)
        assert f"{round(numbers[1], 2) + 0.0:.2f}" == shown[3].text


def test_a_scatter_says_what_is_left_within_families(published):
    (figure,) = [
        one for one in Correlation().figures(published) if one.name == "scatter-high-frequency-bias-Adversarial"
    ]
    assert "Within training families: ρ = 0.17, n = 46; p within: by permutation there." in figure.note
    assert "Spearman's ρ = -0.40, p within = 0.3" in figure.title and "*" not in figure.title + figure.note


def test_the_pairs_of_biases_are_tested_in_a_list_of_their_own(published):
    found = [one["families"] for one in published["bias_correlations"] if one["models"] == "all"]
    assert len(found) == len(list(combinations(published["biases"], 2)))
    assert [one["p_within_holm"] for one in found] == holm([one["p_within"] for one in found])
    tables = {table.title: table.note for table in Correlation().tables(published)}
    assert "Exploratory" in tables["Spearman's ρ among biases, all models"]
    assert "Exploratory" in tables["Spearman's ρ with adversarial set apart"]
    assert "Exploratory" in tables["The same with 95 % intervals and p-values, all models"]
    assert "these 24, the primary tests of this report" in tables["Within training families"]


def test_numbers_are_those_of_the_room_for_inference(published):
    models = [one for one in published["models"] if one["in_correlations"]]
    x, y = [one["biases"]["shape-bias"] for one in models], [one["axes"]["Concepts"] for one in models]
    found = inference.within_families(x, y, [one["group"] for one in models])
    (one,) = [e for e in of_all(published) if (e["bias"], e["generalization"]) == ("shape-bias", "Concepts")]
    assert one["families"]["within"] == pytest.approx(found.value, abs=1e-12)
