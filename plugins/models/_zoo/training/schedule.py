"""Networks side by side, one process and one thread each: what one does or suffers changes no bit of another."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from harness import HarnessError

from .progress import TrainingProgress
from .recipe import Recipe
from .storage import Place, origin

_PATIENCE = 0.5
"""Seconds between two looks at the clock of the progress."""


@dataclass(frozen=True, slots=True)
class _Worker:
    name: str
    process: BaseProcess
    told: Connection


def train_each(left: Mapping[str, Recipe], folder: Path, cache: Path, device: str, workers: int) -> dict[str, str]:
    """Train and save all of `left`, each as soon as the network that it begins with is there.

    A network that fails does not stop the others. However this ends, no process is left, and no file half-written.

    Returns:
        Name -> reason in one line, of each network that failed.
    """
    waiting, failed = dict(left), dict[str, str]()
    running: dict[Connection, _Worker] = {}
    with TrainingProgress(left) as progress:
        try:
            while waiting or running:
                _give_up(waiting, failed, progress)
                busy = {*waiting, *(worker.name for worker in running.values())}
                ready = [name for name, recipe in waiting.items() if recipe.start not in busy]
                for name in ready[: workers - len(running)]:
                    worker = _started(name, waiting.pop(name), folder, cache, device)
                    running[worker.told] = worker
                    progress.begin(name)
                for told in wait(list(running), timeout=_PATIENCE):
                    assert isinstance(told, Connection)
                    if not _heard(running[told], progress, failed):
                        _dismissed(running.pop(told))
                progress.tick()
        finally:
            for worker in running.values():
                worker.process.terminate()
                _dismissed(worker)
    return failed


def _give_up(waiting: dict[str, Recipe], failed: dict[str, str], progress: TrainingProgress) -> None:
    """Moves what begins with a failed network to `failed`."""
    for name, recipe in list(waiting.items()):
        if recipe.start in failed:
            failed[name] = f"it begins with {recipe.start}, which failed"
            del waiting[name]
            progress.fail(name, failed[name])


def _started(name: str, recipe: Recipe, folder: Path, cache: Path, device: str) -> _Worker:
    # Not forked: torch's threads and CUDA do not survive that.
    context = multiprocessing.get_context("spawn")
    told, telling = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(name, recipe, folder, cache, device, telling), daemon=True)
    process.start()
    telling.close()  # the process has its own; when that closes, the end is seen here
    return _Worker(name, process, told)


def _heard(worker: _Worker, progress: TrainingProgress, failed: dict[str, str]) -> bool:
    """Takes one message; whether more may come."""
    try:
        kind, value = worker.told.recv()
    except EOFError:
        worker.process.join()
        failed[worker.name] = _last_words(worker.process.exitcode)
        progress.fail(worker.name, failed[worker.name])
        return False
    if kind == "epochs":
        progress.advance(worker.name, value)
    elif kind == "trained":
        progress.end(worker.name, *value)
    else:
        failed[worker.name] = value
        progress.fail(worker.name, value)
    return bool(kind == "epochs")


def _last_words(code: int | None) -> str:
    if code is not None and code < 0:
        return f"its process was ended by {signal.Signals(-code).name}; was memory short? Fewer at a time: --jobs 1"
    return f"its process ended with exit code {code}; its last words stand above"


def _dismissed(worker: _Worker) -> None:
    worker.process.join()
    worker.told.close()


def _work(name: str, recipe: Recipe, folder: Path, cache: Path, device: str, telling: Connection) -> None:
    """What one process does. It stops at the end of the epoch if nobody listens any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all processes; the first one ends the others
    begun = time.monotonic()
    try:
        log = _train_one(name, recipe, folder, cache, device, telling)
        _tell(telling, "trained", (time.monotonic() - begun, log[-1]["accuracy"] if log else None))
    except (HarnessError, ArithmeticError, OSError, MemoryError) as error:
        _tell(telling, "failed", " ".join(str(error).split()) or type(error).__name__)


def _train_one(
    name: str, recipe: Recipe, folder: Path, cache: Path, device: str, telling: Connection
) -> list[dict[str, Any]]:
    """Train and save one network; its log."""
    import torch

    from .pictures import digest
    from .trainer import seed_of, train

    begin = origin(recipe.start, folder) if recipe.start else None
    network, log = train(
        name,
        recipe,
        cache,
        torch.device(device),
        begin.load() if begin else None,
        lambda done, _: _tell(telling, "epochs", done),
    )
    facts = {"seed": seed_of(name, recipe), "threads": torch.get_num_threads(), "device": device, "images": digest()}
    if begin:
        facts["start_sha256"] = begin.digest()
    Place(folder, name).save(network, recipe, log, facts)
    return log


def _tell(telling: Connection, kind: str, value: object) -> None:
    try:
        telling.send((kind, value))
    except BrokenPipeError as error:  # whoever started this is gone, and the same command may run again
        raise SystemExit(1) from error
