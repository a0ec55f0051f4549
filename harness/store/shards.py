"""The file format of shards. Only this module, `layout`, `index` and `plain` may import h5py.

HDF5 2.0 does not survive a full disk: closing a file that cannot be flushed ends the process with a segmentation fault.
So HDF5 never writes to the disk here. It lays files out in memory (`Sketch`); plain writes, which fail cleanly,
copy that sketch and the arrays to the disk.

A shard holds `top5` (n, C, 5) int16, `logp` (n, C, 5) float16, `correct` (n, C) uint8, `rank` (n, C)
uint16 (unless imported, or of an earlier version), perhaps `logits` (n, C, outputs) float16 and the probe's
`arrays/<name>` (n, C, …), contiguous and uncompressed; `spans` (s, 2) int64, the committed ranges in it, in order;
`sha256/<field>` (s,), the digest of each span's bytes; and as attributes the origin and provenance of the trials, with
a digest of both and of the spans. Before all that stands a preface.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

import h5py
import numpy as np

from harness.errors import StoreError
from harness.local.machine import is_of_machine, unreadable
from harness.local.recall import Facts, remembered
from harness.local.regular import refuse_irregular
from harness.local.writing import Patch, replace_file
from harness.records import NO_RANK, NOT_MEASURED, array_field
from harness.store.guarded import refuse_foreign
from harness.store.headers import Header, Origin, Span, are_gapless, damaged, refuse_other, refuse_senseless
from harness.store.prefaces import preface_of, read_preface, room_for
from harness.store.seal import DIGEST, is_intact, stated_digest
from harness.store.sketch import Sketch

FORMAT: Final = 1
FILLS: Final[Mapping[str, tuple[str, float]]] = {
    "top5": ("<i2", -1),
    "logp": ("<f2", np.nan),
    "correct": ("u1", NOT_MEASURED),
    "rank": ("<u2", NO_RANK),
    "logits": ("<f2", np.nan),
}
"""Field -> type and fill value. Those of an array depend on its declaration: `array_fill`."""
_ARRAYS: Final = "arrays"
_ARRAY_FILLS: Final = {"f": np.nan, "i": -1, "u": 255}

Fields = Mapping[str, np.ndarray]


@contextmanager
def written(path: Path) -> Iterator[h5py.File]:
    """A file in memory for small data, which then replaces `path`. Raises CellError if the disk is full."""
    sketch = Sketch()
    with h5py.File(sketch, "w") as file:
        yield file
    replace_file(path, sketch.patches(), sketch.size)


_UNREADABLE: Final = (
    OSError, LookupError, RuntimeError, TypeError, ValueError, AttributeError, ArithmeticError, MemoryError,
)  # fmt: skip
"""What h5py raises for damaged files: an object may be of another kind than its name says, a size beyond all memory."""
_SYSTEM: Final = re.compile(r"\berrno = (\d+)\b")


@contextmanager
def opened(path: Path, *, guarded: bool = True) -> Iterator[h5py.File]:
    """`path` for reading, without a lock.

    Args:
        guarded: refuse what leads to other files or does not fit into this one; all but the index must.

    Raises:
        FileNotFoundError: there is no such file. UnreadableError: it may be whole. StoreError: it is damaged, or no
            regular file.
    """
    refuse_irregular(path)
    try:
        with h5py.File(path, "r", locking=False) as file:
            if guarded:
                refuse_foreign(file, path)
            yield file
    except FileNotFoundError as error:
        error.filename = str(path)  # HDF5 names it in the text alone
        raise
    except _UNREADABLE as error:
        raise _explained(path, error) from error


def _explained(path: Path, error: Exception) -> StoreError:
    """The error for what h5py raised, which states the system's error number in its text alone, or in both."""
    stated = _SYSTEM.search(str(error))
    number = error.errno if isinstance(error, OSError) and error.errno else int(stated[1]) if stated else None
    cause = error if number is None else OSError(number, os.strerror(number))
    if isinstance(cause, OSError | MemoryError) and is_of_machine(cause):  # the file may be whole
        return unreadable(path, cause)
    return damaged(path, f"cannot be read: {error}")


# --- shards ----------------------------------------------------------------------------------


def array_fill(dtype: str) -> tuple[str, float]:
    """The little-endian type of an array, and the value that the index shows where nothing is stored."""
    kind = np.dtype(dtype).newbyteorder("<")
    return kind.str, _ARRAY_FILLS[kind.kind]


class StoredSpan(NamedTuple):
    """One committed span as read from a shard; `fields` agree with their SHA-256 `digests`."""

    span: Span
    fields: Fields
    digests: Mapping[str, str]


def as_stored(span: Span, fields: Fields) -> StoredSpan:
    """`fields` in the file's byte order, with their digests."""
    kinds = {
        name: FILLS[name][0] if name in FILLS else array_fill(array.dtype.name)[0] for name, array in fields.items()
    }
    arrays = {name: np.ascontiguousarray(array, dtype=kinds[name]) for name, array in fields.items()}
    return StoredSpan(span, arrays, {name: _digest(array) for name, array in arrays.items()})


def _digest(array: np.ndarray) -> str:
    return sha256(array.data).hexdigest()


def write_shard(path: Path, header: Header, digests: Mapping[str, Sequence[str]], spans: Iterable[StoredSpan]) -> None:
    """Write a shard, one span in memory at a time.

    Args:
        digests: field -> digest of each of the header's spans.
        spans: the header's spans, in order; consumed one by one while the file is written.

    Raises:
        CellError: the disk is full; nothing is left behind.
    """
    low, high = header.range
    offsets: dict[str, int] = {}
    room = room_for(replace(header, digests=digests))

    sketch = Sketch()
    with h5py.File(sketch, "w", userblock_size=room) as file:
        for name, tail in header.tails.items():
            offsets[name] = reserve(file, name, (high - low, *tail), header.dtypes[name])
            file.create_dataset(f"sha256/{name}", data=np.array(digests[name], dtype="S64"), track_times=False)
        file.create_dataset("spans", data=np.array(header.spans, dtype="<i8"), track_times=False)
        file.attrs.update(header.origin._asdict())
        file.attrs.update({"format": FORMAT, "low": low, "high": high, "provenance": header.provenance[-1]})
        file.attrs[DIGEST] = stated_digest(header.facts)
        if len(header.provenance) > 1:
            file.attrs["earlier_provenance"] = json.dumps([json.loads(text) for text in header.provenance[:-1]])

    preface = preface_of(replace(header, offsets=offsets, digests=digests), sketch, room, sketch.size)

    def patches() -> Iterator[Patch]:
        yield from sketch.patches()
        for stored in spans:
            for name, array in stored.fields.items():
                yield offsets[name] + (stored.span[0] - low) * array[0].nbytes, array.data
        yield 0, preface

    replace_file(path, patches(), sketch.size)


def reserve(group: h5py.Group, name: str, shape: tuple[int, ...], dtype: str | np.dtype[Any]) -> int:
    """Create a contiguous dataset for a field without writing it. Returns the offset of its bytes in the file."""
    parent, _, last = name.rpartition("/")
    group = group.require_group(parent) if parent else group
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_layout(h5py.h5d.CONTIGUOUS)
    properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    properties.set_obj_track_times(False)
    kind = h5py.h5t.py_create(np.dtype(dtype))
    dataset = h5py.h5d.create(group.id, last.encode(), kind, h5py.h5s.create_simple(shape), properties)
    return int(dataset.get_offset())


@remembered(4096, Facts("shard", Header.as_json, Header.of_json))
def read_header(path: Path) -> Header:
    """The header of a shard. Raises FileNotFoundError, StoreError."""
    header = read_preface(path)
    return read_hdf5_header(path) if header is None else header


def read_hdf5_header(path: Path) -> Header:
    """As `read_header`, by HDF5 whatever the preface says."""
    with opened(path) as file:
        return _header(file, path)


def has_sound_preface(path: Path) -> bool:
    """Whether the preface says what HDF5 says, or there is none, as in files of earlier versions. Raises StoreError."""
    with opened(path) as file:
        return file.userblock_size == 0 or read_preface(path) == _header(file, path)


def _header(file: h5py.File, path: Path) -> Header:
    attributes = dict(file.attrs)
    if attributes["format"] != FORMAT:
        raise StoreError(f"{path} is of format {attributes['format']}, this harness reads {FORMAT}; update the harness")
    spans = tuple((low, high) for low, high in file["spans"][:].tolist())
    stored = {name: file[name] for name in field_names(file)}
    tails = {name: dataset.shape[1:] for name, dataset in stored.items()}
    rows = {name: dataset.shape[0] for name, dataset in stored.items()}
    if not are_gapless(spans) or set(rows.values()) != {spans[-1][1] - spans[0][0]}:
        raise damaged(path, f"contradicts itself: spans {spans}, rows {rows}")
    earlier = json.loads(attributes.get("earlier_provenance", "[]"))
    header = Header(
        origin=Origin(*(str(attributes[name]) for name in Origin._fields)),
        spans=spans,
        provenance=(*(json.dumps(entry) for entry in earlier), str(attributes["provenance"])),
        tails=tails,
        dtypes={name: dataset.dtype.str for name, dataset in stored.items()},
        offsets={
            name: int(place) for name, dataset in stored.items() if (place := dataset.id.get_offset()) is not None
        },
        digests={name: [text.decode() for text in file[f"sha256/{name}"][:].tolist()] for name in stored},
    )
    refuse_senseless(header, path.stat().st_size)
    if not all(isinstance(json.loads(text), dict) for text in header.provenance):
        raise damaged(path, "is damaged: its provenance is no JSON object")
    if not is_intact(attributes, header.facts) or header.range != (attributes["low"], attributes["high"]):
        raise damaged(path, "is damaged: its header does not match its digest")
    return header


def field_names(group: h5py.Group) -> list[str]:
    """Names of the fields of trials in `group`, arrays after all others."""
    return [*(name for name in FILLS if name in group), *map(array_field, sorted(group.get(_ARRAYS, ())))]


def read_shard(path: Path, origin: Origin, names: Sequence[str] | None = None) -> Iterator[StoredSpan]:
    """The spans of a shard, one in memory at a time.

    Args:
        origin: the expected origin of the trials.
        names: fields to read; None: all.

    Raises:
        FileNotFoundError: there is no such file.
        StoreError: it is damaged, or holds the trials of another cell, key or layout.
    """
    header = read_header(path)
    with opened(path) as file:
        refuse_other(path, origin, header)
        datasets = {name: file[name] for name in names or header.tails}
        for index, (low, high) in enumerate(header.spans):
            rows = slice(low - header.range[0], high - header.range[0])
            fields = {name: _read(name, dataset, rows) for name, dataset in datasets.items()}
            digests = {name: header.digests[name][index] for name in fields}
            mismatched = [name for name, array in fields.items() if _digest(array) != digests[name]]
            if mismatched:
                raise damaged(path, f"is damaged: {', '.join(mismatched)} of samples {low}-{high} do not match SHA-256")
            yield StoredSpan((low, high), fields, digests)


def _read(name: str, dataset: h5py.Dataset, rows: slice) -> np.ndarray:
    expected = np.dtype(FILLS[name][0]) if name in FILLS else dataset.dtype
    if dataset.dtype != expected:
        raise TypeError(f"{name} is {dataset.dtype}, expected {expected}")
    array: np.ndarray = dataset[rows]
    return array
