"""Figures -> specifications of Vega 6: one view for each panel.

A specification is data: names of models, groups, rows and columns stand in it as values alone, never in an expression.
The script of the page sets the signals ``xdom`` and ``ydom`` (the ends of what is in view, on the scale), ``hidden``
(numbers of groups) and ``lit`` (number of the model under the pointer), and the width. Colours are names of the
stylesheet, so that the theme changes without drawing anew. Points carry ``x`` and ``y``, their places; ``a`` and ``b``
where their numbers differ from those; ``g`` and ``n``, their group and name; ``k``, their look.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from harness.output.html import axes
from harness.output.html.looks import SHAPES, Looks, colour_of
from harness.output.scales import Panel, Scale, marks_of
from harness.records import Figure, Series

Spec = dict[str, Any]
PAD: Final = 0.06
"""What an axis extends beyond its points, as a fraction of their range."""
WIDTH: Final = 560
"""In pixels; the page sets that of the place where a panel stands."""
HEIGHT, PANEL_HEIGHT, LINE = 350, 290, 15
"""Of a panel alone, of one of several, and of a named row, in pixels."""
AREA, SMALL_AREA, TINY_AREA = 64, 42, 14
"""Of a mark, in square pixels: alone, in one of several panels or on a curve, on one of many curves."""
PERCENT: Final = 100
"""Fractions on a probit scale are shown in percent, as its ticks are."""
CROWDED: Final = 12
"""From so many curves on in one panel, they are thin."""
_VISIBLE: Final = "indexof(hidden, datum.g) < 0"
_FADED: Final = "lit >= 0 && isValid(datum.n) && datum.n !== lit ? 0.2 : 1"
"""Opacity of curves and their points: one alone stands out when it is under the pointer."""
_LIT: Final = "lit >= 0 && datum.n === lit"


@dataclass(slots=True)
class Names:
    """Names of points, each once: points carry the number."""

    all: list[str] = field(default_factory=list)
    _places: dict[str, int] = field(default_factory=dict)

    def number(self, name: str) -> int:
        """The place of `name` in `all`, where it is added if it is new."""
        if name not in self._places:
            self._places[name] = len(self.all)
            self.all.append(name)
        return self._places[name]


def panel_spec(figure: Figure, panel: Panel, looks: Looks, names: Names) -> Spec:
    """One panel of `figure`. Raises RequestError where it cannot be drawn."""
    x, y = (Scale.of(figure, panel.all, side, PAD) for side in axes.SIDES)
    rows = [list(_points(figure, series, look, (x, y), looks, names)) for series, look in panel.series]
    meta: Spec = {"x": figure.x_label, "y": figure.y_label}
    meta |= {"rows": True} if figure.y_ticks else {}
    meta |= {"times": PERCENT} if figure.probit else {}
    meta |= {"curves": True} if any(series.line for series in panel.all) else {}
    return {
        "usermeta": meta,
        "width": WIDTH,
        "height": _height(figure, panel, y),
        "autosize": {"type": "fit", "contains": "padding"},
        "signals": [*axes.signals(figure, x, y), {"name": "hidden", "value": []}, {"name": "lit", "value": -1}],
        "data": [
            _data("lines", _lines(panel, rows, (x, y))),
            _data("bars", [row for (one, _), of in zip(panel.series, rows, strict=True) for row in of if _is_bar(one)]),
            _data("points", [row for of in sorted(rows, key=len, reverse=True) for row in of if row["k"] >= 0]),
            _part_of_points("beyond", "isValid(datum.t)"),
            _part_of_points("lit", f"{_LIT} && !isValid(datum.t)"),
        ],
        "scales": [axes.scale("x", x), axes.scale("y", y), *_looks_of(panel)],
        "axes": axes.axes(figure, x, y),
        "marks": [axes.clipped([_joined(panel), _bars(), _marks(figure, panel), _beyond(), _lit()])],
    }


def _height(figure: Figure, panel: Panel, y: Scale) -> int:
    if figure.y_ticks:
        return min(round(LINE * (y.last - y.first)) + 64, 4000)
    return PANEL_HEIGHT if panel.title else HEIGHT


def _is_crowded(panel: Panel) -> bool:
    return sum(series.line for series in panel.all) >= CROWDED


def _is_bar(series: Series) -> bool:
    return series.style == "ticks"


# --- data ------------------------------------------------------------------------------------


def _data(name: str, values: list[Spec]) -> Spec:
    return {"name": name, "values": values, "transform": [{"type": "filter", "expr": _VISIBLE}]}


def _part_of_points(name: str, test: str) -> Spec:
    return {"name": name, "source": "points", "transform": [{"type": "filter", "expr": test}]}


def _points(
    figure: Figure, series: Series, look: int, scales: tuple[Scale, Scale], looks: Looks, names: Names
) -> Iterator[Spec]:
    """The marks of a series, with what a hover tells of each."""
    if series.style == "reference":
        return
    group = looks.number(series.label) if look >= 0 else -1
    marks = list(marks_of(figure, series))  # of bars, fewer than points
    raw = [(mark.x, mark.y) for mark in marks] if _is_bar(series) else list(zip(series.x, series.y, strict=True))
    for at, mark in enumerate(marks):
        row: Spec = {
            "x": axes.on_scale(scales[0], mark.x),
            "y": axes.on_scale(scales[1], mark.y),
            "g": group,
            "k": look,
        }
        row |= {key: number for key, number, side in zip("ab", raw[at], "xy", strict=True) if number != row[side]}
        if series.names and not _is_bar(series):
            row["n"] = names.number(series.names[at])
        if series.style == "open":
            row["o"] = 1
        if mark.text:
            row |= {"t": mark.text, "s": -1 if mark.arrow == "→" else 1}
        yield row


def _lines(panel: Panel, rows: list[list[Spec]], scales: tuple[Scale, Scale]) -> list[Spec]:
    """Places of joined points and of reference lines; `l` is the number of the line."""
    lines = []
    for at, series in enumerate(panel.all):
        if series.style == "reference":
            places = zip(series.x, series.y, strict=True)
            spots = ((axes.on_scale(scales[0], x), axes.on_scale(scales[1], y)) for x, y in places)
            lines += [{"x": x, "y": y, "g": -1, "k": -1, "l": at} for x, y in spots if math.isfinite(x + y)]
        elif series.line:
            lines += [{key: row[key] for key in "xygkn" if key in row} | {"l": at} for row in rows[at]]
    return lines


def _looks_of(panel: Panel) -> list[Spec]:
    """The scales of colours and shapes, for the looks in a panel; -1 is a reference."""
    looks = sorted({look for _, look in panel.series if look >= 0})
    colours = ["var(--reference)", *map(colour_of, looks)]
    shapes = [SHAPES[0], *(SHAPES[look % len(SHAPES)] for look in looks)]
    return [
        {"name": name, "type": "ordinal", "domain": [-1, *looks], "range": values}
        for name, values in (("colour", colours), ("shape", shapes))
    ]


# --- marks -----------------------------------------------------------------------------------

_PLACE: Final[Spec] = {"x": {"scale": "x", "field": "x"}, "y": {"scale": "y", "field": "y"}}
_COLOUR: Final[Spec] = {"scale": "colour", "field": "k"}


def _joined(panel: Panel) -> Spec:
    """One line for each series that is joined, and for each reference."""
    encode = {
        **_PLACE,
        "stroke": _COLOUR,
        "strokeWidth": {"signal": f"datum.k < 0 ? 1 : {_LIT} ? 3 : {1 if _is_crowded(panel) else 1.6}"},
        "strokeOpacity": {"signal": f"datum.k < 0 ? 1 : {0.75 if _is_crowded(panel) else 1} * ({_FADED})"},
        "strokeDash": {"signal": "datum.k < 0 ? [4, 3] : []"},
        "strokeJoin": {"value": "round"},
    }
    line = {"type": "line", "from": {"data": "line"}, "encode": {"update": encode}, "interactive": False}
    return {
        "type": "group",
        "from": {"facet": {"name": "line", "data": "lines", "groupby": "l"}},
        "marks": [line],
        "interactive": False,
    }


def _bars() -> Spec:
    """Short bars across x."""
    encode = {
        "x": _PLACE["x"],
        "y": {**_PLACE["y"], "offset": -6},
        "y2": {**_PLACE["y"], "offset": 6},
        "stroke": {"value": "var(--reference)"},
        "strokeWidth": {"value": 1.6},
    }
    return {"type": "rule", "name": "bar-marks", "from": {"data": "bars"}, "encode": {"update": encode}}


def _marks(figure: Figure, panel: Panel) -> Spec:
    joined = any(series.line for series in panel.all)
    area = TINY_AREA if _is_crowded(panel) else SMALL_AREA if panel.title or figure.y_ticks or joined else AREA
    encode = {
        **_PLACE,
        "shape": {"scale": "shape", "field": "k"},
        "fill": [{"test": "datum.o", "value": "var(--paper)"}, _COLOUR],
        "stroke": [{"test": "datum.o", **_COLOUR}, {"test": _LIT, "value": "var(--ink)"}, {"value": "var(--paper)"}],
        "strokeWidth": {"signal": f"datum.o || ({_LIT}) ? 1.6 : 0.8"},
        "size": {"signal": f"{_LIT} ? {3 * area} : {area}"},
        "opacity": {"signal": _FADED if joined else "1"},
        "zindex": {"signal": f"{_LIT} ? 1 : 0"},
    }
    return {"type": "symbol", "name": "point-marks", "from": {"data": "points"}, "encode": {"update": encode}}


def _beyond() -> Spec:
    """Arrows and numbers of points beyond a limit."""
    encode = {
        **_PLACE,
        "text": {"field": "t"},
        "dx": {"signal": "8 * datum.s"},
        "align": {"signal": "datum.s < 0 ? 'right' : 'left'"},
        "baseline": {"value": "middle"},
        "fontSize": {"value": 10},
        "fill": {"value": "var(--ink)"},
    }
    return _text("beyond", encode)


def _lit() -> Spec:
    """The name of the model under the pointer, beside its points; `lit_name` is set with `lit`."""
    encode = {
        **_PLACE,
        "text": {"signal": "lit_name"},
        "dx": {"signal": "scale('x', datum.x) > width / 2 ? -10 : 10"},
        "align": {"signal": "scale('x', datum.x) > width / 2 ? 'right' : 'left'"},
        "baseline": {"value": "middle"},
        "fontSize": {"value": 11},
        "fontWeight": {"value": 600},
        "fill": {"value": "var(--ink)"},
    }
    return _text("lit", encode)


def _text(name: str, encode: Spec) -> Spec:
    return {
        "type": "text",
        "name": f"{name}-marks",
        "from": {"data": name},
        "encode": {"update": encode},
        "interactive": False,
    }
