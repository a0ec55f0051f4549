"""Intervals for other families of models: families are drawn again, then models in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from harness.inference.families import Grouping, refuse_no_draws
from harness.ranks import levels

RESAMPLES: Final = 2000
"""Bootstrap samples of an interval."""
_BATCH: Final = 2_000_000
"""Scores held at a time: 16 MB, several times over."""
LEAST_DEFINED: Final = 0.9
"""An interval needs a coefficient in at least this share of the samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyIntervals:
    """95 % intervals of the rank correlations of A × B pairs of quantities, for other families.

    Attributes:
        low, high: (A, B), None where undefined: a single family, or too many samples without spread.
        families: how many were drawn from. draws: samples. seed: of them.
    """

    low: tuple[tuple[float | None, ...], ...]
    high: tuple[tuple[float | None, ...], ...]
    families: int
    draws: int
    seed: int


def family_intervals(
    first: ArrayLike, second: ArrayLike, families: Sequence[str | None], *, draws: int = RESAMPLES, seed: int = 0
) -> FamilyIntervals:
    """Percentile intervals of Spearman's coefficient from a hierarchical bootstrap: families, then models in each.

    Each sample draws as many families as there are, with replacement, and from each one drawn as many models as it has
    (Davison & Hinkley 1997, section 3.8). Models drawn twice are tied. With few families such an interval is lumpy and
    too short: it answers "for other families" better than one over models, and not exactly.

    Args:
        first: (A, n) finite numbers. second: (B, n).
        families: family of each model; None: a family of its own.

    Raises:
        ValueError: shapes that do not fit, values that are not finite, a family without a name, or no draw.
    """
    left, right = (np.atleast_2d(np.asarray(values, dtype=np.float64)) for values in (first, second))
    refuse_no_draws(draws)
    grouping = Grouping.of(families)
    for array in (left, right):
        if array.ndim != 2 or array.shape[1] != len(families) or not np.isfinite(array).all():
            raise ValueError(f"expected finite rows of {len(families)} models, got shape {array.shape}")
    left, right = (np.array([levels(row) for row in array]).reshape(array.shape) for array in (left, right))
    order = grouping.ordered(left, right)
    ends = None
    if len(grouping.sizes) > 1:
        ends = _ends(left[:, order], right[:, order], _resampled(grouping.sizes, draws, seed))
    low, high = (_numbers(end) for end in ends) if ends is not None else [((None,) * len(right),) * len(left)] * 2
    return FamilyIntervals(low=low, high=high, families=len(grouping.sizes), draws=draws, seed=seed)


def _resampled(sizes: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """(draws, n) float64: how often each model is drawn; models are in the order of their families."""
    rng = np.random.default_rng(seed)
    times = rng.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), size=draws)
    drawn = [rng.multinomial(times[:, place] * size, np.full(size, 1 / size)) for place, size in enumerate(sizes)]
    return np.hstack(drawn).astype(np.float64)


def _ends(left: np.ndarray, right: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(A, B) quantiles 2.5 % and 97.5 % over the samples; NaN where too few samples have a coefficient."""
    step = max(1, _BATCH // max(1, (len(left) + len(right)) * weights.shape[1]))
    coefficients = np.concatenate(
        [_coefficients(left, right, weights[start : start + step]) for start in range(0, len(weights), step)]
    )
    defined = np.isfinite(coefficients)
    if defined.all():
        low, high = np.quantile(coefficients, (0.025, 0.975), axis=0)
        return low, high
    low, high = np.full((2, *coefficients.shape[1:]), np.nan)
    for pair in np.argwhere(defined.mean(axis=0) >= LEAST_DEFINED):
        place = tuple(pair)
        low[place], high[place] = np.quantile(coefficients[:, *place][defined[:, *place]], (0.025, 0.975))
    return low, high


def _coefficients(left: np.ndarray, right: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(draws, A, B) Spearman's coefficients in each sample; NaN without spread."""
    scores = [np.stack([_scores(row, weights) for row in array], axis=1) for array in (left, right)]
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = [values / np.sqrt((values**2).sum(axis=2, keepdims=True)) for values in scores]
        coefficients: np.ndarray = unit[0] @ unit[1].transpose(0, 2, 1)
    return coefficients


def _scores(level: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(draws, n): rank of each model in each sample less the mean rank, times the root of how often it is drawn.

    Sums of products of such scores are sums over the models of the sample; a sample without spread has zeros.
    """
    order = np.argsort(level, kind="stable")
    firsts = np.flatnonzero(np.diff(level[order], prepend=-1))
    of_level = np.add.reduceat(weights[:, order], firsts, axis=1)
    below = np.cumsum(of_level, axis=1) - of_level
    ranks = 2 * below + of_level - weights.sum(axis=1, keepdims=True)
    result: np.ndarray = ranks[:, level] * np.sqrt(weights)
    return result


def _numbers(ends: np.ndarray) -> tuple[tuple[float | None, ...], ...]:
    return tuple(tuple(None if np.isnan(value) else float(value) for value in row) for row in ends)
