"""Axes of a panel in Vega: scales with signals for what is in view, ticks, titles."""

from __future__ import annotations

import math
from typing import Any, Final

from harness.output.scales import LADDERS, Scale, Side
from harness.records import Figure

Spec = dict[str, Any]
SIDES: Final[tuple[Side, Side]] = ("x", "y")
_LEAST: Final = 1e-12
"""Fractions nearer to 0 or 1 are placed here on a probit scale, as in pictures."""
_FINER: Final = (
    tuple(at / 100 for at in range(1, 100)),
    tuple(at / 1000 for at in range(1, 1000)),
)
_SPANS: Final = (5.0, 2.4, 1.2, 0.5, 0.1)
"""From so many standard deviations in view on, each ladder of round fractions is coarse enough."""
LONGEST_LABEL: Final = 190
"""Of the name of a row, in pixels."""


def on_scale(scale: Scale, value: float) -> float:
    """Where a value stands in the data of a panel: as it is, or its quantile on a probit scale.

    NaN where a logarithmic scale has no place for it.
    """
    if scale.kind == "probit":
        return scale.forward(min(max(value, _LEAST), 1 - _LEAST))
    return value if scale.kind == "linear" or value > 0 else math.nan


_PROBIT: Final = Scale(0.25, 0.75, "probit")


def signals(figure: Figure, x: Scale, y: Scale) -> list[Spec]:
    """What is in view, and what labels of ticks are taken from."""
    given: dict[str, Any] = {"xdom": [x.first, x.last], "ydom": [y.first, y.last], "lit_name": ""}
    if figure.y_ticks:
        given |= {"places": [at for at, _ in figure.y_ticks], "rows": [name for _, name in figure.y_ticks]}
    if figure.probit:
        given["ladders"] = [[round(on_scale(_PROBIT, at), 6) for at in ladder] for ladder in (*LADDERS, *_FINER)]
    return [{"name": name, "value": value} for name, value in given.items()]


def scale(side: Side, scale: Scale) -> Spec:
    """Its domain is the signal; logarithms are made numbers."""
    ends = f"{side}dom"
    domain = f"[pow(10, {ends}[0]), pow(10, {ends}[1])]" if scale.kind == "log" else ends
    return {
        "name": side,
        "type": "log" if scale.kind == "log" else "linear",
        "domain": {"signal": domain},
        "range": "width" if side == "x" else "height",
        "zero": False,
        "nice": False,
    }


def axes(figure: Figure, x: Scale, y: Scale) -> list[Spec]:
    """Both axes, with their grids; named rows have no ticks."""
    below = {"orient": "bottom", "scale": "x", "title": _titled(figure.x_label, "{} →"), **_ticks("x", x)}
    beside = {"orient": "left", "scale": "y", "title": _titled(figure.y_label, "↑ {}"), **_ticks("y", y)}
    if figure.y_ticks:
        named = {"update": {"text": {"signal": "rows[indexof(places, datum.value)]"}}}
        beside |= {"values": {"signal": "places"}, "encode": {"labels": named}, "labelLimit": LONGEST_LABEL}
        beside["title"] = figure.y_label
        del beside["tickCount"]  # Vega would leave out names
    else:
        beside["labelOverlap"] = True
    return [entry | {"grid": True} for entry in (below | {"labelOverlap": True}, beside)]


def _titled(label: str, form: str) -> str:
    return form.replace("{}", label) if label else ""


def _ticks(side: Side, scale: Scale) -> Spec:
    count = {"signal": f"max(2, {'width / 80' if side == 'x' else 'height / 50'})"}
    if scale.kind == "log":
        return {"tickCount": count, "format": "~g"}
    if scale.kind == "linear":
        return {"tickCount": count}
    span = f"abs({side}dom[1] - {side}dom[0])"
    chosen = "".join(f"{span} > {least} ? ladders[{at}] : " for at, least in enumerate(_SPANS))
    percent = {"signal": "format(100 * cumulativeNormal(datum.value), '.3~f') + '%'"}
    return {
        "values": {"signal": f"{chosen}ladders[{len(_SPANS)}]"},
        "encode": {"labels": {"update": {"text": percent}}},
    }


def clipped(marks: list[Spec]) -> Spec:
    """Marks inside the axes alone, whatever is in view."""
    size = {side: {"signal": side} for side in ("width", "height")}
    return {"type": "group", "clip": True, "encode": {"update": size}, "marks": marks}


CONFIG: Final[Spec] = {
    "background": None,
    "padding": {"left": 2, "right": 10, "top": 4, "bottom": 2},
    "view": {"stroke": None},
    "axis": {
        "domain": False,
        "ticks": False,
        "gridColor": "var(--grid)",
        "labelColor": "var(--muted)",
        "titleColor": "var(--ink)",
        "labelFont": "system-ui, sans-serif",
        "titleFont": "system-ui, sans-serif",
        "labelFontSize": 11,
        "titleFontSize": 12,
        "titleFontWeight": 500,
        "labelPadding": 6,
        "labelFlush": False,
        "aria": False,
    },
    "axisX": {"titleAnchor": "end", "titleAlign": "right", "titlePadding": 8},
    "axisY": {
        "titleAngle": 0,
        "titleAnchor": "end",
        "titleAlign": "left",
        "titleBaseline": "bottom",
        "titleX": 0,
        "titleY": -8,
        "minExtent": 34,
    },
    "text": {"font": "system-ui, sans-serif"},
}
"""What all panels share."""
