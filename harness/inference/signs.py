"""Does a relation hold in every training family? Its sign in each one, the family where it is most wrong, reversals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
    overall = int(np.sign(centred_ranks(first) @ centred_ranks(second)))
    grouping = Grouping.of(families)
    signs = []
    for place in np.flatnonzero(grouping.sizes >= LEAST_SIGN):
        members = grouping.codes == place
        inside = centred_ranks(first[members]) @ centred_ranks(second[members])
        order = [levels(values[members]) for values in (first, second)]
        signs.append(
            FamilySign(
                family=grouping.names[place],
                n=int(members.sum()),
                sign=int(np.sign(inside)),
                error=(1 - overall * _concordance(*order)) / 2,
            )
        )
    return FamilySigns(overall=overall, families=tuple(signs))


def _concordance(first: np.ndarray, second: np.ndarray) -> float:
    """Mean of sgn Δx · sgn Δy over the pairs of models, in [-1, 1]."""
    left, right = np.triu_indices(len(first), 1)
    return float((np.sign(first[left] - first[right]) * np.sign(second[left] - second[right])).mean())
