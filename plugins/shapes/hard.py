"""The candidates of `shapes-a`, and which of them a network gets wrong: adversarial filtration.

Hendrycks, Zhao, Basart, Steinhardt, Song: "Natural Adversarial Examples" (CVPR 2021). The choice is made once, with the
zoo's baseline, and stored beside this file: a choice is data, and so the set does not depend on the weights.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from harness import RequestError

from . import scene
from .scene import Look
from .silhouettes import SILHOUETTES
from .stream import Stream

CLASSES = tuple(SILHOUETTES)
CHOICE = Path(__file__).with_name("chosen.json")
"""``candidates``: class -> numbers, ascending; ``network``, ``sha256``: who chose; ``tried``: among how many."""
LOOKS = {
    "tiny": Look(radius=(9.0, 12.0), margin=12.0, texture_scale=(0.8, 1.1)),
    "occluded": Look(occluders=(2, 4), occluder_size=(6.0, 9.5)),
    "cluttered": Look(radius=(13.0, 18.0), clutter=(14, 22), clutter_size=(3.0, 7.0), apart=45.0),
    "faint": Look(radius=(16.0, 22.0), contrast=(0.13, 0.26), noise=(3.0, 7.0), apart=65.0),
}
"""What is hard about a candidate -> its look; the candidates of a class take them in turn."""
MOST = 4000
"""Candidates of a class that are tried at most."""
_BATCH = 16
Network = Callable[[np.ndarray], np.ndarray]
"""Images (N, 64, 64, 3) uint8 -> classes (N,)."""


def kind(number: int) -> str:
    """What is hard about the candidate `number` of any class."""
    return tuple(LOOKS)[number % len(LOOKS)]


def candidate(label: int, number: int) -> np.ndarray:
    """(64, 64, 3) uint8."""
    stream = Stream("shapes", "shapes-a", 0, f"{CLASSES[label]}-{number:03d}")
    return scene.picture((label,), (label,), stream, LOOKS[kind(number)])


def choose(network: Network, each: int) -> tuple[dict[str, list[int]], int]:
    """The first candidates that `network` gets wrong.

    Args:
        each: how many of each class, evenly over `LOOKS` as far as it is divisible.

    Returns:
        class -> numbers in ascending order, and how many candidates were tried in all.

    Raises:
        RequestError: a class has too few: the network gets (nearly) every one right.
    """
    chosen, tried = {}, 0
    for label, name in enumerate(CLASSES):
        numbers, count = _chosen(network, label, each)
        chosen[name], tried = numbers, tried + count
    return chosen, tried


def _chosen(network: Network, label: int, each: int) -> tuple[list[int], int]:
    wanted = {one: each // len(LOOKS) + (place < each % len(LOOKS)) for place, one in enumerate(_turned(label))}
    found: list[int] = []
    for first in range(0, MOST, _BATCH):
        numbers = [number for number in range(first, first + _BATCH) if wanted[kind(number)]]
        decided = network(np.stack([candidate(label, number) for number in numbers]))
        for number, decision in zip(numbers, decided.tolist(), strict=True):
            if decision != label and wanted[kind(number)]:
                wanted[kind(number)] -= 1
                found.append(number)
        if not any(wanted.values()):
            return found, first + _BATCH
    raise RequestError(
        f"the network gets too few of {MOST} candidates of class {CLASSES[label]!r} wrong: {len(found)} can be taken, "
        f"expected {each}. Choose with a weaker network, or make the looks in harness.plugins.shapes.hard harder"
    )


def _turned(label: int) -> Iterator[str]:
    """The kinds, another one first for each class, so that none is rarer in all."""
    names = tuple(LOOKS)
    return (names[(place + 2 * label) % len(names)] for place in range(len(names)))


@lru_cache(maxsize=1)
def candidates() -> dict[str, list[int]]:
    """Class -> the numbers that were chosen, ascending; as many for each class."""
    return dict(json.loads(CHOICE.read_text(encoding="utf-8"))["candidates"])


def write(chosen: dict[str, list[int]], tried: int, network: str, sha256: str, file: Path = CHOICE) -> None:
    """Store a choice, one line a class."""
    facts = json.dumps({"network": network, "sha256": sha256, "tried": tried}, indent=1)
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(numbers)}" for name, numbers in chosen.items())
    partial = file.with_suffix(".tmp")
    partial.write_text(f'{facts[:-2]},\n "candidates": {{\n{lines}\n }}\n}}\n', encoding="utf-8")
    partial.replace(file)
