"""Dataset `shapes-cues`: the images of `shapes`, and each again with one of its two cues drawn at random.

After Shah et al., "The Pitfalls of Simplicity Bias in Neural Networks" (NeurIPS 2020). What is left of the accuracy
without a cue says how much a network relies on it: `cue-reliance` of the probe `accuracy`. That compares an image with
its own variants, and a probe sees the trials of one dataset only. So these are not two datasets beside `shapes` but
three views of one: they share their images by construction, also under ``--limit``, are measured and stored together,
and intervals count an image once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from harness import Sample

from . import scene
from .base import CLASSES, ShapesSet, numbered
from .stream import Stream

INTACT, TEXTURE, SILHOUETTE = "all-cues", "random-texture", "random-silhouette"


@dataclass(frozen=True, kw_only=True)
class ShapesCues(ShapesSet):
    """`shapes` in the view ``all-cues``; in ``random-texture`` and ``random-silhouette`` with one cue of any class.

    All else stays as it is: pose, colours, background, clutter, light and noise. The target is always the class of
    the image in `shapes`, that is of the cue that stays. The attributes ``random-texture`` and ``random-silhouette``
    say which class the drawn cue has.

    Of each 16 consecutive images of a class, each class gives its cue to one, its own too: among 256 images (or a
    multiple) each pair of classes is in each view once. So the drawn cue tells nothing about the class, and a network
    that reads it alone is right on exactly 1 of 16 images. For other numbers of images this holds on average.
    """

    name: str = "shapes-cues"
    images: int = len(CLASSES) ** 2
    world: ClassVar[str] = "shapes"
    attributes: ClassVar[tuple[str, ...]] = (TEXTURE, SILHOUETTE)

    def views(self) -> tuple[str, ...]:
        """``all-cues``, ``random-texture``, ``random-silhouette``."""
        return INTACT, TEXTURE, SILHOUETTE

    def folder(self, root: Path, view: str) -> None:
        """None: the images are generated."""

    def samples(self, root: Path) -> list[Sample]:
        """All samples, with the classes of the drawn cues; no image is drawn."""
        return [
            replace(sample, attributes=tuple(CLASSES[self.drawn(view, sample.id)] for view in self.attributes))
            for sample in super().samples(root)
        ]

    def pixels(self, sample: Sample) -> np.ndarray:
        """The image of `shapes` with the silhouette and the texture of `sample.view`."""
        label, _ = numbered(sample.id)
        shape = self.drawn(SILHOUETTE, sample.id) if sample.view == SILHOUETTE else label
        texture = self.drawn(TEXTURE, sample.id) if sample.view == TEXTURE else label
        return scene.picture((shape,), (texture,), self.stream(sample.id), self.look)

    def drawn(self, view: str, sample_id: str) -> int:
        """The class of the cue that is drawn at random for one image in `view`."""
        label, number = numbered(sample_id)
        block, place = divmod(number, len(CLASSES))
        stream = Stream("shapes", "shapes-cues", self.seed, view, CLASSES[label], block)
        return int(np.argsort(stream.units(len(CLASSES)), kind="stable")[place])
