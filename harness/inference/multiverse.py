"""How far a coefficient rests on choices that could as well have been made otherwise.

Steegen et al. 2016, "Increasing transparency through a multiverse analysis"; Simonsohn et al. 2020, "Specification
curve analysis". All combinations of the declared alternatives of a bias with those of an axis. The combinations share
data, so their counts are no test; and a trivial one widens the range, so the suite declares which are defensible.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from harness.statistics import Correlation, spearman

LEVEL: Final = 0.05
MOST: Final = 1000
"""Most combinations that are computed; a suite that declares more has not chosen what is defensible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Specification:
    """One combination: `first` and `second` are the names of the alternatives."""

    first: str
    second: str
    correlation: Correlation


@dataclass(frozen=True, slots=True, kw_only=True)
class Multiverse:
    """Rank correlations over all combinations of alternatives.

    Attributes:
        specifications: every combination, by rising coefficient, then those without one.
        defined: number of combinations with a coefficient.
        least: smallest coefficient. median: of all defined. most: largest coefficient; None where none is defined.
        positive: share of the defined coefficients that are above zero, negative: below, significant: with p < 0.05.
        reason: why there is no coefficient at all; else None.
    """

    specifications: tuple[Specification, ...] = ()
    defined: int = 0
    least: float | None = None
    median: float | None = None
    most: float | None = None
    positive: float | None = None
    negative: float | None = None
    significant: float | None = None
    reason: str | None = None


def multiverse_of(
    first: Mapping[str, ArrayLike], second: Mapping[str, ArrayLike], names: tuple[str, str] = ("x", "y")
) -> Multiverse:
    """Spearman's coefficient of every alternative of one quantity with every one of the other.

    Args:
        first: name of the alternative -> n numbers, one a model, in one order of models; NaN: the model lacks it and is
            left out of that combination. second: likewise.
        names: names of the two quantities in reasons.

    Raises:
        ValueError: unequal lengths, more than one dimension, or an infinite value.
    """
    combinations = len(first) * len(second)
    if combinations > MOST:
        return Multiverse(reason=f"undefined ({combinations:,} combinations of alternatives, at most {MOST:,})")
    pairs = product(first.items(), second.items())
    tried = [Specification(first=a, second=b, correlation=_of_both(x, y, names)) for (a, x), (b, y) in pairs]
    placed = {id(each): each.correlation.value for each in tried}
    tried.sort(key=lambda each: (placed[id(each)] is None, placed[id(each)] or 0.0))
    correlations = [each.correlation for each in tried if each.correlation.value is not None]
    values = [each.value for each in correlations if each.value is not None]
    if not values:
        reason = tried[0].correlation.reason if tried else "undefined (no alternative)"
        return Multiverse(specifications=tuple(tried), reason=reason)
    return Multiverse(
        specifications=tuple(tried),
        defined=len(values),
        least=values[0],
        median=statistics.median(values),
        most=values[-1],
        positive=sum(value > 0 for value in values) / len(values),
        negative=sum(value < 0 for value in values) / len(values),
        significant=sum(each.p is not None and each.p < LEVEL for each in correlations) / len(values),
    )


def _of_both(x: ArrayLike, y: ArrayLike, names: tuple[str, str]) -> Correlation:
    """Coefficient over the models that have both."""
    first, second = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if first.shape != second.shape:
        raise ValueError(f"expected two lists of one length, got shapes {first.shape} and {second.shape}")
    both = ~(np.isnan(first) | np.isnan(second))
    return spearman(first[both], second[both], names)
