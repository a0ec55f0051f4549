"""The file format of layouts, the axes of a task, and of the index, the one file that users open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from harness.local.writing import Patch, replace_file
from harness.records import TOP, ArraySpec, TaskLayout, array_field
from harness.store.headers import Origin
from harness.store.layout import AXES, LayoutHeader, _write_axes
from harness.store.shards import (
    FILLS,
    FORMAT,
    array_fill,
    opened,
    read_header,
    read_shard,
    reserve,
    written,
)
from harness.store.sketch import Sketch


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedCell:
    """One cell of the index.

    Attributes:
        sources: (low, high, file relative to the index) of every shard, present or still to come.
        outputs: number of stored logits per trial, None without logits.
        arrays: what is stored beside the decisions, by name.
    """

    model: str
    attributes: Mapping[str, str]
    sources: Sequence[tuple[int, int, str]]
    outputs: int | None
    arrays: Mapping[str, ArraySpec]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedTask:
    """One task of the index; `layout` is its layout file relative to the index."""

    name: str
    layout: str
    header: LayoutHeader
    classes: Sequence[str]
    cells: Sequence[IndexedCell]


def write_index(path: Path, tasks: Iterable[IndexedTask]) -> None:
    """Write the one file that users open: virtual datasets over the shards, present and to come.

    The axes are external links, not virtual datasets: if a layout cannot be opened, a link raises an error, while a
    virtual dataset silently reads as fill values.
    """
    with written(path) as file:
        fill_index(file, tasks)


def fill_index(file: h5py.File, tasks: Iterable[IndexedTask]) -> None:
    """Put `tasks` into an empty file."""
    file.attrs["format"] = FORMAT
    for task in tasks:
        group = file.create_group(task.name)
        header = task.header
        group.attrs.update({"classes": list(task.classes), "size": header.size, "span": header.span})
        for name in (*AXES, *header.attributes):
            group[name] = h5py.ExternalLink(task.layout, f"/{name}")
        for cell in task.cells:
            _index_cell(group.create_group(cell.model), header, cell)


def _index_cell(group: h5py.Group, header: LayoutHeader, cell: IndexedCell) -> None:
    group.attrs.update(cell.attributes)
    tails: dict[str, tuple[int, ...]] = {"top5": (TOP,), "logp": (TOP,), "correct": ()}
    if cell.outputs is not None:
        tails["logits"] = (cell.outputs,)
    fills = {**FILLS, **{array_field(name): array_fill(spec.dtype) for name, spec in cell.arrays.items()}}
    tails.update({array_field(name): spec.shape for name, spec in sorted(cell.arrays.items())})
    for name, tail in tails.items():
        kind, fill = fills[name]
        shape = (header.conditions, *tail)
        virtual = h5py.VirtualLayout((header.samples, *shape), dtype=kind)
        for low, high, source in cell.sources:
            virtual[low:high] = h5py.VirtualSource(source, name, (high - low, *shape), dtype=kind)
        group.create_virtual_dataset(name, virtual, fillvalue=fill)


def read_indexed(path: Path, name: str, rows: slice = slice(None)) -> np.ndarray:
    """Rows of one dataset as the index shows them: *fill values where a shard is missing or could not be opened*."""
    with opened(path, guarded=False) as file:
        array: np.ndarray = file[name][rows]
    return array


class PlainCell(NamedTuple):
    """One complete cell: the origin of its trials, its attributes in the index, and its shards."""

    origin: Origin
    attributes: Mapping[str, str]
    shards: Sequence[Path]


def write_plain(path: Path, tasks: Iterable[tuple[TaskLayout, Sequence[PlainCell]]]) -> None:
    """Write trials to a self-contained file with the structure of the index. One span at a time is in memory.

    Raises:
        StoreError: a shard is damaged; nothing is left at `path`. CellError: the disk is full.
    """
    sketch = Sketch()
    places: list[tuple[PlainCell, dict[str, int]]] = []
    with h5py.File(sketch, "w") as file:
        file.attrs["format"] = FORMAT
        for layout, cells in tasks:
            group = file.create_group(layout.task)
            group.attrs.update({"classes": list(layout.classes), "size": layout.size, "span": layout.span})
            _write_axes(group, layout)
            for cell in cells:
                of_model, rows = group.create_group(cell.origin.model), len(layout.sample_ids)
                of_model.attrs.update(cell.attributes)
                header = read_header(cell.shards[0])
                offsets = {
                    name: reserve(of_model, name, (rows, *tail), header.dtypes[name])
                    for name, tail in header.tails.items()
                }
                places.append((cell, offsets))

    def patches() -> Iterator[Patch]:
        yield from sketch.patches()
        for cell, offsets in places:
            for shard in cell.shards:
                for (low, _), fields, _ in read_shard(shard, cell.origin, tuple(offsets)):
                    for name, array in fields.items():
                        yield offsets[name] + low * array[0].nbytes, array.data

    replace_file(path, patches(), sketch.size)
