"""Curves of models over something that is measured at several values, made from the report's JSON-ready data alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness import Series

from .._groups import NO_GROUP
from .notes import title_of
from .schema import CorrelationData, ModelEntry

MOST_CURVES = 8
"""With more models than this, curves are means of groups: more curves are indistinguishable."""


def shown(data: CorrelationData) -> list[ModelEntry]:
    """The models that enter the statistics, and the user's own beside imported ones."""
    return [model for model in data["models"] if model["in_correlations"] or model["own"]]


def with_duplicates(data: CorrelationData) -> list[ModelEntry]:
    """These, and what other labels have of them, if curves are of single models: a mean counts a model once."""
    models = shown(data)
    names = {model["name"] for model in models}
    every = [model for model in data["models"] if {model["name"], model.get("duplicate_of")} & names]
    return every if len(every) <= MOST_CURVES else models


def _label(data: CorrelationData, model: ModelEntry) -> str:
    group = title_of(data, model["group"]) if model["group"] else NO_GROUP
    return f"► {model['name']}" if model["own"] else group


def by_label(data: CorrelationData, models: Sequence[ModelEntry]) -> dict[str, list[ModelEntry]]:
    """Models by their label in the legend, the user's own last so that they are drawn on top."""
    groups: dict[str, list[ModelEntry]] = {}
    for model in sorted(models, key=lambda entry: bool(entry["own"])):
        groups.setdefault(_label(data, model), []).append(model)
    return groups


def curves_of(data: CorrelationData, models: Sequence[ModelEntry], cutoffs: Mapping[float, str]) -> tuple[Series, ...]:
    """One curve for each model, or the mean of each group if there are many, over the cutoffs that all members have."""
    grouped = len(models) > MOST_CURVES
    curves: dict[str, list[ModelEntry]] = (
        by_label(data, models) if grouped else {_own_label(model): [model] for model in models}
    )
    series = []
    for label, members in curves.items():
        complete = [
            model for model in members if any(_comparable(model, name) is not None for name in cutoffs.values())
        ]
        points = []
        for cutoff, name in cutoffs.items():
            values = [_comparable(model, name) for model in complete]
            numbers = [value for value in values if value is not None]
            if numbers and len(numbers) == len(complete):
                points.append((cutoff, sum(numbers) / len(numbers)))
        if points:
            x, y = zip(*points, strict=True)
            series.append(Series(label=label, x=x, y=y, line=True))
    return tuple(series)


def _comparable(model: ModelEntry, name: str) -> float | None:
    """The value of a measure; None if it is missing, or means something else than those of the other models."""
    comparable = model["details"].get(name, {}).get("comparable", True)
    return model["measures"].get(name) if comparable else None


def _own_label(model: ModelEntry) -> str:
    return f"► {model['name']}" if model["own"] else str(model["name"])
