"""Files and folders as they should be: regular files, folders that are no links, JSON of a size that can be meant.

A run folder may come from a stranger. A FIFO in place of a file would hang whoever opens it, a link leads out of it.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final, NoReturn

from harness.errors import StoreError
from harness.local.machine import unreadable

MOST_BYTES: Final = 32 << 20
MOST_PARTS: Final = 1_000_000
DEEPEST: Final = 64
"""Limits on JSON: bytes, entries of lists and objects, and levels. A run of 10,000 models on 40 tasks keeps them."""
KINDS: Final = {
    stat.S_IFLNK: "a symbolic link", stat.S_IFDIR: "a folder", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device", stat.S_IFBLK: "a device", stat.S_IFREG: "a file",
}  # fmt: skip
"""What a file is, by `stat.S_IFMT` of its mode."""
_LARGE: Final = 16 << 20
_HOLES: Final = 1000
"""Bytes above which a file must not be this many times as large as what it takes on the disk."""


def regular(path: Path) -> Path:
    """`path`, if it is a regular file or a link to one; anything else might be read for ever and is not opened.

    For files that users name. Raises OSError, whose `strerror` says what it is.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        kind = KINDS.get(stat.S_IFMT(mode), "something else")
        raise OSError(errno.EINVAL, f"is {kind}, expected a regular file", str(path))
    return path


def refuse_irregular(path: Path) -> None:
    """Raises StoreError if `path` is anything but a regular file; FileNotFoundError if there is nothing.

    UnreadableError: the disk does not say what it is.
    """
    try:
        status = os.lstat(path)
    except NotADirectoryError:
        raise FileNotFoundError(errno.ENOENT, "no such file", str(path)) from None
    except FileNotFoundError:
        raise
    except OSError as error:
        raise unreadable(path, error) from error
    _refuse(path, status)


def _refuse(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise StoreError(f"{path} is {KINDS.get(stat.S_IFMT(status.st_mode), 'no file')}, expected a regular file")
    # Some network file systems say that every file takes no room.
    if status.st_size > _LARGE and 0 < status.st_blocks * 512 * _HOLES < status.st_size:
        raise StoreError(f"{path} says that it has {status.st_size:,} bytes, but consists of holes")


def opened_regular(path: Path) -> BinaryIO:
    """The regular file `path`, opened for reading. Raises FileNotFoundError, UnreadableError, StoreError."""
    refuse_irregular(path)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise unreadable(path, error) from error
    file = os.fdopen(descriptor, "rb")
    try:
        _refuse(path, os.fstat(descriptor))  # it may have been replaced in between
    except BaseException as error:
        file.close()
        if isinstance(error, OSError):
            raise unreadable(path, error) from error
        raise
    return file


def refuse_links(root: Path, *names: str) -> Path:
    """The folder ``root/names[0]/names[1]/…``, of which every part may be missing, but must not be a link or a file.

    Raises:
        StoreError: a part below `root` is something else than a folder. UnreadableError: the disk does not say it.
    """
    place = root
    for name in names:
        place = place / name
        try:
            mode = os.lstat(place).st_mode
        except (FileNotFoundError, NotADirectoryError):
            break
        except OSError as error:
            raise unreadable(place, error) from error
        if not stat.S_ISDIR(mode):
            kind = KINDS.get(stat.S_IFMT(mode), "no folder")
            raise StoreError(f"{place} is {kind}, expected a folder: what a run has lies in its own folder")
    return root.joinpath(*names)


# --- JSON ------------------------------------------------------------------------------------


def parsed_json(file: BinaryIO) -> Any:
    """Content of a JSON file. Raises ValueError if it is none, or larger or deeper than a file of ours can be."""
    content = file.read(MOST_BYTES + 1)
    if problem := oversize(content):
        raise ValueError(problem)
    text = content.decode("utf-8")
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if content.count(b"{") + content.count(b"[") > DEEPEST:
        _refuse_deep(value)
    if b"\\ud" in content.lower():  # half a character; the bytes of a file name that is no UTF-8 are \\udc80 to \\udcff
        json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogateescape")
    return value


def oversize(content: bytes) -> str:
    """Why JSON is too large to be read; empty if it is not."""
    if len(content) > MOST_BYTES:
        return f"it has more than {MOST_BYTES:,} bytes"
    parts = sum(content.count(mark) for mark in (b",", b"{", b"["))
    return f"it has {parts:,} parts, more than {MOST_PARTS:,}" if parts > MOST_PARTS else ""


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:20]} is too large")
    return number


def _refuse_deep(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for item in level for inner in _inner(item)]
        if not level:
            return
    raise ValueError(f"it is nested more than {DEEPEST} levels deep")


def _inner(item: Any) -> list[Any]:
    values = item.values() if isinstance(item, Mapping) else item if isinstance(item, list) else ()
    return [inner for inner in values if isinstance(inner, dict | list)]
