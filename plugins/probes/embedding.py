"""Embedding: does a decision change when a small picture on a canvas moves, or grows, by one pixel?

Azulay & Weiss, "Why do deep convolutional networks generalize so poorly to small image transformations?" (JMLR 2019),
protocols "translation, embedding, black", "scale, embedding, black" and "translation, embedding, inpainting", as their
demonstrations show them: a picture of 100 pixels at a random place of a canvas of 224, shifted by (1, 1), or one pixel
larger at the same place. Their code writes the canvas after normalization, so that black is the mean colour there; here
it is black. Their inpainting paints over black pixels of the picture, see `_inpainting`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from harness import Batch, Measure, Probe, Trials, accuracy_measures, hookimpl

from ._changes import changes
from ._inpainting import inpainted
from ._resizing import pixels, resized

if TYPE_CHECKING:
    import torch

CONDITIONS = ("black-a", "black-b", "scale-b", "inpainted-a", "inpainted-b")
PAIRS: Final = {
    "black": ("black-a", "black-b"),
    "scale": ("black-a", "scale-b"),
    "inpainted": ("inpainted-a", "inpainted-b"),
}
"""Name of the measures -> the two conditions."""


@dataclass(frozen=True, kw_only=True)
class Embedding(Probe):
    """Decisions on a small picture on a black canvas, and on one with its edges blurred into the surroundings.

    The image of side S is reduced to `scale` · S pixels, antialiased, and placed on a black canvas of side S.
    Conditions: ``black-a``; ``black-b``, one pixel down and right; ``scale-b``, the corner of ``black-a`` and the
    picture one pixel larger; ``inpainted-a`` and ``inpainted-b``, as black, with everything around the picture filled.
    Measures of the pairs are named after ``black``, ``scale`` and ``inpainted``; a network that guesses has none.

    Attributes:
        scale: side of the picture ÷ side of the image.
        corner: first row and first column of the picture, in pixels; None: uniform for each image, from its id.
    """

    name: ClassVar[str] = "embedding"

    scale: float = 100 / 224
    corner: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.scale < 1:
            raise ValueError(
                f"scale is the side of the picture divided by that of the image, in (0, 1); got {self.scale}"
            )
        if self.corner is not None and self.corner < 0:
            raise ValueError(f"corner is a row and column of the canvas, 0 or more, or null; got {self.corner}")

    def conditions(self, size: int) -> tuple[str, ...]:
        """The five. ValueError where the picture has less than two pixels, or leaves the canvas when it moves."""
        side = pixels(self.scale, size)
        if side < 2 or side >= size:
            raise ValueError(
                f"scale {self.scale:g} of {size} pixels gives a picture of {side}; it must have 2 to {size - 1}"
            )
        if self.corner is not None and self.corner > size - side - 1:
            raise ValueError(
                f"corner {self.corner} and a picture of {side} pixels that moves by one leave the canvas of {size}; "
                f"the largest corner is {size - side - 1}"
            )
        return CONDITIONS

    def stimuli(self, batch: Batch) -> Iterator[tuple[str, torch.Tensor]]:
        """One reduction for each side of the picture, and one canvas for each condition."""
        size = batch.images.shape[-1]
        side = pixels(self.scale, size)
        corners = self._corners(batch, size - side)
        moved = [(row + 1, column + 1) for row, column in corners]
        picture = resized(batch.images, side)
        yield "black-a", _placed(picture, corners, size)
        yield "black-b", _placed(picture, moved, size)
        yield "scale-b", _placed(resized(batch.images, side + 1), corners, size)
        yield "inpainted-a", inpainted(_placed(picture, corners, size), corners, side)
        yield "inpainted-b", inpainted(_placed(picture, moved, size), moved, side)

    def measures(self, trials: Trials) -> Iterable[Measure]:
        """Accuracies, and the changes of each of `PAIRS`."""
        for condition in trials.layout.conditions:
            yield from accuracy_measures(trials, condition)
        for label, pair in PAIRS.items():
            yield from changes(trials, [pair], label)

    def _corners(self, batch: Batch, places: int) -> list[tuple[int, int]]:
        """First row and column of the picture of each sample; there are `places` of either, 0 to places - 1."""
        if self.corner is not None:
            return [(self.corner, self.corner)] * len(batch.sample_ids)
        drawn = batch.uniform("embed")[:, 0, 0, :2].tolist()
        return [(int(row * places), int(column * places)) for row, column in drawn]


def _placed(pictures: torch.Tensor, corners: Sequence[tuple[int, int]], size: int) -> torch.Tensor:
    """Each picture (B, 3, side, side) on a black canvas, with its first pixel at its corner, (B, 3, size, size)."""
    side = pictures.shape[-1]
    canvas = pictures.new_zeros(*pictures.shape[:2], size, size)
    for number, (row, column) in enumerate(corners):
        canvas[number, :, row : row + side, column : column + side] = pictures[number]
    return canvas


@hookimpl
def harness_probes() -> list[Probe]:
    """A small picture that moves or grows by one pixel."""
    return [Embedding()]
