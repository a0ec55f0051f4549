"""``harness import``: published tables and decisions become a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import Data, PluginFolders, Registries, open_house, quoted, repeated
from harness.local.paths import home_path
from harness.output.streams import remark_line


def import_table(
    form: Annotated[str, typer.Argument(metavar="FORMAT", help="Format of the table: paper, model-vs-human, …")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The table; a folder where it has several files.")],
    out: Annotated[Path, typer.Option("--out", metavar="RUN", help="Run folder to create.")],
    data: Data = None,
    registry: Registries = None,
    plugins: PluginFolders = None,
) -> None:
    """Turn published results into a run: a read-only table, or single decisions, whose measures are computed here."""
    from harness.local.provenance import command_line
    from harness.records import DecisionTable
    from harness.workflows.importing import import_results

    out = home_path(out)
    table = import_results(form, file, out, open_house(registry, plugins).plugins, command_line(), data or ())
    report = f"harness report {quoted(out)}{repeated({'--plugins': plugins, '--registry': registry})}"
    if isinstance(table, DecisionTable):
        for remark in table.remarks:
            remark_line(remark)
        observers = len({decisions.observer for decisions in table.decisions})
        trials = sum(decisions.top5[:, :, 0].size for decisions in table.decisions)
        remark_line(
            f"{trials:,} decisions of {observers} observers in {out}; next: {report}; to compare errors: "
            f"{report} --report consistency"
        )
    else:
        remark_line(f"{len(table.models)} models of {table.title} in {out}; next: {report}")
