"""`harness report` of a run with the size of a study, each time in a process of its own: first, and again.

The first report has an empty cache folder and reads trials; the second finds what the first has kept. Both are given by
the wall clock and by processor time, with the memory that they take at most; the ratio of the two is of one round. The
run is written before and removed afterwards, and lies in the file system's cache by then. A file `--format html` of the
same study is opened in the system's Chromium, where there is one: seconds from navigation to the load event, and until
its first chart is drawn. Charts are drawn when they come into view, so that one is scrolled to.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import study_runs
from benchmarks.clocks import Reading
from benchmarks.rounds import Estimate, estimate
from tools.chromium import FLAGS, program

ROUNDS = 3
LOADS = 5
_SHOW = "() => document.querySelector('figure.chart')?.scrollIntoView()"
_DRAWN = """() => {
  const chart = document.querySelector('figure.chart');
  return !chart || [...chart.querySelectorAll('.panel')].every((panel) => panel.querySelector('svg, canvas'));
}"""
_LOADED = "() => performance.getEntriesByType('navigation')[0].loadEventEnd / 1000"
_NOW = "() => performance.now() / 1000"
_MEGABYTE = 1e6
_LAUNCHER = """
import json, os, sys, time
quiet = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
began = time.perf_counter()
process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=quiet)
_, status, usage = os.wait4(process, 0)
seconds = time.perf_counter() - began
print(json.dumps([status, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss]))
"""
"""A small process that starts the report: memory of whoever starts a process counts as the process's own."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What one process has taken, with those that it waited for.

    Attributes:
        seconds: by each of `CLOCKS`. memory: most that one of them had at a time, in MB.
    """

    seconds: Reading
    memory: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSpeed:
    """Reports of one run.

    Attributes:
        first, again: one entry a round. page: what -> seconds, empty without a browser. writing: seconds that the run
            took to write, and its megabytes. remark: why something is not measured; empty if everything is.
    """

    first: list[Spent]
    again: list[Spent]
    page: Mapping[str, Estimate] = field(default_factory=dict)
    writing: tuple[float, float]
    remark: str = ""

    def ratio(self, clock: int) -> Estimate:
        """First / again by one of `CLOCKS`."""
        pairs = zip(self.first, self.again, strict=True)
        return estimate([before.seconds[clock] / after.seconds[clock] for before, after in pairs])


def measure(
    rounds: int = ROUNDS,
    models: int = study_runs.MODELS,
    samples: int = study_runs.SAMPLES,
    watch: Callable[[int], None] = lambda rounds: None,
) -> ReportSpeed:
    """Write a run, report it, and remove it. `watch` is called after each round."""
    with tempfile.TemporaryDirectory() as scratch:
        base = Path(scratch)
        began = time.perf_counter()
        run = study_runs.write_run(base / "run", models, samples)
        writing = time.perf_counter() - began, study_runs.size_of(run) / _MEGABYTE
        report(run, base / "warm-up", base / "compiled")
        first, again = [], []
        for number in range(rounds):
            cache = base / f"cache-{number}"
            first.append(report(run, cache, base / "compiled"))
            again.append(report(run, cache, base / "compiled"))
            watch(number + 1)
        page = base / "report.html"
        report(run, cache, base / "compiled", "--format", "html", "-o", str(page))
        seconds, remark = loading(page)
    return ReportSpeed(first=first, again=again, page=seconds, writing=writing, remark=remark)


def report(run: Path, cache: Path, compiled: Path, *options: str) -> Spent:
    """One `harness report`, with the compiled code of the harness in `compiled` as in every installation."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    variables |= {"HARNESS_CACHE": str(cache), "PYTHONPYCACHEPREFIX": str(compiled)}
    command = [sys.executable, "-m", "harness", "report", str(run), *options]
    launched = [sys.executable, "-I", "-S", "-c", _LAUNCHER, *command]
    done = subprocess.run(launched, env=variables, stdout=subprocess.PIPE, check=True)
    status, *seconds, memory = json.loads(done.stdout)
    if status:
        raise RuntimeError(f"{' '.join(command)} ended with {status}")
    return Spent((seconds[0], seconds[1]), memory * 1024 / _MEGABYTE)


def loading(page: Path, loads: int = LOADS) -> tuple[dict[str, Estimate], str]:
    """Seconds until `page` is loaded, and its first chart is drawn, if it has any; or why that cannot be measured."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        return {}, "the page was not loaded: playwright is not installed"
    seconds: dict[str, list[float]] = {}
    with sync_playwright() as playwright:
        try:
            chromium = playwright.chromium.launch(executable_path=program(), args=FLAGS)
            for _ in range(loads):
                tab = chromium.new_page()
                tab.goto(page.as_uri(), wait_until="load")
                tab.evaluate(_SHOW)
                tab.wait_for_function(_DRAWN)
                drawn = tab.evaluate(_NOW)
                seconds.setdefault("page is loaded", []).append(tab.evaluate(_LOADED))
                if tab.query_selector("figure.chart"):
                    seconds.setdefault("its first chart is drawn", []).append(drawn)
                tab.close()
            chromium.close()
        except Error as error:
            return {}, f"the page was not loaded: {error.message.splitlines()[0][:100]}"
    return {name: estimate(each) for name, each in seconds.items()}, ""
