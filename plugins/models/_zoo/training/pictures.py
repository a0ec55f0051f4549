"""Training sets, rendered once and cached as arrays."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from functools import cache as once
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from harness import write_whole

from ....datasets.shapes import scene, styles
from ....datasets.shapes.scene import Look
from ....datasets.shapes.stream import Stream

CLASSES = 16
PART = 1000
_LOOK = Look()
Renderer = Callable[[int, Stream], np.ndarray]


def _shapes(label: int, stream: Stream) -> np.ndarray:
    return scene.picture((label,), (label,), stream, _LOOK)


def _conflict(label: int, stream: Stream) -> np.ndarray:
    """The shape is the class; the texture is random."""
    return scene.picture((label,), (stream.pick(CLASSES),), stream, _LOOK)


def _textures(label: int, stream: Stream) -> np.ndarray:
    """The texture is the class; the shape is random, or there is none."""
    if stream.unit() < 0.4:
        return styles.patched(label, stream, _LOOK)
    return scene.picture((stream.pick(CLASSES),), (label,), stream, _LOOK)


def _stylized(label: int, stream: Stream) -> np.ndarray:
    return styles.stylized(label, stream, _LOOK)


RENDERERS: dict[str, Renderer] = {
    "shapes": _shapes,
    "conflict": _conflict,
    "textures": _textures,
    "stylized": _stylized,
}


def labels(count: int) -> np.ndarray:
    """Classes of the images of any training set, (count,) int64: all in turn."""
    return np.arange(count) % CLASSES


def rendered(name: str, count: int, cache: Path, split: str = "training") -> np.ndarray:
    """The first `count` images of the set `name`, (count, 64, 64, 3) uint8; image i is the same for any count.

    They are cached in `cache`, a thousand per file, under the digest of the rendered images. Concurrent processes that
    need the same images share the work.

    Raises:
        OSError: `cache` cannot be written.
    """
    numbers = range(-(-count // PART))
    cache.mkdir(parents=True, exist_ok=True)
    for patient in (False, True):  # first the files that no other process is rendering, then wait for the others
        for number in numbers:
            _make(name, split, number, cache, patient)
    return np.concatenate([np.load(part(name, split, number, cache)) for number in numbers])[:count]


def part(name: str, split: str, number: int, cache: Path) -> Path:
    """The file of images number * 1000 … number * 1000 + 999."""
    return cache / f"{name}-{split}-{digest()}-{number:03}.npy"


def _make(name: str, split: str, number: int, cache: Path, patient: bool) -> None:
    file = part(name, split, number, cache)
    if file.exists():
        return
    try:
        with FileLock(f"{file}.lock", blocking=patient):
            if not file.exists():
                _write(
                    file,
                    np.stack([_picture(name, split, index) for index in range(number * PART, (number + 1) * PART)]),
                )
    except Timeout:
        return


def _write(file: Path, images: np.ndarray) -> None:
    content = io.BytesIO()
    np.save(content, images)
    write_whole(file, content.getbuffer())


def _picture(name: str, split: str, index: int) -> np.ndarray:
    return RENDERERS[name](index % CLASSES, Stream("zoo", split, name, index))


@once
def digest() -> str:
    """12 hexadecimal digits that change with the renderers: a digest of the first image of each class in each set."""
    images = [_picture(name, "training", index).tobytes() for name in RENDERERS for index in range(CLASSES)]
    return hashlib.sha256(b"".join(images)).hexdigest()[:12]
