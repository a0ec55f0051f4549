"""The base of the datasets `shapes…`: 16 classes, 64 x 64 pixels, images generated from a seed, nothing stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from harness import Dataset, LabelSpace, Preprocessing, Sample

from . import scene
from .scene import SIZE, Look
from .silhouettes import SILHOUETTES
from .stream import Stream

if TYPE_CHECKING:
    from PIL import Image

CLASSES = tuple(SILHOUETTES)
_LABELS = {name: label for label, name in enumerate(CLASSES)}


@dataclass(frozen=True, kw_only=True)
class ShapesSet(Dataset):
    """The first `images` of an endless set, the classes in turn; sample ids are ``<class>-<number>``: ``star-003``.

    Shape and texture of an object agree, unless a set says otherwise.

    Attributes:
        seed: each seed gives different images. images: number of images.
    """

    preprocessing: Preprocessing = field(default_factory=lambda: Preprocessing(resize=None, size=SIZE))
    seed: int = 0
    images: int = 320
    world: ClassVar[str]
    """Names the random numbers: sets of the same world have the same images under the same ids."""
    look: ClassVar[Look] = Look()
    """Ranges of what varies."""

    def __post_init__(self) -> None:
        """Raise ValueError unless `images` is positive."""
        if self.images < 1:
            raise ValueError(f"images={self.images}: expected 1 or more")

    def root(self) -> Path:
        """A folder that always exists; nothing is read from it."""
        return Path(__file__).parent

    def label_space(self) -> LabelSpace:
        """The 16 silhouettes."""
        return LabelSpace(name="shapes-16", classes=CLASSES, model_label_space="shapes-16", outputs=len(CLASSES))

    def release(self) -> None:
        """None: there is nothing to download."""

    def samples(self, root: Path) -> list[Sample]:
        """All samples; nothing is drawn."""
        return [self._sample(number) for number in range(self.images)]

    def remarks(self, samples: Sequence[Sample]) -> Iterator[str]:
        """A warning that these images are synthetic."""
        yield "synthetic images: numbers say nothing about ImageNet"

    def image(self, sample: Sample) -> Image.Image:
        """RGB, 64 x 64 pixels."""
        from PIL import Image

        return Image.fromarray(self.pixels(sample))

    def pixels(self, sample: Sample) -> np.ndarray:
        """The image as (64, 64, 3) uint8: an object in front of a background, unless a set draws something else."""
        return plain(self.stream(sample.id), sample.id, self.look)

    def stream(self, sample_id: str) -> Stream:
        """The random numbers of one image."""
        return Stream("shapes", self.world, self.seed, sample_id)

    def _sample(self, number: int) -> Sample:
        label = number % len(CLASSES)
        return Sample(id=f"{CLASSES[label]}-{number // len(CLASSES):03d}", targets=(label,))


def plain(stream: Stream, sample_id: str, look: Look) -> np.ndarray:
    """The object that the id names, in the texture of its class: (64, 64, 3) uint8."""
    label, _ = numbered(sample_id)
    return scene.picture((label,), (label,), stream, look)


def numbered(sample_id: str) -> tuple[int, int]:
    """Class and number of ``star-003``."""
    name, _, number = sample_id.rpartition("-")
    return _LABELS[name], int(number)


def paired(sample_id: str) -> tuple[int, int]:
    """Both classes of ``star-heart``."""
    first, _, second = sample_id.partition("-")
    return _LABELS[first], _LABELS[second]
