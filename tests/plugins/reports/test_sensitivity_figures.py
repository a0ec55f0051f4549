"""The figures of the report `sensitivity`: curves of specifications and the line of effective robustness."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from harness import Measure, StatisticsPlan
from harness.output.drawing import to_image
from harness.output.formats import to_json
from harness.output.plain_drawing import to_text
from harness.plugins.importers.paper import Paper
from harness.plugins.reports.sensitivity import Sensitivity
from harness.study.compose import compose
from harness.study.rows import Row
from tests.helpers.drawn_marks import drawn_marks

REPORT = Sensitivity()
BIASES = {"shape": ("shape-bias@cc",), "LF": ("low-frequency-bias@a",)}
AXES = {"ID": ("top1@a",), "Far": ("top1@b", "top1@c"), "Near": ("top1@c",)}
PARTS = ("shape-bias@cc", "low-frequency-bias@a", "top1@a", "top1@b", "top1@c")
PLAN = StatisticsPlan(
    controls=("ID",),
    baseline_models=("m_0", "m_1", "m_2", "m_3", "m_4", "m_5"),
    alternatives={
        "Far": {"b alone": ("top1@b",), "c alone": ("top1@c",)},
        "LF": {"shape": ("shape-bias@cc",), "gone": ("x@a",)},
    },
)


def rows(n=12, seed=0, **given):
    """Models of two groups, of which the first six are the baseline; `given`: part -> value of the last one."""
    values = np.random.default_rng(seed).uniform(0.2, 0.9, (n, len(PARTS)))
    models = [
        Row(
            name=f"m_{at}",
            group="g" if at < 8 else "h",
            run="runs/a",
            measures={part: measure(part, float(value)) for part, value in zip(PARTS, of, strict=True)},
        )
        for at, of in enumerate(values)
    ]
    extreme = {part: measure(part, value) for part, value in given.get("last", {}).items()}
    return [*models[:-1], replace(models[-1], measures={**models[-1].measures, **extreme})]


def measure(part, value, n=100):
    unit, direction = ("1", "neither") if part.startswith("low") else ("fraction", "higher")
    return Measure(name=part.partition("@")[0], value=value, unit=unit, direction=direction, n=n)


def report(models, plan=PLAN, axes=AXES, **more):
    return json.loads(to_json(REPORT.data(compose(models, BIASES, axes, statistics=plan, **more))))


def figures(data):
    return {figure.name: figure for figure in REPORT.figures(data)}


# --- specifications ---------------------------------------------------------------------------


def test_every_coefficient_is_drawn_in_the_row_of_its_pair_from_the_least_to_the_largest():
    data = report(rows())
    figure = figures(data)["alternatives"]
    marks = drawn_marks(figure)
    curves = [
        [each["spearman"] for each in entry["alternatives"]["specifications"] if each["spearman"] is not None]
        for entry in data["sensitivities"]
        if entry["alternatives"]
    ]
    assert [len(curve) for curve in curves] == [3, 2, 6, 2]
    assert [name for _, name in figure.y_ticks] == ["shape × Far", "LF × ID", "LF × Far", "LF × Near"]
    drawn = np.concatenate(list(marks.values()))
    for (middle, _), curve in zip(figure.y_ticks, curves, strict=True):
        own = sorted((y, x) for x, y in drawn if abs(y - middle) < 1)
        assert [x for _, x in own] == pytest.approx(curve) and curve == sorted(curve)
        heights = [y for y, _ in own]
        assert all(above > below for below, above in pairwise(heights))
        assert np.mean(heights) == pytest.approx(middle)
    assert len(drawn) == sum(map(len, curves))
    defined = [entry["spearman"] for entry in data["sensitivities"] if entry["alternatives"]]
    assert sorted(marks["", "as defined", "points"][:, 0]) == pytest.approx(sorted(defined))
    assert figure.note == "5 combinations of definitions have no coefficient."
    series = figure.series[2]
    at = series.names.index("LF × Far: shape × b alone")
    (entry,) = [e for e in data["sensitivities"] if (e["bias"], e["generalization"]) == ("LF", "Far")]
    specifications = {(e["bias"], e["generalization"]): e["spearman"] for e in entry["alternatives"]["specifications"]}
    assert series.x[at] == specifications["shape", "b alone"]


def test_many_definitions_stay_in_their_row():
    plan = replace(PLAN, alternatives={"LF": {f"b{at}": (PARTS[at % 5],) for at in range(60)}})
    figure = figures(report(rows(), plan))["alternatives"]
    places = np.concatenate(list(drawn_marks(figure).values()))[:, 1]
    middles = np.array([place for place, _ in figure.y_ticks])
    assert np.abs(places[:, None] - middles).min(axis=1).max() <= 0.9 + 1e-9


# --- effective robustness ---------------------------------------------------------------------


def test_models_and_line_are_drawn_where_the_json_has_them():
    data = report(rows())
    marks = drawn_marks(figures(data)["effective-robustness"])
    values = {model.name: model for model in compose(rows(), BIASES, AXES, statistics=PLAN).models}
    for entry in data["effective"]:
        axis = entry["generalization"]
        panel = f"{axis}: slope {entry['slope']:.2f}, R² {entry['r2']:.2f}, n = 6"
        for group, style, baseline in (("g", "points", True), ("g", "open", False), ("h", "open", False)):
            chosen = [p for p in entry["points"] if p["group"] == group and p["baseline"] is baseline]
            expected = [(values[p["model"]].axes["ID"], values[p["model"]].axes[axis]) for p in chosen]
            assert marks.pop((panel, group, style)) == pytest.approx(np.array(expected))
    assert marks == {}


@pytest.mark.parametrize("seed", range(6))
def test_the_line_is_that_of_the_json_and_stays_among_the_models(seed):
    data = report(rows(seed=seed))
    for series in figures(data)["effective-robustness"].series:
        if series.style != "reference":
            continue
        (entry,) = [one for one in data["effective"] if series.panel.startswith(f"{one['generalization']}:")]
        x, y = (np.array([point[side] for point in entry["points"]]) for side in "xy")
        assert stats.norm.ppf(series.y) == pytest.approx(
            entry["intercept"] + entry["slope"] * stats.norm.ppf(series.x), abs=1e-6
        )
        small = 1e-9
        assert x.min() - small <= series.x[0] < series.x[1] <= x.max() + small
        assert y.min() - small <= min(series.y) and max(series.y) <= y.max() + small
        ends = [np.isclose(series.x, (x.min(), x.max())), np.isclose(sorted(series.y), (y.min(), y.max()))]
        assert np.sum(ends) >= 2  # as long as it can be


def test_nought_has_its_place_by_the_number_of_decisions_or_none():
    data = report(rows(last={"top1@c": 0.0}))
    (near,) = [entry for entry in data["effective"] if entry["generalization"] == "Near"]
    assert near["points"][-1]["y"] == pytest.approx(0.5 / 101)
    models = rows(last={"top1@c": 0.0})
    models[-1] = replace(models[-1], measures={**models[-1].measures, "top1@c": measure("top1@c", 0.0, n=None)})
    unknown = report(models)
    (near,) = [entry for entry in unknown["effective"] if entry["generalization"] == "Near"]
    assert (near["points"][-1]["x"], near["points"][-1]["y"]) == (None, None)
    figure = figures(unknown)["effective-robustness"]
    assert "– Near: 1 model has no place on the scale" in figure.note
    assert sum(len(series.names) for series in figure.series if series.panel.startswith("Near")) == 11


def test_an_axis_without_a_line_has_its_reason_and_no_panel():
    flat = replace(PLAN, baseline_models=("m_0", "m_1"))
    assert "effective-robustness" not in figures(report(rows(), flat))
    assert figures(report(rows(), StatisticsPlan())) == {}
    models = [
        replace(row, measures={k: v for k, v in row.measures.items() if k != "top1@b"}) if at < 3 else row
        for at, row in enumerate(rows())
    ]
    figure = figures(report(models))["effective-robustness"]
    assert "– Far: undefined (baseline of 3 models)" in figure.note
    assert all(series.panel.startswith("Near") for series in figure.series)


def test_names_with_marks_of_formulae_are_drawn_as_they_are():
    name = "a_b $x_1$ ^{"
    axes = {"ID": AXES["ID"], name: AXES["Far"]}
    plan = replace(PLAN, alternatives={name: {"$y_2$": ("top1@b",)}})
    models = [replace(row, group=f"{row.group} ${name}$") for row in rows()]
    found = figures(report(models, plan, axes))
    assert all(name in to_text(figure, 100) for figure in found.values())
    assert name in to_image(found["effective-robustness"], "svg").decode()


def test_the_published_study(real):
    table = Paper().read(real / "paper" / "benchmark.csv")
    models = [Row(name=m.name, group=m.group, run="paper", measures=m.measures) for m in table.models]
    study = compose(models, table.biases, table.axes, titles=table.titles, statistics=table.statistics)
    data = json.loads(to_json(REPORT.data(study)))
    found = figures(data)
    assert list(found) == ["alternatives", "effective-robustness"]
    assert len(found["alternatives"].y_ticks) == 20
    assert max(len(line) for figure in found.values() for line in to_text(figure).splitlines()) <= 80
    names = [name for series in found["effective-robustness"].series for name in series.names]
    assert len(names) == 3 * 48
    filled = {series.label for series in found["effective-robustness"].series if series.style == "points"}
    assert filled == {"baseline", "recipes"}
