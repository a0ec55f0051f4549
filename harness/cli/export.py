"""``harness export``: all trials of a run in one plain file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help=".csv, .parquet or .h5")],
) -> None:
    """All trials of a run in one plain file."""
    from harness.store import RunReader, export_run, left_out

    rows = export_run(run, output)
    for reason in left_out(RunReader.open(run), output):
        typer.echo(f"left out: {reason}", err=True)
    typer.echo(f"{rows:,} trials in {output}", err=True)
