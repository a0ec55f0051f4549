"""Whether there is something to compute, and whether it is stored at the end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import CheckpointError, PluginError, RequestError, RunError, StoreError
from harness.records import Reason

if TYPE_CHECKING:
    from harness.engine.observing import Tap
    from harness.planning.plan import Plan


def refuse_empty(plan: Plan, suite: str | None) -> None:
    """Raises RequestError, with each reason once, if no cell of the plan can be computed."""
    if any(cell.job is not None for cell in plan.cells):
        return
    absent = [cell for cell in plan.cells if cell.status == "missing"]
    if not absent:
        raise RequestError(f"nothing can run: {plan.cells[0].reason}. See: harness info {plan.cells[0].model}")
    causes = "; ".join(dict.fromkeys(cell.reason for cell in absent))
    see = f"harness doctor --suite {suite}" if suite else "harness list datasets" if plan.missing else ""
    raise RequestError(f"nothing can run: {causes}" + (f". See: {see}" if see else ""))


def usable(plan: Plan, refused: Mapping[str, RequestError]) -> Plan:
    """`plan` without the models that cannot be loaded.

    Raises:
        RequestError: no other is left to compute; the message names all of them.
    """
    pending = {name for planned in plan.passes for name in planned.models}
    if refused and pending <= refused.keys():
        errors = list(refused.values())
        raise (
            errors[0] if len(errors) == 1 else CheckpointError(f"no model can be loaded: {'; '.join(map(str, errors))}")
        )
    cells = [(cell.task, cell.model) for cell in plan.cells if cell.model in refused]
    return plan.set_aside({(task, name): Reason.of_error("task", task, refused[name]) for task, name in cells})


def repeatable(plan: Plan, reasons: Mapping[str, str]) -> Plan:
    """`plan` without the tasks whose probes cannot be used.

    Args:
        reasons: task -> why.

    Raises:
        PluginError: no other is left to compute; the message names all of them.
    """
    pending = {task.name for planned in plan.passes for task in planned.tasks}
    if reasons and pending <= reasons.keys():
        raise PluginError("; ".join(dict.fromkeys(reasons.values())))
    cells = [(cell.task, cell.model) for cell in plan.cells if cell.task in reasons]
    return plan.set_aside(
        {(task, model): Reason(kind="task", subject=task, text=reasons[task]) for task, model in cells}
    )


def observed(plan: Plan, taps: Mapping[tuple[str, str], Tap | RequestError]) -> Plan:
    """`plan` with the layers that its probes see, and without the cells whose networks do not have them.

    Raises:
        RequestError: no network has the layers of a task; the message of the first.
    """
    refused = {place: error for place, error in taps.items() if isinstance(error, RequestError)}
    for task in dict.fromkeys(task for task, _ in refused):
        errors = [refused.get(place) for place in taps if place[0] == task]
        if all(errors) and (first := errors[0]):
            raise first
    names = {place: tap.names for place, tap in taps.items() if not isinstance(tap, RequestError)}
    seen = plan.with_layers(names) if names else plan
    return seen.set_aside({place: Reason.of_error("task", place[0], error) for place, error in refused.items()})


def lost_cells(out: Path, plan: Plan, failures: Mapping[tuple[str, str], str]) -> dict[tuple[str, str], str]:
    """Cells that this run computed, or found complete, and that are not whole in the run folder at its end -> why.

    A run that computed nothing ran no plugin that could have taken something away.

    Raises:
        StoreError: the folder is no run any more, or a file in it is damaged.
    """
    from harness.store import RunReader

    try:
        reader = RunReader.open(out)
    except RunError as error:
        raise StoreError(f"the run folder was changed while the run went on: {error}") from error
    lost = {}
    layouts = {task.name: task.layout for task in plan.tasks}
    for cell in plan.cells:
        place = (cell.task, cell.model)
        if cell.job is None or not plan.passes or place in failures:
            continue
        stored = reader.cell(*place)
        if stored is None or stored.job.key != cell.job.key or not stored.complete(layouts[cell.task]):
            lost[place] = "its trials are not whole in the run folder, which was changed meanwhile; run it again"
    return lost
