"""Roll consistency: does a network decide alike for two circular shifts of one image?

Chaman & Dokmanić, "Truly shift-invariant convolutional neural networks" (CVPR 2021; ``main.py`` of
achaman2/truly_shift_invariant_cnns): the image is rolled by two independent offsets, -32 … 31 pixels per axis at 224
pixels. What leaves at one edge comes back at the other, so this measures the architecture, not realistic shifts: a
network with circular padding and adaptive polyphase sampling is exactly consistent. The published code draws the
offsets once for a batch, here they are drawn for each image; the expectation is the same.
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

CONDITIONS = ("roll-a", "roll-b")
REACH: Final = 32 / 224
"""Largest offset as a fraction of the side."""


@dataclass(frozen=True, kw_only=True)
class RollConsistency(Probe):
    """Decisions on an image rolled twice, by offsets that are uniform from -r to r - 1 pixels per axis.

    ``roll-consistency`` is the share of images for which both decisions agree; ``top1-change`` and ``mac`` under
    ``roll`` are those from ``roll-a`` to ``roll-b``. A network that guesses has none of them.

    Attributes:
        reach: r in pixels; None: 32 / 224 of the side, rounded (32 at 224 pixels, 9 at 64).
    """

    name: ClassVar[str] = "roll-consistency"

    reach: int | None = None

    def __post_init__(self) -> None:
        if self.reach is not None and self.reach < 1:
            raise ValueError(f"reach is the largest offset in pixels, 1 or more, or null; got {self.reach}")

    def conditions(self, size: int) -> tuple[str, ...]:
        """``roll-a`` and ``roll-b``. ValueError for offsets beyond half of the image, which would come round."""
        reach = self._reach(size)
        if 2 * reach > size:
            raise ValueError(f"a roll by up to {reach} pixels needs images of at least {2 * reach}, got {size}")
        return CONDITIONS

    def stimuli(self, batch: Batch) -> Iterator[tuple[str, torch.Tensor]]:
        """Each image rolled by its own two offsets."""
        reach = self._reach(batch.images.shape[-1])
        drawn = batch.uniform("roll-consistency").flatten(1)[:, :4].tolist()
        for place, condition in enumerate(CONDITIONS):
            offsets = [tuple(int(2 * reach * value) - reach for value in four[2 * place :][:2]) for four in drawn]
            yield condition, rolled(batch.images, offsets)

    def measures(self, trials: Trials) -> Iterable[Measure]:
        """Accuracies, ``roll-consistency`` and the changes."""
        for condition in CONDITIONS:
            yield from accuracy_measures(trials, condition)
        yield from consistency("roll-consistency", trials, [CONDITIONS], "roll")

    def _reach(self, size: int) -> int:
        return max(1, pixels(REACH, size)) if self.reach is None else self.reach


def rolled(images: torch.Tensor, offsets: Sequence[Sequence[int]]) -> torch.Tensor:
    """Each image (B, 3, S, S) moved by its offset (rows, columns) in pixels: down and right where it is positive."""
    import torch

    return torch.stack([image.roll(tuple(offset), (1, 2)) for image, offset in zip(images, offsets, strict=True)])


@hookimpl
def harness_probes() -> list[Probe]:
    """Agreement between two circular shifts."""
    return [RollConsistency()]
