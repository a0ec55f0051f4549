"""The cells of a run that can be read, and why others cannot: a damaged cell costs its own numbers alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from harness.errors import StoreError

if TYPE_CHECKING:
    from harness.store.cells import StoredCell
    from harness.store.reader import RunReader

Place = tuple[str, str]
"""Task and model."""


class Cells(NamedTuple):
    """The cells of a run by task and model: those whose state can be read, and the errors of the others."""

    sound: Mapping[Place, StoredCell]
    damaged: Mapping[Place, StoreError]


def cells_of(run: RunReader) -> Cells:
    """The state of every cell of `run`."""
    sound: dict[Place, StoredCell] = {}
    damaged: dict[Place, StoreError] = {}
    for place in run.places():
        try:
            cell = run.cell(*place)
        except StoreError as error:
            damaged[place] = error
            continue
        if cell is not None:
            sound[place] = cell
    return Cells(sound, damaged)


def is_complete(run: RunReader, place: Place, cell: StoredCell) -> bool:
    """Whether all trials of the cell are stored; not if its layout cannot be read."""
    try:
        run.samples_digest(place[0])  # raises for axes that are damaged
        return cell.complete(run.layout_header(place[0]))
    except StoreError:
        return False
