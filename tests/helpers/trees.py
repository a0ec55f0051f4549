"""Folders in the layouts of published datasets, of tiny images; those of `paint` say by their pixels what they are."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness import DatasetError

WNIDS = ("n01440764", "n01443537", "n01484850", "n01491361", "n01494475", "n01496331", "n01498041", "n01514668")

_numbers = count()


def new_folder(base: Path, name: str) -> Path:
    """A new empty folder below `base`; pytest's own numbering reads the names of all others each time."""
    folder = base / f"{name}-{next(_numbers)}"
    folder.mkdir()
    return folder


def paint(path: Path, number: int, view: int = 0) -> Path:
    """An image at `path` that says `number` (0 to 65,535) and `view` (0 to 255); PNG whatever its suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_png(number, view))
    return path


@lru_cache(maxsize=4096)
def _png(number: int, view: int) -> bytes:
    file = BytesIO()
    Image.new("RGB", (8, 8), (number // 256, number % 256, view)).save(file, "PNG")
    return file.getvalue()


def painted(path: Path) -> tuple[int, int]:
    """The (number, view) of an image that `paint` made."""
    with Image.open(path) as image:
        red, green, blue = image.getpixel((0, 0))
    return red * 256 + green, blue


def grow(root: Path, tree: dict[str, list[str]]) -> Path:
    """Empty files: folder -> names."""
    for folder, names in tree.items():
        (root / folder).mkdir(parents=True)
        for name in names:
            (root / folder / name).touch()
    return root


def write_tree(root: Path, classes: int, images: int, size: tuple[int, int] = (80, 64)) -> Path:
    """A ``<wnid>/`` tree of random JPEGs below `root`, which it returns.

    The classes are the first of ImageNet-1k; the pictures are the same for every call with equal arguments.
    """
    generator = np.random.default_rng(0)
    for wnid in WNIDS[:classes]:
        (root / wnid).mkdir(parents=True)
        for number in range(images):
            coarse = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            picture = Image.fromarray(coarse).resize(size, Image.Resampling.BILINEAR)
            picture.save(root / wnid / f"{wnid}_{number}.JPEG", quality=95)
    return root


def refusal(dataset, root: Path) -> str:
    """The one line with which `dataset` refuses `root`."""
    with pytest.raises(DatasetError) as caught:
        list(dataset.samples(root))
    assert caught.value.exit_code == 2
    assert f"dataset {dataset.name!r}" in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)
