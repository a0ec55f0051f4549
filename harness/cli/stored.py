"""``harness import``, ``harness export``, ``harness verify``: what is done with stored results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import Format, PluginFolders, Registries, choice, open_house, print_json
from harness.errors import RequestError


def import_table(
    form: Annotated[str, typer.Argument(metavar="FORMAT", help="Which table it is: paper, model-vs-human, …")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The table; a folder where it has several files.")],
    out: Annotated[Path, typer.Option("--out", metavar="RUN", help="Run folder to make.")],
    registry: Registries = None,
    plugins: PluginFolders = None,
) -> None:
    """Make a run of published results: a read-only table, or single decisions, whose measures are computed here."""
    from harness.importing import source_digest, store_decisions
    from harness.provenance import command_line
    from harness.records import DecisionTable
    from harness.store import Run
    from harness.store.run_folder import refuse_occupied

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
    with Run.create_imported(out, table, source_sha256=digest, command=command):
        pass
    typer.echo(f"{len(table.models)} models of {table.title} in {out}; next: harness report {out}", err=True)


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help=".csv, .parquet or .h5")],
) -> None:
    """All trials of a run in one plain file."""
    from harness.store import Run, export_run, left_out

    rows = export_run(run, output)
    for reason in left_out(Run.open(run)):
        typer.echo(f"left out: {reason}", err=True)
    typer.echo(f"{rows:,} trials in {output}", err=True)


def verify(
    run: Annotated[Path, typer.Argument(metavar="RUN")],
    form: Format = "terminal",
) -> None:
    """Check every stored trial, and that the index shows exactly what is stored."""
    from harness.store import Run

    choice("format", form, ("terminal", "json"))
    problems = Run.open(run).verify()
    if form == "json":
        print_json({"run": str(run), "problems": problems})
    else:
        for problem in problems:
            typer.echo(problem)
        typer.echo(f"{len(problems)} problems in {run}" if problems else f"{run} is sound", err=True)
    if problems:
        raise typer.Exit(1)
