"""How a plan is printed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from harness.estimate import Estimate
    from harness.planner import MissingTask, Plan, PlannedCell, PlannedTask

FEW: Final = 4
"""Up to so many names are written out, and up to so many different reasons stand whole."""
LINES: Final = 8
"""Most lines of reasons for one status; the JSON holds every one."""


def plan_data(plan: Plan, estimate: Estimate) -> dict[str, Any]:
    """The plan as one JSON-ready object: every cell, and the estimate of all that is left to do."""
    return {
        "settings": asdict(plan.settings),
        "passes": [
            {
                "dataset": one.dataset.name,
                "models": list(one.models),
                "tasks": [task.name for task in one.tasks],
                "images": one.images,
                "forwards": one.forwards,
            }
            for one in plan.passes
        ],
        "cells": [
            {
                "task": cell.task,
                "model": cell.model,
                "status": cell.status,
                "reason": cell.reason,
                "key": cell.job.key if cell.job else None,
                "pending": sum(high - low for low, high in cell.pending),
            }
            for cell in plan.cells
        ],
        "forwards": plan.forwards,
        "stored_bytes": plan.stored_bytes,
        "remarks": plan.remarks,
        "estimate": asdict(estimate),
    }


def print_plan(plan: Plan, estimate: Estimate, console: Console) -> None:
    """A table of tasks, the reasons of cells that are not simply run, and the totals; fits 80 columns.

    Args:
        estimate: of all that is left to do, with what is missing.
    """
    console.print(_tasks(plan, estimate))
    for line in reason_lines(plan.cells):
        console.print(line, soft_wrap=True)
    for remark in plan.remarks:
        console.print(f"note: {remark}", soft_wrap=True)
    images = sum(one.images for one in plan.passes)
    console.print(
        f"{passes(len(plan.passes))}, {images:,} images decoded, {plan.forwards:,} forwards, "
        f"{size(plan.stored_bytes)} to store"
    )
    if any(cell.status == "missing" for cell in plan.cells):
        console.print(f"with what is missing: {work(estimate)}")
    for line in estimate_lines(estimate):
        console.print(line)


def _tasks(plan: Plan, estimate: Estimate) -> Table:
    from rich.table import Table

    table = Table(title="Plan", title_justify="left", box=None, pad_edge=False)
    table.add_column("task")
    table.add_column("images × conditions", justify="right", min_width=10)
    table.add_column("GPU-hours", justify="right", min_width=5)
    table.add_column("cells")
    cost = {one.name: one.gpu_hours for one in estimate.tasks}
    tasks: list[PlannedTask | MissingTask] = [*plan.tasks, *plan.missing]
    for task in tasks:
        statuses = Counter(cell.status for cell in plan.cells if cell.task == task.name)
        table.add_row(
            task.name,
            f"{task.images:,} × {len(task.conditions)}" if task.images else f"? × {len(task.conditions)}",
            hours(cost.get(task.name, 0)),
            ", ".join(f"{count} {status}" for status, count in statuses.items()),
        )
    return table


# --- reasons ---------------------------------------------------------------------------------


def reason_lines(cells: Sequence[PlannedCell]) -> Iterator[str]:
    """Why cells are not simply run: one line for each distinct reason, and few lines in all."""
    statuses = dict.fromkeys(cell.status for cell in cells if cell.reason)
    for status in statuses:
        groups: dict[str, list[PlannedCell]] = {}
        for cell in cells:
            if cell.status == status and cell.reason:
                groups.setdefault(cell.reason, []).append(cell)
        if merged := len(groups) > FEW:
            groups = _merged(groups)
        for reason, alike in list(groups.items())[:LINES]:
            yield f"{status}: {_whose(alike)}: {reason}"
        if len(groups) > LINES:
            rest = sum(map(len, list(groups.values())[LINES:]))
            yield f"{status}: {rest} more cells for {len(groups) - LINES} other reasons"
        if merged:
            doctor = "; what to get: harness doctor --suite NAME" if status == "missing" else ""
            yield f"  each {status} cell with its reason in full: --dry-run --json{doctor}"


def _merged(groups: dict[str, list[PlannedCell]]) -> dict[str, list[PlannedCell]]:
    """Reasons that differ only in the model or dataset that they name become one, without the advice at their end."""
    merged: dict[str, list[PlannedCell]] = {}
    for reason, cells in groups.items():
        merged.setdefault(_without_names(reason, cells), []).extend(cells)
    return merged


def _without_names(reason: str, cells: Sequence[PlannedCell]) -> str:
    return without_names(reason, {name for cell in cells for name in (cell.model, cell.task.rpartition("@")[2])})


def without_names(reason: str, names: Iterable[str]) -> str:
    """The first sentence of `reason`, with ``…`` in place of each of `names`."""
    first = re.split(r"\. (?=[A-Z])", reason)[0]
    for name in sorted(names, key=len, reverse=True):
        first = re.sub(rf"(?<![\w.-])'?{re.escape(name)}'?(?![\w-])", "…", first)
    return first


def _whose(cells: Sequence[PlannedCell]) -> str:
    """``resnet50 on accuracy@imagenet``, or how many cells of which models and tasks."""
    models, tasks = dict.fromkeys(cell.model for cell in cells), dict.fromkeys(cell.task for cell in cells)
    where = f"{named(models)} on {named(tasks)}"
    return where if len(cells) == 1 else f"{len(cells)} cells, {where}"


def named(names: Iterable[str]) -> str:
    """The names, or the first of them and their number."""
    given = list(names)
    return ", ".join(given) if len(given) <= FEW else f"{', '.join(given[: FEW - 2])}, … ({len(given)})"


def listed(state: str, reasons: Sequence[tuple[str, str]]) -> Iterator[str]:
    """``state: name: reason``, one line for each reason, those that differ only in the name as one."""
    groups: dict[str, list[str]] = {}
    for name, reason in reasons:
        groups.setdefault(reason, []).append(name)
    if len(groups) > FEW:
        merged: dict[str, list[str]] = {}
        for reason, names in groups.items():
            merged.setdefault(without_names(reason, names), []).extend(names)
        alike = {reason: names for reason, names in merged.items() if len(names) > 1}
        single = {reason: names for reason, names in groups.items() if not set(names) & set().union(*alike.values())}
        groups = {**alike, **single}
    for reason, names in groups.items():
        yield f"{state}: {named(names)}: {reason}"


# --- numbers ---------------------------------------------------------------------------------


def work(estimate: Estimate) -> str:
    """``10 passes, 7.4 million images decoded, 770.3 million forwards``."""
    return f"{passes(estimate.passes)}, {count(estimate.images)} images decoded, {count(estimate.forwards)} forwards"


def estimate_lines(estimate: Estimate) -> Iterator[str]:
    """What an estimate comes to, and to what it refers, in lines of less than 80 characters."""
    yield f"estimate: {hours(estimate.gpu_hours)} GPU-hours ({estimate.reference}, {estimate.precision}),"
    yield f"  {hours(estimate.decode_core_hours)} CPU core-hours to decode, {size(estimate.stored_bytes)} to store"
    if estimate.unknown:
        yield f"not in it, for their number of images is not known: {', '.join(estimate.unknown)}"


def passes(number: int) -> str:
    """``1 pass``, ``10 passes``."""
    return f"{number} pass{'' if number == 1 else 'es'}"


def size(number: int) -> str:
    """Bytes in decimal units: ``1.3 GB``."""
    from rich.filesize import decimal

    return decimal(number)


def count(number: int) -> str:
    """A count, from a million on in millions: ``46,837``, ``475.1 million``."""
    return f"{number:,}" if number < 1_000_000 else f"{number / 1e6:,.1f} million"


def hours(number: float) -> str:
    """Hours with the digits that an estimate deserves: ``0``, ``< 0.01``, ``0.25``, ``3.1``, ``1,204``."""
    if number == 0:
        return "0"
    if number < 0.01:
        return "< 0.01"
    return f"{number:.2f}" if number < 1 else f"{number:.1f}" if number < 100 else f"{number:,.0f}"
