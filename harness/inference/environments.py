"""Does a measure rank two networks that differ in one hyperparameter? Its sign error, and the worst intervention.

Dziugaite, Drouin, Neal, Rajkumar, Caballero, Wang, Mitliagkas, Roy: "In Search of Robust Measures of Generalization"
(NeurIPS 2020). A mean over all pairs of networks hides an intervention under which a measure always fails; so errors
are averaged inside each *environment*, and the largest one is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from harness.inference.families import paired
from harness.ranks import levels

LEAST_SIZE: Final = 12.0
"""Smallest effective sample size of an environment that is kept."""
LEAST_WEIGHT: Final = 0.5
"""Pairs of a smaller weight do not count; it is taken off the weight of the others."""
QUANTILE: Final = 0.9
ROUNDING: Final = 1e-9
"""Part of a size that is rounding: twelve pairs of one weight are twelve."""
Setting = str | float
"""Value of a hyperparameter: a text or a number."""
_Recipe = tuple[Setting, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The pairs of networks of two recipes that differ in one hyperparameter.

    Attributes:
        factor: its name. before, after: its two values; which is which changes nothing.
        fixed: the other hyperparameters.
        pairs: number of pairs of networks, with weight or without.
        size: effective sample size of the pairs, (Σ w)² / Σ w², at most `pairs`; 0 if none has weight.
        error: mean sign error of the pairs, each with its weight; None without weight.
    """

    factor: str
    before: Setting
    after: Setting
    fixed: Mapping[str, Setting]
    pairs: int
    size: float
    error: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignErrors:
    """Sign errors over environments.

    Attributes:
        environments: their number. mean: of their errors.
        high: their 90th percentile: the smallest error that nine of ten environments do not exceed.
        worst: the largest one: the *robust* sign error.
    """

    environments: int
    mean: float
    high: float
    worst: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RobustSignError:
    """Sign errors of a measure over all environments, and over those of each hyperparameter.

    Attributes:
        environments: all, also those of too small a size, by hyperparameter and value.
        overall: None where no environment is large enough, and then `reason` says why.
        factors: hyperparameter -> its environments; without those that have none of sufficient size.
    """

    environments: tuple[Environment, ...]
    overall: SignErrors | None
    factors: Mapping[str, SignErrors]
    reason: str | None

    @property
    def largest(self) -> float:
        """Largest effective sample size of an environment; 0 without any."""
        return max((environment.size for environment in self.environments), default=0.0)


def sign_error(c1: float, c2: float, g1: float, g2: float) -> float:
    """Whether a measure c ranks two networks against their generalization g: 0 no, 1 yes, ½ if either is tied."""
    return float(1 - np.sign(c1 - c2) * np.sign(g1 - g2)) / 2


def hoeffding_weight(difference: ArrayLike, n: int) -> np.ndarray:
    """Squared least probability that the sign of a difference of accuracies on `n` images is not chance, in [0, 1].

    By Hoeffding's inequality each accuracy is within half of the difference with probability 1 - 2 exp(-2 n (Δ/2)²).
    """
    half = np.abs(np.asarray(difference, dtype=np.float64)) / 2
    probability: np.ndarray = np.maximum(0.0, 1 - 2 * np.exp(-2 * n * half**2)) ** 2
    return probability


def robust_sign_error(
    c: ArrayLike, g: ArrayLike, hyperparameters: Sequence[Mapping[str, Setting]], n: int | None
) -> RobustSignError:
    """Sign errors of a measure under single changes of a recipe.

    Networks of equal hyperparameters are seeds of one recipe. An environment are all pairs of a network of one recipe
    with one of another, which differs in one hyperparameter. Values that agree to six digits are tied.

    Args:
        c: (N,) the measure; larger is taken to mean more of g.
        g: (N,) generalization, as a fraction of images.
        hyperparameters: N mappings with the same keys.
        n: number of images that g is measured on; None: noise is ignored, and each pair has weight 1.

    Raises:
        ValueError: unequal lengths, a value that is not finite, or other keys in one mapping than in another.
    """
    measure, axis = paired(c, g, [None] * len(hyperparameters))
    factors = _factors(hyperparameters)
    seeds: dict[_Recipe, list[int]] = {}
    for place, values in enumerate(hyperparameters):
        seeds.setdefault(tuple(values[factor] for factor in factors), []).append(place)
    pairs = _Pairs(levels(measure), levels(axis), axis, n)
    environments = tuple(_environments(factors, seeds, pairs))
    kept = [environment for environment in environments if environment.size >= LEAST_SIZE * (1 - ROUNDING)]
    by_factor = {factor: [environment for environment in kept if environment.factor == factor] for factor in factors}
    return RobustSignError(
        environments=environments,
        overall=_summary(kept) if kept else None,
        factors={factor: _summary(own) for factor, own in by_factor.items() if own},
        reason=None if kept else _reason(environments, seeds, n),
    )


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Errors and weights of pairs of networks: levels of the measure and of g, g itself, and the number of images."""

    measure: np.ndarray
    axis: np.ndarray
    values: np.ndarray
    n: int | None

    def of(self, first: Sequence[int], second: Sequence[int]) -> tuple[int, float, float | None]:
        """Number, effective sample size and mean error of the pairs of networks at two lists of places."""
        rows, columns = np.ix_(first, second)
        errors = (1 - self._steps(self.measure, rows, columns) * self._steps(self.axis, rows, columns)) / 2
        weights = np.ones(errors.shape)
        if self.n is not None:
            of_noise = hoeffding_weight(self.values[rows] - self.values[columns], self.n)
            weights = np.maximum(of_noise - LEAST_WEIGHT, 0.0)
        total = float(weights.sum())
        if total == 0:
            return errors.size, 0.0, None
        return errors.size, total**2 / float(np.square(weights).sum()), float((weights * errors).sum()) / total

    @staticmethod
    def _steps(level: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        steps: np.ndarray = np.sign(level[rows] - level[columns])
        return steps


def _factors(hyperparameters: Sequence[Mapping[str, Setting]]) -> tuple[str, ...]:
    factors = tuple(hyperparameters[0]) if hyperparameters else ()
    for values in hyperparameters:
        if set(values) != set(factors):
            raise ValueError(f"hyperparameters {sorted(values)} and {sorted(factors)}; expected the same of each model")
    return factors


def _environments(
    factors: Sequence[str], seeds: Mapping[_Recipe, Sequence[int]], pairs: _Pairs
) -> Iterator[Environment]:
    """Every two recipes that differ in one factor, once."""
    for place, factor in enumerate(factors):
        alike: dict[_Recipe, list[_Recipe]] = {}
        for recipe in seeds:
            alike.setdefault((*recipe[:place], *recipe[place + 1 :]), []).append(recipe)
        for fixed, recipes in alike.items():
            ordered = sorted(recipes, key=lambda recipe: _order(recipe[place]))
            for before, after in combinations(ordered, 2):
                number, size, error = pairs.of(seeds[before], seeds[after])
                yield Environment(
                    factor=factor,
                    before=before[place],
                    after=after[place],
                    fixed=dict(zip((name for name in factors if name != factor), fixed, strict=True)),
                    pairs=number,
                    size=size,
                    error=error,
                )


def _order(value: Setting) -> tuple[bool, float, str]:
    """Numbers by size, then all else by its text."""
    return (True, 0.0, value) if isinstance(value, str) else (False, float(value), "")


def _summary(environments: Sequence[Environment]) -> SignErrors:
    errors = np.array([environment.error for environment in environments], dtype=np.float64)
    return SignErrors(
        environments=len(errors),
        mean=float(errors.mean()),
        high=float(np.quantile(errors, QUANTILE, method="inverted_cdf")),
        worst=float(errors.max()),
    )


def _reason(environments: Sequence[Environment], seeds: Mapping[_Recipe, Sequence[int]], n: int | None) -> str:
    """Why no environment is large enough."""
    expected = f"expected at least {LEAST_SIZE:g}"
    if not environments:
        return "undefined (no two recipes differ in one hyperparameter alone)"
    if max(map(len, seeds.values())) == 1:
        return f"undefined (one network a recipe: effective sample size 1, {expected})"
    largest = max(environment.size for environment in environments)
    if largest == 0:
        return f"undefined (no difference is beyond the noise of {n:,} images)"
    return f"undefined (effective sample size at most {largest:.1f}, {expected})"
