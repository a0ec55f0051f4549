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
    first, second = _ranks_without(x), _ranks_without(y)
    coefficients = _cosines(first, second)
    defined = np.isfinite(coefficients)
    if not defined.any():
        return Influence(n=whole.n, value=whole.value, reason="undefined (constant without a model)")
    starred = _p_values(coefficients, first, second) < LEVEL
    most = int(np.argmax(np.where(defined, np.abs(coefficients - whole.value).round(12), -1.0)))
    return Influence(
        n=whole.n,
        value=whole.value,
        most=most,
        without=float(coefficients[most]),
        coefficients=tuple(float(value) if np.isfinite(value) else None for value in coefficients),
        flips=tuple(int(at) for at in np.flatnonzero(defined & (starred != (whole.p < LEVEL)))),
    )


def _ranks_without(values: ArrayLike) -> np.ndarray:
    """Row i: centred ranks (see `harness.ranks`) without model i, 0 at i itself; (n, n) int64."""
    level = levels(values)
    above = np.sign(level[:, None] - level[None, :])  # [j, i]: whether j is above i
    ranks: np.ndarray = above.sum(axis=1)[None, :] - above.T
    np.fill_diagonal(ranks, 0)
    return ranks


def _cosines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Coefficient of each row, (n,) float64; NaN where one of the two is constant, 1 exactly for a perfect order."""
    squares = np.einsum("ij,ij->i", first, first) * np.einsum("ij,ij->i", second, second)
    products = np.einsum("ij,ij->i", first, second)
    values = np.full(len(first), np.nan)
    np.divide(products, np.sqrt(squares, dtype=np.float64), out=values, where=squares > 0)
    return np.where(np.abs(values) > NEARLY_ONE, np.sign(values), values)


def _p_values(coefficients: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Two-sided p-value of each row, as `harness.statistics.spearman` has it: exact below ten models, else by t."""
    n = len(coefficients) - 1
    others = [np.delete(np.arange(n + 1), at) for at in range(n + 1)]
    exact = [exact_p(first[at, rest], second[at, rest]) for at, rest in enumerate(others)] if n < 10 else []
    if exact:
        return np.array([np.nan if p is None else p for p in exact])
    from scipy.special import stdtr

    with np.errstate(divide="ignore"):
        t = np.abs(coefficients) * np.sqrt((n - 2) / ((1 - coefficients) * (1 + coefficients)))
    p: np.ndarray = 2 * stdtr(n - 2, -t)
    return p
