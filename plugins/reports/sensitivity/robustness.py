"""Effective robustness on each axis, from the baseline models and the accuracy that the suite declares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness import Study, StudyModel, inference

from .quantities import Quantities
from .schema import EffectiveEntry, PlacedEntry


def reference(study: Study) -> str | None:
    """The first declared control that is an axis made of accuracies: what the line predicts from."""
    candidates = [name for name in study.statistics.controls if name in study.axes]
    return next((name for name in candidates if _is_accuracy(study, study.axes[name])), None)


def effective_entries(study: Study, over: Quantities) -> Iterator[EffectiveEntry]:
    """One entry for each other axis made of accuracies; nothing without baseline models or a reference."""
    against = reference(study)
    if against is None or not study.statistics.baseline_models:
        return
    for axis, parts in study.axes.items():
        if axis != against and _is_accuracy(study, parts):
            yield _effective(study, over, axis, against)


def _effective(study: Study, over: Quantities, axis: str, against: str) -> EffectiveEntry:
    have = over.complete(axis, against)
    models = [model for model, has in zip(over.models, have, strict=True) if has]
    names = [model.name for model in models]
    baseline = over.matching(study.statistics.baseline_models)[have]
    result = inference.effective_robustness(
        over.values[against][have],
        over.values[axis][have],
        baseline,
        counts=(_decisions(over, against), _decisions(over, axis)),
    )
    return {
        "generalization": axis,
        "against": against,
        "n": result.n,
        "slope": result.slope,
        "intercept": result.intercept,
        "r2": result.r2,
        "values": dict(zip(names, result.values, strict=True)) if result.values else {},
        "outside": [names[at] for at in result.outside],
        "left_out": [names[at] for at in result.left_out],
        "points": [_placed(*of) for of in zip(models, result.placed, baseline.tolist(), strict=True)],
        "reason": result.reason,
    }


def _placed(model: StudyModel, place: tuple[float, float] | None, baseline: bool) -> PlacedEntry:
    x, y = place or (None, None)
    return {"model": model.name, "group": model.group, "x": x, "y": y, "baseline": baseline}


def _is_accuracy(study: Study, parts: Sequence[str]) -> bool:
    """Whether all parts are fractions in [0, 1] of which more is better, as far as any model has them."""
    measures = [model.measures[part] for model in study.counted_once for part in parts if part in model.measures]
    return bool(measures) and all(
        each.unit == "fraction" and each.direction == "higher" and (each.value is None or 0 <= each.value <= 1)
        for each in measures
    )


def _decisions(over: Quantities, name: str) -> int | None:
    """Fewest decisions behind an axis of any model; None where that of one part is unknown."""
    counts = [
        [model.measures[part].n for part in over.definitions[name]]
        for model, has in zip(over.models, over.complete(name), strict=True)
        if has
    ]
    if not counts or any(count is None for own in counts for count in own):
        return None
    return min(sum(count or 0 for count in own) for own in counts) or None
