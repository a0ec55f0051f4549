"""The corruptions of `shapes-c`: noise, blur, weather and digital ones, after Hendrycks and Dietterich (ICLR 2019).

Severity 1 hardly affects a network trained on clean images, severity 5 does. With the same seed the five severities
share their random numbers: a pixel that is hit at one severity is hit at the next.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np

from .filters import Corruption, box_blurred, clouds, disc_blurred, displaced, mean_of_moved, mixed, whole
from .scene import SIZE, smooth_noise
from .stream import Stream, cosine, sine


def gaussian_noise(image: np.ndarray, level: int, stream: Stream) -> np.ndarray:
    """Additive noise with the same standard deviation everywhere."""
    return whole(image + stream.normals(SIZE, SIZE, 3) * (6, 10, 15, 23, 35)[level - 1] + 0.5)


def shot_noise(image: np.ndarray, level: int, stream: Stream) -> np.ndarray:
    """Photon noise: its variance grows with the intensity."""
    photons = (450, 200, 90, 40, 18)[level - 1]
    return whole(image + stream.normals(SIZE, SIZE, 3) * np.sqrt(image * (255 / photons)) + 0.5)


def impulse_noise(image: np.ndarray, level: int, stream: Stream) -> np.ndarray:
    """Some values become black or white."""
    share = (0.008, 0.018, 0.035, 0.07, 0.14)[level - 1]
    drawn = stream.units(SIZE, SIZE, 3)
    return np.where(drawn < share / 2, 0, np.where(drawn >= 1 - share / 2, 255, image)).astype(np.uint8)


def speckle_noise(image: np.ndarray, level: int, stream: Stream) -> np.ndarray:
    """Noise whose standard deviation grows with the intensity."""
    return whole(image + image * (stream.normals(SIZE, SIZE, 3) * (0.06, 0.10, 0.16, 0.26, 0.4)[level - 1]) + 0.5)


def defocus_blur(image: np.ndarray, level: int, stream: Stream) -> np.ndarray:
    """The mean over a disc."""
    return disc_blurred(image, (1.0, 1.5, 2.3, 3.2, 4.5)[level - 1])


def gaussian_blur(image: np.ndarray, level: int, stream: Stream) -> np.ndarray:
    """Standard deviations of 0.8, 1.2, 1.4, 2.0 and 2.8 pixels."""
    return box_blurred(image, *((1, 1), (1, 2), (1, 3), (2, 2), (3, 2))[level - 1]).astype(np.uint8)


def motion_blur(image: np.ndarray, level: int, stream: Stream) -> np.ndarray:
    """The mean along a line of random direction."""
    length, turn = (2, 4, 6, 9, 13)[level - 1], stream.unit()
    right, down = cosine(turn), sine(turn)
    steps = [step - length / 2 for step in range(length + 1)]
    return mean_of_moved(image, [(round(down * step), round(right * step)) for step in steps])


def zoom_blur(image: np.ndarray, level: int, stream: Stream) -> np.ndarray:
    """The mean over magnifications from 1 up."""
    most, copies = (1.1, 1.2, 1.35, 1.6, 2.0)[level - 1], 10
    total = np.zeros(image.shape, dtype=np.uint16)
    for copy in range(copies):
        zoom = 1 + (most - 1) * copy / (copies - 1)
        at = np.floor((np.arange(SIZE) - 31.5) / zoom + 32).astype(np.int64)
        total += image.take(at, axis=0).take(at, axis=1)
    return ((total + copies // 2) // copies).astype(np.uint8)


def fog(image: np.ndarray, level: int, stream: Stream) -> np.ndarray:
    """A bright veil, thicker here and there."""
    thick = (90, 130, 170, 205, 232)[level - 1]
    return mixed(image, 215, thick // 5 + (clouds(stream, 3, 7, 15) * thick >> 8))


def snow(image: np.ndarray, level: int, stream: Stream) -> np.ndarray:
    """Flakes that fall at an angle, and a pale veil."""
    share, length = (0.006, 0.012, 0.02, 0.03, 0.045)[level - 1], (2, 2, 3, 4, 5)[level - 1]
    slant = stream.between(-0.7, 0.7)
    flakes = np.where(stream.units(SIZE, SIZE) < share, 255, 0)
    streaks = [(step, round(slant * step)) for step in range(length)]
    cover = (mean_of_moved(flakes, streaks).astype(np.int64) * length).clip(0, 225)
    return mixed(image, 250, np.maximum(cover, (10, 20, 30, 40, 50)[level - 1]))


def frost(image: np.ndarray, level: int, stream: Stream) -> np.ndarray:
    """Ice growing from the edges: bright where two crystals meet, a veil within them."""
    x, y = stream.units(16) * SIZE, stream.units(16) * SIZE
    line = np.arange(SIZE) + 0.5
    nearest, second = np.full((SIZE, SIZE), 1e9), np.full((SIZE, SIZE), 1e9)
    for right, down in zip(x.tolist(), y.tolist(), strict=True):
        away = (line - right) * (line - right) + ((line - down) * (line - down))[:, None]
        second = np.minimum(second, np.maximum(nearest, away))
        nearest = np.minimum(nearest, away)
    apart = np.sqrt(second) - np.sqrt(nearest)
    ice = np.floor((60 + 150 / (1 + apart * apart)) * (0.45, 0.65, 0.85, 1.05, 1.2)[level - 1]).astype(np.int64)
    far = np.abs(np.arange(SIZE, dtype=np.int64) * 2 - 63)
    grown = (np.maximum(far, far[:, None]) * 3 + smooth_noise(stream, 6) + (0, 40, 80, 120, 170)[level - 1] - 120).clip(
        0, 256
    )
    return mixed(image, 235, ice * grown >> 8)


def brightness(image: np.ndarray, level: int, stream: Stream) -> np.ndarray:
    """A constant added to every value, with clipping."""
    return whole(image.astype(np.int64) + (30, 60, 85, 110, 135)[level - 1])


def contrast(image: np.ndarray, level: int, stream: Stream) -> np.ndarray:
    """Less contrast, about the mean."""
    middle = int(image.sum(dtype=np.int64)) * 256 // image.size
    factor = (150, 105, 72, 48, 30)[level - 1]
    return whole(((image.astype(np.int64) * 256 - middle) * factor // 256 + middle + 128) >> 8)


def elastic_transform(image: np.ndarray, level: int, stream: Stream) -> np.ndarray:
    """A smooth random deformation."""
    strength = (3, 6, 9, 12, 16)[level - 1]
    return displaced(image, *((smooth_noise(stream, 9) - 128) * strength for _ in range(2)))


def pixelate(image: np.ndarray, level: int, stream: Stream) -> np.ndarray:
    """Larger pixels: 48, 36, 26, 19 or 14 along a side."""
    side = (48, 36, 26, 19, 14)[level - 1]
    bounds = np.arange(side + 1) * SIZE // side
    widths = np.diff(bounds)
    sums = np.add.reduceat(image.astype(np.int64), bounds[:-1], axis=0)
    sums = np.add.reduceat(sums, bounds[:-1], axis=1)
    means = (sums // (widths[:, None] * widths)[..., None]).astype(np.uint8)
    return np.asarray(means.repeat(widths, axis=0).repeat(widths, axis=1))


def jpeg_compression(image: np.ndarray, level: int, stream: Stream) -> np.ndarray:
    """JPEG at low quality. Chroma is not subsampled, so the result does not depend on a library's resampling filter."""
    from PIL import Image

    stored = BytesIO()
    Image.fromarray(image).save(stored, "jpeg", quality=(30, 17, 10, 6, 3)[level - 1], subsampling=0)
    return np.array(Image.open(stored))


CORRUPTIONS: dict[str, Corruption] = {
    corruption.__name__: corruption
    for corruption in (
        *(gaussian_noise, shot_noise, impulse_noise, speckle_noise),
        *(defocus_blur, motion_blur, zoom_blur, gaussian_blur),
        *(snow, frost, fog, brightness),
        *(contrast, elastic_transform, pixelate, jpeg_compression),
    )
}
"""Name -> corruption: noise, blur, weather and digital, four each."""
