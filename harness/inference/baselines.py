"""What a joint prediction has to beat: the mean, the mean of the family, and accuracy in distribution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.inference.cohort import Cohort, Learner
from harness.inference.folds import Design, design_of, explained, members_of, squares
from harness.ranks import levels

ACCURACY = "ID"
"""Name of the axis of accuracy in distribution, which is a predictor of the others."""
BASELINES = ("mean", "family-mean", "id", "id+biases")
UNSEEN = "Q² LOFO undefined (a family that is left out has no mean)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Q² of one way to predict, for models and for families left out.

    Attributes:
        n: models it rests on. reason: why a number is undefined; else None.
    """

    q2_loo: float | None = None
    q2_lofo: float | None = None
    n: int = 0
    reason: str | None = None


def undefined_baselines(reason: str) -> Mapping[str, Score]:
    """No baseline is defined."""
    return dict.fromkeys(BASELINES, Score(reason=reason))


def baselines_of(
    cohort: Cohort, axis: str, response: np.ndarray, accuracy: np.ndarray | None, learner: Learner
) -> Mapping[str, Score]:
    """All baselines of one axis.

    Args:
        response: (n,) values of the axis, not constant. accuracy: (n,) those of the axis ID, NaN where missing.
    """
    alone, beside = _accuracy(cohort, axis, response, accuracy, learner)
    return {
        "mean": score_of(cohort.mean, cohort.mean, response),
        "family-mean": _family_mean(cohort, response),
        "id": alone,
        "id+biases": beside,
    }


def gaps_of(design: Design) -> str | None:
    """Why a Q² of this design is undefined; None if both are defined."""
    if design.loo_reason and design.lofo_reason:
        return f"Q² undefined ({'; '.join(dict.fromkeys([design.loo_reason, design.lofo_reason]))})"
    if design.loo_reason:
        return f"Q² LOO undefined ({design.loo_reason})"
    return f"Q² LOFO undefined ({design.lofo_reason})" if design.lofo_reason else None


def score_of(design: Design, mean: Design, response: np.ndarray) -> Score:
    """Q² of one response (n,) by a design."""
    n = len(response)
    if design.reason:
        return Score(n=n, reason=design.reason)
    centred = (response - response.mean())[:, None]
    numbers = explained(design, centred, squares(mean, centred))
    loo, lofo = (None if q2 is None else float(q2[0]) for q2 in (numbers.q2_loo, numbers.q2_lofo))
    return Score(q2_loo=loo, q2_lofo=lofo, n=n, reason=gaps_of(design))


def _family_mean(cohort: Cohort, response: np.ndarray) -> Score:
    """Each model by the mean of the others of its family, over families of at least two."""
    families = [rows for family, rows in members_of(cohort.families) if family is not None and len(rows) > 1]
    if not families:
        return Score(reason="undefined (no family of two models)")
    several = np.concatenate(families)
    rest = [(response[rows] - response[rows].mean()) * len(rows) / (len(rows) - 1) for rows in families]
    total = (response[several] - response[several].mean()) * len(several) / (len(several) - 1)
    if not levels(response[several]).any():
        return Score(n=len(several), reason=f"undefined (these {len(several)} models have one value)")
    q2 = 1 - sum(float(part @ part) for part in rest) / float(total @ total)
    return Score(q2_loo=q2, n=len(several), reason=UNSEEN)


def _accuracy(
    cohort: Cohort, axis: str, response: np.ndarray, accuracy: np.ndarray | None, learner: Learner
) -> tuple[Score, Score]:
    """ID alone, and ID beside all biases, over the models that have ID too."""
    if accuracy is None or axis == ACCURACY:
        why = "the axis is ID itself" if axis == ACCURACY else "no axis is named ID"
        return (Score(reason=f"undefined ({why})"),) * 2
    rows = ~np.isnan(accuracy)
    part, observed, predictor = cohort.only(rows), response[rows], accuracy[rows]
    if len(observed) and not levels(observed).any():
        return (Score(n=part.n, reason=f"undefined ({axis} constant over the models that have ID)"),) * 2
    alone = design_of(predictor[:, None], (ACCURACY,), part.families)
    beside = part.design(learner, predictor, ACCURACY)
    return score_of(alone, part.mean, observed), score_of(beside, part.mean, observed)
