"""``harness verify``: every stored trial, checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import Format, choice, print_json
from harness.foreign import one_line
from harness.output.streams import remark_line


def verify(
    run: Annotated[Path, typer.Argument(metavar="RUN")],
    form: Format = "terminal",
) -> None:
    """Check every stored trial, and that the index shows exactly what is stored."""
    from harness.store import RunReader, verify_run

    choice("format", form, ("terminal", "json"))
    problems = verify_run(RunReader.open(run))
    if form == "json":
        print_json({"run": str(run), "problems": problems})
    else:
        for problem in problems:
            typer.echo(one_line(problem))
        remark_line(f"{len(problems)} problems in {run}" if problems else f"{run} is sound")
    if problems:
        raise typer.Exit(1)
