"""The plan of a run: its settings, tasks, cells and passes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from harness.data.manifest import Manifest
from harness.records import ArraySpec, Job, LabelSpace, Reason, Remark, TaskLayout
from harness.remarks import joined

if TYPE_CHECKING:
    from harness.interfaces import Dataset, Probe


Status = Literal["stored", "run", "resume", "rerun", "retry", "inapplicable", "missing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of a whole run. A run refuses to change any of them.

    Attributes:
        device_type: ``cpu`` or ``cuda``. precision: ``fp32``, ``tf32`` or ``bf16``.
        batch_size: most samples per forward; it sets where batches begin and can change the last digits of logits.
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
    """One ``probe@dataset``, fully resolved.

    What its plugins answered when the plan was made holds for the whole run, whatever they answer later.

    Attributes:
        conditions: names of its columns, views × conditions, as in its layout.
        stimuli: names of its probe's conditions, in order. effort: cost of one stimulus in forwards.
        space: label space of its dataset.
        arrays: what its probe stores beside the decisions, by name.
        needs_logits: whether logits are stored whatever the settings say.
    """

    name: str
    probe: Probe
    dataset: Dataset
    manifest: Manifest
    conditions: tuple[str, ...]
    stimuli: tuple[str, ...]
    effort: int
    space: LabelSpace
    layout: TaskLayout
    arrays: Mapping[str, ArraySpec] = field(default_factory=dict)
    needs_logits: bool = False

    @property
    def images(self) -> int:
        """Samples."""
        return len(self.layout.sample_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingTask:
    """One ``probe@dataset`` whose data is not on this machine.

    Attributes:
        conditions: names of its columns, views × conditions.
        because: why it is missing, with the locations that were searched.
    """

    name: str
    probe: Probe
    dataset: Dataset
    conditions: tuple[str, ...]
    because: Reason

    @property
    def images(self) -> int:
        """Samples of the complete dataset; 0 where unknown."""
        release = self.dataset.release()
        return release.images if release else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCell:
    """One model on one task.

    Attributes:
        job: None where the task does not apply to the model, or data or checkpoint are missing; `because` says which.
        pending: spans still to compute.
        because: why it is rerun, resumed or not run; None where it is stored, or run for the first time.
    """

    model: str
    task: str
    status: Status
    job: Job | None
    pending: tuple[tuple[int, int], ...] = ()
    because: Reason | None = None

    @property
    def reason(self) -> str:
        """`because` as a line of text; empty where there is none."""
        return self.because.line if self.because else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One sweep over one dataset: every pending task of these models, each image decoded once.

    Attributes:
        size: side of the stimuli, in pixels; `dataset` gives images of the side from which they are made.
    """

    dataset: Dataset
    manifest: Manifest
    models: tuple[str, ...]
    tasks: tuple[PlannedTask, ...]
    cells: tuple[PlannedCell, ...]
    size: int

    def without(self, aside: Collection[tuple[str, str]]) -> Pass:
        """The pass without these cells, (task, model), and without the models and tasks that have no other."""
        cells = tuple(cell for cell in self.cells if (cell.task, cell.model) not in aside)
        models, tasks = {cell.model for cell in cells}, {cell.task for cell in cells}
        return replace(
            self,
            cells=cells,
            models=tuple(name for name in self.models if name in models),
            tasks=tuple(task for task in self.tasks if task.name in tasks),
        )

    @property
    def images(self) -> int:
        """Decoded images, counted once per view."""
        samples = sum(high - low for low, high in {span for cell in self.cells for span in cell.pending})
        return samples * max(1, len(self.manifest.folders))

    @property
    def forwards(self) -> int:
        """Stimuli sent through networks; a stimulus of an attack counts as often as its gradients cost forwards."""
        effort = {task.name: len(task.conditions) * task.effort for task in self.tasks}
        return sum((high - low) * effort[cell.task] for cell in self.cells for low, high in cell.pending)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeChange:
    """A plugin whose code differs from that of stored cells, under the same version.

    Attributes:
        kind: ``probe``, ``dataset`` or ``model source``. provider: file or package of the plugin.
        before: digest of the code of the stored cells. now: that of the plugin.
    """

    kind: str
    name: str
    version: int
    provider: str
    before: str
    now: str

    @property
    def subject(self) -> str:
        """``probe sharp, version 1``."""
        return f"{self.kind} {self.name}, version {self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All cells of a request, and the passes that compute those that are not stored.

    Attributes:
        missing: tasks without data; each of their cells has the status ``missing``.
        changes: plugins whose code differs from that of stored cells -> those cells; `harness run` stops there.
        accepted: changes that leave all numbers the same, as the request says.
        code_remarks: remarks about code that is not recorded.
    """

    settings: Settings
    tasks: tuple[PlannedTask, ...]
    cells: tuple[PlannedCell, ...]
    passes: tuple[Pass, ...] = field(default=())
    missing: tuple[MissingTask, ...] = field(default=())
    changes: Mapping[CodeChange, Sequence[Job]] = field(default_factory=dict)
    accepted: tuple[CodeChange, ...] = ()
    code_remarks: tuple[Remark, ...] = ()

    def set_aside(self, reasons: Mapping[tuple[str, str], Reason]) -> Plan:
        """The plan without computing these cells: they are missing, and passes without work are left out.

        Args:
            reasons: (task, model) -> why; cells that need no computation stay as they are.
        """
        aside = {(cell.task, cell.model) for cell in self.cells if cell.pending} & reasons.keys()

        def kept(cell: PlannedCell) -> PlannedCell:
            because = reasons.get((cell.task, cell.model))
            if (cell.task, cell.model) not in aside or because is None:
                return cell
            kept_before = "; what was stored before is kept" if cell.status != "run" else ""
            because = replace(because, subject=cell.task, text=because.text + kept_before)
            return PlannedCell(model=cell.model, task=cell.task, status="missing", job=None, because=because)

        passes = (planned.without(aside) for planned in self.passes)
        return replace(
            self, cells=tuple(map(kept, self.cells)), passes=tuple(planned for planned in passes if planned.cells)
        )

    def with_layers(self, names: Mapping[tuple[str, str], tuple[str, ...]]) -> Plan:
        """The plan with the layers that probes see: (task, model) -> their names, of cells to compute."""

        def of_cell(cell: PlannedCell) -> PlannedCell:
            seen = names.get((cell.task, cell.model))
            return replace(cell, job=replace(cell.job, layers=seen)) if cell.job and cell.pending and seen else cell

        passes = tuple(replace(planned, cells=tuple(map(of_cell, planned.cells))) for planned in self.passes)
        return replace(self, cells=tuple(map(of_cell, self.cells)), passes=passes)

    @property
    def forwards(self) -> int:
        """Stimuli sent through networks, over all passes."""
        return sum(planned_pass.forwards for planned_pass in self.passes)

    @property
    def remarks(self) -> list[Remark]:
        """Remarks about the data, each once, with all datasets that it concerns; then those about code."""
        of_data = joined(sorted({remark for task in self.tasks for remark in task.manifest.remarks}))
        return [*of_data, *self.code_remarks]
