"""How a plan is printed."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from harness.planner import Plan


def plan_data(plan: Plan) -> dict[str, Any]:
    """The plan as one JSON-ready object."""
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
    }


def print_plan(plan: Plan, console: Console) -> None:
    """A table of tasks, the reasons of cells that are not simply run, and the totals; fits 80 columns."""
    from rich.table import Table

    table = Table(title="Plan", title_justify="left", box=None, pad_edge=False)
    for heading, justify in (("task", "left"), ("images", "right"), ("conditions", "right"), ("cells", "left")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for task in plan.tasks:
        statuses = Counter(cell.status for cell in plan.cells if cell.task == task.name)
        table.add_row(
            task.name,
            f"{len(task.layout.sample_ids):,}",
            str(len(task.conditions)),
            ", ".join(f"{count} {status}" for status, count in statuses.items()),
        )
    console.print(table)
    for cell in plan.cells:
        if cell.reason:
            console.print(f"{cell.status}: {cell.model} on {cell.task}: {cell.reason}", soft_wrap=True)
    for remark in plan.remarks:
        console.print(f"note: {remark}", soft_wrap=True)
    images = sum(one.images for one in plan.passes)
    console.print(
        f"{len(plan.passes)} passes, {images:,} images decoded, {plan.forwards:,} forwards, "
        f"{plan.stored_bytes / 1e6:,.1f} MB to store"
    )
