"""Training of networks in parallel, one process and one thread each: no network affects the bits of another."""

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
"""Seconds between two updates of the progress."""


@dataclass(frozen=True, slots=True)
class _Worker:
    name: str
    process: BaseProcess
    receiver: Connection


def train_each(pending: Mapping[str, Recipe], folder: Path, cache: Path, device: str, workers: int) -> dict[str, str]:
    """Train and save all of `pending`, each as soon as the network from which it starts is trained.

    A network that fails does not stop the others. No process and no partial file is left behind.

    Returns:
        Name -> reason in one line, for each network that failed.
    """
    waiting, failed = dict(pending), dict[str, str]()
    running: dict[Connection, _Worker] = {}
    with TrainingProgress(pending) as progress:
        try:
            while waiting or running:
                _fail_dependents(waiting, failed, progress)
                busy = {*waiting, *(worker.name for worker in running.values())}
                ready = [name for name, recipe in waiting.items() if recipe.start not in busy]
                for name in ready[: workers - len(running)]:
                    worker = _started(name, waiting.pop(name), folder, cache, device)
                    running[worker.receiver] = worker
                    progress.begin(name)
                for connection in wait(list(running), timeout=_PATIENCE):
                    assert isinstance(connection, Connection)
                    if not _received(running[connection], progress, failed):
                        _joined(running.pop(connection))
                progress.tick()
        finally:
            for worker in running.values():
                worker.process.terminate()
                _joined(worker)
    return failed


def _fail_dependents(waiting: dict[str, Recipe], failed: dict[str, str], progress: TrainingProgress) -> None:
    """Move networks that start from a failed network to `failed`."""
    for name, recipe in list(waiting.items()):
        if recipe.start in failed:
            failed[name] = f"it starts from {recipe.start}, which failed"
            del waiting[name]
            progress.fail(name, failed[name])


def _started(name: str, recipe: Recipe, folder: Path, cache: Path, device: str) -> _Worker:
    # Spawned, not forked: torch's threads and CUDA do not survive a fork.
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(name, recipe, folder, cache, device, sender), daemon=True)
    process.start()
    sender.close()  # the process has its own copy; when that closes, `recv` raises EOFError here
    return _Worker(name, process, receiver)


def _received(worker: _Worker, progress: TrainingProgress, failed: dict[str, str]) -> bool:
    """Handle one message; whether more may come."""
    try:
        kind, value = worker.receiver.recv()
    except EOFError:
        worker.process.join()
        failed[worker.name] = _exit_reason(worker.process.exitcode)
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


def _exit_reason(code: int | None) -> str:
    if code is not None and code < 0:
        return f"its process was ended by {signal.Signals(-code).name}; out of memory? Train fewer at a time: --jobs 1"
    return f"its process ended with exit code {code}; its last output is above"


def _joined(worker: _Worker) -> None:
    worker.process.join()
    worker.receiver.close()


def _work(name: str, recipe: Recipe, folder: Path, cache: Path, device: str, sender: Connection) -> None:
    """Train one network in its process, which stops at the end of an epoch if the parent has gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all processes; the parent ends the others
    begun = time.monotonic()
    try:
        log = _train_one(name, recipe, folder, cache, device, sender)
        _send(sender, "trained", (time.monotonic() - begun, log[-1]["accuracy"] if log else None))
    except (HarnessError, ArithmeticError, OSError, MemoryError) as error:
        _send(sender, "failed", " ".join(str(error).split()) or type(error).__name__)


def _train_one(
    name: str, recipe: Recipe, folder: Path, cache: Path, device: str, sender: Connection
) -> list[dict[str, Any]]:
    """Train and save one network; return its log."""
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
        lambda done, _: _send(sender, "epochs", done),
    )
    facts = {"seed": seed_of(name, recipe), "threads": torch.get_num_threads(), "device": device, "images": digest()}
    if begin:
        facts["start_sha256"] = begin.digest()
    Place(folder, name).save(network, recipe, log, facts)
    return log


def _send(sender: Connection, kind: str, value: object) -> None:
    try:
        sender.send((kind, value))
    except BrokenPipeError as error:  # the parent has gone, and the same command may run again
        raise SystemExit(1) from error
