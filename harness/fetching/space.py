"""Disk space: checked before it is needed, with one clear line if there is too little."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from harness.errors import FetchError

_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


def check_space(folder: Path, needed: int) -> None:
    """Raises FetchError if fewer than `needed` bytes are free on the disk of `folder`."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise FetchError(_no_space(folder, f"{needed:,} more bytes are needed, {free:,} are free"))


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turns OSError into FetchError: a full disk, or a folder that cannot be written."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise FetchError(_no_space(folder, f"{shutil.disk_usage(folder).free:,} bytes are free")) from error
        raise FetchError(f"cannot write in {folder}: {error.strerror or error}") from error


def _no_space(folder: Path, how_much: str) -> str:
    return (
        f"no space left in {folder}: {how_much}. The partial download is kept: free some space, or set HARNESS_CACHE "
        "or --data to a larger disk, and type the same command again"
    )
