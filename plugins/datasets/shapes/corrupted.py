"""Datasets `shapes-c` and `shapes-c-bar`: images of `shapes` under many corruptions in five severities.

They follow ImageNet-C (Hendrycks and Dietterich 2019) and ImageNet-C-bar (Mintun et al. 2021).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np

from harness import Sample

from .base import ShapesSet, plain
from .corruptions import CORRUPTIONS
from .filters import LEVELS, Corruption
from .scene import Look
from .stream import Stream
from .unlike_corruptions import UNLIKE_CORRUPTIONS


@dataclass(frozen=True, kw_only=True)
class CorruptedShapes(ShapesSet):
    """One view for each corruption and severity, ``<corruption>-<1 to 5>``; ids and clean images are those of `shapes`.

    The random numbers of a corruption are the same at its five severities, so that only the severity differs.

    Attributes:
        corruptions: the corruptions to measure, in the order of the views.
    """

    images: int = 64
    corruptions: tuple[str, ...] = ()
    available: ClassVar[Mapping[str, Corruption]] = {}

    def __post_init__(self) -> None:
        """Raise ValueError if `corruptions` is empty, has an unknown name or a duplicate, or there are no images."""
        super().__post_init__()
        unknown = [name for name in self.corruptions if name not in self.available]
        if unknown or not self.corruptions:
            raise ValueError(f"corruptions {unknown} are none of {', '.join(self.available)}")
        if len(set(self.corruptions)) < len(self.corruptions):
            raise ValueError(f"a corruption is named twice: {', '.join(self.corruptions)}")

    def views(self) -> tuple[str, ...]:
        """``<corruption>-<severity>``, the mildest severity of each corruption first."""
        return tuple(f"{name}-{level}" for name in self.corruptions for level in LEVELS)

    def folder(self, root: Path, view: str) -> None:
        """None: the images are generated."""

    def pixels(self, sample: Sample) -> np.ndarray:
        """The corrupted image of `sample.view`."""
        corruption, _, level = sample.view.rpartition("-")
        stream = Stream("shapes", self.world, self.seed, sample.id, corruption)
        return self.available[corruption](_clean(self.seed, sample.id), int(level), stream)


@dataclass(frozen=True, kw_only=True)
class ShapesC(CorruptedShapes):
    """Noise, blur, weather and digital corruptions."""

    name: str = "shapes-c"
    corruptions: tuple[str, ...] = tuple(CORRUPTIONS)
    world: ClassVar[str] = "shapes-c"
    available: ClassVar[Mapping[str, Corruption]] = CORRUPTIONS


@dataclass(frozen=True, kw_only=True)
class ShapesCBar(CorruptedShapes):
    """Corruptions dissimilar to those of `shapes-c`."""

    name: str = "shapes-c-bar"
    corruptions: tuple[str, ...] = tuple(UNLIKE_CORRUPTIONS)
    world: ClassVar[str] = "shapes-c-bar"
    available: ClassVar[Mapping[str, Corruption]] = UNLIKE_CORRUPTIONS


@lru_cache(maxsize=512)
def _clean(seed: int, sample_id: str) -> np.ndarray:
    """The image of `shapes`, rendered once for all its views (12 kB each); read-only."""
    image = plain(Stream("shapes", "shapes", seed, sample_id), sample_id, Look())
    image.flags.writeable = False
    return image
