"""What a run has stored, for the provenance of a report: tasks, checkpoints, and where it was computed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.store import RunReader, StoredCell

TOLD_ELSEWHERE = ("created", "command")
"""Facts of a session that differ from cell to cell, or that the history of the run has."""


def stored_facts(run: RunReader, cells: Mapping[tuple[str, str], StoredCell]) -> dict[str, Any]:
    """``tasks``, ``checkpoints`` and ``sessions`` of the complete cells of a run; JSON-ready.

    Args:
        cells: by task and model, in any state.

    Returns:
        ``tasks``: task -> `_task`; ``checkpoints``: model -> SHA-256 digests of its files, without those of networks
        that have none; ``sessions``: versions, revision and devices with which the cells were computed, each once.
    """
    from harness.store import is_complete

    complete = {place: cell for place, cell in cells.items() if is_complete(run, place, cell)}
    return {"tasks": _tasks(run, complete), "checkpoints": _checkpoints(complete), "sessions": _sessions(complete)}


def _tasks(run: RunReader, cells: Mapping[tuple[str, str], StoredCell]) -> dict[str, dict[str, Any]]:
    """Task -> its models, images, columns, trials, the side of its stimuli in pixels, and the digest of its dataset."""
    cells_of: dict[str, list[StoredCell]] = {}
    for (task, _), cell in cells.items():
        cells_of.setdefault(task, []).append(cell)
    tasks = {}
    for task, stored in cells_of.items():
        header = run.layout_header(task)
        tasks[task] = {
            "models": len(stored),
            "images": header.samples,
            "columns": header.conditions,
            "trials": len(stored) * header.samples * header.conditions,
            "size": header.size,
            "dataset": stored[0].job.identity.manifest,
        }
    return tasks


def _checkpoints(cells: Mapping[tuple[str, str], StoredCell]) -> dict[str, list[str]]:
    digests: dict[str, dict[str, None]] = {}
    for (_, model), cell in cells.items():
        digests.setdefault(model, {}).update(dict.fromkeys(cell.job.identity.checkpoint))
    return {model: list(of_model) for model, of_model in digests.items() if of_model}


def _sessions(cells: Mapping[tuple[str, str], StoredCell]) -> list[dict[str, Any]]:
    texts = dict.fromkeys(
        json.dumps({key: value for key, value in session.items() if key not in TOLD_ELSEWHERE})
        for cell in cells.values()
        for session in ([json.loads(text) for text in cell.sessions] or [cell.provenance])
    )
    return [json.loads(text) for text in texts]
