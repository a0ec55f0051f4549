"""Figures -> what the template shows of each: its panels with specifications, its keys, the numbers behind it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from markupsafe import Markup

from harness.errors import RequestError
from harness.foreign import html_text, one_line, visible
from harness.output.html.charts import PERCENT, Names, panel_spec
from harness.output.html.heat import Shades, map_spec
from harness.output.html.looks import Group, Looks, labels_of
from harness.output.scales import Panel, with_texts
from harness.records import Figure, HeatMap

Spec = dict[str, Any]
UNCUT: Final = 1_000
"""Most characters of the name of a row or column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelView:
    """One panel: its title, what it shows in words, its specification."""

    title: str
    label: str
    spec: Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureView:
    """One figure as the template shows it.

    Attributes:
        problem: why it cannot be drawn; it then has no panels.
        wide: it takes the whole width of the page.
        groups: of its points. keys: ``line`` or ``bar``, and what it stands for.
        numbers: a table of all its points or cells.
    """

    figure: Figure
    panels: tuple[PanelView, ...]
    problem: str
    wide: bool
    groups: tuple[Group, ...]
    keys: tuple[tuple[str, str], ...]
    shades: Shades | None
    numbers: Markup


def readable(figure: Figure) -> Figure:
    """`figure` with texts that can be shown, none of them cut."""
    figure = with_texts(figure, visible, UNCUT)
    series = tuple(replace(each, names=tuple(map(one_line, each.names))) for each in figure.series)
    return replace(figure, series=series)


def figure_view(figure: Figure, panels: Sequence[Panel], looks: Looks, names: Names) -> FigureView:
    """How `figure` is shown; one that cannot be drawn says why in its place."""
    shades: Shades | None = None
    views: tuple[PanelView, ...] = ()
    problem = ""
    try:
        _check(figure)
        if figure.maps:
            shades = Shades.of(figure)
            views = tuple(_map_view(figure, each, shades) for each in figure.maps)
        else:
            views = tuple(_panel_view(figure, panel, looks, names) for panel in panels)
            problem = "" if views else "it has no points"
    except RequestError as error:
        views, problem = (), str(error.reason)
    return FigureView(
        figure=figure,
        panels=views,
        problem=problem,
        wide=len(views) > 1 or bool(figure.maps or figure.y_ticks),
        groups=tuple(looks.groups[label] for label in labels_of(figure)),
        keys=tuple(_keys(figure)),
        shades=shades,
        numbers=Markup("" if problem else "".join(_map_rows(figure) if figure.maps else _rows(figure))),
    )


def _check(figure: Figure) -> None:
    """Raises RequestError for points that are no numbers, or of which there are more than of their names."""
    for series in figure.series:
        if len({len(series.x), len(series.y), len(series.names) or len(series.x)}) > 1:
            raise RequestError("its points have other numbers of x, y and names")
        if not all(map(math.isfinite, (*series.x, *series.y))):
            raise RequestError("it has values that are no numbers")


def _panel_view(figure: Figure, panel: Panel, looks: Looks, names: Names) -> PanelView:
    count = sum(len(series.x) for series in panel.all if series.style != "reference")
    groups = len({series.label for series in panel.all if series.style in ("points", "open")})
    what = f"{figure.y_label} against {figure.x_label}" if figure.y_label and figure.x_label else figure.title
    label = f"{panel.title or figure.title}. {what}: {count} points in {groups} groups; the numbers are below."
    return PanelView(title=panel.title, label=label, spec=panel_spec(figure, panel, looks, names))


def _map_view(figure: Figure, each: HeatMap, shades: Shades) -> PanelView:
    size = f"{len(each.rows)} rows and {len(each.columns)} columns"
    label = f"{each.title or figure.title}. Heat map of {size}, {figure.map_label}; the numbers are below."
    return PanelView(title=each.title, label=label, spec=map_spec(figure, each, shades))


def _keys(figure: Figure) -> Iterator[tuple[str, str]]:
    """What is no group and has a name: lines of reference and bars."""
    styles = {"reference": "line", "ticks": "bar"}
    keys = [(styles[series.style], series.label) for series in figure.series if series.style in styles]
    yield from dict.fromkeys(key for key in keys if key[1])


# --- the numbers ------------------------------------------------------------------------------


def _rows(figure: Figure) -> Iterator[str]:
    """Every point of a figure: panel, name, group and both numbers, without the columns that say nothing."""
    series = [each for each in figure.series if each.style != "reference"]
    named, panels = any(each.names for each in series), len({each.panel for each in series}) > 1
    labels = any(each.label for each in series)
    columns = ["panel"] * panels + ["name"] * named + ["group"] * labels
    times = PERCENT if figure.probit else 1
    yield _head([*columns, figure.x_label or "x", figure.y_label or ("row" if figure.y_ticks else "y")])
    for each in series:
        for at, (x, y) in enumerate(zip(each.x, each.y, strict=True)):
            texts = [each.panel] * panels + [each.names[at] if each.names else ""] * named + [each.label] * labels
            yield _line([*texts, _number(times * x), _row_name(figure, y) or _number(times * y)])
    yield "</tbody>"


def _row_name(figure: Figure, y: float) -> str:
    """The named row that is nearest; empty where rows have no names."""
    return min(figure.y_ticks, key=lambda tick: abs(tick[0] - y))[1] if figure.y_ticks else ""


def _map_rows(figure: Figure) -> Iterator[str]:
    """Every number of the maps, a row for each of theirs; all maps of one figure stand in one table."""
    several = len(figure.maps) > 1
    for at, each in enumerate(figure.maps):
        yield _head([*["map"] * several, figure.y_label or "row", *each.columns]) if at == 0 else "<tbody>"
        if at and each.columns != figure.maps[0].columns:
            yield _line(["", *each.columns])
        for name, values in zip(each.rows, each.values, strict=True):
            yield _line([*[each.title] * several, name, *("–" if one is None else _number(one) for one in values)])
        yield "</tbody>"


def _head(texts: Sequence[str]) -> str:
    cells = "".join(f'<th scope="col">{html_text(text)}' for text in texts)
    return f"<thead><tr>{cells}</thead>\n<tbody>\n"


def _line(texts: Sequence[str]) -> str:
    first, *others = map(html_text, texts)
    return f'<tr><th scope="row">{first}{"".join(f"<td>{text}" for text in others)}\n'


def _number(value: float) -> str:
    return f"{value:.6g}"
