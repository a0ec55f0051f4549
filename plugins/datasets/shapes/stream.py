"""Named streams of random numbers: the same on every machine and with every version of NumPy."""

from __future__ import annotations

import hashlib
import math

import numpy as np

_UNIT = 2.0**-53


class Stream:
    """The random numbers of one name, in order; different names give independent streams.

    Only the raw bits of the counter-based generator Philox are used: NumPy guarantees that they never change (NEP 19),
    unlike the distributions derived from them.
    """

    def __init__(self, *name: object) -> None:
        digest = hashlib.sha256("\x1f".join(map(str, name)).encode()).digest()
        self._bits = np.random.Philox(key=int.from_bytes(digest[:16], "little"))

    def raw(self, count: int) -> np.ndarray:
        """(count,) uint64."""
        return np.asarray(self._bits.random_raw(count), dtype=np.uint64)

    def units(self, *shape: int) -> np.ndarray:
        """Uniform in [0, 1), float64."""
        count = 1
        for length in shape:
            count *= length
        return ((self.raw(count) >> np.uint64(11)).astype(np.float64) * _UNIT).reshape(shape)

    def unit(self) -> float:
        """One number in [0, 1)."""
        return float(int(self._bits.random_raw()) >> 11) * _UNIT

    def between(self, low: float, high: float) -> float:
        """One number in [low, high)."""
        return low + (high - low) * self.unit()

    def pick(self, count: int) -> int:
        """One of 0 … count - 1."""
        return int(self.unit() * count)

    def normals(self, *shape: int) -> np.ndarray:
        """Nearly normal numbers, mean 0 and variance 1, float64, within ±3.5: sums of four uniform 16-bit numbers."""
        count = 1
        for length in shape:
            count *= length
        parts = self.raw(count).view(np.uint16).reshape(count, 4).astype(np.int64).sum(axis=1)
        # A uniform integer from 0 to 65535 has the variance (65536² - 1) / 12.
        return np.asarray(((parts - 2 * 65535) * (1.0 / 37837.22)).reshape(shape))


def sines(turns: np.ndarray) -> np.ndarray:
    """Sines of angles in full turns, float64, from + - * / alone; accurate to 1e-9."""
    part = turns - np.floor(turns + 0.5)  # in [-0.5, 0.5)
    part = np.where(part > 0.25, 0.5 - part, np.where(part < -0.25, -0.5 - part, part))
    x = part * 6.283185307179586
    square = x * x
    total = np.ones_like(x)
    for order in (12, 10, 8, 6, 4, 2):
        total = 1.0 - total * square / (order * (order + 1.0))
    return np.asarray(x * total)


def sine(turns: float) -> float:
    """As `sines`, for one angle."""
    part = turns - math.floor(turns + 0.5)
    part = 0.5 - part if part > 0.25 else -0.5 - part if part < -0.25 else part
    x = part * 6.283185307179586
    total = 1.0
    for order in (12, 10, 8, 6, 4, 2):
        total = 1.0 - total * (x * x) / (order * (order + 1.0))
    return x * total


def cosine(turns: float) -> float:
    """As `sine`."""
    return sine(turns + 0.25)
