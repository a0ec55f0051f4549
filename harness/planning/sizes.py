"""Networks that are known to take images of another size than a dataset gives, before they are loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from harness.records import Reason

if TYPE_CHECKING:
    from harness.interfaces import ModelSource
    from harness.planning.plan import PlannedTask
    from harness.records import ModelSpec


def of_other_sizes(
    tasks: Iterable[PlannedTask], models: Sequence[ModelSpec], sources: Mapping[str, ModelSource]
) -> dict[tuple[str, str], Reason]:
    """(task, model) -> why the network cannot take the task's images, as far as its source knows."""
    size_of = {spec.name: sources[spec.source].image_size(spec) for spec in models}
    return {
        (task.name, name): _reason(task, name, size)
        for task in tasks
        if not task.dataset.preprocessing.native
        for name, size in size_of.items()
        if size not in (None, task.dataset.preprocessing.size)
    }


def _reason(task: PlannedTask, model: str, size: int | None) -> Reason:
    dataset = task.dataset
    what = f"takes images of {size} pixels, {dataset.name} gives {dataset.preprocessing.size}"
    advice = f"a dataset entry with `size: {size}` (and a `resize` that is no smaller), or `size: native`, serves it"
    return Reason(
        kind="task", subject=task.name, text=f"{model} {what}; {advice}", general=f"the network {what}; {advice}"
    )
