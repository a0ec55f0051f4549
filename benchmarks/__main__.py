"""``python -m benchmarks``: every figure that the documentation states about speed, measured now on this machine."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from rich.console import Console

from benchmarks import engine, reports, shifts, stimuli
from benchmarks.clocks import threads
from benchmarks.figures import (
    Figure,
    document,
    engine_figures,
    report_figures,
    shift_figures,
    show,
    stimuli_figures,
)
from benchmarks.rounds import StopRule

SHARE_OF_ENGINE = 0.75
"""Of the time there is; the stimuli share what is left."""
_LITTLE: dict[str, Any] = {"rounds": 1, "models": 2, "samples": 64}
LOG_EVERY = 10.0
"""Seconds between lines of progress where there is no terminal."""


def main(words: Sequence[str] | None = None) -> None:
    """Measure, print one table with targets, or JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0, help="to stop if it is not resolved (default 300)")
    parser.add_argument("--batch-size", type=int, default=engine.BATCH, help=f"of a round (default {engine.BATCH})")
    parser.add_argument("--threads", type=int, default=1, help="that torch computes in; more need an idle machine")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout, in place of the table")
    parser.add_argument("--reports", action="store_true", help="the rows of `harness report` alone")
    parser.add_argument("--quick", action="store_true", help="one round of little: whether it works, not how fast")
    options = parser.parse_args(words)
    before, started = os.getloadavg(), time.perf_counter()
    with threads(options.threads), _progress() as tell:
        start, figures = (0.0, []) if options.reports else _measure(options, tell)
        of_reports = reports.measure(**(_LITTLE if options.quick else {}), watch=partial(tell, "reports"))
        figures += report_figures(of_reports)
    machine = {
        "cores": os.cpu_count(),
        "threads": options.threads,
        "torch": torch.__version__,
        "load_before": before[0],
        "load_after": os.getloadavg()[0],
        "start_seconds": start,
        "run_of_reports": {"seconds": of_reports.writing[0], "megabytes": of_reports.writing[1]},
        "seconds": time.perf_counter() - started,
    }
    if options.json:
        sys.stdout.write(json.dumps(document(figures, machine), indent=2, ensure_ascii=False) + "\n")
        return
    terminal = Console(highlight=False)
    console = Console(highlight=False, width=min(terminal.width, 80) if terminal.is_terminal else 80)
    console.print(
        f"{machine['cores']} cores, torch {machine['torch']}, threads: {options.threads}; load {before[0]:.1f} before "
        f"and {machine['load_after']:.1f} after; a run starts in {start:.2f} s, which is in no ratio; that of the "
        f"reports has {of_reports.writing[1]:,.0f} MB and took {of_reports.writing[0]:.0f} s to write",
    )
    show(console, figures)
    if of_reports.remark:
        console.print(of_reports.remark)


def _measure(options: argparse.Namespace, tell: Callable[[str, int], None]) -> tuple[float, list[Figure]]:
    """Seconds that a run takes to start, and all figures but those of reports."""
    few: dict[str, Any] = {"least": 1, "most": 1} if options.quick else {}
    small: dict[str, Any] = {"probes": ("band-pass",), "batch": 1} if options.quick else {"batch": options.batch_size}
    names, samples = (stimuli.REFERENCES[-1:], 4) if options.quick else (stimuli.REFERENCES, stimuli.SAMPLES)
    until = time.monotonic() + options.seconds
    rule = StopRule(seconds=options.seconds * SHARE_OF_ENGINE, **few)
    speed = engine.measure(rule, **small, watch=partial(tell, "harness"))
    figures = engine_figures(speed)
    for number, name in enumerate(names):
        rule = StopRule(seconds=(until - time.monotonic()) / (len(names) - number + 1), **few)
        figures += stimuli_figures(name, stimuli.measure(name, rule, samples, watch=partial(tell, name)))
    rule = StopRule(seconds=until - time.monotonic(), **few)
    of_shifts = shifts.measure(rule, 1 if options.quick else shifts.BATCH, watch=partial(tell, "shifts"))
    figures += shift_figures(of_shifts)
    return speed.start, figures


@contextmanager
def _progress() -> Iterator[Callable[[str, int], None]]:
    """What is measured, on stderr: one line that changes on a terminal, a line every ten seconds in a log.

    Nothing that moves by itself: the processor time of its thread would count as the harness's.
    """
    terminal, logged = sys.stderr.isatty(), time.monotonic()

    def tell(name: str, rounds: int) -> None:
        nonlocal logged
        line = f"{name}: {rounds} round{'s' if rounds > 1 else ''}"
        if terminal:
            print(f"\r{line:<60}", end="", file=sys.stderr, flush=True)
        elif time.monotonic() - logged > LOG_EVERY:
            logged = time.monotonic()
            print(line, file=sys.stderr, flush=True)

    yield tell
    if terminal:
        print(f"\r{'':<60}\r", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
