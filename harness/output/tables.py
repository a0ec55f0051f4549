"""Tables on a terminal: headings on several lines, names cut in the middle, wide tables in blocks of columns.

No meaning depends on colour alone, so the same lines work in a pipe and with ``NO_COLOR``.
"""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, pairwise
from typing import TYPE_CHECKING

from harness.errors import PluginError
from harness.foreign import one_line, visible
from harness.records import Table, TableCell

if TYPE_CHECKING:
    from rich.text import Text

ABSENT = ("", "–")
"""Texts of a missing number; a column of numbers may contain them."""


def terminal_lines(table: Table, width: int, whole: Collection[str] | None = None) -> list[Text]:
    """The lines of one table, each at most `width` wide; a table that is too wide becomes several blocks of columns.

    Args:
        whole: for tables from which people copy names: texts are wrapped, never abbreviated, and the columns with these
            headings are not even wrapped. None: long texts beside numbers are abbreviated.
    """
    from rich.text import Text

    prose = whole is not None or not any(column.right for column in columns_of(table))
    table = _visible(table, prose)
    lines = [Text(line, style="bold") for line in _wrapped(table.title, width)] if table.title else []
    columns = [replace(column, whole=column.heading in (whole or ())) for column in columns_of(table)]
    for block in (
        [_Block(tuple(columns), tuple(_squeezed(columns, width, _PROSE)), _PROSE)] if prose else _blocks(columns, width)
    ):
        lines += [*block.lines(prose), Text()]
    for line in table.note.splitlines():
        lines += [Text(wrapped, style="dim") for wrapped in _wrapped(line, width)]
    return [*lines, Text()] if table.note else lines


def _visible(table: Table, prose: bool) -> Table:
    """`table` as a terminal can show it; only notes and the cells of prose have several lines."""

    def shown(position: int, cell: TableCell) -> TableCell:
        text = (visible if prose and position else one_line)(cell.text)
        return cell if text == cell.text else replace(cell, text=text)

    return replace(
        table,
        title=one_line(table.title),
        columns=tuple(map(one_line, table.columns)),
        rows=tuple(tuple(shown(position, cell) for position, cell in enumerate(row)) for row in table.rows),
        note=visible(table.note),
    )


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        first: it names the rows. right: it has numbers, which are right-aligned and never cut.
        whole: its texts are never cut either.
    """

    heading: str
    cells: tuple[TableCell, ...]
    first: bool
    right: bool
    whole: bool = False

    @cached_property
    def widest(self) -> int:
        return max((len(line) for cell in self.cells for line in cell.text.splitlines()), default=0)

    def width(self, fit: _Fit) -> int:
        """Width that cuts no cell, with the heading on as many lines as it has words."""
        return max(self.widest, *map(len, self._words(fit.short)))

    def _words(self, short: bool) -> list[str]:
        """The heading split after hyphens and at blanks; `short`: words wider than the cells are truncated."""
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
        """Width with texts abbreviated as far as `fit` allows."""
        floor = fit.first if self.first else fit.others
        return self.width(fit) if self.right or self.whole or floor is None else min(self.width(fit), floor)


@dataclass(frozen=True)
class _Fit:
    """One way to save room.

    Attributes:
        first, others: least width of texts in the first and in other columns; None: texts are not abbreviated.
        short: whether long words of headings are truncated.
        gap: blanks between two columns of numbers; two beside text.
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


_FITS = (_Fit(None, None, False, 2), _Fit(32, None, False, 2), _Fit(28, 12, False, 1))
"""From no loss to the most that is still readable; the first that is narrow enough is used."""
_PROSE = _Fit(8, 8, False, 2)


@dataclass(frozen=True)
class _Block:
    """Columns side by side."""

    columns: tuple[Column, ...]
    widths: tuple[int, ...]
    fit: _Fit

    def lines(self, prose: bool) -> list[Text]:
        from rich.text import Text

        headings = [c.stacked(w, self.fit.short) for c, w in zip(self.columns, self.widths, strict=True)]
        depth = max(map(len, headings))
        padded = [[""] * (depth - len(texts)) + texts for texts in headings]
        lines = [self._line([(texts[level], "bold") for texts in padded]) for level in range(depth)]
        lines.append(Text("─" * self.fit.total(self.columns, self.widths), style="dim"))
        columns = [self._texts(c, w, prose) for c, w in zip(self.columns, self.widths, strict=True)]
        for row in zip(*columns, strict=True):
            for level in range(max(len(texts) for texts, _ in row)):
                lines.append(self._line([(texts[level] if level < len(texts) else "", style) for texts, style in row]))
        return lines

    @staticmethod
    def _texts(column: Column, width: int, prose: bool) -> list[tuple[list[str], str]]:
        cell_texts = [cell.text for cell in column.cells]
        single = [] if prose else abbreviated(cell_texts, width)
        cell_lines = [_wrapped(text, width) for text in cell_texts] if prose else [[text] for text in single]
        return [(lines, cell.style) for lines, cell in zip(cell_lines, column.cells, strict=True)]

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
    """The columns of `table`. Raises PluginError if the number of cells in a row is not that of the headings."""
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
    """The fewest blocks that fit, each starting with the first column and abbreviated as little as possible."""
    for fit in _FITS:
        widths = _squeezed(columns, width, fit)
        if fit.total(columns, widths) <= width or (fit is _FITS[-1] and len(columns) <= 2):
            return [_Block(tuple(columns), tuple(widths), fit)]
    first, selected = columns[0], [columns[1]]
    for column in columns[2:]:
        wider = [first, *selected, column]
        if fit.total(wider, [part.least(fit) for part in wider]) > width:
            break
        selected.append(column)
    return [*_blocks([first, *selected], width), *_blocks([first, *columns[1 + len(selected) :]], width)]


def _squeezed(columns: Sequence[Column], width: int, fit: _Fit) -> list[int]:
    """Widths after narrowing, while the line is too long, the text column with the most spare room."""
    widths = [column.width(fit) for column in columns]
    least = [column.least(fit) for column in columns]
    while fit.total(columns, widths) > width:
        spare = [now - floor for now, floor in zip(widths, least, strict=True)]
        if max(spare) <= 0:
            break
        widths[spare.index(max(spare))] -= 1
    return widths


def _wrapped(text: str, width: int) -> list[str]:
    lines = (textwrap.wrap(line, width, break_on_hyphens=False) or [""] for line in text.splitlines())
    return list(chain.from_iterable(lines)) or [""]


def abbreviated(texts: Sequence[str], width: int) -> list[str]:
    """`texts` no longer than `width`, cut in the middle; different texts stay different.

    More of the end is kept than of the start, since names of one family share their start. If two results are equal,
    other cuts are tried; a number distinguishes texts that differ only in the middle.
    """
    room = max(width - 1, 0)
    shortened = {text: text for text in texts if len(text) <= width}
    pending = [text for text in dict.fromkeys(texts) if len(text) > width]
    for tail in sorted(range(room + 1), key=lambda tail: (abs(tail - (room - room // 3)), -tail)):
        cuts = {text: _cut(text, room - tail, tail) for text in pending}
        counts = Counter([*cuts.values(), *shortened.values()])
        shortened.update((text, cut) for text, cut in cuts.items() if counts[cut] == 1)
        pending = [text for text in pending if text not in shortened]
    shortened.update((text, f"{text[: max(room - len(str(at)), 0)]}…{at}") for at, text in enumerate(pending, 1))
    return [shortened[text] for text in texts]


def _cut(text: str, head: int, tail: int) -> str:
    return f"{text[:head]}…{text[len(text) - tail :]}"
