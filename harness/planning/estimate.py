"""The cost of a request before it is run: forwards, GPU-hours, decoding, disk. Pure arithmetic, torch-free.

An estimate with its basis, not a promise. It needs no data: where a folder is missing, the size of the release is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from harness.errors import UnknownNameError, blamed
from harness.planning.answers import checked_side
from harness.planning.planner import RESIDENT_MODELS, arrays_for, columns_for

if TYPE_CHECKING:
    from harness.interfaces import Dataset, Probe
    from harness.planning.plan import MissingTask, Plan, PlannedTask

REFERENCE: Final = "ResNet-50 on one H100"
"""Network and device to which GPU-hours refer, for any model and machine."""
FORWARDS_PER_SECOND: Final[Mapping[str, float]] = {"fp32": 5_400, "tf32": 7_400, "bf16": 10_900}
"""Images of 224 x 224 per second through the reference, by precision, eager: derived from published training and
inference rates (NVIDIA, Lambda, timm), not measured."""
REFERENCE_SIZE: Final = 224
DECODE_SECONDS: Final = 2.19e-3
"""PIL on one core: decode an ImageNet file of about 500 x 375, resize its shorter side to 256, crop; measured."""
DECODE_SECONDS_AS_IS: Final = 0.54e-3
"""PIL on one core: decode a JPEG of 224 x 224 without resizing; measured."""
TRIAL_BYTES: Final = 2 * 5 * 2 + 1 + 2
"""Five classes in int16, five log-probabilities in float16, correct, the rank of the target in uint16."""
LOGIT_BYTES: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskShape:
    """What the cost of one task depends on.

    Attributes:
        name: ``probe@dataset``; tasks of one dataset share its decoded images.
        images: samples that any model still needs; None: unknown (no folder, and no release states it).
        conditions: trials per sample and model, views included: max(1, views) x the probe's conditions.
        views: files of each sample that are decoded.
        size: image side in pixels.
        effort: forwards per stimulus (`Probe.effort`).
        resized: whether files are resized and cropped.
        outputs: logits per model, stored with ``store="logits"``, or if the task needs them (`needs_logits`).
        array_bytes: size of the arrays that the probe declares, per trial.
        side: as `TaskLayout.side`: such a task decodes its images anew.
        pending: (sample, model) pairs still to compute; None: every sample for every model.
    """

    name: str
    images: int | None
    conditions: int = 1
    views: int = 1
    size: int = REFERENCE_SIZE
    effort: int = 1
    resized: bool = True
    outputs: int = 1000
    array_bytes: int = 0
    side: int | None = None
    needs_logits: bool = False
    pending: int | None = None

    @property
    def dataset(self) -> str:
        """Name of the dataset."""
        return self.name.rpartition("@")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEstimate:
    """The cost of one task for all models.

    Attributes:
        images, conditions: as in `TaskShape`.
        cells: number of models, each of which is one cell of this task.
        trials: stored decisions. forwards: stimuli x effort. stored_bytes: size of its trials.
    """

    name: str
    images: int | None
    conditions: int
    cells: int
    trials: int
    forwards: int
    gpu_hours: float
    stored_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The cost of a request.

    Attributes:
        passes: sweeps over a dataset; at most `RESIDENT_MODELS` models share one.
        images: decoded files: in each pass each image once per view, for all tasks and models of the pass.
        forwards: stimuli x effort. gpu_hours: on `reference`. decode_core_hours: on one CPU core.
        unknown: datasets with an unknown number of images, which are not counted.
        basis: assumptions behind the figures, one sentence each.
    """

    tasks: tuple[TaskEstimate, ...]
    models: int
    passes: int
    images: int
    forwards: int
    gpu_hours: float
    decode_core_hours: float
    stored_bytes: int
    precision: str
    reference: str = REFERENCE
    unknown: tuple[str, ...] = ()
    basis: tuple[str, ...] = ()


def estimate(tasks: Sequence[TaskShape], models: int, precision: str = "fp32", store: str = "top5") -> Estimate:
    """The cost of `tasks` for `models` models.

    Args:
        models: number of models.
        precision: ``fp32``, ``tf32`` or ``bf16``.
        store: ``top5`` or ``logits``.

    Raises:
        UnknownNameError: no figure is known for this precision.
    """
    if precision not in FORWARDS_PER_SECOND:
        raise UnknownNameError("precision", precision, FORWARDS_PER_SECOND, "Type for instance: --precision fp32")
    costs = tuple(_task_estimate(task, models, FORWARDS_PER_SECOND[precision], store) for task in tasks)
    sweeps = [_Sweep.over(shapes, models) for shapes in _by_dataset(tasks)]
    unknown = tuple(dict.fromkeys(task.dataset for task in tasks if task.images is None))
    return Estimate(
        tasks=costs,
        models=models,
        passes=sum(sweep.passes for sweep in sweeps),
        images=sum(sweep.images for sweep in sweeps),
        forwards=sum(cost.forwards for cost in costs),
        gpu_hours=sum(cost.gpu_hours for cost in costs),
        decode_core_hours=sum(sweep.decode_seconds for sweep in sweeps) / 3600,
        stored_bytes=sum(cost.stored_bytes for cost in costs),
        precision=precision,
        unknown=unknown,
        basis=tuple(_basis(precision, store, tasks, unknown)),
    )


def shape_of(name: str, probe: Probe, dataset: Dataset, images: int | None = None) -> TaskShape:
    """What the cost of one task depends on, from its probe and dataset alone.

    Args:
        images: samples in the folder; None: those of the complete release, where it is known.

    Raises:
        ValueError: the probe cannot serve the dataset's image size or views.
    """
    if images is None:
        release = dataset.release()
        images = release.images if release else None
    side = checked_side(probe, dataset)
    return TaskShape(
        name=name,
        images=images,
        conditions=len(columns_for(probe, dataset)),
        views=max(1, len(dataset.views())),
        size=dataset.preprocessing.size,
        effort=probe.effort(),
        needs_logits=probe.needs_logits,
        side=None if side == dataset.preprocessing.size else side,
        resized=dataset.preprocessing.resize is not None,
        outputs=dataset.label_space().outputs,
        array_bytes=sum(spec.bytes for spec in arrays_for(probe, dataset).values()),
    )


def shapes_of(plan: Plan) -> list[TaskShape]:
    """What remains of each task of `plan`: without stored and inapplicable cells; missing ones count in full."""
    tasks: list[PlannedTask | MissingTask] = [*plan.tasks, *plan.missing]
    shapes = []
    for task in tasks:
        with blamed(f"task {task.name}"):
            images = task.images if plan.settings.limit is None else min(task.images, plan.settings.limit)
            shapes.append(_remaining(plan, shape_of(task.name, task.probe, task.dataset, images or None)))
    return shapes


def _remaining(plan: Plan, whole: TaskShape) -> TaskShape:
    cells = [cell for cell in plan.cells if cell.task == whole.name]
    absent = sum(cell.status == "missing" for cell in cells)
    if absent == len(cells):
        return whole
    spans = [span for cell in cells for span in cell.pending]
    all_images = whole.images or 0
    return replace(
        whole,
        images=all_images if absent else sum(high - low for low, high in set(spans)),
        pending=sum(high - low for low, high in spans) + absent * all_images,
    )


def _task_estimate(task: TaskShape, models: int, rate: float, store: str) -> TaskEstimate:
    pairs = (task.images or 0) * models if task.pending is None else task.pending
    trials = pairs * task.conditions
    forwards = trials * task.effort
    logits = LOGIT_BYTES * task.outputs if task.needs_logits or store == "logits" else 0
    trial_bytes = TRIAL_BYTES + task.array_bytes + logits
    return TaskEstimate(
        name=task.name,
        images=task.images,
        conditions=task.conditions,
        cells=models,
        trials=trials,
        forwards=forwards,
        gpu_hours=forwards * (task.size / REFERENCE_SIZE) ** 2 / rate / 3600,
        stored_bytes=trials * trial_bytes,
    )


@dataclass(frozen=True, slots=True)
class _Sweep:
    """All passes over one dataset."""

    passes: int
    images: int
    decode_seconds: float

    @classmethod
    def over(cls, tasks: Sequence[TaskShape], models: int) -> _Sweep:
        pending = [task for task in tasks if task.images and task.pending != 0]
        if not pending:
            return cls(0, 0, 0.0)
        passes = -(-models // RESIDENT_MODELS)
        images = passes * max((task.images or 0) * task.views for task in pending)
        first = pending[0]
        seconds = DECODE_SECONDS if first.resized else DECODE_SECONDS_AS_IS * (first.size / REFERENCE_SIZE) ** 2
        return cls(passes, images, images * seconds)


def _by_dataset(tasks: Iterable[TaskShape]) -> Iterable[list[TaskShape]]:
    groups: dict[tuple[str, int | None], list[TaskShape]] = {}
    for task in tasks:
        groups.setdefault((task.dataset, task.side), []).append(task)
    return groups.values()


def _basis(precision: str, store: str, tasks: Sequence[TaskShape], unknown: Sequence[str]) -> Iterable[str]:
    yield (
        f"GPU: {FORWARDS_PER_SECOND[precision]:,.0f} forwards per second in {precision} at {REFERENCE_SIZE} px, "
        f"derived from published rates for {REFERENCE} SXM, not measured; every model is taken for a ResNet-50, cost "
        "grows with the square of the image side; loading networks and making stimuli are not counted"
    )
    yield (
        f"CPU: PIL on one core, {1e3 * DECODE_SECONDS:.2f} ms to decode, resize and crop an image, "
        f"{1e3 * DECODE_SECONDS_AS_IS:.2f} ms for one of {REFERENCE_SIZE} px that is used as it is"
    )
    logits = f", and {LOGIT_BYTES} bytes per output" if store == "logits" else ""
    needing = [task.name for task in tasks if task.needs_logits]
    if needing and not logits:
        logits = f", and {LOGIT_BYTES} bytes per output where logits are needed, by {', '.join(needing)}"
    arrays = [f"{task.array_bytes:,} for the arrays of {task.name}" for task in tasks if task.array_bytes]
    yield f"disk: {TRIAL_BYTES} bytes per trial{logits}{''.join(f', and {array}' for array in arrays)}"
    if unknown:
        yield f"not counted, because the number of images is not known: {', '.join(unknown)}"
