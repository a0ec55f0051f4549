"""Published tables and decisions become a run: what ``harness import`` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import RequestError
from harness.records import DecisionTable

if TYPE_CHECKING:
    from harness.discovery.loader import Plugins
    from harness.records import ImportedTable


def import_results(
    form: str, file: Path, out: Path, plugins: Plugins, command: Sequence[str]
) -> ImportedTable | DecisionTable:
    """Make the run `out` of published results: a read-only table, or single decisions to be measured.

    Args:
        form: name of the importer. file: what it reads, a file or a folder. command: for the record of the run.

    Raises:
        RequestError: no such importer or file, a file of another kind, or an `out` that is not free.
    """
    from harness.store import refuse_occupied, store_table
    from harness.study.importing import source_digest, store_decisions

    importer = plugins.importer(form)
    if not file.exists():
        where = f"; it is published at {importer.url}" if importer.url else ""
        raise RequestError(f"no file {file}{where}", remedy=f"harness import {form} FILE --out {out}")
    refuse_occupied(out)
    table, digest = importer.read(file), source_digest(file)
    if isinstance(table, DecisionTable):
        tasks = dict.fromkeys(one.layout.task for one in table.decisions)
        probes = {task: plugins.probe(task.partition("@")[0]) for task in tasks}
        store_decisions(out, table, probes, importer=form, source_sha256=digest, command=command)
    else:
        store_table(out, table, source_sha256=digest, command=command)
    return table
