"""The file format of layouts, the axes of a task, and of the index, the one file that users open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from harness.records import TOP, ArraySpec, array_field
from harness.store.layout import AXES, LayoutHeader
from harness.store.shards import (
    FILLS,
    FORMAT,
    array_fill,
    opened,
    written,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedCell:
    """One cell of the index.

    Attributes:
        sources: (low, high, file relative to the index) of every shard, present or still to come.
        outputs: number of stored logits per trial, None without logits.
        arrays: what is stored beside the decisions, by name.
        ranked: whether ranks of the target are stored.
    """

    model: str
    attributes: Mapping[str, str]
    sources: Sequence[tuple[int, int, str]]
    outputs: int | None
    arrays: Mapping[str, ArraySpec]
    ranked: bool


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
        if header.side is not None:
            group.attrs["side"] = header.side
        for name in (*AXES, *header.attributes):
            group[name] = h5py.ExternalLink(task.layout, f"/{name}")
        for cell in task.cells:
            _index_cell(group.create_group(cell.model), header, cell)


def _index_cell(group: h5py.Group, header: LayoutHeader, cell: IndexedCell) -> None:
    group.attrs.update(cell.attributes)
    tails: dict[str, tuple[int, ...]] = {"top5": (TOP,), "logp": (TOP,), "correct": ()}
    if cell.ranked:
        tails["rank"] = ()
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
