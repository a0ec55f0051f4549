"""Resize and crop where they are not the dataset's own: a suite's, or with ``size: native`` those of each network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.errors import RequestError, blamed
from harness.records import Reason, Remark, columns_of

if TYPE_CHECKING:
    from harness.interfaces import Dataset
    from harness.planning.plan import PlannedTask
    from harness.planning.request import Selection
    from harness.records import ModelSpec, Preprocessing

Natives = Mapping[str, "Preprocessing | None"]
"""Model -> resize and crop that its source states; None: it states none."""


def remarks_on(dataset: Dataset, of_suite: Preprocessing | None) -> tuple[Remark, ...]:
    """What is said of the resize and crop of a dataset: that a suite replaces them, or that networks state them."""
    if of_suite and of_suite != dataset.preprocessing:
        text = f"{of_suite} as the suite says; its own is {dataset.preprocessing}"
        return (Remark("data", dataset.name, text),)
    return (Remark("data", dataset.name, str(dataset.preprocessing)),) if dataset.preprocessing.native else ()


def with_preprocessing(dataset: Dataset, preprocessing: Preprocessing | None) -> Dataset:
    """A copy of `dataset` that gives such images; None: itself.

    Raises:
        RequestError: the dataset refuses them, by a ValueError. PluginError: it raises anything else.
    """
    if preprocessing is None:
        return dataset
    with blamed(f"dataset {dataset.name!r} with {preprocessing}"):
        try:
            return replace(dataset, preprocessing=preprocessing)
        except ValueError as error:
            raise RequestError(f"dataset {dataset.name!r} refuses {preprocessing}: {error}") from error


def natives_of(selection: Selection) -> dict[str, Preprocessing | None]:
    """What the source of each model states; empty if no dataset asks for it. Raises PluginError for a broken source."""
    if not any(dataset.preprocessing.native for dataset in selection.datasets.values()):
        return {}
    natives = {}
    for spec in selection.models:
        with blamed(spec.asked):
            natives[spec.name] = selection.sources[spec.source].native(spec)
    return natives


def shown_to(task: PlannedTask, model: ModelSpec, natives: Natives) -> PlannedTask | Reason:
    """`task` with the resize and crop of `model`; or why it cannot be measured on it.

    The task keeps one layout, so the probe must have the same conditions and arrays at the model's size.
    """
    if not task.dataset.preprocessing.native:
        return task
    native = natives.get(model.name)
    if native is None:
        return _inapplicable(task, model, f"source {model.source!r} states no size, resize and crop of the network")
    size = native.size
    try:
        dataset = with_preprocessing(task.dataset, native)
        conditions = columns_of(tuple(task.manifest.folders), task.probe.conditions(size))
        if task.probe.side(size) != size:
            raise ValueError(f"the probe makes stimuli from images of {task.probe.side(size)} pixels")
        alike = conditions == task.conditions and dict(task.probe.arrays(size)) == dict(task.arrays)
    except (RequestError, ValueError) as error:
        return _inapplicable(task, model, f"at {size} pixels: {error}")
    if not alike:
        at = task.dataset.preprocessing.size
        return _inapplicable(task, model, f"the probe has other conditions at {size} pixels than at {at}")
    return replace(task, dataset=dataset)


def _inapplicable(task: PlannedTask, model: ModelSpec, text: str) -> Reason:
    return Reason(kind="task", subject=task.name, text=f"{model.name}: {text}", general=text)
