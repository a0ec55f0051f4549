"""The order of a run: select → choose a device → settle → refuse → resolve → load the networks → create → execute.

Only this module defines it. Nothing is written to disk before all networks have loaded.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from harness.errors import MachineError, RequestError, RunError, StoreError
from harness.local.folder import same_folder
from harness.local.machine import machine_errors
from harness.local.writing import SAFE
from harness.records import Progress
from harness.workflows.completeness import lost_cells, observed, refuse_empty, repeatable, usable
from harness.workflows.describing import describe
from harness.workflows.display import Display, display_of
from harness.workflows.run_result import RunResult

if TYPE_CHECKING:
    import torch

    from harness.engine.networks import LoadedNetworks
    from harness.planning.plan import Plan
    from harness.planning.request import RunRequest, Selection
    from harness.store import RunReader, RunWriter, StoredCell
    from harness.workflows.options import House


class RunInterrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM ended a run; finished spans are stored, and the same call resumes."""


def plan_run(
    request: RunRequest, selection: Selection, out: Path, device_type: str | None, display: Display | None = None
) -> Plan:
    """Settle, refuse, resolve: the plan of what the run folder `out` still needs. Without torch; writes nothing.

    Args:
        device_type: ``cpu`` or ``cuda``; None: as stored in the run, else ``cpu``.

    Raises:
        RequestError: `out` does not fit the request or is locked, a dataset or checkpoint named in it is missing, ….
    """
    from harness.planning.code import CodeInUse
    from harness.planning.contents import refuse_changed_files
    from harness.planning.request import existing_run, resolve, settle
    from harness.store import refuse_locked, refuse_unfit

    existing = existing_run(out)
    stored = existing.settings if existing else None
    settings = settle(replace(request, device_type=device_type), stored, selection.size)
    refuse_unfit(out, asdict(settings))
    refuse_locked(out)
    same = existing.record.same_numbers if existing else frozenset[tuple[str, str]]()
    code = CodeInUse(makers=selection.makers, same=same, accept=request.same_numbers)
    cells = _sound_cells(existing) if existing else {}
    with (display or display_of(None)).digesting() as watch:
        plan = resolve(selection, settings, request.data, cells, watch, code)
    refuse_changed_files(plan, existing.record.contents if existing else {}, out)
    return plan


def _sound_cells(run: RunReader) -> dict[tuple[str, str], StoredCell]:
    """The stored cells. Raises RunError if one is damaged: nothing is computed on top of it."""
    try:
        return run.checked_cells()
    except StoreError as error:
        raise RunError(str(error)) from error


@machine_errors(RequestError, "Nothing is written yet")
def execute_run(
    request: RunRequest,
    house: House,
    out: Path,
    *,
    device: str,
    workers: int | None,
    display: Display,
    command: Sequence[str],
) -> RunResult:
    """Select, plan, load, create and execute; without torch where nothing is pending.

    Raises RequestError before anything is written, RunInterrupted.
    """
    from harness.planning.code import refuse_other_code
    from harness.planning.request import select
    from harness.planning.weight_files import record_checkpoints
    from harness.store import RunReader, RunWriter
    from harness.study.expectations import unexpected

    with same_folder("the run was planned"):
        selection = select(request, house.registry)
        device = stored_device(device, out)
        plan = plan_run(request, selection, out, "cpu" if device == "cpu" else pick_device(device).type, display)
    refuse_other_code(plan)
    display.planned(plan)
    refuse_empty(plan, request.suite)
    torch_device = pick_device(device) if plan.passes else None
    plan, loaded = load(plan, selection, display) if torch_device else (plan, None)
    remarks = loaded.remarks if loaded else {}
    record_checkpoints(plan, selection)
    with (
        _stop_on_signal() as stop,
        RunWriter.create(out, settings=asdict(plan.settings), command=command) as opened,
        machine_errors(MachineError, SAFE, out),
    ):
        try:
            with display.computing() as progress:
                failures = compute(
                    opened,
                    plan,
                    selection,
                    loaded,
                    device=torch_device,
                    workers=workers,
                    progress=progress,
                    command=command,
                    stop=stop,
                )
        except KeyboardInterrupt:
            raise RunInterrupted(f"finished spans are stored in {out}; the same call resumes") from None
    with machine_errors(MachineError, SAFE, out):
        failures = {**failures, **lost_cells(out, plan, failures)}
        notes = [f"{name}: {remark}" for name, of_network in remarks.items() for remark in of_network]
        if any(spec.expected for spec in selection.models):
            notes += unexpected(RunReader.open(out), house.plugins.probes, selection.known_datasets)
    return RunResult(path=out, plan=plan, failures=failures, plugins=house.plugins, notes=tuple(notes))


def load(plan: Plan, selection: Selection, display: Display) -> tuple[Plan, LoadedNetworks]:
    """Load and check the networks of a plan, try its probes, and set those aside that cannot be used."""
    from harness.engine.networks import load_first
    from harness.engine.repeatable import unrepeatable
    from harness.planning.tensors import with_tensors

    with display.checking():
        loaded = load_first(plan, {spec.name: spec for spec in selection.models}, selection.sources)
        plan = usable(plan, loaded.refused)
        plan = observed(plan, loaded.taps)
        return with_tensors(repeatable(plan, unrepeatable(plan)), selection), loaded


def compute(
    opened: RunWriter,
    plan: Plan,
    selection: Selection,
    loaded: LoadedNetworks | None,
    *,
    device: torch.device | None,
    progress: Progress,
    command: Sequence[str],
    workers: int | None = None,
    stop: threading.Event | None = None,
) -> dict[tuple[str, str], str]:
    """Describe the run in its folder, then compute every pending cell. As `harness.engine.execute.execute`.

    Args:
        loaded: the networks that are already loaded; this function takes ownership.
        loaded, device: None: nothing is pending.
    """
    for remark in describe(opened, plan, selection, loaded.remarks if loaded else {}):
        progress.warn(remark)
    if device is None or loaded is None:
        return {}
    from harness.engine.execute import execute
    from harness.engine.numerics import device_facts
    from harness.engine.resources import Engine
    from harness.local.provenance import provenance

    engine = Engine(
        run=opened,
        specs={spec.name: spec for spec in selection.models},
        sources=selection.sources,
        device=device,
        workers=workers or min(8, os.cpu_count() or 1),
        progress=progress,
        provenance=provenance(command, **device_facts(device)),
        networks=loaded.kept,
        stop=stop or threading.Event(),
        steadiness=loaded.steadiness,
    )
    return execute(plan, engine)


def stored_device(requested: str, out: Path) -> str:
    """`requested`, or in place of ``auto`` the type of device of the run at `out`, if there is one."""
    from harness.planning.request import existing_run

    existing = existing_run(out) if requested.partition(":")[0] == "auto" else None
    return (existing.settings.get("device_type") if existing else None) or requested


def pick_device(requested: str) -> torch.device:
    """The device to run on. Raises RequestError if this machine does not have it."""
    import torch

    device_type = requested.partition(":")[0]
    if device_type == "auto":
        device_type = requested = "cuda" if torch.cuda.is_available() else "cpu"
    if device_type == "cuda" and not torch.cuda.is_available():
        raise RequestError(
            f"--device {requested}: no CUDA device here", remedy="--device cpu (in a separate run folder)"
        )
    try:
        device = torch.device(requested)
    except RuntimeError as error:
        raise RequestError(f"--device {requested}: {error}") from error
    if device.index is not None and device.index >= torch.cuda.device_count():
        raise RequestError(f"--device {requested}: there are {torch.cuda.device_count()} CUDA devices, counted from 0")
    return device


@contextmanager
def _stop_on_signal() -> Iterator[threading.Event]:
    """Ctrl-C and SIGTERM (a scheduler's pre-emption) set the event; a second one interrupts at once.

    Python's KeyboardInterrupt can be raised between any two instructions, and a finalizer swallows it. Signals reach
    the main thread only: in another thread the event is never set, and its creator must end it.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

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
