"""Paths as users give them, with ``~``."""

from __future__ import annotations

from pathlib import Path

from harness.errors import RequestError


def home_path(path: str | Path) -> Path:
    """`path` with ``~`` and ``~user`` as a shell reads them. Raises RequestError if there is no such user."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise RequestError(f"{path}: no such user. Write the folder in full") from error
