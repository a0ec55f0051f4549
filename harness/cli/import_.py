"""``harness import``: published tables and decisions become a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import PluginFolders, Registries, open_house
from harness.errors import RequestError


def import_table(
    form: Annotated[str, typer.Argument(metavar="FORMAT", help="Which table it is: paper, model-vs-human, …")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The table; a folder where it has several files.")],
    out: Annotated[Path, typer.Option("--out", metavar="RUN", help="Run folder to make.")],
    registry: Registries = None,
    plugins: PluginFolders = None,
) -> None:
    """Make a run of published results: a read-only table, or single decisions, whose measures are computed here."""
    from harness.local.provenance import command_line
    from harness.records import DecisionTable
    from harness.store import store_table
    from harness.store.run_record import refuse_occupied
    from harness.study.importing import source_digest, store_decisions

    house = open_house(registry, plugins)
    importer = house.plugins.importer(form)
    if not file.exists():
        where = f" It is published at {importer.url}" if importer.url else ""
        raise RequestError(f"no file {file}. Type: harness import {form} FILE --out {out}.{where}")
    refuse_occupied(out)
    table, digest, command = importer.read(file), source_digest(file), command_line()
    if isinstance(table, DecisionTable):
        tasks = dict.fromkeys(one.layout.task for one in table.decisions)
        probes = {task: house.plugins.probe(task.partition("@")[0]) for task in tasks}
        store_decisions(out, table, probes, importer=form, source_sha256=digest, command=command)
        observers = len({one.observer for one in table.decisions})
        trials = sum(one.top5[:, :, 0].size for one in table.decisions)
        typer.echo(
            f"{trials:,} decisions of {observers} observers in {out}; next: harness report {out}, or, to see who errs "
            f"alike: harness report {out} --report consistency",
            err=True,
        )
        return
    store_table(out, table, source_sha256=digest, command=command)
    typer.echo(f"{len(table.models)} models of {table.title} in {out}; next: harness report {out}", err=True)
