"""What pages of reports share: counted nouns, the pages of remarks and provenance, and what is long and so folded."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness import Page, Table, TableCell

from ._cells import remark_tables
from ._measured import MeasuredEntry

DEEPEST = 8
"""Levels of a JSON value that are told apart; what is deeper is one text."""
MOST_ROWS = 60
"""With more rows than these in all of its tables, a page of details is folded."""
TABLES_OF_A_RUN = ("history", "tasks", "checkpoints", "sessions")


# --- words ------------------------------------------------------------------------------------


def count(n: int, one: str, more: str = "") -> str:
    """``1 model``, ``1,200 models``, ``no models``; `more`: the plural where it is not `one` with an s."""
    plural = more or f"{one}s"
    return f"1 {one}" if n == 1 else f"{n:,} {plural}" if n else f"no {plural}"


def listed(names: Sequence[str], most: int | None = None) -> str:
    """``a, b and c``, or the first `most` of them and how many more."""
    shown = list(names[:most])
    rest = [f"{len(names) - len(shown):,} more"] if len(names) > len(shown) else []
    *firsts, last = [*shown, *rest] or [""]
    return f"{', '.join(firsts)} and {last}" if firsts else last


def capital(text: str) -> str:
    """`text` with a capital, as a sentence begins."""
    return text[:1].upper() + text[1:]


def measured_sentence(measured: MeasuredEntry, subject: str) -> str:
    """What was measured; `subject`: for what, such as ``6 biases and 4 axes of generalization``."""
    taking, models = measured["taking_part"], measured["models"]
    groups = f", in {count(measured['groups'], 'group')}," if measured["groups"] else ""
    which = "all of them" if taking == models else f"{taking:,} of them" if taking else "none of them"
    who = "it" if models == taking == 1 else which
    part = f"{who}{groups} {'enters' if taking <= 1 else 'enter'} the statistics over models"
    if not models:
        return f"The study has no models, and defines {subject}."
    return f"{capital(count(models, 'model'))} {_sources(measured)}, for {subject}; {part}."


def _sources(measured: MeasuredEntry) -> str:
    """How the numbers were obtained: from stored trials, a published table, or both."""
    were, stored, imported = "was" if measured["models"] == 1 else "were", _stored(measured), measured["imported"]
    tables, numbers = count(imported, "published table"), count(measured["numbers"], "number")
    trials = f"measured in {count(measured['tasks'], 'task')} with {count(measured['trials'], 'trial')}"
    if not measured["runs"]:
        return f"{'has' if measured['models'] == 1 else 'have'} {numbers}"
    if not stored:
        return f"{were} read from {tables} ({numbers})"
    return f"{were} {trials} ({count(stored, 'run')})" + (f" or read from {tables}" if imported else "")


def _stored(measured: MeasuredEntry) -> int:
    """Runs of trials."""
    return measured["runs"] - measured["imported"]


# --- pages ------------------------------------------------------------------------------------


def details(title: str, tables: Sequence[Table], text: Sequence[str] = ()) -> Page:
    """A page of tables, folded if they are long."""
    rows = sum(len(table.rows) for table in tables)
    return Page(title=title, text=tuple(text), tables=tuple(tables), folded=rows > MOST_ROWS)


def listing(title: str, tables: Sequence[Table], nothing: str) -> Page:
    """As `details`; without tables the sentence `nothing`, so that nobody looks for more."""
    return details(title, tables, () if tables else (nothing,))


def remarks_page(warnings: Sequence[str]) -> Page:
    """Every remark of a study."""
    return listing("Remarks", list(remark_tables(warnings)), "There are no remarks.")


def provenance_page(provenance: Sequence[Mapping[str, Any]]) -> Page:
    """Everything that is known of where the numbers come from."""
    tables = [table for run in provenance for table in _tables_of_run(run)]
    return listing("Provenance", tables, "The numbers were given without a run.")


# --- provenance -------------------------------------------------------------------------------


def _tables_of_run(run: Mapping[str, Any]) -> Iterator[Table]:
    name = run.get("run", "")
    facts = [leaf for key, value in run.items() if key not in TABLES_OF_A_RUN for leaf in _leaves(key, value)]
    yield _facts(f"Run {name}", facts)
    history = [entry for entry in run.get("history", ()) if isinstance(entry, dict)]
    if history:
        yield Table(
            title=f"Commands of {name}",
            columns=("time", "command", "versions"),
            rows=tuple((_text(_shown(of.get("created"))), _text(_command(of)), _text(_further(of))) for of in history),
        )
    if run.get("tasks"):
        yield _tasks(f"Tasks of {name}", run["tasks"])
    if run.get("checkpoints"):
        digests = [(model, " ".join(of)) for model, of in run["checkpoints"].items()]
        yield _facts(f"Checkpoints of {name}", digests, ("model", "SHA-256 of its files"))
    for at, session in enumerate(run.get("sessions", ()), 1):
        leaves = [leaf for key, value in session.items() for leaf in _leaves(key, value)]
        yield _facts(f"Machine {at} of {name}", leaves)


def _facts(title: str, facts: Sequence[tuple[str, str]], columns: tuple[str, str] = ("what", "value")) -> Table:
    return Table(title=title, columns=columns, rows=tuple((_text(what), _text(value)) for what, value in facts))


def _tasks(title: str, tasks: Mapping[str, Mapping[str, Any]]) -> Table:
    keys = list(dict.fromkeys(key for of in tasks.values() for key in of))
    rows = tuple((_text(task), *(_cell(of.get(key)) for key in keys)) for task, of in tasks.items())
    return Table(title=title, columns=("task", *keys), rows=rows)


def _cell(value: Any) -> TableCell:
    counted = isinstance(value, int) and not isinstance(value, bool)
    return TableCell(f"{value:,}", value=value) if counted else _text(_shown(value))


def _text(text: str) -> TableCell:
    return TableCell(text)


def _command(entry: Mapping[str, Any]) -> str:
    words = entry.get("command")
    return shlex.join(map(str, words)) if isinstance(words, list) else _shown(words)


def _further(entry: Mapping[str, Any]) -> str:
    """Everything but time and command; versions without their heading."""
    known = ("created", "command")
    leaves = [leaf for key, value in entry.items() if key not in known for leaf in _leaves(key, value)]
    return ", ".join(f"{what.removeprefix('versions.')} {value}" for what, value in leaves)


def _leaves(key: str, value: Any, depth: int = DEEPEST) -> Iterator[tuple[str, str]]:
    """(dotted key, text) of every value in a JSON value."""
    if isinstance(value, dict) and value and depth:
        for name, inner in value.items():
            yield from _leaves(f"{key}.{name}", inner, depth - 1)
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value) and depth:
        for at, item in enumerate(value):
            yield from _leaves(f"{key}.{at}", item, depth - 1)
    else:
        yield key, _shown(value)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "–" if value is None or value == {} else str(value)
