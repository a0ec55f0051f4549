"""Trials read from their place in a shard, without HDF5, which takes longer to open a file than to read it.

The header says where the bytes of each field lie, and their SHA-256. `verify` reads what HDF5 shows other readers.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import numpy as np

from harness.errors import StoreError
from harness.local.machine import unreadable
from harness.local.recall import active, state_of
from harness.local.regular import opened_regular
from harness.store.headers import Header, Origin, Span, damaged, refuse_other
from harness.store.shards import FILLS, Fields, read_header


def read_bytes(
    path: Path, origin: Origin, names: Sequence[str], within: Span | None = None
) -> Iterator[tuple[Span, Fields]]:
    """The spans of a shard with the fields `names`, read-only, one in memory at a time.

    Args:
        within: read only spans that overlap this range; None: all.

    Raises:
        FileNotFoundError: there is no such file.
        StoreError: it is damaged, or holds the trials of another cell, key or layout.
    """
    header, recall = checked_header(path, origin, names), active()
    with opened_regular(path) as file:
        state = state_of(os.fstat(file.fileno()))
        for number, span in enumerate(header.spans):
            if within is not None and (span[1] <= within[0] or span[0] >= within[1]):
                continue
            contents = {name: _bytes_of(file, path, header, name, span) for name in names}
            wrong = [name for name in names if sha256(contents[name]).hexdigest() != header.digests[name][number]]
            if wrong:
                raise _mismatch(path, wrong, span)
            if recall:
                for name in names:
                    recall.check(path, state, name, [number], len(header.spans))
            yield span, {name: _array(header, name, content) for name, content in contents.items()}


def read_field(path: Path, origin: Origin, name: str, rows: np.ndarray) -> None:
    """Read one field of a whole shard at once.

    Args:
        rows: (n, C, …) of its n samples, C-contiguous and of the field's type, which are overwritten.

    Raises:
        FileNotFoundError: there is no such file.
        StoreError: it is damaged, or holds the trials of another cell, key or layout.
    """
    header = checked_header(path, origin, (name,))
    low, content = header.range[0], rows.data.cast("B")
    row = rows[:1].nbytes
    with opened_regular(path) as file:
        state = state_of(os.fstat(file.fileno()))
        try:
            file.seek(header.offsets[name])
            length = file.readinto(content)  # type: ignore[attr-defined]
        except OSError as error:
            raise unreadable(path, error) from error
    for span, digest in zip(header.spans, header.digests[name], strict=True):
        end = (span[1] - low) * row
        if end > length or sha256(content[(span[0] - low) * row : end]).hexdigest() != digest:
            raise _mismatch(path, [name], span)
    if recall := active():
        recall.check(path, state, name, range(len(header.spans)), len(header.spans))


def checked_header(path: Path, origin: Origin, names: Sequence[str]) -> Header:
    """The header of a shard that has the fields `names`, each of its type. Raises as `read_bytes`."""
    header = read_header(path)
    refuse_other(path, origin, header)
    for name in names:
        expected = FILLS[name][0] if name in FILLS else header.dtypes.get(name)
        if name not in header.offsets or np.dtype(header.dtypes[name]) != np.dtype(expected):
            raise damaged(path, f"has no {name} of the type {expected}")
    return header


def _mismatch(path: Path, names: Sequence[str], span: Span) -> StoreError:
    samples = f"samples {span[0]}-{span[1]}"
    return damaged(path, f"is damaged: {', '.join(names)} of {samples} do not match SHA-256")


def _bytes_of(file: BinaryIO, path: Path, header: Header, name: str, span: Span) -> bytes:
    """The bytes of one field of the samples of `span`; fewer, and so of another digest, where the file ends before."""
    row = np.dtype(header.dtypes[name]).itemsize * math.prod(header.tails[name])
    try:
        file.seek(header.offsets[name] + (span[0] - header.range[0]) * row)
        return file.read((span[1] - span[0]) * row)
    except OSError as error:
        raise unreadable(path, error) from error


def _array(header: Header, name: str, content: bytes) -> np.ndarray:
    array: np.ndarray = np.frombuffer(content, header.dtypes[name]).reshape((-1, *header.tails[name]))
    return array
