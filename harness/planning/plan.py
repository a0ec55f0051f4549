"""The plan of a run: its settings, tasks, cells and passes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from harness.data.manifest import Manifest
from harness.records import Job, Reason, Remark, TaskLayout
from harness.remarks import joined

if TYPE_CHECKING:
    from harness.interfaces import Dataset, Probe


Status = Literal["stored", "run", "resume", "rerun", "retry", "inapplicable", "missing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one run has one of. A change of any of these is refused.

    Attributes:
        device_type: ``cpu`` or ``cuda``. precision: ``fp32``, ``tf32`` or ``bf16``.
        batch_size: samples a forward; also where batches are cut, so it can change logits in the last digits.
        limit: number of samples, None for all. store: ``top5`` or ``logits``.
    """

    seed: int = 0
    limit: int | None = None
    precision: str = "fp32"
    device_type: str = "cpu"
    batch_size: int = 32
    store: str = "top5"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTask:
    """One ``probe@dataset`` with everything resolved.

    Attributes:
        conditions: names of its columns, views × conditions, as in its layout.
    """

    name: str
    probe: Probe
    dataset: Dataset
    manifest: Manifest
    conditions: tuple[str, ...]
    layout: TaskLayout

    @property
    def images(self) -> int:
        """Samples."""
        return len(self.layout.sample_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingTask:
    """One ``probe@dataset`` whose data is not on this machine.

    Attributes:
        conditions: names of its columns, views × conditions.
        because: where its data was looked for.
    """

    name: str
    probe: Probe
    dataset: Dataset
    conditions: tuple[str, ...]
    because: Reason

    @property
    def images(self) -> int:
        """Samples of the complete dataset; 0 where that is not known."""
        release = self.dataset.release()
        return release.images if release else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCell:
    """One model on one task.

    Attributes:
        job: None where the task does not apply to the model, or data or checkpoint are missing; `because` says which.
        pending: spans still to be computed.
        because: why it is run again, resumed, or not run; None where it is stored, or run for the first time.
    """

    model: str
    task: str
    status: Status
    job: Job | None
    pending: tuple[tuple[int, int], ...] = ()
    because: Reason | None = None

    @property
    def reason(self) -> str:
        """`because`, as people read it; empty where there is none."""
        return self.because.line if self.because else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One sweep over one dataset: every pending task of these models, each image decoded once."""

    dataset: Dataset
    manifest: Manifest
    models: tuple[str, ...]
    tasks: tuple[PlannedTask, ...]
    cells: tuple[PlannedCell, ...]

    @property
    def images(self) -> int:
        """Images decoded, each view of one counted."""
        samples = sum(high - low for low, high in {span for cell in self.cells for span in cell.pending})
        return samples * max(1, len(self.dataset.views()))

    @property
    def forwards(self) -> int:
        """Stimuli sent through networks, those of attacks counted as often as their gradients cost."""
        effort = {task.name: len(task.conditions) * task.probe.effort() for task in self.tasks}
        return sum((high - low) * effort[cell.task] for cell in self.cells for low, high in cell.pending)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All cells of a request, and the passes that compute those that are not stored.

    Attributes:
        missing: tasks whose data is not here; each of their cells has the status ``missing``.
    """

    settings: Settings
    tasks: tuple[PlannedTask, ...]
    cells: tuple[PlannedCell, ...]
    passes: tuple[Pass, ...] = field(default=())
    missing: tuple[MissingTask, ...] = field(default=())

    @property
    def forwards(self) -> int:
        """Stimuli sent through networks, over all passes."""
        return sum(one.forwards for one in self.passes)

    @property
    def remarks(self) -> list[Remark]:
        """What is remarkable about the data, each remark once, with the datasets that it is about."""
        return joined(sorted({remark for task in self.tasks for remark in task.manifest.remarks}))
