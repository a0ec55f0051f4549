"""Deleting what is not needed any more. What cannot be deleted costs a warning: nothing depends on it."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.errors import UnreadableError
from harness.local.machine import is_of_machine, refusal
from harness.local.writing import sync_folder

log = logging.getLogger(__name__)


def discard(paths: Sequence[Path]) -> None:
    """Delete files and folders, durably; one warning says what is left. What has vanished meanwhile is deleted."""
    failed: list[OSError] = []
    for path in paths:
        try:
            _delete(path)
        except OSError as error:
            if not is_of_machine(error):
                raise
            failed.append(error)
    with tidying(paths[0].parent if paths else Path()):
        if failed:
            raise failed[0]
        for folder in {path.parent for path in paths}:
            sync_folder(folder)


@contextmanager
def tidying(folder: Path) -> Iterator[None]:
    """Warns of what the machine refuses while `folder` is tidied."""
    try:
        yield
    except (OSError, UnreadableError) as error:
        if not is_of_machine(error):
            raise
        log.warning("cannot tidy up %s: %s. The next run tries again", folder, refusal(error))


def _delete(path: Path) -> None:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    except FileNotFoundError:
        return
