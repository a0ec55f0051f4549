"""Names of tasks, models and attributes that become parts of paths."""

from __future__ import annotations

import re
from typing import Final

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+@-]*")


def check_name(kind: str, name: str) -> None:
    """Raises ValueError if `name` (of a task, model or attribute) cannot be part of a path."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{kind} {name!r} cannot be stored: a name begins with a letter or digit, followed by letters, digits, "
            "'.', '_', '+', '@' and '-'"
        )
