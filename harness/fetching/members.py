"""What an archive may hold: regular files and folders below one folder, within limits, each name only once."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from harness.errors import clipped
from harness.fetching.space import check_space

_CHUNK: Final = 1 << 18
_ALLOWANCE: Final = 64 << 20
"""Bytes that any archive may unpack to."""
_RATIO: Final = 100
"""Unpacked bytes per byte of an archive whose dataset states no size; images hardly compress, deflate reaches 1,032."""
_MOST_MEMBERS: Final = 5_000_000
_LONGEST_NAME: Final = 255
_LONGEST_PATH: Final = 1024
_LARGE: Final = 16 << 20
"""Members from this size on are compared with the free space before they are written."""
_DRIVE: Final = re.compile(r"[A-Za-z]:")


class UnsafeArchiveError(Exception):
    """The archive holds what is not unpacked; the message is the reason and names the member."""


class Readable(Protocol):
    """A source of bytes."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a dataset states about its complete copy, and so about the most that an archive of it can hold.

    Attributes:
        bytes: size on disk when unpacked; None: not stated.
        images: number of images, each in all of its views; None: not stated.
    """

    bytes: int | None = None
    images: int | None = None

    def most_bytes(self, archive: int) -> int:
        """The most bytes that an archive of `archive` bytes may unpack to."""
        return _ALLOWANCE + (_RATIO * archive if self.bytes is None else max(4 * self.bytes, 2 * archive))

    @property
    def most_members(self) -> int:
        """The most files and folders."""
        return _MOST_MEMBERS if self.images is None else min(1_000 + 200 * self.images, _MOST_MEMBERS)


def member_parts(name: str) -> tuple[str, ...]:
    """The folders and the name of a member; empty for the top folder itself.

    Raises:
        UnsafeArchiveError: the name leads out of the folder, or does so on another system, or is no name of a file.
    """
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    sizes = [len(part.encode("utf-8", "surrogateescape")) for part in parts]
    flaws = (
        ("is an absolute path", name.startswith("/") or _DRIVE.match(name) is not None),
        ("leads out of its folder", ".." in parts),
        ("has a backslash in its name", "\\" in name),
        ("has control characters in its name", any(unicodedata.category(char) == "Cc" for char in name)),
        ("has a name that is not UTF-8", any("\ud800" <= char <= "\udfff" for char in name)),
        ("has a name that is too long", max(sizes, default=0) > _LONGEST_NAME or sum(sizes) > _LONGEST_PATH),
    )
    for flaw, there in flaws:
        if there:
            raise UnsafeArchiveError(f"{_short(name)} {flaw}")
    return parts


def _short(name: str) -> str:
    return clipped(repr(name), 100)


class Tree:
    """The folder that an archive is unpacked into, and what it may still receive.

    Args:
        folder: an empty folder.
        most_bytes, most_members: limits for all files together.
    """

    def __init__(self, folder: Path, most_bytes: int, most_members: int) -> None:
        self._root = folder.resolve()
        self._most_bytes, self._bytes = most_bytes, 0
        self._most_members, self._members = most_members, 0
        self._latest: Path | None = None

    def check_totals(self, members: int, size: int) -> None:
        """Raises UnsafeArchiveError if that many members and bytes are too many; FetchError if the disk is too full."""
        if members > self._most_members:
            raise UnsafeArchiveError(
                f"it has more than {self._most_members:,} members, which is more than its dataset can have"
            )
        if size > self._most_bytes:
            raise UnsafeArchiveError(
                f"it unpacks to {size:,} bytes or more, where {self._most_bytes:,} are the most that its own size and "
                "what its dataset states allow"
            )

    def folder(self, name: str) -> None:
        """Make the folder of one member."""
        self._count(name, 0)
        self._make(name, member_parts(name))

    def file(self, name: str, size: int, source: Readable, advance: Callable[[int], None]) -> None:
        """Write one member of `size` bytes from `source`; `advance` receives the number of bytes of each write.

        Raises:
            UnsafeArchiveError: its name, or its size.
            EOFError: `source` has fewer bytes.
        """
        self._count(name, size)
        parts = member_parts(name)
        if not parts:
            raise UnsafeArchiveError(f"{_short(name)} is a file in place of the folder")
        path = self._make(name, parts[:-1]) / parts[-1]
        try:
            with path.open("xb") as file:
                for chunk in _chunks(name, source, size):
                    file.write(chunk)
                    advance(len(chunk))
        except FileExistsError as error:
            raise UnsafeArchiveError(f"{_short(name)} is there twice") from error

    def _count(self, name: str, size: int) -> None:
        if size < 0:
            raise UnsafeArchiveError(f"{_short(name)} has a negative size")
        self._members += 1
        self._bytes += size
        self.check_totals(self._members, self._bytes)
        if size >= _LARGE:
            check_space(self._root, size)

    def _make(self, name: str, parts: tuple[str, ...]) -> Path:
        path = self._root.joinpath(*parts)
        if path == self._latest:
            return path
        try:
            path.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise UnsafeArchiveError(f"{_short(name)} needs a folder where the archive has a file") from error
        if path.resolve() != path:
            raise UnsafeArchiveError(f"{_short(name)} leads out of its folder")
        self._latest = path
        return path

    def check_names(self) -> None:
        """Raises UnsafeArchiveError if two names are one on a system that ignores case or the form of letters."""
        for folder, folders, files in os.walk(self._root):
            spellings: dict[str, str] = {}
            for name in (*folders, *files):
                other = spellings.setdefault(unicodedata.normalize("NFKC", name).casefold(), name)
                if other != name:
                    place = Path(folder).relative_to(self._root)
                    both = " and ".join(_short((place / spelling).as_posix()) for spelling in sorted((other, name)))
                    raise UnsafeArchiveError(f"{both} differ only in case or in the form of a letter")


def _chunks(name: str, source: Readable, size: int) -> Iterator[bytes]:
    left = size
    while left:
        chunk = source.read(min(_CHUNK, left))
        if not chunk:
            raise EOFError(f"{_short(name)} ends {left:,} bytes early")
        left -= len(chunk)
        yield chunk
    if source.read(1):
        raise UnsafeArchiveError(f"{_short(name)} is larger than it states")
