"""Draws heat maps as plain text and as pictures: all maps of a figure in one scale of colours."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.errors import RequestError
from harness.output.scales import labels_below
from harness.output.sheets import SCREEN, Sheet, furnish
from harness.records import Figure, HeatMap

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

SHADES: Final = "·░▒▓█"
"""From the lowest fifth of the range of all values to the highest."""
UNKNOWN: Final = "?"
WIDEST: Final = 4
"""Most characters of a cell in text."""
COLOURS: Final = "cividis"
"""Rises in lightness alone, and looks alike with and without red-green vision (Nuñez, Anderton & Renslow 2018)."""
MOST_TICKS: Final = 9
_ROW, _COLUMN = 2.4, 3.4
"""Height and width of a panel in inches."""


def range_of(figure: Figure) -> tuple[float, float]:
    """The smallest and the largest value. Raises RequestError where no map has a value, or a row has another length."""
    for each in figure.maps:
        if len(each.values) != len(each.rows) or any(len(row) != len(each.columns) for row in each.values):
            raise RequestError(f"figure {figure.name}: the values of {each.title!r} do not fit its rows and columns")
    values = [value for each in figure.maps for row in each.values for value in row if value is not None]
    if not values:
        raise RequestError(f"figure {figure.name} has no value to draw")
    return min(values), max(values)


# --- text -------------------------------------------------------------------------------------


def map_lines(figure: Figure, width: int) -> Iterator[str]:
    """The maps one below the other, and which shade is which."""
    low, high = range_of(figure)
    for each in figure.maps:
        yield from textwrap.wrap(each.title, width, break_on_hyphens=False)
        yield from _lines(each, (low, high), width)
        yield ""
    yield f"rows: {figure.y_label}; columns: {figure.x_label}"
    yield from textwrap.wrap(f"{figure.map_label}: {_key(low, high)}", width)


def _lines(each: HeatMap, bounds: tuple[float, float], width: int) -> Iterator[str]:
    margin = max(map(len, each.rows), default=0)
    cell = min(WIDEST, max(1, (width - margin - 2) // max(len(each.columns), 1)))
    for name, row in zip(each.rows, each.values, strict=True):
        yield f"{name:>{margin}} │{''.join(_shade(value, bounds) * cell for value in row)}"
    below = {at * cell + cell // 2: name for at, name in enumerate(each.columns)}
    yield " " * (margin + 2) + labels_below(below, cell * len(each.columns))


def _shade(value: float | None, bounds: tuple[float, float]) -> str:
    if value is None:
        return UNKNOWN
    low, high = bounds
    part = (value - low) / (high - low) if high > low else 0.0
    return SHADES[min(int(part * len(SHADES)), len(SHADES) - 1)]


def _key(low: float, high: float) -> str:
    """``· from -0.02, ░ from 0.07, …, █ from 0.34 to 0.43``."""
    if high <= low:
        return f"{SHADES[0]} {low:.2f}"
    steps = [low + (high - low) * at / len(SHADES) for at in range(len(SHADES))]
    return ", ".join(f"{shade} from {step:.2f}" for shade, step in zip(SHADES, steps, strict=True)) + f" to {high:.2f}"


# --- pictures ---------------------------------------------------------------------------------


def maps_canvas(figure: Figure, sheet: Sheet = SCREEN) -> Canvas:
    """The maps as panels of one canvas of matplotlib, with a colour bar."""
    from matplotlib.figure import Figure as Canvas

    low, high = range_of(figure)
    across = min(len(figure.maps), 3 if sheet.width is None else max(1, int(sheet.width / 2.2)))
    down = -(-len(figure.maps) // across)
    canvas = Canvas(figsize=_size(down, across, sheet), layout="constrained")
    panels = []
    for at, each in enumerate(figure.maps):
        axes = canvas.add_subplot(down, across, at + 1)
        panels.append(axes)
        numbers = np.array([[np.nan if value is None else value for value in row] for row in each.values])
        mesh = axes.pcolormesh(np.ma.masked_invalid(numbers), cmap=COLOURS, vmin=low, vmax=high)
        axes.invert_yaxis()
        axes.grid(visible=False)
        axes.set_title(sheet.panel_title(each.title, across), fontsize=sheet.panel)
        _ticks(axes.xaxis, each.columns)
        _ticks(axes.yaxis, each.rows)
        if at + across >= len(figure.maps):
            axes.set_xlabel(figure.x_label)
        if at % across == 0:
            axes.set_ylabel(figure.y_label)
    canvas.colorbar(mesh, ax=panels, label=figure.map_label, aspect=20 if sheet.width is None else 20 * down)
    furnish(figure, canvas, sheet, {})
    return canvas


def _size(down: int, across: int, sheet: Sheet) -> tuple[float, float]:
    """Width and height in inches."""
    if sheet.width is None:
        return max(_COLUMN * across + 1.2, 5.2), _ROW * down + 1.0
    return sheet.width, down * (0.35 + 0.6 * sheet.width / across)


def _ticks(axis: object, names: Sequence[str]) -> None:
    """Names at the middle of every n-th cell."""
    step = -(-len(names) // MOST_TICKS)
    places = range(0, len(names), step)
    axis.set_ticks([at + 0.5 for at in places], labels=[names[at] for at in places])  # type: ignore[attr-defined]
