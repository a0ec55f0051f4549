"""Tables -> HTML: numbers with all their digits in ``data-value``, which sorting and other programs read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

from markupsafe import Markup

from harness.foreign import html_text
from harness.output.tables import Column, columns_of
from harness.records import Table, TableCell

SHOWN: Final = 100
"""Rows that are shown before the reader asks for all; so many lie in the first body of the table."""
PROSE: Final = 60
"""A table with a longer cell is as wide as the page, and its cells are wrapped."""
FILTERED: Final = 8
"""Tables with more rows can be filtered."""


def table_html(table: Table) -> Markup:
    """A `<table>` with caption, headings that sort, and the rows; end tags that HTML does not need are left out."""
    columns = columns_of(table)
    head = "".join(_heading(column) for column in columns)
    caption = f"<caption><span>{html_text(table.title)}</span></caption>" if table.title else ""
    bodies = "\n".join(_bodies(table.rows, columns))
    prose = any(len(cell.text) > PROSE for row in table.rows for cell in row)
    return Markup(
        f"<table{' class=prose' if prose else ''}>{caption}\n<thead><tr>{head}</tr></thead>\n{bodies}\n</table>"
    )


def _heading(column: Column) -> str:
    right = " class=r" if column.right else ""
    text = html_text(column.heading)
    return f'<th scope="col" aria-sort="none"{right}><button type="button">{text}</button></th>'


def _bodies(rows: Sequence[tuple[TableCell, ...]], columns: Sequence[Column]) -> Iterator[str]:
    numeric = [column.right for column in columns]
    for start, rest in ((0, ""), (SHOWN, " class=rest")):
        part = rows[start : start + SHOWN] if not start else rows[start:]
        if part or not start:
            yield f"<tbody{rest}>"
            yield from (_row(row, numeric) for row in part)
            yield "</tbody>"


def _row(row: Sequence[TableCell], numeric: Sequence[bool]) -> str:
    return "<tr>" + "".join(_cell(cell, numeric[at], at == 0) for at, cell in enumerate(row))


def _cell(cell: TableCell, right: bool, first: bool) -> str:
    """A cell; `data-value` is what CSV writes, and is left out where it is the text."""
    start = '<th scope="row"' if first else "<td"
    names = " ".join(filter(None, ("r" if right else "", style_names(cell.style))))
    look = f' class="{names}"' if names else ""
    value = cell.value
    data = "" if value is None or value == cell.text else f' data-value="{html_text(str(value))}"'
    return f"{start}{look}{data}>{html_text(cell.text)}"


@lru_cache(maxsize=256)
def style_names(style: str) -> str:
    """The classes of a rich style: its colour, and whether it is bold, dim or italic; empty for what is no style."""
    from rich.errors import StyleSyntaxError
    from rich.style import Style

    if not style:
        return ""
    try:
        parsed = Style.parse(style)
    except StyleSyntaxError:
        return ""
    weights = [name for name in ("bold", "dim", "italic") if getattr(parsed, name)]
    colour = parsed.color.name.removeprefix("bright_") if parsed.color else ""
    return " ".join([*weights, *([colour] if colour in _COLOURS else [])])


_COLOURS: Final = ("red", "green", "yellow", "blue", "magenta", "cyan")
