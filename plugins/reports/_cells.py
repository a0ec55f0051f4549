"""Cells of tables of coefficients, and the table of remarks with which reports end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness import Table, TableCell

ABSENT = TableCell("–", value="", style="dim")
BLANK = TableCell("", value="")
"""Where there is no number, and none is missing."""


def number(value: float | None, form: str, *, scale: float = 1, style: str = "") -> TableCell:
    """`value` in the unit of the column; CSV has what is shown, with all digits.

    Args:
        form: a format specification, as ``+.1f``. Where it rounds to zero, there is no sign.
        scale: 100 for a fraction in a column of percent or points.
    """
    if value is None:
        return ABSENT
    sign, rest = (form[0], form[1:]) if form[0] in "+-" else ("-", form)
    return TableCell(f"{scale * value:{sign}z{rest}}", value=scale * value, style=style)


def plain(value: float | None) -> TableCell:
    """A number of two decimals: a coefficient, or an end of its interval."""
    return number(value, ".2f")


def p_cell(value: float | None) -> TableCell:
    """A p-value."""
    return ABSENT if value is None else TableCell("<0.001" if value < 0.001 else f"{value:.3f}", value=value)


def remark_tables(remarks: Sequence[str]) -> Iterator[Table]:
    """One row for each remark; no table without any."""
    if remarks:
        yield Table(title="Remarks", columns=("remark",), rows=tuple((TableCell(text),) for text in remarks))
