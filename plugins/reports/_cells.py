"""Cells of tables of coefficients, and the table of remarks with which reports end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness import Table, TableCell

ABSENT = TableCell("–", value="", style="dim")


def plain(value: float | None) -> TableCell:
    """A number of two decimals: a coefficient, or an end of its interval."""
    return ABSENT if value is None else TableCell(f"{round(value, 2) + 0.0:.2f}", value=value)


def p_cell(value: float | None) -> TableCell:
    """A p-value."""
    return ABSENT if value is None else TableCell("<0.001" if value < 0.001 else f"{value:.3f}", value=value)


def remark_tables(remarks: Sequence[str]) -> Iterator[Table]:
    """One row for each remark; no table without any."""
    if remarks:
        yield Table(title="Remarks", columns=("remark",), rows=tuple((TableCell(text),) for text in remarks))
