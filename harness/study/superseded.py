"""Cells measured with an earlier network of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from harness.identity import difference

if TYPE_CHECKING:
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
        (task, model): difference(cell.job.identity.network, latest[model].job.identity.network)
        for (task, model), cell in cells.items()
    }
    return {place: f"measured with an earlier network ({change})" for place, change in changes.items() if change}


def _created(cell: StoredCell) -> str:
    """When the cell was begun, in ISO 8601 and UTC, which sorts by time."""
    return str(cell.provenance.get("created", ""))
