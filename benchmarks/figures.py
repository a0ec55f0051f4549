"""What was measured, as a table for people, sentences below it, and JSON for machines."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.clocks import CLOCKS, PROCESSOR, WALL
from benchmarks.engine import EngineSpeed
from benchmarks.reports import ReportSpeed, Spent
from benchmarks.rounds import RESOLUTION, Comparison, Estimate, Verdict, estimate
from benchmarks.shifts import ShiftSpeed
from benchmarks.stimuli import StimuliSpeed

ENGINE = "bare loop / harness"
STIMULI = {
    "band-pass": ("FFT / band-pass", "≥ 4"),
    "critical-band": ("pyrtools / critical band", "≥ 30"),
    "critical-band, vectorised": ("vectorised / critical band", ""),
}
"""Name of the figure, and its target."""
SHORT = {WALL: "wall", PROCESSOR: "CPU"}
WORDS = {
    Verdict.RESOLVED: f"Resolved to {RESOLUTION:.0%}",
    Verdict.FEW: "Too few rounds for an interval (--seconds gives more)",
    Verdict.BUSY: f"The machine was too busy to tell to {RESOLUTION:.0%}",
    Verdict.BIASED: "Not to be trusted, since the first side against itself does not give 1",
    Verdict.IMPOSSIBLE: "Cannot be right, since the true ratio is at most 1",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One row.

    Attributes:
        comparison: whence the estimate is, for ratios of two sides.
    """

    name: str
    clock: str
    estimate: Estimate
    target: str = ""
    comparison: Comparison | None = None


def engine_figures(speed: EngineSpeed) -> list[Figure]:
    """The rows of the whole harness."""
    return [
        *_ratios(ENGINE, "≥ 0.90", speed.ratios),
        *(Figure("bare loop / itself", clock, speed.ratios[clock].control) for clock in CLOCKS),
        Figure("store's share", WALL, speed.store_share, "≤ 0.01"),
        Figure("forwards a second", WALL, speed.forwards_per_second),
        Figure("cores the bare loop had", "", speed.own_share),
    ]


def stimuli_figures(name: str, speed: StimuliSpeed) -> list[Figure]:
    """The rows of one probe."""
    return _ratios(*STIMULI[name], speed.ratios)


def shift_figures(speed: ShiftSpeed) -> list[Figure]:
    """The rows of the probes of one-pixel shifts."""
    return [
        *_ratios("crops, black, scale", "≤ 1.03", speed.plain),
        *_ratios("with inpainting", "≤ 1.25", speed.every),
    ]


def report_figures(speed: ReportSpeed) -> list[Figure]:
    """The rows of `harness report`, in seconds and megabytes."""
    return [
        *_report("first report, s", "≤ 5", speed.first),
        *_report("report again, s", "≤ 1", speed.again),
        *(Figure("first / again", clock, speed.ratio(number)) for number, clock in enumerate(CLOCKS)),
        Figure("memory, first, MB", "", estimate([spent.memory for spent in speed.first]), "≤ 500"),
        Figure("memory, again, MB", "", estimate([spent.memory for spent in speed.again]), "≤ 500"),
        *(Figure(f"{what}, s", WALL, seconds, "≤ 2") for what, seconds in speed.page.items()),
    ]


def _report(name: str, target: str, spent: Sequence[Spent]) -> list[Figure]:
    return [
        Figure(name, clock, estimate([each.seconds[number] for each in spent]), target)
        for number, clock in enumerate(CLOCKS)
    ]


def _ratios(name: str, target: str, comparisons: Mapping[str, Comparison]) -> list[Figure]:
    return [Figure(name, clock, comparisons[clock].ratio, target, comparisons[clock]) for clock in CLOCKS]


def show(console: Console, figures: Sequence[Figure]) -> None:
    """The table, and in sentences what the ratios are worth."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("what", "clock", "median", "95 % interval", "IQR", "rounds", "target"):
        table.add_column(heading, justify="left" if heading in ("what", "clock") else "right", no_wrap=True)
    for figure in figures:
        table.add_row(*_row(figure))
    console.print(table)
    for line in sentences(figures):
        console.print(line)


def _row(figure: Figure) -> tuple[str, ...]:
    estimate = figure.estimate
    lower, upper = estimate.quartiles
    interval = f"{_number(estimate.low)}–{_number(estimate.high)}" if math.isfinite(estimate.width) else ""
    spread = f"{(upper - lower) / estimate.median:.1%}" if estimate.n > 1 else ""
    clock = SHORT.get(figure.clock, "")
    return figure.name, clock, _number(estimate.median), interval, spread, str(estimate.n), figure.target


def sentences(figures: Sequence[Figure]) -> Iterator[str]:
    """What the ratios are worth, in plain English: one sentence for each verdict that occurs."""
    for verdict, words in WORDS.items():
        members = [
            f"{figure.name} by {figure.clock} ({detail(figure.comparison)})"
            for figure in figures
            if figure.comparison is not None and figure.comparison.verdict is verdict
        ]
        if members:
            yield f"{words}: {'; '.join(members)}."


def detail(comparison: Comparison) -> str:
    """The number behind the verdict."""
    match comparison.verdict:
        case Verdict.FEW:
            return str(comparison.ratio.n)
        case Verdict.BIASED:
            return f"{comparison.control.median:.3f}"
        case _:
            return f"±{comparison.ratio.width / 2:.1%}"


def _number(value: float) -> str:
    """Three digits behind the point below ten, and one less for each further one before it."""
    return f"{value:.{max(0, 3 - max(0, math.floor(math.log10(value))))}f}" if value > 0 else "0"


def document(figures: Sequence[Figure], machine: dict[str, Any]) -> dict[str, Any]:
    """The same for machines; infinite ends of intervals are null."""
    return {"machine": machine, "figures": [_entry(figure) for figure in figures]}


def _entry(figure: Figure) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": figure.name, "clock": figure.clock or None, "target": figure.target or None}
    entry |= _estimate(figure.estimate)
    if (comparison := figure.comparison) is not None:
        entry |= {"verdict": comparison.verdict.name.lower(), "control": _estimate(comparison.control)}
    return entry


def _estimate(estimate: Estimate) -> dict[str, Any]:
    return {
        "rounds": estimate.n,
        "median": estimate.median,
        "low": estimate.low,
        "high": estimate.high if math.isfinite(estimate.high) else None,
        "quartiles": list(estimate.quartiles),
    }
