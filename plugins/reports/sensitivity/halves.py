"""Biases and axes on random halves of the images, from stored decisions: the same halves for all models."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final
from zlib import crc32

import numpy as np

from harness import StoreError, Study, StudyModel, TrialReader, Trials, inference

from .quantities import Quantities

BLOCK: Final = 16
"""Models whose decisions are in memory at once."""
UNMODIFIED: Final = "clean"
PerImage = tuple[np.ndarray, np.ndarray]
"""Of one model, (images,) each: numerators and denominators of a measure that is a ratio of sums over images."""


def halves_of(study: Study, over: Quantities, name: str) -> np.ndarray | None:
    """A bias or axis of the models that have it, (2, draws, n); see `inference.half_values`.

    None where it cannot be made from single decisions: a measure that is no ratio of sums, a model without trials or
    with other images than the first, or sums that are not the measure itself.
    """
    if study.trial_reader is None:
        return None
    models = [model for model, has in zip(over.models, over.complete(name), strict=True) if has]
    parts = []
    for part in over.definitions[name]:
        halves = _of_part(study.trial_reader, models, part) if models else None
        if halves is None:
            return None
        parts.append(halves)
    means: np.ndarray = np.mean(parts, axis=0)
    return means


def digests_of(study: Study, over: Quantities) -> list[tuple[str, str, str]] | None:
    """(task, model, digest) of all trials that `halves_of` may read; None if those of one cannot be told."""
    reader = study.trial_reader
    if reader is None:
        return []
    places = [part.partition("@") for parts in over.definitions.values() for part in parts]
    tasks = dict.fromkeys(
        task
        for measure, _, place in places
        for task in _tasks(reader, measure, place.partition("/")[0], place.partition("/")[2])
    )
    names = {model.name for model in over.models}
    try:
        return [
            (task, model, reader.digest(task, model))
            for task in tasks
            for model in reader.cells().get(task, ())
            if model in names
        ]
    except StoreError:
        return None


def _of_part(reader: TrialReader, models: Sequence[StudyModel], part: str) -> np.ndarray | None:
    """One measure of each model on both halves of its images."""
    measure, _, place = part.partition("@")
    dataset, _, condition = place.partition("/")
    for task in _tasks(reader, measure, dataset, condition):
        blocks = [_of_block(reader, models[at : at + BLOCK], task, part) for at in range(0, len(models), BLOCK)]
        defined = [block for block in blocks if block is not None]
        if len(defined) == len(blocks) and len({ids for ids, _ in defined}) == 1:
            return np.concatenate([halves for _, halves in defined], axis=2)
    return None


def _tasks(reader: TrialReader, measure: str, dataset: str, condition: str) -> Iterator[str]:
    """Tasks whose decisions a measure may count."""
    if measure not in COUNTED:
        return
    if not condition:
        yield f"{COUNTED[measure][0]}@{dataset}"
        return
    yield from (task for task in reader.cells() if task.partition("@")[2] == dataset)


def _of_block(
    reader: TrialReader, models: Sequence[StudyModel], task: str, part: str
) -> tuple[tuple[str, ...], np.ndarray] | None:
    """Ids of the images, and the values on both halves; None as in `halves_of`."""
    measure, _, place = part.partition("@")
    ids: tuple[str, ...] | None = None
    rows = []
    for model in models:
        trials = _read(reader, task, model.name)
        if trials is None or (ids is not None and trials.layout.sample_ids != ids):
            return None
        ids = trials.layout.sample_ids
        counted = COUNTED[measure][1](trials, place.partition("/")[2])
        if counted is None or not _is_measure(counted, model.measures[part].value):
            return None
        rows.append(counted)
    above, below = (np.stack([row[side] for row in rows]) for side in (0, 1))
    return (ids, inference.half_values(above, below, keys=_keys(ids))) if ids is not None else None


def _keys(ids: Sequence[str]) -> list[int]:
    """A number for each image, by its id: datasets that share images (another labelling, say) share the halves."""
    return [crc32(name.encode("utf-8", "surrogatepass")) for name in ids]


def _read(reader: TrialReader, task: str, model: str) -> Trials | None:
    if model not in reader.cells().get(task, ()):
        return None
    try:
        return reader.read(task, model)
    except StoreError:
        return None


def _is_measure(counted: PerImage, value: float | None) -> bool:
    """Whether the sums over all images give the measure."""
    above, below = (float(side.sum()) for side in counted)
    return value is not None and below > 0 and math.isclose(above / below, value, rel_tol=1e-9, abs_tol=1e-9)


def _right(trials: Trials, condition: str) -> PerImage | None:
    """Correct decisions, of all views of an image or under one condition, and their number."""
    layout = trials.layout
    chosen = [at for at, name in enumerate(layout.conditions) if condition in ("", name)]
    if not chosen or not layout.labelled:
        return None
    correct = trials.correct[:, chosen]
    return correct.sum(axis=1), np.full(len(correct), len(chosen))


def _shapes(trials: Trials, condition: str) -> PerImage | None:
    """Decisions for the shape, and for the shape or the texture, where the two conflict."""
    layout = trials.layout
    textures = layout.attributes.get("texture")
    if condition or textures is None or UNMODIFIED not in layout.conditions or (layout.targets[:, 1:] >= 0).any():
        return None
    numbers = {name: number for number, name in enumerate(layout.classes)}
    texture, shape = np.array([numbers.get(name, -1) for name in textures]), layout.targets[:, 0]
    chosen = trials.top5[:, trials.column(UNMODIFIED), 0]
    conflict = (texture != shape) & (texture >= 0)
    for_shape = (chosen == shape) & conflict
    return for_shape, for_shape | ((chosen == texture) & conflict)


COUNTED: Mapping[str, tuple[str, Callable[[Trials, str], PerImage | None]]] = {
    "top1": ("accuracy", _right),
    "shape-bias": ("shape-bias", _shapes),
}
"""Measure -> the probe whose decisions it counts where no condition is named, and how."""
