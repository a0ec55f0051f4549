"""Report ``parts``: the measures that a suite's axes are made of, as a heat map and one by one.

A mean hides its parts: two networks with the same robustness may fail on different corruptions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness import Figure, HeatMap, Page, Report, Study, Table, TableCell, hookimpl


class Parts(Report):
    """Every part of every axis, for each model."""

    name = "parts"

    def data(self, study: Study) -> dict[str, Any]:
        parts = list(dict.fromkeys(name for names in study.axes.values() for name in names))
        return {"axes": {axis: list(names) for axis, names in study.axes.items()}, "models": [
            {"name": model.name, "parts": {name: _value(model.measures.get(name)) for name in parts}}
            for model in study.models
        ]}  # fmt: skip

    def tables(self, data: Mapping[str, Any]) -> Sequence[Table]:
        parts = _parts(data)
        rows = (
            (TableCell(model["name"]), *(_cell(model["parts"][name]) for name in parts)) for model in data["models"]
        )
        return (Table(title="Parts of the axes", columns=("model", *parts), rows=tuple(rows), note="Percent."),)

    def figures(self, data: Mapping[str, Any]) -> Sequence[Figure]:
        each = HeatMap(
            title="",
            rows=tuple(model["name"] for model in data["models"]),
            columns=_parts(data),
            values=tuple(tuple(model["parts"].values()) for model in data["models"]),
        )
        texts = {"title": "Parts of the axes", "x_label": "", "y_label": "", "map_label": "accuracy"}
        return (Figure(name="parts", maps=(each,), **texts),) if each.columns else ()

    def pages(self, data: Mapping[str, Any]) -> Sequence[Page]:
        names = "; ".join(f"{axis}: {', '.join(parts)}" for axis, parts in data["axes"].items())
        dash = "A dash is a measure that a model does not have."
        return (
            Page(title="The parts", text=(f"{len(data['models'])} models.",), figures=tuple(self.figures(data))),
            Page(title="One by one", tables=tuple(self.tables(data))),
            Page(title="How to read this", text=(dash, names), folded=True),
        )


def _parts(data: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for names in data["axes"].values() for name in names))


def _value(measure: Any) -> float | None:
    return None if measure is None else measure.value


def _cell(value: float | None) -> TableCell:
    return TableCell("–", value="") if value is None else TableCell(f"{100 * value:.1f}", value=100 * value)


@hookimpl
def harness_reports() -> list[Report]:
    return [Parts()]
