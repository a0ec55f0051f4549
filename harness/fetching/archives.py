"""Archives: unpacked safely in a staging folder, and only then moved into place. Existing files are never replaced."""

from __future__ import annotations

import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from filecmp import cmp
from pathlib import Path, PurePosixPath
from tarfile import HeaderError as _HeaderError
from tarfile import ReadError as _ReadError
from typing import Final, Self

from harness.errors import FetchError
from harness.fetching.records import Watcher
from harness.fetching.space import check_space

_DAMAGED: Final = (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, RuntimeError)
"""What the archive modules raise on bytes that are not a complete archive; RuntimeError: an encrypted one."""


class DamagedArchiveError(FetchError):
    """The archive is damaged or truncated: downloading it again may help."""


def check_archive(path: Path) -> None:
    """Raises FetchError unless `path` is a zip archive or begins like a tar archive, compressed or not."""
    if not zipfile.is_zipfile(path) and not tarfile.is_tarfile(path):
        raise FetchError("the download is neither a tar nor a zip archive")


def unpack(archive: Path, folder: Path, title: str, watch: Watcher) -> None:
    """Unpack `archive` into `folder`, which must be empty.

    Raises:
        FetchError: it is damaged or empty, has a member outside the folder or a device file, or the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if zipfile.is_zipfile(archive):
            _unpack_zip(archive, folder, title, watch)
        else:
            _unpack_tar(archive, folder, title, watch)
    except tarfile.FilterError as error:
        raise FetchError(f"{archive} is not safe to unpack: {error}") from error
    except (*_DAMAGED, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk, not the archive
        raise DamagedArchiveError(f"{archive} is damaged or truncated ({' '.join(str(error).split())})") from error
    finally:
        watch.end()
    if not any(folder.iterdir()):
        raise FetchError(f"{archive} is empty")


class _StrictInfo(tarfile.TarInfo):
    """The standard library mistakes a truncated or garbled header for the end of the archive."""

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tarfile)
        except _HeaderError as error:
            if type(error).__name__ == "EOFHeaderError":
                raise
            raise _ReadError(f"{error} at byte {tarfile.offset:,}") from error


def _unpack_tar(archive: Path, folder: Path, title: str, watch: Watcher) -> None:
    if not hasattr(tarfile, "data_filter"):
        raise FetchError("unpacking archives safely needs Python 3.11.4 or newer")
    size = archive.stat().st_size
    check_space(folder, size)  # a lower bound: the unpacked size of a compressed archive is unknown
    watch.begin(title, 0, size)
    with archive.open("rb") as file, tarfile.open(fileobj=file, mode="r:*", tarinfo=_StrictInfo) as tar:
        position = 0
        while (member := tar.next()) is not None:
            tar.extract(member, folder, filter="data")
            tar.members = []  # type: ignore[attr-defined]  # otherwise a million members would stay in memory
            watch.advance(file.tell() - position)
            position = file.tell()
        while tar.fileobj and tar.fileobj.read(1 << 20):
            pass  # a compressed stream verifies its checksum only at its end


def _unpack_zip(archive: Path, folder: Path, title: str, watch: Watcher) -> None:
    with zipfile.ZipFile(archive) as pack:
        members = pack.infolist()
        for member in members:
            parts = PurePosixPath(member.filename.replace("\\", "/"))
            if parts.is_absolute() or ".." in parts.parts:
                raise FetchError(f"{archive} is not safe to unpack: {member.filename!r} leads out of its folder")
        whole = sum(member.file_size for member in members)
        check_space(folder, whole)
        watch.begin(title, 0, whole)
        for member in members:
            pack.extract(member, folder)
            watch.advance(member.file_size)


def merge(staging: Path, root: Path) -> None:
    """Move everything below `staging` to the same place below `root`, both on one file system.

    Existing files with the same content stay.

    Raises:
        FetchError: a file exists with different content; in that case nothing is moved.
    """
    for source, target in list(_moves(staging, root)):
        source.rename(target)


def _moves(source: Path, target: Path) -> Iterator[tuple[Path, Path]]:
    with os.scandir(source) as entries:
        for entry in entries:
            new, existing = Path(entry.path), target / entry.name
            if not os.path.lexists(existing):
                yield new, existing
            elif entry.is_dir(follow_symlinks=False) and existing.is_dir() and not existing.is_symlink():
                yield from _moves(new, existing)
            elif not _same_file(new, existing):
                raise FetchError(
                    f"{existing} exists and differs from the downloaded file. Move it away and type the same command "
                    "again"
                )


def _same_file(new: Path, existing: Path) -> bool:
    plain = all(path.is_file() and not path.is_symlink() for path in (new, existing))
    return plain and cmp(new, existing, shallow=False)
