"""Photographs to measure with: a dataset of any length from the few that the package index has."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

NAME = "photos"


def write_registry(base: Path, images: int) -> Path:
    """A ``<wnid>/`` tree with `images` links to the 20 sample photographs, and the registry file that names it.

    Without the package that holds them, the pictures are noise of the usual size.
    """
    folder = base / NAME / "n01440764"
    folder.mkdir(parents=True)
    spec = find_spec("foolbox")
    photos = sorted(Path(next(iter(spec.submodule_search_locations or ()))).glob("data/imagenet_*.jpg")) if spec else []
    rng = np.random.default_rng(0)
    for number in range(images):
        target = folder / f"{number:04d}.jpg"
        if photos:
            target.symlink_to(photos[number % len(photos)])
        else:
            Image.fromarray(rng.integers(0, 256, (375, 500, 3), dtype=np.uint8)).save(target, quality=90)
    registry = base / "registry.yaml"
    registry.write_text(f"datasets:\n  {NAME}: {{plugin: imagenet, path: {NAME}}}\n")
    return registry
