"""A plan as text and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from harness.cli.words import FEW, estimate_lines, hours, named, passes, work
from harness.output.formats import show
from harness.planning.code import other_code
from harness.records import Table, TableCell

if TYPE_CHECKING:
    from rich.console import Console

    from harness.planning.estimate import Estimate
    from harness.planning.plan import MissingTask, Plan, PlannedCell, PlannedTask


WHOLE: Final = ("images × conditions", "GPU-hours")
"""Columns that are not wrapped."""
LINES: Final = 8
"""Most lines of reasons for one status; the JSON has all of them."""


def plan_data(plan: Plan, estimate: Estimate) -> dict[str, Any]:
    """The plan as one JSON-ready object: every cell, and the estimate of the remaining work."""
    return {
        "settings": asdict(plan.settings),
        "passes": [
            {
                "dataset": sweep.dataset.name,
                "models": list(sweep.models),
                "tasks": [task.name for task in sweep.tasks],
                "images": sweep.images,
                "forwards": sweep.forwards,
            }
            for sweep in plan.passes
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
        "stored_bytes": estimate.stored_bytes,
        "remarks": plan.remarks,
        "refusal": str(other_code(plan.changes)) if plan.changes else None,
        "estimate": asdict(estimate),
    }


def print_plan(plan: Plan, estimate: Estimate, console: Console) -> None:
    """A table of tasks, the reasons of cells that are not simply run, and the totals; fits 80 columns.

    Args:
        estimate: of the remaining work, missing tasks included.
    """
    show([_tasks(plan, estimate)], console, WHOLE)
    for line in reason_lines(plan.cells):
        console.print(line, soft_wrap=True)
    for remark in plan.remarks:
        console.print(f"note: {remark}", soft_wrap=True)
    images = sum(sweep.images for sweep in plan.passes)
    console.print(f"{passes(len(plan.passes))}, {images:,} images decoded, {plan.forwards:,} forwards")
    if any(cell.status == "missing" for cell in plan.cells):
        console.print(f"with what is missing: {work(estimate)}")
    for line in estimate_lines(estimate):
        console.print(line)
    if plan.changes:
        console.print(f"harness run stops here: {other_code(plan.changes)}", soft_wrap=True)


def _tasks(plan: Plan, estimate: Estimate) -> Table:
    rows = []
    cost = {task_cost.name: task_cost.gpu_hours for task_cost in estimate.tasks}
    tasks: list[PlannedTask | MissingTask] = [*plan.tasks, *plan.missing]
    for task in tasks:
        statuses = Counter(cell.status for cell in plan.cells if cell.task == task.name)
        of_task = ", ".join(f"{count} {status}" for status, count in statuses.items())
        rows.append(tuple(map(TableCell, (task.name, _factors(task), hours(cost.get(task.name, 0)), of_task))))
    return Table(title="Plan", columns=("task", "images × conditions", "GPU-hours", "cells"), rows=tuple(rows))


def _factors(task: PlannedTask | MissingTask) -> str:
    """``50,000 × 22``; with views too where there are several views and several conditions: ``64 × 75 × 22``."""
    views, columns = max(1, len(task.dataset.views())), len(task.conditions)
    several = [f"{views}", f"{columns // views}"] if 1 < views < columns else [f"{columns}"]
    return " × ".join([f"{task.images:,}" if task.images else "?", *several])


def reason_lines(cells: Sequence[PlannedCell]) -> Iterator[str]:
    """Why cells are not simply run: one line for each distinct reason, at most LINES for each status."""
    statuses = dict.fromkeys(cell.status for cell in cells if cell.reason)
    for status in statuses:
        groups: dict[str, list[PlannedCell]] = {}
        for cell in cells:
            if cell.status == status and cell.reason:
                groups.setdefault(cell.reason, []).append(cell)
        if merged := len(groups) > FEW:
            groups = _merged(groups.values())
        for reason, members in list(groups.items())[:LINES]:
            yield f"{status}: {_cells_text(members)}: {reason}"
        if len(groups) > LINES:
            hidden = sum(map(len, list(groups.values())[LINES:]))
            yield f"{status}: {hidden} more cells for {len(groups) - LINES} other reasons"
        if merged:
            doctor = "; what to get: harness doctor --suite NAME" if status == "missing" else ""
            yield f"  each {status} cell with its reason in full: --dry-run --json{doctor}"


def _merged(groups: Iterable[Sequence[PlannedCell]]) -> dict[str, list[PlannedCell]]:
    """Merge reasons that differ only in names; the merged reason has no remedy."""
    merged: dict[str, list[PlannedCell]] = {}
    for cell in chain.from_iterable(groups):
        general = cell.because.general or cell.because.text if cell.because else ""
        merged.setdefault(general, []).append(cell)
    return merged


def _cells_text(cells: Sequence[PlannedCell]) -> str:
    """``resnet50 on accuracy@imagenet``, or how many cells of which models and tasks."""
    models, tasks = dict.fromkeys(cell.model for cell in cells), dict.fromkeys(cell.task for cell in cells)
    names = f"{named(models)} on {named(tasks)}"
    return names if len(cells) == 1 else f"{len(cells)} cells, {names}"
