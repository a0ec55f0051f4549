"""``harness report``."""

from __future__ import annotations

import gc
import os
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.browser import Open, open_page, page_format
from harness.cli.destination import Destination, emit_files, emit_tidy
from harness.cli.figures import FIGURE_HELP, LISTED, WIDTH_HELP, Asked, show_figures
from harness.cli.options import PluginFolders, Registries, choice, open_house, stdout_console, text_width
from harness.errors import RequestError
from harness.output.files import write_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.interfaces import Report
    from harness.records import Study

DEFAULT = "correlation"
FORMATS = ("terminal", "json", "tidy", "csv", "markdown", "latex", "html")
FORMAT_HELP = "tidy: the measures of the study, a row each, as .csv or .parquet. latex: tables for a paper."
FOLDER_HELP = "csv into a folder: one file for each table."


def report(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN …", help="Run folders, imported ones too. LABEL=RUN shows runs of one model side by side."
        ),
    ],
    name: Annotated[str, typer.Option("--report", metavar="NAME", help="Which report.")] = DEFAULT,
    form: Annotated[str, typer.Option("--format", metavar="|".join(FORMATS), help=FORMAT_HELP)] = FORMATS[0],
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="FILE|FOLDER/", help=f"Default: stdout. {FOLDER_HELP}"),
    ] = None,
    figure: Annotated[
        str | None, typer.Option("--figure", metavar="NAME|all|list", help=f"Figures instead of tables. {FIGURE_HELP}")
    ] = None,
    width: Annotated[str | None, typer.Option("--width", metavar="column|page|INCHES", help=WIDTH_HELP)] = None,
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
    from harness.workflows.run_folders import RunFolders
    from harness.workflows.study import opened

    form = page_format(form, figure) if in_browser else form
    if figure is None:
        choice("format", form, FORMATS)
    folders = RunFolders.of_words(runs)
    drawn = figure is not None
    place = Destination.of(output, form, folders.paths, several=form == "csv" or drawn, figure=drawn)
    asked = _asked(name, form, figure, width, place)
    gc.set_threshold(100_000, 20, 20)  # tens of thousands of measures stay to the end: looking for garbage takes longer
    # A report needs no registry; one that is given is checked.
    installed = open_house(registry, plugins).plugins if registry else load_plugins(plugins or ())
    plugin = installed.report(name)
    study = opened(folders, installed, apply_errata=apply_errata, ungrouped=ungrouped, sort=sort)
    if asked is not None:
        show_figures(plugin, study, asked)
    elif form == "tidy":
        emit_tidy(study.measures(), place)
    else:
        _emit_tables(plugin, study, form, place, in_browser)
    if form == "terminal" and figure is None and output is None:
        _print_sources(folders.paths)


def _asked(name: str, form: str, figure: str | None, width: str | None, place: Destination) -> Asked | None:
    """The figures that are asked for, if any are. Raises RequestError for options that do not go together."""
    if form == "tidy" and figure is None and name != DEFAULT:
        raise _tidy_of(name)
    if width is not None and (figure in (None, LISTED) or place.path is None or form == "json"):
        raise RequestError("--width is that of a picture in a file", remedy="--figure NAME -o FILE.pdf")
    return None if figure is None else Asked.of(figure, form, width, place)


def _emit_tables(plugin: Report, study: Study, form: str, place: Destination, in_browser: bool) -> None:
    """The tables of a report, or its data as JSON: on stdout, in a file, or a CSV file for each table in a folder.

    Args:
        in_browser: show the page, which `form` asks for.
    """
    from harness.output.formats import render
    from harness.output.promises import checked_data, strict_json

    data = checked_data(plugin.name, plugin.data(study))
    if place.folder:
        emit_files(plugin.full_tables(data), place)
        return
    width, color = shape(form, place.path)
    with strict_json(plugin.name) if form == "json" else nullcontext():
        text = render(plugin, data, form, width=width, color=color)
    if in_browser:
        open_page(text, place.path)
    else:
        emit(text, place.path, form)


def _tidy_of(name: str) -> RequestError:
    return RequestError(
        f"--format tidy writes the measures of the study, whatever the report, and nothing of report {name!r}",
        remedy="--format csv",
    )


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
    return text_width(), color


def emit(text: str, output: Path | None, form: str = "terminal") -> None:
    """Print the result, or write it to a file in UTF-8. Raises RequestError if the file cannot be written."""
    from harness.output.streams import write_result

    if output is None:
        write_result(text, form)
    else:
        write_file(output, text)
