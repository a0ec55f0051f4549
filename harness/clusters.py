"""Intervals of means and ratios over rows that are not independent: a bootstrap over clusters, such as images."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

RESAMPLES: Final = 2000
"""Bootstrap samples of an interval."""
MOST_KINDS: Final = 256
"""Different (total, weight) up to which clusters are resampled; with more, the limit of the bootstrap is as good."""
_Z95: Final = 1.959963984540054


def cluster_interval(
    totals: ArrayLike, weights: ArrayLike | None = None, *, seed: int = 0
) -> tuple[float, float] | tuple[None, None]:
    """95 % interval of sum(totals) / sum(weights), where N clusters are the independent units.

    Percentiles of a bootstrap over clusters (Efron & Tibshirani 1993, chapter 13), which are drawn by how often each
    different (total, weight) occurs, so that their order does not matter. With more than `MOST_KINDS` different ones it
    is the limit for many clusters, ratio ± 1.96 standard errors of the residuals total - ratio * weight (Cochran 1977,
    section 6.4). Undefined for fewer than two clusters, and without spread between them.

    Args:
        totals: (N,) sum of the values of each cluster.
        weights: (N,) number of values of each cluster, 0 or more; default: 1 each.

    Raises:
        ValueError: unequal lengths, more than one dimension, a value that is not finite, or a negative weight.
    """
    values = np.asarray(totals, dtype=np.float64)
    counts = np.ones_like(values) if weights is None else np.asarray(weights, dtype=np.float64)
    if values.ndim != 1 or values.shape != counts.shape:
        raise ValueError(f"expected two lists of one length, got shapes {values.shape} and {counts.shape}")
    if not (np.isfinite(values).all() and np.isfinite(counts).all() and (counts >= 0).all()):
        raise ValueError("expected finite totals, and finite weights from 0 up")
    weight = math.fsum(counts)
    if len(values) < 2 or weight == 0:
        return None, None
    ratio = math.fsum(values) / weight
    spread = math.fsum(np.square(values - ratio * counts))
    if math.isclose(spread, 0.0, abs_tol=1e-18 * weight):
        return None, None
    kinds, occur = np.unique(np.stack((values, counts), axis=1), axis=0, return_counts=True)
    if len(kinds) > MOST_KINDS:
        half = _Z95 * math.sqrt(spread * len(values) / (len(values) - 1)) / weight
        return ratio - half, ratio + half
    drawn = _resampled(occur.tobytes(), seed) @ kinds
    ratios = drawn[drawn[:, 1] > 0]
    low, high = np.quantile(ratios[:, 0] / ratios[:, 1], (0.025, 0.975))
    return float(low), float(high)


@lru_cache(maxsize=16)
def _resampled(occur: bytes, seed: int) -> np.ndarray:
    """(RESAMPLES, K) float64: how often each of K kinds is drawn, of which so many clusters are (`occur`, int64).

    Kept, since a report asks for the same draws again and again: where each cluster has a value of its own, all of one
    dataset share them. At most 4 MB each.
    """
    counts = np.frombuffer(occur, dtype=np.int64)
    clusters = int(counts.sum())
    drawn = np.random.default_rng(seed).multinomial(clusters, counts / clusters, size=RESAMPLES)
    return drawn.astype(np.float64)
