"""``harness.run``: the request, checked value by value, then executed by `execution`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import RequestError
from harness.records import Progress
from harness.workflows.display import display_of
from harness.workflows.execution import execute_run
from harness.workflows.options import Paths, choice, open_house, paths_of, positive, texts_of

if TYPE_CHECKING:
    from harness.planning.request import RunRequest
    from harness.workflows.run_result import RunResult


def run(
    *,
    out: str | os.PathLike[str],
    suite: str | None = None,
    tasks: str | Iterable[str] = (),
    models: str | Iterable[str] = (),
    data: Paths = (),
    registry: Paths = (),
    plugins: Paths = (),
    device: str = "auto",
    precision: str | None = None,
    batch_size: int | str = "auto",
    workers: int | None = None,
    seed: int | None = None,
    limit: int | None = None,
    store: str | None = None,
    same_numbers: bool = False,
    progress: Progress | bool | None = None,
) -> RunResult:
    """Run probes on models and store every decision, as ``harness run`` does. The same call resumes.

    Args:
        out: run folder, the only place that is written to; an existing run is resumed or extended. The SHA-256 of
            downloads that are used for the first time is recorded in the cache.
        suite: models, tasks and axes by name. Required unless both `tasks` and `models` are given.
        tasks: ``probe@dataset``, one or several. models: names or globs (``zoo-*``), one or several; they replace the
            suite's.
        data: ``ROOT`` that holds the datasets (else ``HARNESS_DATA``), or ``NAME=DIR`` for one dataset.
        registry: further registry files. plugins: further folders of plugin files.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:0``; auto is the stored run's device, else CUDA if available.
        precision: ``fp32``, ``tf32`` or ``bf16``. None here, and for `seed`, `limit` and `store`: as stored in the
            run, else the default (fp32, 0, all samples, top5).
        batch_size: most samples in one forward, or ``auto``. workers: decoding threads; default: one a core, at most 8.
        seed: of the stimuli. limit: number of samples, those with the lowest hashes of their ids.
        store: ``top5`` or ``logits``.
        same_numbers: go on although the code of a plugin has changed under the same version: it gives the same numbers.
        progress: None: no display. True: bars on stderr. Else an object with the methods of `harness.Progress`.

    Returns:
        What is stored, and the reason for each cell that is not. Failed cells raise nothing.

    Raises:
        RequestError: the request is wrong, as exit code 2 of the command line; nothing has been written.
        KeyboardInterrupt: Ctrl-C, in the main thread; finished spans are stored.
    """
    arguments: dict[str, Any] = {
        "suite": suite,
        "tasks": texts_of(tasks),
        "models": texts_of(models),
        "data": texts_of(data),
        "device": device,
        "precision": precision,
        "batch_size": batch_size,
        "workers": workers,
        "seed": seed,
        "limit": limit,
        "store": store,
        "same_numbers": same_numbers,
    }
    places = {"registry": texts_of(registry), "plugins": texts_of(plugins), "out": os.fspath(out)}
    request = run_request(**arguments)
    house = open_house(paths_of(places["registry"]), paths_of(places["plugins"]))
    (folder,) = paths_of(places["out"])
    return execute_run(
        request,
        house,
        folder,
        device=device,
        workers=workers,
        display=display_of(progress),
        command=_as_typed({**arguments, **places}),
    )


def _as_typed(arguments: Mapping[str, Any]) -> list[str]:
    """The call with its given arguments as a command that a user can type, for the record of the run."""
    given = {name: value for name, value in arguments.items() if value is not False and value not in (None, (), "auto")}
    keywords = [f"{name}={value!r}" for name, value in given.items()]
    return ["python", "-c", f"import harness; harness.run({', '.join(keywords)})"]


def run_request(
    *,
    suite: str | None,
    tasks: Sequence[str],
    models: Sequence[str],
    data: Sequence[str],
    device: str,
    precision: str | None,
    batch_size: int | str,
    workers: int | None,
    seed: int | None,
    limit: int | None,
    store: str | None,
    same_numbers: bool = False,
) -> RunRequest:
    """The request, with every check that needs no plugin. Raises RequestError."""
    from harness.data.roots import DataRoots
    from harness.planning.request import RunRequest

    choice("device", device.partition(":")[0], ("auto", "cpu", "cuda"))
    if precision is not None:
        choice("precision", precision, ("fp32", "tf32", "bf16"))
    if store is not None:
        choice("store", store, ("top5", "logits"))
    request = RunRequest(
        suite=suite,
        tasks=tuple(tasks),
        models=tuple(models),
        data=DataRoots.parse(data),
        seed=seed,
        limit=positive("limit", limit),
        precision=precision,
        batch_size=_batch_size(batch_size),
        store=store,
        same_numbers=same_numbers,
    )
    positive("workers", workers)
    return request


def _batch_size(value: int | str) -> int | None:
    """Samples in one forward; None for ``auto``."""
    if value == "auto":
        return None
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise RequestError(f"--batch-size is {value!r}, expected a positive number or auto")
    return positive("batch-size", int(text))
