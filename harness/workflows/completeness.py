"""Whether there is something to compute, and whether it is stored at the end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import RequestError

if TYPE_CHECKING:
    from harness.planning.plan import Plan


def refuse_empty(plan: Plan, suite: str | None) -> None:
    """Raises RequestError if no cell of the plan can be computed."""
    reasons = [cell for cell in plan.cells if cell.job is None]
    if len(reasons) < len(plan.cells):
        return
    absent = [cell for cell in reasons if cell.status == "missing"]
    if absent:
        remedy = f"harness doctor --suite {suite}" if suite else "harness list datasets"
        raise RequestError(f"nothing can run: {absent[0].reason}. See: {remedy}")
    raise RequestError(f"nothing can run: {reasons[0].reason}. See: harness info {reasons[0].model}")


def lost_cells(out: Path, plan: Plan, failures: Mapping[tuple[str, str], str]) -> dict[tuple[str, str], str]:
    """Cells that this run computed and that are not whole in the run folder at its end -> why.

    Raises:
        RunError, StoreError: the folder is no run any more, or a file in it is damaged.
    """
    from harness.store import RunReader

    reader, lost = RunReader.open(out), {}
    spans = {task.name: set(task.layout.spans()) for task in plan.tasks}
    for cell in plan.cells:
        place = (cell.task, cell.model)
        if cell.job is None or not cell.pending or place in failures:
            continue
        stored = reader.cell(*place)
        if stored is None or stored.job.key != cell.job.key:
            lost[place] = "its trials are not in the run folder, as if another program had changed it; run it again"
        elif absent := spans[cell.task] - set(stored.spans):
            lost[place] = (
                f"{len(absent)} of {len(spans[cell.task])} files of trials disappeared during the run; run it again"
            )
    return lost
