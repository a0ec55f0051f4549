"""``harness import``, ``harness export``, ``harness verify``: what is done with stored results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import Format, PluginFolders, Registries, choice, open_house, print_json
from harness.errors import RequestError


def import_table(
    form: Annotated[str, typer.Argument(metavar="FORMAT", help="Which table it is, for example paper.")],
    file: Annotated[Path, typer.Argument(metavar="FILE")],
    out: Annotated[Path, typer.Option("--out", metavar="RUN", help="Run folder to make.")],
    registry: Registries = None,
    plugins: PluginFolders = None,
) -> None:
    """Make a read-only run of a published table of results."""
    import hashlib

    from harness.provenance import command_line
    from harness.records import DecisionTable
    from harness.store import Run

    importer = open_house(registry, plugins).plugins.importer(form)
    if not file.is_file():
        raise RequestError(f"no file {file}. Type: harness import {form} FILE --out {out}")
    table = importer.read(file)
    if isinstance(table, DecisionTable):
        raise NotImplementedError("decisions become trials")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    with Run.create_imported(out, table, source_sha256=digest, command=command_line()):
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
