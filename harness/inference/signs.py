"""Does a relation hold in every training family? Its sign in each one, the family where it is most wrong, reversals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from harness.inference.families import Grouping, paired
from harness.ranks import centred_ranks, levels

LEAST_SIGN: Final = 3
"""Fewest models of a family whose sign is given."""
LEAST_REVERSED: Final = 5
"""Fewest models of a family whose opposite sign counts as a reversal: with fewer it is no rarer than a coin's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilySign:
    """A relation inside one family.

    Attributes:
        n: models of the family.
        sign: of Spearman's coefficient inside it: -1, 0 or 1.
        error: share of its pairs of models that are ordered against the relation over all models, ties one half.
    """

    family: str
    n: int
    sign: int
    error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilySigns:
    """A relation over all models, and inside each family of `LEAST_SIGN` or more.

    Attributes:
        overall: sign of Spearman's coefficient over all models: -1, 0 or 1.
        families: in alphabetical order.
    """

    overall: int
    families: tuple[FamilySign, ...]

    @property
    def worst(self) -> FamilySign | None:
        """The family with the largest sign error, the first of several; None without families."""
        return max(self.families, key=lambda family: family.error, default=None)

    @property
    def reversed(self) -> tuple[str, ...]:
        """Families of `LEAST_REVERSED` or more whose sign is opposite to that over all models."""
        return tuple(one.family for one in self.families if one.n >= LEAST_REVERSED and one.sign * self.overall < 0)

    def simpson(self, within: float | None) -> bool:
        """Whether it turns round: in the pooled coefficient `within`, or in one of `reversed` (Simpson 1951)."""
        return bool(self.reversed) or (within is not None and within * self.overall < 0)


def family_signs(x: ArrayLike, y: ArrayLike, families: Sequence[str | None]) -> FamilySigns:
    """Sign and sign error of the relation of x and y inside each family.

    The sign error of a family is E[1 - s · sgn Δx · sgn Δy] / 2 over its pairs of models, where s is the sign over all
    models; families take the place of the environments of Dziugaite et al. (NeurIPS 2020), whose measures have s = 1.
    One half is a coin's; the worst family says how far the relation is from holding in each.

    Raises:
        ValueError: unequal lengths, more than one dimension, or a value that is not finite.
    """
    first, second = paired(x, y, families)
    grouping = Grouping.of(families)
    left, right = (_Order.of(values.tobytes(), grouping.codes.tobytes()) for values in (first, second))
    overall = int(np.sign(left.ranks @ right.ranks))
    signs = []
    for place in np.flatnonzero(grouping.sizes >= LEAST_SIGN):
        first_order, second_order = left.families[place], right.families[place]
        signs.append(
            FamilySign(
                family=grouping.names[place],
                n=int(grouping.sizes[place]),
                sign=int(np.sign(first_order.ranks @ second_order.ranks)),
                error=(1 - overall * float((first_order.steps * second_order.steps).mean())) / 2,
            )
        )
    return FamilySigns(overall=overall, families=tuple(signs))


@dataclass(frozen=True, slots=True)
class _Order:
    """How the models of a set are ordered by one quantity.

    Attributes:
        ranks: (n,) centred ranks. steps: sgn of the difference, for each pair of models; empty over all of them.
        families: the same for each family, where this is the order of all models.
    """

    ranks: np.ndarray
    steps: np.ndarray
    families: tuple[_Order, ...] = ()

    @classmethod
    @lru_cache(maxsize=64)
    def of(cls, values: bytes, codes: bytes) -> _Order:
        """Of float64 values and int64 positions of families. Kept: a report compares each quantity with many others."""
        numbers, places = np.frombuffer(values), np.frombuffer(codes, dtype=np.int64)
        families = []
        for place in range(int(places.max(initial=-1)) + 1):
            level = levels(numbers[places == place])
            left, right = np.triu_indices(len(level), 1)
            ranks = centred_ranks(numbers[places == place])
            families.append(cls(ranks=ranks, steps=np.sign(level[left] - level[right]).astype(np.int8)))
        return cls(ranks=centred_ranks(numbers), steps=np.zeros(0, np.int8), families=tuple(families))
