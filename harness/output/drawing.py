"""Draws figures: as text for a terminal, as SVG or PNG with matplotlib. Independent of what they mean.

Every series has its own colour *and* marker, so no meaning depends on colour alone. The same figure gives the same
bytes, whatever the user's matplotlib settings are.
"""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import RequestError
from harness.foreign import drawn, one_line, visible
from harness.output.files import write_file
from harness.records import Figure, Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SUFFIXES = (".svg", ".png")
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#7F7F7F", "#56B4E9", "#000000")
"""Colour-blind-safe (Okabe & Ito 2008), without its yellow, which is too pale for points on white.

Black comes last: the user's own model, which follows the seven groups of the study, must not be the palest."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">", "h")
"""Eleven, so that with eight colours there are 88 different pairs."""
AREAS = {"P": 64, "X": 64, "*": 130}
"""Areas in square points for markers that look smaller than the others at the same nominal size."""
GLYPHS = "ox+*#%&=ABCDEFGHIJKLMNPQRSTUVWYZ"
SHARED = "@"
"""Shown in a terminal where points of several series share one character cell."""
ROWS = 20
EXTRA = "pip install 'bias-harness[figures]'"


def write(figure: Figure, path: Path) -> None:
    """Draw `figure` into a file, SVG or PNG by its suffix.

    Raises:
        RequestError: another suffix, a figure without drawable points, matplotlib is not installed, or `path` cannot
            be written.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise RequestError(f"cannot draw {path.name}: expected a name that ends in .svg or .png", remedy="-o FILE.svg")
    content = to_image(figure, path.suffix.lower().removeprefix("."))
    write_file(path, content)


# --- text -------------------------------------------------------------------------------------


def to_text(figure: Figure, width: int = 80) -> str:
    """The figure in plain characters, at most `width` wide and 20 rows of plot high; ends in a newline."""
    x, y = _Scale.of(figure, "x", figure.log_x), _Scale.of(figure, "y", False)
    labels = {row: y.label(value) for value in y.ticks(5) for row in [_cell(1 - y.place(value), ROWS)]}
    margin = max(map(len, labels.values()))
    columns = max(width - margin - 3, 20)
    grid = _grid(figure, x, y, columns)
    figure = _with_texts(figure, one_line)
    lines = [*_wrapped(figure.title, width), "", figure.y_label]
    for row, cells in enumerate(grid):
        lines.append(f"{labels.get(row, ''):>{margin}} {'┤' if row in labels else '│'}{''.join(cells).rstrip()}")
    marks = {_cell(x.place(value), columns): x.label(value) for value in x.ticks(6)}
    lines.append(" " * (margin + 1) + "└" + "".join("┬" if at in marks else "─" for at in range(columns)))
    lines.append(" " * (margin + 2) + _labels_below(marks, columns))
    lines.append(_centred(figure.x_label, margin, columns))
    lines += ["", *_legend(figure, width, any(SHARED in cells for cells in grid))]
    for line in figure.note.splitlines():
        lines += _wrapped(line, width)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _with_texts(figure: Figure, shown: Callable[[str], str]) -> Figure:
    """`figure` with `shown` of each text; only its note has several lines."""
    return replace(
        figure,
        title=shown(one_line(figure.title)),
        x_label=shown(one_line(figure.x_label)),
        y_label=shown(one_line(figure.y_label)),
        series=tuple(replace(series, label=shown(one_line(series.label))) for series in figure.series),
        note="\n".join(map(shown, visible(figure.note).splitlines())),
    )


class _Scale:
    """One axis: maps values to positions between 0 and 1."""

    def __init__(self, low: float, high: float, log: bool) -> None:
        self.log = log
        first, last = (math.log10(low), math.log10(high)) if log else (low, high)
        pad = (last - first) * 0.03 or abs(first) * 0.1 or 1.0
        self.first, self.last = first - pad, last + pad

    @classmethod
    def of(cls, figure: Figure, side: str, log: bool) -> _Scale:
        """The scale that shows every point of `figure`. Raises RequestError if there are no points."""
        values = [value for series in figure.series for value in getattr(series, side)]
        if not values or (log and min(values) <= 0):
            problem = "it has no points" if not values else "its logarithmic axis has values of 0 or less"
            raise RequestError(f"figure {figure.name} cannot be drawn: {problem}", remedy="--figure list")
        return cls(min(values), max(values), log)

    def place(self, value: float) -> float:
        """From 0 at the lower end to 1."""
        return ((math.log10(value) if self.log else value) - self.first) / (self.last - self.first)

    def ticks(self, most: int) -> list[float]:
        """About `most` round numbers on the scale."""
        step = _round_step((self.last - self.first) / most)
        numbers = range(math.ceil(self.first / step), math.floor(self.last / step) + 1)
        return [10 ** (at * step) if self.log else at * step for at in numbers]

    def label(self, value: float) -> str:
        """`value` with as many decimals as the tick spacing requires."""
        if self.log:
            return f"{value:.2g}"
        decimals = max(0, -math.floor(math.log10(_round_step((self.last - self.first) / 5)) + 1e-9))
        return f"{value + 0.0:.{decimals}f}" if decimals < 7 else f"{value:.1e}"


def _round_step(step: float) -> float:
    """1, 2 or 5 times a power of ten, not smaller than `step`."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * (1 - 1e-9))


def _cell(place: float, cells: int) -> int:
    return min(cells - 1, max(0, int(place * cells)))


def _grid(figure: Figure, x: _Scale, y: _Scale, columns: int) -> list[list[str]]:
    grid = [[" "] * columns for _ in range(ROWS)]
    for series in figure.series:
        if series.line:
            for column, row in _joined(_cells(series, x, y, columns)):
                grid[row][column] = "·" if grid[row][column] == " " else grid[row][column]
    owner: dict[tuple[int, int], str] = {}
    for series, glyph in zip(figure.series, _glyphs(figure), strict=True):
        for column, row in _cells(series, x, y, columns):
            before = owner.setdefault((column, row), glyph)
            grid[row][column] = glyph if before == glyph else SHARED
    return grid


def _cells(series: Series, x: _Scale, y: _Scale, columns: int) -> list[tuple[int, int]]:
    pairs = zip(series.x, series.y, strict=True)
    return [(_cell(x.place(first), columns), _cell(1 - y.place(second), ROWS)) for first, second in pairs]


def _joined(cells: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The cells between each pair of neighbours in `cells`."""
    for (left, upper), (right, lower) in pairwise(cells):
        steps = max(abs(right - left), abs(lower - upper))
        for at in range(1, steps):
            yield round(left + (right - left) * at / steps), round(upper + (lower - upper) * at / steps)


def _glyphs(figure: Figure) -> list[str]:
    """One character per series. Raises RequestError if there are more series than characters."""
    if len(figure.series) > len(GLYPHS):
        raise RequestError(
            f"figure {figure.name} has {len(figure.series)} series, and a terminal shows {len(GLYPHS)}",
            remedy=f"--figure {figure.name} -o {figure.name}.svg",
        )
    return list(GLYPHS[: len(figure.series)])


def _labels_below(marks: Mapping[int, str], columns: int) -> str:
    """Each label below its mark, omitted where two would touch."""
    line = ""
    for at, label in sorted(marks.items()):
        start = min(max(at - len(label) // 2, 0), columns - len(label))
        if not line or start > len(line):
            line = line.ljust(start) + label
    return line


def _centred(label: str, margin: int, columns: int) -> str:
    return " " * (margin + 2 + max((columns - len(label)) // 2, 0)) + label


def _legend(figure: Figure, width: int, shared: bool) -> list[str]:
    entries = [f"{glyph} {series.label}" for glyph, series in zip(_glyphs(figure), figure.series, strict=True)]
    entries += [f"{SHARED} several of these"] if shared else []
    lines = [""]
    for entry in entries:
        wider = f"{lines[-1]}   {entry}" if lines[-1] else entry
        if len(wider) > width and lines[-1]:
            lines.append(entry)
        else:
            lines[-1] = wider
    return lines


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False) or [""]


# --- images -----------------------------------------------------------------------------------


def to_image(figure: Figure, kind: str) -> bytes:
    """The figure as ``svg`` or ``png``; equal figures give equal bytes. Raises RequestError without matplotlib."""
    _Scale.of(figure, "x", figure.log_x)
    figure = _with_texts(figure, drawn)
    try:
        import matplotlib
        from matplotlib.figure import Figure as Canvas
    except ImportError as error:
        raise RequestError(f"drawing {kind.upper()} needs matplotlib, which is not installed", remedy=EXTRA) from error

    defaults: dict[str, Any] = {
        name: value for name, value in matplotlib.rcParamsDefault.items() if not name.startswith("backend")
    }
    settings: Any = {**defaults, **_STYLE}
    with matplotlib.rc_context(settings):
        canvas = Canvas(figsize=(7.6, 4.6), layout="constrained")
        axes = canvas.add_subplot()
        _draw(figure, axes)
        # loc="outside …" makes room for it, so that it never covers a point.
        canvas.legend(loc="outside right upper", frameon=False, handletextpad=0.4)
        content = io.BytesIO()
        metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
        canvas.savefig(content, format=kind, dpi=160, metadata=metadata)
    return content.getvalue()


_STYLE: Mapping[str, Any] = {
    "svg.hashsalt": "bias-harness",
    "svg.fonttype": "none",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
}


def _title_lines(title: str, width: int) -> list[str]:
    """The title, broken at its colon if it is too long for one line."""
    head, colon, tail = title.partition(": ")
    parts = [f"{head}:", tail] if colon and len(title) > width else [title]
    return [line for part in parts for line in _wrapped(part, width)]


def _draw(figure: Figure, axes: Axes) -> None:
    for at, series in enumerate(figure.series):
        colour, marker = COLOURS[at % len(COLOURS)], MARKERS[at % len(MARKERS)]
        look: dict[str, Any] = {"color": colour, "marker": marker, "label": series.label}
        if series.line:
            axes.plot(series.x, series.y, markersize=5, linewidth=1.4, **look)
        else:
            look["zorder"] = 2 + 1 / max(len(series.x), 1)  # a few points are not hidden by many
            axes.scatter(series.x, series.y, s=AREAS.get(marker, 40), linewidths=0.5, edgecolors="white", **look)
    if figure.log_x:
        axes.set_xscale("log")
    axes.set_title("\n".join(_title_lines(figure.title, 62)))
    note = "\n".join(wrapped for line in figure.note.splitlines() for wrapped in textwrap.wrap(line, 90))
    axes.set_xlabel(figure.x_label)
    axes.set_ylabel(figure.y_label)
    if note:
        axes.figure.supxlabel(note, fontsize=8, color="#555555", x=0.02, ha="left")
