"""The figures of the report ``correlation``, made from its JSON-ready data alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from harness import Figure, Series

from .notes import title_of
from .schema import AxisCoefficient, CorrelationData, ModelEntry

MOST_CURVES = 8
"""With more models than this, curves are means of groups: more curves are indistinguishable."""
NO_GROUP = "no group"
FILTERED = re.compile(r"relative-top1@(?P<dataset>[^/]+)/(?P<kind>low|high)-pass-(?P<cutoff>[0-9.]+)")


def all_figures(data: CorrelationData) -> list[Figure]:
    """``scatter-<bias>-<axis>`` for each pair, then ``low-pass-<dataset>`` and ``high-pass-<dataset>``."""
    return [*_scatters(data), *_curves(data)]


def _shown(data: CorrelationData) -> list[ModelEntry]:
    """The models that enter the statistics, and the user's own beside imported ones."""
    return [model for model in data["models"] if model["in_correlations"] or model["own"]]


def _label(data: CorrelationData, model: ModelEntry) -> str:
    group = title_of(data, model["group"]) if model["group"] else NO_GROUP
    return f"► {model['name']}" if model["own"] else group


def _by_label(data: CorrelationData, models: Sequence[ModelEntry]) -> dict[str, list[ModelEntry]]:
    """Models by their label in the legend, the user's own last so that they are drawn on top."""
    groups: dict[str, list[ModelEntry]] = {}
    for model in sorted(models, key=lambda entry: bool(entry["own"])):
        groups.setdefault(_label(data, model), []).append(model)
    return groups


# --- scatter ----------------------------------------------------------------------------------


def _scatters(data: CorrelationData) -> Iterator[Figure]:
    for entry in data["correlations"]:
        if entry["models"] == "all":
            figure = _scatter(data, entry)
            if figure.series:
                yield figure


def _scatter(data: CorrelationData, entry: AxisCoefficient) -> Figure:
    bias, axis = entry["bias"], entry["generalization"]
    percent = data["units"][axis] == "fraction"
    series = [_points(label, models, bias, axis, 100 if percent else 1) for label, models in _shown_by_label(data)]
    drawn = tuple(points for points in series if points.x)
    hidden = len(data["models"]) - sum(len(points.x) for points in drawn)
    unit, titles = data["units"][bias], (title_of(data, bias), title_of(data, axis))
    return Figure(
        name=f"scatter-{bias}-{axis}",
        title=f"{titles[0]} and {titles[1]}: {_statistic(entry)}",
        x_label=titles[0] if unit in (None, "fraction", "1") else f"{titles[0]} ({unit})",
        y_label=f"{titles[1]} (%)" if percent else titles[1],
        series=drawn,
        note="\n".join(_notes(data, bias, axis, hidden)),
    )


def _shown_by_label(data: CorrelationData) -> list[tuple[str, list[ModelEntry]]]:
    return list(_by_label(data, _shown(data)).items())


def _points(label: str, models: Sequence[ModelEntry], bias: str, axis: str, scale: float) -> Series:
    pairs = [(model["biases"][bias], model["axes"][axis], model["name"]) for model in models]
    complete = [(x, scale * y, name) for x, y, name in pairs if x is not None and y is not None]
    return Series(
        label=label,
        x=tuple(x for x, _, _ in complete),
        y=tuple(y for _, y, _ in complete),
        names=tuple(name for _, _, name in complete),
    )


def _statistic(entry: AxisCoefficient) -> str:
    if entry["spearman"] is None or entry["p"] is None:
        return f"Spearman's ρ {entry['reason']}"
    p = "p < 0.001" if entry["p"] < 0.001 else f"p = {entry['p']:.3f}"
    return f"Spearman's ρ = {round(entry['spearman'], 2) + 0.0:.2f}, {p}, n = {entry['n']}"


def _notes(data: CorrelationData, bias: str, axis: str, hidden: int) -> Iterator[str]:
    outside = [model["name"] for model in _shown(data) if not model["in_correlations"]]
    if outside:
        yield f"ρ is without {', '.join(outside)}."
    if hidden:
        subject = "1 model is" if hidden == 1 else f"{hidden} models are"
        yield f"{subject} not drawn: no group, or a value is missing."
    for erratum in data["errata"]:
        if not data["mended"] and {bias, axis} & set(erratum["concerns"]):
            yield f"† published {erratum['measure']}: {erratum['title']}."


# --- accuracy against the cutoff of a filter --------------------------------------------------


def _curves(data: CorrelationData) -> Iterator[Figure]:
    models = _shown(data)
    curves: dict[tuple[str, str], dict[float, str]] = {}
    for name in dict.fromkeys(name for model in models for name in model["measures"]):
        match = FILTERED.fullmatch(name)
        if match:
            curves.setdefault((match["kind"], match["dataset"]), {})[float(match["cutoff"])] = name
    for (kind, dataset), cutoffs in curves.items():
        series = _curves_of(data, models, dict(sorted(cutoffs.items())))
        if series:
            yield Figure(
                name=f"{kind}-pass-{dataset}",
                title=f"Accuracy on {kind}-pass filtered images of {dataset}",
                x_label="cutoff, as a fraction of the half side",
                y_label="top-1 relative to unmodified images",
                series=series,
                note="Means of groups." if len(models) > MOST_CURVES else "",
            )


def _curves_of(data: CorrelationData, models: Sequence[ModelEntry], cutoffs: Mapping[float, str]) -> tuple[Series, ...]:
    """One curve for each model, or the mean of each group if there are many, over the cutoffs that all members have."""
    grouped = len(models) > MOST_CURVES
    curves: dict[str, list[ModelEntry]] = (
        _by_label(data, models) if grouped else {_own_label(model): [model] for model in models}
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
