"""Suite x models - what is stored -> passes. Pure, cheap, torch-free, printable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.data.manifest import Manifest
from harness.identity import canonical_json, difference, leaves
from harness.planning.answers import checked_effort, checked_names, checked_side, inapplicable
from harness.planning.code import CodeInUse, compared
from harness.planning.jobs import make_job
from harness.planning.plan import MissingTask, Pass, Plan, PlannedCell, PlannedTask, Settings, Status
from harness.planning.preprocessing import Natives, shown_to, with_preprocessing
from harness.planning.spans import span_length
from harness.records import Identity, Job, Reason, TaskLayout, checked_arrays, columns_of

if TYPE_CHECKING:
    import numpy as np

    from harness.interfaces import Dataset, Probe
    from harness.records import ArraySpec, ModelSpec, Preprocessing, Sample
    from harness.store import StoredCell


SAME = "same tensors, other file"
RESIDENT_MODELS = 48
"""Networks kept on the device at once, so that each image is decoded once for all of them; the study's 48 ResNet-50
take 4.9 GB. More models need further passes, so memory stays bounded."""


def plan_task(
    name: str, probe: Probe, dataset: Dataset, manifest: Manifest, batch_size: int, span: int | None = None
) -> PlannedTask:
    """Resolve one task. Raises ValueError if the probe cannot serve the dataset's image size, views or labels.

    Args:
        span: samples per shard, of stored cells that are to be resumed; default: `span_length`.
    """
    space, samples, size = dataset.label_space(), manifest.samples, dataset.preprocessing.size
    stimuli = checked_names("conditions", probe.conditions(size))
    conditions = columns_of(checked_names("views", tuple(manifest.folders)), stimuli)
    if probe.needs_labels and not samples[0].targets:
        raise ValueError(f"probe {probe.name} needs labels, and the samples of {dataset.name} have none")
    side = checked_side(probe, dataset)
    layout = TaskLayout(
        task=name,
        sample_ids=tuple(sample.id for sample in samples),
        targets=padded_targets(samples),
        conditions=conditions,
        classes=space.classes,
        size=size,
        span=span or span_length(len(samples), batch_size),
        attributes={
            attribute: tuple(sample.attributes[position] for sample in samples)
            for position, attribute in enumerate(dataset.attributes)
        },
        columns=space.columns,
        side=None if side == size else side,
    )
    return PlannedTask(
        name=name,
        probe=probe,
        dataset=dataset,
        manifest=manifest,
        conditions=conditions,
        stimuli=stimuli,
        effort=checked_effort(probe),
        space=space,
        layout=layout,
        arrays=arrays_for(probe, dataset),
        needs_logits=probe.needs_logits,
    )


def columns_for(probe: Probe, dataset: Dataset) -> tuple[str, ...]:
    """Names of a task's columns: the dataset's views × the probe's conditions.

    Raises:
        ValueError: the probe cannot serve the image size, the dataset not the probe's, or names of views and conditions
            clash, or are no names.
    """
    checked_side(probe, dataset)
    views = checked_names("views", dataset.views())
    return columns_of(views, checked_names("conditions", probe.conditions(dataset.preprocessing.size)))


def arrays_for(probe: Probe, dataset: Dataset) -> dict[str, ArraySpec]:
    """The arrays that a task stores. Raises ValueError if its probe declares what cannot be stored."""
    return checked_arrays(probe.arrays(dataset.preprocessing.size))


def padded_targets(samples: Sequence[Sample]) -> np.ndarray:
    """Accepted classes of each sample, (N, T) int16, padded with -1; T >= 1, also where no sample has any."""
    import numpy as np

    most = max(1, *(len(sample.targets) for sample in samples))
    targets = np.full((len(samples), most), -1, dtype=np.int16)
    for row, sample in zip(targets, samples, strict=True):
        row[: len(sample.targets)] = sample.targets
    return targets


def plan(
    tasks: Sequence[PlannedTask],
    models: Sequence[ModelSpec],
    digests: Mapping[str, Sequence[str]],
    settings: Settings,
    stored: Mapping[tuple[str, str], StoredCell],
    source_versions: Mapping[str, int] | None = None,
    missing: Sequence[MissingTask] = (),
    absent: Mapping[str, Reason] | None = None,
    code: CodeInUse | None = None,
    earlier_files: Mapping[str, tuple[str, ...]] | None = None,
    natives: Natives | None = None,
) -> Plan:
    """Decide for every cell whether it is stored, and group the others into passes.

    Args:
        digests: model name -> SHA-256 of its checkpoint files.
        stored: (task, model) -> the cell in the run folder.
        source_versions: source name -> `ModelSource.version`, where it is not 1.
        missing: tasks without data. absent: model -> why its checkpoint is missing.
        code: the code of the plugins in use.
        earlier_files: model -> SHA-256 of the files of its stored cells, where `digests` are those of others with the
            same tensors.
        natives: model -> its own resize and crop, for datasets that leave them to it.
    """
    natives = natives or {}
    source_versions, absent, code = source_versions or {}, absent or {}, code or CodeInUse()
    earlier = earlier_files or {}

    def cell(task: PlannedTask, model: ModelSpec) -> PlannedCell:
        if model.name in absent:
            return _missing_cell(task.name, model.name, absent[model.name], stored)
        seen = shown_to(task, model, natives)
        if isinstance(seen, Reason):
            return PlannedCell(model=model.name, task=task.name, status="inapplicable", job=None, because=seen)
        native = None if seen is task else seen.dataset.preprocessing
        files = earlier.get(model.name)
        checkpoint = files or digests[model.name]
        job = make_job(task, model, checkpoint, settings, source_versions.get(model.source, 1), native)
        job = replace(job, code=code.of(job), files=tuple(digests[model.name]) if files else ())
        of_cell = stored.get((task.name, model.name))
        return _plan_cell(task, model, _continued(job, of_cell), of_cell)

    cells = [cell(task, model) for task in tasks for model in models]
    cells += [_missing_cell(task.name, model.name, task.because, stored) for task in missing for model in models]
    passes = _passes(tasks, models, cells, natives)
    whole = Plan(
        settings=settings, tasks=tuple(tasks), cells=tuple(cells), passes=tuple(passes), missing=tuple(missing)
    )
    return compared(whole, stored, code)


def _passes(
    tasks: Sequence[PlannedTask], models: Sequence[ModelSpec], cells: Sequence[PlannedCell], natives: Natives
) -> list[Pass]:
    """The pending cells by dataset, by resize and crop, and by as many models as fit on the device."""
    passes: list[Pass] = []
    for (name, side), dataset in {(task.dataset.name, task.layout.side): task.dataset for task in tasks}.items():
        of_dataset = [task for task in tasks if (task.dataset.name, task.layout.side) == (name, side)]
        names = {task.name for task in of_dataset}
        pending = [cell for cell in cells if cell.pending and cell.task in names]
        alike: dict[Preprocessing, list[str]] = {}
        for model in models:
            if any(cell.model == model.name for cell in pending):
                native = natives.get(model.name) if dataset.preprocessing.native else None
                alike.setdefault(native or dataset.preprocessing, []).append(model.name)
        for preprocessing, members in alike.items():
            cropped = replace(preprocessing, size=side) if side else preprocessing
            shown = with_preprocessing(dataset, cropped)
            for start in range(0, len(members), RESIDENT_MODELS):
                group = tuple(members[start : start + RESIDENT_MODELS])
                group_cells = tuple(cell for cell in pending if cell.model in group)
                group_tasks = {cell.task for cell in group_cells}
                passes.append(
                    Pass(
                        dataset=shown,
                        manifest=of_dataset[0].manifest,
                        size=preprocessing.size,
                        models=group,
                        tasks=tuple(replace(task, dataset=shown) for task in of_dataset if task.name in group_tasks),
                        cells=group_cells,
                    )
                )
    return passes


def _continued(job: Job, stored: StoredCell | None) -> Job:
    """`job`, or with the stored identity if all that has changed is that the probe declares more arrays.

    Trials are as valid as before; they stay, and those that are still missing are stored like them.
    """
    if stored is None or stored.job.key == job.key or not stored.spans:
        return job
    before, now = stored.job.identity, job.identity
    fewer = before.arrays.items() <= now.arrays.items()
    unchanged = canonical_json(before.without_arrays()) == canonical_json(now.without_arrays())
    return replace(job, key=stored.job.key, identity=before) if fewer and unchanged else job


def _missing_cell(task: str, model: str, because: Reason, stored: Mapping[tuple[str, str], StoredCell]) -> PlannedCell:
    because = replace(because, subject=task)
    if (task, model) in stored:
        because = replace(because, text=f"{because.text}; what was stored before is kept")
    return PlannedCell(model=model, task=task, status="missing", job=None, because=because)


def _plan_cell(task: PlannedTask, model: ModelSpec, job: Job, stored: StoredCell | None) -> PlannedCell:
    mismatch = inapplicable(task, model)
    if mismatch:
        return PlannedCell(model=model.name, task=task.name, status="inapplicable", job=None, because=mismatch)
    spans = task.layout.spans()

    def cell(status: Status, pending: Sequence[tuple[int, int]] = (), text: str = "", general: str = "") -> PlannedCell:
        text = "; ".join(filter(None, [text, SAME if job.files and stored is not None else ""]))
        because = Reason(kind="task", subject=task.name, text=text, general=general) if text else None
        return PlannedCell(
            model=model.name, task=task.name, status=status, job=job, pending=tuple(pending), because=because
        )

    if stored is None:
        return cell("run", spans)
    if stored.job.key != job.key:
        return cell("rerun", spans, _changes(stored.job.identity, job.identity))
    if stored.spans:
        job = replace(job, code=stored.job.code, tensors=stored.job.tensors, layers=stored.job.layers)
    missing_spans = [span for span in spans if span not in stored.spans]
    if stored.failed is not None and missing_spans:  # a disk can fail after the last of the spans is stored
        return cell("retry", missing_spans, f"failed before: {stored.failed}")
    if not missing_spans:
        return cell("stored")
    stored_spans = f"{len(spans) - len(missing_spans)} of {len(spans)} spans stored"
    return cell("resume", missing_spans, stored_spans, "some spans stored")


def _changes(before: Identity, now: Identity) -> str:
    """What changed; if no value did, the fields that only one of the two identities records."""
    if changes := difference(before.document, now.document):
        return changes
    names = ", ".join(sorted(leaves(before.document).keys() ^ leaves(now.document).keys())) or "fields without a value"
    return f"recorded by another version, with different fields: {names}"
