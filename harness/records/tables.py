"""Tables, figures and pages as data; `harness.output` turns them into text and files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class TableCell:
    """One table cell: `text` as shown, `value` as written to CSV (default: the text), `style` a rich style."""

    text: str
    value: float | int | str | None = None
    style: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Points of one colour in a figure: a group of models, or one model's curve.

    Attributes:
        label: for the legend. x, y: one number per point. names: one per point, or empty. line: points are joined.
        style: ``open`` marks are not filled; ``ticks`` are short grey bars across x, left out beyond a limit;
            ``reference`` is a grey line without marks, which is cut off where the points end, but kept in view if it is
            parallel to an axis.
        panel: title of the panel that it belongs to. Series of one label look the same in every panel.
    """

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    names: tuple[str, ...] = ()
    line: bool = False
    style: Literal["points", "open", "ticks", "reference"] = "points"
    panel: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMap:
    """Numbers in rows and columns, shown as colours: one panel of a figure.

    Attributes:
        title: of the panel. rows, columns: their names, rows from the top.
        values: one tuple for each row, a number for each column; None where there is none.
    """

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure as data; the core draws it in the terminal, in a page, as SVG, PNG or PDF.

    Attributes:
        name: for ``--figure NAME`` and file names. note: shown below. log_x: logarithmic x axis.
        probit: both axes are fractions between 0 and 1, placed by the quantile of the normal distribution, shown in %.
        x_limits: a point beyond one of them is drawn there, with an arrow and its number; None: no limit.
        y_ticks: places on the y axis and their names, in the place of numbers; one unit is one line of text.
        maps: heat maps, drawn in the place of series and in one scale of colours. map_label: what their numbers are.
    """

    name: str
    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...] = ()
    note: str = ""
    log_x: bool = False
    probit: bool = False
    x_limits: tuple[float | None, float | None] = (None, None)
    y_ticks: tuple[tuple[float, str], ...] = ()
    maps: tuple[HeatMap, ...] = ()
    map_label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table that fits into 80 columns.

    Attributes:
        columns: the headings. keys: names of the columns in CSV, where they differ from the headings.
        note: shown below it.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[TableCell, ...], ...]
    note: str = ""
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture of a page.

    Attributes:
        png: the bytes of a PNG file, which the page carries in itself.
        caption: shown below it. alternative: what it shows, for who cannot see it. Default: the caption.
    """

    png: bytes
    caption: str
    alternative: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A part of the HTML file of a report, under one heading: text, then figures, pictures and tables.

    Attributes:
        title: its heading, and its entry in the list of contents. text: paragraphs.
        folded: shown as its heading alone until it is opened; print shows it whole.
    """

    title: str
    text: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()
    folded: bool = False
