"""Paths as users give them: regular files, and ``~``."""

from __future__ import annotations

import errno
import stat
from pathlib import Path

from harness.errors import RequestError

_KINDS = (
    (stat.S_ISDIR, "is a folder"),
    (stat.S_ISFIFO, "is a FIFO"),
    (stat.S_ISCHR, "is a device"),
    (stat.S_ISBLK, "is a device"),
    (stat.S_ISSOCK, "is a socket"),
)


def regular(path: Path) -> Path:
    """`path`, if it is a regular file or a link to one; anything else might be read for ever and is not opened.

    Raises OSError, whose `strerror` says what it is.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        kind = next((kind for is_kind, kind in _KINDS if is_kind(mode)), "is something else")
        raise OSError(errno.EINVAL, f"{kind}, expected a regular file", str(path))
    return path


def home_path(path: str | Path) -> Path:
    """`path` with ``~`` and ``~user`` as a shell reads them. Raises RequestError if there is no such user."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise RequestError(f"{path}: no such user. Write the folder in full") from error
