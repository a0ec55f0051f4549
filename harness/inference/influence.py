"""On which single model a rank correlation rests: the coefficient with each model left out in turn.

Ranks of the remaining models follow from the signs of differences, so all n coefficients cost one n × n product.
Ties are those among all models.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from harness.ranks import exact_p, levels
from harness.statistics import LEAST_PAIRS, NEARLY_ONE, spearman

LEVEL: Final = 0.05
"""A p-value below this carries a star; a deletion that moves p across it flips the star."""
_BLOCK: Final = 1 << 20
"""Most entries of a block of deletions: memory does not grow with the square of the number of models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Influence:
    """How far a rank correlation rests on single models.

    Attributes:
        n: number of models. value: coefficient over all of them.
        most: position of the model whose deletion moves the coefficient most, the first of equal ones.
        without: the coefficient without that model.
        coefficients: coefficient without each model, in order; None where the rest is constant.
        flips: positions of the models whose deletion moves the p-value across 0.05.
        reason: why nothing is given; else None.
    """

    n: int
    value: float | None = None
    most: int | None = None
    without: float | None = None
    coefficients: tuple[float | None, ...] = ()
    flips: tuple[int, ...] = ()
    reason: str | None = None


def influence_of(x: ArrayLike, y: ArrayLike, names: tuple[str, str] = ("x", "y")) -> Influence:
    """Spearman's coefficient without each of n models; p-values are those of `harness.statistics.spearman`.

    Args:
        x: n finite numbers, one a model. y: likewise.
        names: names of x and y in `reason`.

    Raises:
        ValueError: see `harness.statistics.spearman`.
    """
    whole = spearman(x, y, names)
    if whole.value is None or whole.p is None:
        return Influence(n=whole.n, reason=whole.reason)
    if whole.n <= LEAST_PAIRS:
        return Influence(n=whole.n, value=whole.value, reason=f"undefined (n = {whole.n - 1} without a model)")
    coefficients, ps = _without_each(levels(x), levels(y))
    defined = np.isfinite(coefficients)
    if not defined.any():
        return Influence(n=whole.n, value=whole.value, reason="undefined (constant without a model)")
    starred = ps < LEVEL
    most = int(np.argmax(np.where(defined, np.abs(coefficients - whole.value).round(12), -1.0)))
    return Influence(
        n=whole.n,
        value=whole.value,
        most=most,
        without=float(coefficients[most]),
        coefficients=tuple(float(value) if np.isfinite(value) else None for value in coefficients),
        flips=tuple(int(at) for at in np.flatnonzero(defined & (starred != (whole.p < LEVEL)))),
    )


def _without_each(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficient and p-value without each of n models, (n,) float64 each, from the levels of both (n,)."""
    n = len(first)
    step = max(1, _BLOCK // n)
    blocks = [np.arange(at, min(at + step, n)) for at in range(0, n, step)]
    ranks = ((_ranks_without(first, block), _ranks_without(second, block), block) for block in blocks)
    both = [(values := _cosines(x, y), _p_values(values, x, y, block)) for x, y, block in ranks]
    return np.concatenate([values for values, _ in both]), np.concatenate([ps for _, ps in both])


def _ranks_without(level: np.ndarray, deleted: np.ndarray) -> np.ndarray:
    """Row i: centred ranks (see `harness.ranks`) without model ``deleted[i]``, 0 at itself; (k, n) int64."""
    counts = np.bincount(level)
    smaller = np.cumsum(counts) - counts
    ranks = (2 * smaller + counts - len(level))[level]
    without: np.ndarray = ranks - np.sign(level[None, :] - level[deleted][:, None])
    without[np.arange(len(deleted)), deleted] = 0
    return without


def _cosines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Coefficient of each row, (n,) float64; NaN where one of the two is constant, 1 exactly for a perfect order."""
    squares = np.einsum("ij,ij->i", first, first) * np.einsum("ij,ij->i", second, second)
    products = np.einsum("ij,ij->i", first, second)
    values = np.full(len(first), np.nan)
    np.divide(products, np.sqrt(squares, dtype=np.float64), out=values, where=squares > 0)
    return np.where(np.abs(values) > NEARLY_ONE, np.sign(values), values)


def _p_values(coefficients: np.ndarray, first: np.ndarray, second: np.ndarray, deleted: np.ndarray) -> np.ndarray:
    """Two-sided p-value of each row, as `harness.statistics.spearman` has it: exact below ten models, else by t."""
    n = first.shape[1] - 1
    exact = [exact_p(np.delete(x, at), np.delete(y, at)) for x, y, at in zip(first, second, deleted, strict=True)]
    if None not in exact:
        return np.array(exact, dtype=np.float64)
    from scipy.special import stdtr

    with np.errstate(divide="ignore"):
        t = np.abs(coefficients) * np.sqrt((n - 2) / ((1 - coefficients) * (1 + coefficients)))
    p: np.ndarray = 2 * stdtr(n - 2, -t)
    return p
