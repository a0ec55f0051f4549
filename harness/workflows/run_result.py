"""The result of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.foreign import html_text, one_line

if TYPE_CHECKING:
    from harness.discovery.loader import Plugins
    from harness.planning.plan import Plan, Status
    from harness.study.opened import OpenedStudy

Reasons = Mapping[tuple[str, str], str]
"""(task, model) -> reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """The result of a run. A cell is one model on one task.

    Attributes:
        path: the run folder.
        failures: cells that failed in this run -> reason. They are stored as failed; the same call retries them.
        plan: the plan before the run.
        plugins: the plugins of the run.
        notes: remarks on the weights of the models, and on numbers that are not as their entries expect.
    """

    path: Path
    failures: Reasons
    plan: Plan = field(repr=False)
    plugins: Plugins = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def cells(self) -> int:
        """Number of requested cells."""
        return len(self.plan.cells)

    @property
    def stored(self) -> int:
        """Number of cells with all their trials stored, by this run or an earlier one."""
        return sum(cell.job is not None for cell in self.plan.cells) - len(self.failures)

    @property
    def missing(self) -> Reasons:
        """Cells whose data or checkpoint is not on this machine -> reason."""
        return self._with("missing")

    @property
    def inapplicable(self) -> Reasons:
        """Cells whose model cannot be evaluated on the task's dataset -> reason."""
        return self._with("inapplicable")

    @property
    def remarks(self) -> tuple[str, ...]:
        """Warnings that are stored with the results, such as partial data, and `notes`."""
        return (*self.plan.remarks, *self.notes)

    @property
    def complete(self) -> bool:
        """Whether no cell failed and none is missing: exit code 0 of the command line."""
        return not self.failures and not self.missing

    def study(self) -> OpenedStudy:
        """The measures of this run. As `harness.open_study`, with the plugins of the run."""
        from harness.workflows.run_folders import RunFolders
        from harness.workflows.study import opened

        return opened(RunFolders(paths=(self.path,)), self.plugins)

    def _with(self, status: Status) -> Reasons:
        return {(cell.task, cell.model): cell.reason for cell in self.plan.cells if cell.status == status}

    def _lines(self) -> list[str]:
        """The number of stored cells, then one line for each cell that is not stored."""
        lines = [f"{self.stored} of {self.cells} cells stored in {self.path}"]
        unstored = {"failed": self.failures, "missing": self.missing, "inapplicable": self.inapplicable}
        for state, reasons in unstored.items():
            lines += [f"{state}: {model} on {task}: {reason}" for (task, model), reason in reasons.items()]
        return [one_line(line) for line in lines]

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _repr_html_(self) -> str:
        """For notebooks."""
        return "<br>".join(html_text(line) for line in self._lines())
