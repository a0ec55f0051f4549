"""Kill a process that writes a store, again and again, and look for every trial it had acknowledged.

    python -m tests.helpers.kill_store --kills 100

A process is killed with SIGKILL at a random moment, everything that it had acknowledged is compared with what must be
there (in the shards, and through the index with plain h5py), and another process goes on in the same folder. A run that
is complete is compared as a whole, and the next kill meets a new one.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import tempfile
import time
import traceback
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import h5py
import numpy as np

from harness.store import RunReader, verify_run
from tests.helpers.forks import fork
from tests.helpers.store_writer import CELLS, LAYOUT, TASK, assert_equal_trials, make_block, write_until_killed


@dataclass
class Tally:
    kills: int = 0
    complete_runs: int = 0
    checked: int = 0


def campaign(folder: Path, kills: int, seed: int) -> Tally:
    """Kill `kills` writers below `folder`. Raises AssertionError as soon as an acknowledged trial is not there."""
    moments, tally, number = random.Random(seed), Tally(), 0
    while tally.kills < kills:
        run, log = folder / f"run-{number}", folder / f"run-{number}.log"
        killed = _kill_one(run, log, moments.uniform(0, 0.6))
        tally.kills += killed
        tally.checked += _check(run, log)
        if not killed:
            _check_complete(run)
            tally.complete_runs, number = tally.complete_runs + 1, number + 1
    _kill_one(run, log, None)
    _check_complete(run)
    return tally


def _kill_one(run: Path, log: Path, delay: float | None) -> bool:
    """Start a writer and kill it `delay` seconds after it is ready; whether it was still at work. None: let it end."""
    ready = _acknowledged(log).count("ready")
    writer, status = _start(run, log), None
    if delay is not None:
        while _acknowledged(log).count("ready") == ready and status is None:
            time.sleep(0.002)
            status = _ended(writer)
        time.sleep(delay)
        if status is None:
            os.kill(writer, signal.SIGKILL)
    status = os.waitpid(writer, 0)[1] if status is None else status
    assert os.waitstatus_to_exitcode(status) in (0, -9), "the writer has failed; its traceback is above"
    return os.waitstatus_to_exitcode(status) == -9


def _start(run: Path, log: Path) -> int:
    """A writer in a process of its own, forked so that it need not import anything; gives its id."""
    writer = fork()
    if writer:
        return writer
    try:
        write_until_killed(run, log)
        os._exit(0)
    except BaseException:  # noqa: BLE001 - whatever it is, the child says it and ends
        traceback.print_exc()
    finally:
        os._exit(1)


def _ended(process: int) -> int | None:
    """How a process has ended; None while it works."""
    ended, status = os.waitpid(process, os.WNOHANG)
    return status if ended else None


def _acknowledged(log: Path) -> list[str]:
    """Whole lines of the log."""
    return log.read_text().split("\n")[:-1] if log.exists() else []


def _check(run: Path, log: Path) -> int:
    """Every acknowledged span is in the shards and in the index, and is right."""
    keys = {job.model: job.key for job in CELLS}
    spans = {tuple(line.split()) for line in _acknowledged(log)} - {("ready",)}
    for model, low, high in spans:
        span = int(low), int(high)
        expected = _expected(model, span)
        with h5py.File(run / "index.h5", "r", locking=False) as index:
            _compare(index[TASK][model], slice(*span), expected)
        folder = run / "shards" / TASK / model / keys[model][:16]
        whole = folder / "all.h5"
        path = whole if whole.exists() else folder / f"{span[0]:06d}-{span[1]:06d}.h5"
        with h5py.File(path, "r", locking=False) as shard:
            first = shard.attrs["low"]
            _compare(shard, slice(span[0] - first, span[1] - first), expected)
    return len(spans)


@cache
def _expected(model: str, span: tuple[int, int]):
    return make_block(LAYOUT, next(job for job in CELLS if job.model == model), span)


def _compare(group, rows, expected) -> None:
    decisions = {name: getattr(expected, name) for name in ("top5", "logp", "correct", "rank")}
    for name, values in {**decisions, **{f"arrays/{name}": array for name, array in expected.arrays.items()}}.items():
        assert np.array_equal(group[name][rows], values), f"{group.file.filename}: {name} of {rows}"


def _check_complete(path: Path) -> None:
    """The run equals one that was never interrupted."""
    run = RunReader.open(path)
    for job in CELLS:
        assert_equal_trials(run.read(TASK, job.model), LAYOUT, job)
    assert verify_run(run) == []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tally = campaign(Path(folder), asked.kills, asked.seed)
    print(f"{tally.kills} kills, {tally.complete_runs} complete runs, {tally.checked} spans checked: none lost")


if __name__ == "__main__":
    main()
