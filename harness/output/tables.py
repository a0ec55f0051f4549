"""Tables on a terminal: headings on several lines, names cut in the middle, wide tables in blocks of columns.

Nothing is said by colour alone, so the same lines serve a pipe and ``NO_COLOR``.
"""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

from harness.errors import PluginError
from harness.records import Table, TableCell

if TYPE_CHECKING:
    from rich.text import Text

ABSENT = ("", "–")
"""Texts of a number that is not there; a column of numbers may hold them."""


def terminal_lines(table: Table, width: int) -> list[Text]:
    """The lines of one table, each at most `width` wide; what is too wide becomes several blocks of columns."""
    from rich.text import Text

    lines = [Text(line, style="bold") for line in _wrapped(table.title, width)]
    columns = columns_of(table)
    prose = not any(column.right for column in columns)
    for block in (
        [_Block(tuple(columns), tuple(_squeezed(columns, width, _PROSE)), _PROSE)] if prose else _blocks(columns, width)
    ):
        lines += [*block.lines(prose), Text()]
    for line in table.note.splitlines():
        lines += [Text(wrapped, style="dim") for wrapped in _wrapped(line, width)]
    return [*lines, Text()] if table.note else lines


@dataclass(frozen=True)
class Column:
    """One column; `first`: it names the rows; `right`: it holds numbers, which stand to the right and are never cut."""

    heading: str
    cells: tuple[TableCell, ...]
    first: bool
    right: bool

    @cached_property
    def widest(self) -> int:
        return max((len(cell.text) for cell in self.cells), default=0)

    def width(self, fit: _Fit) -> int:
        """Width without any loss in the cells, with the heading on as many lines as it has words."""
        return max(self.widest, *map(len, self._words(fit.short)))

    def _words(self, short: bool) -> list[str]:
        """The heading cut after hyphens and at blanks; `short`: words wider than the cells lose their end."""
        room = max(self.widest, 6) if short else len(self.heading)
        words = re.findall(r"[^\s-]+-?|-", self.heading) or [""]
        return [word if len(word.rstrip("-")) <= room else f"{word[: room - 1]}." for word in words]

    def stacked(self, width: int, short: bool) -> list[str]:
        """The heading on as few lines of `width` as its words need."""
        if len(self.heading) <= width:
            return [self.heading]
        lines: list[str] = []
        for word in self._words(short):
            glue = "" if lines and lines[-1].endswith("-") else " "
            if lines and len(lines[-1] + glue + word) <= width:
                lines[-1] += glue + word
            else:
                lines.append(word[:width])
        return lines

    def least(self, fit: _Fit) -> int:
        """Width with texts as far abbreviated as `fit` allows."""
        floor = fit.first if self.first else fit.others
        return self.width(fit) if self.right or floor is None else min(self.width(fit), floor)


@dataclass(frozen=True)
class _Fit:
    """One way to save room.

    Attributes:
        first, others: how narrow texts may become in the first and in other columns; None: they stay whole.
        short: whether long words of headings lose their end.
        gap: blanks between two columns of numbers; beside text there are two.
    """

    first: int | None
    others: int | None
    short: bool
    gap: int

    def gaps(self, columns: Sequence[Column]) -> list[int]:
        """Blanks before each column."""
        return [0, *(self.gap if left.right and right.right else 2 for left, right in pairwise(columns))]

    def total(self, columns: Sequence[Column], widths: Sequence[int]) -> int:
        return sum(widths) + sum(self.gaps(columns))


_FITS = (_Fit(None, None, False, 2), _Fit(32, None, False, 2), _Fit(32, None, True, 2), _Fit(18, 10, True, 1))
"""From no loss to the most that still reads well; the first that is narrow enough is taken."""
_PROSE = _Fit(8, 8, False, 2)


@dataclass(frozen=True)
class _Block:
    """Columns that stand side by side."""

    columns: tuple[Column, ...]
    widths: tuple[int, ...]
    fit: _Fit

    def lines(self, prose: bool) -> list[Text]:
        from rich.text import Text

        headings = [c.stacked(w, self.fit.short) for c, w in zip(self.columns, self.widths, strict=True)]
        depth = max(map(len, headings))
        padded = [[""] * (depth - len(one)) + one for one in headings]
        lines = [self._line([(one[level], "bold") for one in padded]) for level in range(depth)]
        lines.append(Text("─" * self.fit.total(self.columns, self.widths), style="dim"))
        texts = [self._texts(c, w, prose) for c, w in zip(self.columns, self.widths, strict=True)]
        for row in zip(*texts, strict=True):
            for level in range(max(len(one) for one, _ in row)):
                lines.append(self._line([(one[level] if level < len(one) else "", style) for one, style in row]))
        return lines

    @staticmethod
    def _texts(column: Column, width: int, prose: bool) -> list[tuple[list[str], str]]:
        texts = [cell.text for cell in column.cells]
        shown = [_wrapped(text, width) for text in texts] if prose else [[one] for one in abbreviated(texts, width)]
        return [(lines, cell.style) for lines, cell in zip(shown, column.cells, strict=True)]

    def _line(self, pieces: Sequence[tuple[str, str]]) -> Text:
        from rich.text import Text

        line = Text()
        gaps = self.fit.gaps(self.columns)
        for (text, style), column, width, gap in zip(pieces, self.columns, self.widths, gaps, strict=True):
            line.append(" " * gap)
            line.append(text.rjust(width) if column.right else text.ljust(width), style=style or None)
        line.rstrip()
        return line


def columns_of(table: Table) -> list[Column]:
    """The columns of `table`. Raises PluginError if a row has more or fewer cells than there are headings."""
    for row in table.rows:
        if len(row) != len(table.columns):
            raise PluginError(f"table {table.title!r} has {len(table.columns)} columns and a row of {len(row)} cells")
    columns = []
    for position, heading in enumerate(table.columns):
        cells = tuple(row[position] for row in table.rows)
        right = position > 0 and all(isinstance(c.value, int | float) or c.text.strip() in ABSENT for c in cells)
        columns.append(Column(heading=heading, cells=cells, first=position == 0, right=right))
    return columns


def _blocks(columns: Sequence[Column], width: int) -> list[_Block]:
    """As few blocks as fit, each beginning with the first column, each as little abbreviated as its width allows."""
    for fit in _FITS:
        widths = _squeezed(columns, width, fit)
        if fit.total(columns, widths) <= width or (fit is _FITS[-1] and len(columns) <= 2):
            return [_Block(tuple(columns), tuple(widths), fit)]
    first, taken = columns[0], [columns[1]]
    for column in columns[2:]:
        wider = [first, *taken, column]
        if fit.total(wider, [one.least(fit) for one in wider]) > width:
            break
        taken.append(column)
    return [*_blocks([first, *taken], width), *_blocks([first, *columns[1 + len(taken) :]], width)]


def _squeezed(columns: Sequence[Column], width: int, fit: _Fit) -> list[int]:
    """Widths after taking, while the line is too long, from the text that has the most to give."""
    widths = [column.width(fit) for column in columns]
    least = [column.least(fit) for column in columns]
    while fit.total(columns, widths) > width:
        spare = [now - floor for now, floor in zip(widths, least, strict=True)]
        if max(spare) <= 0:
            break
        widths[spare.index(max(spare))] -= 1
    return widths


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False) or [""]


def abbreviated(texts: Sequence[str], width: int) -> list[str]:
    """`texts` no longer than `width`, cut in the middle; different texts stay different.

    More of the end is kept than of the start, since names of one family begin alike. Where that makes two alike, other
    cuts are tried; a number tells apart what differs in the middle alone.
    """
    room = max(width - 1, 0)
    shown = {text: text for text in texts if len(text) <= width}
    open_ = [text for text in dict.fromkeys(texts) if len(text) > width]
    for tail in sorted(range(room + 1), key=lambda tail: (abs(tail - (room - room // 3)), -tail)):
        short = {text: _cut(text, room - tail, tail) for text in open_}
        counts = Counter([*short.values(), *shown.values()])
        shown.update((text, cut) for text, cut in short.items() if counts[cut] == 1)
        open_ = [text for text in open_ if text not in shown]
    shown.update((text, f"{text[: max(room - len(str(at)), 0)]}…{at}") for at, text in enumerate(open_, 1))
    return [shown[text] for text in texts]


def _cut(text: str, head: int, tail: int) -> str:
    return f"{text[:head]}…{text[len(text) - tail :]}"
