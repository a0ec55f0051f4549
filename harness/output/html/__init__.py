"""The parts of a report -> one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Sequence

from harness.foreign import html_text
from harness.output.tables import columns_of
from harness.records import Page, Table, TableCell


def to_html(pages: Sequence[Page], title: str) -> str:
    """One self-contained page without scripts; the same pages give the same bytes."""
    style = (
        "body{font:15px/1.4 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem}"
        "table{border-collapse:collapse;display:block;overflow-x:auto;margin:.5rem 0}"
        "th{border-bottom:1px solid;vertical-align:bottom}td,th{padding:.15rem .6rem;text-align:left}"
        ".right{text-align:right;font-variant-numeric:tabular-nums;white-space:pre}p{white-space:pre-line}"
    )
    body = "".join(_html_table(table) for page in pages for table in page.tables)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{html_text(title)}</title>'
        f"<style>{style}</style></head>\n<body><h1>{html_text(title)}</h1>\n{body}</body></html>\n"
    )


def _html_table(table: Table) -> str:
    right = [' class="right"' if column.right else "" for column in columns_of(table)]
    head = "".join(
        f"<th{attribute}>{html_text(name)}</th>" for attribute, name in zip(right, table.columns, strict=True)
    )
    rows = "".join(
        "<tr>" + "".join(_html_cell(cell, attribute) for cell, attribute in zip(row, right, strict=True)) + "</tr>\n"
        for row in table.rows
    )
    note = f"<p>{html_text(table.note)}</p>\n" if table.note else ""
    table_html = f"<table><thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table>\n"
    return f"<h2>{html_text(table.title)}</h2>\n{table_html}{note}"


def _html_cell(cell: TableCell, right: str) -> str:
    from rich.style import Style

    look = html_text(Style.parse(cell.style).get_html_style()) if cell.style else ""
    return f"<td{right}{f' style={chr(34)}{look}{chr(34)}' if look else ''}>{html_text(cell.text)}</td>"
