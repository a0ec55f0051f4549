"""``python -m harness.plugins.shapes choose NETWORK`` or ``… sheets FOLDER``: what is stored of the synthetic world."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harness import HarnessError

from . import hard

EACH = 10


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0, or 2 for a mistake of the user's, told in one line."""
    parser = argparse.ArgumentParser(prog="python -m harness.plugins.shapes", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    choosing = commands.add_parser("choose", help="choose the images of shapes-a: candidates that a network gets wrong")
    choosing.add_argument("network", type=Path, help="weights of a network of the zoo: FOLDER/NAME.safetensors")
    choosing.add_argument("--out", type=Path, default=hard.CHOICE, help="file to write (default: that of shapes-a)")
    choosing.set_defaults(run=lambda given: _choose(given.network, given.out))
    drawing = commands.add_parser("sheets", help="draw contact sheets of all sets")
    drawing.add_argument("folder", type=Path, help="where the PNG files go (docs/images)")
    drawing.set_defaults(run=lambda given: _draw(given.folder))
    given = parser.parse_args(arguments)
    try:
        given.run(given)
    except HarnessError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _choose(weights: Path, out: Path) -> None:
    import torch

    from harness import sha256_of

    from ..zoo.storage import Place

    network = Place(weights.parent, weights.stem).load()

    def decided(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
            return np.asarray(network(pixels).argmax(dim=1))

    chosen, tried = hard.choose(decided, EACH)
    hard.write(chosen, tried, weights.stem, sha256_of(weights), out)
    count = sum(map(len, chosen.values()))
    sys.stdout.write(f"{out}: {count} of {tried} candidates, which {weights.stem} gets wrong\n")


def _draw(folder: Path) -> None:
    from .sheets import draw

    for file in draw(folder):
        sys.stdout.write(f"{file}: {file.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    raise SystemExit(main())
