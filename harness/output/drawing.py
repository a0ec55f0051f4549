"""Draws figures as SVG, PNG or PDF with matplotlib. Independent of what they mean.

Every series has its own colour *and* marker, so no meaning depends on colour alone. The same figure gives the same
bytes, whatever the user's matplotlib settings are.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import RequestError
from harness.foreign import drawn, one_line
from harness.output.files import write_file
from harness.output.folders import file_names
from harness.output.heat_maps import maps_canvas
from harness.output.scales import Mark, Panel, Scale, marks_of, panels_of, shortened, with_texts
from harness.output.sheets import GREY, SCREEN, Sheet, furnish
from harness.output.tables import abbreviated
from harness.records import Figure, Series

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure as Canvas

SUFFIXES = (".svg", ".png", ".pdf")
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#7F7F7F", "#56B4E9", "#000000")
"""Colour-blind-safe (Okabe & Ito 2008), without its yellow, which is too pale for points on white.

Black comes last: the user's own model, which follows the seven groups of the study, must not be the palest."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">", "h")
"""Eleven, so that with eight colours there are 88 different pairs."""
AREAS = {"P": 64, "X": 64, "*": 130}
"""Areas in square points for markers that look smaller than the others at the same nominal size."""
SMALL = 0.5
"""Areas in one of several panels, or on named rows, relative to those of a figure alone."""
PAD = 0.05
"""What an axis extends beyond its points, as a fraction of their range; the default of matplotlib."""
EXTRA = "pip install 'bias-harness[figures]'"


def write(figure: Figure, path: Path, width: float | None = None) -> None:
    """Draw `figure` into a file, SVG, PNG or PDF by its suffix.

    Args:
        width: inches. None: by its panels.

    Raises:
        RequestError: another suffix, a figure without drawable points, matplotlib is not installed, or `path` cannot
            be written.
    """
    if path.suffix.lower() not in SUFFIXES:
        expected = f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
        raise RequestError(f"cannot draw {path.name}: expected a name that ends in {expected}", remedy="-o FILE.svg")
    write_file(path, to_image(figure, path.suffix.lower().removeprefix("."), width))


def to_files(figures: Sequence[Figure], kind: str, width: float | None = None) -> tuple[dict[str, bytes], list[str]]:
    """Each figure as a picture by the name of its file, and why others cannot be drawn.

    Raises:
        RequestError: none of them can be drawn, or matplotlib is not installed.
    """
    files, refusals = dict[str, bytes](), []
    for figure, name in zip(figures, file_names([figure.name for figure in figures], f".{kind}"), strict=True):
        try:
            files[name] = to_image(figure, kind, width)
        except RequestError as error:
            refusals.append(error)
    if refusals and not files:
        raise refusals[0]
    return files, [str(error) for error in refusals]


def to_image(figure: Figure, kind: str, width: float | None = None) -> bytes:
    """The figure as ``svg``, ``png`` or ``pdf``; equal figures give equal bytes.

    Args:
        width: inches. None: by its panels.

    Raises:
        RequestError: matplotlib is not installed, or the figure has no drawable points.
    """
    sheet = Sheet.of(width)
    with settings_for(kind, sheet):
        canvas = to_canvas(figure, sheet)
        content = io.BytesIO()
        canvas.savefig(content, format=kind, dpi=sheet.dpi, metadata=dict(_METADATA[kind]))
    return content.getvalue()


@contextmanager
def settings_for(kind: str, sheet: Sheet) -> Iterator[None]:
    """The same settings for everybody. Raises RequestError without matplotlib."""
    try:
        import matplotlib
    except ImportError as error:
        raise RequestError(f"drawing {kind.upper()} needs matplotlib, which is not installed", remedy=EXTRA) from error
    defaults: dict[str, Any] = {
        name: value for name, value in matplotlib.rcParamsDefault.items() if not name.startswith("backend")
    }
    settings: Any = {**defaults, **_STYLE, **sheet.settings}
    with matplotlib.rc_context(settings):
        yield


_METADATA: Mapping[str, Mapping[str, None]] = {
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""What differs from day to day, or from one version of matplotlib to the next."""
_STYLE: Mapping[str, Any] = {
    "svg.hashsalt": "bias-harness",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.titlelocation": "left",
}


def to_canvas(figure: Figure, sheet: Sheet = SCREEN) -> Canvas:
    """The figure as one of matplotlib: one pair of axes for each panel, in order."""
    from matplotlib.figure import Figure as Canvas

    figure = _fitting(figure, sheet)
    if figure.maps:
        return maps_canvas(with_texts(figure, drawn), sheet)
    panels = panels_of(with_texts(figure, drawn))
    scales = [(Scale.of(figure, panel.all, "x", PAD), Scale.of(figure, panel.all, "y", PAD)) for panel in panels]
    figure = with_texts(figure, drawn)
    columns = sheet.columns(len(panels), least=3 if figure.y_ticks else 1.5)
    rows = -(-len(panels) // columns)
    lines = scales[0][1].last - scales[0][1].first if figure.y_ticks else None
    width, height = sheet.size(rows, columns, lines)
    canvas = Canvas(figsize=(width, height), layout="constrained")
    handles: dict[tuple[int, str], Artist] = {}
    for at, (panel, sides) in enumerate(zip(panels, scales, strict=True)):
        axes = canvas.add_subplot(rows, columns, at + 1)
        if panel.title:
            axes.set_title(sheet.panel_title(panel.title, columns), fontsize=sheet.panel)
        _draw(figure, panel, sides, axes, handles, sheet)
        if at + columns >= len(panels):
            axes.set_xlabel(sheet.axis_label(figure.x_label, (0.65 if figure.y_ticks else 1) * width / columns))
        if at % columns == 0:
            axes.set_ylabel(sheet.axis_label(figure.y_label, height / rows))
    furnish(figure, canvas, sheet, handles)
    return canvas


def _fitting(figure: Figure, sheet: Sheet) -> Figure:
    """`figure` with names of rows that leave room for the points."""
    if sheet.width is None or not figure.y_ticks:
        return figure
    names = abbreviated([one_line(name) for _, name in figure.y_ticks], sheet.name_letters)
    return replace(figure, y_ticks=tuple((at, name) for (at, _), name in zip(figure.y_ticks, names, strict=True)))


def _draw(
    figure: Figure,
    panel: Panel,
    scales: tuple[Scale, Scale],
    axes: Axes,
    handles: dict[tuple[int, str], Artist],
    sheet: Sheet,
) -> None:
    """One panel; the first artist of each look is added to `handles`, for the legend."""
    small = sheet.marks * (SMALL if panel.title or figure.y_ticks else 1.0)
    for side, scale in zip(("x", "y"), scales, strict=True):
        _scale_axis(figure, axes, side, scale)
    for series, look in panel.series:
        artist = _drawn_series(figure, series, look, axes, small, sheet)
        if series.label:
            handles.setdefault((look, series.label), artist)


def _scale_axis(figure: Figure, axes: Axes, side: str, scale: Scale) -> None:
    """Limits, scale and ticks of one axis; the ticks of plain axes are those of matplotlib."""
    axis = axes.xaxis if side == "x" else axes.yaxis
    if scale.kind == "log":
        axes.set_xscale("log")
        _round_ticks(axis, scale)
    elif scale.kind == "probit":
        (axes.set_xscale if side == "x" else axes.set_yscale)("function", functions=_of_arrays(scale))
    (axes.set_xlim if side == "x" else axes.set_ylim)(scale.back(scale.first), scale.back(scale.last))
    if scale.kind == "probit":
        ticks = scale.ticks(5)
        axis.set_ticks(ticks, labels=[scale.label(tick) for tick in ticks])
    elif side == "y" and figure.y_ticks:
        axis.set_ticks([place for place, _ in figure.y_ticks], labels=[shortened(name) for _, name in figure.y_ticks])
        axis.set_tick_params(length=0)


def _round_ticks(axis: Axis, scale: Scale) -> None:
    """1, 2, 5, 10, … on a logarithmic axis of few decades, where names of all numbers between would cover another."""
    low, high = scale.first, scale.last
    decades = range(math.floor(low), math.ceil(high) + 1)
    ticks = [
        step * 10.0**decade for decade in decades for step in (1, 2, 5) if low <= math.log10(step) + decade <= high
    ]
    if 2 <= len(ticks) <= 7:
        axis.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])
        axis.set_ticks([], minor=True)


def _of_arrays(scale: Scale) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """To a probit scale and back, for arrays; values that have no place on it are put at its far ends."""
    forward, back = np.vectorize(scale.forward, otypes=[float]), np.vectorize(scale.back, otypes=[float])
    return lambda values: forward(np.clip(values, 1e-12, 1 - 1e-12)), back


def _drawn_series(figure: Figure, series: Series, look: int, axes: Axes, small: float, sheet: Sheet) -> Artist:
    """Draw one series; gives what stands for it in the legend."""
    marks = list(marks_of(figure, series))
    x, y = [mark.x for mark in marks], [mark.y for mark in marks]
    if series.style == "reference":
        return axes.plot(series.x, series.y, color="#999999", linewidth=1.0, zorder=1.5)[0]
    if series.style == "ticks":
        return axes.scatter(x, y, marker="|", s=90, color=GREY, linewidths=1.4, zorder=1.8)
    colour, marker = COLOURS[look % len(COLOURS)], MARKERS[look % len(MARKERS)]
    for mark in marks:
        if mark.text:
            _write_beside(mark, colour, axes)
    if series.line:
        return axes.plot(x, y, markersize=5 * sheet.marks**0.5, linewidth=sheet.stroke, color=colour, marker=marker)[0]
    return axes.scatter(
        x,
        y,
        s=AREAS.get(marker, 40) * small,
        marker=marker,
        linewidths=1.0 if series.style == "open" else 0.5,
        facecolors="white" if series.style == "open" else colour,
        edgecolors=colour if series.style == "open" else "white",
        zorder=2 + 1 / max(len(x), 1),  # a few points are not hidden by many
    )


def _write_beside(mark: Mark, colour: str, axes: Axes) -> None:
    """Arrow and number of a point beyond a limit."""
    left = mark.arrow == "→"
    axes.annotate(
        mark.text,
        (mark.x, mark.y),
        xytext=(-6 if left else 6, 0),
        textcoords="offset points",
        ha="right" if left else "left",
        va="center",
        fontsize=7,
        color=colour,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
    )
