"""Tables as LaTeX with booktabs, ready for a paper: one environment each, with caption, label and notes.

Numbers are aligned on their decimal points by invisible digits, so no package but booktabs is needed, and longtable for
a table that is longer than a page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from harness.foreign import latex_text, one_line, visible
from harness.output.folders import file_names
from harness.output.tables import ABSENT, Column, columns_of
from harness.records import Table

SIZES: Final = (("small", 75), ("footnotesize", 84), ("scriptsize", 96))
"""Sizes of letters, and how many characters of them are a line of a page of class ``article``."""
LONG: Final = 36
"""Most characters of a text that stands on one line, where a table is too wide."""
LEAST: Final = 28
"""Characters of a line of wrapped text, where there is little room."""
TALLEST: Final = 46
"""Lines of a page beside the caption; a longer table is a ``longtable``."""
NOTE: Final = 95
"""Characters of a line of notes."""
_HEAD: Final = r"""% {title}
% In the preamble of the document:
%   \usepackage{{booktabs}}{longtable}
% In a paper of two columns, write table* for a wide table{one_column}.
"""
_NUMBER: Final = re.compile(r"(?P<before>[^\d+−-]*)(?P<sign>[+−-]?)(?P<whole>[\d,]*)(?P<decimals>\.\d+)?(?P<after>.*)")
_MINUS: Final = {"-": "$-$", "−": "$-$", "+": "$+$", "": ""}


def to_latex(tables: Sequence[Table], title: str) -> str:
    """The tables as one piece of a document, in ASCII; the first lines say as a comment what its preamble needs."""
    labels = file_names([table.title.lower() for table in tables])
    parts = [_environment(table, label) for table, label in zip(tables, labels, strict=True)]
    long = any(r"\begin{longtable}" in part for part in parts)
    more = {
        "longtable": r"\usepackage{longtable}" if long else "",
        "one_column": "; longtable has one column" if long else "",
    }
    return "\n".join([_HEAD.format(title=latex_text(title), **more), *parts])


def _environment(table: Table, label: str) -> str:
    """One table, or several longtables where its columns do not fit side by side on pages."""
    columns = columns_of(table)
    layouts = _layouts(columns)
    notes = [latex_text(line) for line in visible(table.note).splitlines()]
    lines = sum(len(table.rows) + 4 for _ in layouts) + sum(1 + len(note) // NOTE for note in notes)
    names = (latex_text(table.title), label)
    long = lines > TALLEST or any(layout.wraps for layout in layouts)
    return "\n".join(_long(layouts, names, notes) if long else _floating(layouts, names, notes)) + "\n"


def _floating(layouts: Sequence[_Layout], names: tuple[str, str], notes: Sequence[str]) -> Iterator[str]:
    yield r"\begin{table}[htbp]"
    yield r"\centering"
    yield rf"\caption{{{names[0]}}}"
    yield rf"\label{{tab:{names[1]}}}\smallskip"
    for layout in layouts:
        yield rf"{{\{layout.size}\setlength{{\tabcolsep}}{{4pt}}%"
        yield rf"\begin{{tabular}}{{{layout.kinds}}}"
        yield from (r"\toprule", *layout.head(), r"\midrule", *layout.rows(), r"\bottomrule")
        yield r"\end{tabular}\par}\medskip"
    if notes:
        yield r"\begin{minipage}{\linewidth}\footnotesize\raggedright"
        yield from (rf"{note}\par" for note in notes)
        yield r"\end{minipage}"
    yield r"\end{table}"


def _long(layouts: Sequence[_Layout], names: tuple[str, str], notes: Sequence[str]) -> Iterator[str]:
    for at, layout in enumerate(layouts):
        caption = (
            rf"\caption{{{names[0]}}}\label{{tab:{names[1]}}}" if not at else rf"\caption*{{{names[0]} (continued)}}"
        )
        yield rf"\begingroup\{layout.size}\setlength{{\tabcolsep}}{{4pt}}\setlength{{\LTcapwidth}}{{\linewidth}}"
        yield rf"\begin{{longtable}}{{{layout.kinds}}}"
        yield rf"{caption}\tabularnewline"
        yield from (r"\toprule", *layout.head(), r"\midrule", r"\endfirsthead")
        yield from (r"\toprule", *layout.head(), r"\midrule", r"\endhead", r"\bottomrule", r"\endfoot")
        yield from layout.rows()
        yield r"\end{longtable}"
        yield r"\endgroup"
    if notes:
        yield r"\begingroup\footnotesize\raggedright\noindent"
        yield from (rf"{note}\par\noindent" for note in notes)
        yield r"\endgroup"


# --- columns side by side ---------------------------------------------------------------------


@dataclass(frozen=True)
class _Layout:
    """Columns of one tabular.

    Attributes:
        size: of its letters. widths: of columns of wrapped text, as parts of a line; None: as wide as its text.
    """

    columns: tuple[Column, ...]
    size: str
    widths: tuple[float | None, ...]

    @property
    def wraps(self) -> bool:
        """Whether a text takes several lines."""
        return any(width is not None for width in self.widths)

    @property
    def kinds(self) -> str:
        """The columns as ``tabular`` takes them."""
        kinds = ("r" if column.right else "l" for column in self.columns)
        wide = [
            kind if width is None else rf"p{{{width:.2f}\linewidth}}"
            for kind, width in zip(kinds, self.widths, strict=True)
        ]
        return f"@{{}}{''.join(wide)}@{{}}"

    def head(self) -> Iterator[str]:
        """The headings, of numbers above their middle; on as many lines as their words need."""
        stacks = [column.stacked(_width(column), False) for column in self.columns]
        depth = max(map(len, stacks))
        for level in range(depth):
            texts = [latex_text(of[level - depth + len(of)]) if level >= depth - len(of) else "" for of in stacks]
            middle = [
                rf"\multicolumn{{1}}{{c}}{{{text}}}" if column.right and text else text
                for text, column in zip(texts, self.columns, strict=True)
            ]
            yield rf"{' & '.join(middle)} \tabularnewline"

    def rows(self) -> Iterator[str]:
        """The cells, a line of the file for each row."""
        cells = [
            _numbers(column) if column.right else _texts(column, width)
            for column, width in zip(self.columns, self.widths, strict=True)
        ]
        for row in zip(*cells, strict=True):
            yield rf"{' & '.join(row)} \tabularnewline"


def _layouts(columns: Sequence[Column]) -> list[_Layout]:
    """The columns in the largest letters in which they fit; else with long texts wrapped, else in several blocks."""
    for size, most in SIZES:
        if _total(map(_width, columns)) <= most:
            return [_Layout(tuple(columns), size, (None,) * len(columns))]
    for size, most in SIZES[1:]:
        if _total(map(_least, columns)) <= most or (len(columns) <= 2 and most == SIZES[-1][1]):
            return [_Layout(tuple(columns), size, tuple(_shares(columns, most)))]
    layouts = [layout for block in _blocks(columns, SIZES[1][1]) for layout in _layouts(block)]
    sizes = [size for size, _ in SIZES]
    smallest = max((layout.size for layout in layouts), key=sizes.index)
    return [replace(layout, size=smallest) for layout in layouts]


def _blocks(columns: Sequence[Column], most: int) -> Iterator[tuple[Column, ...]]:
    """As many columns as fit, each time behind the first, in blocks of about one size."""
    first, rest = columns[0], list(columns[1:])
    count = next(
        parts for parts in range(1, len(rest) + 1)
        if parts == len(rest) or all(_total(map(_least, (first, *of))) <= most for of in _parts(rest, parts))
    )  # fmt: skip
    yield from ((first, *of) for of in _parts(rest, count))


def _parts(columns: Sequence[Column], count: int) -> list[Sequence[Column]]:
    bounds = [round(at * len(columns) / count) for at in range(count + 1)]
    return [columns[low:high] for low, high in pairwise(bounds)]


def _shares(columns: Sequence[Column], most: int) -> Iterator[float | None]:
    """The width of each column of long texts, as a part of the line; None for others."""
    wanted = {at: min(column.widest, 4 * LONG) for at, column in enumerate(columns) if _wraps(column)}
    fixed = _total([0 if at in wanted else _width(column) for at, column in enumerate(columns)])
    room = max(0.93 - fixed / most, 0.2)
    yield from (room * wanted[at] / sum(wanted.values()) if at in wanted else None for at in range(len(columns)))


def _wraps(column: Column) -> bool:
    return not column.right and column.widest > LONG


def _width(column: Column) -> int:
    """Characters across: those of its cells, and of the longest word of its heading."""
    return max(column.widest, *map(len, column.heading.split()), 1)


def _least(column: Column) -> int:
    """As `_width`, of a column whose texts may be wrapped."""
    return LEAST if _wraps(column) else _width(column)


def _total(widths: Iterable[int]) -> int:
    """Characters of a line, with two between columns."""
    counted = list(widths)
    return sum(counted) + 2 * (len(counted) - 1)


# --- cells ------------------------------------------------------------------------------------


def _texts(column: Column, width: float | None) -> Iterator[str]:
    for cell in column.cells:
        text = latex_text(one_line(cell.text))
        yield text if width is None else rf"\raggedright {_breakable(text)}"


def _breakable(text: str) -> str:
    """`text` in which a line may end within a name."""
    return re.sub(r"\\_|[/@]", r"\g<0>\\allowbreak{}", text)


def _numbers(column: Column) -> Iterator[str]:
    """Numbers whose decimal points stand below each other; stars and daggers behind them take no part in that."""
    texts = [cell.text.strip() for cell in column.cells]
    parts = [
        match.groupdict("") if (match := _NUMBER.fullmatch(text)) and text not in ABSENT else None for text in texts
    ]
    given = [part for part in parts if part]
    decimals = max((part["decimals"] for part in given), key=len, default="")
    after = max((part["after"] for part in given), key=len, default="")
    for text, part in zip(texts, parts, strict=True):
        yield latex_text(text) if part is None else _number(part, decimals, after)


def _number(part: dict[str, str], decimals: str, after: str) -> str:
    number = f"{latex_text(part['before'])}{_MINUS[part['sign']]}{part['whole']}{part['decimals']}"
    missing = decimals[len(part["decimals"]) :]
    number += rf"\phantom{{{missing}}}" if missing else ""
    if part["after"] == after:
        return number + _behind(after)
    return number + (rf"\rlap{{{_behind(part['after'])}}}" if part["after"] else "") + rf"\phantom{{{_behind(after)}}}"


def _behind(text: str) -> str:
    return latex_text(text).replace("{*}", "*").replace("e-", "e$-$")
