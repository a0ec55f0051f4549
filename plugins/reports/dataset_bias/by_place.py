"""Accuracy as a function of place, size and tilt.

An attribute has four bins with nearly equally many images (their edges are the quartiles over the images of a dataset,
so all models share them); the image has 4 x 4 equal cells. Each has n, accuracy and its 95 % Wilson interval (Wilson
1927); with fewer than `LEAST` images it has n and a reason alone. The slope is that of the least-squares line through
the single decisions (0 or 1), with the standard error of White (1980), which unequal variances do not harm.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from harness import statistics

from .schema import Accuracy, BinEntry, CellEntry, SlopeEntry

LEAST = 20
"""Images below which an accuracy is not reported: its interval is wider than ± 20 points."""
NO_INTERVAL = "no interval of a slope from which no decision departs"
BINS = 4
"""Bins of an attribute."""
CELLS = 4
"""Cells of the image along each side."""


def accuracy(correct: np.ndarray, least: int = LEAST) -> Accuracy:
    """Share of `correct` (n,) bool, with its interval; undefined for fewer than `least` images."""
    n, hits = len(correct), int(correct.sum())
    if n < max(least, 1):
        reason = f"{n} {'image' if n == 1 else 'images'}, fewer than {least}" if n else "no images"
        return {"n": n, "accuracy": None, "low": None, "high": None, "reason": reason}
    low, high = statistics.wilson_interval(hits, n)
    return {"n": n, "accuracy": hits / n, "low": low, "high": high, "reason": None}


def quantiles(values: np.ndarray) -> np.ndarray:
    """Edges of at most `BINS` bins with nearly equally many values, ascending; two equal ones for a single value.

    Args:
        values: (N,), NaN where unknown.
    """
    known = values[~np.isnan(values)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1))) if len(known) else np.empty(0)
    return np.repeat(edges, 2) if len(edges) == 1 else edges


def function_of(attribute: str, values: np.ndarray, correct: np.ndarray) -> SlopeEntry:
    """Accuracy over the bins of an attribute, and its slope.

    Args:
        values: (N,), NaN where unknown. correct: (N,) int8, 1 or 0; -1 for a sample without labels.
    """
    edges, rows = quantiles(values), ~np.isnan(values) & (correct >= 0)
    value, known = slope(values[rows], correct[rows] == 1), int(rows.sum())
    return {
        "attribute": attribute,
        "n": known,
        "slope": value[0] if value else None,
        "low": value[1] if value else None,
        "high": value[2] if value else None,
        "reason": _undefined(known) if value is None else None if value[1] is not None else NO_INTERVAL,
        "bins": list(_bins(edges, values[rows], correct[rows] == 1)),
    }


def _undefined(n: int) -> str:
    return f"{n} images, fewer than {LEAST}" if n < LEAST else "the same value for all images"


def _bins(edges: np.ndarray, values: np.ndarray, correct: np.ndarray) -> Iterator[BinEntry]:
    number = np.searchsorted(edges[1:-1], values, side="right")
    for place in range(len(edges) - 1):
        start, end = float(edges[place]), float(edges[place + 1])
        yield {**accuracy(correct[number == place]), "start": start, "end": end}


def slope(values: np.ndarray, correct: np.ndarray) -> tuple[float, float | None, float | None] | None:
    """Slope b = Σ (v - mean v) c / Σ (v - mean v)² of correct decisions c over values v, and its 95 % interval.

    The variance of b is Σ (v - mean v)² e² / (Σ (v - mean v)²)² with the residuals e (White 1980); without residuals,
    as where all decisions are equal, there is no interval. None for fewer than `LEAST` images, or equal values.
    """
    if len(values) < LEAST or np.ptp(values) == 0:
        return None
    away, hits = values - values.mean(), correct.astype(float)
    total = float(away @ away)
    value = float(away @ hits) / total
    error = math.sqrt(float(np.sum((away * (hits - hits.mean() - value * away)) ** 2))) / total
    if error * float(np.ptp(values)) < 1e-9:
        return value, None, None
    return value, value - statistics.Z95 * error, value + statistics.Z95 * error


def cells_of(x: np.ndarray, y: np.ndarray, correct: np.ndarray) -> list[CellEntry]:
    """Accuracy in each of the equal cells of the image, row by row from the top left.

    Args:
        x, y: (N,), NaN where unknown. correct: as of `function_of`.
    """
    rows = ~(np.isnan(x) | np.isnan(y)) & (correct >= 0)
    column, row = (np.minimum((CELLS * values[rows]).astype(int), CELLS - 1) for values in (x, y))
    hits = correct[rows] == 1
    return [
        {
            **accuracy(hits[(row == down) & (column == right)]),
            "left": right / CELLS,
            "right": (right + 1) / CELLS,
            "top": down / CELLS,
            "bottom": (down + 1) / CELLS,
        }
        for down in range(CELLS)
        for right in range(CELLS)
    ]
