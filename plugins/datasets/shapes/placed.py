"""Dataset `shapes-placed`: the images of `shapes`, and where in each the object was drawn.

Its samples, targets and pixels are those of `shapes`; the attributes are what the renderer draws the object with, so
they are exact. A dataset of its own, so that stored numbers on `shapes` keep their identity.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from harness import DatasetError, Sample

from . import scene
from .base import ShapesSet
from .scene import SIZE


@dataclass(frozen=True, kw_only=True)
class ShapesPlaced(ShapesSet):
    """`shapes`, with the attributes `x`, `y`, `size` and `tilt` of each object.

    `x`, `y`: its centre, right and down from the top left corner, as a fraction of the image's side (the renderer
    rounds it to a quarter of a pixel). `size`: side of the upright square in which its silhouette is designed, likewise
    a fraction. `tilt`: its rotation in degrees, clockwise.
    """

    name: str = "shapes-placed"
    world: ClassVar[str] = "shapes"
    attributes: ClassVar[tuple[str, ...]] = ("x", "y", "size", "tilt")

    def samples(self, root: Path) -> list[Sample]:
        """All samples; of each, only the pose is drawn. Raises DatasetError if images are cropped."""
        if self.preprocessing.native or self.preprocessing.resize not in (None, self.preprocessing.size):
            raise DatasetError(
                f"dataset {self.name!r}: {self.preprocessing}: places are known in whole images only; leave resize out"
            )
        return [replace(sample, attributes=self.place(sample.id)) for sample in super().samples(root)]

    def place(self, sample_id: str) -> tuple[str, ...]:
        """`x`, `y`, `size` and `tilt` of one image, to six decimals."""
        at = scene.pose(self.stream(sample_id), self.look)  # the first thing that the renderer draws from the stream
        numbers = (at.x / SIZE, at.y / SIZE, 2 * at.radius / SIZE, 360 * at.turn)
        return tuple(f"{number:.6f}" for number in numbers)
