"""Paths that users give for a run folder, and at which none can be."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

from harness.errors import RunError, clipped
from harness.local.regular import KINDS

_NO_PATH: Final = (errno.ENAMETOOLONG, errno.ELOOP)


def usable(path: Path) -> Path:
    """`path`, where a run folder may be or be made. Raises RunError for a FIFO, a device, a file, and for no path."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if error.errno in _NO_PATH:
            raise _no_run(path, f"cannot be used as a path ({os.strerror(error.errno)})") from error
        return path  # whoever reads it says what is wrong
    except ValueError as error:
        raise _no_run(path, f"cannot be used as a path ({error})") from error
    if not stat.S_ISDIR(mode):
        raise _no_run(path, f"is {KINDS.get(stat.S_IFMT(mode), 'no folder')}")
    return path


def _no_run(path: Path, problem: str) -> RunError:
    expected = "expected a folder that `harness run` made, or a new name"
    return RunError(f"{clipped(str(path))} {problem}, {expected}", remedy="harness run --suite NAME --out NEW_FOLDER")
