"""A lost ``run.json``, made again from the cells: each states the settings of the run and the command that made it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import RunError, StoreError, UnreadableError
from harness.local.listing import is_there
from harness.local.regular import refuse_links
from harness.store.cells import CellFolder, CellRecord
from harness.store.file_names import named_folders


def stored_records(path: Path) -> list[CellRecord]:
    """The current record of each cell below the run folder `path`. Raises StoreError if one is damaged."""
    if not is_there(path / "shards", follow=False):
        return []
    shards = refuse_links(path, "shards")
    places = [
        refuse_links(shards, task, model)
        for task in named_folders(shards, "layout.h5")
        for model in named_folders(refuse_links(shards, task), "cell.json")
    ]
    return [record for place in places if (record := CellFolder(place).record()) is not None]


def remade_fields(path: Path) -> dict[str, Any] | None:
    """Settings, planned cells and the first date of a run that has lost its manifest; None if it has no cells.

    Raises:
        RunError: a cell is damaged, two are of other settings, or they hold imported decisions.
    """
    try:
        records = stored_records(path)
    except StoreError as error:
        raise RunError(f"{path} has no run.json, and it cannot be made again: {error}") from error
    if not records:
        return None
    settings = records[0].job.identity.settings
    planned: dict[str, dict[str, str]] = {}
    for record in records:
        if record.job.identity.settings != settings:
            raise RunError(f"{path} has no run.json, and its cells are of different settings; choose another --out")
        planned.setdefault(record.job.task, {})[record.job.model] = ""
    if not settings:
        raise RunError(f"{path} has no run.json; it holds imported decisions: import them again into another --out")
    created = min(str(record.provenance.get("created", "")) for record in records)
    return {"settings": dict(settings), "planned": planned, "created": created}


def lost_manifest(path: Path) -> RunError | None:
    """The error for a run that has cells but no manifest; None if there are no cells.

    Its remedy is the command that computed the latest cell, as it was typed. Raises UnreadableError: the disk does not
    say whether there are cells.
    """
    try:
        records = stored_records(path)
    except UnreadableError:
        raise
    except StoreError:
        records = []
    commands = sorted((str(record.provenance.get("created", "")), _typed(record.provenance)) for record in records)
    if not commands:
        return None
    return RunError(
        f"{path} has lost its run.json; its {len(commands)} cells are there. The `harness run` command that "
        "made the run makes it again, and computes only what is missing",
        remedy=commands[-1][1] or f"harness run … --out {path}",
    )


def _typed(provenance: Mapping[str, Any]) -> str:
    command = provenance.get("command")
    words = command if isinstance(command, list) else []
    return shlex.join(words) if all(isinstance(word, str) for word in words) else ""
