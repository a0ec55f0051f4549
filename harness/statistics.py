"""Pure functions on arrays: intervals, correlations, corrections. No run, no model, no I/O."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from harness.clusters import cluster_interval
from harness.ranks import centred_ranks, exact_p, levels

__all__ = [
    "LEAST_PAIRS",
    "Z95",
    "Consistency",
    "Correlation",
    "PMethod",
    "benjamini_hochberg",
    "cluster_interval",
    "error_consistency",
    "error_consistency_interval",
    "holm",
    "levels",
    "spearman",
    "spearman_interval",
    "two_sided_p",
    "wilson_interval",
]

Z95 = 1.959963984540054
"""Two-sided 95 % quantile of the standard normal."""
NEARLY_ONE = 1 - 1e-12
"""A coefficient above this is a perfect order up to rounding."""
LEAST_PAIRS = 5
"""With fewer pairs, no coefficient is given: with four, even a perfect order occurs by chance once in twelve."""
PMethod = Literal["exact", "t"]
"""How a p-value is computed: over all permutations of the pairs, or by the t approximation with n - 2 degrees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """Association of two quantities over n pairs.

    Attributes:
        n: number of pairs.
        value: coefficient in [-1, 1]; None if undefined.
        p: two-sided p-value of no association. p_method: how it is computed; None if `p` is.
        low: lower end of the 95 % interval of the coefficient; None if undefined or for a perfect order.
        high: upper end of that interval; None like `low`.
        reason: why `value` is undefined; else None.
    """

    n: int
    value: float | None = None
    p: float | None = None
    p_method: PMethod | None = None
    low: float | None = None
    high: float | None = None
    reason: str | None = None


def wilson_interval(successes: int, n: int) -> tuple[float, float]:
    """95 % score interval of a proportion (Wilson 1927), as fractions; n must be positive."""
    if not 0 <= successes <= n or n <= 0:
        raise ValueError(f"expected 0 <= successes <= n and n > 0, got {successes} of {n}")
    p, z2 = successes / n, Z95 * Z95
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    low = 0.0 if successes == 0 else centre - half
    return low, 1.0 if successes == n else centre + half


def spearman(x: ArrayLike, y: ArrayLike, names: tuple[str, str] = ("x", "y")) -> Correlation:
    """Spearman's rank correlation, ties by mean ranks, with p-value and 95 % interval.

    Values that agree in all digits that they can have are tied, see `harness.ranks.levels`. Below ten pairs the p-value
    is exact: the share of all permutations, ties too, whose coefficient is at least as far from zero, so a perfect
    order of five has p = 2/120. From ten pairs on it is the t approximation with n - 2 degrees of freedom, as in the
    study; it is zero for a perfect order.

    Args:
        x: n finite numbers.
        y: n finite numbers, paired with `x`.
        names: names of x and y in `reason`.

    Raises:
        ValueError: unequal lengths, more than one dimension, or a value that is NaN or infinite.
    """
    first, second = (np.asarray(values, dtype=np.float64) for values in (x, y))
    _refuse_unpaired(first, second, names)
    n = len(first)
    if n < LEAST_PAIRS:
        return Correlation(n=n, reason=f"undefined (n = {n})")
    ranks = centred_ranks(first), centred_ranks(second)
    constant = [name for name, of_name in zip(names, ranks, strict=True) if not of_name.any()]
    if constant:
        return Correlation(n=n, reason=f"undefined ({' and '.join(constant)} constant)")
    product, squares = int(ranks[0] @ ranks[1]), int(ranks[0] @ ranks[0]) * int(ranks[1] @ ranks[1])
    value = math.copysign(1.0, product) if product**2 == squares else product / math.sqrt(squares)
    low, high = spearman_interval(value, n)
    exact = exact_p(*ranks)
    if exact is None:
        return Correlation(n=n, value=value, p=two_sided_p(value, n - 2), p_method="t", low=low, high=high)
    return Correlation(n=n, value=value, p=exact, p_method="exact", low=low, high=high)


def _refuse_unpaired(first: np.ndarray, second: np.ndarray, names: tuple[str, str]) -> None:
    """Raise ValueError unless both are lists of one length with finite numbers."""
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"expected two lists of one length, got shapes {first.shape} and {second.shape}")
    for name, values in zip(names, (first, second), strict=True):
        if not np.isfinite(values).all():
            raise ValueError(f"{name} has values that are not finite; leave such pairs out, so that n reflects it")


def two_sided_p(value: float, freedom: int) -> float:
    """Two-sided p-value of a coefficient by the t distribution with these degrees of freedom; 0 for a perfect one."""
    if abs(value) >= 1:
        return 0.0
    from scipy.special import stdtr

    t = abs(value) * math.sqrt(freedom / ((1 - value) * (1 + value)))
    return 2 * float(stdtr(freedom, -t))


def spearman_interval(value: float, n: int) -> tuple[float, float] | tuple[None, None]:
    """95 % interval of Spearman's coefficient: Fisher z with variance (1 + value²/2) / (n - 3).

    Bonett & Wright 2000, "Sample size requirements for estimating Pearson, Kendall and Spearman correlations".
    Undefined for a perfect order, where z is infinite, and for n <= 3.
    """
    if n <= 3 or abs(value) > NEARLY_ONE:
        return None, None
    z, half = math.atanh(value), Z95 * math.sqrt((1 + value * value / 2) / (n - 3))
    return math.tanh(z - half), math.tanh(z + half)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consistency:
    """How consistently two observers err on the same n images (Geirhos, Meding & Wichmann, NeurIPS 2020).

    Attributes:
        n: number of images.
        accuracies: fraction of correct decisions of the first and of the second observer.
        observed: fraction of images that both get right or both get wrong.
        expected: the same for independent observers with these accuracies.
        kappa: (observed - expected) / (1 - expected), and 1 if `observed` is 1; None without images.
        reason: why `kappa` is None; else None.
    """

    n: int
    accuracies: tuple[float, float] | None = None
    observed: float | None = None
    expected: float | None = None
    kappa: float | None = None
    reason: str | None = None


def error_consistency(first: ArrayLike, second: ArrayLike) -> Consistency:
    """Error consistency of two observers.

    Args:
        first: n booleans, one per image: whether the decision was correct.
        second: the same for the second observer.

    Raises:
        ValueError: unequal lengths, more than one dimension, or values that are not booleans.
    """
    counts = _outcomes(first, second)
    n = int(counts.sum())
    if n == 0:
        return Consistency(n=0, reason="undefined (no shared images)")
    observed, expected, kappa = (float(values[0]) for values in _kappas(counts[None]))
    both, only_first, only_second, _ = (int(count) for count in counts)
    return Consistency(
        n=n,
        accuracies=((both + only_first) / n, (both + only_second) / n),
        observed=observed,
        expected=expected,
        kappa=kappa,
    )


def error_consistency_interval(
    pairs: Sequence[tuple[ArrayLike, ArrayLike]], *, seed: int = 0, resamples: int = 2000
) -> tuple[float, float] | tuple[None, None]:
    """95 % percentile bootstrap interval, over images, of the mean of the kappas of several sets of images.

    Images are resampled within each set (condition). A draw matters only through its four counts right/wrong x
    right/wrong, which are multinomial and drawn directly. Undefined if a set is empty, or there are no sets.

    Args:
        pairs: arguments of `error_consistency`, one pair per set.

    Raises:
        ValueError: see `error_consistency`.
    """
    all_counts = [_outcomes(*pair) for pair in pairs]
    if not all_counts or any(counts.sum() == 0 for counts in all_counts):
        return None, None
    rng = np.random.default_rng(seed)
    drawn = [rng.multinomial(counts.sum(), counts / counts.sum(), size=resamples) for counts in all_counts]
    means = np.mean([_kappas(counts)[2] for counts in drawn], axis=0)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def _outcomes(first: ArrayLike, second: ArrayLike) -> np.ndarray:
    """Number of images that both, only the first, only the second, and neither got right, (4,) int64."""
    right_first, right_second = np.asarray(first), np.asarray(second)
    if right_first.ndim != 1 or right_first.shape != right_second.shape:
        raise ValueError(f"expected two lists of one length, got shapes {right_first.shape} and {right_second.shape}")
    for values in (right_first, right_second):
        if not np.isin(values, (0, 1)).all():
            raise ValueError("expected truth values, True or 1 for a correct decision")
    kinds = 3 - 2 * right_first.astype(np.int64) - right_second.astype(np.int64)
    return np.bincount(kinds, minlength=4)


def _kappas(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Observed and expected consistency and kappa of each row of counts (R, 4)."""
    both, only_first, only_second, neither = counts.T
    n = counts.sum(axis=1)
    p, q = (both + only_first) / n, (both + only_second) / n
    observed, expected = (both + neither) / n, p * q + (1 - p) * (1 - q)
    # Two observers who agree on all images have kappa 1, even if both are always right, where it would be 0/0.
    agree = only_first + only_second == 0
    kappa = np.where(agree, 1.0, (observed - expected) / np.where(agree, 1.0, 1 - expected))
    return observed, expected, kappa


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """Adjusted p-values that control the family-wise error (Holm 1979). None stays None and is not a test."""
    defined, p = _defined(ps)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return _scattered(len(ps), defined[order], stepped)


def benjamini_hochberg(ps: Sequence[float | None]) -> list[float | None]:
    """Adjusted p-values that control the false discovery rate (Benjamini & Hochberg 1995). None as in `holm`."""
    defined, p = _defined(ps)
    order = np.argsort(p, kind="stable")[::-1]
    stepped = np.minimum.accumulate(p[order] * len(p) / np.arange(len(p), 0, -1))
    return _scattered(len(ps), defined[order], stepped)


def _defined(ps: Sequence[float | None]) -> tuple[np.ndarray, np.ndarray]:
    """Positions and values of the p-values that are not None."""
    tests = [(index, p) for index, p in enumerate(ps) if p is not None]
    outside = [p for _, p in tests if not 0 <= p <= 1]
    if outside:
        raise ValueError(f"expected p-values in [0, 1] or None, got {outside[0]}")
    return np.array([index for index, _ in tests], dtype=np.intp), np.array([p for _, p in tests], dtype=np.float64)


def _scattered(length: int, positions: np.ndarray, values: np.ndarray) -> list[float | None]:
    adjusted: list[float | None] = [None] * length
    for position, value in zip(positions, values, strict=True):
        adjusted[int(position)] = min(1.0, float(value))
    return adjusted
