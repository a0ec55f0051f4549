"""Shift consistency: does a network decide alike for two random crops of one image?

Zhang, "Making convolutional networks shift-invariant again" (ICML 2019; ``validate_shift`` in ``main.py`` of
adobe/antialiased-cnns): of the image at 256 pixels, two crops of 224 whose corners are uniform in 0 … 31 per axis, five
times over the validation set. The published code draws the corners once for a batch of 8, here they are drawn for each
image: the expectation is the same, the variance smaller.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from harness import Batch, Measure, Probe, Trials, accuracy_measures, hookimpl

from ._changes import consistency
from ._resizing import pixels

if TYPE_CHECKING:
    import torch

LARGER: Final = 256 / 224
"""Side of the images ÷ side of the crops."""


@dataclass(frozen=True, kw_only=True)
class ShiftConsistency(Probe):
    """Decisions on pairs of random crops, of 224 pixels out of 256.

    Conditions ``shift-0a``, ``shift-0b``, ``shift-1a``, …: `draws` pairs of each image. ``shift-consistency`` is
    the share of pairs that are decided alike (being wrong twice in the same way counts); ``top1-change`` and ``mac``
    under ``shift`` are those from the first to the second crop. A network that guesses has none of them.

    Attributes:
        draws: pairs of crops of each image.
    """

    name: ClassVar[str] = "shift-consistency"

    draws: int = 5

    def __post_init__(self) -> None:
        if not 1 <= self.draws <= 16:
            raise ValueError(f"draws are the pairs of crops of each image, 1 to 16; got {self.draws}")

    def side(self, size: int) -> int:
        """256 for 224, the same ratio at other sides."""
        return pixels(LARGER, size)

    def conditions(self, size: int) -> tuple[str, ...]:
        """``shift-0a`` to ``shift-4b``. ValueError where image and crop are equally large."""
        if self.side(size) == size:
            raise ValueError(f"crops of {size} pixels are as large as their images of {self.side(size)}")
        return tuple(condition for pair in self._pairs() for condition in pair)

    def stimuli(self, batch: Batch) -> Iterator[tuple[str, torch.Tensor]]:
        """Crops of each image at corners of its own."""
        places = batch.images.shape[-1] - batch.size
        drawn = batch.uniform("shift-consistency").flatten(1)[:, : 4 * self.draws].tolist()
        for number, condition in enumerate(self.conditions(batch.size)):
            corners = [[int(places * value) for value in row[2 * number :][:2]] for row in drawn]
            yield condition, cropped(batch.images, corners, batch.size)

    def measures(self, trials: Trials) -> Iterable[Measure]:
        """Accuracies, ``shift-consistency`` and the changes."""
        for condition in trials.layout.conditions:
            yield from accuracy_measures(trials, condition)
        yield from consistency("shift-consistency", trials, self._pairs(), "shift")

    def _pairs(self) -> list[tuple[str, str]]:
        return [(f"shift-{draw}a", f"shift-{draw}b") for draw in range(self.draws)]


def cropped(images: torch.Tensor, corners: Sequence[Sequence[int]], size: int) -> torch.Tensor:
    """A window of each image (B, 3, S, S) with its first row and column at its corner, (B, 3, size, size)."""
    import torch

    return torch.stack(
        [
            image[:, row : row + size, column : column + size]
            for image, (row, column) in zip(images, corners, strict=True)
        ]
    )


@hookimpl
def harness_probes() -> list[Probe]:
    """Agreement between two random crops."""
    return [ShiftConsistency()]
