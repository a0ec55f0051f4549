"""Draws figures as plain text for a terminal. Independent of what they mean."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from harness.errors import RequestError
from harness.foreign import one_line
from harness.output.heat_maps import map_lines
from harness.output.scales import Mark, Panel, Scale, labels_below, marks_of, panels_of, shortened, with_texts
from harness.records import Figure, Series

GLYPHS = "ox+*#%&=ABCDEFGHIJKLMNPQRSTUVWYZ"
SHARED = "@"
"""Shown where points of several series share one character cell."""
BAR = "|"
"""A short bar across x; a point in the same cell hides it."""
FREE = (" ", "·", BAR)
"""Cells without a point."""
ROWS, PANEL_ROWS = 20, 12
"""Lines of a plot, and of one of several."""
STEPS = 4
"""Places looked at on a reference line in every line or column that it crosses."""


def to_text(figure: Figure, width: int = 80) -> str:
    """The figure in plain characters, at most `width` wide; ends in a newline.

    A plot is 20 lines high, one of several panels 12, one of named rows as high as it has rows.
    """
    figure = with_texts(figure, one_line)
    if figure.maps:
        return _finished([*_wrapped(figure.title, width), "", *map_lines(figure, width)], figure, width)
    panels = panels_of(figure, by_style=True)
    plots = [_Plot.of(figure, panel, width, PANEL_ROWS if len(panels) > 1 else ROWS) for panel in panels]
    lines = [*_wrapped(figure.title, width), "", *([figure.y_label] if figure.y_label else [])]
    for panel, plot in zip(panels, plots, strict=True):
        lines += ["", *_wrapped(panel.title, width)] if panel.title else []
        lines += plot.lines()
    lines.append(_centred(figure.x_label, plots[-1].margin, plots[-1].columns))
    lines += ["", *_legend(figure, panels, width, any(SHARED in cells for plot in plots for cells in plot.grid))]
    return _finished(lines, figure, width)


def _finished(lines: Sequence[str], figure: Figure, width: int) -> str:
    """The text of `lines` and the note."""
    note = [wrapped for line in figure.note.splitlines() for wrapped in _wrapped(line, width)]
    return "\n".join(line.rstrip() for line in [*lines, *note]) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plot:
    """One panel: its cells, and the labels beside and below them by line and by column."""

    grid: list[list[str]]
    beside: Mapping[int, str]
    below: Mapping[int, str]
    margin: int
    columns: int

    @classmethod
    def of(cls, figure: Figure, panel: Panel, width: int, rows: int) -> _Plot:
        x, y = Scale.of(figure, panel.all, "x"), Scale.of(figure, panel.all, "y")
        if figure.y_ticks:
            rows = round(y.last - y.first)
            names = [(place, shortened(name, max(width // 3, 1))) for place, name in figure.y_ticks]
        else:
            names = [(value, y.label(value)) for value in y.ticks(5)]
        beside = {_cell(1 - y.place(place), rows): name for place, name in names}
        margin = max(map(len, beside.values()))
        columns = max(width - margin - 3, 20)
        return cls(
            grid=_grid(figure, panel, (x, y), (columns, rows)),
            beside=beside,
            below={_cell(x.place(value), columns): x.label(value) for value in x.ticks(6)},
            margin=margin,
            columns=columns,
        )

    def lines(self) -> Iterator[str]:
        """The plot with its axes."""
        for row, cells in enumerate(self.grid):
            edge = "┤" if row in self.beside else "│"
            yield f"{self.beside.get(row, ''):>{self.margin}} {edge}{''.join(cells).rstrip()}"
        axis = "".join("┬" if at in self.below else "─" for at in range(self.columns))
        yield f"{' ' * (self.margin + 1)}└{axis}"
        yield " " * (self.margin + 2) + labels_below(self.below, self.columns)


def _cell(place: float, cells: int) -> int:
    return min(cells - 1, max(0, int(place * cells)))


def _grid(figure: Figure, panel: Panel, scales: tuple[Scale, Scale], size: tuple[int, int]) -> list[list[str]]:
    """The cells, row by row from the top; lines are below points, numbers of points beyond a limit where room is."""
    grid = [[" "] * size[0] for _ in range(size[1])]
    for series, _ in panel.series:
        if series.style == "reference":
            _dot(grid, _crossed(series, scales, size))
        elif series.line:
            _dot(grid, _joined([_place(mark, scales, size) for mark in marks_of(figure, series)]))
        elif series.style == "ticks":
            for column, row in (_place(mark, scales, size) for mark in marks_of(figure, series)):
                grid[row][column] = BAR
    beyond, owner = list[tuple[Mark, int, int]](), dict[tuple[int, int], str]()
    for series, look in panel.series:
        for mark in marks_of(figure, series) if look >= 0 else ():
            column, row = _place(mark, scales, size)
            before = owner.setdefault((column, row), _glyph(figure, look))
            grid[row][column] = before if before == _glyph(figure, look) else SHARED
            beyond += [(mark, column, row)] if mark.text else []
    for mark, column, row in beyond:
        _write_beside(grid[row], column, mark.text)
    return grid


def _place(mark: Mark, scales: tuple[Scale, Scale], size: tuple[int, int]) -> tuple[int, int]:
    """Column and row of a mark."""
    return _cell(scales[0].place(mark.x), size[0]), _cell(1 - scales[1].place(mark.y), size[1])


def _dot(grid: list[list[str]], cells: Iterator[tuple[int, int]]) -> None:
    for column, row in cells:
        grid[row][column] = "·" if grid[row][column] == " " else grid[row][column]


def _joined(cells: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The cells between each pair of neighbours in `cells`."""
    for (left, upper), (right, lower) in pairwise(cells):
        steps = max(abs(right - left), abs(lower - upper))
        for at in range(1, steps):
            yield round(left + (right - left) * at / steps), round(upper + (lower - upper) * at / steps)


def _crossed(series: Series, scales: tuple[Scale, Scale], size: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """The cells that a reference line crosses; what lies outside the plot is left out."""
    places = [(scales[0].place(x), 1 - scales[1].place(y)) for x, y in zip(series.x, series.y, strict=True)]
    for (left, upper), (right, lower) in pairwise(places):
        steps = STEPS * sum(size)
        for at in range(steps + 1):
            across, down = left + (right - left) * at / steps, upper + (lower - upper) * at / steps
            if 0 <= across < 1 and 0 <= down < 1:
                yield int(across * size[0]), int(down * size[1])


def _write_beside(cells: list[str], column: int, text: str) -> None:
    """`text` right of a mark, else left of it; only the arrow, or nothing, where there is no room before the next."""
    right = next((at for at in range(column + 1, len(cells)) if cells[at] not in FREE), len(cells))
    left = next((at + 1 for at in range(column - 1, -1, -1) if cells[at] not in FREE), 0)
    for words in (text, text[-1] if text.endswith("→") else text[0]):
        starts = [*range(column + 1, right - len(words) + 1), *range(column - len(words), left - 1, -1)]
        for start in starts:
            if BAR not in cells[start : start + len(words)]:
                cells[start : start + len(words)] = words
                return


def _glyph(figure: Figure, look: int) -> str:
    """The character of a look. Raises RequestError if there are more than characters."""
    if look >= len(GLYPHS):
        raise RequestError(
            f"figure {figure.name} has more series than the {len(GLYPHS)} that a terminal shows",
            remedy=f"--figure {figure.name} -o {figure.name}.svg",
        )
    return GLYPHS[look]


def _centred(label: str, margin: int, columns: int) -> str:
    return " " * (margin + 2 + max((columns - len(label)) // 2, 0)) + label


def _legend(figure: Figure, panels: Sequence[Panel], width: int, shared: bool) -> list[str]:
    entries = dict[str, str]()
    for series, look in (pair for panel in panels for pair in panel.series):
        glyph = _glyph(figure, look) if look >= 0 else BAR if series.style == "ticks" else "·"
        label = f"{series.label} (open)" if series.style == "open" else series.label
        entries.setdefault(f"{look} {series.label}", f"{glyph} {label}")
    listed = [entry for entry in entries.values() if len(entry) > 2]
    listed += [f"{SHARED} several of these"] if shared else []
    lines = [""]
    for entry in listed:
        wider = f"{lines[-1]}   {entry}" if lines[-1] else entry
        if len(wider) > width and lines[-1]:
            lines.append(entry)
        else:
            lines[-1] = wider
    return lines


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False) or [""]
