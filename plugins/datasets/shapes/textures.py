"""The 16 textures: patterns of two colours. They differ in form, period and direction, and so in their spectra."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from .stream import Stream, sines

SIDE = 256
"""Points along each side of an atlas, which tiles seamlessly."""
POINTS = 4
"""Points of a pixel along each side, for a texture at scale 1: an atlas covers 64 x 64 pixels."""
Pattern = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _bars(period: int, thick: int) -> Pattern:
    return lambda x, y: y % period < thick


def _columns(period: int, thick: int) -> Pattern:
    return lambda x, y: x % period < thick


def _checks(cell: int) -> Pattern:
    return lambda x, y: (x // cell + y // cell) % 2 == 0


def _slash(period: int, thick: int) -> Pattern:
    return lambda x, y: (x + y) % period < thick


def _backslash(period: int, thick: int) -> Pattern:
    return lambda x, y: (x - y) % period < thick


def _dots(period: int, radius: float) -> Pattern:
    """Discs on the corners and in the middle of squares."""

    def pattern(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        half = period // 2
        shifted = (x + half * ((y // half) % 2)) % period - half
        down = y % half - half / 2
        return np.asarray(shifted * shifted + down * down <= radius * radius)

    return pattern


def _rings(period: int) -> Pattern:
    def pattern(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        u, v = x % period - period / 2, y % period - period / 2
        distance = np.sqrt(u * u + v * v)
        return (distance < period * 0.16) | ((distance > period * 0.32) & (distance < period * 0.46))

    return pattern


def _zigzag(period: int, width: int) -> Pattern:
    def pattern(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        ramp = np.abs(x % width - width // 2)
        return np.asarray((y + ramp) % period < period // 2)

    return pattern


def _bricks(high: int, wide: int, gap: int) -> Pattern:
    def pattern(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        shift = (wide // 2) * ((y // high) % 2)
        return np.asarray(((y % high) >= gap) & (((x + shift) % wide) >= gap))

    return pattern


def _grid(period: int, line: int) -> Pattern:
    return lambda x, y: (x % period < line) | (y % period < line)


def _grain(cell: int, name: str) -> Pattern:
    """Cells of random value: a flat spectrum up to a frequency that the cell sets."""

    def pattern(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        count = SIDE // cell
        return np.asarray((Stream("texture", name).units(count, count) < 0.5)[(y // cell) % count, (x // cell) % count])

    return pattern


def _blobs(cell: int, name: str) -> Pattern:
    """Random values on a coarse grid, interpolated smoothly and thresholded: spots without a preferred direction."""

    def pattern(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        count = SIDE // cell
        values = Stream("texture", name).units(count, count)
        column, row = x // cell % count, y // cell % count
        u, v = (x % cell) / cell, (y % cell) / cell
        u, v = u * u * (3 - 2 * u), v * v * (3 - 2 * v)
        top = values[row, column] * (1 - u) + values[row, (column + 1) % count] * u
        low = values[(row + 1) % count, column] * (1 - u) + values[(row + 1) % count, (column + 1) % count] * u
        return np.asarray(top * (1 - v) + low * v < 0.5)

    return pattern


def _scales(period: int) -> Pattern:
    """Rows of overlapping discs, like the scales of a fish."""

    def pattern(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        half = period // 2
        row = y // half
        u = (x + half * (row % 2)) % period - period / 2
        v = y % half
        distance = np.sqrt(u * u + v * v)
        return np.asarray((distance > period * 0.36) & (distance < period * 0.56))

    return pattern


def _waves(period: int, length: int, height: float) -> Pattern:
    return lambda x, y: (y + height * sines(x / length)) % period < period / 2


def _crosses(period: int, arm: int, thick: int) -> Pattern:
    def pattern(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        half = period // 2
        u = np.abs((x + half * ((y // period) % 2)) % period - half)
        v = np.abs(y % period - half)
        return np.asarray(((u < thick) & (v < arm)) | ((v < thick) & (u < arm)))

    return pattern


TEXTURES: dict[str, Pattern] = {
    # name -> pattern; lengths in points (4 a pixel), all periods divide 256
    "bars": _bars(32, 16),
    "columns": _columns(16, 8),
    "checks": _checks(8),
    "plates": _checks(32),
    "slashes": _slash(32, 12),
    "backslashes": _backslash(16, 8),
    "dots": _dots(32, 6.5),
    "rings": _rings(64),
    "zigzag": _zigzag(32, 64),
    "bricks": _bricks(16, 32, 5),
    "mesh": _grid(32, 7),
    "grain": _grain(4, "grain"),
    "blobs": _blobs(32, "blobs"),
    "scales": _scales(32),
    "waves": _waves(16, 64, 10.0),
    "crosses": _crosses(32, 13, 4),
}
"""In the order of the silhouettes: in the dataset `shapes` stars have bars, hearts columns, and so on."""


@lru_cache(maxsize=1)
def atlas() -> np.ndarray:
    """All textures, (16, SIDE, SIDE) uint8, 1 for the second colour."""
    line = np.arange(SIDE)
    x, y = np.broadcast_to(line, (SIDE, SIDE)), np.broadcast_to(line[:, None], (SIDE, SIDE))
    return np.stack([pattern(x, y) for pattern in TEXTURES.values()]).astype(np.uint8)
