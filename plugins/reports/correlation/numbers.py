"""The numbers of the report ``correlation`` over all models, each group and its complement: what takes long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import TypedDict

from harness import Study, StudyModel, statistics

from .._models import taking_part
from .._predictions import PredictionEntry, prediction_entries
from .given import PERFECT, Given
from .schema import AxisCoefficient, BiasCoefficient, ClusterEntry, FamilyNumbers, Numbers
from .within import cluster_entries, family_numbers

Pair = tuple[str, str]
Selection = tuple[str, Sequence[StudyModel]]


class Computed(TypedDict):
    """Entries of `CorrelationData` that follow from the biases and axes of the models alone."""

    predictions: list[PredictionEntry]
    correlations: list[AxisCoefficient]
    bias_correlations: list[BiasCoefficient]
    clusters: list[ClusterEntry]


def computed(study: Study, given: Given) -> Computed:
    """What is computed of the biases and axes of all models, and takes long."""
    across = [(bias, axis) for bias in study.biases for axis in study.axes]
    among = list(combinations(study.biases, 2))
    models = taking_part(study)
    selections = list(_selections(models))
    of_axes, of_biases = family_numbers(models, across, among)
    return {
        "predictions": prediction_entries(study, models),
        "correlations": [
            {"bias": bias, "generalization": axis, **numbers, "partial": given.partial(selection[1], (bias, axis))}
            for selection in selections
            for (bias, axis), numbers in zip(across, _coefficients(selection, across, of_axes), strict=True)
        ],
        "bias_correlations": [
            {"bias": bias, "other": other, **numbers}
            for selection in selections
            for (bias, other), numbers in zip(among, _coefficients(selection, among, of_biases), strict=True)
        ],
        "clusters": cluster_entries(models, [*study.biases, *study.axes]),
    }


def _selections(models: Sequence[StudyModel]) -> Iterator[Selection]:
    """All models, then those of each group, then those outside each group."""
    groups = list(dict.fromkeys(model.group for model in models if model.group is not None))
    yield "all", models
    for group in groups:
        yield group, [model for model in models if model.group == group]
    for group in groups:
        yield f"not {group}", [model for model in models if model.group != group]


def _coefficients(selection: Selection, pairs: Sequence[Pair], families: Sequence[FamilyNumbers]) -> list[Numbers]:
    """The numbers of each pair; p is adjusted over the pairs of this set of models. `families`: those of all models."""
    name, models = selection
    correlations = [_spearman(models, pair) for pair in pairs]
    ps = [correlation.p for correlation in correlations]
    adjusted = zip(statistics.holm(ps), statistics.benjamini_hochberg(ps), strict=True)
    numbers: list[Numbers] = [
        {
            "models": name,
            "n": correlation.n,
            "spearman": correlation.value,
            "p": correlation.p,
            "p_method": correlation.p_method,
            "low": correlation.low,
            "high": correlation.high,
            "p_holm": p_holm,
            "p_bh": p_bh,
            "poster": _as_on_the_poster(correlation),
            "reason": correlation.reason or (None if correlation.low is not None else PERFECT),
        }
        for correlation, (p_holm, p_bh) in zip(correlations, adjusted, strict=True)
    ]
    return (
        numbers if name != "all" else [{**entry, "families": own} for entry, own in zip(numbers, families, strict=True)]
    )


def _spearman(models: Sequence[StudyModel], pair: Pair) -> statistics.Correlation:
    """Over the models that have both numbers; n is their count."""
    values = [{**model.biases, **model.axes} for model in models]
    points = [(numbers[pair[0]], numbers[pair[1]]) for numbers in values]
    complete = [(x, y) for x, y in points if x is not None and y is not None]
    return statistics.spearman([x for x, _ in complete], [y for _, y in complete], pair)


def _as_on_the_poster(correlation: statistics.Correlation) -> float | None:
    if correlation.value is None or correlation.p is None:
        return None
    return round(correlation.value, 2) + 0.0 if correlation.p < 0.05 else 0.0
