"""Files that are small and would take gigabytes or hours: refused by what they state, before torch reads them."""

from __future__ import annotations

import mmap
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from harness.checkpoints.allocations import Budget, HostileError
from harness.checkpoints.foreign import extraction
from harness.checkpoints.opcodes import DamagedError, check_pickle
from harness.errors import CheckpointError

MOST_MEMBERS: Final = 100_000
"""Files in one archive; a storage is one, and a network has some hundreds."""
_END: Final = struct.Struct("<4s4H2LH")
"""The last record of a zip archive: signature, two disks, members here and in all, bytes and place of the directory."""
_LEGACY_PICKLES: Final = 5
"""Pickles at the start of torch's older format: number, protocol, machine, content, keys of the storages."""


def check_directory(path: Path) -> None:
    """Refuse a zip archive with too long a directory, before a list is made of it."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 65_557))
        tail = file.read()
    place = tail.rfind(b"PK\x05\x06")
    if place < 0 or len(tail) - place < _END.size:
        return  # the reader says that it is truncated
    _, _, _, _, members, length, _, _ = _END.unpack_from(tail, place)
    wide = tail.rfind(b"PK\x06\x06", 0, place)
    if wide >= 0 and len(tail) - wide >= 56:
        members, length = struct.unpack_from("<QQ", tail, wide + 32)
    # Without the wide record, its signs (all bits set) are beyond the limits too, and such a file is damaged.
    if members > MOST_MEMBERS or length > 1000 * MOST_MEMBERS:
        raise hostile(path, f"its archive states {members:,} files")


def check_members(path: Path, members: Sequence[zipfile.ZipInfo], start: int) -> None:
    """Refuse an archive that holds more than its bytes: torch.save compresses nothing, and each file has its own place.

    Args:
        start: byte at which the directory of the archive begins.
    """
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise hostile(path, f"{member.filename[:60]!r} in it is compressed, {member.file_size:,} bytes unpacked")
    if len({member.filename.lower() for member in members}) < len(members):
        raise hostile(path, "two files in it have one name")
    places = sorted((member.header_offset, member.compress_size, member.filename) for member in members)
    ends = [*(place for place, _, _ in places[1:]), start]
    for (place, length, name), end in zip(places, ends, strict=True):
        if place + 30 + length > end:
            raise hostile(path, f"{name[:60]!r} in it lies over another file")


def check_archived_pickle(path: Path, archive: zipfile.ZipFile) -> None:
    """Refuse a pickle in an archive that would take more than the file holds."""
    members = archive.infolist()
    pickles = [member for member in members if member.filename.lower().rpartition("/")[2] == "data.pkl"]
    if len(pickles) > 1:
        raise hostile(path, f"it holds {len(pickles)} files data.pkl")
    records = {member.filename.lower().partition("/")[2]: member.file_size for member in members}
    for member in pickles:
        with archive.open(member) as content:
            check(path, Budget(path.stat().st_size, records), content, 1)


def check_legacy(path: Path) -> None:
    """Refuse a file of torch's older format that would take more than it holds."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        check(path, Budget(len(content)), content, _LEGACY_PICKLES)


def check(path: Path, budget: Budget, stream: Any, count: int) -> None:
    """Refuse the `count` pickles at the place of `stream`, as `check_pickle`."""
    try:
        for _ in range(count):
            check_pickle(stream, budget)
    except HostileError as error:
        raise hostile(path, f"its pickle has {error}") from error
    except DamagedError as error:
        raise damaged(path, str(error)[:120]) from error


def damaged(path: Path, reason: object) -> CheckpointError:
    """The error for a file that ends too early or whose bytes make no sense."""
    size = path.stat().st_size
    return CheckpointError(f"{path} is truncated or damaged at {size:,} bytes ({reason}); fetch it again")


def hostile(path: Path, finding: str) -> CheckpointError:
    """The error for a file that takes more than it holds, or that torch's safe reader cannot read."""
    return CheckpointError(
        f"{path} may be hostile: {finding}: refused, and nothing was executed or loaded. Fetch it again from its "
        f"authors. If you trust the file, whose code this runs, save its weights alone: {extraction(path)}"
    )
