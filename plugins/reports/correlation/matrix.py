"""The matrices of coefficients as heat maps, made from the report's JSON-ready data alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness import Figure, HeatMap

from .notes import title_of
from .schema import CorrelationData
from .stars import Coefficient, partner

Values = Mapping[tuple[str, str], float | None]
"""(row, column) -> coefficient."""
RHO = "Spearman's ρ"


def matrix_figures(data: CorrelationData) -> Iterator[Figure]:
    """``matrix`` of biases and axes, and ``matrix-biases``: over all models, and within training families."""
    across = [entry for entry in data["correlations"] if entry["models"] == "all"]
    among = [entry for entry in data["bias_correlations"] if entry["models"] == "all"]
    axes = "axis of generalization"
    yield from _figure(data, "matrix", f"{RHO} of biases and generalization", across, list(data["axes"]), axes)
    yield from _figure(data, "matrix-biases", f"{RHO} among biases", among, list(data["biases"]), "bias")


def _figure(
    data: CorrelationData, name: str, title: str, entries: Sequence[Coefficient], columns: Sequence[str], x_label: str
) -> Iterator[Figure]:
    """No figure where no coefficient is defined."""
    rows = list(data["biases"])
    sets = {
        "all models": _values(entries, {place: entry["spearman"] for place, entry in _places(entries)}),
        "within training families": _values(entries, {place: _within(entry) for place, entry in _places(entries)}),
    }
    maps = tuple(
        _map(data, subject, values, rows, columns)
        for subject, values in sets.items()
        if any(value is not None for value in values.values())
    )
    if maps:
        yield Figure(name=name, title=title, x_label=x_label, y_label="bias", maps=maps, map_label=RHO)


def _places(entries: Sequence[Coefficient]) -> Iterator[tuple[tuple[str, str], Coefficient]]:
    for entry in entries:
        yield (entry["bias"], partner(entry)), entry


def _within(entry: Coefficient) -> float | None:
    return entry["families"]["within"] if "families" in entry else None


def _values(entries: Sequence[Coefficient], values: Values) -> Values:
    """Of a pair of biases both places, since neither comes first."""
    turned = {(column, row): value for (row, column), value in values.items()}
    return {**turned, **values} if entries and "other" in entries[0] else values


def _map(data: CorrelationData, title: str, values: Values, rows: Sequence[str], columns: Sequence[str]) -> HeatMap:
    return HeatMap(
        title=title,
        rows=tuple(title_of(data, row) for row in rows),
        columns=tuple(title_of(data, column) for column in columns),
        values=tuple(tuple(values.get((row, column)) for column in columns) for row in rows),
    )
