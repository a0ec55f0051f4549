"""How large a picture and its parts are: as the panels ask for, or as wide as a column or page of a paper.

Text is never below 7 points in the width that was asked for. A legend never covers a point: beside the panels where
there is room, else below them.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from harness.errors import RequestError
from harness.output.tables import abbreviated
from harness.records import Figure

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure as Canvas

GREY: Final = "#555555"
HIGHEST: Final = 40.0
"""Most of any picture, in inches."""
WIDTHS: Final = {"column": 3.25, "page": 6.875}
"""Inches, of the papers of CVPR, ICCV and WACV (two columns)."""
NARROWEST, WIDEST = 2.0, 40.0
_EM: Final = 0.54
"""Mean width of a letter, as a part of the size of its font."""
_LEADING: Final = 1.25
"""From line to line, likewise."""
_MARGIN: Final = 0.03
"""Inches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """The sizes of a picture.

    Attributes:
        width: inches; None: by the number of panels.
        title, panel, small: points of its title, of those of panels, and of notes.
        title_letters, panel_letters, note_letters, name_letters: most of them in a line, and of a name of a row.
        marks: areas of marks, relative to those of a picture without a width. stroke: points of lines through points.
        line: height of one of the lines of named rows, in inches. dpi: of a PNG file.
    """

    width: float | None = None
    title: float = 11
    panel: float = 9
    small: float = 8
    title_letters: int = 62
    panel_letters: int = 40
    note_letters: int = 90
    name_letters: int = 40
    marks: float = 1.0
    stroke: float = 1.4
    line: float = 0.14
    dpi: int = 160

    @classmethod
    def of(cls, width: float | None) -> Sheet:
        """The sheet of a paper, so many inches wide; None: that of a screen."""
        if width is None:
            return SCREEN
        return cls(
            width=width,
            title=8,
            panel=7,
            small=7,
            title_letters=_letters(width, 8),
            panel_letters=_letters(width, 7),
            note_letters=_letters(width, 7),
            name_letters=_letters(0.42 * width, 7),
            marks=0.55,
            stroke=1.0,
            line=0.11,
            dpi=300,
        )

    @property
    def settings(self) -> Mapping[str, Any]:
        """Settings of matplotlib."""
        if self.width is None:
            return {"font.size": 10, "axes.titlesize": 11}
        sizes = dict.fromkeys(("xtick.labelsize", "ytick.labelsize", "legend.fontsize"), self.small)
        lines = {"axes.linewidth": 0.6, "grid.linewidth": 0.4, "xtick.major.width": 0.6, "ytick.major.width": 0.6}
        return {"font.size": self.title, "axes.titlesize": self.title, "axes.labelsize": self.title, **sizes, **lines}

    def columns(self, panels: int, *, least: float = 1.5) -> int:
        """Panels side by side: few where there are few, each at least `least` inches wide."""
        wanted = next((most for most in (1, 2, 3) if panels <= most * most), 4)
        return wanted if self.width is None else max(1, min(wanted, int(self.width / least)))

    def size(self, rows: int, columns: int, lines: float | None) -> tuple[float, float]:
        """Width and height in inches, for so many rows and columns of panels; `lines`: of named rows."""
        if self.width is None:
            width = 7.6 + 2.6 * max(columns - 2, 0)
            if lines is not None:
                return width, min(1.6 + self.line * lines, HIGHEST)
            return width, 4.6 if rows == 1 else min(1.2 + 2.4 * rows, HIGHEST)
        if lines is not None:
            return self.width, min(0.5 + self.line * lines, HIGHEST)
        high = 0.62 if columns == 1 else 0.75
        return self.width, min(rows * (0.45 + high * min(self.width / columns, 4.0)), HIGHEST)

    def panel_title(self, title: str, columns: int) -> str:
        """The title of one of so many panels side by side, on several lines."""
        letters = self.panel_letters
        if self.width is not None:
            letters = _letters(self.width / columns - 0.45, self.panel)
        return "\n".join(textwrap.wrap(title, letters))

    def axis_label(self, label: str, inches: float) -> str:
        """The label of an axis of so many inches, on several lines where the width of the picture is given."""
        return label if self.width is None else "\n".join(textwrap.wrap(label, _letters(inches - 0.5, self.title)))


SCREEN: Final = Sheet()


def width_of(text: str) -> float:
    """``column``, ``page`` or a number of inches. Raises RequestError for anything else."""
    try:
        width = WIDTHS[text] if text in WIDTHS else float(text)
    except ValueError:
        width = 0.0
    if not NARROWEST <= width <= WIDEST:
        known = ", ".join(f"{name} ({inches} inches)" for name, inches in WIDTHS.items())
        raise RequestError(
            f"--width is {text!r}, expected {known} or {NARROWEST:g} to {WIDEST:g} inches", remedy="--width column"
        )
    return width


def furnish(figure: Figure, canvas: Canvas, sheet: Sheet, handles: Mapping[tuple[int, str], Artist]) -> None:
    """Title, legend and note around the axes."""
    title = "\n".join(_title_lines(figure.title, sheet.title_letters))
    note = "\n".join(line for part in figure.note.splitlines() for line in textwrap.wrap(part, sheet.note_letters))
    labels = [label for _, label in handles]
    if sheet.width is not None:
        _around(canvas, sheet, title, note, (list(handles.values()), labels))
        return
    if len(canvas.axes) == 1 and not figure.y_ticks:
        canvas.axes[0].set_title(title)
    else:
        canvas.suptitle(title, fontsize=sheet.title, x=0.02, ha="left")
    if note:
        canvas.supxlabel(note, fontsize=sheet.small, color=GREY, x=0.02, ha="left")
    # loc="outside …" makes room for it, so that it never covers a point.
    if not figure.maps:
        canvas.legend(list(handles.values()), labels, loc="outside right upper", frameon=False, handletextpad=0.4)


def _around(
    canvas: Canvas, sheet: Sheet, title: str, note: str, legend: tuple[Sequence[Artist], Sequence[str]]
) -> None:
    """The same in a picture of a given width: title above, legend and then note below; each makes room for itself."""
    width, height = canvas.get_size_inches()
    above, below = _height(title, sheet.title), _height(note, sheet.small)
    across, rows = _legend_shape(legend[1], sheet, width)
    tall = height + above + below + rows * _line(sheet.small) + (0.08 if rows else 0)
    canvas.set_size_inches(width, tall)
    left, foot = _MARGIN / width, _MARGIN / tall
    canvas.text(left, 1 - foot, title, fontsize=sheet.title, ha="left", va="top")
    if note:
        canvas.text(left, foot, note, fontsize=sheet.small, color=GREY, ha="left", va="bottom")
    if rows:
        names = abbreviated(legend[1], sheet.note_letters - 5)
        spacing: dict[str, Any] = {"handletextpad": 0.3, "columnspacing": 0.9, "handlelength": 1.2, "labelspacing": 0.2}
        at: dict[str, Any] = {"loc": "lower center", "bbox_to_anchor": (0.5, below / tall), "ncols": across}
        canvas.legend(legend[0], names, frameon=False, borderaxespad=0.1, borderpad=0.1, **at, **spacing)
    bottom = tall - height - above
    engine: Any = canvas.get_layout_engine()
    engine.set(rect=(0, bottom / tall, 1, height / tall), w_pad=_MARGIN, h_pad=_MARGIN)


def _legend_shape(labels: Iterable[str], sheet: Sheet, width: float) -> tuple[int, int]:
    """Columns and rows of a legend below the panels."""
    lengths = [min(len(label), sheet.note_letters - 5) for label in labels]
    if not lengths:
        return 1, 0
    entry = (max(lengths) * _EM + 2.6) * sheet.small / 72
    across = max(1, min(len(lengths), int(width / entry)))
    return across, -(-len(lengths) // across)


def _letters(inches: float, points: float) -> int:
    return max(int(inches * 72 / (_EM * points)), 8)


def _line(points: float) -> float:
    return points * _LEADING / 72


def _height(text: str, points: float) -> float:
    """Of some lines of text, in inches."""
    return (text.count("\n") + 1) * _line(points) + 2 * _MARGIN if text else 0.0


def _title_lines(title: str, width: int) -> list[str]:
    """The title, broken at its colon if it is too long for one line."""
    head, colon, tail = title.partition(": ")
    parts = [f"{head}:", tail] if colon and len(title) > width else [title]
    return [line for part in parts for line in textwrap.wrap(part, width, break_on_hyphens=False) or [""]]
