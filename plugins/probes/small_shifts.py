"""Small shifts: does a decision change when the crop moves by one pixel?

Azulay & Weiss, "Why do deep convolutional networks generalize so poorly to small image transformations?" (JMLR 2019),
protocol "crop": the image is enlarged a little, and two windows of the network's size are one pixel apart along the
diagonal. Their code (``CheckTranslationInvariance.py`` of AzulEye/CNN-Failures) draws a crop of random place and
proportions, in random order without a seed; here the crop is centred and square.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Final

from harness import Batch, Measure, Probe, Trials, accuracy_measures, hookimpl

from ._changes import changes
from ._resizing import pixels, resized

if TYPE_CHECKING:
    import torch

MARGIN: Final = 10 / 224
"""Pixels by which an image is enlarged, as a fraction of its side: 224 to 234."""
LEAST_MARGIN, MOST_SHIFTS = 2, 8


@dataclass(frozen=True, kw_only=True)
class SmallShifts(Probe):
    """Decisions on nine windows of an enlarged image, each one pixel down and right of the one before.

    An image of side S is enlarged to S + m, m = 10 · S / 224 rounded and at least 2 (bilinear). Condition ``crop-c`` is
    the window with its corner at (c, c), c = 0 … min(8, m): nine windows and eight pairs at 224 pixels, four and three
    at 64. Measures over all pairs are named after ``crop``, those of the pair (crop-c, crop-c+1) after ``crop-c``; a
    network that guesses has none.

    Attributes:
        area: share of the image that is shown, a centred square; 1 is the whole image.
    """

    name: ClassVar[str] = "small-shifts"

    area: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.area <= 1:
            raise ValueError(f"area is a share of the image, above 0 and at most 1; got {self.area}")

    def conditions(self, size: int) -> tuple[str, ...]:
        """``crop-0`` to ``crop-8`` at 224 pixels. ValueError if less than two pixels would be enlarged."""
        if self._shown(size) < 2:
            raise ValueError(f"area {self.area:g} of {size}x{size} pixels is less than two pixels wide; choose more")
        return tuple(f"crop-{shift}" for shift in range(_shifts(size) + 1))

    def stimuli(self, batch: Batch) -> Iterator[tuple[str, torch.Tensor]]:
        """Windows of one enlarged image: nothing is computed for a condition."""
        size = batch.images.shape[-1]
        shown = self._shown(size)
        low = (size - shown) // 2
        enlarged = resized(batch.images[:, :, low : low + shown, low : low + shown], size + _margin(size))
        for shift, condition in enumerate(self.conditions(size)):
            yield condition, enlarged[:, :, shift : shift + size, shift : shift + size]

    def measures(self, trials: Trials) -> Iterable[Measure]:
        """Accuracies, ``top1-change``, ``top1-change-correct`` and ``mac`` over all pairs, ``top1-change`` of each."""
        for condition in trials.layout.conditions:
            yield from accuracy_measures(trials, condition)
        pairs = list(pairwise(trials.layout.conditions))
        yield from changes(trials, pairs, "crop")
        for pair in pairs:
            yield next(iter(changes(trials, [pair], pair[0])))

    def _shown(self, size: int) -> int:
        """Side of the part that is shown, in pixels."""
        return pixels(math.sqrt(self.area), size)


def _margin(size: int) -> int:
    return max(LEAST_MARGIN, pixels(MARGIN, size))


def _shifts(size: int) -> int:
    """Number of shifts by one pixel."""
    return min(MOST_SHIFTS, _margin(size))


@hookimpl
def harness_probes() -> list[Probe]:
    """Shifts of the crop by one pixel."""
    return [SmallShifts()]
