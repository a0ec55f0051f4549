"""Files that a user names with ``-o``: whole, or as they were before."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import RequestError
from harness.local.machine import is_of_machine, naming, refusal
from harness.local.writing import write_whole


def write_file(path: Path, content: bytes | str) -> None:
    """Write `content`, text in UTF-8. A device or FIFO is written to; any other file is replaced as a whole.

    Raises:
        RequestError: it cannot be written; a file that was there is as it was.
    """
    data = content.encode() if isinstance(content, str) else content
    with refusing(path, "-o FILE in a folder that exists"):
        place = Path(os.path.realpath(path))  # a link stays, what it leads to is replaced
        if place.is_file() or not place.exists():
            write_whole(place, data)
        else:
            with naming(path):
                place.write_bytes(data)


@contextmanager
def refusing(path: Path, remedy: str) -> Iterator[None]:
    """Turns what the machine says about writing `path` into a RequestError."""
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        if isinstance(error, OSError) and is_of_machine(error):
            error.filename, error.filename2 = os.fspath(path), None  # not that of a temporary file
            raise RequestError(f"cannot write {refusal(error)}") from error
        reason = (error.strerror if isinstance(error, OSError) else "") or str(error)
        raise RequestError(f"cannot write {path}: {reason}", remedy=remedy) from error
