"""Archives: unpacked safely in a staging folder, and only then moved into place. Existing files are never replaced."""

from __future__ import annotations

import lzma
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from filecmp import cmp
from pathlib import Path
from typing import Final

from harness.errors import FetchError
from harness.fetching.members import Limits, UnsafeArchiveError
from harness.fetching.records import Watcher
from harness.fetching.tars import check_tar, tar_files, unpack_tar
from harness.fetching.zips import unpack_zip

_DAMAGED: Final = (
    *(tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, struct.error),
    *(RuntimeError, ValueError, OverflowError, IndexError, KeyError),
)
"""What the archive modules raise on bytes that are not a complete archive."""


class DamagedArchiveError(FetchError):
    """The archive is damaged or truncated: downloading it again may help."""


def check_archive(path: Path) -> None:
    """Raises FetchError unless `path` is a zip archive or begins like a tar archive, compressed or not."""
    with _refusals(path):
        if not _is_tar(path) and not zipfile.is_zipfile(path):
            raise FetchError("the download is neither a tar nor a zip archive")


def unpack(archive: Path, folder: Path, title: str, watch: Watcher, limits: Limits | None = None) -> None:
    """Unpack `archive` into `folder`, which must be empty. What is refused may leave files there, none elsewhere.

    Only regular files and folders are unpacked, with neither their owners nor their permissions.

    Args:
        limits: what the dataset states about its size; default: nothing.

    Raises:
        DamagedArchiveError: it is damaged or truncated.
        FetchError: it is empty, or the disk is full; or it has a link, a device, a member that leads outside, two
            members of one name, or more than `limits` allow.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with _refusals(archive, f"rm {archive} (to fetch it again with the same command, if it has been mended)"):
            zipped = not _is_tar(archive) and zipfile.is_zipfile(archive)
            method = unpack_zip if zipped else unpack_tar
            method(archive, folder, limits or Limits(), title, watch)
    except (*_DAMAGED, OSError) as error:
        if _is_of_the_disk(error):
            raise
        raise _damage(archive, error) from error
    finally:
        watch.end()
    if not any(folder.iterdir()):
        raise FetchError(f"{archive} is empty")


def read_tar(archive: Path, most_bytes: int, most_members: int = 1_000) -> dict[str, bytes]:
    """Name -> content of each regular file of a tar archive, compressed or not. Nothing is written anywhere.

    Args:
        most_bytes: the most that all files together may have; they are read into memory.
        most_members: the most files and folders.

    Raises:
        FetchError: as `unpack`, or it is no tar archive.
    """
    try:
        with _refusals(archive):
            if not _is_tar(archive):
                raise FetchError(f"{archive} is no tar archive")
            return tar_files(archive, most_bytes, most_members)
    except (*_DAMAGED, OSError) as error:
        if _is_of_the_disk(error):
            raise
        raise _damage(archive, error) from error


def _damage(archive: Path, error: Exception) -> DamagedArchiveError:
    reason = " ".join(str(error).split())[:200]
    return DamagedArchiveError(f"{archive} is damaged or truncated ({reason})")


def _is_of_the_disk(error: Exception) -> bool:
    """Whether it is no error of the archive."""
    return isinstance(error, OSError) and error.errno is not None


def _is_tar(path: Path) -> bool:
    """Whether it begins like a tar; a tar may end with a zip archive, and then the library takes it for one."""
    try:
        check_tar(path)
    except (*_DAMAGED, OSError) as error:
        if _is_of_the_disk(error):
            raise
        return False
    return True


@contextmanager
def _refusals(archive: Path, remedy: str = "") -> Iterator[None]:
    try:
        yield
    except UnsafeArchiveError as error:
        raise FetchError(f"{archive} is not safe to unpack: {error}", remedy=remedy) from error


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
