"""The terminal, JSON and CSV outputs of every report show the same numbers, and whoever changes one is noticed."""

import json
import random
import re
from dataclasses import replace
from functools import cache, lru_cache

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness import Measure, StatisticsPlan, Study, StudyModel
from harness.output.formats import render, to_json
from harness.plugins.importers.paper import Paper
from harness.plugins.reports import _cells
from harness.plugins.reports.consistency import ErrorConsistency
from harness.plugins.reports.consistency import schema as of_consistency_schema
from harness.plugins.reports.correlation import Correlation
from harness.plugins.reports.correlation import schema as of_correlation
from harness.plugins.reports.dataset_bias import DatasetBias
from harness.plugins.reports.dataset_bias import schema as of_bias
from harness.plugins.reports.prediction import JointPrediction
from harness.plugins.reports.prediction import schema as of_prediction
from harness.plugins.reports.sensitivity import Sensitivity
from harness.plugins.reports.sensitivity import schema as of_sensitivity
from harness.study.compose import compose
from harness.study.rows import Row
from tests.helpers.memory_runs import Reader, two_class_trials
from tests.helpers.reasons import absences
from tests.helpers.same_numbers import csv_sheets, differences, figure_differences, outputs, problems
from tests.helpers.typed_documents import nulls_without_reason

OVER_MODELS = (Correlation, JointPrediction, Sensitivity)
REPORTS = {
    "correlation": of_correlation.CorrelationData,
    "prediction": of_prediction.PredictionData,
    "sensitivity": of_sensitivity.SensitivityData,
    "consistency": of_consistency_schema.ConsistencyData,
    "dataset-bias": of_bias.DatasetBiasData,
}
"""Name -> schema."""
BIASES = {"shape": ("shape-bias@cc",), "low": ("low-frequency-bias@a",)}
AXES = {"ID": ("top1@a",), "Far": ("top1@b", "top1@c")}
DIVIDED = {"low-frequency-bias": "top1", "high-frequency-bias": "top1"}
"""As the probe `band-pass` declares."""
PARTS = ("shape-bias@cc", "low-frequency-bias@a", "top1@a", "top1@b", "top1@c")
PLAN = StatisticsPlan(
    log=("low",),
    set_apart="h",
    controls=("ID",),
    baseline_models=("g*",),
    alternatives={"Far": {"b alone": ("top1@b",)}},
)


# --- studies ----------------------------------------------------------------------------------


def measures(values):
    return {
        part: Measure(
            name=part.partition("@")[0],
            value=value,
            low=value * 0.9,
            high=value,
            n=40,
            unit="1" if part.startswith("low") else "fraction",
            direction="neither" if part.startswith("low") else "higher",
        )
        for part, value in values.items()
        if value is not None
    }


def rows(count=7, group="g", seed=0, run="runs/a", fixed=None):
    """Models whose values are drawn; `fixed`: those that all have, None: missing."""
    rng = np.random.default_rng(seed)
    models = []
    for at in range(count):
        values = {part: float(rng.uniform(0.2, 0.9)) for part in PARTS} | (fixed or {})
        gaps = {part: "failed: NaN" for part, value in values.items() if value is None}
        own = Row(name=f"{group}{at}", group=group, run=run, measures=measures(values), missing=absences(gaps))
        models.append(own)
    return models


def rising(group="g", count=6):
    """Perfect orders: coefficients of 1 and -1 have no interval."""
    values = [(at / 10 + 0.1, at / 20 + 0.1, 0.9 - at / 10, at / 20 + 0.1, at / 30 + 0.1) for at in range(count)]
    return [
        Row(name=f"{group}{at}", group=group, run="runs/a", measures=measures(dict(zip(PARTS, each, strict=True))))
        for at, each in enumerate(values)
    ]


def beside_imported():
    """Six imported models, and two of one's own, of which one lacks a bias."""
    top, gap = rows(1, None, 5, "runs/mine"), rows(1, None, 6, "runs/mine", {"shape-bias@cc": None})
    own = [replace(top[0], name="top"), replace(gap[0], name="gap")]
    runs = [{"run": "runs/a", "kind": "imported"}, {"run": "runs/mine", "kind": "trials"}]
    return compose([*rows(6), *own], BIASES, AXES, provenance=runs)


def without_a_study():
    """Many measures of each dataset, and neither biases nor axes."""
    names = ("top1", "top5", "n", "correct", "mean-rank", "ece", "brier-top1")
    models = [
        Row(
            name=f"m{at}",
            group="g",
            run="r",
            measures={
                f"{name}@{dataset}": Measure(name=name, value=(at - 1) * 0.0004 + place)
                for place, name in enumerate(names)
                for dataset in ("a", "b", "c")
            },
        )
        for at in range(3)
    ]
    return compose(models, {}, {})


def declared(models):
    return compose(models, BIASES, AXES, statistics=PLAN, denominators=DIVIDED)


STUDIES = {
    "everything": lambda: declared([*rows(9), *rows(7, "h", 1), *rows(1, "i", 2)]),
    "gaps": lambda: declared([*rows(9), *rows(1, "h", 1, fixed={"top1@c": None})]),
    "perfect": lambda: declared(rising()),
    "constant": lambda: declared(rows(8, fixed={"shape-bias@cc": 0.5})),
    "alone": lambda: declared([r for at in range(9) for r in rows(1, f"g{at}", at)]),
    "flat": lambda: declared(rows(9, fixed={"top1@b": 0.5, "top1@c": 0.5})),
    "few": lambda: declared(rows(3)),
    "own": beside_imported,
    "measures": without_a_study,
}


@cache
def texts(report, study):
    """The three texts of one report of one of `STUDIES`."""
    return outputs(report(), report().data(STUDIES[study]()))


def decided(observers, people=0, shown=False):
    """Each observer on two datasets; those of `a` have two conditions, and places if `shown`; the last is right."""
    rng = np.random.default_rng(4)
    places = {name: rng.random(160).round(4) for name in ("x", "y", "size")} if shown else {}
    variants = {"variant": ["low", "high"] * 80}
    cells = {}
    for at in range(observers):
        right = rng.random(160) < (0.4 + at / 40 if at < observers - 1 else 1)
        cells["accuracy@a", f"o{at}"] = two_class_trials("accuracy@a", right, **variants, **places)
        cells["accuracy@b", f"o{at}"] = two_class_trials("accuracy@b", right[:40])
    models = tuple(
        StudyModel(
            name=f"o{at}",
            group="humans" if at < people else None,
            run="runs/a",
            measures={},
            biases={},
            axes={},
            missing=(),
        )
        for at in range(observers)
    )
    return Study(models=models, biases={}, axes={}, trial_reader=Reader(cells))


@lru_cache(maxsize=1)
def of_consistency():
    return outputs(ErrorConsistency(), ErrorConsistency().data(decided(10, people=2)))


@lru_cache(maxsize=1)
def of_dataset_bias():
    return outputs(DatasetBias(), DatasetBias().data(decided(3, shown=True)))


# --- the same numbers -------------------------------------------------------------------------


@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize("report", OVER_MODELS)
def test_every_number_of_a_study(report, study):
    assert list(differences(report.name, *texts(report, study))) == []
    document = json.loads(texts(report, study)[2])
    assert list(nulls_without_reason(document, REPORTS[report.name])) == []


def test_every_number_of_observers_and_of_places():
    assert list(differences("consistency", *of_consistency())) == []
    assert list(differences("dataset-bias", *of_dataset_bias())) == []
    for name, made in (("consistency", of_consistency), ("dataset-bias", of_dataset_bias)):
        assert list(nulls_without_reason(json.loads(made()[2]), REPORTS[name])) == []


@pytest.mark.parametrize(
    ("report", "study", "reason"),
    [
        (Correlation, "perfect", "no interval of a perfect order: shape × ID"),
        (Correlation, "perfect", "no interval for other families (a single family): shape × ID"),
        (JointPrediction, "alone", "order undefined (no family has two models)"),
        (Sensitivity, "flat", "no R² (baseline models are equal in y)"),
    ],
)
def test_why_there_is_a_dash_stands_below_the_table(report, study, reason):
    assert f"– {reason}" in texts(report, study)[0] or f": {reason}" in texts(report, study)[0]


def test_a_number_that_is_null_without_a_reason_is_noticed():
    document = json.loads(texts(Correlation, "perfect")[2])
    entry = document["correlations"][0]
    assert entry["low"] is None
    entry["reason"] = None
    places = ["$.correlations[0].high", "$.correlations[0].low"]
    assert sorted(nulls_without_reason(document, REPORTS["correlation"])) == places
    changed = list(differences("correlation", *texts(Correlation, "perfect")[:2], json.dumps(document)))
    assert len(changed) == 4 and all("null without a reason" in one for one in changed)


@pytest.fixture(scope="module")
def published(real):
    table = Paper().read(real / "paper" / "benchmark.csv")
    models = [
        Row(name=m.name, group=m.group, run="runs/paper", measures=m.measures, missing=absences(m.missing))
        for m in table.models
    ]
    study = compose(
        models, table.biases, table.axes, titles=table.titles, statistics=table.statistics, denominators=DIVIDED
    )
    return {report.name: report().data(study) for report in OVER_MODELS}


@pytest.mark.parametrize("report", OVER_MODELS)
def test_every_number_of_the_published_study(report, published):
    assert list(differences(report.name, *outputs(report(), published[report.name]))) == []


def test_the_reports_of_the_published_study_agree(published):
    assert published["prediction"]["predictions"] == published["correlation"]["predictions"]
    overall = [one for one in published["correlation"]["correlations"] if one["models"] == "all"]
    keys = ("bias", "generalization", "n", "spearman", "p", "reason")
    assert [[one[key] for key in keys] for one in overall] == [
        [one[key] for key in keys] for one in published["sensitivity"]["sensitivities"]
    ]


def test_the_figures_of_the_published_study_have_the_numbers_of_its_tables(published):
    data = published["correlation"]
    figures = [figure for figure in Correlation().figures(data) if figure.name.startswith("scatter-")]
    assert len(figures) == 24
    assert [problem for figure in figures for problem in figure_differences(figure, data)] == []


# --- pages ------------------------------------------------------------------------------------

GROUPED = ("Missing elsewhere", "Flagged models")
"""Tables of sentences, whose parts pages have in columns."""
IN_PARTS = ("Models", "Measures")
"""Tables that have fewer columns each on pages."""


def problems_of_pages(report, data):
    """Rows and numbers of the CSV that no page has, remarks that stand nowhere, sentences that say nothing."""
    pages = list(report.pages(data))
    shown = [table for page in pages for table in page.tables]
    rows = {tuple(cell.text for cell in row) for table in shown for row in table.rows}
    texts_shown = {text for row in rows for text in row}
    for table in report.full_tables(data):
        for row in () if table.title.startswith(GROUPED) else table.rows:
            texts_of_row = tuple(cell.text for cell in row)
            if table.title.startswith(IN_PARTS):
                yield from (f"{table.title}: {text}" for text in texts_of_row if text not in texts_shown)
            elif texts_of_row not in rows:
                yield f"{table.title}: {texts_of_row}"
    yield from (f"remark: {remark}" for remark in data["warnings"] if (remark,) not in rows)
    titles = [page.title for page in pages]
    if titles[0] != "Summary" or len(set(titles)) < len(titles):
        yield f"{titles}"
    for sentence in pages[0].text:
        if not re.fullmatch(r"[A-Z0-9][^\n]*\.", sentence) or re.search(r"None|\bnan\b|\binf\b|  |\.\.| ,", sentence):
            yield f"sentence: {sentence}"


@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize("report", OVER_MODELS)
def test_pages_have_every_row_of_the_csv(report, study):
    assert list(problems_of_pages(report(), json.loads(texts(report, study)[2]))) == []


@pytest.mark.parametrize("observers", [0, 1, 3, 10])
def test_pages_of_observers_and_of_places_have_every_row(observers):
    for report, more in ((ErrorConsistency(), {"people": min(observers, 2)}), (DatasetBias(), {"shown": True})):
        data = json.loads(to_json(report.data(decided(observers, **more))))
        assert list(problems_of_pages(report, data)) == []


def test_the_summary_of_observers_names_the_network_nearest_to_people():
    data = json.loads(of_consistency()[2])
    first, second = ErrorConsistency().pages(data)[0].text
    assert first == "10 observers are compared in 90 pairs on 2 datasets (a and b)."
    networks = [one for one in data["models"] if one["group"] != "humans"]
    best = max(networks, key=lambda one: one["kappa"])
    people = next(one for one in data["models"] if one["group"] == "humans")
    assert second.startswith(f"Of 8 networks compared with people, {best['model']} errs most like them: kappa = ")
    assert f"{best['kappa']:.3f} over" in second and f"; people have {people['kappa']:.3f} with each other." in second
    alone = ErrorConsistency().data(decided(3))
    assert "No network is compared with people: " in ErrorConsistency().pages(alone)[0].text[1]


def test_the_summary_of_places_says_how_far_they_are_from_uniform():
    data = json.loads(of_dataset_bias()[2])
    first, second, third = DatasetBias().pages(data)[0].text
    place, name = data["datasets"][0]["place"], data["datasets"][0]["dataset"]
    assert first == f"3 models decided on images that say where their objects are: {name} (160 images)."
    assert f"a divergence of {place['kl']:.3f} nats, where {place['kl_by_chance']:.3f} come by chance" in second
    slopes = [f for one in data["models"] for f in one["functions"] if f["attribute"] == "distance"]
    falls = sum(f["high"] is not None and f["high"] < 0 for f in slopes)
    assert f"accuracy on {name} falls for {falls} of " in third


def test_the_summary_of_what_coefficients_rest_on():
    data = json.loads(texts(Sensitivity, "everything")[2])
    _, second, third = Sensitivity().pages(data)[0].text
    entries = data["sensitivities"]
    most = max(entries, key=lambda one: abs(one["influence"]["without"] - one["spearman"]))
    flipped = sum(bool(one["influence"]["flips"]) for one in entries)
    assert second.startswith(f"The deletion of a single model moves p across 0.05 for {flipped} of 4 coefficients; ")
    assert f"without {most['influence']['model']}." in second
    held = [one for one in entries if one["partial"]["value"] is not None]
    turned = sum(one["partial"]["value"] * one["spearman"] < 0 for one in held)
    assert third.startswith(f"With ID held, {turned} of {len(held)} coefficients ")


# --- what is shown in part --------------------------------------------------------------------


def test_csv_has_all_measures_of_a_run_without_a_study():
    terminal, csv_file, json_file = texts(Correlation, "measures")
    (sheet,) = [one for one in csv_sheets(csv_file) if one.title.startswith("Models")]
    assert set(sheet.keys[2:]) == json.loads(json_file)["models"][0]["measures"].keys() and len(sheet.keys) == 23
    assert "Not shown: 12 more measures (" in terminal and "see --format csv or json" in terminal


def test_csv_has_all_pairs_intervals_and_groups():
    terminal, csv_file, json_file = of_consistency()
    assert "more pairs: --format csv or json" in terminal and len(json.loads(json_file)["pairs"]) == 90
    by_title = {re.sub(r" \(.*", "", one.title): one for one in csv_sheets(csv_file)}
    assert len(by_title["Pairs of observers"].rows) == 90
    assert len(by_title["Pairs of observers, by condition"].rows) == 45 * 2 + 45
    terminal, csv_file, _ = texts(Correlation, "everything")
    by_title = {re.sub(r" \(.*", "", one.title): one for one in csv_sheets(csv_file)}
    assert len(by_title["95 % intervals, from n trials each"].rows) == 17 * 4
    assert "95 % intervals, from n trials each" not in terminal
    sets = {row[2] for row in by_title["Spearman's ρ of biases and generalization, each set of models"].rows}
    assert sets == {"all", "g", "h", "i", "not g", "not h", "not i"}


def test_csv_has_the_reliability_of_all_groups():
    models = [row for at in range(8) for row in rows(5, f"g{at}", at)]
    data = Sensitivity().data(declared(models))
    assert list(differences("sensitivity", *outputs(Sensitivity(), data))) == []
    assert "3 more groups: --format csv or json" in render(Sensitivity(), data)


# --- whoever changes a number is noticed ------------------------------------------------------

SHOWN = {
    "correlation": "spearman p low high p_holm within cluster_low r2 q2_loo q2_lofo icc n_effective",
    "prediction": "r2 q2_loo q2_lofo p_loo p_lofo concordance mean q95 measured loo lofo",
    "sensitivity": "spearman value without null sd absolute least median most slope",
    "consistency": "kappa observed low n",
    "dataset-bias": "kl p spread mean accuracy slope low high",
}
"""Report -> keys of numbers that every entry with them shows, but for those below `baselines` and `partial`."""
TRIES = 6


@pytest.mark.parametrize("name", SHOWN)
def test_a_changed_number_is_noticed_wherever_it_is(name):
    reports = {report.name: report for report in OVER_MODELS}
    made = {"consistency": of_consistency, "dataset-bias": of_dataset_bias}
    terminal, csv_file, json_file = texts(reports[name], "everything") if name in reports else made[name]()
    rng = random.Random(name)
    for place in rng.sample(list(_places_on_terminal(terminal)), TRIES):
        assert list(differences(name, _changed(terminal, place, _other_digit), csv_file, json_file)), place
    for place in rng.sample(list(_places_in_csv(csv_file)), TRIES):
        assert list(differences(name, terminal, _changed(csv_file, place, _other_number), json_file)), place
    for path in rng.sample(list(_paths(json.loads(json_file), SHOWN[name].split())), TRIES):
        assert list(differences(name, terminal, csv_file, _other_document(json_file, path))), path


def _places_on_terminal(terminal):
    """Where the numbers of tables are: line, first and last column."""
    inside = False
    for at, line in enumerate(terminal.splitlines()):
        inside = bool(line.strip()) and (inside or set(line) == {"─"})
        for number in re.finditer(r"(?<=  )[+-]?\d+(\.\d+)?(?=\*{0,2}( |$))", line) if inside else ():
            yield at, *number.span()


def _places_in_csv(csv_file):
    for at, line in enumerate(csv_file.splitlines()):
        for number in re.finditer(r"(?<=,)-?\d[\d.e+-]*(?=,|$)", line) if line.startswith('"') else ():
            yield at, *number.span()


def _changed(text, place, change):
    at, start, end = place
    lines = text.splitlines()
    lines[at] = lines[at][:start] + change(lines[at][start:end]) + lines[at][end:]
    return "\n".join([*lines, ""])


def _other_digit(number):
    return number[:-1] + str((int(number[-1]) + 5) % 10)


def _other_number(number):
    return repr(float(number) * 1.001 + 0.01)


def _other_document(json_file, path):
    document = entry = json.loads(json_file)
    for step in path[:-1]:
        entry = entry[step]
    entry[path[-1]] = entry[path[-1]] * 1.001 + 0.01
    return json.dumps(document)


def _paths(value, keys):
    hidden = ("details", "provenance", "baselines", "partial", "specifications", "seen")
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        if key in keys and isinstance(inner, int | float) and not isinstance(inner, bool):
            yield (key,)
        elif key not in hidden:
            yield from ((key, *path) for path in _paths(inner, keys))


# --- rounding ---------------------------------------------------------------------------------

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False) | st.floats(-0.01, 0.01) | st.floats(0.99, 1.0)


@given(NUMBERS, st.sampled_from([".2f", ".3f", ".1f", "+.1f", ",.0f", ".2e", ".3g", ".2g"]), st.sampled_from([1, 100]))
@example(-0.001, ".2f", 1)
@example(-1e-9, "+.1f", 100)
@example(0.9995, ".2f", 1)
@example(-0.0, ".3g", 1)
def test_a_cell_shows_what_its_value_rounds_to(value, form, scale):
    cell = _cells.number(value, form, scale=scale)
    assert list(problems(cell.text, cell.value)) == []
    assert cell.value == scale * value


@given(st.floats(0, 1))
@example(0.001)
@example(np.nextafter(0.001, 0))
@example(0.9995)
def test_a_p_value_shows_what_it_rounds_to_or_that_it_is_smaller(value):
    cell = _cells.p_cell(value)
    assert list(problems(cell.text, value)) == [] and cell.value == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.28", 0.5), ("-0.00", -0.001), ("<0.001", 0.001), ("–", 0.1), ("0.1", ""), ("1.00", 0.994), ("3 %", 0.3)],
)
def test_what_a_cell_may_not_show(text, value):
    assert list(problems(text, value))
