"""``harness compare``: the numbers of a run beside published ones, or beside those of another run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.browser import Open, open_page, page_format
from harness.cli.options import Data, PluginFolders, Registries, choice, open_house
from harness.cli.report import emit, shape


def compare(
    run: Annotated[Path, typer.Argument(metavar="RUN")],
    against: Annotated[
        str, typer.Option("--against", metavar="RUN|FORMAT", help="Another run, or a published table such as paper.")
    ],
    table: Annotated[Path | None, typer.Option("--table", metavar="FILE", help="The published table.")] = None,
    form: Annotated[str, typer.Option("--format", metavar="terminal|json|csv|markdown|html")] = "terminal",
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Default: stdout.")] = None,
    in_browser: Open = False,
    data: Data = None,
    registry: Registries = None,
    plugins: PluginFolders = None,
) -> None:
    """Each measure's difference, tolerance and known erratum. Exit code 1 if a difference exceeds both."""
    from harness.output.formats import FORMATS, render_tables
    from harness.store import refuse_inside
    from harness.study.comparison_tables import comparison_data, comparison_tables
    from harness.workflows.compare import compare_runs

    choice("format", form, FORMATS)
    form = page_format(form) if in_browser else form
    refuse_inside(output, (run, Path(against)))
    sides = compare_runs(run, against, open_house(registry, plugins).plugins, table=table, data=data or ())
    result = comparison_data(sides.own, sides.reference, sides.comparisons)
    width, color = shape(form, output)
    title = f"harness compare: {sides.own.label} against {sides.reference.label}"
    whole = form in ("csv", "html") or output is not None
    text = render_tables(
        lambda: comparison_tables(result, whole=whole, each=form == "csv"),
        result,
        form,
        title=title,
        width=width,
        color=color,
    )
    if in_browser:
        open_page(text, output)
    else:
        emit(text, output, form)
    if result["counts"]["differs"]:
        raise typer.Exit(1)
