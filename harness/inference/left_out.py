"""Each model as it is predicted by models that do not include it, and by families that do not: what Q² is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.inference.cohort import Cohort
from harness.inference.folds import Design, predicted, predicted_alone


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictedModel:
    """One model: its family, the axis as `measured`, and as predicted without it, in the units of the axis.

    Attributes:
        loo: by all other models. lofo: by the other families. None where that is undefined.
    """

    model: str
    family: str | None
    measured: float
    loo: float | None
    lofo: float | None


def models_left_out(cohort: Cohort, design: Design, response: np.ndarray) -> tuple[PredictedModel, ...]:
    """The n models of `cohort`, in the order in which they are given to the prediction.

    Args:
        design: one with a fit. response: (n,) values of the axis, not all 0.
    """
    unit = np.abs(response).max()
    with np.errstate(over="ignore"):
        loo = None if design.loo_reason else unit * predicted_alone(design, response / unit)
        lofo = None if design.lofo_reason else unit * predicted(design, response / unit)
    return tuple(
        PredictedModel(
            model=cohort.models[at],
            family=cohort.families[at],
            measured=float(response[at]),
            loo=_finite(loo, at),
            lofo=_finite(lofo, at),
        )
        for at in np.argsort(cohort.places)
    )


def _finite(values: np.ndarray | None, at: int) -> float | None:
    """One of the values; None where there are none, or where it is too large for a float."""
    value = math.nan if values is None else float(values[at])
    return value if math.isfinite(value) else None
