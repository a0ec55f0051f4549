"""Names of tasks, models and attributes that become parts of paths."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+@-]*")

_LONGEST: Final = 255
"""Characters in the name of a file."""


def is_name(name: str) -> bool:
    """Whether `name` can be part of a path."""
    return _NAME.fullmatch(name) is not None and len(name) <= _LONGEST


def check_name(kind: str, name: str) -> None:
    """Raises ValueError if `name` (of a task, model or attribute) cannot be part of a path."""
    if not is_name(name):
        raise ValueError(
            f"{kind} {name!r} cannot be stored: a name begins with a letter or digit, followed by letters, digits, "
            "'.', '_', '+', '@' and '-'"
        )


def named_folders(folder: Path, file: str) -> list[str]:
    """Names of the folders in `folder` that hold `file`, sorted; what no task or model can be called is not ours."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if is_name(entry.name)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(name for name in names if os.path.lexists(folder / name / file))
