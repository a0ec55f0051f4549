"""Runs of kind ``imported``: a published table, as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.errors import StoreError
from harness.local.recall import remembered
from harness.records import Erratum, ImportedModel, ImportedTable, Measure, StatisticsPlan, Tolerance
from harness.store import run_record
from harness.store.forms import TABLE, refuse_misfit
from harness.store.seal import read_sealed, write_sealed


def table_to_json(table: ImportedTable) -> dict[str, Any]:
    """`table` as a JSON-ready object."""
    stored = {**asdict(table), "statistics": table.statistics.document()}
    for model in stored["models"]:
        for measure in model["measures"].values():
            del measure["by_image"]  # unknown for published tables
    return stored


def table_from_json(stored: Mapping[str, Any]) -> ImportedTable:
    """The inverse of `table_to_json`. Raises KeyError, TypeError or ValueError for any other object."""
    models = tuple(
        ImportedModel(
            name=model["name"],
            group=model["group"],
            measures={
                name: Measure(**{**fields, "flags": tuple(fields["flags"])})
                for name, fields in model["measures"].items()
            },
            missing=model["missing"],
        )
        for model in stored["models"]
    )
    biases, axes = ({name: tuple(parts) for name, parts in stored[kind].items()} for kind in ("biases", "axes"))
    return ImportedTable(
        title=stored["title"],
        source=stored["source"],
        license=stored["license"],
        models=models,
        biases=biases,
        axes=axes,
        titles=stored.get("titles", {}),
        errata=tuple(Erratum(**fields) for fields in stored.get("errata", ())),
        tolerances=tuple(Tolerance(**fields) for fields in stored.get("tolerances", ())),
        probes=dict(stored.get("probes", {})),
        statistics=StatisticsPlan.parse(stored.get("statistics", {})),
    )


def read_table(path: Path) -> ImportedTable:
    """The table of the run folder `path`. Raises StoreError if it is damaged."""
    return _read(path / run_record.MEASURES)


@remembered(4)
def _read(file: Path) -> ImportedTable:
    remedy = f"delete {file.parent} and import the table again"
    try:
        stored = read_sealed(file, remedy)
        refuse_misfit(stored, TABLE)
        return table_from_json(stored)
    except (FileNotFoundError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise StoreError(f"{file} is damaged ({error!r}); {remedy}") from error


def store_table(path: str | Path, table: ImportedTable, *, source_sha256: str, command: Sequence[str]) -> None:
    """Store a published table as a run of kind ``imported``.

    Raises:
        RunError: `path` is not empty, or cannot be written.
    """
    path = Path(path)
    with run_record.claimed(path, lambda: run_record.refuse_occupied(path)) as lock:
        manifest = run_record.new_manifest(
            "imported", {}, title=table.title, source=table.source, license=table.license, sha256=source_sha256
        )
        manifest["history"].append(run_record.history_entry(command))
        write_sealed(path / run_record.MEASURES, table_to_json(table))
        write_sealed(path / run_record.MANIFEST, manifest)
    lock.release()
