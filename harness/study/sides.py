"""The sides of a comparison: a run, whose measures are recomputed, or a published table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.errors import RequestError
from harness.names import dataset_in
from harness.records import ImportedTable
from harness.study.importing import read_table
from harness.study.measuring import RowReader
from harness.study.missing import reasons_of_published
from harness.study.protocols import Origin, Standard, standard_of
from harness.study.side import Samples, Side

if TYPE_CHECKING:
    from harness.importer import Importer
    from harness.interfaces import Dataset, Probe
    from harness.store import RunReader, StoredCell

SETTINGS: Final = ("seed", "precision", "device_type", "batch_size")
"""Settings of a run that can move its numbers; the effect of ``--limit`` is stated with each measure."""


def run_side(path: Path, probes: Mapping[str, Probe], datasets: Mapping[str, Dataset]) -> Side:
    """The measures of a run, with its settings and protocols.

    Args:
        probes, datasets: installed ones by name.

    Raises:
        RequestError, StoreError: as `harness.study.compose.open_study`.
    """
    from harness.store import RunReader

    run, reader = RunReader.open(path), RowReader(probes)
    reader.add(run, str(path))
    rows = list(reader.rows())
    table = run.imported if run.kind == "imported" else None
    cells = {} if table else run.cells()
    settings = dict(run.settings)
    return Side(
        label=str(path),
        models={row.name: row.measures for row in rows},
        missing={row.name: row.missing for row in rows},
        partial=_parts(run, cells, datasets),
        origins={row.name: row.origins for row in rows},
        cells={place: Origin.of(cell) for place, cell in cells.items()},
        samples=lambda task: _samples(run, task),
        standard=standard_of(probes, datasets) if table else None,
        settings={name: settings[name] for name in SETTINGS if name in settings},
        probes=table.probes if table else {},
        errata=table.errata if table else (),
        tolerances=table.tolerances if table else (),
    )


def _parts(
    run: RunReader, cells: Mapping[tuple[str, str], StoredCell], datasets: Mapping[str, Dataset]
) -> dict[str, str]:
    """Dataset -> which part of it was measured; of those whose complete size is known."""
    limit = run.settings.get("limit")
    if limit is not None:
        return {"*": f"{run.path}: --limit {limit}"}
    parts = {}
    for (task, _), cell in cells.items():
        name, images = dataset_in(task), cell.job.identity.images
        release = datasets[name].release() if name in datasets else None
        if release is not None and images is not None and images < release.images:
            parts[name] = f"{run.path}: {images:,} of {release.images:,} images"
    return parts


def _samples(run: RunReader, task: str) -> Samples:
    """The images of a task, and their accepted classes."""
    layout = run.layout(task)
    return {
        sample: tuple(target for target in targets if target >= 0)
        for sample, targets in zip(layout.sample_ids, layout.targets.tolist(), strict=True)
    }


def table_side(importer: Importer, path: Path, standard: Standard) -> Side:
    """The measures of the published table in `path`. Raises RequestError if it holds single decisions or nothing."""
    table = read_table(importer, path)
    if not isinstance(table, ImportedTable):
        raise RequestError(
            f"{path} holds single decisions, not measures",
            remedy=f"harness import {importer.name} {path} --out RUN, then --against RUN",
        )
    return Side(
        label=f"{importer.name} ({path})",
        models={model.name: model.measures for model in table.models},
        missing={model.name: reasons_of_published(model.missing) for model in table.models},
        standard=standard,
        probes=table.probes,
        errata=table.errata,
        tolerances=table.tolerances,
    )
