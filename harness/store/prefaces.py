"""The preface of a shard: its header once more, as JSON before the part that is HDF5, which takes longer to open.

    MARK | length of the JSON in bytes, 8 bytes little-endian | JSON | zeros | HDF5

HDF5 calls this its user block, and leaves it alone. The preface states the digest of itself, and that of the **frame**,
all of the HDF5 part except trials, whose digests it states too: whoever reads a preface notices damage to what HDF5
would read. Where preface and frame do not agree, and in files of earlier versions, HDF5 is asked.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from struct import Struct
from typing import Any, BinaryIO, Final, Protocol

from harness.local.machine import is_of_machine, unreadable
from harness.local.regular import MOST_BYTES, opened_regular, parsed_json
from harness.store.headers import Header, Origin, Span, is_count, refuse_senseless
from harness.store.seal import DIGEST, is_intact, stated_digest

MARK: Final = b"preface\n"
_BEGINNING: Final = Struct("<8sQ")
_FORMAT: Final = 1
_STATED: Final = ("origin", "spans", "tails", "dtypes", "offsets", "digests")
_LEAST, _FARTHEST, _MOST_READ = 512, 1 << 62, 1 << 20
"""Least size of a user block; an offset that no field exceeds; bytes that are read at once."""
_FRAME: Final = 64 << 20
"""Most bytes of a frame that are read for its digest; a frame has hundreds for each span."""
_DAMAGED: Final = (ValueError, LookupError, TypeError, AttributeError, OverflowError, MemoryError)
"""What JSON of another content than ours raises."""


class _File(Protocol):
    """What is read of a file, or of one that is still in memory."""

    def seek(self, offset: int, whence: int = ..., /) -> int: ...

    def read(self, size: int = ..., /) -> bytes | None: ...


# --- writing ---------------------------------------------------------------------------------


def room_for(header: Header) -> int:
    """Bytes to leave before the HDF5 part, a power of two; the offsets of `header` need not be known."""
    farthest = replace(header, offsets=dict.fromkeys(header.tails, _FARTHEST))
    needed = _BEGINNING.size + len(_text(farthest, _FARTHEST, _FARTHEST, "0" * 64))
    return max(_LEAST, 1 << (needed - 1).bit_length())


def preface_of(header: Header, file: _File, room: int, size: int) -> bytes:
    """The preface of a shard.

    Args:
        header: with offsets and digests.
        file: the shard; nothing is read of the places of trials. size: of it in bytes. room: as `room_for` says.
    """
    text = _text(header, room, size, _frame_digest(file, header.places, room, size))
    return _BEGINNING.pack(MARK, len(text)) + text


def _text(header: Header, room: int, size: int, frame: str) -> bytes:
    content: dict[str, Any] = {name: getattr(header, name) for name in _STATED}
    content["provenance"] = [json.loads(text) for text in header.provenance]
    content |= {"format": _FORMAT, "room": room, "size": size, "frame": frame}
    return json.dumps({**content, DIGEST: stated_digest(content)}).encode()


def _frame_digest(file: _File, places: Sequence[Span], room: int, size: int) -> str:
    """SHA-256 of the bytes from `room` to `size` without those of `places`, which are in order."""
    digest, low = sha256(), room
    for first, last in [*places, (size, size)]:
        file.seek(low)
        while low < first and (data := file.read(min(first - low, _MOST_READ))):
            digest.update(data)
            low += len(data)
        low = max(low, last)
    return digest.hexdigest()


# --- reading ---------------------------------------------------------------------------------


def read_preface(path: Path) -> Header | None:
    """The header that the preface of a shard states.

    Returns:
        None: there is no preface, as in files of earlier versions; or it or the frame is damaged.

    Raises:
        FileNotFoundError: there is no such file. UnreadableError: it may be whole. StoreError: it is no regular file.
    """
    try:
        with opened_regular(path) as file:
            return _header(file, stated) if (stated := _stated(file)) else None
    except FileNotFoundError:
        raise
    except OSError as error:
        if is_of_machine(error):
            raise unreadable(path, error) from error
        return None
    except _DAMAGED:
        return None


def _stated(file: BinaryIO) -> Mapping[str, Any] | None:
    """What a sound preface states; None if there is none."""
    beginning = file.read(_BEGINNING.size)
    mark, length = _BEGINNING.unpack(beginning) if len(beginning) == _BEGINNING.size else (b"", 0)
    size = file.seek(0, 2)
    if mark != MARK or length > size:
        return None
    file.seek(_BEGINNING.size)
    stated = parsed_json(io.BytesIO(file.read(min(length, MOST_BYTES + 1))))
    content = {name: value for name, value in stated.items() if name != DIGEST}
    if DIGEST not in stated or not is_intact(stated, content) or (stated["format"], stated["size"]) != (_FORMAT, size):
        return None
    return content if not any(file.read(min(stated["room"], size) - _BEGINNING.size - length)) else None


def _header(file: BinaryIO, stated: Mapping[str, Any]) -> Header | None:
    """The header in a preface; None if the frame is damaged."""
    header = Header(
        origin=Origin(*stated["origin"]),
        spans=tuple((low, high) for low, high in stated["spans"]),
        provenance=tuple(json.dumps(entry) for entry in stated["provenance"]),
        tails={name: tuple(tail) for name, tail in stated["tails"].items()},
        dtypes=stated["dtypes"],
        offsets=stated["offsets"],
        digests=stated["digests"],
    )
    room, size = stated["room"], stated["size"]
    if not is_count(room) or not all(isinstance(entry, dict) for entry in stated["provenance"]):
        return None
    refuse_senseless(header, size)
    places = header.places
    inside = all(room <= first for first, _ in places) and size - sum(last - first for first, last in places) <= _FRAME
    return header if inside and _frame_digest(file, places, room, size) == stated["frame"] else None
