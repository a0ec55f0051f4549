"""The 16 silhouettes: the points of the plane inside an object. They differ in outline, hardly in area."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from .stream import cosine, sine

SIDE = 256
"""Points along each side of an atlas."""
REACH = 1.25
"""Half the side of an atlas, in units of an object's half size."""
Points = tuple[np.ndarray, np.ndarray]


def _disc(at: Points, x: float, y: float, radius: float) -> np.ndarray:
    return np.asarray((at[0] - x) * (at[0] - x) + (at[1] - y) * (at[1] - y) <= radius * radius)


def _ellipse(at: Points, x: float, y: float, a: float, b: float) -> np.ndarray:
    u, v = (at[0] - x) / a, (at[1] - y) / b
    return np.asarray(u * u + v * v <= 1)


def _box(at: Points, left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return (at[0] >= left) & (at[0] <= right) & (at[1] >= top) & (at[1] <= bottom)


def _polygon(at: Points, corners: Sequence[tuple[float, float]]) -> np.ndarray:
    """Points inside, by the even-odd rule; y points down."""
    x, y = at
    inside = np.zeros(x.shape, dtype=bool)
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
        if y0 != y1:
            inside ^= ((y0 > y) != (y1 > y)) & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return inside


def _star(at: Points) -> np.ndarray:
    radii = (1.0, 0.42)
    return _polygon(at, [(radii[k % 2] * sine(k / 10), -radii[k % 2] * cosine(k / 10)) for k in range(10)])


def _heart(at: Points) -> np.ndarray:
    lobes = _disc(at, -0.44, -0.35, 0.5) | _disc(at, 0.44, -0.35, 0.5)
    return np.asarray(lobes | _polygon(at, [(-0.86, -0.08), (0, -0.35), (0.86, -0.08), (0, 0.98)]))


def _arrow(at: Points) -> np.ndarray:
    return _polygon(at, [(-1, -0.26), (0.1, -0.26), (0.1, -0.75), (1, 0), (0.1, 0.75), (0.1, 0.26), (-1, 0.26)])


def _cross(at: Points) -> np.ndarray:
    return np.asarray(_box(at, -0.3, -0.95, 0.3, 0.95) | _box(at, -0.95, -0.3, 0.95, 0.3))


def _crescent(at: Points) -> np.ndarray:
    return np.asarray(_disc(at, 0, 0, 0.98) & ~_disc(at, 0.48, -0.05, 0.78))


def _house(at: Points) -> np.ndarray:
    roof = _polygon(at, [(-1, -0.1), (0, -0.95), (1, -0.1)])
    return np.asarray((roof | _box(at, -0.75, -0.1, 0.75, 0.9)) & ~_box(at, -0.18, 0.3, 0.18, 0.95))


def _fish(at: Points) -> np.ndarray:
    tail = _polygon(at, [(0.3, 0), (1, -0.62), (0.82, 0), (1, 0.62)])
    return np.asarray(_ellipse(at, -0.25, 0, 0.75, 0.46) | tail)


def _tree(at: Points) -> np.ndarray:
    tiers = _polygon(at, [(0, -1), (0.5, -0.35), (-0.5, -0.35)]) | _polygon(
        at, [(0, -0.7), (0.68, 0.15), (-0.68, 0.15)]
    )
    return np.asarray(tiers | _polygon(at, [(0, -0.25), (0.86, 0.62), (-0.86, 0.62)]) | _box(at, -0.14, 0.6, 0.14, 1))


def _mug(at: Points) -> np.ndarray:
    handle = _disc(at, 0.5, 0, 0.48) & ~_disc(at, 0.5, 0, 0.26)
    return np.asarray(_box(at, -0.85, -0.8, 0.42, 0.8) | handle)


def _key(at: Points) -> np.ndarray:
    bow = _disc(at, -0.5, 0, 0.5) & ~_disc(at, -0.54, 0, 0.2)
    return np.asarray(bow | _box(at, -0.1, -0.18, 1, 0.18) | _box(at, 0.3, 0, 0.52, 0.55) | _box(at, 0.74, 0, 1, 0.55))


def _umbrella(at: Points) -> np.ndarray:
    canopy = _disc(at, 0, 0, 0.98) & (at[1] <= 0.02)
    scallops = (
        _ellipse(at, -0.65, 0.04, 0.31, 0.2) | _ellipse(at, 0, 0.04, 0.31, 0.2) | _ellipse(at, 0.65, 0.04, 0.31, 0.2)
    )
    hook = (_disc(at, 0.2, 0.68, 0.3) & ~_disc(at, 0.2, 0.68, 0.12)) & (at[1] > 0.68)
    return np.asarray((canopy & ~scallops) | _box(at, -0.1, 0, 0.08, 0.7) | hook)


def _boat(at: Points) -> np.ndarray:
    hull = _polygon(at, [(-1, 0.35), (1, 0.35), (0.6, 0.92), (-0.6, 0.92)])
    sails = _polygon(at, [(-0.08, -1), (-0.08, 0.2), (-0.85, 0.2)]) | _polygon(
        at, [(0.1, -0.75), (0.75, 0.2), (0.1, 0.2)]
    )
    return np.asarray(hull | sails | _box(at, -0.08, -1, 0.02, 0.4))


def _crown(at: Points) -> np.ndarray:
    points = [(-1, -0.65), (-0.5, 0.0), (0, -0.85), (0.5, 0.0), (1, -0.65), (0.8, 0.75), (-0.8, 0.75)]
    return _polygon(at, points)


def _bolt(at: Points) -> np.ndarray:
    return _polygon(at, [(0.15, -1), (-0.72, 0.2), (-0.14, 0.2), (-0.4, 1), (0.72, -0.3), (0.12, -0.3), (0.62, -1)])


def _hourglass(at: Points) -> np.ndarray:
    return _polygon(at, [(-0.8, -0.95), (0.8, -0.95), (0.12, 0), (0.8, 0.95), (-0.8, 0.95), (-0.12, 0)])


def _mushroom(at: Points) -> np.ndarray:
    cap = _ellipse(at, 0, -0.05, 0.98, 0.85) & (at[1] <= 0.05)
    return np.asarray(cap | _polygon(at, [(-0.24, 0), (0.24, 0), (0.36, 0.92), (-0.36, 0.92)]))


SILHOUETTES: dict[str, Callable[[Points], np.ndarray]] = {
    "star": _star,
    "heart": _heart,
    "arrow": _arrow,
    "cross": _cross,
    "crescent": _crescent,
    "house": _house,
    "fish": _fish,
    "tree": _tree,
    "mug": _mug,
    "key": _key,
    "umbrella": _umbrella,
    "boat": _boat,
    "crown": _crown,
    "bolt": _bolt,
    "hourglass": _hourglass,
    "mushroom": _mushroom,
}


def _grid() -> Points:
    line = (np.arange(SIDE) + 0.5) * (2 * REACH / SIDE) - REACH
    return np.broadcast_to(line, (SIDE, SIDE)), np.broadcast_to(line[:, None], (SIDE, SIDE))


AREA = 1.36
"""Area of a typical silhouette, in units of an object's half size squared."""


@lru_cache(maxsize=1)
def atlas() -> np.ndarray:
    """All silhouettes, (16, SIDE, SIDE) uint8, 1 inside; the border is 0."""
    at = _grid()
    return np.stack([_evened(inside, at) for inside in SILHOUETTES.values()]).astype(np.uint8)


def _evened(inside: Callable[[Points], np.ndarray], at: Points) -> np.ndarray:
    """The silhouette, scaled half way (by ratio) to `AREA`: else slim objects are conspicuously small or too long."""
    cell = (2 * REACH / SIDE) * (2 * REACH / SIDE)
    ratio = AREA / (float(int(inside(at).sum())) * cell)
    zoom = 1 / float(np.sqrt(np.sqrt(ratio)))  # square roots are rounded correctly too
    return inside((at[0] * zoom, at[1] * zoom))
