"""``harness report``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import PluginFolders, Registries, choice, open_house, stdout_console
from harness.errors import RequestError


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN …", help="Run folders, imported ones too.")],
    name: Annotated[str, typer.Option("--report", metavar="NAME", help="Which report.")] = "correlation",
    form: Annotated[str, typer.Option("--format", metavar="terminal|json|csv|markdown|html")] = "terminal",
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Default: stdout.")] = None,
    ungrouped: Annotated[
        bool, typer.Option("--ungrouped", help="Let models without a group take part in correlations.")
    ] = False,
    registry: Registries = None,
    plugins: PluginFolders = None,
) -> None:
    """Measures of one or more runs, and how far biases explain generalization."""
    from harness.rendering import FORMATS, render
    from harness.study import open_study

    choice("format", form, FORMATS)
    house = open_house(registry, plugins)
    chosen = house.plugins.report(name)
    study = open_study(runs, house.plugins.probes, ungrouped=ungrouped)
    console = stdout_console()
    color = form == "terminal" and output is None and console.is_terminal and "NO_COLOR" not in os.environ
    text = render(chosen, chosen.data(study), form, width=min(console.width, 100), color=color)
    if output is None:
        typer.echo(text, nl=not text.endswith("\n"))
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RequestError(f"cannot write {output}: {error.strerror}. Type: -o FILE in a folder that exists") from error
