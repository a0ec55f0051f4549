"""Association inside training families: models of one family share data, code and recipe, and are not independent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from harness.ranks import centred_ranks
from harness.statistics import NEARLY_ONE, Z95, two_sided_p

LEAST_FREEDOM = 3
"""Fewest degrees of freedom of a coefficient: as many as five models have in one family."""
_NOTHING = 1e-18
"""A sum of squares below this part of the whole is rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """The families of n models; one without a family (None) is a family of its own.

    Attributes:
        names: F names in alphabetical order, then one empty name for each model without a family.
        codes: (n,) int64, the position of each model's family in `names`.
        sizes: (F,) int64, models of each family, one or more.
    """

    names: tuple[str, ...]
    codes: np.ndarray
    sizes: np.ndarray

    @classmethod
    def of(cls, families: Sequence[str | None]) -> Grouping:
        """`families`: the family of each model. Raises ValueError as `refuse_unnamed`."""
        refuse_unnamed(families)
        names = sorted({family for family in families if family is not None})
        places = {name: place for place, name in enumerate(names)}
        codes = []
        for family in families:
            codes.append(len(names) if family is None else places[family])
            if family is None:
                names.append("")
        array = np.array(codes, dtype=np.int64)
        return cls(names=tuple(names), codes=array, sizes=np.bincount(array, minlength=len(names)))

    def means(self, values: np.ndarray) -> np.ndarray:
        """(…, F) mean of `values` (…, n) over each family."""
        if not len(self.codes):
            return np.zeros((*values.shape[:-1], 0))
        order = np.argsort(self.codes, kind="stable")
        sums = np.add.reduceat(values[..., order], np.cumsum(self.sizes) - self.sizes, axis=-1)
        means: np.ndarray = sums / self.sizes
        return means

    def residuals(self, values: np.ndarray) -> np.ndarray:
        """`values` (…, n), each less the mean of its family; zero for families of one."""
        array = np.asarray(values, dtype=np.float64)
        return np.where(self.shared, array - self.means(array)[..., self.codes], 0.0)

    @property
    def shared(self) -> np.ndarray:
        """(n,) bool: whether another model has the same family. The others carry nothing within families."""
        together: np.ndarray = self.sizes[self.codes] > 1
        return together

    def ordered(self, *values: np.ndarray) -> np.ndarray:
        """(n,) int64: positions of the models by family, then by `values` (…, n), whatever order they came in.

        Models without a family are last, in the order of their values: their families of one are interchangeable.
        """
        rows = [row for array in values for row in np.atleast_2d(array)]
        named = sum(bool(name) for name in self.names)
        return np.lexsort((*rows[::-1], np.minimum(self.codes, named)))


@dataclass(frozen=True, slots=True, kw_only=True)
class WithinFamilies:
    """Association of two quantities within families, pooled.

    Attributes:
        n: models in families of two or more; families: how many such families.
        freedom: degrees of freedom, n - families - 1.
        value: coefficient in [-1, 1]; None if undefined.
        p: two-sided, by the t distribution with `freedom` degrees (Bland & Altman 1995); None like `value`.
        low, high: 95 % interval by Fisher's z; None if undefined or for a perfect order.
        reason: why `value` is undefined; else None.
    """

    n: int
    families: int
    freedom: int
    value: float | None = None
    p: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str | None = None


def within_families(
    x: ArrayLike,
    y: ArrayLike,
    families: Sequence[str | None],
    *,
    ranked: bool = True,
    names: tuple[str, str] = ("x", "y"),
) -> WithinFamilies:
    """Pooled coefficient within families: Pearson's of what is left after each family's mean is taken away.

    Of values it is the repeated-measures correlation of Bland & Altman (BMJ 1995, 310:446). Of ranks, which are taken
    over all models first, it is Spearman's coefficient with families held fixed; with a single family it is Spearman's.

    Args:
        x, y: n finite numbers each, paired.
        families: family of each model; None: a family of its own.
        ranked: whether the values are replaced by their ranks over all models.
        names: names of x and y in `reason`.

    Raises:
        ValueError: unequal lengths, more than one dimension, or a value that is not finite.
    """
    first, second = paired(x, y, families)
    grouping = Grouping.of(families)
    if ranked:
        first, second = (centred_ranks(values).astype(np.float64) for values in (first, second))
    n, count = int(grouping.shared.sum()), int((grouping.sizes > 1).sum())
    sizes = WithinFamilies(n=n, families=count, freedom=max(0, n - count - 1))
    if n == 0:
        return replace(sizes, reason="undefined (no family has two models)")
    if sizes.freedom < LEAST_FREEDOM:
        return replace(sizes, reason=f"undefined (n = {n} in {count} {'family' if count == 1 else 'families'})")
    residuals = [grouping.residuals(values) for values in (first, second)]
    constant = [
        name
        for name, values, left in zip(names, (first, second), residuals, strict=True)
        if left @ left <= _NOTHING * max(float(values @ values), 1e-300)
    ]
    if constant:
        return replace(sizes, reason=f"undefined ({' and '.join(constant)} constant within families)")
    return _coefficient(sizes, *residuals, ranked=ranked)


def _coefficient(sizes: WithinFamilies, first: np.ndarray, second: np.ndarray, *, ranked: bool) -> WithinFamilies:
    """`sizes` with the coefficient of two residuals, p and interval; exactly 0 or ±1 where it is so up to rounding."""
    value = float(first @ second / math.sqrt((first @ first) * (second @ second)))
    value = 0.0 if abs(value) < 1 - NEARLY_ONE else value
    freedom = sizes.freedom
    if abs(value) > NEARLY_ONE:
        return replace(sizes, value=math.copysign(1.0, value), p=0.0)
    p = two_sided_p(value, freedom)
    half = Z95 * math.sqrt((1 + value * value / 2 if ranked else 1.0) / (freedom - 1))
    z = math.atanh(value)
    return replace(sizes, value=value, p=p, low=math.tanh(z - half), high=math.tanh(z + half))


def refuse_unnamed(families: Sequence[str | None]) -> None:
    """Raise ValueError for a family that is neither a name nor None: the NaN of a data frame would be a family."""
    for family in families:
        if family is not None and not isinstance(family, str):
            raise ValueError(f"expected the name of a family, or None for a model without one, got {family!r}")


def refuse_no_draws(draws: int) -> None:
    """Raise ValueError unless there is at least one draw."""
    if draws < 1:
        raise ValueError(f"expected at least one draw, got {draws}")


def paired(x: ArrayLike, y: ArrayLike, families: Sequence[str | None]) -> tuple[np.ndarray, np.ndarray]:
    """`x` and `y` as float64 arrays. Raises ValueError unless both are finite lists as long as `families`."""
    first, second = (np.asarray(values, dtype=np.float64) for values in (x, y))
    if first.ndim != 1 or first.shape != second.shape or len(first) != len(families):
        raise ValueError(f"expected lists of one length, got shapes {first.shape}, {second.shape}, {len(families)}")
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("expected finite values; leave models without a number out, so that n reflects it")
    return first, second
