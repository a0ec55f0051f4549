"""Draws figures as SVG or PNG with matplotlib. Independent of what they mean.

Every series has its own colour *and* marker, so no meaning depends on colour alone. The same figure gives the same
bytes, whatever the user's matplotlib settings are.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import RequestError
from harness.foreign import drawn
from harness.output.files import write_file
from harness.output.heat_maps import maps_canvas
from harness.output.scales import Mark, Panel, Scale, marks_of, panels_of, shortened, with_texts
from harness.records import Figure, Series

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

SUFFIXES = (".svg", ".png")
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#7F7F7F", "#56B4E9", "#000000")
"""Colour-blind-safe (Okabe & Ito 2008), without its yellow, which is too pale for points on white.

Black comes last: the user's own model, which follows the seven groups of the study, must not be the palest."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">", "h")
"""Eleven, so that with eight colours there are 88 different pairs."""
AREAS = {"P": 64, "X": 64, "*": 130}
"""Areas in square points for markers that look smaller than the others at the same nominal size."""
SMALL = 0.5
"""Areas in one of several panels, or on named rows, relative to those of a figure alone."""
GREY = "#555555"
PAD = 0.05
"""What an axis extends beyond its points, as a fraction of their range; the default of matplotlib."""
WIDTH, HIGHEST = 7.6, 40.0
"""Of a picture of up to two columns of panels, and most of any picture, in inches."""
LINE = 0.14
"""Height of one of the lines of named rows, in inches."""
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


def to_image(figure: Figure, kind: str) -> bytes:
    """The figure as ``svg`` or ``png``; equal figures give equal bytes. Raises RequestError without matplotlib."""
    with _settings(kind):
        canvas = to_canvas(figure)
        content = io.BytesIO()
        metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
        canvas.savefig(content, format=kind, dpi=160, metadata=metadata)
    return content.getvalue()


@contextmanager
def _settings(kind: str) -> Iterator[None]:
    """The same settings for everybody. Raises RequestError without matplotlib."""
    try:
        import matplotlib
    except ImportError as error:
        raise RequestError(f"drawing {kind.upper()} needs matplotlib, which is not installed", remedy=EXTRA) from error
    defaults: dict[str, Any] = {
        name: value for name, value in matplotlib.rcParamsDefault.items() if not name.startswith("backend")
    }
    settings: Any = {**defaults, **_STYLE}
    with matplotlib.rc_context(settings):
        yield


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


def to_canvas(figure: Figure) -> Canvas:
    """The figure as one of matplotlib: one pair of axes for each panel, in order."""
    from matplotlib.figure import Figure as Canvas

    if figure.maps:
        return maps_canvas(with_texts(figure, drawn))
    panels = panels_of(with_texts(figure, drawn))
    scales = [(Scale.of(figure, panel.all, "x", PAD), Scale.of(figure, panel.all, "y", PAD)) for panel in panels]
    figure = with_texts(figure, drawn)
    columns = next((most for most in (1, 2, 3) if len(panels) <= most * most), 4)
    rows = -(-len(panels) // columns)
    canvas = Canvas(figsize=_size(rows, columns, scales[0][1] if figure.y_ticks else None), layout="constrained")
    handles: dict[tuple[int, str], Artist] = {}
    for at, (panel, sides) in enumerate(zip(panels, scales, strict=True)):
        axes = canvas.add_subplot(rows, columns, at + 1)
        _draw(figure, panel, sides, axes, handles)
        if at + columns >= len(panels):
            axes.set_xlabel(figure.x_label)
        if at % columns == 0:
            axes.set_ylabel(figure.y_label)
    _write(figure, canvas, handles)
    return canvas


def _size(rows: int, columns: int, named: Scale | None) -> tuple[float, float]:
    """Width and height in inches, for so many rows and columns of panels; `named`: the scale of named rows."""
    width = WIDTH + 2.6 * max(columns - 2, 0)
    if named:
        return width, min(1.6 + LINE * (named.last - named.first), HIGHEST)
    return width, 4.6 if rows == 1 else min(1.2 + 2.4 * rows, HIGHEST)


def _write(figure: Figure, canvas: Canvas, handles: Mapping[tuple[int, str], Artist]) -> None:
    """Title, legend and note around the axes."""
    title = "\n".join(_title_lines(figure.title, 62))
    if len(canvas.axes) == 1 and not figure.y_ticks:
        canvas.axes[0].set_title(title)
    else:
        canvas.suptitle(title, fontsize=11, x=0.02, ha="left")
    note = "\n".join(wrapped for line in figure.note.splitlines() for wrapped in textwrap.wrap(line, 90))
    if note:
        canvas.supxlabel(note, fontsize=8, color=GREY, x=0.02, ha="left")
    # loc="outside …" makes room for it, so that it never covers a point.
    labels = [label for _, label in handles]
    canvas.legend(list(handles.values()), labels, loc="outside right upper", frameon=False, handletextpad=0.4)


def _title_lines(title: str, width: int) -> list[str]:
    """The title, broken at its colon if it is too long for one line."""
    head, colon, tail = title.partition(": ")
    parts = [f"{head}:", tail] if colon and len(title) > width else [title]
    return [line for part in parts for line in textwrap.wrap(part, width, break_on_hyphens=False) or [""]]


def _draw(
    figure: Figure, panel: Panel, scales: tuple[Scale, Scale], axes: Axes, handles: dict[tuple[int, str], Artist]
) -> None:
    """One panel; the first artist of each look is added to `handles`, for the legend."""
    small = SMALL if panel.title or figure.y_ticks else 1.0
    if panel.title:
        axes.set_title("\n".join(textwrap.wrap(panel.title, 40)), fontsize=9)
    for side, scale in zip(("x", "y"), scales, strict=True):
        _scale_axis(figure, axes, side, scale)
    for series, look in panel.series:
        artist = _drawn_series(figure, series, look, axes, small)
        if series.label:
            handles.setdefault((look, series.label), artist)


def _scale_axis(figure: Figure, axes: Axes, side: str, scale: Scale) -> None:
    """Limits, scale and ticks of one axis; the ticks of plain axes are those of matplotlib."""
    axis = axes.xaxis if side == "x" else axes.yaxis
    if scale.kind == "log":
        axes.set_xscale("log")
    elif scale.kind == "probit":
        (axes.set_xscale if side == "x" else axes.set_yscale)("function", functions=_of_arrays(scale))
    (axes.set_xlim if side == "x" else axes.set_ylim)(scale.back(scale.first), scale.back(scale.last))
    if scale.kind == "probit":
        ticks = scale.ticks(5)
        axis.set_ticks(ticks, labels=[scale.label(tick) for tick in ticks])
    elif side == "y" and figure.y_ticks:
        axis.set_ticks([place for place, _ in figure.y_ticks], labels=[shortened(name) for _, name in figure.y_ticks])
        axis.set_tick_params(length=0)


def _of_arrays(scale: Scale) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """To a probit scale and back, for arrays; values that have no place on it are put at its far ends."""
    forward, back = np.vectorize(scale.forward, otypes=[float]), np.vectorize(scale.back, otypes=[float])
    return lambda values: forward(np.clip(values, 1e-12, 1 - 1e-12)), back


def _drawn_series(figure: Figure, series: Series, look: int, axes: Axes, small: float) -> Artist:
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
        return axes.plot(x, y, markersize=5, linewidth=1.4, color=colour, marker=marker)[0]
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
