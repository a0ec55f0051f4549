"""What a killed process may have left unsynced: names in folders, which everybody sees and a power cut takes away."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final

from harness.local.writing import sync_folder

_THREADS: Final = 8


def sync_below(folder: Path) -> None:
    """Make all names below `folder` durable. Follows no link. Raises OSError."""
    places = [Path(place) for place, _, _ in os.walk(folder)]
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(sync_folder, places))


def sync_above(folder: Path, most: int | None = None) -> None:
    """Make the name of `folder` durable, and those of the folders above on its disk, where this user may read them.

    Args:
        most: number of names; None: all.
    """
    for above in islice(_on_one_disk(Path(os.path.realpath(folder))), most):
        with suppress(PermissionError):
            sync_folder(above)


def _on_one_disk(folder: Path) -> Iterator[Path]:
    device = folder.stat().st_dev
    for above in folder.parents:
        if above.stat().st_dev != device:
            return
        yield above
