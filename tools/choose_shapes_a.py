"""``python -m tools.choose_shapes_a FOLDER/NAME.safetensors``: choose the images of `shapes-a` with one network.

Adversarial filtration: the candidates that the network gets wrong. Hendrycks, Zhao, Basart, Steinhardt, Song: "Natural
Adversarial Examples" (CVPR 2021). The choice is made once, with the zoo's baseline, and stored as data.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from harness import HarnessError, RequestError, sha256_of, write_whole
from harness.plugins.datasets.shapes.hard import CHOICE, CLASSES, LOOKS, candidate, kind
from harness.plugins.models._zoo.training.storage import Place

EACH = 10
"""Images of each class."""
MOST = 4000
"""Candidates of a class that are tried at most."""
_BATCH = 16
Network = Callable[[np.ndarray], np.ndarray]
"""Images (N, 64, 64, 3) uint8 -> classes (N,)."""


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
    quota = {look: each // len(LOOKS) + (place < each % len(LOOKS)) for place, look in enumerate(_turned(label))}
    chosen: list[int] = []
    for first in range(0, MOST, _BATCH):
        numbers = [number for number in range(first, first + _BATCH) if quota[kind(number)]]
        decided = network(np.stack([candidate(label, number) for number in numbers]))
        for number, decision in zip(numbers, decided.tolist(), strict=True):
            if decision != label and quota[kind(number)]:
                quota[kind(number)] -= 1
                chosen.append(number)
        if not any(quota.values()):
            return chosen, first + _BATCH
    raise RequestError(
        f"the network gets too few of {MOST} candidates of class {CLASSES[label]!r} wrong: {len(chosen)} can be taken, "
        f"expected {each}. Choose with a weaker network, or make the looks in plugins/datasets/shapes/hard.py harder"
    )


def _turned(label: int) -> Iterator[str]:
    """The kinds, another one first for each class, so that none is rarer in all."""
    names = tuple(LOOKS)
    return (names[(place + 2 * label) % len(names)] for place in range(len(names)))


def write(chosen: dict[str, list[int]], tried: int, network: str, sha256: str, file: Path = CHOICE) -> None:
    """Store a choice, one line a class."""
    facts = json.dumps({"network": network, "sha256": sha256, "tried": tried}, indent=1)
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(numbers)}" for name, numbers in chosen.items())
    write_whole(file, f'{facts[:-2]},\n "candidates": {{\n{lines}\n }}\n}}\n')


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0, or 2 for a mistake of the user's, told in one line."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.choose_shapes_a", description="Choose the images of shapes-a."
    )
    parser.add_argument("network", type=Path, help="weights of a network of the zoo: FOLDER/NAME.safetensors")
    parser.add_argument("--out", type=Path, default=CHOICE, help="file to write (default: that of shapes-a)")
    given = parser.parse_args(arguments)
    try:
        _choose(given.network, given.out)
    except HarnessError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _choose(weights: Path, out: Path) -> None:
    import torch

    network = Place(weights.parent, weights.stem).load()

    def decided(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
            return np.asarray(network(pixels).argmax(dim=1))

    chosen, tried = choose(decided, EACH)
    write(chosen, tried, weights.stem, sha256_of(weights), out)
    count = sum(map(len, chosen.values()))
    sys.stdout.write(f"{out}: {count} of {tried} candidates, which {weights.stem} gets wrong\n")


if __name__ == "__main__":
    raise SystemExit(main())
