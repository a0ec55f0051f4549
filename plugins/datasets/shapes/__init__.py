"""Datasets `shapes…`: a synthetic stand-in for ImageNet and the sets that measure generalization from it.

Each of 16 classes has a silhouette and a texture, as objects have, so that a network may rely on either. What
ImageNet-V2, -ReaL, -C, -C-bar, -A, -Sketch, -R, Stylized ImageNet and cue-conflict are to ImageNet, these are to
`shapes`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from harness import Dataset, Sample, hookimpl

from . import hard, scene, styles
from .base import CLASSES, ShapesSet, numbered, paired
from .corrupted import ShapesC, ShapesCBar
from .scene import Look
from .stream import Stream

SHIFTED = Look(
    radius=(15.5, 24.0),
    turn=(-0.075, 0.075),
    margin=23.0,
    texture_scale=(0.7, 1.4),
    texture_turn=(-0.04, 0.04),
    clutter=(2, 7),
    clutter_size=(2.5, 7.0),
    apart=50.0,
    contrast=(0.3, 0.9),
    noise=(0.0, 6.0),
)
"""The look of `shapes-v2`."""


@dataclass(frozen=True, kw_only=True)
class Shapes(ShapesSet):
    """Held-out images that look as the training images of the zoo do."""

    name: str = "shapes"
    world: ClassVar[str] = "shapes"


@dataclass(frozen=True, kw_only=True)
class ShapesV2(ShapesSet):
    """The same anew, everything a little wider, as ImageNet-V2 (Recht et al. 2019): poses, clutter, contrast, noise."""

    name: str = "shapes-v2"
    world: ClassVar[str] = "shapes-v2"
    look: ClassVar[Look] = SHIFTED


@dataclass(frozen=True, kw_only=True)
class ShapesReal(ShapesSet):
    """Two things side by side in two of five images, and either is right, as in ImageNet-ReaL (Beyer et al. 2020)."""

    name: str = "shapes-real"
    world: ClassVar[str] = "shapes-real"

    def samples(self, root: Path) -> list[Sample]:
        """All samples, with the classes of all things as targets, in ascending order."""
        return [
            Sample(id=one.id, targets=tuple(sorted(self._things(one.id)[0])))
            for one in map(self._sample, range(self.images))
        ]

    def pixels(self, sample: Sample) -> np.ndarray:
        """One or two things in front of a background."""
        things, stream = self._things(sample.id)
        return scene.picture(things, things, stream, self.look)

    def _things(self, sample_id: str) -> tuple[tuple[int, ...], Stream]:
        """Classes from left to right, and the random numbers that are left."""
        label, number = numbered(sample_id)
        stream = self.stream(sample_id)
        if number % 5 not in (1, 3):
            return (label,), stream
        other = (label + 1 + stream.pick(len(CLASSES) - 1)) % len(CLASSES)
        return ((label, other) if stream.unit() < 0.5 else (other, label)), stream


@dataclass(frozen=True, kw_only=True)
class ShapesA(ShapesSet):
    """Things that the zoo's baseline gets wrong, as ImageNet-A (Hendrycks et al. 2021).

    They are tiny, occluded, cluttered or faint: the attribute `variant`. The choice is stored, see
    `hard`.
    """

    name: str = "shapes-a"
    images: int = 160
    world: ClassVar[str] = "shapes-a"
    attributes: ClassVar[tuple[str, ...]] = ("variant",)

    def __post_init__(self) -> None:
        """ValueError for another seed, whose images nobody chose, or more images than were chosen."""
        if self.seed:
            raise ValueError(f"seed={self.seed}: expected 0, the only seed whose images were chosen")
        most = sum(map(len, hard.candidates().values()))
        if not 1 <= self.images <= most:
            raise ValueError(f"images={self.images}: expected 1 to {most}, which were chosen")

    def pixels(self, sample: Sample) -> np.ndarray:
        """A thing that is hard to make out."""
        return hard.candidate(*numbered(sample.id))

    def _sample(self, number: int) -> Sample:
        label, chosen = number % len(CLASSES), hard.candidates()[CLASSES[number % len(CLASSES)]]
        candidate = chosen[number // len(CLASSES)]
        return Sample(id=f"{CLASSES[label]}-{candidate:03d}", targets=(label,), attributes=(hard.kind(candidate),))


@dataclass(frozen=True, kw_only=True)
class ShapesSketch(ShapesSet):
    """Pencil drawings, as ImageNet-Sketch (Wang et al. 2019)."""

    name: str = "shapes-sketch"
    images: int = 160
    world: ClassVar[str] = "shapes-sketch"

    def pixels(self, sample: Sample) -> np.ndarray:
        """A drawing on paper."""
        label, _ = numbered(sample.id)
        return styles.sketch(label, label, self.stream(sample.id), self.look)


@dataclass(frozen=True, kw_only=True)
class ShapesR(ShapesSet):
    """Renditions, as ImageNet-R (Hendrycks et al. 2021): cartoons and paintings by turns."""

    name: str = "shapes-r"
    images: int = 160
    world: ClassVar[str] = "shapes-r"
    attributes: ClassVar[tuple[str, ...]] = ("variant",)

    def samples(self, root: Path) -> list[Sample]:
        """All samples, with ``cartoon`` or ``painting`` as variant."""
        return [
            Sample(id=one.id, targets=one.targets, attributes=(_RENDITIONS[numbered(one.id)[1] % 2],))
            for one in map(self._sample, range(self.images))
        ]

    def pixels(self, sample: Sample) -> np.ndarray:
        """A cartoon or a painting."""
        label, number = numbered(sample.id)
        draw = getattr(styles, _RENDITIONS[number % 2])
        return np.asarray(draw(label, label, self.stream(sample.id), self.look))


_RENDITIONS = ("cartoon", "painting")


@dataclass(frozen=True, kw_only=True)
class ShapesStylized(ShapesSet):
    """Silhouettes under a paint that belongs to no class, as Stylized ImageNet (Geirhos et al. 2019)."""

    name: str = "shapes-stylized"
    images: int = 160
    world: ClassVar[str] = "shapes-stylized"

    def pixels(self, sample: Sample) -> np.ndarray:
        """Thing and background, painted over."""
        label, _ = numbered(sample.id)
        return styles.stylized(label, self.stream(sample.id), self.look)


@dataclass(frozen=True, kw_only=True)
class ShapesCueConflict(ShapesSet):
    """The shape of one class and the texture of another, each pair once (Geirhos et al. 2019).

    ``star-heart`` is a star that looks like a heart from near: the target is the shape, the attribute `texture` the
    class whose texture it is.
    """

    name: str = "shapes-cue-conflict"
    images: int = 240
    world: ClassVar[str] = "shapes-cue-conflict"
    attributes: ClassVar[tuple[str, ...]] = ("texture",)

    def __post_init__(self) -> None:
        """ValueError for more images than there are pairs, or none."""
        if not 1 <= self.images <= _PAIRS:
            raise ValueError(f"images={self.images}: expected 1 to {_PAIRS}, the pairs of two classes")

    def pixels(self, sample: Sample) -> np.ndarray:
        """A thing in front of a background."""
        shape, texture = paired(sample.id)
        return scene.picture((shape,), (texture,), self.stream(sample.id), self.look)

    def _sample(self, number: int) -> Sample:
        shape = number % len(CLASSES)
        texture = CLASSES[(shape + 1 + number // len(CLASSES)) % len(CLASSES)]
        return Sample(id=f"{CLASSES[shape]}-{texture}", targets=(shape,), attributes=(texture,))


_PAIRS = len(CLASSES) * (len(CLASSES) - 1)


def sets() -> list[ShapesSet]:
    """One of each."""
    return [
        Shapes(),
        ShapesV2(),
        ShapesReal(),
        ShapesC(),
        ShapesCBar(),
        ShapesA(),
        ShapesSketch(),
        ShapesR(),
        ShapesStylized(),
        ShapesCueConflict(),
    ]


@hookimpl
def harness_datasets() -> list[Dataset]:
    """The synthetic sets, and the first 64 images of `shapes`, for attacks."""
    return [*sets(), Shapes(name="shapes-64", images=64)]
