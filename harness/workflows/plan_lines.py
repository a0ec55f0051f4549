"""Why cells of a plan are not simply run, as lines of text: equal reasons share a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from harness.planning.plan import PlannedCell

FEW: Final = 4
"""Up to this many names are written out, and up to this many different reasons are not merged."""
LINES: Final = 8
"""Most lines of reasons for one status; the JSON has all of them."""


def reason_lines(cells: Sequence[PlannedCell]) -> Iterator[str]:
    """Why cells are not simply run: one line for each distinct reason, at most LINES for each status."""
    statuses = dict.fromkeys(cell.status for cell in cells if cell.reason)
    for status in statuses:
        groups: dict[str, list[PlannedCell]] = {}
        for cell in cells:
            if cell.status == status and cell.reason:
                groups.setdefault(cell.reason, []).append(cell)
        if merged := len(groups) > FEW:
            groups = _merged(groups.values())
        for reason, members in list(groups.items())[:LINES]:
            yield f"{status}: {_cells_text(members)}: {reason}"
        if len(groups) > LINES:
            hidden = sum(map(len, list(groups.values())[LINES:]))
            yield f"{status}: {hidden} more cells for {len(groups) - LINES} other reasons"
        if merged:
            doctor = "; what to get: harness doctor --suite NAME" if status == "missing" else ""
            yield f"  each {status} cell with its reason in full: --dry-run --json{doctor}"


def _merged(groups: Iterable[Sequence[PlannedCell]]) -> dict[str, list[PlannedCell]]:
    """Merge reasons that differ only in names; the merged reason has no remedy."""
    merged: dict[str, list[PlannedCell]] = {}
    for cell in chain.from_iterable(groups):
        general = cell.because.general or cell.because.text if cell.because else ""
        merged.setdefault(general, []).append(cell)
    return merged


def _cells_text(cells: Sequence[PlannedCell]) -> str:
    """``resnet50 on accuracy@imagenet``, or how many cells of which models and tasks."""
    models, tasks = dict.fromkeys(cell.model for cell in cells), dict.fromkeys(cell.task for cell in cells)
    names = f"{named(models)} on {named(tasks)}"
    return names if len(cells) == 1 else f"{len(cells)} cells, {names}"


def named(names: Iterable[str]) -> str:
    """The names; if there are many, the first of them and their number."""
    texts = list(names)
    return ", ".join(texts) if len(texts) <= FEW else f"{', '.join(texts[: FEW - 2])}, … ({len(texts)})"
