"""Does a measure rank two networks that differ in one hyperparameter? Its sign error, and the worst intervention.

Dziugaite, Drouin, Neal, Rajkumar, Caballero, Wang, Mitliagkas, Roy: "In Search of Robust Measures of Generalization"
(NeurIPS 2020). A mean over all pairs of networks hides an intervention under which a measure always fails; so errors
are averaged inside each *environment*, and the largest one is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
        environments: those of at least `LEAST_SIZE` pairs, with weight or without; by hyperparameter and value.
        size: largest effective sample size of an environment, also of those of fewer pairs; 0 without any.
        overall: None where no environment is large enough, and then `reason` says why.
        factors: hyperparameter -> its environments; without those that have none of sufficient size.
    """

    environments: tuple[Environment, ...]
    size: float
    overall: SignErrors | None
    factors: Mapping[str, SignErrors]
    reason: str | None


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
    everything = list(_environments(factors, seeds, _Pairs(levels(measure), levels(axis), axis, n)))
    environments = tuple(environment for _, own in everything for environment in own)
    size = max((largest for largest, _ in everything), default=0.0)
    kept = [environment for environment in environments if environment.size >= LEAST_SIZE * (1 - ROUNDING)]
    by_factor = {factor: [environment for environment in kept if environment.factor == factor] for factor in factors}
    return RobustSignError(
        environments=environments,
        size=size,
        overall=_summary(kept) if kept else None,
        factors={factor: _summary(own) for factor, own in by_factor.items() if own},
        reason=None if kept else _reason(size, bool(everything), max(map(len, seeds.values()), default=0), n),
    )


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Errors and weights of pairs of networks: levels of the measure and of g, g itself, and the number of images."""

    measure: np.ndarray
    axis: np.ndarray
    values: np.ndarray
    n: int | None

    def sums(self, first: Sequence[int], others: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sums of weights, of their squares and of weighted errors of the pairs of one recipe with each of K others.

        Args:
            first: places of the networks of the recipe. others: those of each of the other recipes.
        """
        rows, columns = np.ix_(np.asarray(first), np.concatenate(others))
        steps = np.sign(self.measure[rows] - self.measure[columns]) * np.sign(self.axis[rows] - self.axis[columns])
        weights = np.ones(steps.shape)
        if self.n is not None:
            of_noise = hoeffding_weight(self.values[rows] - self.values[columns], self.n)
            weights = np.maximum(of_noise - LEAST_WEIGHT, 0.0)
        starts = np.cumsum([0, *map(len, others[:-1])])
        errors = weights * (1 - steps) / 2
        total, square, error = (np.add.reduceat(of.sum(axis=0), starts) for of in (weights, weights**2, errors))
        return total, square, error


def _factors(hyperparameters: Sequence[Mapping[str, Setting]]) -> tuple[str, ...]:
    factors = tuple(hyperparameters[0]) if hyperparameters else ()
    for values in hyperparameters:
        if set(values) != set(factors):
            raise ValueError(f"hyperparameters {sorted(values)} and {sorted(factors)}; expected the same of each model")
    return factors


def _environments(
    factors: Sequence[str], seeds: Mapping[_Recipe, Sequence[int]], pairs: _Pairs
) -> Iterator[tuple[float, list[Environment]]]:
    """For each recipe and factor: the changes of it to larger values of the factor, and the largest size of them."""
    for place, factor in enumerate(factors):
        alike: dict[_Recipe, list[_Recipe]] = {}
        for recipe in seeds:
            alike.setdefault((*recipe[:place], *recipe[place + 1 :]), []).append(recipe)
        names = [name for name in factors if name != factor]
        for fixed, recipes in alike.items():
            ordered = sorted(recipes, key=lambda recipe: _order(recipe[place]))
            values, networks = [recipe[place] for recipe in ordered], [seeds[recipe] for recipe in ordered]
            for at in range(len(ordered) - 1):
                change = _Change(factor, values[at], dict(zip(names, fixed, strict=True)), networks[at])
                yield change.environments(values[at + 1 :], networks[at + 1 :], pairs)


@dataclass(frozen=True, slots=True)
class _Change:
    """What the environments of one recipe and factor share; `networks`: places of those of the recipe."""

    factor: str
    before: Setting
    fixed: Mapping[str, Setting]
    networks: Sequence[int]

    def environments(
        self, values: Sequence[Setting], others: Sequence[Sequence[int]], pairs: _Pairs
    ) -> tuple[float, list[Environment]]:
        """Those of the changes to `values`, of which the networks are at `others`; and the largest size of all."""
        total, square, error = pairs.sums(self.networks, others)
        weighs = total > 0
        sizes = np.divide(total**2, square, out=np.zeros(len(total)), where=weighs)
        means = np.divide(error, total, out=np.zeros(len(total)), where=weighs)
        counts = [len(self.networks) * len(networks) for networks in others]
        found = [
            Environment(
                factor=self.factor,
                before=self.before,
                after=values[at],
                fixed=self.fixed,
                pairs=count,
                size=float(sizes[at]),
                error=float(means[at]) if weighs[at] else None,
            )
            for at, count in enumerate(counts)
            if count >= LEAST_SIZE
        ]
        return float(sizes.max()), found


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


def _reason(size: float, changes: bool, seeds: int, n: int | None) -> str:
    """Why no environment is large enough, with the largest size of one, and the most seeds of a recipe."""
    expected = f"expected at least {LEAST_SIZE:g}"
    if not changes:
        return "undefined (no two recipes differ in one hyperparameter alone)"
    if seeds == 1:
        return f"undefined (one network a recipe: effective sample size 1, {expected})"
    if size == 0:
        return f"undefined (no difference is beyond the noise of {n:,} images)"
    return f"undefined (effective sample size at most {size:.1f}, {expected})"
