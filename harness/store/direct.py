"""Trials read from their place in a shard, without HDF5, which takes longer to open a file than to read it.

The header says where the bytes of each field lie, and their SHA-256. `verify` reads what HDF5 shows other readers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import numpy as np

from harness.local.machine import unreadable
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
    header = read_header(path)
    refuse_other(path, origin, header)
    for name in names:
        expected = FILLS[name][0] if name in FILLS else header.dtypes.get(name)
        if name not in header.offsets or np.dtype(header.dtypes[name]) != np.dtype(expected):
            raise damaged(path, f"has no {name} of the type {expected}")
    with opened_regular(path) as file:
        for number, span in enumerate(header.spans):
            if within is not None and (span[1] <= within[0] or span[0] >= within[1]):
                continue
            contents = {name: _bytes_of(file, path, header, name, span) for name in names}
            wrong = [name for name in names if sha256(contents[name]).hexdigest() != header.digests[name][number]]
            if wrong:
                samples = f"samples {span[0]}-{span[1]}"
                raise damaged(path, f"is damaged: {', '.join(wrong)} of {samples} do not match SHA-256")
            yield span, {name: _array(header, name, content) for name, content in contents.items()}


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
