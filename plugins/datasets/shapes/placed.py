"""Dataset `shapes-placed`: the images of `shapes`, and where in each the object was drawn.

Its samples, targets and pixels are those of `shapes`; the attributes are what the renderer draws the object with, so
they are exact. A dataset of its own, so that stored numbers on `shapes` keep their identity.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from harness import DatasetError, Sample

from . import scene
from .base import ShapesSet, plain
from .scene import SIZE, Look


@dataclass(frozen=True, kw_only=True)
class ShapesPlaced(ShapesSet):
    """`shapes`, with the attributes `x`, `y`, `size` and `tilt` of each object.

    `x`, `y`: its centre, right and down from the top left corner, as a fraction of the image's side (the renderer
    rounds it to a quarter of a pixel). `size`: side of the upright square in which its silhouette is designed, likewise
    a fraction. `tilt`: its rotation in degrees, clockwise.

    Attributes:
        margin: least distance of a centre from the edges, in pixels; centres are uniform within. 24 gives the images of
            `shapes`; with less, objects are drawn where `shapes` has none, and cut off by the edges.
    """

    name: str = "shapes-placed"
    margin: float = Look().margin
    world: ClassVar[str] = "shapes"
    attributes: ClassVar[tuple[str, ...]] = ("x", "y", "size", "tilt")

    def __post_init__(self) -> None:
        """Raise ValueError for no images, or a margin that leaves no room."""
        super().__post_init__()
        if not 0 <= self.margin <= SIZE / 2:
            raise ValueError(f"margin={self.margin}: expected 0 to {SIZE // 2} pixels")

    def samples(self, root: Path) -> list[Sample]:
        """All samples; of each, only the pose is drawn. Raises DatasetError if images are cropped."""
        if self.preprocessing.native or self.preprocessing.resize not in (None, self.preprocessing.size):
            raise DatasetError(
                f"dataset {self.name!r}: {self.preprocessing}: places are known in whole images only; leave resize out"
            )
        return [replace(sample, attributes=self.place(sample.id)) for sample in super().samples(root)]

    def pixels(self, sample: Sample) -> np.ndarray:
        """As of `shapes`, with the object where `margin` allows it."""
        return plain(self.stream(sample.id), sample.id, self._look)

    def place(self, sample_id: str) -> tuple[str, ...]:
        """`x`, `y`, `size` and `tilt` of one image, to six decimals."""
        at = scene.pose(self.stream(sample_id), self._look)  # the first thing that the renderer draws from the stream
        numbers = (at.x / SIZE, at.y / SIZE, 2 * at.radius / SIZE, 360 * at.turn)
        return tuple(f"{number:.6f}" for number in numbers)

    @property
    def _look(self) -> Look:
        return replace(self.look, margin=self.margin)
