"""Dataset `shapes-factors`: images of which it is known what the renderer drew unusually, as ImageNet-X.

Idrissi et al.: "ImageNet-X: Understanding Model Mistakes with Factor of Variation Annotations" (ICLR 2023, arXiv
2211.01866). There people say what is unusual about an image; here it is what the image is made of.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from harness import Sample

from . import scene
from .base import CLASSES, ShapesSet, numbered
from .hard import LOOKS
from .scene import Look

FACTORS = ("tiny", "texture", "occluded", "shape", "cluttered", "faint")
"""What is unusual; a second factor of an image is the one behind its first."""
_TURNS = ("", *FACTORS[:3], "", *FACTORS[3:])
"""Images of a class take these in turn; every fourth time, those with a factor have the second one as well."""
_PAIRED = 4


@dataclass(frozen=True, kw_only=True)
class ShapesFactors(ShapesSet):
    """A quarter of the images are as in `shapes`, the others have a factor: the attributes `factor` and `factors`.

    ``tiny``, ``occluded``, ``cluttered`` and ``faint`` are as in `shapes-a`, without its selection. With ``texture``
    the object has the texture of another class; with ``shape`` it has the silhouette of another class, and the target
    is the class of its texture. A quarter of the images with a factor have two, of which `factor` is the first.
    """

    name: str = "shapes-factors"
    images: int = 512
    world: ClassVar[str] = "shapes-factors"
    attributes: ClassVar[tuple[str, ...]] = ("factor", "factors")

    def attribute_values(self) -> dict[str, tuple[str, ...]]:
        """The six factors."""
        return dict.fromkeys(self.attributes, FACTORS)

    def samples(self, root: Path) -> list[Sample]:
        """All samples, with their factors."""
        return [replace(sample, attributes=_attributes(sample.id)) for sample in super().samples(root)]

    def pixels(self, sample: Sample) -> np.ndarray:
        """An object in front of a background, as its factors say."""
        shape, texture = self.cues(sample.id)
        stream = self.stream(sample.id)
        stream.unit()  # the number of `cues`
        return scene.picture((shape,), (texture,), stream, look_of(factors_of(sample.id)))

    def cues(self, sample_id: str) -> tuple[int, int]:
        """The classes of an object's silhouette and of its texture; one of them at least is the target."""
        label, _ = numbered(sample_id)
        other = (label + 1 + self.stream(sample_id).pick(len(CLASSES) - 1)) % len(CLASSES)
        factors = factors_of(sample_id)
        return other if "shape" in factors else label, other if "texture" in factors else label


def factors_of(sample_id: str) -> tuple[str, ...]:
    """The factors of an image, the top one first; none, one or two."""
    _, number = numbered(sample_id)
    first = _TURNS[number % len(_TURNS)]
    if not first:
        return ()
    second = FACTORS[(FACTORS.index(first) + 1) % len(FACTORS)]
    return (first, second) if number // len(_TURNS) % _PAIRED == _PAIRED - 1 else (first,)


def look_of(factors: tuple[str, ...]) -> Look:
    """The ranges of an image with these factors; where two of them set one, the lower: objects are smaller."""
    plain = Look()
    changes: dict[str, Any] = {}
    for look in (LOOKS[factor] for factor in factors if factor in LOOKS):
        for name in (field.name for field in fields(look)):
            value = getattr(look, name)
            if value != getattr(plain, name):
                changes[name] = min(value, changes.get(name, value))
    return replace(plain, **changes)


def _attributes(sample_id: str) -> tuple[str, str]:
    factors = factors_of(sample_id)
    return factors[0] if factors else "", " ".join(factors)
