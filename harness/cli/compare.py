"""``harness compare``: the numbers of a run beside published ones, or beside those of another run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.browser import Open, open_page, page_format
from harness.cli.destination import Destination, emit_files
from harness.cli.options import Data, PluginFolders, Registries, choice, open_house
from harness.cli.report import FOLDER_HELP, emit, shape

if TYPE_CHECKING:
    from harness.records import Table


def compare(
    run: Annotated[Path, typer.Argument(metavar="RUN")],
    against: Annotated[
        str, typer.Option("--against", metavar="RUN|FORMAT", help="Another run, or a published table such as paper.")
    ],
    table: Annotated[Path | None, typer.Option("--table", metavar="FILE", help="The published table.")] = None,
    form: Annotated[str, typer.Option("--format", metavar="terminal|json|csv|markdown|latex|html")] = "terminal",
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="FILE|FOLDER/", help=f"Default: stdout. {FOLDER_HELP}"),
    ] = None,
    in_browser: Open = False,
    data: Data = None,
    registry: Registries = None,
    plugins: PluginFolders = None,
) -> None:
    """Each measure's difference, tolerance and known erratum. Exit code 1 if a difference exceeds both."""
    from harness.output.formats import FORMATS, render_tables
    from harness.study.comparison_tables import comparison_data, comparison_tables
    from harness.workflows.compare import compare_runs

    choice("format", form, FORMATS)
    form = page_format(form) if in_browser else form
    place = Destination.of(output, form, (run, Path(against)), several=form == "csv")
    sides = compare_runs(run, against, open_house(registry, plugins).plugins, table=table, data=data or ())
    result = comparison_data(sides.own, sides.reference, sides.comparisons)
    width, color = shape(form, place.path)
    title = f"harness compare: {sides.own.label} against {sides.reference.label}"
    whole = form in ("csv", "latex", "html") or output is not None

    def tables() -> list[Table]:
        return comparison_tables(result, whole=whole, each=form == "csv")

    if place.folder:
        emit_files(tables(), place)
    elif in_browser:
        open_page(render_tables(tables, result, form, title=title), place.path)
    else:
        emit(render_tables(tables, result, form, title=title, width=width, color=color), place.path, form)
    if result["counts"]["differs"]:
        raise typer.Exit(1)
