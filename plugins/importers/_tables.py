"""Published tables as files: CSV text, plain or gzip, of bounded size, with one row for each network."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from harness import RequestError

MOST_BYTES = 8 << 20
"""Of the text; 338 networks in 213 settings take 1.2 MB."""
MOST_CELLS = 1_000_000
"""The same table has 72,332."""
LONGEST_NAME = 200
"""Characters of a network's name; the longest published one has 71."""
LONGEST_SHOWN = 40
"""Characters of a cell that an error shows."""
GZIP = b"\x1f\x8b"
SINGLE_PRECISION = 2.0**-22
"""Relative error of a percentage that was computed in float32, in a few steps."""
Row = Mapping[str, str]
Lines = list[tuple[int, Row]]
"""(line of the file, cell of each column) of each row."""
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)


class Wanted(NamedTuple):
    """What an importer reads, for its errors: ``expected the study's raw-data/benchmark.csv``, and what to type."""

    expected: str
    remedy: str


def read_rows(path: Path, needed: Iterable[str], wanted: Wanted) -> Lines:
    """The rows of a table.

    Args:
        path: a CSV file with a header, plain or compressed.
        needed: columns that it must have; it may have more.
        wanted: what to say if it is another file.

    Raises:
        RequestError: the file cannot be read or is too large, is no CSV text, lacks a column or has one twice, a row
            has fewer or more cells than the header, or there are no rows.
    """
    expected, remedy = wanted
    try:
        reader = csv.reader(io.StringIO(_text(path, wanted), newline=""), strict=True)
        header = next(reader, [])
        _refuse_columns(path, header, needed, wanted)
        rows = _cells(path, ((reader.line_num, cells) for cells in reader), header, wanted)
    except (UnicodeDecodeError, csv.Error) as error:
        raise RequestError(f"{path} is not CSV text ({error}); {expected}", remedy=remedy) from error
    if not rows:
        raise RequestError(f"{path} has a header and no models; {expected}", remedy=remedy)
    return rows


def _text(path: Path, wanted: Wanted) -> str:
    """The text of a file, decompressed if it is gzip; never more than `MOST_BYTES` of it are in memory."""
    expected, remedy = wanted
    try:
        with path.open("rb") as file:
            packed = file.read(len(GZIP)) == GZIP
            file.seek(0)
            content = (gzip.GzipFile(fileobj=file) if packed else file).read(MOST_BYTES + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise RequestError(f"{path} is a damaged gzip file ({error}); {expected}", remedy=remedy) from error
    except OSError as error:
        raise RequestError(f"{path} cannot be read ({error.strerror}); {expected}", remedy=remedy) from error
    if len(content) > MOST_BYTES:
        raise RequestError(f"{path} holds more than {MOST_BYTES >> 20} MiB of text; {expected}", remedy=remedy)
    return content.decode("utf-8-sig")


def _refuse_columns(path: Path, header: Sequence[str], needed: Iterable[str], wanted: Wanted) -> None:
    """Raise RequestError for a header without a needed column, or with one column twice."""
    counts = Counter(header)
    absent = [column for column in dict.fromkeys(needed) if column not in counts]
    if absent:
        named = ", ".join(absent[:3]) + (f" and {len(absent) - 3} more" if len(absent) > 3 else "")
        raise RequestError(f"{path} has no column {named}; {wanted.expected}", remedy=wanted.remedy)
    doubled = [column for column in counts if counts[column] > 1]
    if doubled:
        raise RequestError(f"{path} has the column {shown(doubled[0])} twice; {wanted.expected}", remedy=wanted.remedy)


def _cells(path: Path, lines: Iterable[tuple[int, list[str]]], header: Sequence[str], wanted: Wanted) -> Lines:
    """The rows below the header; empty lines are none."""
    rows: Lines = []
    for line, cells in lines:
        if not cells:
            continue
        if len(cells) != len(header):
            raise RequestError(
                f"{path}, row {line}: the number of cells is not {len(header)}, as in the header; {wanted.expected}",
                remedy=wanted.remedy,
            )
        if len(header) * (len(rows) + 1) > MOST_CELLS:
            raise RequestError(f"{path} has more than {MOST_CELLS:,} cells; {wanted.expected}", remedy=wanted.remedy)
        rows.append((line, dict(zip(header, cells, strict=True))))
    return rows


def refuse_names(path: Path, rows: Lines) -> None:
    """Raise RequestError for an empty cell in the column `model`, an overlong one, and one that occurs twice."""
    lines: dict[str, int] = {}
    for line, row in rows:
        name = row["model"].strip()
        if not name:
            raise RequestError(f"{path}, row {line}: the column 'model' is empty; expected a model's name")
        if len(name) > LONGEST_NAME:
            problem = f"{path}, row {line}: the model's name has {len(name):,} characters"
            raise RequestError(f"{problem}, expected at most {LONGEST_NAME}; shorten it in the table")
        if lines.setdefault(name, line) != line:
            problem = f"{path}, row {line}: model {name!r} occurs twice, first in row {lines[name]}"
            raise RequestError(f"{problem}; expected one row for each model")


def number(text: str, most: float, place: str) -> float:
    """A number from 0 to `most`; `place` names the cell in the RequestError for anything else."""
    text = text.strip()
    value = float(text) if _NUMBER.fullmatch(text) else -1.0
    if not 0 <= value <= most:
        expected = "a percentage from 0 to 100" if most == 100 else f"a fraction from 0 to {most:g}"
        raise RequestError(f"{place} has {shown(text)}, expected {expected}; correct the table")
    return value


def shown(text: str) -> str:
    """The beginning of a cell, in quotes, for an error."""
    return repr(text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…")


def is_count(text: str, of: int, whole: float) -> bool:
    """Whether a number, as printed, can be a whole number of images.

    Args:
        text: a number that `number` accepts. of: how many images there are. whole: what all of them are, 1 or 100.
    """
    value = float(text)
    images = value * of / whole
    distance = abs(images - round(images))
    if distance <= of / whole * value * SINGLE_PRECISION + 1e-6:
        return True
    exponent = Decimal(text.strip()).as_tuple().exponent
    return isinstance(exponent, int) and exponent > -9 and distance <= of / whole * 10.0**exponent / 2 + 1e-6
