"""The suite `quickstart`, run as a user runs it, against what is known of its networks by construction.

The fast suite runs the networks of which something is known; what is measured for the other 17 is recorded in
tests/helpers/zoo_measures.json, for the claims over the whole zoo, and measured again by the slow suite.

The claims are those of docs/validation.md. Where a probe fails one, that is a finding about the probe: it belongs into
that document, with the claim marked as not held, and not under a wider tolerance here.
"""

import json
import re
from itertools import pairwise

import pytest
from scipy.stats import spearmanr

from harness import open_study
from harness.output.formats import render, to_json
from harness.output.tidy import tidy, to_csv
from harness.plugins.reports.consistency import ErrorConsistency
from harness.plugins.reports.correlation import Correlation
from harness.plugins.reports.dataset_bias import DatasetBias
from harness.plugins.reports.prediction import JointPrediction
from harness.plugins.reports.sensitivity import Sensitivity
from tests.helpers.command import completed
from tests.helpers.places import ROOT
from tests.helpers.reasons import lines
from tests.helpers.same_numbers import differences, figure_differences, outputs
from tests.helpers.same_numbers_of_a_page import page_differences, tidy_differences

L2 = ["zoo-l2-0.25", "zoo-l2-0.75", "zoo-l2-1.5"]
LINF = ["zoo-linf-1", "zoo-linf-3", "zoo-linf-6"]
BANDS = ["zoo-low-frequency-only", "zoo-mid-frequency-only", "zoo-high-frequency-only"]
STYLIZED = ["zoo-stylized", "zoo-stylized-and-shapes", "zoo-stylized-then-shapes"]
RECORDED = json.loads((ROOT / "tests" / "helpers" / "zoo_measures.json").read_text())
PUBLISHED = {  # ranges over the 48 networks of the published table (Gavrikov & Keuper, CVPR 2024, benchmark.csv)
    "critical-band-bandwidth": 10.456 - 3.709,  # octaves, seven bands at 224 pixels
    "critical-band-center-frequency": 114.495 / 32.633,  # ratio: cycles an image do not compare across sizes
    "critical-band-peak-noise-sensitivity": 1.0 - 0.5167,
}


def report(*arguments, cwd):
    done = completed(["report", "runs/quickstart", *arguments], cwd, COLUMNS="80")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def study(quickstart):
    return json.loads(report("--format", "json", cwd=quickstart))


@pytest.fixture(scope="module")
def opened(quickstart, study):
    """The same in Python; `study` has kept its measures in the cache folder."""
    return open_study(quickstart / "runs" / "quickstart")


@pytest.fixture(scope="module")
def models(study):
    """All 34; those that are recorded have their group, biases, axes and accuracy alone."""
    measured = {model["name"]: model for model in study["models"]}
    assert not measured.keys() & RECORDED.keys()
    return {**RECORDED, **measured}


def bias(models, name):
    return {model: row["biases"][name] for model, row in models.items() if row["biases"].get(name) is not None}


def spread(models, kind, name, *, calibration=False):
    """Lowest and highest value over the zoo; networks for calibration have no group."""
    values = [row[kind][name] for row in models.values() if calibration or row["group"] is not None]
    known = [value for value in values if value is not None]
    return min(known), max(known)


# --- the probes against ground truth ---------------------------------------------------------


def test_shape_bias_of_networks_that_know_one_cue(models):
    assert bias(models, "shape-bias")["zoo-shape-only"] >= 0.95
    assert bias(models, "shape-bias")["zoo-texture-only"] <= 0.05


def test_frequency_biases_of_networks_that_see_one_band(models):
    low, high = bias(models, "low-frequency-bias"), bias(models, "high-frequency-bias")
    sound = [name for name, row in models.items() if row["measures"]["top1@shapes"] >= 0.5]
    assert low["zoo-low-frequency-only"] >= 0.9 and high["zoo-low-frequency-only"] <= 0.1
    assert high["zoo-high-frequency-only"] >= 0.9 and low["zoo-high-frequency-only"] <= 1 / 3
    assert high["zoo-high-frequency-only"] == max(high[name] for name in sound)
    assert low["zoo-high-frequency-only"] == min(low[name] for name in sound)
    assert low["zoo-low-frequency-only"] >= max(low[name] for name in sound) - 0.02


def test_center_frequency_orders_networks_by_their_band(models):
    centers = bias(models, "critical-band-center-frequency")
    assert [*sorted(BANDS, key=centers.__getitem__)] == BANDS


@pytest.mark.parametrize("ladder", [L2, LINF], ids=["l2", "linf"])
def test_robustness_follows_epsilon(models, ladder):
    """At 4/255: at the 2/255 of the axis Adversarial all but the weakest are within a few images of each other."""
    robust = [models[name]["measures"]["top1@shapes-64/pgd-10-high"] for name in ["zoo-baseline", *ladder]]
    assert all(less < more for less, more in pairwise(robust)) and robust[-1] - robust[0] >= 0.5, robust


def test_stylized_training_raises_shape_bias(models):
    shape = bias(models, "shape-bias")
    baseline = models["zoo-baseline"]["intervals"]["shape-bias"]
    for name in STYLIZED:
        assert models[name]["intervals"]["shape-bias"]["low"] > baseline["high"], (name, shape[name], baseline)


def test_a_network_that_guesses_has_no_shape_bias(models):
    chance = models["zoo-chance"]
    assert chance["biases"]["shape-bias"] is None
    assert "chance is 2/16" in lines(chance)["shape-bias"]


def test_consistency_of_networks_made_for_shifts(models):
    """Adaptive sampling decides alike exactly; a blur, or training with shifts, more often than the baseline."""
    consistency = bias(models, "roll-consistency")
    highest = models["zoo-baseline"]["intervals"]["roll-consistency"]["high"]
    assert consistency["zoo-aps"] == 1
    assert highest < consistency["zoo-blur-pool"] < 1 and highest < consistency["zoo-shift-augmented"] < 1


# --- the study says something ----------------------------------------------------------------


def test_nothing_is_missing(models):
    undefined = [
        (name, what, lines(row).get(what))
        for name, row in models.items()
        for what, value in {**row["biases"], **row["axes"]}.items()
        if value is None and name != "zoo-chance"
    ]
    assert undefined == []
    assert len(models) == 34 and sum(row["group"] is not None for row in models.values()) == 25


def test_baseline(models):
    assert models["zoo-baseline"]["measures"]["top1@shapes"] >= 0.9


@pytest.mark.parametrize("axis", ["ID", "Robustness", "Concepts", "Adversarial"])
def test_every_axis_ranges_over_15_points(models, axis):
    low, high = spread(models, "axes", axis)
    assert high - low >= 0.15


@pytest.mark.parametrize("name", ["shape-bias", "low-frequency-bias", "high-frequency-bias"])
def test_biases_range_over_a_third_of_what_is_possible(models, name):
    low, high = spread(models, "biases", name)
    assert high - low >= 1 / 3


def test_critical_band_ranges_over_what_the_published_networks_do(models):
    for name in ("critical-band-bandwidth", "critical-band-peak-noise-sensitivity"):
        low, high = spread(models, "biases", name)
        assert high - low >= PUBLISHED[name]
    low, high = spread(models, "biases", "critical-band-center-frequency")
    assert high / low >= PUBLISHED["critical-band-center-frequency"]


def test_the_report_ends_with_what_a_newcomer_looks_for(quickstart):
    text = report(cwd=quickstart)
    assert all(len(line) <= 80 for line in text.splitlines())
    for table in ("Models: biases (17)", "Models: generalization (17)", "Spearman's ρ of biases and generalization"):
        assert table in text
    assert (quickstart / "runs/quickstart/index.h5").is_file()


def test_the_readme_shows_this_study(study, models):
    """Its table, to 0.05: another processor rounds sums otherwise, and a decision or two with them."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text[text.index("Spearman's ρ of biases and generalization, all models") :].split("```")[0]
    rows = [re.split(" {2,}", line.strip()) for line in table.splitlines()[3:13]]
    names = {study["titles"][name]: name for name in study["biases"]}
    assert [row[0] for row in rows] == list(names)
    grouped = [row for row in models.values() if row["group"] is not None]
    measured = {
        (bias, axis): spearmanr(
            *([row[kind][name] for row in grouped] for kind, name in (("biases", bias), ("axes", axis)))
        ).statistic
        for bias in names.values()
        for axis in study["axes"]
    }
    shown = {
        (names[row[0]], axis): float(cell.rstrip("*"))
        for row in rows
        for axis, cell in zip(study["axes"], row[1:], strict=True)
    }
    assert shown == pytest.approx(measured, abs=0.05)


@pytest.mark.slow
def test_the_other_networks_measure_what_is_recorded(tmp_path):
    """To 0.05, or 5 % of an unbounded value: another processor rounds otherwise, and decisions with it."""
    others = dict(RECORDED)
    words = ["run", "--suite", "quickstart", *(word for name in others for word in ("--models", name))]
    assert completed([*words, "--out", "runs/quickstart"], tmp_path).returncode == 0
    for row in json.loads(report("--format", "json", cwd=tmp_path))["models"]:
        known = others.pop(row["name"])
        assert row["group"] == known["group"]
        for kind in ("biases", "axes", "measures"):
            assert {name: row[kind][name] for name in known[kind]} == pytest.approx(known[kind], abs=0.05, rel=0.05)
    assert others == {}


@pytest.mark.parametrize(
    "plugin",
    [Correlation, JointPrediction, Sensitivity, DatasetBias, pytest.param(ErrorConsistency, marks=pytest.mark.slow)],
)
def test_terminal_csv_json_and_page_show_the_same_numbers(plugin, opened):
    data = plugin().data(opened)
    terminal, csv_file, json_file = outputs(plugin(), data)
    assert list(differences(plugin.name, terminal, csv_file, json_file)) == []
    assert list(page_differences(render(plugin(), data, "html"), csv_file)) == []


def test_the_tidy_table_has_the_numbers_of_the_json(study, opened):
    assert list(tidy_differences(to_csv(tidy(opened.measures())), to_json(study))) == []


def test_the_reports_agree(study, opened):
    overall = {(e["bias"], e["generalization"]): e for e in study["correlations"] if e["models"] == "all"}
    for entry in Sensitivity().data(opened)["sensitivities"]:
        other = overall[entry["bias"], entry["generalization"]]
        assert all(entry[key] == other[key] for key in ("n", "spearman", "p"))
    assert JointPrediction().data(opened)["predictions"] == study["predictions"]
    figures = [one for one in Correlation().figures(study) if one.name.startswith("scatter-")]
    assert len(figures) == 40
    assert [problem for one in figures for problem in figure_differences(one, study)] == []


def test_a_second_report_says_the_same(quickstart, study, tmp_path):
    """It takes the measures that the first has kept in the cache folder."""
    words = ["report", "runs/quickstart", "--format", "json"]
    texts = [completed(words, quickstart, COLUMNS="80", HARNESS_CACHE=str(tmp_path)).stdout for _ in range(2)]
    assert len(list((tmp_path / "measures").iterdir())) == 1
    assert texts[0] == texts[1] and json.loads(texts[0]) == study


def test_the_same_seed_gives_the_same_numbers(quickstart, tmp_path):
    """Some cells again, elsewhere and in another process: bit for bit what the whole run stored."""
    import numpy as np

    from harness import read_trials

    chosen = ["--models", "zoo-l2-1.5", "--models", "zoo-simclr"]
    tasks = ["accuracy@shapes-a", "shape-bias@shapes-cue-conflict", "accuracy@shapes-sketch"]
    words = [*chosen, *(word for task in tasks for word in ("--task", task)), "--out", "again"]
    done = completed(["run", *words], tmp_path)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    for task in tasks:
        for model in ("zoo-l2-1.5", "zoo-simclr"):
            first, second = (
                read_trials(run, task, model) for run in (quickstart / "runs/quickstart", tmp_path / "again")
            )
            assert np.array_equal(first.top5, second.top5) and np.array_equal(first.logp, second.logp)
