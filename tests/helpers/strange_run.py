"""What every command does with a run folder from a stranger, in this process: harmless, or an error of one line."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from harness.errors import HarnessError
from harness.planning.request import RunRequest, settle
from harness.store import RunReader, RunWriter, export_run, left_out, refuse_locked, refuse_unfit, verify_run
from harness.workflows.run_folders import RunFolders
from harness.workflows.study import opened
from tests.helpers.store_writer import COMMAND

SECONDS, MEMORY = 5, 500_000_000
WAITED = 60
"""Seconds after which a body that computes nothing, and waits, has failed."""


class TooSlowError(BaseException):
    """It took longer than `SECONDS`."""


@contextmanager
def limited() -> Iterator[None]:
    """Fails where the body takes 5 seconds of processor time, or 500 MB; other programs may slow it down."""

    def stop(*_: object) -> None:
        raise TooSlowError

    clocks = {signal.ITIMER_PROF: (signal.SIGPROF, SECONDS), signal.ITIMER_REAL: (signal.SIGALRM, WAITED)}
    before = {number: signal.signal(number, stop) for number, _ in clocks.values()}
    for clock, (_, seconds) in clocks.items():
        signal.setitimer(clock, seconds)
    most = _most_memory()
    try:
        yield
        assert _most_memory() - most < MEMORY
    finally:
        for clock, (number, _) in clocks.items():
            signal.setitimer(clock, 0)
            signal.signal(number, before[number])


def _most_memory() -> int:
    """The most memory of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def report(run: Path, plugins) -> None:
    opened(RunFolders(paths=(run,)), plugins)


def compare(run: Path, plugins) -> None:
    from harness.workflows.compare import compare_runs

    compare_runs(run, str(run), plugins)


def verify(run: Path, plugins) -> list[str]:
    return verify_run(RunReader.open(run))


def export(run: Path, plugins) -> None:
    for suffix in (".csv", ".h5"):
        export_run(run, run.parent / f"out{suffix}", {})
        left_out(RunReader.open(run), run.parent / f"out{suffix}")


def read(run: Path, plugins) -> None:
    reader = RunReader.open(run)
    for task, model in reader.places():
        trials = reader.read(task, model)
        for name in trials.arrays:
            trials.array(name)


def resume(run: Path, plugins) -> None:
    """What `harness run` does with a folder before and after it computes."""
    if reader := RunReader.resumable(run):
        settings = asdict(settle(RunRequest(), reader.settings, 224))
        refuse_unfit(run, {name: value for name, value in settings.items() if name in reader.settings})
        refuse_locked(run)
        cells = reader.checked_cells()
        with RunWriter.create(run, settings=reader.settings, command=COMMAND) as writer:
            writer.update_manifest(models={}, planned={}, study={}, warnings={})
            for (task, _), cell in cells.items():
                writer.put_layout(writer.layout(task))
                writer.begin_all([cell.job], {})
                writer.finish([cell.job])


COMMANDS = (report, compare, verify, export, read, resume)


def tried(run: Path, plugins, commands=COMMANDS) -> dict[str, str]:
    """Command -> the line with which it ended, or "". Anything but an error of one line is raised.

    Nothing beside the run and its exports may change.
    """
    ends, around = {}, _state(run)
    for command in commands:
        with limited():
            try:
                ends[command.__name__] = "; ".join(command(run, plugins) or ())
            except HarnessError as error:
                ends[command.__name__] = str(error)
        assert "\n" not in ends[command.__name__]
        (run.parent / "out.csv").unlink(missing_ok=True)
        (run.parent / "out.h5").unlink(missing_ok=True)
    assert _state(run) == around, "something beside the run has changed"
    return ends


def _state(run: Path) -> dict[str, tuple[int, ...]]:
    """Size and time of the regular files beside the run folder."""
    files = [Path(folder, name) for folder, _, names in os.walk(run.parent) for name in names]
    return {
        str(file): (file.stat().st_size, file.stat().st_mtime_ns)
        for file in files
        if run not in file.parents and file.is_file() and not file.is_symlink()
    }
