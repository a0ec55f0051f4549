"""Datasets `shapes…`: a synthetic stand-in for ImageNet and the sets that measure generalization from it.

Each of 16 classes has a silhouette and a texture, so that a network may rely on either. The other sets are to `shapes`
what ImageNet-V2, -ReaL, -C, -C-bar, -A, -Sketch, -R, Stylized ImageNet and cue-conflict are to ImageNet.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from harness import Dataset, Sample, hookimpl

from . import hard, scene, styles
from .base import CLASSES, ShapesSet, numbered, paired
from .corrupted import ShapesC, ShapesCBar
from .cues import ShapesCues
from .factored import ShapesFactors
from .placed import ShapesPlaced
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
    """Held-out images from the distribution of the zoo's training images."""

    name: str = "shapes"
    world: ClassVar[str] = "shapes"


@dataclass(frozen=True, kw_only=True)
class ShapesV2(ShapesSet):
    """New images with a wider range of poses, clutter, contrast and noise, as ImageNet-V2 (Recht et al. 2019)."""

    name: str = "shapes-v2"
    world: ClassVar[str] = "shapes-v2"
    look: ClassVar[Look] = SHIFTED


@dataclass(frozen=True, kw_only=True)
class ShapesReal(ShapesSet):
    """Two of five images show two objects, either of which is correct, as in ImageNet-ReaL (Beyer et al. 2020)."""

    name: str = "shapes-real"
    world: ClassVar[str] = "shapes-real"

    def samples(self, root: Path) -> list[Sample]:
        """All samples, with the classes of all objects as targets, in ascending order."""
        return [
            Sample(id=sample.id, targets=tuple(sorted(self._labels_and_stream(sample.id)[0])))
            for sample in map(self._sample, range(self.images))
        ]

    def pixels(self, sample: Sample) -> np.ndarray:
        """One or two objects in front of a background."""
        labels, stream = self._labels_and_stream(sample.id)
        return scene.picture(labels, labels, stream, self.look)

    def _labels_and_stream(self, sample_id: str) -> tuple[tuple[int, ...], Stream]:
        """Classes from left to right, and the random numbers for the rest of the image."""
        label, number = numbered(sample_id)
        stream = self.stream(sample_id)
        if number % 5 not in (1, 3):
            return (label,), stream
        other = (label + 1 + stream.pick(len(CLASSES) - 1)) % len(CLASSES)
        return ((label, other) if stream.unit() < 0.5 else (other, label)), stream


@dataclass(frozen=True, kw_only=True)
class ShapesVotes(ShapesReal):
    """The images of `shapes-real` with one target each, and what people would say of the others: as `imagenet-votes`.

    The target is the object that the id names. Where there are two, every class was put to the vote, and five of five
    people see the two objects and nothing else (attribute `votes`); experts find the second object a minor mistake and
    any other class a major one (`judged`). Nobody was asked about an image of one object. `real`: the classes of all
    objects. A dataset of its own, so that stored numbers on `shapes-real` keep their identity.
    """

    name: str = "shapes-votes"
    attributes: ClassVar[tuple[str, ...]] = ("votes", "real", "judged")

    def samples(self, root: Path) -> list[Sample]:
        """All samples; of each, only the classes are drawn."""
        return [self._judged(sample) for sample in super().samples(root)]

    def _judged(self, sample: Sample) -> Sample:
        named, present = numbered(sample.id)[0], sample.targets
        others = range(len(CLASSES)) if len(present) > 1 else ()
        votes = " ".join(f"{label}:0/0/5" if label in present else f"{label}:5/0/0" for label in others)
        judged = (f"{label}:{'minor' if label in present else 'major'}" for label in others if label != named)
        return replace(sample, targets=(named,), attributes=(votes, " ".join(map(str, present)), " ".join(judged)))


@dataclass(frozen=True, kw_only=True)
class ShapesA(ShapesSet):
    """Images that the zoo's baseline misclassifies, as ImageNet-A (Hendrycks et al. 2021).

    The objects are tiny, occluded, cluttered or faint: the attribute `variant`. The selection is stored, see `hard`.
    """

    name: str = "shapes-a"
    images: int = 160
    world: ClassVar[str] = "shapes-a"
    attributes: ClassVar[tuple[str, ...]] = ("variant",)

    def __post_init__(self) -> None:
        """Raise ValueError for a seed without a stored selection, or for more images than were selected."""
        if self.seed:
            raise ValueError(f"seed={self.seed}: expected 0, the only seed whose images were chosen")
        most = sum(map(len, hard.candidates().values()))
        if not 1 <= self.images <= most:
            raise ValueError(f"images={self.images}: expected 1 to {most}, which were chosen")

    def attribute_values(self) -> dict[str, tuple[str, ...]]:
        """The four difficulties."""
        return {"variant": tuple(hard.LOOKS)}

    def pixels(self, sample: Sample) -> np.ndarray:
        """An object that is hard to recognize."""
        return hard.candidate(*numbered(sample.id))

    def _sample(self, number: int) -> Sample:
        label, numbers = number % len(CLASSES), hard.candidates()[CLASSES[number % len(CLASSES)]]
        candidate = numbers[number // len(CLASSES)]
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
    """Renditions, as ImageNet-R (Hendrycks et al. 2021): alternately cartoons and paintings."""

    name: str = "shapes-r"
    images: int = 160
    world: ClassVar[str] = "shapes-r"
    attributes: ClassVar[tuple[str, ...]] = ("variant",)

    def attribute_values(self) -> dict[str, tuple[str, ...]]:
        """Both kinds of renditions."""
        return {"variant": _RENDITIONS}

    def samples(self, root: Path) -> list[Sample]:
        """All samples, with ``cartoon`` or ``painting`` as variant."""
        return [
            Sample(id=sample.id, targets=sample.targets, attributes=(_RENDITIONS[numbered(sample.id)[1] % 2],))
            for sample in map(self._sample, range(self.images))
        ]

    def pixels(self, sample: Sample) -> np.ndarray:
        """A cartoon or a painting."""
        label, number = numbered(sample.id)
        draw = getattr(styles, _RENDITIONS[number % 2])
        return np.asarray(draw(label, label, self.stream(sample.id), self.look))


_RENDITIONS = ("cartoon", "painting")


@dataclass(frozen=True, kw_only=True)
class ShapesStylized(ShapesSet):
    """Silhouettes under a paint that is independent of the class, as Stylized ImageNet (Geirhos et al. 2019)."""

    name: str = "shapes-stylized"
    images: int = 160
    world: ClassVar[str] = "shapes-stylized"

    def pixels(self, sample: Sample) -> np.ndarray:
        """Object and background, painted over."""
        label, _ = numbered(sample.id)
        return styles.stylized(label, self.stream(sample.id), self.look)


@dataclass(frozen=True, kw_only=True)
class ShapesCueConflict(ShapesSet):
    """The shape of one class and the texture of another, each pair once (Geirhos et al. 2019).

    ``star-heart`` is a star with the texture of hearts: the target is the shape, the attribute `texture` the class of
    the texture.
    """

    name: str = "shapes-cue-conflict"
    images: int = 240
    world: ClassVar[str] = "shapes-cue-conflict"
    attributes: ClassVar[tuple[str, ...]] = ("texture",)

    def __post_init__(self) -> None:
        """Raise ValueError for no images, or more images than there are pairs."""
        if not 1 <= self.images <= _PAIRS:
            raise ValueError(f"images={self.images}: expected 1 to {_PAIRS}, the pairs of two classes")

    def pixels(self, sample: Sample) -> np.ndarray:
        """An object in front of a background."""
        shape, texture = paired(sample.id)
        return scene.picture((shape,), (texture,), self.stream(sample.id), self.look)

    def _sample(self, number: int) -> Sample:
        shape = number % len(CLASSES)
        texture = CLASSES[(shape + 1 + number // len(CLASSES)) % len(CLASSES)]
        return Sample(id=f"{CLASSES[shape]}-{texture}", targets=(shape,), attributes=(texture,))


_PAIRS = len(CLASSES) * (len(CLASSES) - 1)


def sets() -> list[ShapesSet]:
    """One dataset of each class above, and `shapes-cues`."""
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
        ShapesCues(),
        ShapesFactors(),
    ]


@hookimpl
def harness_datasets() -> list[Dataset]:
    """The synthetic sets; the first 64 images of `shapes`, for attacks; two that say where the objects are; votes."""
    anywhere = ShapesPlaced(name="shapes-anywhere", images=640, margin=0)
    return [*sets(), Shapes(name="shapes-64", images=64), ShapesPlaced(), anywhere, ShapesVotes()]
