"""The figures of the report ``correlation``, made from its JSON-ready data alone."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from harness import Figure, Series

from .band_figures import band_figures
from .curves import MOST_CURVES, by_label, curves_of, shown, with_duplicates
from .depth import depth_figures
from .frequencies import frequency_figures
from .given_tables import given_figures
from .matrix import matrix_figures
from .notes import title_of
from .schema import AxisCoefficient, CorrelationData, ModelEntry
from .shift_figures import shift_figures
from .stars import stars

FILTERED = re.compile(r"relative-top1@(?P<dataset>[^/]+)/(?P<kind>low|high)-pass-(?P<cutoff>[0-9.]+)")


def all_figures(data: CorrelationData) -> list[Figure]:
    """``scatter-<bias>-<axis>``, ``partial-<axis>``, ``matrix``, and curves over filters, bands, shifts and depth."""
    return [*scatter_figures(data), *given_figures(data), *matrix_figures(data), *curve_figures(data)]


def curve_figures(data: CorrelationData, *, each: bool = False) -> list[Figure]:
    """Filters, critical bands, small shifts, stages, and frequencies that are added.

    Args:
        each: one curve for each model, however many there are, without a group too; no figures of a single model.
    """
    return [
        *_curves(data, each=each),
        *band_figures(data, each=each),
        *shift_figures(data, each=each),
        *depth_figures(data, each=each),
        *frequency_figures(data),
    ]


# --- scatter ----------------------------------------------------------------------------------


def scatter_figures(data: CorrelationData) -> Iterator[Figure]:
    """``scatter-<bias>-<axis>`` for every pair of which any model has both."""
    for entry in data["correlations"]:
        if entry["models"] == "all":
            figure = _scatter(data, entry)
            if figure.series:
                yield figure


def _scatter(data: CorrelationData, entry: AxisCoefficient) -> Figure:
    bias, axis = entry["bias"], entry["generalization"]
    percent = data["units"][axis] == "fraction"
    series = [_points(label, models, bias, axis, 100 if percent else 1) for label, models in _shownby_label(data)]
    drawn = tuple(points for points in series if points.x)
    hidden = [*_hidden(data, {name for points in drawn for name in points.names})]
    unit, titles = data["units"][bias], (title_of(data, bias), title_of(data, axis))
    return Figure(
        name=f"scatter-{bias}-{axis}",
        title=f"{titles[0]} and {titles[1]}: {_statistic(entry)}",
        x_label=titles[0] if unit in (None, "fraction", "1") else f"{titles[0]} ({unit})",
        y_label=f"{titles[1]} (%)" if percent else titles[1],
        series=drawn,
        note="\n".join(_notes(data, entry, hidden)),
    )


def _shownby_label(data: CorrelationData) -> list[tuple[str, list[ModelEntry]]]:
    return list(by_label(data, shown(data)).items())


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
    """ρ with its star, n, and the p that the star rests on: within families where that is defined."""
    if entry["spearman"] is None or entry["p"] is None:
        return f"Spearman's ρ {entry['reason']}"
    families = entry.get("families")
    within = families["p_within"] if families and families["within"] is not None else None
    p = _p("p", entry["p"]) if within is None else _p("p within", within)
    return f"Spearman's ρ = {_coefficient(entry['spearman'])}{stars(entry)}, {p}, n = {entry['n']}"


def _p(name: str, value: float) -> str:
    return f"{name} < 0.001" if value < 0.001 else f"{name} = {value:.3f}"


def _coefficient(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}"


def _hidden(data: CorrelationData, drawn: Collection[str]) -> Iterator[str]:
    """Which models have no point, and why."""
    others = [model for model in data["models"] if model["name"] not in drawn]
    duplicates = sum(model.get("duplicate_of") is not None for model in others)
    for count, why in (
        (len(others) - duplicates, "no group, or a value is missing"),
        (duplicates, "another label has it, too, and statistics count it once"),
    ):
        if count:
            subject = "1 model is" if count == 1 else f"{count} models are"
            yield f"{subject} not drawn: {why}."


def _notes(data: CorrelationData, entry: AxisCoefficient, hidden: Sequence[str]) -> Iterator[str]:
    families = entry.get("families")
    outside = [model["name"] for model in shown(data) if not model["in_correlations"]]
    if outside:
        yield f"ρ is without {', '.join(outside)}."
    if families and families["within"] is not None and families["p_within"] is not None:
        within = _coefficient(families["within"])
        yield f"Within training families: ρ = {within}, n = {families['n']}; p within: by permutation there."
    if stars(entry):
        yield "* p < 0.05; ** also after Holm's correction over all pairs, as in the table."
    yield from hidden
    for erratum in data["errata"]:
        if not data["mended"] and {entry["bias"], entry["generalization"]} & set(erratum["concerns"]):
            yield f"† published {erratum['measure']}: {erratum['title']}."


# --- accuracy against the cutoff of a filter --------------------------------------------------


def _curves(data: CorrelationData, *, each: bool) -> Iterator[Figure]:
    models = with_duplicates(data, each=each)
    curves: dict[tuple[str, str], dict[float, str]] = {}
    for name in dict.fromkeys(name for model in models for name in model["measures"]):
        match = FILTERED.fullmatch(name)
        if match:
            curves.setdefault((match["kind"], match["dataset"]), {})[float(match["cutoff"])] = name
    for (kind, dataset), cutoffs in curves.items():
        series = curves_of(data, models, dict(sorted(cutoffs.items())), each=each)
        if series:
            yield Figure(
                name=f"{kind}-pass-{dataset}",
                title=f"Accuracy on {kind}-pass filtered images of {dataset}",
                x_label="cutoff, as a fraction of the half side",
                y_label="top-1 relative to unmodified images",
                series=series,
                note="Means of groups." if len(models) > MOST_CURVES and not each else "",
            )
