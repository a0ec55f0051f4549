"""Cells of the tables of coefficients."""

from __future__ import annotations

from harness import TableCell

ABSENT = TableCell("–", value="", style="dim")


def plain(value: float | None) -> TableCell:
    """A coefficient, or an end of its interval."""
    return ABSENT if value is None else TableCell(f"{round(value, 2) + 0.0:.2f}", value=value)


def p_cell(value: float | None) -> TableCell:
    """A p-value."""
    return ABSENT if value is None else TableCell("<0.001" if value < 0.001 else f"{value:.3f}", value=value)
