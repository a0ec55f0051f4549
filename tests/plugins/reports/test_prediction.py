"""The report `prediction`, whose first table is also that of `correlation`: what is printed, what is said of gaps."""

import json
import re

import pytest

from harness import Measure, StatisticsPlan
from harness.output.formats import render, to_json
from harness.plugins.importers.paper import Paper
from harness.plugins.reports.correlation import Correlation
from harness.plugins.reports.prediction import JointPrediction
from harness.plugins.reports.sensitivity import Sensitivity
from harness.study.compose import compose
from harness.study.rows import Row
from tests.helpers.reasons import absences

BIASES = {"shape": ("shape-bias@cc",), "noise": ("noise@cc",)}
AXES = {"ID": ("top1@a",), "Robust": ("top1@b",)}
PARTS = ("shape-bias@cc", "noise@cc", "top1@a", "top1@b")
VALUES = [
    (0.1, 0.3, 0.9, 0.20), (0.4, 0.1, 0.8, 0.55), (0.2, 0.4, 0.7, 0.30), (0.8, 0.15, 0.65, 0.70), (0.6, 0.9, 0.5, 0.60),
    (0.9, 0.2, 0.45, 0.80), (0.3, 0.6, 0.35, 0.45), (0.7, 0.5, 0.3, 0.50), (0.55, 0.7, 0.85, 0.75),
]  # fmt: skip
TITLE = "Each axis predicted from all biases together"


def rows(values=VALUES, groups="aaabbbccc"):
    return [
        Row(
            name=f"m{at}",
            group=group if group != "-" else None,
            run="runs/a",
            measures={
                part: Measure(name=part.partition("@")[0], value=value)
                for part, value in zip(PARTS, model, strict=True)
                if value is not None
            },
            missing=absences({part: "lost" for part, value in zip(PARTS, model, strict=True) if value is None}),
        )
        for at, (model, group) in enumerate(zip(values, groups, strict=False))
    ]


def study(models=None, biases=BIASES, axes=AXES, **more):
    return compose(rows() if models is None else models, biases, axes, **more)


def printed(models=None, report=JointPrediction, **more):
    return " ".join(render(report(), report().data(study(models, **more))).split())


def test_the_json_has_the_promised_keys_and_both_reports_have_the_same_entries():
    plan = StatisticsPlan(log=("noise",))
    data = JointPrediction().data(study(statistics=plan))
    assert json.loads(to_json(data)) == data and data["log"] == ["noise"]
    assert data["predictions"] == Correlation().data(study(statistics=plan))["predictions"]
    kinds = [(entry["generalization"], entry["learner"]) for entry in data["predictions"]]
    assert kinds == [("ID", "ols"), ("ID", "ols-log"), ("Robust", "ols"), ("Robust", "ols-log")]
    promised = (
        "generalization models learner n families r2 q2_loo q2_lofo p_loo p_lofo concordance null baselines "
        "predicted reason"
    )
    for entry in data["predictions"]:
        assert set(entry) == set(promised.split()) and (entry["models"], entry["n"], entry["families"]) == ("all", 9, 3)
        assert list(entry["null"]) == ["draws", "seed", "r2", "q2_loo", "q2_lofo"] and entry["null"]["draws"] == 4000
        assert list(entry["baselines"]) == ["mean", "family-mean", "id", "id+biases"]
        assert set(entry["baselines"]["mean"]) == {"q2_loo", "q2_lofo", "n", "reason"}


def test_the_learner_of_logarithms_exists_only_where_it_is_declared():
    data = JointPrediction().data(study())
    assert [entry["learner"] for entry in data["predictions"]] == ["ols"] * 2 and data["log"] == []
    assert "ols-log" not in printed()
    assert "ols-log takes the logarithm of noise." in printed(statistics=StatisticsPlan(log=("noise",)))
    zero = rows([(0.1, 0.0, 0.9, 0.2), *VALUES[1:]])
    said = "– ID (ols-log), Robust (ols-log): undefined (noise of m0 is 0, which has no logarithm)"
    assert said in printed(zero, statistics=StatisticsPlan(log=("noise",)))


@pytest.mark.parametrize("report", [JointPrediction, Correlation])
def test_a_logarithm_of_what_is_no_bias_here_is_said(report):
    """As after a correction that takes a bias out."""
    said = "log: no bias of this report is called sound; these are: shape, noise"
    assert said in printed(report=report, statistics=StatisticsPlan(log=("noise", "sound")))
    assert "log: no bias" not in printed(report=report, statistics=StatisticsPlan(log=("noise",)))


@pytest.mark.parametrize("report", [JointPrediction, Correlation, Sensitivity])
def test_a_measure_of_a_bias_and_of_an_axis_is_said(report):
    composed = study(biases={**BIASES, "clean": ("noise@cc", "top1@a")})
    said = "the bias clean and the axis ID are both made of top1@a: what they share is no finding"
    assert [text for text in report().data(composed)["warnings"] if "made of top1" in text] == [said]
    assert "no finding" not in printed(report=report)


@pytest.mark.parametrize("report", [JointPrediction, Correlation])
def test_the_table_says_what_it_rests_on(report):
    text = printed(report=report)
    assert text.startswith(TITLE)
    assert "Least squares on 2 biases; 9 models in 3 groups. Models without a group take no part." in text
    gap = printed(rows([*VALUES[:8], (0.55, 0.7, 0.85, None)]), report)
    assert "9 models in 3 groups, but Robust 8 in 3." in gap
    ungrouped = printed(rows(groups="aaabbbcc-"), report, ungrouped=True)
    assert "9 models in 4 groups. A model without a group is one of its own. R²" in ungrouped
    nobody = printed(rows(groups="---------"), report)
    assert "Least squares on 2 biases; 9 models. R²" in nobody and "take no part" not in nobody
    assert "– ID, Robust: Q² LOFO undefined (no model has a group, so no family can be left out)" in nobody


def test_a_model_that_makes_most_of_the_error_is_named():
    """One bias at which a model stands far from all others: its leverage, and not the rest, makes Q²."""
    line = "m8 alone makes"
    assert line not in printed()
    far = [*VALUES[:8], (0.55, 40.0, 0.85, 0.75)]
    data = JointPrediction().data(study(rows(far)))
    (entry,) = [entry for entry in data["predictions"] if entry["generalization"] == "ID"]
    errors = {of["model"]: (of["measured"] - of["loo"]) ** 2 for of in entry["predicted"]}
    share = errors["m8"] / sum(errors.values())
    assert share > 0.5
    assert f"– ID: m8 alone makes {share:.0%} of the squared error of Q² LOO" in printed(rows(far))


def test_errors_of_rounding_and_of_huge_values_name_no_model_and_end_in_no_traceback():
    exact = rows([(*values[:2], values[0] - values[1], values[3]) for values in VALUES])
    assert "– ID: m" not in printed(exact)
    huge = rows([(*values[:2], 1e300 * values[2], values[3]) for values in VALUES])
    shares = [re.findall(r"– ID: (m\d) alone makes (\d+ ?%)", printed(models)) for models in (rows(), huge)]
    assert shares[0] == shares[1]


def test_models_without_a_group_take_no_part():
    data = JointPrediction().data(study(rows(groups="aaabbbcc-")))
    assert {entry["n"] for entry in data["predictions"]} == {8} and data["grouped"]
    assert {entry["n"] for entry in JointPrediction().data(study(rows(groups="---------")))["predictions"]} == {9}


@pytest.mark.parametrize("report", [JointPrediction, Correlation])
def test_too_few_models_are_one_line(report):
    tables = report().tables(report().data(study(rows()[:3])))
    (joint,) = [table for table in tables if table.title == TITLE]
    reason = "undefined (n = 3; 2 biases need at least 4 models with all numbers)"
    assert [[cell.text for cell in row] for row in joint.rows] == [[reason]] and joint.note == ""
    assert tables[0].title == (TITLE if report is JointPrediction else "Models (3)")


@pytest.mark.parametrize("definitions", [({}, AXES), (BIASES, {}), ({}, {})])
def test_without_biases_or_axes_there_is_nothing(definitions):
    data = JointPrediction().data(study(None, *definitions))
    assert data["predictions"] == [] and "nothing is predicted" in data["warnings"][-1]
    assert [table.title for table in JointPrediction().tables(data)] == ["Remarks"]
    assert TITLE not in printed(None, Correlation, biases=definitions[0], axes=definitions[1])


def test_tables_come_from_the_data_alone_and_csv_has_names_and_whole_numbers():
    data = JointPrediction().data(study(titles={"Robust": "rob."}))
    again = json.loads(to_json(data))
    assert render(JointPrediction(), again) == render(JointPrediction(), data)
    csv = render(JointPrediction(), data, "csv")
    assert '"generalization","learner","r2","q2_loo","q2_lofo","p_lofo","id_q2_lofo"' in csv
    robust = data["predictions"][1]
    line = next(line for line in csv.splitlines() if line.startswith('"Robust"')).split(",")
    shown = (robust["r2"], robust["q2_loo"], robust["q2_lofo"], robust["p_lofo"], robust["baselines"]["id"]["q2_lofo"])
    assert [float(cell) for cell in line[2:]] == list(shown)
    assert "rob." in render(JointPrediction(), data) and "rob." not in csv


def test_a_hopeless_extrapolation_keeps_the_table_narrow():
    wild = rows([(0.1 + 0.05 * model[0] if at < 6 else 5.0 * at, *model[1:]) for at, model in enumerate(VALUES)])
    text = render(JointPrediction(), JointPrediction().data(study(wild)))
    assert max(map(len, text.splitlines())) <= 80
    assert re.search(r"^Robust +ols +.* -\d\.\de\+\d\d ", text, re.MULTILINE)


@pytest.mark.parametrize("report", [JointPrediction, Correlation])
def test_the_published_study(report, real):
    table = Paper().read(real / "paper" / "benchmark.csv")
    models = [
        Row(name=model.name, group=model.group, run="paper", measures=model.measures, missing=absences(model.missing))
        for model in table.models
    ]
    found = compose(models, table.biases, table.axes, titles=table.titles, statistics=table.statistics)
    text = render(report(), report().data(found))
    assert max(map(len, text.splitlines())) <= 80
    head = text.splitlines()[:12]
    assert "Robustness   ols      0.80  0.68  -0.36   0.142   0.63" in head
    assert "Concepts     ols      0.53  0.24  -2.08   0.720  -0.33" in head
    assert "Concepts     ols-log  0.53  0.25  -0.29   0.172  -0.33" in head
    assert "48 models in 7 groups" in text and "by chance 0.13." in text
