"""Joint prediction: how well do all biases together predict an axis of generalization, and does it hold outside?

Least squares on all biases. R² is that of the models it is fitted to; Q² = 1 - Σ(y - ŷ)² / Σ(y - ȳ)² is that of models
which are left out, one by one (LOO) or a whole family at a time (LOFO), where ŷ and the mean ȳ come from the other
models only. 1: perfect; 0: no better than a constant; negative: worse. p-values are those of permutations of the axis
over all models (Ojala & Garriga 2010, "Permutation tests for studying classifier performance"). See docs/statistics.md.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.inference.baselines import ACCURACY, Score, baselines_of, gaps_of, undefined_baselines
from harness.inference.cohort import Cohort, Learner
from harness.inference.concordance import concordance
from harness.inference.families import refuse_no_draws, refuse_unnamed
from harness.inference.folds import Explained, explained, members_of, predicted, squares
from harness.inference.left_out import PredictedModel, models_left_out
from harness.ranks import levels

Values = Mapping[str, Sequence[float | None]]
"""Name of a bias or axis -> one value for each model; None where it is missing."""
DRAWS, SEED = 4000, 0
TIE = 1e-9
"""Two Q² this close are equal: those of one permutation, summed in another order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chance:
    """Mean and 95 % quantile of a number over the permutations; None where the number is undefined."""

    mean: float | None = None
    q95: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Null:
    """What biases reach that know nothing of the axis: over `draws` permutations of the axis, drawn with `seed`."""

    draws: int
    seed: int
    r2: Chance = Chance()
    q2_loo: Chance = Chance()
    q2_lofo: Chance = Chance()


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One axis from all biases.

    Attributes:
        axis: its name. learner: ``ols``, or ``ols-log`` with the natural logarithm of the listed biases.
        n: models that have all biases and the axis. families: how many they are of; a model without one counts as one.
        r2: share of the variance explained in sample, 0 to 1.
        q2_loo, q2_lofo: the same for models, and for families, left out; at most 1, negative if worse than a constant.
        p_loo, p_lofo: (1 + #{Q²* >= Q²}) / (1 + draws).
        concordance: share of the pairs of models inside one left-out family whose order is predicted, ties one half.
        pairs: how many such pairs.
        null: over the permutations. baselines: ``mean``, ``family-mean``, ``id``, ``id+biases``.
        predicted: each of the n models as others predict it, in the order in which they are given; empty without a fit.
        reason: why numbers are undefined; else None.
    """

    axis: str
    learner: Learner
    n: int
    families: int
    r2: float | None = None
    q2_loo: float | None = None
    q2_lofo: float | None = None
    p_loo: float | None = None
    p_lofo: float | None = None
    concordance: float | None = None
    pairs: int = 0
    null: Null
    baselines: Mapping[str, Score]
    predicted: tuple[PredictedModel, ...] = ()
    reason: str | None = None


def predictions(
    biases: Values,
    axes: Values,
    families: Sequence[str | None],
    models: Sequence[str],
    *,
    log: Collection[str] = (),
    draws: int = DRAWS,
    seed: int = SEED,
) -> list[Prediction]:
    """Each axis from all biases, by each learner; the same numbers in whatever order the models are given.

    Args:
        biases, axes: name -> values of the models. The axis named ID is a baseline of the others.
        families: of the models, which were trained alike; None for a model without one.
        models: their names, for reasons.
        log: biases of which ``ols-log`` takes the logarithm; if none is among `biases`, there is no such learner.

    Returns:
        For each axis ``ols``, then ``ols-log``; empty without biases or without axes.

    Raises:
        ValueError: lists of unequal lengths, a family without a name, `log` as one text, or no draw.
    """
    refuse_no_draws(draws)
    refuse_unnamed(families)
    if isinstance(log, str):
        raise ValueError(f"expected a list of biases as log, got {log!r}")
    if any(len(values) != len(models) for values in [*biases.values(), *axes.values(), families]):
        raise ValueError(f"expected as many values and families as models, {len(models)}")
    if not biases or not axes:
        return []
    everything, responses = _in_order(
        Cohort(
            models=tuple(models),
            families=tuple(families),
            places=tuple(range(len(models))),
            names=tuple(biases),
            biases=_array(biases),
            log=tuple(name for name in biases if name in log),
            draws=draws,
            seed=seed,
        ),
        _array(axes),
    )
    result, cohorts = list[Prediction](), dict[bytes, Cohort]()
    for axis, response in zip(axes, responses.T, strict=True):
        rows = ~np.isnan(response) & ~np.isnan(everything.biases).any(axis=1)
        cohort = cohorts.setdefault(rows.tobytes(), everything.only(rows))
        accuracy = responses[rows, list(axes).index(ACCURACY)] if ACCURACY in axes else None
        reason = _few(cohort, everything, axis, response)
        if reason is None and not levels(response[rows]).any():
            reason = f"undefined ({axis} constant)"
        result += _of_axis(cohort, axis, response[rows], accuracy, reason)
    return result


def _array(values: Values) -> np.ndarray:
    """(n, names) float64; NaN for what is missing or not finite."""
    array = np.array([[np.nan if value is None else value for value in column] for column in values.values()], float).T
    return np.where(np.isfinite(array), array, np.nan)


def _in_order(cohort: Cohort, responses: np.ndarray) -> tuple[Cohort, np.ndarray]:
    """The models sorted by their values, then by families, so that the draws do not depend on how they are listed."""
    by_value = np.lexsort([*responses.T, *cohort.biases.T[::-1]])
    members = members_of([cohort.families[at] for at in by_value])
    order = by_value[[at for _, rows in members for at in rows]]
    return cohort.taken(order), responses[order]


def _few(cohort: Cohort, everything: Cohort, axis: str, response: np.ndarray) -> str | None:
    """Why there are too few models for a fit, and what most of the others lack."""
    p = len(cohort.names)
    if cohort.n >= p + 2:
        return None
    gaps = np.isnan(np.column_stack([everything.biases, response])).sum(axis=0)
    most = int(gaps.argmax())
    lack = f"; {gaps[most]} of {everything.n} lack {(*cohort.names, axis)[most]}" if gaps[most] else ""
    biases = "1 bias needs" if p == 1 else f"{p} biases need"
    return f"undefined (n = {cohort.n}; {biases} at least {p + 2} models with all numbers{lack})"


def _of_axis(
    cohort: Cohort, axis: str, response: np.ndarray, accuracy: np.ndarray | None, reason: str | None
) -> list[Prediction]:
    """The prediction of one axis by each learner; `reason`: why none has any."""
    learners: tuple[Learner, ...] = ("ols", "ols-log") if cohort.log else ("ols",)
    empty = [_without_numbers(cohort, axis, each, reason or cohort.designs[each].reason) for each in learners]
    if all(each.reason for each in empty):
        return empty
    scaled = response / np.abs(response).max()  # no number depends on the unit, and none overflows
    centred = scaled - scaled.mean()
    observed = _explained(cohort, centred[:, None])
    drawn = [_explained(cohort, centred[order]) for order in cohort.orders]
    result = []
    for each in empty:
        if each.reason is None:
            each = replace(each, baselines=baselines_of(cohort, axis, scaled, accuracy, each.learner))
            blocks = [block[each.learner] for block in drawn]
            each = _with_numbers(each, cohort, scaled, observed[each.learner], blocks)
            each = replace(each, predicted=models_left_out(cohort, cohort.designs[each.learner], response))
        result.append(each)
    return result


def _without_numbers(cohort: Cohort, axis: str, learner: Learner, reason: str | None) -> Prediction:
    return Prediction(
        axis=axis,
        learner=learner,
        n=cohort.n,
        families=len(members_of(cohort.families)) if any(cohort.families) else 0,
        null=Null(draws=cohort.draws, seed=cohort.seed),
        baselines=undefined_baselines(reason or ""),
        reason=reason,
    )


def _explained(cohort: Cohort, responses: np.ndarray) -> dict[Learner, Explained]:
    """R² and Q² of responses (n, d) by each learner that has a fit."""
    total = squares(cohort.mean, responses)
    designs = {learner: design for learner, design in cohort.designs.items() if design.reason is None}
    return {learner: explained(design, responses, total) for learner, design in designs.items()}


def _with_numbers(
    prediction: Prediction, cohort: Cohort, response: np.ndarray, observed: Explained, drawn: Sequence[Explained]
) -> Prediction:
    """`prediction` with R², Q², their p-values, what they are by chance, and the concordance."""
    design = cohort.designs[prediction.learner]
    r2, loo, lofo = (_compared(observed, drawn, key) for key in ("r2", "q2_loo", "q2_lofo"))
    share, pairs = None, 0
    if not design.lofo_reason:
        share, pairs = concordance(response, predicted(design, response), cohort.families)
    return replace(
        prediction,
        r2=r2.value,
        q2_loo=loo.value,
        q2_lofo=lofo.value,
        p_loo=loo.p,
        p_lofo=lofo.p,
        concordance=share,
        pairs=pairs,
        null=replace(prediction.null, r2=r2.chance, q2_loo=loo.chance, q2_lofo=lofo.chance),
        reason=gaps_of(design) or (None if pairs else "order undefined (no family has two models)"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    """A number, its p-value, and what it is by chance."""

    value: float | None = None
    p: float | None = None
    chance: Chance = Chance()


def _compared(observed: Explained, drawn: Sequence[Explained], key: str) -> _Compared:
    """One of the numbers beside its permutations."""
    found: np.ndarray | None = getattr(observed, key)
    if found is None:
        return _Compared()
    value, by_chance = float(found[0]), np.concatenate([getattr(block, key) for block in drawn])
    reached = int((by_chance >= value - TIE * max(1.0, abs(value))).sum())
    return _Compared(
        value=value,
        p=(1 + reached) / (1 + len(by_chance)),
        chance=Chance(mean=float(by_chance.mean()), q95=float(np.quantile(by_chance, 0.95))),
    )
