"""Executes a plan, pass by pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from harness.engine.allocator import keep_freed_memory
from harness.engine.numerics import numerics
from harness.engine.recorder import Recorder
from harness.engine.resources import Engine, stored_outputs
from harness.engine.sweep import Sweep

if TYPE_CHECKING:
    from harness.planning.plan import Plan


def execute(plan: Plan, engine: Engine) -> dict[tuple[str, str], str]:
    """Compute every pending cell of `plan` and store its trials.

    Returns:
        (task, model) -> reason, of the cells that failed.

    Raises:
        KeyboardInterrupt: `engine.stop` was set; all complete spans have been stored.
    """
    keep_freed_memory()
    layouts = {task.name: task.layout for task in plan.tasks}
    recorder = Recorder(engine.run, layouts, engine.progress.warn)
    try:
        with numerics(plan.settings), torch.inference_mode():
            _announce(plan, engine, recorder)
            for planned_pass in plan.passes:
                Sweep(planned_pass, plan.settings, engine, recorder).execute()
            recorder.consolidate()
    finally:
        recorder.close()
    cells = [cell for planned_pass in plan.passes for cell in planned_pass.cells]
    return {
        (cell.task, cell.model): recorder.failures[cell.job.key]
        for cell in cells
        if cell.job and cell.job.key in recorder.failures
    }


def _announce(plan: Plan, engine: Engine, recorder: Recorder) -> None:
    """Begin all new cells. Cells with earlier trials begin in their pass; until then, the index shows these trials."""
    jobs = [cell.job for planned_pass in plan.passes for cell in planned_pass.cells if cell.job]
    new = [job for job in jobs if engine.run.cell(job.task, job.model) is None]
    recorder.begin(new, dict(engine.provenance), stored_outputs(new, plan.settings, engine))
