"""Reports of labelled runs: a model counts once in every statistic and mean, and stands in the tables each time."""

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from harness import Measure, StatisticsPlan, Study, StudyModel, kept_statistics
from harness.output.formats import FORMATS, render, to_json
from harness.plugins.reports.consistency import BETWEEN, ErrorConsistency
from harness.plugins.reports.consistency import schema as of_consistency
from harness.plugins.reports.correlation import Correlation
from harness.plugins.reports.correlation import schema as of_correlation
from harness.plugins.reports.dataset_bias import DatasetBias
from harness.plugins.reports.dataset_bias import schema as of_bias
from harness.plugins.reports.prediction import JointPrediction
from harness.plugins.reports.sensitivity import Sensitivity
from harness.study.compose import compose
from harness.study.labels import counted_once, duplicate_remarks, with_label
from harness.study.ordering import sorted_by
from harness.study.rows import Row
from tests.helpers.memory_runs import Reader, two_class_trials
from tests.helpers.same_numbers import csv_sheets, differences, figure_differences, outputs
from tests.helpers.typed_documents import violations

BIASES = {"shape": ("shape-bias@cc",), "low": ("low-frequency-bias@a",)}
AXES = {"ID": ("top1@a",), "Far": ("top1@b", "top1@c")}
PARTS = ("shape-bias@cc", "low-frequency-bias@a", "top1@a", "top1@b", "top1@c")
CURVE = tuple(f"relative-top1@a/low-pass-{cutoff}" for cutoff in ("0.1", "0.2"))
MAP = tuple(f"error-increase@a/fourier-{radius}-{angle}" for radius in ("2", "4") for angle in ("0", "90"))
PLAN = StatisticsPlan(
    log=("low",),
    set_apart="h",
    controls=("ID",),
    baseline_models=("m?", "m10"),
    alternatives={"Far": {"b alone": ("top1@b",)}},
    hyperparameters={"m?": {"epochs": 8}, "m1?": {"epochs": 90}},
)
OVER_MODELS = {
    Correlation: ("predictions", "correlations", "bias_correlations", "clusters", "units"),
    JointPrediction: ("predictions", "units", "grouped"),
    Sensitivity: ("models", "sensitivities", "reliabilities", "effective"),
}
"""Report -> keys of its statistics."""


def row(name, label, group, seed, run=None):
    rng = np.random.default_rng(seed)
    measures = {
        part: Measure(
            name=part.partition("@")[0],
            value=(value := float(rng.uniform(0.2, 0.9))),
            low=value - 0.05,
            high=value + 0.05,
            n=40,
            direction="neither" if part.startswith("low") else "higher",
            condition=part.partition("/")[2],
        )
        for part in (*PARTS, *CURVE, *MAP)
    }
    plain = Row(name=name, group=group, run=run or f"runs/{label}", measures=measures, network={"checkpoint": [name]})
    return with_label(plain, {} if label is None else {plain.run: label})


def study(*rows, provenance=(), plan=PLAN):
    models = counted_once(rows)
    remarks = list(duplicate_remarks(models))
    divided = {"low-frequency-bias": "top1"}
    found = compose(
        models, BIASES, AXES, statistics=plan, denominators=divided, warnings=remarks, provenance=provenance
    )
    return sorted_by(found)


@cache
def first(label="ann"):
    """Fourteen models of two groups, and one without."""
    groups = ["g"] * 8 + ["h"] * 6 + [None]
    return tuple(row(f"m{at}", label, group, at) for at, group in enumerate(groups))


@cache
def second():
    """Nine of them with other numbers, some of another group: those without a group come first."""
    groups = {3: None, 4: "h", 14: "g"}
    return tuple(row(f"m{at}", "bob", groups.get(at, "h"), 90 + at) for at in (3, 4, 14, *range(8, 14)))


@cache
def both():
    return study(*first(), *second())


# --- statistics over models --------------------------------------------------------------------


@pytest.mark.parametrize("report", OVER_MODELS)
def test_statistics_with_a_duplicate_are_exactly_those_without(report):
    alone, with_bob = report().data(study(*first())), report().data(both())
    assert {key: with_bob[key] for key in OVER_MODELS[report]} == {key: alone[key] for key in OVER_MODELS[report]}
    plain = json.loads(to_json(alone).replace(" (ann)", ""))
    unlabelled = json.loads(to_json(report().data(study(*first(None)))))
    assert {key: plain[key] for key in OVER_MODELS[report]} == {key: unlabelled[key] for key in OVER_MODELS[report]}
    remarks = [text for text in with_bob["warnings"] if text not in alone["warnings"]]
    assert (
        len(remarks) == 1 and remarks[0].startswith("9 models take no part in statistics") and "m3 (bob)" in remarks[0]
    )


@pytest.mark.parametrize("report", OVER_MODELS)
def test_terminal_csv_and_json_show_the_same_numbers(report):
    data = report().data(study(*first(), *second(), plan=replace(PLAN, hyperparameters={})))
    assert list(differences(report.name, *outputs(report(), data))) == []


def test_the_run_that_is_given_first_takes_part():
    data = Correlation().data(study(*second(), *first()))
    assert {m["name"] for m in data["models"] if m["duplicate_of"]} == {f"m{at} (ann)" for at in (3, 4, *range(8, 15))}
    assert data["correlations"] != Correlation().data(both())["correlations"]


def test_what_is_kept_of_one_order_is_not_taken_for_the_other():
    rows = {label: [row(f"m{at}", label, "g", at) for at in range(6)] for label in ("ann", "bob")}
    found = [sorted_by(study(*rows[one], *rows[other])) for one, other in (("ann", "bob"), ("bob", "ann"))]
    unlabelled = replace(found[0], models=tuple(replace(m, label=None, duplicate_of=None) for m in found[0].models))
    results = [
        kept_statistics(Correlation(), one, lambda at=at: {"of": at}) for at, one in enumerate([*found, unlabelled])
    ]
    assert results == [{"of": 0}, {"of": 1}, {"of": 2}]


# --- models ------------------------------------------------------------------------------------


def test_json_says_label_own_name_and_what_takes_part():
    data = Correlation().data(both())
    assert list(violations(json.loads(to_json(data)), of_correlation.CorrelationData)) == []
    models = {model["name"]: model for model in data["models"]}
    keys = ("run", "label", "plain_name", "duplicate_of", "in_correlations", "group")
    assert [models["m3 (ann)"][key] for key in keys] == ["ann", "ann", "m3", None, True, "g"]
    assert [models["m3 (bob)"][key] for key in keys] == ["bob", "bob", "m3", "m3 (ann)", False, None]
    assert [models["m14 (bob)"][key] for key in keys[3:]] == ["m14 (ann)", False, "g"]
    assert "1 model without a group is not in the correlations; --ungrouped includes them" in data["warnings"]
    own = Correlation().data(study(*first(None)))["models"]
    assert not {key for model in own for key in model} & {"label", "plain_name", "duplicate_of"}
    assert own[0]["run"] == "runs/None"


def test_models_of_one_name_stand_side_by_side_and_duplicates_are_marked():
    data = Correlation().data(both())
    text = render(Correlation(), data, width=200)
    lines = [line.split("  ")[0] for line in text.splitlines()]
    place = lines.index("m8 (ann)")
    assert lines[place + 1] == "m8 (bob) ○"
    assert "○ takes no part in statistics: a model counts once, as the run given first has it" in text
    (sheet,) = [one for one in csv_sheets(render(Correlation(), data, "csv")) if one.title.startswith("Models (")]
    assert "m8 (bob)" in [cells[0] for cells in sheet.rows]
    assert "○" not in render(Correlation(), Correlation().data(study(*first())))


def test_a_model_is_not_ranked_beside_itself():
    runs = [{"run": "runs/paper", "kind": "imported"}, {"run": "runs/mine", "kind": "trials"}]
    published = [row(f"m{at}", "paper", "g", at) for at in range(6)]
    found = study(*published, row("m2", "mine", "g", 50), row("new", "mine", "g", 51), provenance=runs)
    models = {model["name"]: model for model in Correlation().data(found)["models"]}
    assert {rank["of"] for rank in models["m2 (mine)"]["ranks"].values()} == {7}, "five others of the table, and `new`"
    assert {rank["of"] for rank in models["new (mine)"]["ranks"].values()} == {7}
    assert models["m2 (mine)"]["own"] and not models["m2 (paper)"]["own"]
    text = render(Correlation(), Correlation().data(found))
    assert "► m2 (mine) ○" in text and "► new (mine)" in text


# --- figures -----------------------------------------------------------------------------------


def figures(data):
    return {figure.name: figure for figure in Correlation().figures(data)}


def test_scatters_have_the_models_of_the_coefficient():
    data = Correlation().data(both())
    scatter = figures(data)["scatter-shape-ID"]
    assert list(figure_differences(scatter, data)) == []
    assert "1 model is not drawn: no group, or a value is missing." in scatter.note
    assert "9 models are not drawn: another label has it, too, and statistics count it once." in scatter.note


def test_means_of_groups_count_a_model_once():
    grouped, alone = figures(Correlation().data(both())), figures(Correlation().data(study(*first())))
    assert grouped["low-pass-a"].series == alone["low-pass-a"].series
    assert grouped["fourier-a"].maps == alone["fourier-a"].maps and len(grouped["fourier-a"].maps) == 3


def test_few_models_have_a_curve_and_a_map_each():
    few = figures(Correlation().data(study(*first()[:3], row("m2", "bob", "g", 92))))
    labels = [one.label for one in few["low-pass-a"].series]
    assert labels == [one.title for one in few["fourier-a"].maps]
    assert sorted(labels) == ["m0 (ann)", "m1 (ann)", "m2 (ann)", "m2 (bob)"]


# --- single decisions --------------------------------------------------------------------------


def decided(places, people=(), **attributes):
    """A study of (name, label) with drawn decisions; of one name the first takes part."""
    rng, firsts, models, cells = np.random.default_rng(2), {}, [], {}
    for name, label in places:
        shown = f"{name} ({label})"
        own = firsts.setdefault(name, shown)
        cells["accuracy@a", shown] = two_class_trials("accuracy@a", rng.random(80) < 0.6, **attributes)
        models.append(
            StudyModel(
                name=shown, group="humans" if name in people else "g", run=f"runs/{label}", label=label,
                duplicate_of=None if own == shown else own, measures={}, biases={}, axes={},
            )
        )  # fmt: skip
    return Study(models=tuple(models), biases={}, axes={}, trial_reader=Reader(cells))


def test_error_consistency_between_two_labels_of_a_model_and_people_count_once():
    places = [(name, "ann") for name in ("p1", "p2", "p3", "net")]
    every = decided([*places, ("net", "bob"), ("p1", "bob")], people=("p1", "p2", "p3"))
    data = ErrorConsistency().data(every)
    assert list(violations(json.loads(to_json(data)), of_consistency.ConsistencyData)) == []
    pairs = {(pair["first"], pair["second"]): pair["kappa"] for pair in data["pairs"]}
    assert len(pairs) == 15 and pairs["net (ann)", "net (bob)"] is not None
    means = {entry["model"]: entry for entry in data["datasets"]}
    assert (means[BETWEEN]["people"], means["net (ann)"]["people"], means["net (bob)"]["people"]) == (3, 3, 3)
    alone = ErrorConsistency().data(replace(every, models=every.models[:4]))
    assert [e for e in data["models"] if e["model"] in ("net (ann)", BETWEEN)] == alone["models"]
    of = {entry["model"]: entry for entry in data["models"]}
    assert (of["net (bob)"]["plain_name"], of["net (bob)"]["duplicate_of"]) == ("net", "net (ann)")
    assert "label" not in of[BETWEEN]


def test_people_of_another_dataset_count_there_though_an_earlier_label_has_their_names():
    """Subjects of two experiments share names such as subject-01; only on one dataset do they count once."""
    places = [(name, label) for label in ("ann", "bob", "eve") for name in ("p1", "p2", "net")]
    every = decided(places, people=("p1", "p2"))
    reader = every.trial_reader
    cells = {(task if label == "(ann)" else "accuracy@b", name): trials for task, names in reader.cells().items()
             for name in names for label in (name[-5:],) for trials in (reader.read(task, name),)}  # fmt: skip
    data = ErrorConsistency().data(replace(every, trial_reader=Reader(cells)))
    people = {(entry["dataset"], entry["model"]): entry["people"] for entry in data["datasets"]}
    assert people == {
        ("a", BETWEEN): 1,
        ("a", "net (ann)"): 2,
        ("b", BETWEEN): 1,
        ("b", "net (bob)"): 2,
        ("b", "net (eve)"): 2,
    }


def test_places_of_objects():
    """Means of groups of the report dataset-bias count a model once, too."""
    values = np.linspace(0.05, 0.95, 80).round(3)
    names = [(f"m{at}", "ann") for at in range(9)]
    every = decided([*names, ("m0", "bob")], x=values, y=values, size=values)
    data = DatasetBias().data(every)
    assert list(violations(json.loads(to_json(data)), of_bias.DatasetBiasData)) == []
    assert [m["duplicate_of"] for m in data["models"]] == [None] * 9 + ["m0 (ann)"]
    alone = DatasetBias().data(replace(every, models=every.models[:9]))
    curves = [[f.series for f in DatasetBias().figures(of) if f.name == "accuracy-x-a"] for of in (data, alone)]
    assert curves[0] == curves[1] != [] and len(curves[0][0]) == 1


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_has_the_labels(form):
    text = render(Correlation(), Correlation().data(both()), form)
    assert "m8 (ann)" in text and "m8 (bob)" in text
