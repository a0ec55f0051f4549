"""The run that reports are timed on is sound and plausible; how fast a report is, is no test's concern."""

import numpy as np
import pytest

from benchmarks import reports, study_runs
from benchmarks.figures import report_figures
from benchmarks.reports import ReportSpeed, Spent, loading
from benchmarks.rounds import estimate
from harness.store import RunReader, trials_digest, verify_run
from tools import chromium

SAMPLES = 400


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return RunReader.open(study_runs.write_run(tmp_path_factory.mktemp("study") / "run", 2, SAMPLES))


def test_the_run_is_sound_and_has_52_conditions_of_every_image(run):
    assert verify_run(run) == []
    columns = sum(run.layout_header(task).conditions for task in study_runs.TASKS)
    assert columns == 52 and len(run.places()) == 2 * 3 and all(cell.complete(run.layout(cell.job.task))
                                                                for cell in run.cells().values())  # fmt: skip
    assert study_runs.size_of(run.path) > 2 * 52 * SAMPLES * 23  # bytes of a trial


def test_decisions_follow_the_seed_and_differ_by_network(run, tmp_path):
    again = RunReader.open(study_runs.write_run(tmp_path / "run", 1, SAMPLES))
    (first, second), task = run.models(study_runs.TASKS[1]), study_runs.TASKS[1]
    (model,) = again.models(task)
    assert trials_digest(again, task, model) == trials_digest(run, task, model)
    assert not np.array_equal(run.read(task, first).correct, run.read(task, second).correct)


@pytest.mark.parametrize("task", study_runs.TASKS)
def test_accuracies_are_those_that_are_expected(run, task):
    (first, *_), layout = list(run.record.models), run.layout(task)
    expected = np.array([study_runs.accuracy(0, condition) for condition in layout.conditions])
    stored = run.read(task, first).correct.mean(axis=0)
    assert np.all(np.abs(stored - expected) < 4.5 * np.sqrt(expected * (1 - expected) / SAMPLES) + 1e-3)
    assert (expected > 0).all() and (expected < 1).all()


def test_more_noise_and_a_narrower_band_cost_accuracy():
    for number in range(study_runs.MODELS):
        of = [study_runs.accuracy(number, f"noise-{noise}-f3") for noise in (0.02, 0.04, 0.08, 0.16)]
        low = [study_runs.accuracy(number, f"low-pass-{cutoff}") for cutoff in (0.1, 0.5, 0.9)]
        high = [study_runs.accuracy(number, f"high-pass-{cutoff}") for cutoff in (0.1, 0.5, 0.9)]
        assert of == sorted(of, reverse=True) and low == sorted(low) and high == sorted(high, reverse=True)
        assert of[0] < study_runs.accuracy(number, "noise-0") == study_runs.accuracy(number, "clean")


def test_rows_and_targets():
    spent = [Spent((6.0, 4.0), 160.0), Spent((5.0, 4.2), 170.0)]
    page = {"page is loaded": estimate([0.5]), "its first chart is drawn": estimate([1.5])}
    speed = ReportSpeed(first=spent, again=[Spent((1.0, 0.8), 90.0)] * 2, page=page, writing=(30.0, 2900.0))
    rows = {(row.name, row.clock): row for row in report_figures(speed)}
    assert rows["first report, s", "processor time"].estimate.median == pytest.approx(4.1)
    assert rows["first / again", "wall clock"].estimate.median == pytest.approx(5.5)
    assert [row.target for row in rows.values() if row.target] == ["≤ 5"] * 2 + ["≤ 1"] * 2 + ["≤ 500"] * 2 + [
        "≤ 2"
    ] * 2


def test_a_page_that_cannot_be_loaded_has_a_reason(tmp_path, monkeypatch):
    pytest.importorskip("playwright")
    monkeypatch.setattr(chromium, "PROGRAMS", ())
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    seconds, reason = loading(tmp_path / "absent.html")
    assert seconds == {} and reason.startswith("the page was not loaded: ")


@pytest.mark.slow
def test_first_and_again_are_measured():
    """In processes, with a page where a browser is installed."""
    speed = reports.measure(rounds=1, models=2, samples=64)
    assert [len(speed.first), len(speed.again)] == [1, 1] and bool(speed.page) != bool(speed.remark)
    for spent in (*speed.first, *speed.again):
        assert 20 < spent.memory < 500 and min(spent.seconds) > 0
