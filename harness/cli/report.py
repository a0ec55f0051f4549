"""``harness report``."""

from __future__ import annotations

import gc
import os
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.browser import Open, open_page, page_format
from harness.cli.options import PluginFolders, Registries, choice, open_house, stdout_console
from harness.errors import UnknownNameError
from harness.foreign import one_line
from harness.output.files import write_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.interfaces import Report
    from harness.records import Figure, Study

LISTED = "list"
"""The value of --figure that prints the names of all figures."""


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN …", help="Run folders, imported ones too.")],
    name: Annotated[str, typer.Option("--report", metavar="NAME", help="Which report.")] = "correlation",
    form: Annotated[str, typer.Option("--format", metavar="terminal|json|csv|markdown|html")] = "terminal",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Default: stdout. Figures: .svg or .png")
    ] = None,
    figure: Annotated[
        str | None, typer.Option("--figure", metavar="NAME|list", help="One figure instead of the tables.")
    ] = None,
    sort: Annotated[
        str | None, typer.Option("--sort", metavar="NAME", help="Bias, axis or measure that orders the models.")
    ] = None,
    apply_errata: Annotated[
        bool, typer.Option("--apply-errata", "--mend", help="Correct the known errors of imported tables.")
    ] = False,
    ungrouped: Annotated[
        bool, typer.Option("--ungrouped", help="Let models without a group take part in correlations.")
    ] = False,
    in_browser: Open = False,
    registry: Registries = None,
    plugins: PluginFolders = None,
) -> None:
    """Measures of one or more runs, and how far biases explain generalization."""
    from harness.discovery.loader import load_plugins
    from harness.output.formats import FORMATS, render
    from harness.output.promises import checked_data, strict_json
    from harness.store import refuse_inside
    from harness.workflows.study import opened

    choice("format", form, FORMATS)
    form = page_format(form, figure) if in_browser else form
    refuse_inside(output, runs)
    gc.set_threshold(100_000, 20, 20)  # tens of thousands of measures stay to the end: looking for garbage takes longer
    # A report needs no registry; one that is given is checked.
    installed = open_house(registry, plugins).plugins if registry else load_plugins(plugins or ())
    plugin = installed.report(name)
    study = opened(runs, installed, apply_errata=apply_errata, ungrouped=ungrouped, sort=sort)
    if figure is not None:
        _figure(plugin, study, figure, form, output)
        return
    width, color = shape(form, output)
    data = checked_data(name, plugin.data(study))
    with strict_json(name) if form == "json" else nullcontext():
        text = render(plugin, data, form, width=width, color=color)
    if in_browser:
        open_page(text, output)
        return
    emit(text, output, form)
    if form == "terminal" and output is None:
        _print_sources(runs)


def _print_sources(runs: Sequence[Path]) -> None:
    """On stderr, below the tables: the files behind them, and other formats."""
    from harness.output.streams import remark_line
    from harness.store.run_record import INDEX

    for run in runs:
        if (run / INDEX).is_file():
            remark_line(f"every decision: {run / INDEX}")
    typer.echo("pictures: --figure list; for machines: --format json", err=True)


def shape(form: str, output: Path | None) -> tuple[int, bool]:
    """Width of the tables in characters, and whether they are coloured."""
    console = stdout_console()
    color = form == "terminal" and output is None and console.is_terminal and "NO_COLOR" not in os.environ
    return min(console.width, 100), color


def emit(text: str, output: Path | None, form: str = "terminal") -> None:
    """Print the result, or write it to a file in UTF-8. Raises RequestError if the file cannot be written."""
    from harness.output.streams import write_result

    if output is None:
        write_result(text, form)
    else:
        write_file(output, text)


def _figure(report: Report, study: Study, name: str, form: str, output: Path | None) -> None:
    """One figure on the terminal, as JSON, or drawn to a file; or the names of all figures."""
    from dataclasses import asdict

    from harness.output.drawing import write
    from harness.output.formats import to_json
    from harness.output.plain_drawing import to_text
    from harness.output.promises import checked_data, checked_figures

    choice("format", form, ("terminal", "json"))
    figures = checked_figures(report.figures(checked_data(report.name, report.data(study))))
    if name == LISTED:
        text = to_json({"figures": [asdict(entry) for entry in figures]}) if form == "json" else _names(figures)
        emit(text, output, form)
        return
    by_name = {entry.name: entry for entry in figures}
    if name not in by_name:
        raise UnknownNameError("figure", name, by_name, remedy="--figure list")
    if form == "json":
        emit(to_json(asdict(by_name[name])), output, form)
    elif output is None:
        emit(to_text(by_name[name], shape(form, output)[0]), output)
    else:
        write(by_name[name], output)


def _names(figures: Sequence[Figure]) -> str:
    width = max((len(one_line(figure.name)) for figure in figures), default=0)
    return "".join(f"{one_line(figure.name):<{width}}  {one_line(figure.title)}\n" for figure in figures)
