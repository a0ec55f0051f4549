"""Whether the terminal, CSV and JSON outputs of a report show the same numbers, from the three texts alone.

The CSV is compared with the rows that `tests.helpers.report_rows` makes of the JSON, cell by cell, and the terminal
with the CSV, at the precision that it shows. What is undefined is a dash on the terminal, empty in the CSV, and null
with a reason in the JSON.
"""

import csv
import io
import json
import re
from dataclasses import dataclass
from itertools import zip_longest

from harness.foreign import csv_remark, csv_text
from harness.output.formats import render, to_json
from tests.helpers.report_rows import Null, sheets_of

WIDE = 100_000
"""So wide a terminal has every table in one block, and abbreviates nothing."""
DASHES = ("", "–")
NUMBER = re.compile(r"(?P<sign>[+-]?)(?P<digits>\d[\d,]*)(?P<decimals>\.\d+)?(?P<power>e[+-]\d+)?")


@dataclass
class Sheet:
    """One table of a CSV: `rows` of texts and floats; `remarks`: the lines of its title and notes."""

    remarks: list
    keys: list
    rows: list

    @property
    def title(self):
        return self.remarks[0]

    @property
    def prose(self):
        """Whether it has no numbers."""
        return not any(isinstance(cell, float) for row in self.rows for cell in row)


def outputs(report, data):
    """The three texts of a report: terminal, CSV, JSON."""
    return render(report, data, width=WIDE), render(report, data, "csv"), to_json(data)


def differences(report, terminal, csv_file, json_file):
    """Every place where two of the texts do not show the same, or a dash has no reason. `report`: its name."""
    sheets = csv_sheets(csv_file)
    yield from _csv_and_json(report, [one for one in sheets if not _is_prose(one)], json.loads(json_file))
    yield from _terminal_and_csv(terminal, sheets, json.loads(json_file).get("titles", {}))


def csv_sheets(text):
    """The tables of a CSV."""
    found = []
    for block in text.split("\n\n"):
        lines = block.strip("\n").split("\n")
        remarks = [line.removeprefix("# ") for line in lines if line.startswith("#")]
        body = "\n".join(lines[len(remarks) :])
        keys, *rows = csv.reader(io.StringIO(body), quoting=csv.QUOTE_NONNUMERIC)
        found.append(Sheet(remarks, keys, rows))
    return found


def _is_prose(sheet):
    """One column of sentences: remarks, or why there are no numbers."""
    return len(sheet.keys) == 1


# --- CSV and JSON ------------------------------------------------------------------------------


def _csv_and_json(report, sheets, data):
    expected = sheets_of(report, data)
    for sheet, wanted in zip_longest(sheets, expected):
        if sheet is None or wanted is None or not sheet.title.startswith(wanted[0]):
            yield f"tables: CSV has {sheet and sheet.title!r}, expected {wanted and wanted[0]!r}"
            return
        yield from _rows_differ(sheet, wanted[1])


def _rows_differ(sheet, wanted):
    if len(sheet.rows) != len(wanted):
        yield f"{sheet.title}: CSV has {len(sheet.rows)} rows, JSON {len(wanted)}"
        return
    for number, (cells, entry) in enumerate(zip(sheet.rows, wanted, strict=True)):
        if sorted(sheet.keys) != sorted(entry):
            yield f"{sheet.title}: columns {sheet.keys}, expected {list(entry)}"
            return
        for key, cell in zip(sheet.keys, cells, strict=True):
            value, place = entry[key], f"{sheet.title}, row {number}, {key}"
            if isinstance(value, Null):
                if cell != "":
                    yield f"{place}: CSV has {cell!r}, JSON null"
                if not value.reason:
                    yield f"{place}: null without a reason"
            elif not _same(cell, value):
                yield f"{place}: CSV has {cell!r}, JSON {value!r}"


def _same(cell, value):
    """A number to the last digits, of which a change of unit may change one; a text as CSV writes it."""
    if isinstance(value, str):
        return cell == csv_text(value)
    return isinstance(cell, float) and abs(cell - value) <= 1e-12 * abs(value)


# --- terminal and CSV --------------------------------------------------------------------------


def _terminal_and_csv(terminal, sheets, titles):
    lines, at, shown = terminal.splitlines(), 0, 0
    for sheet in sheets:
        place = next((n for n in range(at, len(lines)) if csv_remark(lines[n]) == sheet.title), None)
        if place is None:
            continue  # a table that is in the CSV alone
        rows, at = _rows_of(lines, place + 1)
        shown += 1
        notes = _notes(lines, at + 1)
        yield from _texts_differ(sheet, rows, notes, titles)
    ruled = sum(set(line) == {"─"} for line in lines)
    if shown != ruled:
        yield f"the terminal has {ruled} tables, of which the CSV has {shown}"


def _rows_of(lines, start):
    """The rows of the table whose heading begins at line `start`, split into cells, and the line after them."""
    rule = next(n for n in range(start, len(lines)) if set(lines[n]) == {"─"})
    end = next((n for n in range(rule, len(lines)) if not lines[n].strip()), len(lines))
    block = [line.ljust(len(lines[rule])) for line in [*lines[start:rule], *lines[rule + 1 : end]]]
    blank = [all(line[at] == " " for line in block) for at in range(len(lines[rule]))]
    gaps = [match.span() for match in re.finditer(" {2,}", "".join(" " if one else "x" for one in blank))]
    starts, ends = [0, *(end for _, end in gaps)], [*(start for start, _ in gaps), None]
    rows = block[rule - start :]
    return [[row[left:right].strip() for left, right in zip(starts, ends, strict=True)] for row in rows], end


def _notes(lines, start):
    """The lines between a table, which ends before `start`, and the next one."""
    end = next((n for n in range(start, len(lines)) if not lines[n].strip()), len(lines))
    return [] if any(set(line) == {"─"} for line in lines[start:end]) else lines[start:end]


def _texts_differ(sheet, rows, notes, titles):
    """The terminal may show the first rows and columns alone; its notes then say where the others are."""
    in_part = any("--format csv" in line for line in notes)
    for line in notes if not in_part else ():
        if csv_remark(line) not in sheet.remarks:
            yield f"{sheet.title}: the CSV does not say {line!r}"
    if _is_prose(sheet):
        return
    columns = [key for key in sheet.keys if not key.endswith(": of")]  # in one cell with a rank
    if (len(rows) < len(sheet.rows) or len(rows[0]) < len(columns)) and not in_part:
        yield f"{sheet.title}: the terminal shows {len(rows)} of {len(sheet.rows)} rows without a word"
    for number, (texts, cells) in enumerate(zip_longest(rows, sheet.rows)):
        if texts is None:
            return
        if cells is None or len(texts) > len(cells):
            yield f"{sheet.title}, row {number}: the terminal has {texts}, CSV {cells}"
            return
        row = dict(zip(sheet.keys, cells, strict=True))
        for text, key in zip(texts, sheet.keys, strict=False):
            of = re.search(r" of (\d+)$", text) if f"{key}: of" in row else None
            if of and float(of[1]) != row[f"{key}: of"]:
                yield f"{sheet.title}, row {number}, {key}: {text!r}, CSV has {row[f'{key}: of']!r}"
            yield from (
                f"{sheet.title}, row {number}, {key}: {problem}" for problem in problems(text, row[key], titles)
            )


def problems(text, value, titles=None):
    """Why `text` does not show `value`, a float, a text, or nothing (an empty text)."""
    if value == "" or isinstance(value, str):
        name = value.removesuffix(" %")
        marked = {value, f"► {value}", f"{value} ○", f"► {value} ○"}
        labels = {*marked, (titles or {}).get(name, name) + value[len(name) :]}
        if text not in (DASHES if value == "" else labels):
            yield f"{text!r} stands for {value!r}"
        return
    bare = text.rstrip("*")
    if bare.startswith("<"):
        if not value < float(bare[1:]):
            yield f"{text!r} stands for {value!r}"
        return
    match = NUMBER.fullmatch(re.sub(r"( %| of \d+)$", "", bare))
    if match is None:
        yield f"{text!r} is no number, and stands for {value!r}"
        return
    number = float(match.group().replace(",", ""))
    half = 0.5 * 10.0 ** (int((match["power"] or "e0")[1:]) - max(0, len(match["decimals"] or "") - 1))
    scale = 100 if bare.endswith(" %") else 1
    if abs(number - scale * value) > half * (1 + 1e-9) + 1e-12 * abs(number):
        yield f"{text!r} stands for {value!r}"
    if number == 0 and match["sign"] == "-":
        yield f"{text!r}: a zero below zero"


def figure_differences(figure, data):
    """Where a scatter of the report `correlation` has other numbers than its JSON, in title, note or points."""
    (entry,) = [
        one
        for one in data["correlations"]
        if one["models"] == "all" and figure.name == f"scatter-{one['bias']}-{one['generalization']}"
    ]
    families = entry["families"]
    numbers = {"ρ": entry["spearman"], "n": entry["n"], "p": entry["p"], "p within": families["p_within"]}
    shown = re.findall(r"(ρ|n|p|p within) ([<=]) (-?[\d.]+\d)", figure.title)
    if len(shown) != 3:
        yield f"{figure.name}: {figure.title}"
    for name, sign, text in shown:
        yield from (f"{figure.name}: {problem}" for problem in problems(sign.strip("=") + text, numbers[name]))
    for rho, sign, text in re.findall(r"families: ρ = (-?[\d.]+), p ([<=]) ([\d.]+\d)", figure.note):
        yield from (f"{figure.name}: {problem}" for problem in problems(rho, families["within"]))
        yield from (f"{figure.name}: {problem}" for problem in problems(sign.strip("=") + text, families["p_within"]))
    scale = 100 if data["units"][entry["generalization"]] == "fraction" else 1
    expected = {
        (model["name"], model["biases"][entry["bias"]], scale * model["axes"][entry["generalization"]])
        for model in data["models"]
        if model["in_correlations"]
    }
    points = {point for series in figure.series for point in zip(series.names, series.x, series.y, strict=True)}
    if points != expected or len(points) != entry["n"]:
        yield f"{figure.name}: {len(points)} points, expected {len(expected)}; n = {entry['n']}"
