"""Zip archives: everything they state is checked before the first byte is written."""

from __future__ import annotations

import re
import stat
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.fetching.members import Limits, Tree, UnsafeArchiveError, member_parts
from harness.fetching.space import check_space
from harness.local.regular import KINDS

if TYPE_CHECKING:
    from harness.fetching.records import Watcher

_LONGEST_LIST: Final = 32 << 20
"""Bytes of the list of members, which is read into memory: a quarter of a million files of common names."""
_TAIL: Final = 1 << 17
"""Bytes at the end that hold the records of the end, and the longest comment."""
_RECORDS: Final = ((b"PK\x05\x06", 12, 4), (b"PK\x06\x06", 40, 8))
"""Records of the end, the second of large archives: start, place of the size of the list, bytes of that size."""
_REFUSED: Final = KINDS.keys() - {stat.S_IFREG, stat.S_IFDIR}
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The library bounds what it unpacks in one step for these only."""


def unpack_zip(archive: Path, folder: Path, limits: Limits, title: str, watch: Watcher) -> None:
    """Unpack `archive` into `folder`.

    Raises:
        UnsafeArchiveError: a member is neither a regular file nor a folder, leads out, is encrypted or too large.
        FetchError: the disk is too small.
    """
    size = archive.stat().st_size
    _check_list(archive, size)
    tree = Tree(folder, limits.most_bytes(size), limits.most_members)
    with zipfile.ZipFile(archive) as pack:
        members = pack.infolist()
        for member in members:
            _check_member(member)
        whole = sum(member.file_size for member in members)
        tree.check_totals(len(members), whole)
        check_space(folder, whole)
        watch.begin(title, 0, whole)
        for member in members:
            if member.is_dir():
                tree.folder(member.filename)
            else:
                with pack.open(member) as source:
                    tree.file(member.filename, member.file_size, source, watch.advance)
    tree.check_names()


def _check_list(archive: Path, size: int) -> None:
    """Raises UnsafeArchiveError if the library might read a list of members that is too long, wherever it looks."""
    with archive.open("rb") as file:
        file.seek(max(size - _TAIL, 0))
        tail = file.read()
    for record, place, width in _RECORDS:
        for found in re.finditer(re.escape(record), tail):
            field = tail[found.start() + place :][:width]
            listed = int.from_bytes(field, "little")
            if len(field) == width and _LONGEST_LIST < listed < 256**width - 1:  # the largest: see the other record
                raise UnsafeArchiveError(f"its list of members has {listed:,} bytes, {_LONGEST_LIST:,} are the most")


def _check_member(member: zipfile.ZipInfo) -> None:
    name = member.orig_filename  # `filename` ends at a NUL
    member_parts(name)
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind in _REFUSED:
        raise UnsafeArchiveError(f"{name!r} is {KINDS[kind]}")
    if member.flag_bits & 1:
        raise UnsafeArchiveError(f"{name!r} is encrypted")
    if member.compress_type not in _METHODS:
        raise UnsafeArchiveError(f"{name!r} is compressed in a way that is not unpacked (only deflate is)")
