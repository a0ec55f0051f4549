"""Curves of models over something that is measured at several values, made from the report's JSON-ready data alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness import Series

from .._groups import NO_GROUP
from .notes import title_of
from .schema import CorrelationData, ModelEntry

MOST_CURVES = 8
"""With more models than this, curves are means of groups: more curves are indistinguishable."""


def shown(data: CorrelationData) -> list[ModelEntry]:
    """The models that enter the statistics, and the user's own beside imported ones."""
    return [model for model in data["models"] if model["in_correlations"] or model["own"]]


def with_duplicates(data: CorrelationData, *, each: bool = False) -> list[ModelEntry]:
    """These, and what other labels have of them, if curves are of single models: a mean counts a model once.

    Args:
        each: curves are of single models, however many there are: then all models, without a group too.
    """
    if each:
        return data["models"]
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


def curves_of(
    data: CorrelationData,
    models: Sequence[ModelEntry],
    cutoffs: Mapping[float, str],
    *,
    each: bool = False,
    panel: str = "",
) -> tuple[Series, ...]:
    """One curve for each model, or the mean of each group if there are many, over the cutoffs that all members have.

    Args:
        cutoffs: place on the x axis -> full name of the measure there.
        each: one curve for each model, however many there are, with the label of its group and its name at each point.
            Then `models` may have those without a group, too.
    """
    curves: list[tuple[str, str, list[ModelEntry]]]
    if each:
        curves = [(label, of["name"], [of]) for label, members in by_label(data, models).items() for of in members]
    elif len(models) > MOST_CURVES:
        curves = [(label, "", members) for label, members in by_label(data, models).items()]
    else:
        curves = [(name_of(model), "", [model]) for model in models]
    series = []
    for label, name, members in curves:
        points = list(_mean_curve(members, cutoffs))
        if points:
            x, y = zip(*points, strict=True)
            names = (name,) * len(x) if name else ()
            series.append(Series(label=label, x=x, y=y, names=names, line=True, panel=panel))
    return tuple(series)


def _mean_curve(members: Sequence[ModelEntry], cutoffs: Mapping[float, str]) -> Iterator[tuple[float, float]]:
    """The mean over those of `members` that have any value, at each cutoff where all of these have one."""
    complete = [model for model in members if any(comparable(model, name) is not None for name in cutoffs.values())]
    for cutoff, name in cutoffs.items():
        values = [comparable(model, name) for model in complete]
        numbers = [value for value in values if value is not None]
        if numbers and len(numbers) == len(complete):
            yield cutoff, sum(numbers) / len(numbers)


def comparable(model: ModelEntry, name: str) -> float | None:
    """The value of a measure; None if it is missing, or means something else than those of the other models."""
    comparable = model["details"].get(name, {}).get("comparable", True)
    return model["measures"].get(name) if comparable else None


def name_of(model: ModelEntry) -> str:
    """The label of a model's own curve; the user's own models are marked among imported ones."""
    return f"► {model['name']}" if model["own"] else str(model["name"])
