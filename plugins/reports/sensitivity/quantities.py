"""The biases and axes of a study as arrays over its models, with their errors, alternatives and denominators."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness import Measure, StatisticsPlan, Study, StudyModel, statistics

from .._divided import comparable, divisor_of
from .._models import fits, taking_part

AS_DEFINED = StatisticsPlan.AS_DEFINED
"""Title of the definition of the suite among its alternatives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantities:
    """Every bias and axis over N models.

    Attributes:
        models: the models that take part, in the order of the study.
        values: bias or axis -> (N,) float64, NaN where a model has none.
        definitions: bias or axis -> full names of the measures whose mean it is.
        divisors: names of measures that are divided by another one of the same dataset -> that one.
        recipes: the declared hyperparameters of each model; empty where it lacks one that another model has.
    """

    models: tuple[StudyModel, ...]
    values: Mapping[str, np.ndarray]
    definitions: Mapping[str, tuple[str, ...]]
    divisors: Mapping[str, str]
    recipes: tuple[Mapping[str, str | float], ...]

    def complete(self, *names: str) -> np.ndarray:
        """(N,) bool: which models have all of these."""
        have = np.ones(len(self.models), dtype=bool)
        for name in names:
            have &= ~np.isnan(self.values[name])
        return have

    def measured(self, part: str) -> np.ndarray:
        """(N,) values of one measure; NaN where a model has none, or one that cannot be compared with the others'."""
        return np.array([comparable(model.measures.get(part)) for model in self.models], dtype=np.float64)

    def mean_of(self, parts: Sequence[str]) -> np.ndarray:
        """(N,) mean of measures; NaN where one of them is missing."""
        means: np.ndarray = np.mean([self.measured(part) for part in parts], axis=0)
        return means

    def errors(self, name: str) -> tuple[np.ndarray, str | None]:
        """(N,) standard errors of a bias or axis, and why a model that has the value has no error, else None.

        Errors of the parts count as independent. Parts that share images make it larger.
        """
        parts = self.definitions[name]
        squares = np.zeros(len(self.models))
        lacking = None
        for part in parts:
            found = [_standard_error(model.measures.get(part)) for model in self.models]
            squares += np.square(np.array([math.nan if error is None else error for error in found]))
            if lacking is None and (np.isnan(squares) & self.complete(name)).any():
                lacking = f"no standard error of {part}"
        return np.sqrt(squares) / len(parts), lacking

    def matching(self, patterns: Sequence[str]) -> np.ndarray:
        """(N,) bool: which models one of the names or globs fits."""
        return np.array([any(fits(m, pattern) for pattern in patterns) for m in self.models], dtype=bool)

    def facts(self, study: Study) -> list[Any]:
        """Everything about measures that the report rests on, JSON-ready: one list for each model of the study."""
        chosen = [parts for choices in study.statistics.alternatives.values() for parts in choices.values()]
        names = {part for parts in (*self.definitions.values(), *chosen) for part in parts}
        names |= {divisor for name in self.definitions if (divisor := self.denominator(name))}
        return [
            [
                [part, *_facts(model.measures[part]), images_of(model.measures, part)]
                for part in sorted(names)
                if part in model.measures
            ]
            for model in study.models
        ]

    def denominator(self, name: str) -> str | None:
        """Full name of the measure that all parts of a bias or axis are divided by; None where there is no such."""
        return divisor_of(self.definitions[name], self.divisors)


def quantities(study: Study) -> Quantities:
    """Those of the models that take part in statistics: with a group; all with ``--ungrouped``, or if none has one."""
    models = tuple(taking_part(study))
    definitions = {**study.biases, **study.axes}
    per_model = [{**model.biases, **model.axes} for model in models]
    values = {name: np.array([_number(own.get(name)) for own in per_model], np.float64) for name in definitions}
    declared = [study.statistics.hyperparameters_of(model.plain_name) for model in models]
    names = {name for recipe in declared for name in recipe}
    return Quantities(
        models=models,
        values=values,
        definitions=definitions,
        divisors=study.denominators,
        recipes=tuple(recipe if set(recipe) == names else {} for recipe in declared),
    )


def images_of(measures: Mapping[str, Measure], part: str) -> int | None:
    """Images behind a measure; where views are pooled, its n counts decisions, but that of a view counts images."""
    own = measures[part]
    if own.n is None or not own.by_image:
        return own.n
    alike = part.partition("/")[0]
    return min(of.n for name, of in measures.items() if of.n is not None and name.partition("/")[0] == alike)


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _facts(measure: Measure) -> list[Any]:
    unlike = math.isnan(comparable(measure))
    return [measure.value, measure.low, measure.high, measure.n, measure.unit, measure.direction, unlike]


def _standard_error(measure: Measure | None) -> float | None:
    """Half of the 95 % interval / 1.96; of a fraction with n alone, that of a binomial; None where neither is known."""
    if measure is None or measure.value is None:
        return None
    if measure.low is not None and measure.high is not None:
        return (measure.high - measure.low) / (2 * statistics.Z95)
    if measure.unit == "fraction" and measure.n and 0 <= measure.value <= 1:
        return math.sqrt(measure.value * (1 - measure.value) / measure.n)
    return None
