"""Ranks, and the exact null distribution of a rank correlation. Integers only, so no result depends on rounding."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

RESOLUTION: Final = 1e-6
"""Two values whose difference is at most this part of the larger one are tied. A least-squares fit that stops at
tolerances of 1e-8 repeats to about six digits on another CPU or SciPy (7.99999999941 and 8.00000000024 are one
centre), and an accuracy differs by less only between more than a million decisions."""
ZERO: Final = 1e-12
"""Two values as close as this are tied too: a rounding error beside zero has no digits of its own."""
_MOST_EXACT: Final = 9


def levels(values: ArrayLike) -> np.ndarray:
    """Number of distinct smaller values of each value, (n,) int64: 0 for the lowest; equal for tied values.

    Values are tied with their neighbours in order if they are equal up to `RESOLUTION`. Rounding to digits instead
    would part two neighbours on either side of a half.

    Args:
        values: n finite numbers.
    """
    array = np.asarray(values, dtype=np.float64)
    order = np.argsort(array, kind="stable")
    ordered = array[order]
    larger = np.maximum(np.abs(ordered[1:]), np.abs(ordered[:-1]))
    with np.errstate(over="ignore"):  # a difference beyond the largest number is a step, too
        steps = np.diff(ordered) > np.maximum(RESOLUTION * larger, ZERO)
    result = np.zeros(len(array), np.int64)
    result[order[1:]] = np.cumsum(steps)
    return result


def centred_ranks(values: ArrayLike) -> np.ndarray:
    """Twice the mean rank of each value, less n + 1, (n,) int64; the sum is zero, with ties too."""
    level = levels(values)
    counts = np.bincount(level, minlength=1)
    smaller = np.cumsum(counts) - counts
    ranks: np.ndarray = (2 * smaller + counts - len(level))[level]
    return ranks


def exact_p(first: np.ndarray, second: np.ndarray) -> float | None:
    """Share of all n! pairings whose rank correlation is at least as far from zero as that of this pairing.

    Args:
        first, second: centred ranks of n pairs.

    Returns:
        None for more than nine pairs, where the t approximation is close.
    """
    n = len(first)
    if n > _MOST_EXACT:
        return None
    products, counts = _null(tuple(sorted(first.tolist())), tuple(sorted(second.tolist())))
    extreme = int(counts[np.abs(products) >= abs(int(first @ second))].sum())
    return extreme / math.factorial(n)


@lru_cache(maxsize=4096)
def _null(first: tuple[int, ...], second: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Sums of products over all pairings, and how many pairings give each.

    Ranks are paired one by one. `ways` maps how many of each value of `second` are still free to a polynomial with
    the number of pairings of each sum, an integer with `bits` for each coefficient.
    """
    values, free = np.unique(second, return_counts=True)
    low_first, low = first[0], int(values[0])
    bits = math.factorial(len(first)).bit_length()
    ways = {tuple(free.tolist()): 1}
    for rank in first:
        following: dict[tuple[int, ...], int] = {}
        for left, polynomial in ways.items():
            for at, count in enumerate(left):
                if count:
                    shift = (rank - low_first) * (int(values[at]) - low) * bits
                    state = (*left[:at], count - 1, *left[at + 1 :])
                    following[state] = following.get(state, 0) + count * (polynomial << shift)
        ways = following
    (polynomial,) = ways.values()
    counts = _coefficients(polynomial, bits)
    # Both sums of ranks are zero, so of the shifted product only one constant remains.
    return np.flatnonzero(counts) - len(first) * low_first * low, counts[np.flatnonzero(counts)]


def _coefficients(polynomial: int, bits: int) -> np.ndarray:
    mask, counts = (1 << bits) - 1, []
    while polynomial:
        counts.append(polynomial & mask)
        polynomial >>= bits
    return np.array(counts, dtype=np.int64)
