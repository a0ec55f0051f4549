"""The figures of the report `prediction`: what is drawn is the JSON, and what is undefined is not drawn."""

import json
from dataclasses import replace

import numpy as np
import pytest

from harness import Measure, StatisticsPlan
from harness.output.drawing import to_image
from harness.output.formats import to_json
from harness.output.plain_drawing import to_text
from harness.plugins.importers.paper import Paper
from harness.plugins.reports.prediction import JointPrediction
from harness.plugins.reports.prediction.figures import FLOOR
from harness.study.compose import compose
from harness.study.rows import Row
from tests.helpers.drawn_marks import drawn_marks
from tests.helpers.places import ROOT

REPORT = JointPrediction()
BIASES = {"shape": ("shape-bias@cc",), "noise": ("noise@cc",)}
AXES = {"ID": ("top1@a",), "Robust": ("top1@b",)}
UNITS = {"shape-bias@cc": "1", "noise@cc": "1", "top1@a": "fraction", "top1@b": "1"}
KINDS = ("q2_loo", "q2_lofo")


def rows(groups="aaabbbcccddd", seed=0, spread=1.0):
    values = np.random.default_rng(seed).uniform(0.1, 0.9, (len(groups), len(UNITS)))
    values[: groups.count("a"), 0] *= spread
    return [
        Row(
            name=f"m_{at}",
            group=None if group == "-" else group,
            run="runs/a",
            measures={
                part: Measure(name=part.partition("@")[0], value=float(value), unit=unit)
                for (part, unit), value in zip(UNITS.items(), of, strict=True)
            },
        )
        for at, (group, of) in enumerate(zip(groups, values, strict=True))
    ]


def report(models, log=("noise",), axes=AXES, **more):
    return json.loads(to_json(REPORT.data(compose(models, BIASES, axes, statistics=StatisticsPlan(log=log), **more))))


def figures(data):
    return {figure.name: figure for figure in REPORT.figures(data)}


@pytest.fixture(scope="module")
def published(real):
    table = Paper().read(real / "paper" / "benchmark.csv")
    models = [Row(name=m.name, group=m.group, run="paper", measures=m.measures) for m in table.models]
    study = compose(models, table.biases, table.axes, titles=table.titles, statistics=table.statistics)
    return json.loads(to_json(REPORT.data(study)))


def scores(data):
    """Label -> value by row, from the JSON."""
    entries = data["predictions"]
    found = {"Q² LOO": "q2_loo", "Q² LOFO": "q2_lofo"}
    values = {label: [entry[key] for entry in entries] for label, key in found.items()}
    return {**values, "ID alone, LOFO": [entry["baselines"]["id"]["q2_lofo"] for entry in entries]}


@pytest.mark.parametrize("spread", [1.0, 30.0], ids=["near", "far"])
def test_every_score_is_drawn_where_the_json_has_it_or_at_the_floor(spread):
    data = report(rows(spread=spread))
    figure = figures(data)["prediction"]
    marks = drawn_marks(figure)
    expected = scores(data)
    assert any(value < FLOOR for values in expected.values() for value in values if value is not None) or spread == 1
    for line, (label, values) in enumerate(expected.items()):
        drawn = [(max(value, FLOOR), -4 * row - line) for row, value in enumerate(values) if value is not None]
        assert marks["", label, "points"] == pytest.approx(np.array(drawn))
    chance = [
        (entry["null"][kind]["q95"], -4 * row - line)
        for row, entry in enumerate(data["predictions"])
        for line, kind in enumerate(KINDS)
        if entry["null"][kind]["q95"] >= FLOOR
    ]
    assert ("Without a bar: below -1." in figure.note) == (len(chance) < 8) == (spread > 1)
    assert marks["", "95 % by chance", "ticks"] == pytest.approx(np.array(chance))
    assert [name for _, name in figure.y_ticks] == ["ID, ols", "ID, ols-log", "Robust, ols", "Robust, ols-log"]
    text = to_text(figure)
    far = [value for values in expected.values() for value in values if value is not None and value < FLOOR]
    assert text.count("←") == len(far) and all(f"{value:.2f}"[:4] in text for value in far)
    assert ("An arrow: below -1" in figure.note) == bool(far)


@pytest.mark.parametrize("learner", ["ols", "ols-log"])
def test_every_model_is_drawn_as_the_other_groups_predict_it(learner):
    data = report(rows(), titles={"a": "first"})
    marks = drawn_marks(figures(data)["predicted" if learner == "ols" else "predicted-ols-log"])
    titles = {"a": "first"}
    for entry in (entry for entry in data["predictions"] if entry["learner"] == learner):
        panel = f"{entry['generalization']}: Q² LOFO = {entry['q2_lofo']:.2f}"
        scale = 100 if entry["generalization"] == "ID" else 1  # a fraction; the other axis has another unit
        for group in "abcd":
            places = [
                (scale * model["measured"], scale * model["lofo"])
                for model in entry["predicted"]
                if model["group"] == group
            ]
            assert len(places) == 3
            assert marks.pop((panel, titles.get(group, group), "points")) == pytest.approx(np.array(places))
    assert marks == {}


def test_q2_follows_from_what_is_drawn():
    """The JSON and the picture have one origin: the squares of the distances from the line of equality."""
    for entry in report(rows())["predictions"]:
        response = np.array([model["measured"] for model in entry["predicted"]])
        groups = np.array([model["group"] for model in entry["predicted"]])
        constant = np.array([response[groups != group].mean() for group in groups])
        for key in ("loo", "lofo"):
            rest = response - [model[key] for model in entry["predicted"]]
            total = response - (constant if key == "lofo" else (response.sum() - response) / (len(response) - 1))
            assert 1 - (rest**2).sum() / (total**2).sum() == pytest.approx(entry[f"q2_{key}"])


def test_what_is_undefined_is_absent_and_has_its_reason():
    assert figures(report(rows("abc"))) == {}
    nobody = figures(report(rows("-" * 12)))
    assert list(nobody) == ["prediction"]
    assert [series.label for series in nobody["prediction"].series][2:] == ["Q² LOO"]
    assert "Q² LOFO undefined (no model has a group" in nobody["prediction"].note
    models = rows()
    zero = replace(models[0].measures["noise@cc"], value=0.0)
    models[0] = replace(models[0], measures={**models[0].measures, "noise@cc": zero})
    half = figures(report(models))
    assert list(half) == ["prediction", "predicted"]
    assert [name for _, name in half["prediction"].y_ticks] == ["ID, ols", "Robust, ols"]
    assert "noise of m_0 is 0, which has no logarithm" in half["prediction"].note
    assert [name for _, name in figures(report(rows(), log=()))["prediction"].y_ticks] == ["ID", "Robust"]


def test_axes_that_share_a_title_have_panels_of_their_own():
    axes = {"ID": AXES["ID"], "again": AXES["ID"]}
    figure = figures(report(rows(), axes=axes, titles={"ID": "same", "again": "same"}))["predicted"]
    panels = list(dict.fromkeys(series.panel.partition(":")[0] for series in figure.series))
    assert panels == ["ID", "again"]


def test_names_with_marks_of_formulae_are_drawn_as_they_are():
    name = "a_b $x_1$ ^{"
    axes = {"ID": AXES["ID"], name: AXES["Robust"]}
    models = [replace(row, group=f"{row.group} ${name}$") for row in rows()]
    found = figures(report(models, axes=axes))
    assert all(name in to_text(figure, 100) for figure in found.values())
    assert name in to_image(found["predicted"], "svg").decode()


def test_the_numbers_of_the_documentation(published):
    (entry,) = [e for e in published["predictions"] if (e["generalization"], e["learner"]) == ("Adversarial", "ols")]
    most = max(entry["predicted"], key=lambda model: model["lofo"])
    squares = {model["model"]: (model["lofo"] - model["measured"]) ** 2 for model in entry["predicted"]}
    augmented = sum(squares[model["model"]] for model in entry["predicted"] if model["group"] == most["group"])
    text = " ".join((ROOT / "docs" / "statistics.md").read_text("utf-8").split())
    assert f"accuracy of {100 * most['lofo']:.0f} % for `{most['model']}`" in text
    assert f"its group makes {100 * augmented / sum(squares.values()):.0f} % of the squared errors" in text


def test_the_published_study(published):
    found = figures(published)
    assert list(found) == ["prediction", "predicted", "predicted-ols-log"]
    text = to_text(found["prediction"])
    assert "x← -2.08" in text and "x← -1.85" in text and max(map(len, text.splitlines())) <= 80
    for name in ("predicted", "predicted-ols-log"):
        labels = [series.label for series in found[name].series[:8]]
        short = ["baseline", "recipes", "augmentation", "stylized", "freezing", "adversarial", "contrastive"]
        assert labels == ["predicted = measured", *short]
        assert sum(len(series.names) for series in found[name].series) == 4 * 48
