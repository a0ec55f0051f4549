"""Tar archives, compressed or not: read as one bounded stream, regular files and folders only."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from tarfile import HeaderError as _HeaderError
from tarfile import ReadError as _ReadError
from typing import IO, TYPE_CHECKING, Final, Self, cast

from harness.fetching.members import Limits, Tree, UnsafeArchiveError, member_parts

if TYPE_CHECKING:
    from harness.fetching.records import Watcher

_LONGEST_HEADER: Final = 1 << 20
"""Bytes of the headers of one member (long names, further facts): they are read into memory."""
_MOST_MEMORY: Final = 256 << 20
"""Bytes that unpacking xz may take: the file says how much it needs."""
_HEADERS: Final = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_REFUSED: Final = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a FIFO",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}
_FILES: Final = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)


class _StrictInfo(tarfile.TarInfo):
    """The header of a member that is a regular file or a folder, and short.

    The standard library mistakes a truncated or garbled header for the end of the archive.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        member = super().frombuf(buf, encoding, errors)
        if member.size < 0:
            raise UnsafeArchiveError(f"{member.name!r} has a negative size")
        if member.type in _REFUSED:
            raise UnsafeArchiveError(f"{member.name!r} is {_REFUSED[member.type]}")
        if member.type in _HEADERS and member.size > _LONGEST_HEADER:
            raise UnsafeArchiveError(f"{member.name!r} has a header of {member.size:,} bytes")
        return member

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tarfile)
        except _HeaderError as error:
            if type(error).__name__ == "EOFHeaderError":
                raise
            raise _ReadError(f"{error} at byte {tarfile.offset:,}") from error


class _Stream:
    """The bytes of a tar archive: at most `most` in all, and few between two files."""

    def __init__(self, file: IO[bytes], most: int) -> None:
        self._file, self._most = file, most
        self.headers = 4 * _LONGEST_HEADER

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes of headers."""
        if size < 0 or size > self.headers:
            raise UnsafeArchiveError("the headers of a member are too long")
        self.headers -= size
        return self._file.read(size)

    def seek(self, position: int) -> int:
        """Go to `position`."""
        if position > self._most:
            raise UnsafeArchiveError(f"it unpacks to more than {self._most:,} bytes")
        return self._file.seek(position)

    def tell(self) -> int:
        """The position."""
        return self._file.tell()

    def finish(self) -> None:
        """Read to the end: a compressed stream verifies its checksum only there."""
        while self._file.read(1 << 18):
            if self._file.tell() > self._most:
                raise UnsafeArchiveError(f"it unpacks to more than {self._most:,} bytes")


@contextmanager
def _reading(file: IO[bytes], most: int) -> Iterator[tuple[tarfile.TarFile, _Stream, IO[bytes]]]:
    with _decompressed(file) as plain:
        stream = _Stream(plain, most)
        with tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r:", tarinfo=_StrictInfo) as tar:
            yield tar, stream, plain


def _decompressed(file: IO[bytes]) -> AbstractContextManager[IO[bytes]]:
    start = file.read(1 << 12)
    file.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return cast("AbstractContextManager[IO[bytes]]", gzip.GzipFile(fileobj=file))
    if start.startswith(b"BZh"):
        return bz2.BZ2File(file)
    if start.startswith((b"\xfd7zXZ\x00", b"\x5d\x00\x00")):
        _check_memory(start)
        return lzma.LZMAFile(file)
    return nullcontext(file)


def _check_memory(start: bytes) -> None:
    try:
        lzma.LZMADecompressor(memlimit=_MOST_MEMORY).decompress(start, max_length=1)
    except lzma.LZMAError as error:
        if "Memory" not in str(error):
            raise
        raise UnsafeArchiveError(f"unpacking it takes more than {_MOST_MEMORY:,} bytes of memory") from error


def check_tar(path: Path) -> None:
    """Raises tarfile.ReadError, or another error of the archive modules, unless `path` begins like a tar archive."""
    with path.open("rb") as file, _reading(file, _LONGEST_HEADER):
        pass


def unpack_tar(archive: Path, folder: Path, limits: Limits, title: str, watch: Watcher) -> None:
    """Unpack `archive` into `folder`.

    Raises:
        UnsafeArchiveError: a member is neither a regular file nor a folder, leads out, or is too large.
    """
    size = archive.stat().st_size
    most = limits.most_bytes(size)
    tree = Tree(folder, most, limits.most_members)
    watch.begin(title, 0, size)
    with archive.open("rb") as file:
        position = 0
        for member, plain in _members(file, 2 * most):
            _unpack_member(member, tree, plain)
            watch.advance(file.tell() - position)
            position = file.tell()
    tree.check_names()


def tar_files(archive: Path, most_bytes: int, most_members: int) -> dict[str, bytes]:
    """Name -> content of each regular file, in memory; nothing is written.

    Args:
        most_bytes, most_members: the most of all files together.

    Raises:
        UnsafeArchiveError: as `unpack_tar`, or more than the limits.
    """
    files: dict[str, bytes] = {}
    size = members = 0
    with archive.open("rb") as file:
        for member, plain in _members(file, 2 * most_bytes + 4 * _LONGEST_HEADER):
            name, size, members = "/".join(member_parts(member.name)), size + member.size, members + 1
            if size > most_bytes or members > most_members:
                raise UnsafeArchiveError(f"it holds more than {most_members:,} members or {most_bytes:,} bytes")
            if name in files:
                raise UnsafeArchiveError(f"{name!r} is there twice")
            if _is_file(member):
                plain.seek(member.offset_data)
                files[name] = plain.read(member.size)
                if len(files[name]) < member.size:
                    raise EOFError(f"{name!r} ends {member.size - len(files[name]):,} bytes early")
    return files


def _members(file: IO[bytes], most: int) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
    """Each member with the plain bytes of the archive, which are at most `most`."""
    with _reading(file, most) as (tar, stream, plain):
        before = -1
        while (member := tar.next()) is not None:
            if member.offset <= before:
                raise UnsafeArchiveError(f"{member.name!r} leads back to an earlier member")
            yield member, plain
            before, stream.headers = member.offset, 4 * _LONGEST_HEADER
            tar.members = []  # type: ignore[attr-defined]  # otherwise a million members would stay in memory
        stream.finish()


def _unpack_member(member: tarfile.TarInfo, tree: Tree, plain: IO[bytes]) -> None:
    if _is_file(member):
        plain.seek(member.offset_data)
        tree.file(member.name, member.size, _Span(plain, member.size), lambda _: None)
    else:
        tree.folder(member.name)


def _is_file(member: tarfile.TarInfo) -> bool:
    """False for a folder. Raises UnsafeArchiveError for anything else."""
    if member.sparse is not None:
        raise UnsafeArchiveError(f"{member.name!r} is a sparse file")
    if member.isdir():
        return False
    if member.type not in _FILES:
        raise UnsafeArchiveError(f"{member.name!r} is of the unknown type {member.type!r}")
    return True


class _Span:
    """The next `size` bytes of a file."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes."""
        chunk = self._file.read(min(size, self._left))
        self._left -= len(chunk)
        return chunk
