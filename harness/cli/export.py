"""``harness export``: all trials of a run in one plain file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.output.streams import remark_line


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
        remark_line(f"left out: {reason}")
    for (task, model), error in damage.items():
        remark_line(f"left out: {model} on {task}: {error}")
    remark_line(f"{rows:,} trials in {output}")
    if damage:
        raise typer.Exit(StoreError.exit_code)
