"""What plugins answer while a run is planned: checked before anything relies on it, and whether models fit it."""

from __future__ import annotations

import re
import reprlib
from typing import TYPE_CHECKING, Any, Final

from harness.records import Reason

if TYPE_CHECKING:
    from harness.interfaces import Dataset, Probe
    from harness.planning.plan import PlannedTask
    from harness.records import ModelSpec

MOST_NAMES: Final = 10_000
"""Views of a dataset, or conditions of a probe: each is a column of every cell."""
MOST_PIXELS: Final = 1 << 16
"""Side of an image."""
_NAME: Final = re.compile(r"[^@/\s\x00-\x1f]+")


def checked_names(what: str, names: Any) -> tuple[str, ...]:
    """What a plugin answers, as names that can be part of a measure. Raises ValueError."""
    if not isinstance(names, tuple | list):
        raise ValueError(f"{what}() returned {reprlib.repr(names)}, expected a tuple of names")
    if len(names) > MOST_NAMES:
        raise ValueError(f"{what}() returned {len(names):,} names, expected at most {MOST_NAMES:,}")
    for name in names:
        if not isinstance(name, str) or (name and not _NAME.fullmatch(name)):
            raise ValueError(f"{what}() names {reprlib.repr(name)}; a name is text without white space, '/' and '@'")
    return tuple(names)


def checked_effort(probe: Probe) -> int:
    """The cost of a stimulus, as a number of forwards. Raises ValueError."""
    effort = probe.effort()
    if type(effort) is not int or effort < 1:
        raise ValueError(f"effort() returned {effort!r}, expected a number of forwards from 1 up")
    return effort


def checked_side(probe: Probe, dataset: Dataset) -> int:
    """The side of the images that `probe` needs from `dataset`. Raises ValueError if it does not give them."""
    shown = dataset.preprocessing
    side: Any = probe.side(shown.size)
    if type(side) is not int or not 1 <= side <= MOST_PIXELS:
        raise ValueError(f"side({shown.size}) returned {side!r}, expected a number of pixels from 1 to {MOST_PIXELS:,}")
    if side == shown.size:
        return side
    needs = f"probe {probe.name} makes stimuli of {shown.size} pixels from images of {side}"
    if shown.native:
        raise ValueError(f"{needs}, and {dataset.name} has the size of each network; use an entry with resize and size")
    if shown.resize is None:
        raise ValueError(f"{needs}, and {dataset.name} has images of {shown.size} pixels that are used as they are")
    least = shown.resize if isinstance(shown.resize, int) else min(shown.resize)
    if side > least:
        raise ValueError(
            f"{needs}, and {dataset.name} is resized to {least}; an entry with `resize: {side}` or more serves it"
        )
    return side


def inapplicable(task: PlannedTask, model: ModelSpec) -> Reason | None:
    """Why `model` cannot be judged on `task`; None if it can."""
    space = task.space
    if model.label_space != space.model_label_space:
        has, needs = f"answers in {model.label_space}", f"needs {space.model_label_space}"
    elif model.outputs != space.outputs:
        has, needs = f"has {model.outputs} outputs", f"is judged by {space.outputs}"
    else:
        return None
    advice = ""
    if model.label_space == space.model_label_space and model.outputs == space.outputs + 1:
        lines = f'`outputs: {space.outputs}` and `recipe: {{rows: "1:{model.outputs}"}}`'
        advice = f"; if the first is a background class, write {lines} in the entry"
    return Reason(
        kind="task",
        subject=task.name,
        text=f"{model.name} {has}, {task.dataset.name} {needs}{advice}",
        general=f"the model {has}, the dataset {needs}{advice}",
    )
