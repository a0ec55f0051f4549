"""The report `sensitivity`: the published table's numbers, made cases, gaps, and the same numbers in every format."""

import json
import math
from dataclasses import replace
from functools import lru_cache
from zlib import crc32

import numpy as np
import pytest
from scipy import stats

from harness import Measure, Remark, StatisticsPlan, StoreError, TaskLayout, Trials, inference
from harness.output.formats import render, to_json
from harness.plugins.importers.paper import Paper
from harness.plugins.probes.band_pass import BandPass
from harness.plugins.probes.shape_bias import ShapeBias
from harness.plugins.reports.sensitivity import Sensitivity, schema
from harness.study.compose import compose
from harness.study.rows import Row
from tests.helpers.memory_runs import Reader
from tests.helpers.published import read_published
from tests.helpers.typed_documents import violations

REPORT = Sensitivity()
BIASES = {"shape": ("shape-bias@cc",), "LF": ("low-frequency-bias@a",)}
AXES = {"ID": ("top1@a",), "Far": ("top1@b", "top1@c")}
PARTS = ("shape-bias@cc", "low-frequency-bias@a", "top1@a", "top1@b", "top1@c")
PLAN = StatisticsPlan(
    controls=("ID",), baseline_models=("g*",), alternatives={"Far": {"b alone": ("top1@b",)}, "LF": {"gone": ("x@a",)}}
)


def measure(part, value, **more):
    unit, direction = ("1", "neither") if part.startswith("low") else ("fraction", "higher")
    return Measure(name=part.partition("@")[0], value=value, unit=unit, direction=direction, **more)


def rows(n=12, group="g", seed=0, **more):
    values = np.random.default_rng(seed).uniform(0.2, 0.9, (n, len(PARTS)))
    return [
        Row(
            name=f"{group}{at}",
            group=group,
            run="runs/a",
            measures={part: measure(part, float(v), n=100, **more) for part, v in zip(PARTS, of, strict=True)},
            missing=(),
        )
        for at, of in enumerate(values)
    ]


def without(row, part):
    return replace(row, measures={name: of for name, of in row.measures.items() if name != part})


def report(models, plan=PLAN, **more):
    return REPORT.data(compose(models, BIASES, AXES, statistics=plan, denominators=BandPass.denominators, **more))


def entry(data, bias, axis):
    (only,) = [e for e in data["sensitivities"] if (e["bias"], e["generalization"]) == (bias, axis)]
    return only


@lru_cache(maxsize=1)
def published(real):
    table = Paper().read(real / "paper" / "benchmark.csv")
    models = [Row(name=m.name, group=m.group, run="paper", measures=m.measures, missing=()) for m in table.models]
    study = compose(
        models,
        table.biases,
        table.axes,
        titles=table.titles,
        statistics=table.statistics,
        denominators=BandPass.denominators,
    )
    return REPORT.data(study)


def test_the_published_48(real):
    data = published(real)
    assert list(violations(json.loads(to_json(data)), schema.SensitivityData)) == []
    assert (data["models"], len(data["sensitivities"]), data["controls"]) == (48, 24, ["ID"])
    shape = entry(data, "shape-bias", "Robustness")
    assert (round(shape["spearman"], 2), round(shape["partial"]["value"], 2)) == (-0.53, 0.41)
    assert entry(data, "shape-bias", "ID")["partial"]["reason"] == "ID is not held against itself"
    low = entry(data, "low-frequency-bias", "ID")
    assert (len(low["influence"]["flips"]), low["influence"]["model"]) == (16, "resnet50_trained_on_SIN")
    assert (low["coupling"]["denominator"], low["coupling"]["draws"]) == ("top1@imagenet", 4000)
    assert low["coupling"]["null"] == pytest.approx(-0.47, abs=0.015)
    assert low["coupling"]["within"]["null"] == pytest.approx(-0.31, abs=0.015)
    assert (low["alternatives"]["defined"], low["alternatives"]["positive"]) == (8, 0.0)
    assert {e["detectable"]["tests"] for e in data["sensitivities"]} == {24}
    assert round(shape["detectable"]["corrected"], 2) == 0.53
    reliable = {(e["name"], e["models"]): e["value"] for e in data["reliabilities"]}
    assert reliable["ID", "all"] > 0.98 and reliable["Robustness", "all"] is None
    sets = ["all", "training_recipes", "augmentation", "adversarial_training", "contrastive"]
    assert [models for name, models in reliable if name == "ID"] == sets
    assert min((reliable["ID", models], models) for models in sets)[1] == "training_recipes"
    robust = {e["generalization"]: e for e in data["effective"]}
    assert (robust["Robustness"]["n"], robust["Robustness"]["against"]) == (11, "ID")
    outside = robust["Robustness"]["outside"]
    assert (len(outside), shape["effective"]["n"]) == (26, 22)  # the recipes are alike
    table = read_published(real)
    inside = [at for at, name in enumerate(table.names) if name not in outside]
    beyond = [robust["Robustness"]["values"][table.names[at]] for at in inside]
    expected = stats.spearmanr(table.biases["shape-bias"][inside], beyond)
    assert shape["effective"]["spearman"] == pytest.approx(expected.statistic)


def test_every_table_has_the_numbers_of_the_json(real):
    data = published(real)
    held, influence, alternatives, coupling, reliability, effective, beyond, *_ = REPORT.tables(data)
    values = [[cell.value for cell in row] for row in held.rows]
    assert values == [
        [e["bias"], e["generalization"], e["n"], e["spearman"], *shown(e["partial"], "value", "p"), "", ""]
        for e in data["sensitivities"]
    ]
    assert [row[-1].value for row in influence.rows] == [len(e["influence"]["flips"]) for e in data["sensitivities"]]
    assert [row[3].value for row in alternatives.rows] == [
        e["alternatives"]["least"] for e in data["sensitivities"] if e["alternatives"]
    ]
    assert [row[3].value for row in coupling.rows] == [
        e["coupling"]["null"] for e in data["sensitivities"] if e["coupling"]
    ]
    assert [cell.value for row in reliability.rows for cell in row[2:]] == [
        shown(e, "value")[0] for e in data["reliabilities"]
    ]
    assert [row[2].value for row in effective.rows] == [e["slope"] for e in data["effective"]]
    robust = data["effective"][0]
    inside = {name: value for name, value in robust["values"].items() if name not in robust["outside"]}
    assert effective.rows[0][-1].value == max(inside, key=inside.get)
    assert f"Robustness: {len(robust['outside'])} of 48 models are outside the baseline's range" in effective.note
    assert beyond.rows[0][1].value == entry(data, "shape-bias", "Robustness")["effective"]["spearman"]
    assert "LF bias × ID flips without any one of" in influence.note
    assert "n = 48: smallest |ρ| found in 4 of 5 studies at p < 0.05: 0.40" in held.note


def shown(of, *keys):
    """As a table has it: nothing where JSON has null."""
    return ["" if of[key] is None else of[key] for key in keys]


@pytest.mark.parametrize("form", ["terminal", "csv", "markdown", "html"])
def test_every_format_shows_them(form):
    data = report(rows())
    text = render(REPORT, data, form)
    value = entry(data, "shape", "Far")["partial"]["value"]
    assert (str(value) if form == "csv" else f"{value:.2f}") in text
    assert all(axis["generalization"] in text for axis in data["effective"])


def test_what_a_measure_is_divided_by_is_what_its_probe_declares():
    """Not what the name says: a probe of one's own counts, and one that declares nothing has no null."""
    study = compose(rows(), BIASES, AXES, statistics=PLAN, denominators={"shape-bias": "confidence"})
    models = [
        replace(model, measures={**model.measures, "confidence@cc": measure("confidence@cc", 0.5)})
        for model in study.models
    ]
    data = REPORT.data(replace(study, models=tuple(models)))
    assert entry(data, "shape", "ID")["coupling"]["denominator"] == "confidence@cc"
    assert entry(data, "LF", "ID")["coupling"] is None


def test_models_that_lack_a_number_are_left_out_of_it_alone():
    models = rows()
    models[3] = without(models[3], "top1@a")
    data = report(models)
    assert entry(data, "shape", "ID")["n"] == 11
    far = entry(data, "shape", "Far")
    assert (far["n"], far["partial"]["n"], far["effective"]["n"]) == (12, 11, 11)
    assert entry(data, "LF", "Far")["coupling"]["draws"] == 4000  # over the eleven with the denominator


def test_a_measure_that_cannot_be_compared_is_no_alternative():
    """A value that enters no axis does not come back as another definition of it."""
    models = rows()
    flag = Remark("comparability", "top1@b", "other images")
    measures = {**models[0].measures, "top1@b": measure("top1@b", 0.99, flags=(flag,))}
    models[0] = replace(models[0], measures=measures)
    alternatives = entry(report(models), "shape", "Far")["alternatives"]
    assert {e["n"] for e in alternatives["specifications"] if e["generalization"] == "b alone"} == {11}


def test_what_is_not_declared_is_said_and_not_computed():
    data = report(rows(), StatisticsPlan())
    only = entry(data, "shape", "Far")
    assert (only["alternatives"], only["effective"], data["effective"]) == (None, None, [])
    assert only["partial"]["reason"] == "no controls are declared"
    assert sum(warning.startswith("no ") and "declared" in warning for warning in data["warnings"]) == 3
    text = " ".join(render(REPORT, data, "terminal").split())
    assert "no controls are declared" in text


def test_an_alternative_that_nobody_has_is_undefined():
    alternatives = entry(report(rows()), "LF", "ID")["alternatives"]
    assert alternatives["defined"] == 1
    assert [(e["bias"], e["spearman"] is None) for e in alternatives["specifications"]] == [
        ("as defined", False), ("gone", True)
    ]  # fmt: skip


def shown_text(data):
    return " ".join(render(REPORT, data, "terminal").split())


def test_an_alternative_with_the_measures_of_another_definition_counts_once():
    """As after a correction of a table, which takes out the measure by which the two differ."""
    choices = {"same": ("top1@c", "top1@b"), "b": ("top1@b",), "b again": ("top1@b",), "as defined": ("top1@c",)}
    data = report(rows(), replace(PLAN, alternatives={"Far": choices}))
    of = entry(data, "shape", "Far")["alternatives"]
    assert {e["generalization"] for e in of["specifications"]} == {"as defined", "b", "as defined (declared)"}
    assert of["defined"] == 3
    x, y, c = ([row.measures[part].value for row in rows()] for part in ("shape-bias@cc", "top1@b", "top1@c"))
    by_title = {e["generalization"]: e["spearman"] for e in of["specifications"]}
    assert by_title["as defined"] == entry(data, "shape", "Far")["spearman"]
    assert by_title["b"] == pytest.approx(stats.spearmanr(x, y).statistic)
    assert by_title["as defined (declared)"] == pytest.approx(stats.spearmanr(x, c).statistic)
    said = "alternatives with the measures of another definition, which counts once: Far: same, Far: b again"
    assert said in data["warnings"]
    alone = report(rows(), replace(PLAN, alternatives={"Far": {"same": ("top1@b", "top1@c")}}))
    assert entry(alone, "shape", "Far")["alternatives"] is None


DECLARED = {
    "alternative without a model": (
        {"alternatives": {"Far": {"b": ("top1@b",), "d": ("top1@b", "top1@d")}}},
        "alternatives without a value for any model that takes part: Far: d (no top1@d)",
    ),
    "alternative without a part": ({"alternatives": {"Far": {"b": ()}}}, "alternatives with the measures of another"),
    "alternatives without end": (
        {"alternatives": {"Far": {f"b{at}": (f"top1@{at}",) for at in range(900)}}},
        "alternatives without a value for any model that takes part: Far: b0 (no top1@0), Far: b1 (no top1@1),",
    ),
    "alternatives of nothing": (
        {"alternatives": {"Near": {"b": ("top1@b",)}}},
        "alternatives: no bias or axis is called Near; these are: shape, LF, ID, Far",
    ),
    "control": ({"controls": ("ID", "Near")}, "controls that are no bias or axis of this report: Near"),
    "baseline": ({"baseline_models": ("g1*", "h", "i?")}, "baseline_models: 2 of 3 names fit no model that takes part"),
    "only baseline": ({"baseline_models": ("h",)}, "baseline_models: the only name fits no model that takes part: h"),
}  # fmt: skip


@pytest.mark.parametrize("declared", DECLARED)
def test_hostile_declarations_that_concern_nothing_here_are_said(declared):
    """As in a run of some of the suite's models or tasks, or a report of two runs."""
    changes, remark = DECLARED[declared]
    data = report(rows(), replace(PLAN, **changes))
    (line,) = [text for text in data["warnings"] if text.startswith(remark)]
    assert line in shown_text(data)
    assert [text for text in report(rows())["warnings"] if "alternatives" in text] == [
        "alternatives without a value for any model that takes part: LF: gone (no x@a)"
    ]


def test_a_name_with_brackets_is_a_name_and_a_glob():
    models = [replace(row, name=f"net [{row.name}]") for row in rows()]
    names = tuple(row.name for row in models[:6])
    data = report(models, replace(PLAN, baseline_models=names))
    assert {e["n"] for e in data["effective"]} == {6} and not any("baseline" in text for text in data["warnings"])
    assert {e["n"] for e in report(rows(), replace(PLAN, baseline_models=("g[0-5]",)))["effective"]} == {6}


def test_hostile_numbers_of_alternatives_are_not_computed():
    choices = {f"b{at}": ("top1@b", f"top1@{at}") for at in range(20_000)}
    data = report(rows(), replace(PLAN, alternatives={"Far": choices}))
    of = entry(data, "shape", "Far")["alternatives"]
    assert of["reason"] == "undefined (20,001 combinations of alternatives, at most 1,000)" and of["defined"] == 0
    assert not any("alternatives" in text for text in data["warnings"])


def test_only_what_is_held_is_said_to_be_held():
    text = shown_text(report(rows(), replace(PLAN, controls=("ID", "Near"))))
    assert "held: ρ at equal ID; exploratory" in text and "– held over" not in text
    models = rows()
    models[3] = without(models[3], "top1@a")
    data = report(models, replace(PLAN, controls=("ID", "LF")))
    text = shown_text(data)
    assert "held: ρ at equal ID, LF (but what the pair itself is of); exploratory" in text
    assert "– held over n = 11 models: shape × Far, LF × Far" in text
    assert "1 of 2" in text  # definitions of LF
    assert "– null, undivided over n = 11 models: LF × Far" in text
    assert {e["n"] for e in data["sensitivities"]} == {11, 12} and entry(data, "LF", "Far")["coupling"]["n"] == 11
    assert "models: all 12, but ID 11." in text


def test_the_order_of_models_changes_no_number_and_no_name():
    """Two models move a coefficient equally: the same one is named, however a report is sorted."""
    far = dict(enumerate((0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8)))
    models = rows(8)
    for at, row in enumerate(models):
        near = {"top1@b": measure("top1@b", far[at], n=100), "top1@c": measure("top1@c", far[at], n=100)}
        shape = {"shape-bias@cc": measure("shape-bias@cc", (3.5 - at) ** 2 / 20, n=100)}
        models[at] = replace(row, measures={**row.measures, **near, **shape})
    first, second = report(models), report(models[::-1])
    influence = entry(first, "shape", "Far")["influence"]
    x, y = [(3.5 - at) ** 2 for at in far], list(far.values())
    moves = [abs(stats.spearmanr(np.delete(x, at), np.delete(y, at)).statistic) for at in far]
    assert moves[0] == pytest.approx(moves[7]) and influence["model"] == "g0"
    for entries in (first, second):
        for each in entries["sensitivities"]:
            each["influence"]["flips"].sort()
    assert list(violations(json.loads(to_json(first)), schema.SensitivityData)) == []
    assert without_rounding(second["sensitivities"]) == without_rounding(first["sensitivities"])


def without_rounding(numbers):
    return json.loads(json.dumps(numbers), parse_float=lambda text: round(float(text), 9))


def test_reliability_from_counts_and_from_intervals():
    data = report(rows())
    by_name = {e["name"]: e for e in data["reliabilities"]}
    x = np.array([row.measures["top1@a"].value for row in rows()])
    assert by_name["ID"]["value"] == pytest.approx(1 - np.mean(x * (1 - x) / 100) / np.var(x, ddof=1))
    assert by_name["LF"]["reason"] == "no standard error of low-frequency-bias@a"
    wide = {e["name"]: e for e in report(rows(low=0.1, high=0.9))["reliabilities"]}
    assert wide["ID"]["value"] == pytest.approx(1 - (0.8 / (2 * 1.959963984540054)) ** 2 / np.var(x, ddof=1))
    far = np.array([(r.measures["top1@b"].value + r.measures["top1@c"].value) / 2 for r in rows()])
    expected = 1 - (0.8 / (2 * 1.959963984540054)) ** 2 / 2 / np.var(far, ddof=1)
    assert wide["Far"]["value"] == pytest.approx(expected)
    ceiling = entry(report(rows()), "shape", "ID")["ceiling"]
    assert ceiling["value"] == pytest.approx(math.sqrt(by_name["shape"]["value"] * by_name["ID"]["value"]))


def test_a_ceiling_rests_on_the_models_of_its_coefficient():
    """Reliability belongs to a set of models: the one model that is unlike all others lacks the axis."""
    models = rows()
    models[0] = replace(
        without(models[0], "top1@a"),
        measures={
            **without(models[0], "top1@a").measures,
            "shape-bias@cc": measure("shape-bias@cc", 0.01, n=100),
        },
    )
    models[1:] = [
        replace(row, measures={**row.measures, "shape-bias@cc": measure("shape-bias@cc", 0.5 + at / 25, n=100)})
        for at, row in enumerate(models[1:])
    ]
    data = report(models)
    x = np.array([row.measures["shape-bias@cc"].value for row in models[1:]])
    y = np.array([row.measures["top1@a"].value for row in models[1:]])
    of_x, of_y = (1 - np.mean(v * (1 - v) / 100) / np.var(v, ddof=1) for v in (x, y))
    assert entry(data, "shape", "ID")["ceiling"]["value"] == pytest.approx(math.sqrt(of_x * of_y))
    by_name = {e["name"]: e for e in data["reliabilities"]}
    assert (by_name["shape"]["n"], by_name["ID"]["n"]) == (12, 11) and by_name["shape"]["value"] > of_x + 0.01


def test_the_smallest_study_and_an_empty_one():
    few = report(rows(3))
    assert {e["reason"] for e in few["sensitivities"]} == {"undefined (n = 3)"}
    assert {e["detectable"]["single"] for e in few["sensitivities"]} == {None}
    nothing = REPORT.data(compose(rows(3), {}, {}))
    assert nothing["sensitivities"] == []
    assert "harness run --suite" in nothing["warnings"][-1]
    for data in (few, nothing):
        assert list(violations(json.loads(to_json(data)), schema.SensitivityData)) == []
        assert render(REPORT, data, "terminal")


def test_models_without_a_group_take_no_part():
    data = report([*rows(), replace(rows()[0], name="mine", group=None)])
    assert data["models"] == 12
    assert "1 model without a group takes no part; --ungrouped includes them" in data["warnings"]
    assert report([*rows(), replace(rows()[0], name="mine", group=None)], ungrouped=True)["models"] == 13


# --- reliability from stored decisions --------------------------------------------------------

IMAGES, MODELS = 60, 12


def cell(correct, task, *, ids=None, conditions=("clean",), texture=None, shapes=None):
    """`correct`: (images, C) bool; or, with `shapes` and `texture`, the chosen class of each image."""
    correct = np.asarray(correct)
    n = len(correct)
    layout = TaskLayout(
        task=task,
        sample_ids=ids or tuple(f"image-{at:04d}" for at in range(n)),
        targets=np.zeros((n, 1), np.int16) if shapes is None else np.asarray(shapes, np.int16)[:, None],
        conditions=conditions,
        classes=("cat", "dog", "bear"),
        size=8,
        span=16,
        attributes={} if texture is None else {"texture": tuple(texture)},
    )
    top5 = np.full((n, len(conditions), 5), -1, np.int16)
    if shapes is not None:
        top5[:, 0, 0] = correct
        correct = (correct == shapes)[:, None]
    return Trials(model="", layout=layout, top5=top5, logp=top5.astype(np.float16), correct=correct.astype(bool))


def stored(changed=None, moved=0.0):
    """A study of ID alone, with its trials; `changed`: (task, model) -> another cell; `moved`: error of a value."""
    rng = np.random.default_rng(9)
    right = rng.random((MODELS, IMAGES, 2)) < rng.uniform(0.3, 0.9, (MODELS, 1, 1))
    cells = {("accuracy@a", f"m{at}"): cell(of, "accuracy@a", conditions=("one", "two")) for at, of in enumerate(right)}
    models = [
        Row(
            name=f"m{at}",
            group="g",
            run="runs/a",
            measures={
                "top1@a": measure("top1@a", float(of.mean()) + moved, n=2 * IMAGES),
                "x@a": measure("x@a", at / 20),
            },
            missing=(),
        )
        for at, of in enumerate(right)
    ]
    study = compose(models, {"x": ("x@a",)}, {"ID": ("top1@a",)})
    return replace(study, trial_reader=Reader({**cells, **(changed or {})})), right


def by_images(above, below):
    """Reliability with the halves of images named as those of `cell`."""
    keys = [crc32(f"image-{at:04d}".encode()) for at in range(IMAGES)]
    return inference.reliability_from_halves(inference.half_values(above, below, keys=keys))


def reliability_of(study, name):
    (only,) = [e for e in REPORT.data(study)["reliabilities"] if (e["name"], e["models"]) == (name, "all")]
    return only


def test_reliability_from_halves_of_the_images():
    """Both views of an image lie in the same half."""
    study, right = stored()
    expected = by_images(right.sum(axis=2), np.full(right.shape[:2], 2))
    entry = reliability_of(study, "ID")
    assert (entry["method"], entry["draws"], entry["seed"], entry["n"]) == ("halves", 200, 0, MODELS)
    assert (entry["value"], entry["half"]) == (expected.value, expected.half)
    assert reliability_of(study, "x")["method"] == "errors"
    table = next(table for table in REPORT.tables(REPORT.data(study)) if table.title.startswith("Reliability"))
    assert [row[1].text for row in table.rows] == ["–", "halves"]


class Observed(Reader):
    """Notes what is read."""

    def __init__(self, trials):
        super().__init__(trials)
        self.read_cells = []

    def read(self, task, model):
        self.read_cells.append((task, model))
        return super().read(task, model)

    def digest(self, task, model):
        return Reader(self.trials).digest(task, model)


def test_the_next_report_reads_no_trials():
    study, right = stored()
    cells = study.trial_reader.trials
    first, second, third = (Observed(cells), Observed(cells), Observed({**cells, ("accuracy@a", "m0"): None}))
    before = REPORT.data(replace(study, trial_reader=first))
    assert len(first.read_cells) == MODELS
    assert REPORT.data(replace(study, trial_reader=second)) == before
    assert second.read_cells == []
    third.trials["accuracy@a", "m0"] = cell(right[0][::-1], "accuracy@a", conditions=("one", "two"))
    REPORT.data(replace(study, trial_reader=third))
    assert len(third.read_cells) == MODELS  # other decisions, though all measures are the same


def test_with_other_measures_nothing_of_before_is_taken():
    """An end of an interval, a number of decisions or a flag changes no bias and no axis, but errors and lines."""
    before = report(rows())
    for more in ({"low": 0.1, "high": 0.9}, {"flags": (Remark("comparability", "x", "other images"),)}):
        models = [
            replace(row, measures={**row.measures, "top1@b": replace(row.measures["top1@b"], **more)}) for row in rows()
        ]
        assert (
            report(models)["reliabilities" if "low" in more else "sensitivities"]
            != before["reliabilities" if "low" in more else "sensitivities"]
        )
    assert report(rows()) == before


def test_a_damaged_header_keeps_nothing_and_takes_nothing():
    study, _ = stored(changed={("accuracy@a", "m0"): StoreError("damaged")})
    assert {e["method"] for e in REPORT.data(study)["reliabilities"]} == {"errors"}


def test_reliability_within_groups_has_the_halves_of_its_models():
    study, right = stored()
    groups = ["g"] * 6 + ["h"] * 5 + ["few"]
    grouped = [replace(model, group=group) for model, group in zip(study.models, groups, strict=True)]
    data = REPORT.data(replace(study, models=tuple(grouped)))
    of = {e["models"]: e for e in data["reliabilities"] if e["name"] == "ID"}
    assert {models: e["n"] for models, e in of.items()} == {"all": 12, "g": 6, "h": 5}
    counts = np.full(right.shape[:2], 2)
    assert of["h"]["value"] == pytest.approx(by_images(right.sum(axis=2)[6:11], counts[6:11]).value)
    by_errors = {
        e["models"]: e for e in report([*rows(6), *rows(5, "h", seed=1)])["reliabilities"] if e["name"] == "ID"
    }
    x = np.array([row.measures["top1@a"].value for row in rows(5, "h", seed=1)])
    assert by_errors["h"]["value"] == pytest.approx(1 - np.mean(x * (1 - x) / 100) / np.var(x, ddof=1))


OTHER = tuple(f"other-{at:04d}" for at in range(IMAGES))


@pytest.mark.parametrize(
    ("changed", "moved"),
    [
        ({("accuracy@a", "m3"): StoreError("m3 is damaged")}, 0.0),
        ({("accuracy@a", "m3"): cell(np.ones((IMAGES, 1)), "accuracy@a")}, 0.0),
        ({("accuracy@a", "m3"): cell(stored()[1][3], "accuracy@a", conditions=("one", "two"), ids=OTHER)}, 0.0),
        ({}, 0.01),
    ],
    ids=["damaged", "other decisions", "other images", "another number"],
)
def test_what_is_not_made_of_these_decisions_has_no_halves(changed, moved):
    study, _ = stored(changed, moved)
    entry = reliability_of(study, "ID")
    assert (entry["method"], entry["half"], entry["reason"]) == ("errors", None, None)
    assert entry["value"] == pytest.approx(reliability_of(replace(study, trial_reader=None), "ID")["value"])


def test_shape_bias_counts_decisions_for_either_cue_where_they_conflict():
    rng = np.random.default_rng(2)
    shapes, textures = rng.integers(0, 3, IMAGES), rng.integers(0, 3, IMAGES)
    names = np.array(["cat", "dog", "bear"])
    cells, models, above, below = {}, [], [], []
    for at, bias in enumerate(rng.uniform(0.1, 0.9, MODELS)):
        chosen = np.where(rng.random(IMAGES) < bias, shapes, textures)
        chosen[rng.random(IMAGES) < 0.05] = 2
        conflict = shapes != textures
        above.append((chosen == shapes) & conflict)
        below.append(above[-1] | ((chosen == textures) & conflict))
        trials = cell(chosen, "shape-bias@cc", shapes=shapes, texture=names[textures])
        cells["shape-bias@cc", f"m{at}"] = trials
        (value,) = [m for m in ShapeBias().measures(trials) if m.name == "shape-bias"]
        models.append(Row(name=f"m{at}", group="g", run="r", measures={"shape-bias@cc": value}, missing=()))
    study = compose(models, {"shape": ("shape-bias@cc",)}, {})
    entry = reliability_of(replace(study, trial_reader=Reader(cells)), "shape")
    expected = by_images(np.array(above), np.array(below))
    defined = [row.measures["shape-bias@cc"].value is not None for row in models]
    assert all(defined) and entry["method"] == "halves"
    assert entry["value"] == pytest.approx(expected.value)


def test_a_measure_under_one_condition():
    rng = np.random.default_rng(3)
    cells, models = {}, []
    for at in range(MODELS):
        right = rng.random((IMAGES, 2)) < 0.3 + at / 20
        cells["accuracy@a", f"m{at}"] = cell(right[:, :1], "accuracy@a")
        cells["pgd@a", f"m{at}"] = cell(right, "pgd@a", conditions=("low", "high"))
        value = measure("top1@a", float(right[:, 1].mean()), condition="high", n=IMAGES)
        models.append(Row(name=f"m{at}", group="g", run="r", measures={"top1@a/high": value}, missing=()))
    study = replace(compose(models, {}, {"Adversarial": ("top1@a/high",)}), trial_reader=Reader(cells))
    right = np.array([cells["pgd@a", f"m{at}"].correct[:, 1] for at in range(MODELS)])
    assert reliability_of(study, "Adversarial")["value"] == by_images(right, np.ones(right.shape)).value
