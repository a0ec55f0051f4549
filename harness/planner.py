"""Suite x models - what is stored -> passes. Pure, cheap, torch-free, printable."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

from harness.manifest import Manifest, identity, joined
from harness.records import Job, TaskLayout

if TYPE_CHECKING:
    import numpy as np

    from harness.interfaces import Dataset, Probe
    from harness.records import ModelSpec, Sample

ENGINE = 1
"""Version of what the core itself does to numbers (decoding, decisions, noise, normalization): bump it with them."""
VERSIONS = ("torch", "torchvision", "timm", "numpy", "pillow")
"""Packages whose version is part of a cell's identity: they compute, define architectures, draw noise, decode."""
Status = Literal["stored", "run", "resume", "rerun", "retry", "inapplicable", "missing"]
LEAST_SPAN = 16
"""Samples of one shard at least. It is a part of every cell's identity: another value would make stored cells stale."""
RESIDENT_MODELS = 48
"""Networks kept on the device at once, so that each image is decoded once for all of them; the study's 48 ResNet-50
weigh 4.9 GB. More models make further passes: memory stays bounded."""


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
    """One ``probe@dataset`` with everything resolved."""

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
    """One ``probe@dataset`` whose data is not on this machine; `reason` says where it was looked for."""

    name: str
    probe: Probe
    dataset: Dataset
    conditions: tuple[str, ...]
    reason: str

    @property
    def images(self) -> int:
        """Samples of the complete dataset; 0 where that is not known."""
        release = self.dataset.release()
        return release.images if release else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What the store knows of one cell: the identity it was made under, its spans, whether it failed."""

    key: str
    identity: Mapping[str, Any]
    spans: frozenset[tuple[int, int]]
    failed: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCell:
    """One model on one task.

    Attributes:
        job: None where the task does not apply to the model, or data or checkpoint are missing; `reason` says which.
        pending: spans still to be computed.
        reason: why it is run again, resumed, or not run.
    """

    model: str
    task: str
    status: Status
    job: Job | None
    pending: tuple[tuple[int, int], ...] = ()
    reason: str = ""


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

    @property
    def trials(self) -> int:
        """Decisions to store."""
        conditions = {task.name: len(task.conditions) for task in self.tasks}
        return sum((high - low) * conditions[cell.task] for cell in self.cells for low, high in cell.pending)


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
    def remarks(self) -> list[str]:
        """What is remarkable about the data, each remark once, with the datasets that it is about."""
        return joined(sorted({remark for task in self.tasks for remark in task.manifest.remarks}))

    @property
    def stored_bytes(self) -> int:
        """Bytes that the pending trials will take: 2 x 5 x 2 + 1 a trial, and 2 an output with full logits."""
        return sum(one.trials for one in self.passes) * (21 + (2000 if self.settings.store == "logits" else 0))


def plan_task(name: str, probe: Probe, dataset: Dataset, manifest: Manifest, batch_size: int) -> PlannedTask:
    """Resolve one task. Raises ValueError if the probe cannot serve the dataset's image size or its views."""
    space, samples, size = dataset.label_space(), manifest.samples, dataset.preprocessing.size
    conditions = conditions_of(probe, dataset)
    layout = TaskLayout(
        task=name,
        sample_ids=tuple(sample.id for sample in samples),
        targets=padded_targets(samples),
        conditions=conditions,
        classes=space.classes,
        size=size,
        span=span_length(len(samples), batch_size),
        attributes={
            attribute: tuple(sample.attributes[position] for sample in samples)
            for position, attribute in enumerate(dataset.attributes)
        },
        columns=space.columns,
    )
    return PlannedTask(name=name, probe=probe, dataset=dataset, manifest=manifest, conditions=conditions, layout=layout)


def conditions_of(probe: Probe, dataset: Dataset) -> tuple[str, ...]:
    """The C conditions of a task: the probe's, or the views of a dataset that has some.

    Raises:
        ValueError: the probe cannot serve the image size, or has several conditions where the dataset has views.
    """
    own, views = probe.conditions(dataset.preprocessing.size), dataset.views()
    if views and len(own) > 1:
        raise ValueError(
            f"{dataset.name} shows every image in {len(views)} views, so only probes with one condition can run on it; "
            f"{probe.name} has {len(own)}"
        )
    return views or own


def padded_targets(samples: Sequence[Sample]) -> np.ndarray:
    """Accepted classes of each sample, (N, T) int16, padded with -1."""
    import numpy as np

    targets = np.full((len(samples), max(len(sample.targets) for sample in samples)), -1, dtype=np.int16)
    for row, sample in zip(targets, samples, strict=True):
        row[: len(sample.targets)] = sample.targets
    return targets


def span_length(n: int, batch_size: int) -> int:
    """Samples per shard: max(64, ⌈n/128⌉), rounded up to whole batches, so that a cell has at most 128 shards."""
    least = max(LEAST_SPAN, -(-n // 128))
    return -(-least // batch_size) * batch_size


def make_job(
    task: PlannedTask, model: ModelSpec, digests: Sequence[str], settings: Settings, source_version: int = 1
) -> Job:
    """The frozen description of one cell, with its content key.

    Args:
        digests: SHA-256 of each file that decides the weights.
        source_version: `ModelSource.version` of the model's source.
    """
    # Neither `sha256` nor `head_sha256` is part of it: what the files are, `digests` say, stated beforehand or not.
    what: dict[str, Any] = {
        "model": {
            "name": model.name,
            "source": model.source,
            "source_version": source_version,
            "arch": model.arch,
            "recipe": {name: value for name, value in asdict(model.recipe).items() if name != "head_sha256"},
            "mean": model.mean,
            "std": model.std,
            "options": dict(model.options),
            "label_space": model.label_space,
            "outputs": model.outputs,
            "checkpoint": list(digests),
        },
        "probe": {"name": task.probe.name, "version": task.probe.version, "params": asdict(task.probe)},
        "dataset": identity(task.dataset, task.manifest),
        "layout": {
            "conditions": task.conditions,
            "span": task.layout.span,
            "label_space": _digest(asdict(task.dataset.label_space())),
        },
        "settings": asdict(settings),
        "engine": ENGINE,
        "versions": _versions(),
    }
    return Job(task=task.name, model=model.name, key=_digest(what), identity=json.loads(_canonical(what)))


@cache
def _versions() -> dict[str, str]:
    """Once a process: it reads the metadata of every package from the disk."""
    return {package: version(package) for package in VERSIONS}


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _digest(value: Any) -> str:
    return hashlib.sha256(_canonical(value).encode()).hexdigest()


def plan(
    tasks: Sequence[PlannedTask],
    models: Sequence[ModelSpec],
    digests: Mapping[str, Sequence[str]],
    settings: Settings,
    stored: Mapping[tuple[str, str], Stored],
    source_versions: Mapping[str, int] | None = None,
    missing: Sequence[MissingTask] = (),
    absent: Mapping[str, str] | None = None,
) -> Plan:
    """Decide for every cell whether it is stored, and group the rest into passes.

    Args:
        digests: model name -> SHA-256 of its checkpoint files.
        stored: (task, model) -> what the run folder holds.
        source_versions: source name -> `ModelSource.version`, where that is not 1.
        missing: tasks without data. absent: model -> why its checkpoint is not here.
    """
    versions, absent = source_versions or {}, absent or {}

    def cell(task: PlannedTask, model: ModelSpec) -> PlannedCell:
        if model.name in absent:
            return _missing_cell(task.name, model.name, absent[model.name], stored)
        job = make_job(task, model, digests[model.name], settings, versions.get(model.source, 1))
        return _plan_cell(task, model, job, stored.get((task.name, model.name)))

    cells = [cell(task, model) for task in tasks for model in models]
    cells += [_missing_cell(task.name, model.name, task.reason, stored) for task in missing for model in models]
    passes: list[Pass] = []
    for dataset in {task.dataset.name: task.dataset for task in tasks}.values():
        of_dataset = [task for task in tasks if task.dataset.name == dataset.name]
        names = {task.name for task in of_dataset}
        pending = [cell for cell in cells if cell.pending and cell.task in names]
        wanted = [model.name for model in models if any(cell.model == model.name for cell in pending)]
        for start in range(0, len(wanted), RESIDENT_MODELS):
            group = tuple(wanted[start : start + RESIDENT_MODELS])
            share = tuple(cell for cell in pending if cell.model in group)
            needed = {cell.task for cell in share}
            passes.append(
                Pass(
                    dataset=dataset,
                    manifest=of_dataset[0].manifest,
                    models=group,
                    tasks=tuple(task for task in of_dataset if task.name in needed),
                    cells=share,
                )
            )
    return Plan(settings=settings, tasks=tuple(tasks), cells=tuple(cells), passes=tuple(passes), missing=tuple(missing))


def _missing_cell(task: str, model: str, reason: str, stored: Mapping[tuple[str, str], Stored]) -> PlannedCell:
    kept = "; what was stored before is kept" if (task, model) in stored else ""
    return PlannedCell(model=model, task=task, status="missing", job=None, reason=reason + kept)


def _plan_cell(task: PlannedTask, model: ModelSpec, job: Job, stored: Stored | None) -> PlannedCell:
    unfit = inapplicable(task, model)
    if unfit:
        return PlannedCell(model=model.name, task=task.name, status="inapplicable", job=None, reason=unfit)
    spans = task.layout.spans()

    def cell(status: Status, pending: Sequence[tuple[int, int]] = (), reason: str = "") -> PlannedCell:
        return PlannedCell(
            model=model.name, task=task.name, status=status, job=job, pending=tuple(pending), reason=reason
        )

    if stored is None:
        return cell("run", spans)
    if stored.key != job.key:
        return cell("rerun", spans, difference(stored.identity, job.identity) or _otherwise(stored, job))
    left = [span for span in spans if span not in stored.spans]
    if stored.failed is not None:
        return cell("retry", left, f"failed before: {stored.failed}")
    if not left:
        return cell("stored")
    return cell("resume", left, f"{len(spans) - len(left)} of {len(spans)} spans stored")


def inapplicable(task: PlannedTask, model: ModelSpec) -> str:
    """Why `model` cannot be judged on `task`; empty if it can."""
    space = task.dataset.label_space()
    if model.label_space != space.model_label_space:
        return f"{model.name} answers in {model.label_space}, {task.dataset.name} needs {space.model_label_space}"
    if model.outputs != space.outputs:
        return f"{model.name} has {model.outputs} outputs, {task.dataset.name} is judged by {space.outputs}"
    return ""


def _otherwise(stored: Stored, job: Job) -> str:
    """What changed where no value did: fields that only one of two versions of the harness or a plugin records."""
    old, new = _leaves(stored.identity), _leaves(job.identity)
    fields = ", ".join(sorted(old.keys() ^ new.keys())) or "fields without a value"
    return f"another version recorded its identity, without the same fields: {fields}"


def difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What changed between two identities, one clause per leaf: ``model.checkpoint: 3f… -> 9a…``."""
    old, new = _leaves(before), _leaves(now)
    changes = [
        f"{path} changed: {_short(old.get(path))} -> {_short(new.get(path))}"
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    ]
    return "; ".join(changes[:4]) + (f"; and {len(changes) - 4} more" if len(changes) > 4 else "")


def _leaves(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, Mapping):
        return {k: v for key, item in value.items() for k, v in _leaves(item, f"{path}.{key}".lstrip(".")).items()}
    return {path: value}


def _short(value: Any) -> str:
    text = "absent" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 16 else text[:12] + "…"
