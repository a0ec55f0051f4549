"""Whether the HTML file and the tidy table of a report show the numbers of its CSV and JSON, from the texts alone."""

import csv
import io
import json
from dataclasses import dataclass
from typing import NamedTuple

from harness.foreign import csv_text
from tests.helpers.pages import read
from tests.helpers.same_numbers import csv_sheets, problems

SPLIT = "Measures ("
"""A table of the CSV that the page has as one table for each dataset."""


def page_differences(html_file, csv_file):
    """Every table of the CSV that the page does not have, and every cell in which they differ."""
    tables = _tables(html_file)
    for sheet in csv_sheets(csv_file):
        if sheet.prose:
            continue
        if sheet.title.startswith(SPLIT):
            parts = [table for table in tables if table.title.startswith("Measures of ")]
            yield from _cells_differ(sheet, _side_by_side(parts, sheet.keys))
            continue
        found = next((table for table in tables if csv_text(table.title) == csv_text(sheet.title)), None)
        if found is None:
            yield f"the page has no table {sheet.title!r}"
            continue
        tables.remove(found)
        yield from _cells_differ(sheet, found.rows)


def _cells_differ(sheet, rows):
    if len(rows) != len(sheet.rows):
        yield f"{sheet.title}: the page has {len(rows)} rows, CSV {len(sheet.rows)}"
    for number, (cells, values) in enumerate(zip(rows, sheet.rows, strict=False)):
        for key, cell, value in zip(sheet.keys, cells, values, strict=True):
            place = f"{sheet.title}, row {number}, {key}"
            if not _same(cell.value, value):
                yield f"{place}: the page has {cell.value!r}, CSV {value!r}"
            if isinstance(value, float):
                yield from (f"{place}: {problem}" for problem in problems(cell.text, value))


class Cell(NamedTuple):
    """`text` as it is shown; `value` the same with all its digits."""

    text: str
    value: str


@dataclass
class PageTable:
    """A table of a page, with its rows of cells."""

    title: str
    headings: list
    rows: list


def _tables(html_file):
    """Every table of the page but those of figures."""
    return [
        PageTable(
            box.all("caption")[0].content if box.all("caption") else "",
            [heading.content for heading in box.all("thead")[0].all("th")],
            list(_rows(box)),
        )
        for box in read(html_file).all("div", class_="table")
    ]


def _rows(box):
    for body in box.all("tbody"):
        for row in body.all("tr"):
            texts = [cell.content.strip() for cell in row.children]
            values = [cell.attributes.get("data-value") for cell in row.children]
            yield [Cell(text, text if value is None else value) for text, value in zip(texts, values, strict=True)]


def _side_by_side(parts, keys):
    """The rows of tables with the same first two columns, with their other columns in the order of `keys`."""
    assert all([row[:2] for row in part.rows] == [row[:2] for row in parts[0].rows] for part in parts)
    rows = [dict(zip(parts[0].headings[:2], row, strict=False)) for row in parts[0].rows]
    for part in parts:
        for row, cells in zip(rows, part.rows, strict=True):
            row |= dict(zip(part.headings[2:], cells[2:], strict=True))
    return [[row.get(key, Cell("", "not on the page")) for key in keys] for row in rows]


def _same(cell, value):
    """A number to the last digit; a text as CSV writes it."""
    return float(cell) == value if isinstance(value, float) and cell not in ("", "–") else csv_text(cell) == value


def tidy_differences(tidy_file, json_file):
    """Every number of the JSON of the report `correlation` that the tidy table has not, or has otherwise."""
    data, table = json.loads(json_file), {}
    for row in csv.DictReader(io.StringIO(tidy_file)):
        if table.setdefault((row["model"], row["measure"]), row) is not row:
            yield f"several rows of {row['model']}, {row['measure']}"
    for model in data["models"]:
        for kind in ("measures", "biases", "axes"):
            for name, value in model[kind].items():
                place = (csv_text(model["name"]), csv_text(name))
                if place in table:
                    yield from _row_differs(table[place], {"value": value, **_spread(model, kind, name)})
                else:
                    yield f"the tidy table has no {place}"


def _spread(model, kind, name):
    return {} if kind == "measures" else model["intervals"].get(name, {})


def _row_differs(row, expected):
    for key, value in expected.items():
        if (float(row[key]) if row[key] else None) != value:
            yield f"{row['model']}, {row['measure']}, {key}: the tidy table has {row[key]!r}, JSON {value!r}"
    if not row["value"] and not row["reason"]:
        yield f"{row['model']}, {row['measure']}: no value and no reason"
