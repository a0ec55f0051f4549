"""The candidates of `shapes-a`, and those that a network misclassifies: adversarial filtration.

Hendrycks, Zhao, Basart, Steinhardt, Song: "Natural Adversarial Examples" (CVPR 2021). The selection was made once, with
the zoo's baseline, and is stored beside this file, so the set does not depend on the weights.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import numpy as np

from . import scene
from .scene import Look
from .silhouettes import SILHOUETTES
from .stream import Stream

CLASSES = tuple(SILHOUETTES)
CHOICE = Path(__file__).with_name("chosen.json")
"""``candidates``: class -> selected numbers, ascending; ``network``, ``sha256``: the selecting network; ``tried``: the
number of candidates tried."""
LOOKS = {
    "tiny": Look(radius=(9.0, 12.0), margin=12.0, texture_scale=(0.8, 1.1)),
    "occluded": Look(occluders=(2, 4), occluder_size=(6.0, 9.5)),
    "cluttered": Look(radius=(13.0, 18.0), clutter=(14, 22), clutter_size=(3.0, 7.0), apart=45.0),
    "faint": Look(radius=(16.0, 22.0), contrast=(0.13, 0.26), noise=(3.0, 7.0), apart=65.0),
}
"""Difficulty of a candidate -> its look; the candidates of a class take them in turn."""


def kind(number: int) -> str:
    """The difficulty of the candidate `number` of any class."""
    return tuple(LOOKS)[number % len(LOOKS)]


def candidate(label: int, number: int) -> np.ndarray:
    """The candidate as (64, 64, 3) uint8."""
    stream = Stream("shapes", "shapes-a", 0, f"{CLASSES[label]}-{number:03d}")
    return scene.picture((label,), (label,), stream, LOOKS[kind(number)])


@lru_cache(maxsize=1)
def candidates() -> dict[str, list[int]]:
    """Class -> the selected numbers, ascending; the same count for each class."""
    return dict(json.loads(CHOICE.read_text(encoding="utf-8"))["candidates"])
