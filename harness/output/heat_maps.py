"""Draws heat maps as plain text and as pictures: all maps of a figure in one scale of colours."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from harness.errors import RequestError
from harness.output.scales import labels_below
from harness.output.sheets import SCREEN, Sheet, furnish
from harness.output.tables import abbreviated
from harness.records import Figure, HeatMap

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure as Canvas

SHADES: Final = "·░▒▓█"
"""From the lowest fifth of the range of all values to the highest."""
UNKNOWN: Final = "?"
WIDEST: Final = 4
"""Most characters of a cell in text."""
COLOURS: Final = "cividis"
"""Rises in lightness alone, and looks alike with and without red-green vision (Nuñez, Anderton & Renslow 2018)."""
MOST_TICKS: Final = 9
MOST_NAMES: Final = 60
"""Most rows or columns that all have their names, where these are words."""
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
    import numpy as np
    from matplotlib.figure import Figure as Canvas

    low, high = range_of(figure)
    across = min(len(figure.maps), 3 if sheet.width is None else max(1, int(sheet.width / 2.2)))
    down = -(-len(figure.maps) // across)
    canvas = Canvas(figsize=_size(figure, down, across, sheet), layout="constrained")
    panels = []
    for at, each in enumerate(figure.maps):
        axes = canvas.add_subplot(down, across, at + 1)
        panels.append(axes)
        numbers = np.array([[np.nan if value is None else value for value in row] for row in each.values])
        mesh = axes.pcolormesh(np.ma.masked_invalid(numbers), cmap=COLOURS, vmin=low, vmax=high)
        axes.invert_yaxis()
        axes.grid(visible=False)
        axes.set_title(sheet.panel_title(each.title, across), fontsize=sheet.panel)
        _ticks(axes.xaxis, each.columns, sheet, turned=_turned(figure, across, sheet))
        _ticks(axes.yaxis, each.rows, sheet)
        if at + across >= len(figure.maps):
            axes.set_xlabel(figure.x_label)
        if at % across == 0:
            axes.set_ylabel(figure.y_label)
    canvas.colorbar(mesh, ax=panels, label=figure.map_label, aspect=20 if sheet.width is None else 20 * down)
    furnish(figure, canvas, sheet, {})
    return canvas


def _size(figure: Figure, down: int, across: int, sheet: Sheet) -> tuple[float, float]:
    """Width and height in inches: each name of a row has a line, and names of columns have room below."""
    below = max(_lengths(figure, sheet), default=0.0) * _letter(sheet) if _turned(figure, across, sheet) else 0.0
    lines = max((len(each.rows) for each in figure.maps if _are_words(each.rows)), default=0) * 2.2 * _letter(sheet)
    if sheet.width is None:
        return max(_COLUMN * across + 1.2, 5.2), (max(_ROW, lines + 0.6) + below) * down + 1.0
    return sheet.width, down * (0.35 + max(0.6 * sheet.width / across, lines) + below)


def _ticks(axis: Axis, names: Sequence[str], sheet: Sheet, *, turned: bool = False) -> None:
    """Names at the middle of each cell, of numbers of every n-th."""
    words = _are_words(names)
    step = -(-len(names) // (MOST_NAMES if words else MOST_TICKS))
    places = range(0, len(names), step)
    shown = abbreviated(names, sheet.name_letters) if words else names
    axis.set_ticks([at + 0.5 for at in places], labels=[shown[at] for at in places], rotation=90 if turned else 0)


def _are_words(names: Sequence[str]) -> bool:
    """Whether each name matters; of numbers in order some are enough."""
    return any(character.isalpha() for name in names for character in name)


def _turned(figure: Figure, across: int, sheet: Sheet) -> bool:
    """Whether names of columns stand upright, since side by side they do not fit."""
    room = (sheet.width or _COLUMN * across) / across * 0.5
    widest = max(_lengths(figure, sheet), default=0) + 2
    return any(len(each.columns) * widest * _letter(sheet) > room for each in figure.maps if _are_words(each.columns))


def _lengths(figure: Figure, sheet: Sheet) -> Iterator[int]:
    """Letters of the longest name of the columns of each map of words."""
    for each in figure.maps:
        if _are_words(each.columns):
            yield min(max(map(len, each.columns), default=0), sheet.name_letters)


def _letter(sheet: Sheet) -> float:
    """Mean width of a letter of a name, in inches."""
    return 0.54 * (10 if sheet.width is None else sheet.small) / 72
