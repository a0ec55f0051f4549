"""``harness run``."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import (
    Data,
    PluginFolders,
    Registries,
    choice,
    open_house,
    positive,
    print_json,
    stderr_console,
    stdout_console,
)
from harness.errors import RequestError

if TYPE_CHECKING:
    import torch

    from harness.planning.plan import Plan
    from harness.planning.request import RunRequest, Selection
    from harness.store import RunWriter

OPTION = typer.Option


def run(
    out: Annotated[Path, OPTION("--out", metavar="RUN", help="Run folder; an existing run is resumed or extended.")],
    suite: Annotated[str | None, OPTION("--suite", metavar="NAME", help="Models, tasks and axes by name.")] = None,
    task: Annotated[list[str] | None, OPTION("--task", metavar="probe@dataset …", help="Tasks to run.")] = None,
    models: Annotated[list[str] | None, OPTION("--models", metavar="PATTERN …", help="Models to run.")] = None,
    device: Annotated[str, OPTION("--device", metavar="auto|cpu|cuda[:i]")] = "auto",
    precision: Annotated[str | None, OPTION("--precision", metavar="fp32|tf32|bf16", help="Default fp32.")] = None,
    batch_size: Annotated[str, OPTION("--batch-size", metavar="N|auto", help="Samples a forward.")] = "auto",
    workers: Annotated[int | None, OPTION("--workers", metavar="N", help="Decoding threads.")] = None,
    seed: Annotated[int | None, OPTION("--seed", metavar="N", help="Of the stimuli. Default 0.")] = None,
    limit: Annotated[
        int | None, OPTION("--limit", metavar="N", help="Only the N samples with the lowest hash of their id.")
    ] = None,
    store: Annotated[str | None, OPTION("--store", metavar="top5|logits", help="Default top5.")] = None,
    dry_run: Annotated[bool, OPTION("--dry-run", help="Print the plan and stop.")] = False,
    json_plan: Annotated[bool, OPTION("--json", help="With --dry-run: the plan as JSON.")] = False,
    data: Data = None,
    registry: Registries = None,
    plugins: PluginFolders = None,
) -> None:
    """Run probes on models and store every decision. The same command resumes."""
    from harness.data.roots import DataRoots
    from harness.planning.request import RunRequest, select

    choice("device", device.partition(":")[0], ("auto", "cpu", "cuda"))
    if precision is not None:
        choice("precision", precision, ("fp32", "tf32", "bf16"))
    if store is not None:
        choice("store", store, ("top5", "logits"))
    request = RunRequest(
        suite=suite,
        tasks=tuple(task or ()),
        models=tuple(models or ()),
        data=DataRoots.parse(data or ()),
        seed=seed,
        limit=positive("limit", limit),
        precision=precision,
        batch_size=_batch_size(batch_size),
        store=store,
    )
    positive("workers", workers)
    house = open_house(registry, plugins)
    selection = select(request, house.registry)
    if dry_run:
        _dry_run(request, selection, out, device, json_plan)
    else:
        _execute(request, selection, out, device, workers)


def _batch_size(given: str) -> int | None:
    if given == "auto":
        return None
    if not given.isdigit():
        raise RequestError(f"--batch-size is {given!r}, expected a positive number or auto")
    return positive("batch-size", int(given))


def _dry_run(request: RunRequest, selection: Selection, out: Path, device: str, as_json: bool) -> None:
    """Plan without torch: with ``--device auto`` and no run yet, as for the CPU."""
    from harness.cli.plan import plan_data, print_plan
    from harness.planning.estimate import estimate, shapes_of

    plan = _plan(request, selection, out, None if device == "auto" else device.partition(":")[0])
    cost = estimate(shapes_of(plan), len(selection.models), plan.settings.precision, plan.settings.store)
    if as_json:
        print_json(plan_data(plan, cost))
    else:
        print_plan(plan, cost, stdout_console())


def _plan(request: RunRequest, selection: Selection, out: Path, device_type: str | None) -> Plan:
    from dataclasses import replace

    from harness.cli.progress import digesting
    from harness.planning.request import existing_run, resolve, settle
    from harness.store.run_record import refuse_locked, refuse_unfit

    existing = existing_run(out)
    stored = existing.settings if existing else None
    settings = settle(replace(request, device_type=device_type), stored, selection.size)
    refuse_unfit(out, asdict(settings))
    refuse_locked(out)
    with digesting(stderr_console()) as watch:
        return resolve(selection, settings, request.data, existing.cells() if existing else {}, watch)


def _execute(request: RunRequest, selection: Selection, out: Path, device: str, workers: int | None) -> None:
    import os

    from harness.cli.progress import RunProgress
    from harness.engine.execute import execute
    from harness.engine.networks import load_first
    from harness.engine.numerics import device_name
    from harness.engine.resources import Engine
    from harness.local.provenance import command_line, provenance
    from harness.planning.request import record_checkpoints
    from harness.store import RunWriter

    chosen = pick_device(device, out)
    plan = _plan(request, selection, out, chosen.type)
    console = stderr_console()
    for cell in plan.cells:
        if cell.status in ("rerun", "retry", "resume"):
            console.print(f"{cell.status}: {cell.model} on {cell.task}: {cell.reason}", soft_wrap=True)
    if all(cell.status == "missing" for cell in plan.cells):
        what = f"harness doctor --suite {request.suite}" if request.suite else "harness list datasets"
        raise RequestError(f"nothing can run: {plan.cells[0].reason}. See: {what}")
    specs = {spec.name: spec for spec in selection.models}
    with console.status("checking checkpoints"):
        networks = load_first(plan, specs, selection.sources)
    record_checkpoints(plan, selection)
    command = command_line()
    with _polite_stop() as stop, RunWriter.create(out, settings=asdict(plan.settings), command=command) as opened:
        _describe(opened, plan, selection)
        with RunProgress(console) as progress:
            engine = Engine(
                run=opened,
                specs=specs,
                sources=selection.sources,
                device=chosen,
                workers=workers or min(8, os.cpu_count() or 1),
                progress=progress,
                provenance=provenance(command, device=device_name(chosen)),
                networks=networks,
                stop=stop,
            )
            try:
                failures = execute(plan, engine)
            except KeyboardInterrupt:
                console.print(f"interrupted; what was whole is stored. Resume with the same command: --out {out}")
                raise typer.Exit(130) from None
    _summary(plan, failures, out)


@contextmanager
def _polite_stop() -> Iterator[threading.Event]:
    """Ctrl-C and SIGTERM (a scheduler's pre-emption) set the event; a second one interrupts at once.

    Not Python's own KeyboardInterrupt: raised between any two instructions, it is swallowed inside a finalizer.
    """
    stop = threading.Event()

    def interrupt(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def pick_device(given: str, out: Path) -> torch.device:
    """The device to run on. Raises RequestError if it is not there."""
    import torch

    from harness.planning.request import existing_run

    kind = given.partition(":")[0]
    if kind == "auto":
        existing = existing_run(out)
        stored = existing.settings.get("device_type") if existing else None
        kind = given = stored or ("cuda" if torch.cuda.is_available() else "cpu")
    if kind == "cuda" and not torch.cuda.is_available():
        raise RequestError(f"--device {given}: no CUDA device here. Type: --device cpu (in a run folder of its own)")
    try:
        device = torch.device(given)
    except RuntimeError as error:
        raise RequestError(f"--device {given}: {error}") from error
    if device.index is not None and device.index >= torch.cuda.device_count():
        raise RequestError(f"--device {given}: there are {torch.cuda.device_count()} CUDA devices, counted from 0")
    return device


def _describe(opened: RunWriter, plan: Plan, selection: Selection) -> None:
    """What the run folder knows beside trials: groups, planned cells, definitions, remarks, sample axes."""
    planned: dict[str, dict[str, str]] = {}
    for cell in plan.cells:
        planned.setdefault(cell.task, {})[cell.model] = cell.reason if cell.job is None else ""
    suite = selection.suite
    opened.update_manifest(
        study={
            "biases": {name: list(parts) for name, parts in (suite.biases if suite else {}).items()},
            "axes": {name: list(parts) for name, parts in (suite.axes if suite else {}).items()},
        },
        models={spec.name: {"group": spec.group, "title": spec.title} for spec in selection.models},
        planned=planned,
        warnings={task.dataset.name: list(task.manifest.remarks) for task in plan.tasks},
    )
    for task in plan.tasks:
        opened.put_layout(task.layout)
    # What a killed run had completed is put in order, and the index is written anew, whatever became of the old one.
    opened.finish([cell.job for cell in plan.cells if cell.job and cell.status == "stored"])


def _summary(plan: Plan, failures: dict[tuple[str, str], str], out: Path) -> None:
    from harness.cli.plan import reason_lines

    console = stderr_console()
    for remark in plan.remarks:
        console.print(f"note: {remark}")
    stored = sum(cell.job is not None for cell in plan.cells) - len(failures)
    console.print(f"{stored} of {len(plan.cells)} cells stored in {out}", soft_wrap=True)
    for (task, model), reason in failures.items():
        console.print(f"failed: {model} on {task}: {reason}", soft_wrap=True)
    missing = [cell for cell in plan.cells if cell.status == "missing"]
    for line in reason_lines([*missing, *(cell for cell in plan.cells if cell.status == "inapplicable")]):
        console.print(line, soft_wrap=True)
    console.print(f"next: harness report {out}", soft_wrap=True)
    if failures or missing:
        raise typer.Exit(1)
