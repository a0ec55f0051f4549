"""The contract of stimuli, checked while a probe makes them; and the text of every failure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from harness.errors import CellError, described

if TYPE_CHECKING:
    from harness.planning.plan import PlannedTask


class StimulusContract:
    """The contract of all probes of a pass: names, order, number and shapes, and, on the first batch, the range.

    Args:
        tasks: the tasks of the pass.
    """

    def __init__(self, tasks: Sequence[PlannedTask]) -> None:
        self._announced = {task.name: task.probe.conditions(task.layout.size) for task in tasks}
        self._in_range: set[tuple[str, str]] = set()

    def conditions(self, task: PlannedTask) -> tuple[str, ...]:
        """The probe's conditions; every view of every image is shown under each of them."""
        return self._announced[task.name]

    def check(self, task: PlannedTask, number: int, condition: str, stimulus: torch.Tensor, shape: torch.Size) -> None:
        """Raises CellError if this stimulus breaks the contract.

        Args:
            number: 1 for the first stimulus of a batch. shape: shape of the batch's images.
        """
        name, announced = task.probe.name, self._announced[task.name]
        if number > len(announced) or condition != announced[number - 1]:
            raise CellError(
                f"probe {name} gave condition {condition!r} as number {number}, not in the order it announced"
            )
        if stimulus.shape != shape or stimulus.dtype != torch.float32:
            raise CellError(
                f"probe {name} gave {stimulus.dtype} {tuple(stimulus.shape)} under {condition}, "
                f"expected torch.float32 {tuple(shape)}"
            )
        if (task.name, condition) in self._in_range:
            return
        low, high = (float(value) for value in torch.aminmax(stimulus))
        if not (low >= 0.0 and high <= 1.0):
            raise CellError(f"probe {name} left [0, 1] under {condition}: {low:.4g} to {high:.4g}")
        self._in_range.add((task.name, condition))

    def check_complete(self, task: PlannedTask, count: int) -> None:
        """Raises CellError unless the `count` stimuli of a batch are all that the probe announced."""
        announced = len(self._announced[task.name])
        if count != announced:
            raise CellError(f"probe {task.probe.name} gave {count} of {announced} conditions")


class FirstImages:
    """A copy of the images of a pass's first batch, to detect whether a probe or network changes them in place."""

    def __init__(self) -> None:
        self._copy: torch.Tensor | None = None
        self._first_seen = False

    def follow(self, images: torch.Tensor) -> None:
        """A batch begins: copy its images if it is the first, else drop the copy."""
        self._copy, self._first_seen = (None if self._first_seen else images.clone()), True

    def restore(self, images: torch.Tensor) -> bool:
        """Whether the images of the first batch were changed; if so, they are restored for the following probes."""
        if self._copy is None or torch.equal(images, self._copy):
            return False
        images.copy_(self._copy)
        return True


def reason_of(error: Exception) -> str:
    """The exception in one line, with a remedy if the device ran out of memory."""
    hint = "; choose a smaller --batch-size" if isinstance(error, torch.OutOfMemoryError) else ""
    return described(error, hint)
