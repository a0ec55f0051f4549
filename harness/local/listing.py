"""What lies in a folder, where a disk that does not answer is no empty folder.

`Path.exists`, `os.path.lexists` and `Path.glob` take errors of the disk for "there is nothing".
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

from harness.local.machine import unreadable

_ABSENT: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})


def is_there(path: str | Path, *, follow: bool = True) -> bool:
    """Whether something is at `path`. Raises UnreadableError if the disk does not say.

    Args:
        follow: whether a link counts as what it leads to; else as itself.
    """
    try:
        os.stat(path, follow_symlinks=follow)  # noqa: PTH116 - thousands in a run: no Path each
    except ValueError:  # a name that no file can have
        return False
    except OSError as error:
        if error.errno in _ABSENT:
            return False
        raise unreadable(Path(path), error) from error
    return True


def names_in(folder: Path) -> list[str]:
    """The names in `folder`, sorted; none if it does not exist. Raises UnreadableError if the disk does not say."""
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - the names alone
    except OSError as error:
        if error.errno in _ABSENT:
            return []
        raise unreadable(folder, error) from error
