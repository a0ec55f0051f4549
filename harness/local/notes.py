"""JSON that the harness keeps for itself outside of run folders: caches, records, what lies beside a download."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.local.regular import parsed_json, regular


def read_note(path: Path, *, bounded: bool = True) -> Any:
    """Content of a JSON file, or of one that `path` links to.

    Args:
        bounded: refuse a file that is larger or deeper than those of a run folder can be; False where it has an entry
            for each of millions of images.

    Raises:
        FileNotFoundError: there is none. OSError: it cannot be read, or is a FIFO, a device or a folder.
        ValueError: it is no JSON, or out of bounds.
    """
    with regular(path).open("rb") as file:
        if bounded:
            return parsed_json(file)
        try:
            return json.load(file)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
