"""``harness compare``: one's own numbers beside published ones, or beside those of another run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.options import Data, House, PluginFolders, Registries, choice, open_house
from harness.cli.report import emit, shape
from harness.errors import RequestError

if TYPE_CHECKING:
    from harness.interfaces import Importer
    from harness.records import ImportedTable
    from harness.store import RunReader
    from harness.study.comparing import Side

SETTINGS = ("seed", "precision", "device_type", "batch_size")
"""Settings of a run that can move its numbers; what ``--limit`` leaves out is told with each measure."""


def compare_runs(
    run: Annotated[Path, typer.Argument(metavar="RUN")],
    against: Annotated[
        str, typer.Option("--against", metavar="RUN|FORMAT", help="Another run, or a published table such as paper.")
    ],
    table: Annotated[
        Path | None, typer.Option("--table", metavar="FILE", help="Where the published table lies.")
    ] = None,
    form: Annotated[str, typer.Option("--format", metavar="terminal|json|csv|markdown|html")] = "terminal",
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Default: stdout.")] = None,
    data: Data = None,
    registry: Registries = None,
    plugins: PluginFolders = None,
) -> None:
    """Each measure's difference, its tolerance and its known erratum. Exit code 1 if something differs beyond them."""
    from harness.output.formats import FORMATS, render_tables
    from harness.study.comparing import compare
    from harness.study.comparison_tables import comparison_data, comparison_tables

    choice("format", form, FORMATS)
    house = open_house(registry, plugins)
    mine, theirs = _run_side(run, house), _other_side(against, table, data, house)
    result = comparison_data(mine, theirs, compare(mine, theirs))
    width, color = shape(form, output)
    title = f"harness compare: {mine.label} against {theirs.label}"
    whole = form == "csv" or output is not None
    text = render_tables(
        lambda: comparison_tables(result, whole=whole), result, form, title=title, width=width, color=color
    )
    emit(text, output)
    if result["counts"]["differs"]:
        raise typer.Exit(1)


def _run_side(path: Path, house: House) -> Side:
    """The measures of a run, and on what they rest."""
    from harness.store import RunReader
    from harness.study.comparing import Side
    from harness.study.compose import open_study

    study = open_study([path], house.plugins.probes)
    run = RunReader.open(path)
    table = run.imported if run.kind == "imported" else None
    settings = dict(run.settings)
    limit = settings.get("limit")
    protocols = _protocols(run)
    partial = {name: f"{path}: {remarks[0]}" for name, remarks in run.record.warnings.items() if remarks}
    if limit is not None:
        partial = {"*": f"{path}: --limit {limit}"}
    return Side(
        label=str(path),
        models={one.name: one.measures for one in study.models},
        missing={one.name: one.missing for one in study.models},
        partial=partial,
        protocols=protocols,
        settings={name: settings[name] for name in SETTINGS if name in settings},
        errata=table.errata if table else (),
        tolerances=table.tolerances if table else (),
    )


def _protocols(run: RunReader) -> dict[tuple[str, str], dict[str, dict[str, Any]]]:
    """(model, dataset) -> task -> the probe, and resize and crop, with which its trials were made."""
    found: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for (task, model), cell in run.cells().items():
        found.setdefault((model, task.partition("@")[2]), {})[task] = cell.job.identity.measurement()
    return found


def _other_side(against: str, table: Path | None, data: list[str] | None, house: House) -> Side:
    """A run folder of that name, else the published table that an importer of that name reads."""
    if table is None and (Path(against) / "run.json").is_file():
        return _run_side(Path(against), house)
    if against not in house.plugins.importers:
        known = ", ".join(sorted(house.plugins.importers)) or "none"
        given = "no published table" if table is not None else "neither a run folder nor a published table"
        raise RequestError(
            f"--against {against} is {given}. Published tables: {known}. Type: --against RUN, or --against FORMAT"
        )
    importer = house.plugins.importer(against)
    path = table if table is not None else _table_below(importer, data)
    if not path.is_file():
        origin = f" It is published at {importer.url}." if importer.url else ""
        raise RequestError(f"no file {path} to compare with.{origin} Type: --against {against} --table FILE")
    return _table_side(importer, path)


def _table_below(importer: Importer, data: list[str] | None) -> Path:
    """Where a published table lies if nothing else is said: ROOT/<importer>/<file name of its URL>."""
    from harness.data.roots import DataRoots

    root = DataRoots.parse(data or ()).default
    name = importer.url.rpartition("/")[2]
    if root is None or not name:
        origin = f" It is published at {importer.url};" if importer.url else ""
        where = f" or --data ROOT (or HARNESS_DATA) with {importer.name}/{name} below it" if name else ""
        raise RequestError(f"no table {importer.name} to compare with.{origin} type: --table FILE{where}")
    return root / importer.name / name


def _table_side(importer: Importer, path: Path) -> Side:
    from harness.records import ImportedTable
    from harness.study.comparing import Side

    table: ImportedTable | object = importer.read(path)
    if not isinstance(table, ImportedTable):
        raise RequestError(
            f"{path} holds single decisions, not measures. Type: harness import {importer.name} {path} --out RUN, "
            f"then --against RUN"
        )
    return Side(
        label=f"{importer.name} ({path})",
        models={one.name: one.measures for one in table.models},
        missing={one.name: one.missing for one in table.models},
        errata=table.errata,
        tolerances=table.tolerances,
    )
