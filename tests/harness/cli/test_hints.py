"""What a run prints for its user: the next command works as typed, many resumed cells share a line, counts are true."""

import io
import shlex
from pathlib import Path

import numpy as np
from rich.console import Console

from harness.output.progress import RunProgress
from harness.planning.plan import Plan, PlannedCell, Settings
from harness.records import Reason
from harness.workflows.display import TerminalDisplay
from tests.harness.cli.test_commands import PROBE
from tests.helpers.command import MODELS

SPACED = PROBE.replace("NAME", "spaced").replace("BODY", "pass")


def next_command(err):
    (line,) = [line for line in err.splitlines() if line.startswith("next: harness ")]
    return shlex.split(line.removeprefix("next: "))[1:]


def test_the_next_command_repeats_plugins_and_registries_and_works_as_typed(command_line, data):
    Path("my plugins").mkdir()
    Path("my plugins", "spaced.py").write_text(SPACED)
    Path("it's.yaml").write_text(MODELS)
    options = ("--plugins", "my plugins", "--registry", "it's.yaml")
    task = ("--task", "spaced@imagenet", "--models", "plain", "--data", "data", "--limit", "8")
    code, _, err = command_line("run", *options, *task, "--out", "a run")
    assert code == 0, err
    words = next_command(err)
    assert words == ["report", "a run", *options]
    code, out, err = command_line(*words)
    assert code == 0 and "plain" in out and "not installed" not in out + err
    assert "spaced" in command_line(*words, "--format", "json")[1]


def test_the_next_command_of_an_import_works_too(command_line, real):
    table = real / "paper" / "benchmark.csv"
    code, _, err = command_line("import", "paper", table, "--out", "the table")
    assert code == 0 and err.rstrip().endswith("next: harness report 'the table'")


def planned(names, done=1):
    because = Reason(kind="task", subject="t@d", text=f"{done} of 2 spans stored", general="some spans stored")
    return [PlannedCell(model=name, task="t@d", status="resume", job=None, because=because) for name in names]


def shown(cells):
    text = io.StringIO()
    TerminalDisplay(Console(file=text, width=80)).planned(Plan(settings=Settings(), tasks=(), cells=tuple(cells)))
    return text.getvalue().splitlines()


def test_many_resumed_cells_share_a_line():
    names = [f"model-{number}" for number in range(31)]
    (line,) = shown(planned(names))
    assert line == "resume: 31 cells, model-0, model-1, … (31) on t@d: 1 of 2 spans stored"
    varied = [cell for number, name in enumerate(names) for cell in planned([name], number)]
    first, second = shown(varied)
    assert first == "resume: 31 cells, model-0, model-1, … (31) on t@d: some spans stored"
    assert "--dry-run --json" in second


def test_counts_of_a_pass_agree_with_its_rate(monkeypatch):
    """Forwards are counted where forwards are timed: never `0 images` beside a rate."""
    clock = iter(np.arange(0.0, 1000.0, 11.0))
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    text = io.StringIO()
    with RunProgress(Console(file=text, width=120)) as progress:
        progress.begin("shapes", 320, 1000)
        progress.advance(0, 220)
        progress.advance(320, 780)
    first, last = text.getvalue().splitlines()
    assert first.startswith("shapes, 320 images: 220/1,000 forwards: 22%, 20 forwards/s, ETA ")
    assert last.startswith("shapes, 320 images: 1,000/1,000 forwards: 100%")
