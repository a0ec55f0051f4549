"""Heat maps -> specifications of Vega 6, all maps of a figure in one scale of colours, the same in both themes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from harness.output.heat_maps import range_of
from harness.output.html.axes import LONGEST_LABEL, clipped
from harness.records import Figure, HeatMap

Spec = dict[str, Any]
DIVERGING: Final = (
    "#67001f", "#b2182b", "#d6604d", "#f4a582", "#fddbc7", "#f7f7f7", "#d1e5f0", "#92c5de", "#4393c3", "#2166ac",
    "#053061",
)  # fmt: skip
"""Red below zero, blue above, for every kind of colour vision (ColorBrewer's RdBu, Harrower & Brewer 2003)."""
SEQUENTIAL: Final = (
    "#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#e1cc55", "#fee838",
)  # fmt: skip
"""Cividis in ten steps: rises in lightness alone (Nuñez, Anderton & Renslow 2018)."""
_CELL, _SMALL_CELL, _MANY = 26, 8, 60
"""Height of a row in pixels, and that of one of many rows."""
_ACROSS: Final = 300
"""About the width of one of several maps, in pixels: small cells are squares."""
_WIDEST, _MARGIN = 120, 230
"""Most width of a cell in pixels, and room for the names of rows."""
_ROOM: Final = (30, 14)
"""Width and height in pixels that a cell must have for its number."""
_CELL_WIDTH: Final = "abs(scale('x', 1) - scale('x', 0))"
_CELL_HEIGHT: Final = "abs(scale('y', 1) - scale('y', 0))"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shades:
    """A scale of colours: numbers, rising, and the colour of each; between them it is mixed."""

    numbers: tuple[float, ...]
    colours: tuple[str, ...]
    decimals: int

    @classmethod
    def of(cls, figure: Figure) -> Shades:
        """Around 0 where there are numbers on both sides of it. Raises RequestError where there is none."""
        low, high = range_of(figure)
        colours = DIVERGING if low < 0 < high else SEQUENTIAL
        if low < 0 < high:
            high = max(high, -low)
            low = -high
        high = high if high > low else low + 1.0
        steps = len(colours) - 1
        numbers = tuple(low + (high - low) * at / steps for at in range(steps + 1))
        most = max(abs(low), abs(high))
        return cls(numbers=numbers, colours=colours, decimals=0 if most >= 100 else 1 if most >= 10 else 2)

    def text(self, value: float | None) -> str:
        """A number as a cell shows it."""
        return "–" if value is None else f"{value:z.{self.decimals}f}"

    def colour(self, value: float) -> str:
        """The colour of a number, mixed from its neighbours as the browser does."""
        first, last, steps = self.numbers[0], self.numbers[-1], len(self.numbers) - 1
        place = min(max((value - first) / (last - first), 0.0), 1.0) * steps
        at = min(int(place), steps - 1)
        pairs = zip(_parts(self.colours[at]), _parts(self.colours[at + 1]), strict=True)
        return "#" + "".join(f"{round(low + (high - low) * (place - at)):02x}" for low, high in pairs)

    def dark(self, value: float) -> bool:
        """Whether white stands out from its colour more than black does."""
        return luminance(self.colour(value)) < 0.179

    @property
    def ends(self) -> tuple[str, str, str]:
        """The numbers at the low end, in the middle and at the high end."""
        first, last = self.numbers[0], self.numbers[-1]
        return self.text(first), self.text((first + last) / 2), self.text(last)


def _parts(colour: str) -> list[int]:
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb`` (WCAG 2.2)."""
    parts = (part / 255 for part in _parts(colour))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def map_spec(figure: Figure, each: HeatMap, shades: Shades) -> Spec:
    """One map of `figure`."""
    down, across = len(each.rows), len(each.columns)
    signals = {
        "xdom": [0, across], "ydom": [down, 0], "hidden": [], "lit": -1, "lit_name": "",
        "rows": list(each.rows), "columns": list(each.columns),
    }  # fmt: skip
    return {
        "usermeta": {"map": figure.map_label or "value", "most": _MARGIN + _WIDEST * across},
        "width": 560,
        "height": max(round(down * _cell_height(figure, each)), 120) + 70,
        "autosize": {"type": "fit", "contains": "padding"},
        "signals": [{"name": name, "value": value} for name, value in signals.items()],
        "data": [{"name": "cells", "values": list(_cells(each, shades))}],
        "scales": [
            *(_places(side) for side in ("x", "y")),
            {"name": "colour", "type": "linear", "domain": list(shades.numbers), "range": list(shades.colours),
             "clamp": True, "zero": False},
        ],
        "axes": list(_axes(figure, each)),
        "marks": [clipped([_squares(), _numbers()])],
    }  # fmt: skip


def _cell_height(figure: Figure, each: HeatMap) -> float:
    most = _CELL if len(each.rows) <= _MANY else _SMALL_CELL
    return max(min(most, _ACROSS / max(len(each.columns), 1)), 4) if len(figure.maps) > 1 else most


def _cells(each: HeatMap, shades: Shades) -> Sequence[Spec]:
    cells: list[Spec] = []
    for y, row in enumerate(each.values):
        for x, value in enumerate(row):
            cell: Spec = {"x": x, "y": y, "v": value, "t": shades.text(value)}
            if value is not None and shades.dark(value):
                cell["w"] = 1
            cells.append(cell)
    return cells


def _places(side: str) -> Spec:
    range_ = "width" if side == "x" else "height"
    return {
        "name": side,
        "type": "linear",
        "domain": {"signal": f"{side}dom"},
        "range": range_,
        "zero": False,
        "nice": False,
    }


def _axes(figure: Figure, each: HeatMap) -> Sequence[Spec]:
    names = {"x": ("columns", each.columns, figure.x_label), "y": ("rows", each.rows, figure.y_label)}
    given = []
    for side, (signal, texts, title) in names.items():
        text = {"update": {"text": {"signal": f"{signal}[floor(datum.value)]"}}}
        axis: Spec = {
            "orient": "bottom" if side == "x" else "left",
            "scale": side,
            "title": title,
            "values": [at + 0.5 for at in range(len(texts))],
            "encode": {"labels": text},
            "labelLimit": LONGEST_LABEL,
            "labelOverlap": True,
        }
        if side == "x" and max(map(len, texts), default=0) > 3:
            axis |= {"labelAngle": -40, "labelAlign": "right", "labelBaseline": "middle", "labelLimit": 130}
        given.append(axis)
    return given


def _squares() -> Spec:
    encode = {
        "x": {"scale": "x", "field": "x"},
        "x2": {"scale": "x", "signal": "datum.x + 1"},
        "y": {"scale": "y", "field": "y"},
        "y2": {"scale": "y", "signal": "datum.y + 1"},
        "stroke": {"value": "var(--paper)"},
        "strokeWidth": {"signal": f"min({_CELL_WIDTH}, {_CELL_HEIGHT}) > {_ROOM[1]} ? 1 : 0"},
        "fill": [{"test": "datum.v === null", "value": "var(--panel)"}, {"scale": "colour", "field": "v"}],
    }
    return {"type": "rect", "name": "cell-marks", "from": {"data": "cells"}, "encode": {"update": encode}}


def _numbers() -> Spec:
    """The number in each cell, where all have room for it."""
    encode = {
        "x": {"scale": "x", "signal": "datum.x + 0.5"},
        "y": {"scale": "y", "signal": "datum.y + 0.5"},
        "text": {"signal": f"{_CELL_WIDTH} > {_ROOM[0]} && {_CELL_HEIGHT} > {_ROOM[1]} ? datum.t : ''"},
        "align": {"value": "center"},
        "baseline": {"value": "middle"},
        "fontSize": {"value": 10.5},
        "fill": [
            {"test": "datum.v === null", "value": "var(--muted)"},
            {"test": "datum.w", "value": "#ffffff"},
            {"value": "#000000"},
        ],
    }
    return {"type": "text", "from": {"data": "cells"}, "encode": {"update": encode}, "interactive": False}
