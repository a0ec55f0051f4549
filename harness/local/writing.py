"""Atomic, durable writing of files: complete or absent, even after a power cut."""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from harness.errors import CellError
from harness.foreign import json_bytes
from harness.local.machine import is_of_machine, naming, refusal, unreadable
from harness.local.regular import opened_regular, oversize, parsed_json

_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EFBIG, errno.EDQUOT})
SAFE: Final = "Everything stored before is safe, and the same command resumes"
_LEFTOVER: Final = re.compile(r"\..+\.\d+-[0-9a-f]{8}\.tmp")
_LEVELS: Final = 5
"""Levels of a run folder that hold files: itself, shards, task, model, key."""
Patch = tuple[int, Any]
"""(offset in bytes, C-contiguous buffer): one part of a file's content."""


def replace_file(path: Path, patches: Iterable[Patch], size: int) -> None:
    """Write `patches` as the file `path` of `size` bytes, all or nothing; gaps between them are zero.

    Raises:
        CellError: the disk is full, a limit on file size or quota is reached, or the machine refuses otherwise.
            Nothing is left behind.
    """
    try:
        _replace(path, patches, size)
    except OSError as error:
        if not is_of_machine(error):
            raise
        if error.errno not in _NO_SPACE:
            raise CellError(f"cannot write {refusal(error)}. {SAFE}") from error
        raise CellError(f"{size:,} bytes did not fit on the disk at {refusal(error)}. {SAFE}") from error


def write_whole(path: Path, content: bytes | bytearray | memoryview | str) -> None:
    """Write the file `path` atomically, text in UTF-8: readers see either the old content or the new.

    For files that several processes write; the folder must exist. Raises OSError, and leaves nothing behind.
    """
    data = memoryview(content.encode() if isinstance(content, str) else content).cast("B")
    _replace(path, [(0, data)], data.nbytes)


def _replace(path: Path, patches: Iterable[Patch], size: int) -> None:
    """Write a temporary file beside `path`, sync it and rename it. Raises OSError, which names `path`."""
    temporary = temporary_name(path)
    with naming(path):
        try:
            _write(temporary, patches, size)
            temporary.replace(path)
        except BaseException:
            _discard(temporary)
            raise
        sync_folder(path.parent)


def _write(path: Path, patches: Iterable[Patch], size: int) -> None:
    """Write and sync a new file."""
    with path.open("xb") as stream:
        for offset, data in patches:
            stream.seek(offset)
            stream.write(data)
        stream.truncate(size)
        stream.flush()
        os.fsync(stream.fileno())


def temporary_name(path: Path) -> Path:
    """A name beside `path` that no other process uses; the next writer deletes what a killed one leaves there."""
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")


def _discard(temporary: Path) -> None:
    # If this fails too, the first failure matters more, and the next writer deletes the file.
    with suppress(OSError):
        temporary.unlink()


def sync_folder(folder: Path) -> None:
    """Make renames and deletions in `folder` durable. Raises OSError."""
    with naming(folder):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Create `folder` and its missing parents, durably."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def write_json(path: Path, value: Any) -> None:
    """Replace the JSON file `path`. Raises ValueError for NaN or infinity, which JSON does not have; CellError."""
    text = json_bytes(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False))
    if problem := oversize(text):
        raise CellError(f"{path} cannot be written: {problem}")
    replace_file(path, [(0, text)], len(text))


def read_json(path: Path) -> Any:
    """Content of a JSON file, at most `MOST_BYTES`.

    Raises:
        FileNotFoundError: there is none. UnreadableError: it may be whole. StoreError: it is damaged, or no file.
    """
    try:
        with opened_regular(path) as file:
            return parsed_json(file)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, MemoryError) as error:
        raise unreadable(path, error) from error


def leftovers(folder: Path) -> list[Path]:
    """Temporary files in a run folder that a killed process left; readers ignore them. Follows no link."""
    paths, level = [], [os.fspath(folder)]
    for _ in range(_LEVELS):
        entries = [entry for place in level for entry in _entries(place)]
        paths += [Path(entry.path) for entry in entries if _LEFTOVER.fullmatch(entry.name)]
        level = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    return sorted(path for path in paths if not path.is_dir() or path.is_symlink())


def _entries(folder: str) -> list[os.DirEntry[str]]:
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        return [*entries]
    return []


def is_leftover(path: Path) -> bool:
    """Whether `path` is named like the temporary files of `replace_file`."""
    return _LEFTOVER.fullmatch(path.name) is not None
