"""Permutation tests within training families: models change places only with others of their family."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike

from harness.inference.families import Grouping, refuse_no_draws
from harness.ranks import centred_ranks

DRAWS: Final = 50_000
"""Random permutations of a test; up to as many, all of them are counted instead."""
_BATCH: Final = 250_000
"""Positions drawn at a time: of 48 models 5,000 permutations, 2 MB."""
_EXACT_FLOAT32: Final = 2**24
"""Whole numbers below this are exact in float32, sums of them in any order too."""
_ROUNDING: Final = 1e-9
_ONE_THREAD: Final = 250_000
_ONE_THREAD_VECTOR: Final = 9_000
"""Multiplications up to which OpenBLAS uses one thread, for a matrix and for a vector."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockedTest:
    """Tests of A × B pairs of quantities against one set of permutations within families.

    Attributes:
        p: (A, B) float64, two-sided; 1 where one of the two is constant within every family.
        method: ``exact``: over all permutations within families; ``permutation``: over random ones.
        draws: permutations counted. seed: of the random ones; None if `method` is ``exact``.
        possible: ∏ n_g!, how many permutations there are within families.
    """

    p: np.ndarray
    method: Literal["exact", "permutation"]
    draws: int
    seed: int | None
    possible: int


def blocked_test(
    first: ArrayLike,
    second: ArrayLike,
    families: Sequence[str | None],
    *,
    ranked: bool = True,
    draws: int = DRAWS,
    seed: int = 0,
) -> BlockedTest:
    """p-values of no association within families: every row of `first` with every row of `second`.

    The statistic is the sum of products of the family residuals, the numerator of `within_families`. Its mean over all
    permutations within families is zero, while that of the plain sum of products is the part between families. So
    p is the share of permutations that are at least as far from zero, in either direction: of all ∏ n_g! if they are
    `draws` or fewer, else (1 + extreme ones) / (1 + draws) over random ones (Phipson & Smyth 2010). The order in which
    models come changes nothing.

    Args:
        first: (A, n) finite numbers. second: (B, n).
        families: family of each model; None: a family of its own.
        ranked: whether each row is replaced by its ranks over all models.

    Raises:
        ValueError: shapes that do not fit, values that are not finite, a family without a name, or no draw.
    """
    refuse_no_draws(draws)
    left, right = _rows(first, families, ranked), _rows(second, families, ranked)
    grouping = Grouping.of(families)
    order = grouping.ordered(left, right)
    order = order[grouping.shared[order]]
    left, right = left[:, order], right[:, order]
    sizes = tuple(int(size) for size in grouping.sizes if size > 1)
    possible = math.prod(math.factorial(size) for size in sizes)
    exact = possible <= draws
    permutations = iter([_all(sizes)]) if exact else _random(sizes, draws, seed)
    extreme, count = _extreme(
        left, right, Grouping.of([grouping.names[c] for c in grouping.codes[order]]), permutations
    )
    p = extreme / count if exact else (1 + extreme) / (1 + count)
    method: Literal["exact", "permutation"] = "exact" if exact else "permutation"
    return BlockedTest(p=p, method=method, draws=count, seed=None if exact else seed, possible=possible)


def _rows(values: ArrayLike, families: Sequence[str | None], ranked: bool) -> np.ndarray:
    """(A, n) float64, ranks where `ranked`: whole numbers."""
    array = np.atleast_2d(np.asarray(values, dtype=np.float64))
    if array.ndim != 2 or array.shape[1] != len(families) or not np.isfinite(array).all():
        raise ValueError(f"expected finite rows of {len(families)} models, got shape {array.shape}")
    return np.array([centred_ranks(row) for row in array], dtype=np.float64) if ranked else array


def _extreme(
    left: np.ndarray, right: np.ndarray, grouping: Grouping, permutations: Iterator[np.ndarray]
) -> tuple[np.ndarray, int]:
    """(A, B) permutations at least as far from the mean as the data, and how many there are.

    Sums of products of ranks are whole numbers, exact in float32 while they are small; the bounds are rounded to whole
    numbers too, so that a mirrored value counts as equally far.
    """
    mean = (grouping.means(left) * grouping.sizes) @ grouping.means(right).T
    observed = left @ right.T
    far = np.abs(observed - mean)
    margin = _ROUNDING * np.maximum(1e-300, np.sqrt(np.outer((left**2).sum(1), (right**2).sum(1))))
    low, high = mean - far + margin, mean + far - margin
    whole = not ((left % 1).any() or (right % 1).any())
    factors, moved = left.T, right
    if whole and np.abs(left).max(initial=0) * np.abs(right).max(initial=0) * left.shape[1] < _EXACT_FLOAT32:
        low, high = np.floor(low).astype(np.float32), np.ceil(high).astype(np.float32)
        factors, moved = factors.astype(np.float32), moved.astype(np.float32)
    extreme, count = np.zeros(mean.shape, dtype=np.int64), 0
    for positions in permutations:
        for column, row in enumerate(moved):
            products = _products(row[positions], factors)
            extreme[:, column] += ((products <= low[:, column]) | (products >= high[:, column])).sum(axis=0)
        count += len(positions)
    return extreme, count


def _products(rows: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """rows (m, n) @ factors (n, A), in slices that BLAS does in one thread: waking others costs ten times as much."""
    n, columns = factors.shape
    step = max(1, (_ONE_THREAD if columns > 1 else _ONE_THREAD_VECTOR) // max(1, n * columns))
    products = np.empty((len(rows), columns), dtype=rows.dtype)
    for start in range(0, len(rows), step):
        np.matmul(rows[start : start + step], factors, out=products[start : start + step])
    return products


def _all(sizes: Sequence[int]) -> np.ndarray:
    """(∏ n_g!, n) int64: every permutation within consecutive blocks of these sizes."""
    arranged, start = np.zeros((1, 0), dtype=np.int64), 0
    for size in sizes:
        block = np.array(list(itertools.permutations(range(start, start + size))), dtype=np.int64)
        arranged = np.hstack([np.repeat(arranged, len(block), axis=0), np.tile(block, (len(arranged), 1))])
        start += size
    return arranged


def _random(sizes: Sequence[int], draws: int, seed: int) -> Iterator[np.ndarray]:
    """Batches (m, n) int64 of random permutations within consecutive blocks of these sizes, `draws` in all."""
    rng = np.random.default_rng(seed)
    starts = np.cumsum((0, *sizes[:-1]))
    batch = max(1, _BATCH // sum(sizes))
    for done in range(0, draws, batch):
        keys = [rng.random((min(batch, draws - done), size), dtype=np.float32) for size in sizes]
        yield np.hstack([start + np.argsort(key, axis=1) for start, key in zip(starts, keys, strict=True)])
