"""The sides of a comparison: a run, whose measures are recomputed, or a published table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from harness.errors import RequestError
from harness.records import ImportedTable
from harness.study.comparing import Side
from harness.study.missing import reasons_of_published

if TYPE_CHECKING:
    from harness.interfaces import Importer, Probe
    from harness.store import RunReader

SETTINGS: Final = ("seed", "precision", "device_type", "batch_size")
"""Settings of a run that can move its numbers; the effect of ``--limit`` is stated with each measure."""


def run_side(path: Path, probes: Mapping[str, Probe]) -> Side:
    """The measures of a run, with its settings and protocols. Raises as `harness.study.compose.open_study`."""
    from harness.store import RunReader
    from harness.study.compose import open_study

    study = open_study([path], probes)
    run = RunReader.open(path)
    table = run.imported if run.kind == "imported" else None
    settings = dict(run.settings)
    limit = settings.get("limit")
    partial = {name: f"{path}: {remarks[0]}" for name, remarks in run.record.warnings.items() if remarks}
    if limit is not None:
        partial = {"*": f"{path}: --limit {limit}"}
    return Side(
        label=str(path),
        models={model.name: model.measures for model in study.models},
        missing={model.name: model.missing for model in study.models},
        partial=partial,
        protocols=_protocols(run),
        settings={name: settings[name] for name in SETTINGS if name in settings},
        errata=table.errata if table else (),
        tolerances=table.tolerances if table else (),
    )


def _protocols(run: RunReader) -> dict[tuple[str, str], dict[str, dict[str, Any]]]:
    """(model, dataset) -> task -> the probe, resize and crop of its trials."""
    protocols: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for (task, model), cell in run.cells().items():
        protocols.setdefault((model, task.partition("@")[2]), {})[task] = cell.job.identity.measurement()
    return protocols


def table_side(importer: Importer, path: Path) -> Side:
    """The measures of the published table in `path`. Raises RequestError if it holds single decisions."""
    table: ImportedTable | object = importer.read(path)
    if not isinstance(table, ImportedTable):
        raise RequestError(
            f"{path} holds single decisions, not measures",
            remedy=f"harness import {importer.name} {path} --out RUN, then --against RUN",
        )
    return Side(
        label=f"{importer.name} ({path})",
        models={model.name: model.measures for model in table.models},
        missing={model.name: reasons_of_published(model.missing) for model in table.models},
        errata=table.errata,
        tolerances=table.tolerances,
    )
