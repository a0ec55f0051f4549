"""Coefficients of divided biases at equal accuracy: what is left of a ratio's relation where accuracy is held.

A ratio to a network's own error or accuracy is nearly a function of accuracy, so it correlates with every axis that
accuracy correlates with. Spearman's partial coefficient given accuracy stands beside the plain one for that reason.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from harness import Study, StudyModel, inference

from .._divided import comparable, divisors_of
from .schema import PartialNumbers

Pair = tuple[str, str]
PERFECT = "no interval of a perfect order"
NOT_DIVIDED = "the bias is not divided by another measure"


class Given:
    """What the coefficients of a study's divided biases are given.

    Those are the declared controls that the study has, without the axis itself; where none is declared, the measures
    that parts of the bias are divided by.

    Args:
        study: the biases, axes, controls and denominators.
    """

    def __init__(self, study: Study) -> None:
        names = [*study.biases, *study.axes]
        self.controls = tuple(name for name in study.statistics.controls if name in names)
        self.divisors = {bias: divisors_of(parts, study.denominators) for bias, parts in study.biases.items()}

    def facts(self, models: Sequence[StudyModel]) -> list[list[float | None]]:
        """What the coefficients rest on beside biases and axes, JSON-ready: the divisors' values in each model."""
        divisors = [] if self.controls else sorted({name for names in self.divisors.values() for name in names})
        values = [[comparable(model.measures.get(name)) for name in divisors] for model in models]
        return [[None if math.isnan(value) else value for value in row] for row in values]

    def partial(self, models: Sequence[StudyModel], pair: Pair) -> PartialNumbers:
        """The partial coefficient of a bias and an axis over the models that have all the numbers."""
        divisors = self.divisors[pair[0]]
        if not divisors:
            return _undefined((), NOT_DIVIDED)
        given = tuple(name for name in self.controls if name not in pair) if self.controls else divisors
        if not given:
            return _undefined((), f"{' and '.join(self.controls)} is not held against itself")
        columns = [_values(models, name) for name in (*pair, *given)]
        have = ~np.isnan(columns).any(axis=0)
        x, y, *held = (column[have] for column in columns)
        found = inference.partial_spearman(x, y, dict(zip(given, held, strict=True)), pair)
        return {
            "given": list(given),
            "n": found.n,
            "value": found.value,
            "p": found.p,
            "low": found.low,
            "high": found.high,
            "reason": found.reason or (None if found.low is not None else PERFECT),
        }


def _values(models: Sequence[StudyModel], name: str) -> np.ndarray:
    """(N,) float64 of a bias, an axis or a measure; NaN where a model has none."""
    return np.array([_value(model, name) for model in models], dtype=np.float64)


def _value(model: StudyModel, name: str) -> float:
    defined: Mapping[str, float | None] = {**model.biases, **model.axes}
    if name not in defined:
        return comparable(model.measures.get(name))
    value = defined[name]
    return math.nan if value is None else value


def _undefined(given: Sequence[str], reason: str) -> PartialNumbers:
    return {"given": list(given), "n": 0, "value": None, "p": None, "low": None, "high": None, "reason": reason}
