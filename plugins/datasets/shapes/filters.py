"""Building blocks of the corruptions: shifts, blurs, displacements and random fields, in integer arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .scene import SIZE, smooth_noise
from .stream import Stream

Corruption = Callable[[np.ndarray, int, Stream], np.ndarray]
"""(image (64, 64, 3) uint8, severity 1 to 5, random numbers) -> corrupted image (64, 64, 3) uint8."""
LEVELS = (1, 2, 3, 4, 5)


def whole(values: np.ndarray) -> np.ndarray:
    """Grey levels of any type, rounded down and clipped to 0 … 255: uint8."""
    return np.asarray(np.floor(values).clip(0, 255), dtype=np.uint8)


def disc_blurred(image: np.ndarray, radius: float) -> np.ndarray:
    """Mean over a disc of `radius` pixels, with edge padding. (64, 64, 3) uint8."""
    reach = int(radius)
    widths = [_half_width(radius, down) for down in range(-reach, reach + 1)]
    sums = _running(_edged(image, reach))
    total = np.zeros(image.shape, dtype=np.int32)
    for row, half in enumerate(widths):
        rows = sums[row : row + SIZE]
        total += rows[:, reach + half + 1 : reach + half + 1 + SIZE] - rows[:, reach - half : reach - half + SIZE]
    count = sum(2 * half + 1 for half in widths)
    return ((total + count // 2) // count).astype(np.uint8)


def box_blurred(image: np.ndarray, reach: int, times: int) -> np.ndarray:
    """Mean over a square of 2 `reach` + 1 pixels, applied `times` times: nearly Gaussian. (64, 64, …) int32."""
    side = 2 * reach + 1
    values = image.astype(np.int32) << 8
    for _ in range(times):
        columns = _running(_edged(values, reach))
        rows = (columns[:, side:] - columns[:, :-side]).swapaxes(0, 1)
        sums = np.zeros((rows.shape[1] + 1, *rows.shape[:1], *rows.shape[2:]), dtype=np.int32)
        np.cumsum(rows.swapaxes(0, 1), axis=0, out=sums[1:])
        values = (sums[side:] - sums[:-side]) // (side * side)
    return (values + 128) >> 8


def mean_of_moved(image: np.ndarray, moves: Sequence[tuple[int, int]]) -> np.ndarray:
    """Mean of copies of `image` shifted by (down, right) pixels, with edge padding. (64, 64, …) uint8."""
    reach = max(max(abs(down), abs(right)) for down, right in moves)
    padded = _edged(image.astype(np.int32), reach)
    total = np.zeros(image.shape, dtype=np.int32)
    for down, right in moves:
        total += padded[reach - down : reach - down + SIZE, reach - right : reach - right + SIZE]
    return ((total + len(moves) // 2) // len(moves)).astype(np.uint8)


def displaced(image: np.ndarray, down: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Warp `image` with bilinear interpolation. (64, 64, 3) uint8.

    Args:
        down, right: (64, 64) int64, offset of each pixel's source, in 1/256 pixel.
    """
    line = np.arange(SIZE, dtype=np.int64) * 256
    rows, columns = (line[:, None] + down).clip(0, 63 * 256), (line + right).clip(0, 63 * 256)
    row, column = rows >> 8, columns >> 8
    v, u = (rows & 255).astype(np.int32)[..., None], (columns & 255).astype(np.int32)[..., None]
    flat = image.reshape(SIZE * SIZE, 3).astype(np.int32)
    first = row * SIZE + column
    right_of = np.where(column < 63, first + 1, first)
    below = np.where(row < 63, SIZE, 0)
    top = flat.take(first, axis=0) * (256 - u) + flat.take(right_of, axis=0) * u
    low = flat.take(first + below, axis=0) * (256 - u) + flat.take(right_of + below, axis=0) * u
    return np.asarray((top * (256 - v) + low * v + (1 << 15)) >> 16, dtype=np.uint8)


def mixed(image: np.ndarray, colour: int, share: np.ndarray) -> np.ndarray:
    """Blend `image` with the grey level `colour`; `share` (64, 64) is its weight, from 0 to 256. uint8."""
    part = share[..., None].astype(np.int64)
    return ((image * (256 - part) + colour * part + 128) >> 8).astype(np.uint8)


def clouds(stream: Stream, *cells: int) -> np.ndarray:
    """A random field of several scales, the first the strongest: (64, 64) int64 from 0 to 256."""
    total = sum(smooth_noise(stream, count) >> octave for octave, count in enumerate(cells))
    most = sum(256 >> octave for octave in range(len(cells)))
    return np.asarray(total * 256 // most)


def _half_width(radius: float, down: int) -> int:
    half = 0
    while (half + 1) * (half + 1) + down * down <= radius * radius:
        half += 1
    return half


def _edged(image: np.ndarray, reach: int) -> np.ndarray:
    """`image` with edge padding of `reach` pixels on every side."""
    at = np.arange(-reach, SIZE + reach).clip(0, SIZE - 1)
    return np.asarray(image[at][:, at])


def _running(image: np.ndarray) -> np.ndarray:
    """Cumulative sums along rows, starting with 0: one column more than `image`, int32."""
    sums = np.zeros((image.shape[0], image.shape[1] + 1, *image.shape[2:]), dtype=np.int32)
    np.cumsum(image, axis=1, out=sums[:, 1:])
    return sums
