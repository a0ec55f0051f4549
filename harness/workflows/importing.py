"""``harness import``: published tables and decisions become a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import AbsentDatasetError, RequestError
from harness.names import is_set_of_models
from harness.records import DecisionTable

if TYPE_CHECKING:
    from harness.discovery.loader import Plugins
    from harness.importer import Importer
    from harness.records import ImportedTable


def import_results(
    form: str, file: Path, out: Path, plugins: Plugins, command: Sequence[str], data: Sequence[str] = ()
) -> ImportedTable | DecisionTable:
    """Turn published results into the run `out`: a read-only table, or single decisions to be measured.

    Args:
        form: name of the importer. file: the file or folder that it reads. command: for the record of the run.
        data: values of ``--data``, for importers that need facts of a dataset.

    Raises:
        RequestError: no such importer or file, a file of another kind, or an `out` that already exists.
    """
    from harness.store import refuse_occupied, store_table
    from harness.study.importing import read_table, refuse_irregular, source_digest, store_decisions

    importer = plugins.importer(form)
    if not file.exists():
        origin = f"; it is published at {importer.url}" if importer.url else ""
        raise RequestError(f"no file {file}{origin}", remedy=f"harness import {form} FILE --out {out}")
    refuse_occupied(out)
    refuse_irregular(file)
    table, digest = read_table(importer, file, _folders(importer, plugins, data)), source_digest(file)
    _refuse_names(table, file)
    if isinstance(table, DecisionTable):
        tasks = dict.fromkeys(decisions.layout.task for decisions in table.decisions)
        probes = {task: plugins.probe(task.partition("@")[0]) for task in tasks}
        store_decisions(out, table, probes, importer=form, source_sha256=digest, command=command)
    else:
        _refuse_units(table, file)
        store_table(out, table, source_sha256=digest, command=command)
    return table


def _folders(importer: Importer, plugins: Plugins, data: Sequence[str]) -> dict[str, Path]:
    """Folders of the datasets that `importer` needs, as far as they are there. Raises DatasetError for a wrong one."""
    from harness.data.roots import DataRoots

    roots, folders = DataRoots.parse(data), {}
    for name in importer.datasets:
        with suppress(AbsentDatasetError):
            folders[name] = roots.find(plugins.dataset(name))
    return folders


def _refuse_names(table: ImportedTable | DecisionTable, file: Path) -> None:
    """Raise RequestError for a row that occurs twice, and for names that no report can show as one line.

    A group must not have the name of another set of models either.
    """
    if isinstance(table, DecisionTable):
        rows = [(entry.observer, entry.group) for entry in table.decisions]
        places = Counter(f"{entry.observer} on {entry.layout.task}" for entry in table.decisions)
    else:
        rows = [(model.name, model.group) for model in table.models]
        places = Counter(model.name for model in table.models)
    doubled = next((place for place, count in places.items() if count > 1), None)
    if doubled is not None:
        raise RequestError(f"{file}: {doubled} occurs twice; expected each once. Rename one in the table")
    for name in dict.fromkeys(text for row in rows for text in row if text is not None):
        if not name.isprintable() or not name.strip():
            raise RequestError(
                f"{file}: the name {name!r} is empty, or has a control character; rename it in the table"
            )
    for group in dict.fromkeys(group for _, group in rows):
        if group is not None and is_set_of_models(group):
            problem = f"{file}: group {group!r} is in reports the name of another set of models"
            raise RequestError(f"{problem}; rename it in the table, for example to 'group-{group}'")


def _refuse_units(table: ImportedTable, file: Path) -> None:
    """Raise RequestError for a measure in two units, and for one in fractions that is below 0 or above 1."""
    units: dict[str, tuple[str, str]] = {}
    for model in table.models:
        for name, measure in model.measures.items():
            unit, first = units.setdefault(name, (measure.unit, model.name))
            if measure.unit != unit:
                problem = f"{file}: {name} is in {measure.unit} for {model.name} and in {unit} for {first}"
                raise RequestError(f"{problem}; expected one unit. Correct the importer, which gives it")
            if measure.unit == "fraction" and measure.value is not None and not 0 <= measure.value <= 1:
                problem = f"{file}: {name} of {model.name} is {measure.value:g}, expected a fraction from 0 to 1"
                raise RequestError(f"{problem}; correct the table, or the importer, which gives the unit")
