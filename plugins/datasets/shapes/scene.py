"""Scenes: textured objects in front of a background, under directional light. 64 x 64 pixels, RGB.

Pixel values are integers in units of 1/256 grey level until the last step, so no sum depends on its order.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from . import silhouettes, textures
from .stream import Stream, cosine, sine

SIZE = 64
"""Side of an image in pixels."""
_FINE = 4
"""Sample points of a pixel along each side; the pixel is their mean."""
_ONE = 256
"""Coverage of a pixel that is entirely inside."""
Range = tuple[float, float]
Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Ranges of what varies in a scene. Lengths in pixels, angles in turns, colours in grey levels.

    Attributes:
        radius: half size of an object. turn: its rotation. margin: least distance of its centre from the edges.
        texture_scale, texture_turn: scale and rotation of the texture on the object.
        clutter: fewest and most small distractors behind the object. occluders: likewise in front.
        apart: least difference in brightness between object and background.
        contrast: factor about the mean brightness of the finished image. grey: share of images without colour.
        noise: standard deviation of the sensor noise.
    """

    radius: Range = (17.0, 23.0)
    turn: Range = (-0.055, 0.055)
    margin: float = 24.0
    texture_scale: Range = (0.8, 1.3)
    texture_turn: Range = (-0.03, 0.03)
    clutter: tuple[int, int] = (1, 5)
    clutter_size: Range = (2.5, 6.0)
    occluders: tuple[int, int] = (0, 0)
    occluder_size: Range = (7.0, 10.0)
    apart: float = 60.0
    contrast: Range = (0.4, 1.0)
    grey: float = 0.15
    noise: Range = (0.0, 4.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """An object on the pixel grid, (64, 64) int64 each, 256 for a fully covered pixel.

    Attributes:
        mask: the object. pattern: the part of it in the texture's second colour.
    """

    mask: np.ndarray
    pattern: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """Pose of an object: centre and half size in pixels, rotation in turns; its texture's scale, rotation, offset."""

    x: float
    y: float
    radius: float
    turn: float
    texture_scale: float = 1.0
    texture_turn: float = 0.0
    offset: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The parts of an image.

    Attributes:
        objects: from back to front, each with its two colours.
        backdrop: (64, 64, 3) int64, in 1/256 grey levels. stream: random numbers for the remaining steps.
    """

    objects: tuple[tuple[Layers, Colour, Colour], ...]
    backdrop: np.ndarray
    look: Look
    stream: Stream = field(compare=False)


def pose(stream: Stream, look: Look) -> Pose:
    """A random pose within `look`."""
    low, high = look.margin, SIZE - look.margin
    return Pose(
        radius=stream.between(*look.radius),
        turn=stream.between(*look.turn),
        x=stream.between(low, high),
        y=stream.between(low, high),
        texture_scale=stream.between(*look.texture_scale),
        texture_turn=stream.between(*look.texture_turn),
        offset=(stream.pick(textures.SIDE), stream.pick(textures.SIDE)),
    )


def layers(shape: int, texture: int, at: Pose) -> Layers:
    """The object of class `shape` with the texture `texture`, on the pixel grid."""
    inside = _looked_up(silhouettes.atlas()[shape], *_shape_points(at), wraps=False)
    pattern = _looked_up(textures.atlas()[texture], *_texture_points(at), wraps=True)
    return Layers(mask=_pixels(inside), pattern=_pixels(inside & pattern))


def covered(texture: int, at: Pose) -> np.ndarray:
    """`texture` over the whole image: (64, 64) int64, 256 where a pixel has its second colour."""
    return _pixels(_looked_up(textures.atlas()[texture], *_texture_points(at), wraps=True))


def _shape_points(at: Pose) -> tuple[np.ndarray, np.ndarray]:
    scale = silhouettes.SIDE / (2 * silhouettes.REACH) / at.radius
    return _points(at, at.turn, scale, silhouettes.SIDE // 2, silhouettes.SIDE // 2)


def _texture_points(at: Pose) -> tuple[np.ndarray, np.ndarray]:
    return _points(at, at.turn + at.texture_turn, textures.POINTS / at.texture_scale, *at.offset)


_SHIFT = 16


def _points(at: Pose, turn: float, scale: float, right: int, down: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of an atlas, (256, 256) int32 each, for every fine point of the image.

    Args:
        scale: points of the atlas in a pixel of the image. right, down: the point at the centre of the object.
    """
    c, s = cosine(turn) * scale / _FINE, sine(turn) * scale / _FINE
    cosines, sines = round(c * (1 << _SHIFT)), round(s * (1 << _SHIFT))
    line = np.arange(SIZE * _FINE, dtype=np.int32)
    x, y = line - round(at.x * _FINE), (line - round(at.y * _FINE))[:, None]
    columns = ((cosines * x + sines * y) >> _SHIFT) + right
    rows = ((cosines * y - sines * x) >> _SHIFT) + down
    return rows, columns


def _looked_up(atlas: np.ndarray, rows: np.ndarray, columns: np.ndarray, *, wraps: bool) -> np.ndarray:
    side = len(atlas)
    if wraps:
        flat = ((rows & (side - 1)) * side) + (columns & (side - 1))
    else:
        # the border of a silhouette is empty
        flat = np.minimum(np.maximum(rows, 0), side - 1) * side + np.minimum(np.maximum(columns, 0), side - 1)
    return atlas.ravel().take(flat)


def _pixels(fine: np.ndarray) -> np.ndarray:
    """Mean of the points of each pixel, in 1/256: (64, 64) int64."""
    rows = fine[0::4] + fine[1::4] + fine[2::4] + fine[3::4]  # uint8: at most 16
    parts = rows[:, 0::4] + rows[:, 1::4] + rows[:, 2::4] + rows[:, 3::4]
    return np.asarray(parts.astype(np.int64) * (_ONE // (_FINE * _FINE)))


# --- colour ----------------------------------------------------------------------------------


def luma(colour: Colour) -> float:
    """Brightness of a colour, in grey levels (ITU-R 601)."""
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]


def colour(stream: Stream, low: float, high: float) -> Colour:
    """A random colour with a brightness between `low` and `high` grey levels."""
    for _ in range(64):
        candidate = (stream.pick(256), stream.pick(256), stream.pick(256))
        if low <= luma(candidate) <= high:
            return candidate
    level = round((low + high) / 2)
    return level, level, level


def two_colours(stream: Stream, least: float = 45.0, most: float = 120.0) -> tuple[Colour, Colour]:
    """The two colours of a texture in random order; their brightness differs by `least` to `most` levels."""
    dark = colour(stream, 10, 190 - least)
    apart = luma(dark) + stream.between(least, most)
    bright = colour(stream, min(apart, 235.0), min(apart + 15, 250.0))
    return (dark, bright) if stream.unit() < 0.5 else (bright, dark)


# --- the parts of a scene --------------------------------------------------------------------


def smooth_noise(stream: Stream, cells: int) -> np.ndarray:
    """A smooth random field, (64, 64) int64 from 0 to 256: bilinear interpolation of random values on a grid."""
    values: np.ndarray = (stream.units(cells + 1, cells + 1) * 257).astype(np.int64)
    at: np.ndarray = np.arange(SIZE, dtype=np.int64) * cells * 256 // SIZE
    cell, part = at // 256, at % 256
    rows = values[cell] * (256 - part)[:, None] + values[cell + 1] * part[:, None]
    columns = rows[:, cell] * (256 - part) + rows[:, cell + 1] * part
    return np.asarray(columns >> 16)


def backdrop(stream: Stream, object_luma: float, look: Look) -> np.ndarray:
    """A background, (64, 64, 3) int64 in 1/256 grey levels: clouds of two colours, and clutter."""
    darker = object_luma - look.apart > 25 and (object_luma + look.apart > 230 or stream.unit() < 0.5)
    low, high = (10.0, object_luma - look.apart) if darker else (min(object_luma + look.apart, 225.0), 245.0)
    first, second = np.array(colour(stream, low, high)), np.array(colour(stream, low, high))
    mixed = smooth_noise(stream, 1 + stream.pick(6))[..., None]
    field = first * (256 - mixed) + second * mixed
    for _ in range(look.clutter[0] + stream.pick(look.clutter[1] - look.clutter[0] + 1)):
        field = over(field, blot(stream, look.clutter_size), np.array(colour(stream, low - 20, high + 20)))
    return np.asarray(field)


def blot(stream: Stream, sizes: Range) -> np.ndarray:
    """Coverage of a random ellipse, box or triangle, (64, 64) int64 from 0 to 256."""
    x, y = stream.between(0, SIZE), stream.between(0, SIZE)
    a, b, turn = stream.between(*sizes), stream.between(*sizes), stream.unit()
    kind = stream.pick(3)
    line = (np.arange(SIZE * 2) + 0.5) / 2
    c, s = cosine(turn), sine(turn)
    right, down = line - x, (line - y)[:, None]
    u, v = (right * c + down * s) / a, (down * c - right * s) / b
    if kind == 0:
        inside = u * u + v * v <= 1
    elif kind == 1:
        inside = (np.abs(u) <= 0.9) & (np.abs(v) <= 0.9)
    else:
        inside = (v <= 0.8) & (v >= 2 * np.abs(u) - 1)
    quarters = inside.view(np.uint8)
    rows = quarters[0::2] + quarters[1::2]
    return (rows[:, 0::2] + rows[:, 1::2]).astype(np.int64) * 64


def over(field: np.ndarray, coverage: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """`colour` (3,) in grey levels composited over `field` with `coverage` (64, 64) from 0 to 256."""
    part = coverage[..., None]
    return np.asarray((field * (_ONE - part) >> 8) + colour * part)


def scene(shapes: tuple[int, ...], worn: tuple[int, ...], stream: Stream, look: Look) -> Scene:
    """One object, or two with the first on the left: shapes `shapes` with the textures `worn`."""
    objects = []
    up = 9 if len(shapes) == 2 and stream.unit() < 0.5 else -9
    for place, (shape, texture) in enumerate(zip(shapes, worn, strict=True)):
        at = pose(stream, look)
        if len(shapes) == 2:
            # Near the middle, where single objects are too, and no smaller than the smallest single object.
            side = -1 if place == 0 else 1
            x, y = 32 + 11 * side + (at.x - 32) * 0.15, 32 + up * side + (at.y - 32) * 0.15
            at = replace(at, radius=at.radius * 0.8, x=x, y=y)
        objects.append((layers(shape, texture, at), *two_colours(stream)))
    mean = sum(luma(first) + luma(second) for _, first, second in objects) / (2 * len(objects))
    return Scene(objects=tuple(objects), backdrop=backdrop(stream, mean, look), look=look, stream=stream)


def painted(scene: Scene) -> np.ndarray:
    """The scene in its own colours, (64, 64, 3) int64 in 1/256 grey levels, before light and noise.

    Each object casts a soft shadow.
    """
    field = scene.backdrop
    for foreground, first, second in scene.objects:
        field = field * (_ONE - (_shadow(foreground.mask) * 90 >> 8)[..., None]) >> 8
        field = (field * (_ONE - foreground.mask[..., None]) >> 8) + (
            np.array(first) * (foreground.mask - foreground.pattern)[..., None]
            + np.array(second) * foreground.pattern[..., None]
        )
    return field


def _shadow(mask: np.ndarray) -> np.ndarray:
    """The shadow: the mask, three pixels right and down, blurred over 5 x 5 pixels."""
    moved = np.zeros((SIZE + 4, SIZE + 4), dtype=np.int64)
    moved[5:, 5:] = mask[: SIZE - 1, : SIZE - 1]
    rows = moved[:-4] + moved[1:-3] + moved[2:-2] + moved[3:-1] + moved[4:]
    return np.asarray((rows[:, :-4] + rows[:, 1:-3] + rows[:, 2:-2] + rows[:, 3:-1] + rows[:, 4:]) // 25)


def lit(field: np.ndarray, stream: Stream, look: Look) -> np.ndarray:
    """The finished image, (64, 64, 3) uint8: directional light, contrast, sometimes no colour, sensor noise."""
    turn, strength = stream.unit(), stream.between(0, 0.35)
    line = (np.arange(SIZE, dtype=np.float64) - 31.5) / 31.5
    slope = line * (cosine(turn) * strength) + (line * (sine(turn) * strength))[:, None]
    light = np.floor((1 + slope) * 256).astype(np.int64)[..., None]
    field = (field * light) >> 8
    for _ in range(look.occluders[0] + stream.pick(look.occluders[1] - look.occluders[0] + 1)):
        field = over(field, blot(stream, look.occluder_size), np.array(colour(stream, 10, 240)))
    factor, brightness = round(stream.between(*look.contrast) * 256), stream.between(96, 160)
    field = ((field - 128 * 256) * factor >> 8) + round(brightness * 256)
    if stream.unit() < look.grey:
        grey = field[..., 0] * 77 + field[..., 1] * 150 + field[..., 2] * 29
        field = np.repeat((grey >> 8)[..., None], 3, axis=2)
    noise = np.floor(stream.normals(SIZE, SIZE, 3) * (stream.between(*look.noise) * 256)).astype(np.int64)
    return ((field + noise + 128) >> 8).clip(0, 255).astype(np.uint8)


def picture(shapes: tuple[int, ...], worn: tuple[int, ...], stream: Stream, look: Look) -> np.ndarray:
    """A photograph-like image of one or two objects, (64, 64, 3) uint8."""
    composed = scene(shapes, worn, stream, look)
    return lit(painted(composed), stream, look)
