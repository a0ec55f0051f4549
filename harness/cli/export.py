"""``harness export``: all trials of a run in one plain file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.foreign import one_line


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help=".csv, .parquet or .h5")],
) -> None:
    """All trials of a run in one plain file; with damaged ones, all others, and exit code 1."""
    from harness.errors import StoreError
    from harness.store import RunReader, export_run, left_out

    damage: dict[tuple[str, str], StoreError] = {}
    rows = export_run(run, output, damage)
    for reason in left_out(RunReader.open(run), output):
        typer.echo(f"left out: {one_line(reason)}", err=True)
    for (task, model), error in damage.items():
        typer.echo(f"left out: {one_line(f'{model} on {task}: {error}')}", err=True)
    typer.echo(f"{rows:,} trials in {output}", err=True)
    if damage:
        raise typer.Exit(StoreError.exit_code)
