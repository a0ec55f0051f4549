"""``harness import``: published tables and decisions become a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import RequestError
from harness.names import is_set_of_models
from harness.records import DecisionTable

if TYPE_CHECKING:
    from harness.discovery.loader import Plugins
    from harness.records import ImportedTable


def import_results(
    form: str, file: Path, out: Path, plugins: Plugins, command: Sequence[str]
) -> ImportedTable | DecisionTable:
    """Turn published results into the run `out`: a read-only table, or single decisions to be measured.

    Args:
        form: name of the importer. file: the file or folder that it reads. command: for the record of the run.

    Raises:
        RequestError: no such importer or file, a file of another kind, or an `out` that already exists.
    """
    from harness.store import refuse_occupied, store_table
    from harness.study.importing import source_digest, store_decisions

    importer = plugins.importer(form)
    if not file.exists():
        origin = f"; it is published at {importer.url}" if importer.url else ""
        raise RequestError(f"no file {file}{origin}", remedy=f"harness import {form} FILE --out {out}")
    refuse_occupied(out)
    table, digest = importer.read(file), source_digest(file)
    _refuse_groups(table, file)
    if isinstance(table, DecisionTable):
        tasks = dict.fromkeys(decisions.layout.task for decisions in table.decisions)
        probes = {task: plugins.probe(task.partition("@")[0]) for task in tasks}
        store_decisions(out, table, probes, importer=form, source_sha256=digest, command=command)
    else:
        _refuse_outside_unit(table, file)
        store_table(out, table, source_sha256=digest, command=command)
    return table


def _refuse_groups(table: ImportedTable | DecisionTable, file: Path) -> None:
    """Raise RequestError for a group with the name of another set of models."""
    groups = [entry.group for entry in (table.decisions if isinstance(table, DecisionTable) else table.models)]
    for group in groups:
        if group is not None and is_set_of_models(group):
            problem = f"{file}: group {group!r} is in reports the name of another set of models"
            raise RequestError(f"{problem}; rename it in the table, for example to 'group-{group}'")


def _refuse_outside_unit(table: ImportedTable, file: Path) -> None:
    """Raise RequestError for the first measure in fractions that is below 0 or above 1."""
    for model in table.models:
        for name, measure in model.measures.items():
            if measure.unit == "fraction" and measure.value is not None and not 0 <= measure.value <= 1:
                problem = f"{file}: {name} of {model.name} is {measure.value:g}, expected a fraction from 0 to 1"
                raise RequestError(f"{problem}; correct the table, or the importer, which gives the unit")
