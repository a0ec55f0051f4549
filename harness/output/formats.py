"""Tables of a report -> terminal, CSV, Markdown, LaTeX, HTML; its data -> JSON. Independent of what they mean."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import UnknownNameError
from harness.foreign import csv_remark, csv_text, json_text, markdown_text
from harness.output.folders import file_names
from harness.output.html import to_html
from harness.output.latex import to_latex
from harness.output.promises import checked_pages, checked_tables
from harness.output.tables import columns_of, terminal_lines
from harness.records import Page, Table, TableCell

if TYPE_CHECKING:
    from rich.console import Console

    from harness.interfaces import Report

FORMATS = ("terminal", "json", "csv", "markdown", "latex", "html")


def render(
    report: Report, data: Mapping[str, Any], format: str = "terminal", *, width: int = 80, color: bool = False
) -> str:
    """The report as one string that ends in a newline.

    Args:
        data: what `report.data` returned.
        format: one of `FORMATS`.
        width: columns of the terminal.
        color: whether to write colour codes. The text alone carries every meaning.

    Raises:
        UnknownNameError: no such format.
        ValueError: `data` contains NaN or infinity.
    """
    title = f"harness report: {report.name}"
    if format == "html":
        return to_html(checked_pages(report.pages(data)), title)
    tables = report.full_tables if format == "csv" else report.tables
    return render_tables(lambda: tables(data), data, format, title=title, width=width, color=color)


def render_tables(
    tables: Callable[[], Sequence[Table]],
    data: Mapping[str, Any],
    format: str,
    *,
    title: str,
    width: int = 80,
    color: bool = False,
) -> str:
    """Like `render`, for any `data` (JSON) and the `tables` made from it (all other formats), made only when needed."""
    writers = {
        "terminal": lambda: to_terminal(checked_tables(tables()), width=width, color=color),
        "json": lambda: to_json(data),
        "csv": lambda: to_csv(checked_tables(tables())),
        "markdown": lambda: to_markdown(checked_tables(tables())),
        "latex": lambda: to_latex(checked_tables(tables()), title),
        "html": lambda: to_html([Page(title=title, tables=tuple(checked_tables(tables())))], title),
    }
    if format not in writers:
        raise UnknownNameError("format", format, FORMATS, remedy=f"--format {FORMATS[0]}")
    return writers[format]()


def to_json(data: Mapping[str, Any]) -> str:
    """One JSON object. Raises ValueError for NaN and infinity, which JSON does not have: use None with a reason."""
    return json_text(data)


def to_csv(tables: Sequence[Table]) -> str:
    """Tables in full precision, separated by an empty line; title and note are lines that begin with ``#``.

    Text is quoted and numbers are not, so each block is read by ``pandas.read_csv(StringIO(block), comment="#")``.
    """
    return "\n".join(map(_block, tables))


def to_csv_files(tables: Sequence[Table]) -> dict[str, str]:
    """The blocks of `to_csv` as files of their own, by names that are made of the titles."""
    names = file_names([table.title.lower() for table in tables], ".csv")
    return dict(zip(names, map(_block, tables), strict=True))


def _block(table: Table) -> str:
    text = io.StringIO()
    text.writelines(f"# {csv_remark(remark)}\n" for remark in [table.title, *table.note.splitlines()])
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow([csv_text(heading) for heading in table.keys or table.columns])
    writer.writerows(zip(*([_value(cell) for cell in column.cells] for column in columns_of(table)), strict=True))
    return text.getvalue()


def to_markdown(tables: Sequence[Table]) -> str:
    """Pipe tables under headings of the third level."""
    parts = []
    for table in tables:
        right = [column.right for column in columns_of(table)]
        lines = [
            f"### {markdown_text(table.title)}\n",
            _pipes(table.columns),
            "|" + "|".join("---:" if numeric else "---" for numeric in right) + "|",
            *(_pipes([cell.text for cell in row]) for row in table.rows),
        ]
        note = "  \n".join(markdown_text(line) for line in table.note.splitlines())
        parts.append("\n".join(lines) + (f"\n\n{note}" if note else "") + "\n")
    return "\n".join(parts)


def to_terminal(tables: Sequence[Table], *, width: int = 80, color: bool = False) -> str:
    """Tables as plain text no wider than `width`, with colour codes if `color`."""
    from rich.console import Console

    text = io.StringIO()
    console = Console(
        file=text, width=width, emoji=False, force_terminal=color, color_system="standard" if color else None
    )
    show(tables, console)
    return text.getvalue()


def show(tables: Sequence[Table], console: Console, whole: Collection[str] | None = None) -> None:
    """Print tables on a rich console, no wider than it is; the console decides about colour.

    Args:
        whole: as of `harness.output.tables.terminal_lines`.
    """
    for table in tables:
        for line in terminal_lines(table, console.width, whole):
            console.print(line, soft_wrap=True)


def _value(cell: TableCell) -> float | int | str:
    value = cell.text if cell.value is None else cell.value
    return csv_text(value) if isinstance(value, str) else value


def _pipes(texts: Sequence[str]) -> str:
    return "| " + " | ".join(markdown_text(text.strip()) for text in texts) + " |"
