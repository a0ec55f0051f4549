"""The corruptions of `shapes-c-bar`, dissimilar to those of `shapes-c`, after Mintun, Kirillov, Xie (NeurIPS 2021)."""

from __future__ import annotations

import numpy as np

from .filters import Corruption, box_blurred, clouds, displaced, whole
from .scene import SIZE, smooth_noise
from .stream import Stream, cosine, sine, sines

_LINE = np.arange(SIZE, dtype=np.float64)


def blue_noise_sample(image: np.ndarray, level: int, stream: Stream) -> np.ndarray:
    """Evenly spread grey pixels: where white noise minus its local mean is below a threshold."""
    drawn = (stream.units(SIZE, SIZE) * 1024).astype(np.int64)
    even = drawn - box_blurred(drawn, 1, 1)
    lost = even < (-600, -500, -410, -300, -190)[level - 1]
    return np.where(lost[..., None], 128, image).astype(np.uint8)


def plasma_noise(image: np.ndarray, level: int, stream: Stream) -> np.ndarray:
    """Clouds of light and dark."""
    field = (clouds(stream, 5, 11, 21) - 128)[..., None]
    return whole(image + (field * (50, 90, 140, 200, 280)[level - 1] >> 7))


def checkerboard_cutout(image: np.ndarray, level: int, stream: Stream) -> np.ndarray:
    """Grey squares on every other field of a checkerboard."""
    right, down = stream.pick(16), stream.pick(16)
    side = (2, 3, 4, 6, 8)[level - 1]
    at = np.arange(SIZE)
    columns, rows = at + right, (at + down)[:, None]
    cut = (columns % 8 < side) & (rows % 8 < side) & ((columns // 8 + rows // 8) % 2 == 0)
    return np.where(cut[..., None], 128, image).astype(np.uint8)


def concentric_sine_waves(image: np.ndarray, level: int, stream: Stream) -> np.ndarray:
    """Rings of light around a point."""
    x, y, length = stream.between(0, SIZE), stream.between(0, SIZE), stream.between(4.0, 12.0)
    right, down = _LINE - x, (_LINE - y)[:, None]
    rings = sines(np.sqrt(right * right + down * down) / length + stream.unit())[..., None]
    return whole(image + rings * (4, 8, 13, 20, 32)[level - 1] + 0.5)


def single_frequency_greyscale(image: np.ndarray, level: int, stream: Stream) -> np.ndarray:
    """One plane wave of light."""
    turn, length = stream.unit(), stream.between(3.0, 12.0)
    waves = sines(_LINE * (cosine(turn) / length) + (_LINE * (sine(turn) / length))[:, None] + stream.unit())
    return whole(image + waves[..., None] * (4, 8, 13, 20, 32)[level - 1] + 0.5)


def sparkles(image: np.ndarray, level: int, stream: Stream) -> np.ndarray:
    """Stars of light, with four rays each."""
    return whole(image + _stars(level, stream)[..., None] * 235.0)


def inverse_sparkles(image: np.ndarray, level: int, stream: Stream) -> np.ndarray:
    """Stars of darkness."""
    return whole(image - _stars(level, stream)[..., None] * 235.0)


def caustic_refraction(image: np.ndarray, level: int, stream: Stream) -> np.ndarray:
    """The view through moving water: distortion, and light focused into bright lines."""
    strength, light = (2, 4, 6, 8, 11)[level - 1], (12, 22, 35, 52, 75)[level - 1]
    surface = [smooth_noise(stream, 8) - 128 for _ in range(2)]
    bent = displaced(image, *(slope * strength for slope in surface))
    lines = (18 - np.minimum(*(np.abs(slope) for slope in surface))).clip(0, 18)
    return whole(bent + (lines * light // 18)[..., None])


def _stars(level: int, stream: Stream) -> np.ndarray:
    """Light of 2 to 12 stars, (64, 64) float64, non-negative; each severity includes the stars of the previous one."""
    total = np.zeros((SIZE, SIZE))
    for _ in range((2, 4, 6, 9, 12)[level - 1]):
        x, y, turn, size = stream.between(0, SIZE), stream.between(0, SIZE), stream.unit(), stream.between(2.0, 5.0)
        c, s = cosine(turn) / size, sine(turn) / size
        right, down = _LINE - x, (_LINE - y)[:, None]
        u, v = right * c + down * s, down * c - right * s
        square, across = u * u + v * v, u * v
        total = total + 1 / (1 + square * 0.35 + across * across * 6)
    return total


UNLIKE_CORRUPTIONS: dict[str, Corruption] = {
    corruption.__name__: corruption
    for corruption in (
        *(blue_noise_sample, plasma_noise, checkerboard_cutout, concentric_sine_waves),
        *(single_frequency_greyscale, sparkles, inverse_sparkles, caustic_refraction),
    )
}
"""Name -> corruption."""
