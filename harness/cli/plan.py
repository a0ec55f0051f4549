"""A plan as text and as JSON."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from harness.cli.words import estimate_lines, hours, passes, work
from harness.output.formats import show
from harness.planning.code import other_code
from harness.records import Table, TableCell
from harness.workflows.plan_lines import reason_lines

if TYPE_CHECKING:
    from rich.console import Console

    from harness.planning.estimate import Estimate
    from harness.planning.plan import MissingTask, Plan, PlannedTask


WHOLE: Final = ("images × conditions", "GPU-hours")
"""Columns that are not wrapped."""


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
