"""Cells measured with an earlier network of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.identity import difference

if TYPE_CHECKING:
    from harness.records import Job
    from harness.store import RunReader
    from harness.store.cells import StoredCell


def superseded(cells: Mapping[tuple[str, str], StoredCell]) -> dict[tuple[str, str], str]:
    """Cells of one run measured with an earlier network of the same name, and how it differs from the latest.

    When a checkpoint changes, its cells are rerun, except those whose data is no longer available. One row must never
    mix the numbers of two networks.
    """
    latest: dict[str, StoredCell] = {}
    for (_, model), cell in cells.items():
        if model not in latest or _created(latest[model]) < _created(cell):
            latest[model] = cell
    changes = {
        (task, model): network_change(network_of(cell.job), network_of(latest[model].job))
        for (task, model), cell in cells.items()
    }
    return {place: f"measured with an earlier network ({change})" for place, change in changes.items() if change}


def network_change(first: Mapping[str, Any] | None, second: Mapping[str, Any] | None) -> str:
    """How two networks differ, in words; empty if they agree, one is unknown, or only files with the same tensors."""
    if first is None or second is None:
        return ""
    same_tensors = bool(first.get("tensors")) and first["tensors"] == second.get("tensors")
    ignored = {"tensors", "checkpoint"} if same_tensors else {"tensors"}
    first, second = ({name: of[name] for name in of if name not in ignored} for of in (first, second))
    return difference(first, second)


def network_of(job: Job) -> dict[str, Any]:
    """Checkpoint and loading of a cell, with the digests of its tensors."""
    return {**job.identity.network, "tensors": job.tensors}


def _created(cell: StoredCell) -> str:
    """When the cell was begun, in ISO 8601 and UTC, which sorts by time."""
    return str(cell.provenance.get("created", ""))


def unlike(run: RunReader, cell: StoredCell, other: StoredCell) -> str:
    """How `cell` differs, other than in its task, from one whose trials its probe requires; empty if it does not."""
    changed = difference(other.job.identity.without_task(), cell.job.identity.without_task())
    if not changed and run.samples_digest(other.job.task) != run.samples_digest(cell.job.task):
        return "its samples differ"
    return changed
