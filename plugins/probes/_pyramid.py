"""The Laplacian pyramid (Burt & Adelson 1983) as linear operators, in the variant of pyrtools.

One octave down: filter with the binomial taps 1 4 6 4 1, scaled to sum sqrt(2) per axis, and keep every second sample.
Back up: insert zeros between the samples and filter with the same taps. Beyond an edge the image is mirrored at the
edge sample. A band is the difference between two successive octaves; the last octave is the low-pass residual.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ._batches import chunks

if TYPE_CHECKING:
    import torch

TAPS = np.array([1, 4, 6, 4, 1]) * math.sqrt(2) / 16


def band_count(size: int) -> int:
    """Bands of the pyramid of `size` x `size` images: 1 + the number of halvings of sides of at least five samples."""
    halvings = 0
    while size >= len(TAPS):
        size //= 2
        halvings += 1
    return 1 + halvings


@lru_cache(maxsize=64)
def operators(size: int, level: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """The operators on one axis `level` octaves down, (m, size), and back up, (size, m), float32 on `device`."""
    import torch

    down, up = np.eye(size), np.eye(size)
    for _ in range(level):
        length = len(down)
        down, up = reduction(length) @ down, up @ expansion(length)
    return torch.from_numpy(down).float().to(device), torch.from_numpy(up).float().to(device)


def reduction(length: int) -> np.ndarray:
    """Filter and keep every second of `length` samples, (ceil(length / 2), length) float64."""
    matrix = np.zeros(((length + 1) // 2, length))
    for row in range(len(matrix)):
        for offset, tap in enumerate(TAPS, start=-2):
            matrix[row, _mirrored(2 * row + offset, length)] += tap
    return matrix


def expansion(length: int) -> np.ndarray:
    """Insert zeros between the samples and filter, (length, ceil(length / 2)) float64."""
    matrix = np.zeros((length, (length + 1) // 2))
    for row in range(length):
        for offset, tap in enumerate(TAPS, start=-2):
            source = _mirrored(row + offset, length)
            if source % 2 == 0:
                matrix[row, source // 2] += tap
    if length == len(TAPS):
        # pyrtools' upConv counts the mirrored tap of the last row once at this length. All published values use it; it
        # matters for sizes 5 * 2^k (160, 320), not at 224.
        matrix[-1, -2] = TAPS[0]
    return matrix


def _mirrored(index: int, length: int) -> int:
    """Reflect an index just outside 0 … length - 1 at the edge sample ("reflect1")."""
    return length - 1 - abs(length - 1 - abs(index))


def equal_power_bands(noise: torch.Tensor) -> Iterator[torch.Tensor]:
    """The pyramid's bands of `noise` (B, S, S), the low-pass residual first, each scaled to the RMS of the finest.

    Before scaling they sum to the noise. The RMS is measured on each sample's field, not its expectation: the latter
    would leave RMS differences of a third between images in the lowest band.
    """
    half = _smooth(noise, 1)
    finest = noise - half
    power = _rms(finest)
    coarser = noise.new_zeros(())
    for level in reversed(range(1, band_count(noise.shape[-1]))):
        smooth = half if level == 1 else _smooth(noise, level)
        band = smooth - coarser
        yield band.mul_((power / _rms(band)).float())
        coarser = smooth
    yield finest


def _rms(fields: torch.Tensor) -> torch.Tensor:
    """Root mean square of each field, (B, 1, 1) float64."""
    import torch

    norms = [torch.linalg.vector_norm(chunk, dim=(1, 2), dtype=torch.float64) for _, chunk in chunks(fields)]
    return (torch.cat(norms)[: len(fields)] / fields.shape[-1])[:, None, None]


def _smooth(fields: torch.Tensor, level: int) -> torch.Tensor:
    """`fields` (B, S, S) reduced by `level` octaves and expanded back to full size."""
    import torch

    down, up = operators(fields.shape[-1], level, fields.device)
    smooth = torch.empty_like(fields)
    for place, chunk in chunks(fields):
        whole = _transposed(_transposed(chunk, down), up)
        smooth[place] = whole[: place.stop - place.start]
    return smooth


def _transposed(fields: torch.Tensor, operator: torch.Tensor) -> torch.Tensor:
    """(operator @ field @ operator.T).T for every field, (c, n, n) -> (c, m, m); twice, the transposes cancel."""
    return (fields @ operator.T).mT @ operator.T
