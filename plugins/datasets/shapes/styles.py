"""The same objects in other styles: paint, sketches, cartoons, paintings. All (64, 64, 3) uint8."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .scene import (
    SIZE,
    Colour,
    Look,
    backdrop,
    colour,
    covered,
    layers,
    lit,
    luma,
    painted,
    pose,
    scene,
    smooth_noise,
    two_colours,
)
from .stream import Stream, cosine, sine, sines


def paint(stream: Stream) -> np.ndarray:
    """A pattern that is independent of the class, (64, 64) int64 from 0 to 256: swirled stripes, strokes or marbling.

    The sum of two waves of random direction and length, each with its phase bent by a smooth field.
    """
    line = np.arange(SIZE, dtype=np.float64)
    total = np.zeros((SIZE, SIZE))
    for _ in range(2):
        turn, length = stream.unit(), stream.between(2.5, 14.0)
        right, down = cosine(turn) / length, sine(turn) / length
        bend = smooth_noise(stream, 2 + stream.pick(6)) * (stream.between(0.2, 1.6) / 256)
        waves = sines(line * right + (line * down)[:, None] + bend)
        total = total + (np.where(waves > 0, 1.0, -1.0) if stream.unit() < 0.5 else waves)
    return np.floor((total + 2) * 64).astype(np.int64)


def _blend(coverage: np.ndarray, first: Colour, second: Colour) -> np.ndarray:
    part = coverage[..., None]
    return np.asarray(np.array(first) * (256 - part) + np.array(second) * part)


def stylized(shape: int, stream: Stream, look: Look) -> np.ndarray:
    """The silhouette, painted over: the patterns of object and background are independent of the class.

    As style transfer does to ImageNet (Geirhos et al. 2019): the shape stays, the texture is uninformative.
    """
    foreground = layers(shape, 0, pose(stream, look))
    first, second = two_colours(stream, 40.0, 80.0)
    mean = (luma(first) + luma(second)) / 2
    darker = mean > 128
    low, high = (10.0, mean - 35) if darker else (mean + 35, 245.0)
    behind = _blend(paint(stream), colour(stream, low, high), colour(stream, low, high))
    upon = _blend(paint(stream), first, second)
    mask = foreground.mask[..., None]
    return lit((behind * (256 - mask) + upon * mask) >> 8, stream, look)


def patched(texture: int, stream: Stream, look: Look) -> np.ndarray:
    """A texture without a shape: it fills a region of random outline around the middle."""
    first, second = two_colours(stream)
    field = backdrop(stream, (luma(first) + luma(second)) / 2, look)
    at = pose(stream, look)
    pattern = covered(texture, at)
    mask = _random_region(stream)
    part = mask[..., None]
    field = (field * (256 - part) + _blend(pattern, first, second) * part) >> 8
    return lit(field, stream, look)


def _random_region(stream: Stream) -> np.ndarray:
    """A region of random outline around the middle, (64, 64) int64, 0 or 256: a thresholded smooth field."""
    line = np.arange(SIZE, dtype=np.int64) * 2 - 63
    centre = 300 - ((line * line)[:, None] + line * line) // 12
    field = smooth_noise(stream, 3 + stream.pick(4)) + centre
    return np.where(field > 250 + stream.pick(60), 256, 0)


# --- drawings --------------------------------------------------------------------------------


def _outline(mask: np.ndarray, reach: int) -> np.ndarray:
    """Pixels within `reach` of the edge of `mask`, (64, 64) bool."""
    inside = mask >= 128
    wide, narrow, padded = inside.copy(), inside.copy(), np.pad(inside, reach, mode="edge")
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            moved = padded[reach + down : reach + down + SIZE, reach + right : reach + right + SIZE]
            wide |= moved
            narrow &= moved
    return wide & ~narrow


def sketch(shape: int, texture: int, stream: Stream, look: Look) -> np.ndarray:
    """A pencil drawing on paper: the outline, and in one of three images faint edges of the texture."""
    foreground = layers(shape, texture, pose(stream, look))
    paper, pencil = stream.between(215, 250), stream.between(20, 90)
    ink = _outline(foreground.mask, 1).astype(np.int64) * 256
    if stream.unit() < 1 / 3:
        hatching = (_outline(foreground.pattern, 1) & (foreground.mask >= 128)).astype(np.int64) * 90
        ink = np.maximum(ink, hatching)
    pressure = 150 + (smooth_noise(stream, 9) * 106 >> 8)
    ink = ink * pressure >> 8
    grain = np.floor(stream.normals(SIZE, SIZE) * 6).astype(np.int64)
    values = (round(paper) * (256 - ink) + round(pencil) * ink >> 8) + grain
    return np.repeat(values.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


def cartoon(shape: int, texture: int, stream: Stream, look: Look) -> np.ndarray:
    """Flat bright colours, a black outline, and a large pale texture."""
    at = pose(stream, look)
    foreground = layers(shape, texture, replace(at, texture_scale=stream.between(1.5, 2.0)))
    base = colour(stream, 90, 200)
    pale = tuple(min(255, round(value + (255 - value) * 0.45)) for value in base)
    sky = colour(stream, 120, 240)
    field = np.broadcast_to(np.array(sky) * 256, (SIZE, SIZE, 3)).copy()
    ground = SIZE - 10 - stream.pick(16)
    field[ground:] = np.array(colour(stream, 60, 200)) * 256
    mask, pattern = foreground.mask[..., None], foreground.pattern[..., None]
    field = (field * (256 - mask) >> 8) + np.array(base) * (mask - pattern) + np.array(pale) * pattern
    field[_outline(foreground.mask, 1)] = 12 * 256
    return np.asarray(((field + 128) >> 8).clip(0, 255).astype(np.uint8))


def painting(shape: int, texture: int, stream: Stream, look: Look) -> np.ndarray:
    """Brush strokes: every pixel takes the colour of a nearby one, and colours are quantized."""
    canvas = painted(scene((shape,), (texture,), stream, look))
    line = np.arange(SIZE, dtype=np.int64)
    strength = stream.between(1.5, 3.5)
    down = np.floor((smooth_noise(stream, 14) - 128) * (strength / 128)).astype(np.int64)
    right = np.floor((smooth_noise(stream, 14) - 128) * (strength / 128)).astype(np.int64)
    rows, columns = (line[:, None] + down).clip(0, SIZE - 1), (line + right).clip(0, SIZE - 1)
    field = canvas[rows, columns]
    step = 256 * (20 + stream.pick(24))
    field = field // step * step + step // 2
    grain = (smooth_noise(stream, 31) - 128) * 22
    return np.asarray(((field + grain[..., None] + 128) >> 8).clip(0, 255).astype(np.uint8))
