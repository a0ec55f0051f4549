"""HDF5 files that may come from a stranger: nothing is read of one before its shapes have been compared with its size.

HDF5 follows links, virtual datasets and external storage to any file, reads a shape before it looks for the bytes, and
lets any number of strings share one text. Files of ours hold groups and contiguous datasets only, each once.
"""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from harness.errors import clipped

_MOST: Final = 10_000
"""Groups, datasets and attributes in one file."""
_DEEPEST: Final = 3
"""Levels of groups: arrays, and what HDF5 makes of a name with slashes."""
_REFERENCE: Final = np.dtype([("length", "<u4"), ("address", "<u8"), ("index", "<u4")])
"""How a file of ours points to a text of variable length."""

_SETTLED: Final = 2_000_000_000
"""Nanoseconds after which another change of a file also changes its time, on every file system."""
_FIT: Final[set[tuple[int, ...]]] = set()
"""Device, inode, size and times of the files that have been looked through: layouts are opened for every question."""


def refuse_foreign(file: h5py.File, path: Path) -> None:
    """Raises ValueError if `file` leads to other files, or if its shapes do not fit into its size.

    Sums over all datasets, and over all texts, stay below the size of the file: each has bytes of its own.
    """
    state = os.stat(path)  # noqa: PTH116 - many small files are opened
    seen = (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
    if seen in _FIT:
        return
    guard = _Guard(path, state.st_size)
    guard.attributes(file)
    guard.group(file, 0)
    if time.time_ns() - state.st_ctime_ns > _SETTLED:
        _FIT.add(seen)


class _Guard:
    """What has been seen of one file so far."""

    def __init__(self, path: Path, size: int) -> None:
        self.path, self.size = path, size
        self.objects, self.stored, self.texts = 0, 0, 0

    def group(self, group: h5py.Group, depth: int) -> None:
        self.count(len(group))
        for name in group:
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise ValueError(f"{clipped(name)} is a link to another place, expected a dataset")
            item = group[name]
            if isinstance(item, h5py.Dataset):
                self.dataset(name, item)
            elif not isinstance(item, h5py.Group) or depth == _DEEPEST:
                raise ValueError(f"{clipped(name)} is neither a group nor a dataset, or too deep")
            else:
                self.group(item, depth + 1)

    def dataset(self, name: str, dataset: h5py.Dataset) -> None:
        properties = dataset.id.get_create_plist()
        # First of all, because to ask a virtual dataset for its shape can open other files.
        if properties.get_layout() != h5py.h5d.CONTIGUOUS or properties.get_external_count():
            raise ValueError(f"{clipped(name)} is virtual, chunked or stored elsewhere, expected contiguous bytes")
        self.count(len(dataset.attrs))
        offset, stored = dataset.id.get_offset(), dataset.id.get_storage_size()
        texts = dataset.id.get_type().is_variable_str() if dataset.dtype.kind == "O" else False
        if not texts and dataset.dtype.kind not in "iufS":
            raise ValueError(f"{clipped(name)} holds {dataset.dtype}, expected numbers or texts")
        count = math.prod(dataset.shape or ())
        needed = count * (_REFERENCE.itemsize if texts else dataset.id.get_type().get_size())
        if needed != stored or offset is None or offset + stored > self.size:
            raise ValueError(f"{clipped(name)} of {dataset.shape} does not fit into a file of {self.size:,} bytes")
        if texts:
            references = np.fromfile(self.path, _REFERENCE, count, offset=offset)
            self.texts += int(references["length"].sum(dtype=np.int64))
        self.stored += stored
        self.total(name)

    def attributes(self, file: h5py.File) -> None:
        self.count(len(file.attrs))
        for name in file.attrs:
            attribute = file.attrs.get_id(name)
            if attribute.shape != () or attribute.get_type().get_class() not in (
                h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.STRING,
            ):  # fmt: skip
                raise ValueError(f"attribute {clipped(name)} is no text or number")
            value: Any = file.attrs[name]
            self.texts += len(value) if isinstance(value, str | bytes) else 0
            self.total(name)

    def count(self, more: int) -> None:
        self.objects += more
        if self.objects > _MOST:
            raise ValueError(f"it has more than {_MOST:,} parts")

    def total(self, name: str) -> None:
        if max(self.stored, self.texts) > self.size:
            raise ValueError(
                f"{clipped(name)} and what stands before it need more than the {self.size:,} bytes there are"
            )
