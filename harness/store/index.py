"""The file format of layouts, the axes of a task, and of the index, the one file that users open."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

import h5py
import numpy as np

from harness.records import TOP, TaskLayout
from harness.store.files import Patch, check_name, remembered, replace_file
from harness.store.hdf5 import FILLS, FORMAT, Origin, Sketch, damaged, opened, read_header, read_shard, reserve, written

MOST_CLASSES: Final = 4000
"""Class names are an HDF5 attribute of the index (16 bytes each), and attributes end at 64 KiB."""
AXES: Final = ("sample_id", "target", "condition")
"""Names of a task's axes in the index."""
RESERVED: Final = (*AXES, "classes", "columns", "layout.h5")
"""Names that no model and no attribute may have: both stand beside the axes."""
_STRING: Final = h5py.string_dtype()


class LayoutHeader(NamedTuple):
    """What a layout file says of itself, without its N rows.

    Attributes:
        digest: `layout_digest` of its axes. content: the same with the attributes.
    """

    samples: int
    conditions: int
    classes: int
    size: int
    span: int
    attributes: tuple[str, ...]
    digest: str
    content: str


def check_layout(layout: TaskLayout) -> None:
    """Raises ValueError if `layout` cannot be stored, or contradicts itself."""
    n, k, targets = len(layout.sample_ids), len(layout.classes), layout.targets
    lengths = {name: len(values) for name, values in layout.attributes.items() if len(values) != n}
    problems = {
        "it has no samples": n == 0,
        "it has no conditions": not layout.conditions,
        "a sample id occurs twice": len(set(layout.sample_ids)) != n,
        "a condition occurs twice": len(set(layout.conditions)) != len(layout.conditions),
        f"it has {k} classes, expected 1 to {MOST_CLASSES}": not 1 <= k <= MOST_CLASSES,
        f"span is {layout.span}, expected 1 or more": layout.span < 1,
        f"it has {len(layout.columns or ())} columns, expected one for each class": (
            layout.columns is not None and len(layout.columns) != k
        ),
        f"attributes have {lengths} values, expected {n}": bool(lengths),
        f"targets are {targets.dtype} {targets.shape}, expected int16 ({n}, T)": (
            targets.dtype != np.int16 or targets.ndim != 2 or len(targets) != n or targets.shape[1] < 1
        ),
    }
    found = [problem for problem, present in problems.items() if present] or _target_problems(layout)
    if found:
        raise ValueError(f"layout of {layout.task}: {'; '.join(found)}")
    for name in layout.attributes:
        check_name("attribute", name)
        if name in RESERVED:
            raise ValueError(f"layout of {layout.task}: an attribute cannot be called {name!r}, as the store does")


def _target_problems(layout: TaskLayout) -> list[str]:
    targets, ids = layout.targets, layout.sample_ids
    outside = np.flatnonzero(((targets < -1) | (targets >= len(layout.classes))).any(axis=1))
    without = np.flatnonzero(targets[:, 0] == -1)
    late = np.flatnonzero(((targets[:, :-1] == -1) & (targets[:, 1:] != -1)).any(axis=1))
    return [
        f"{problem} ({len(rows)} samples, first {ids[rows[0]]!r})"
        for problem, rows in (
            (f"targets outside 0 to {len(layout.classes) - 1}", outside),
            ("samples without a target, which could never be correct", without),
            ("padding before a target", late),
        )
        if len(rows)
    ]


def layout_digest(layout: TaskLayout, *, attributes: bool = False) -> str:
    """SHA-256 of the axes on which trials are counted; with `attributes` also of the facts that stand beside them.

    Raises:
        ValueError: a name holds a zero character, which would end it, or cannot be written as UTF-8.
    """
    texts = [("sample_id", layout.sample_ids), ("condition", layout.conditions), ("class", layout.classes)]
    if attributes:
        texts += sorted(layout.attributes.items())
        if layout.columns is not None:
            texts.append(("column", tuple(map(str, layout.columns))))
    targets = _trimmed(layout.targets)
    digest = sha256(json.dumps([layout.task, layout.size, layout.span, targets.shape]).encode())
    digest.update(targets.data)
    for name, values in texts:
        if any("\0" in value for value in values):
            raise ValueError(f"a {name} of {layout.task} holds a zero character, which no stored text may")
        digest.update(f"\0{name}\0{len(values)}\0{chr(0).join(values)}".encode())
    return digest.hexdigest()


def _trimmed(targets: np.ndarray) -> np.ndarray:
    """(N, T) int16 without columns of padding at the end."""
    used = np.flatnonzero((targets != -1).any(axis=0))
    return np.ascontiguousarray(targets[:, : used[-1] + 1 if len(used) else 1], dtype="<i2")


def write_layout(path: Path, layout: TaskLayout) -> None:
    """Write the axes of a task. Raises CellError if the disk is full."""
    with written(path) as file:
        _write_axes(file, layout)
        file.create_dataset("classes", data=list(layout.classes), dtype=_STRING, track_times=False)
        file.attrs.update({"format": FORMAT, "task": layout.task, "size": layout.size, "span": layout.span})
        file.attrs["attributes"] = json.dumps(list(layout.attributes))
        if layout.columns is not None:
            file.create_dataset("columns", data=np.array(layout.columns, np.int32), track_times=False)
        file.attrs["digest"] = layout_digest(layout)
        file.attrs["content"] = layout_digest(layout, attributes=True)


def _write_axes(group: h5py.Group, layout: TaskLayout) -> None:
    targets = _trimmed(layout.targets)
    group.create_dataset("target", data=targets[:, 0] if targets.shape[1] == 1 else targets, track_times=False)
    texts = {"sample_id": layout.sample_ids, "condition": layout.conditions, **layout.attributes}
    for name, values in texts.items():
        group.create_dataset(name, data=list(values), dtype=_STRING, track_times=False)


@remembered(256)
def read_layout_header(path: Path) -> LayoutHeader:
    """What a layout file says of itself. Raises FileNotFoundError, StoreError."""
    with opened(path) as file:
        return _layout_header(file)


def _layout_header(file: h5py.File) -> LayoutHeader:
    return LayoutHeader(
        samples=len(file["sample_id"]),
        conditions=len(file["condition"]),
        classes=len(file["classes"]),
        size=int(file.attrs["size"]),
        span=int(file.attrs["span"]),
        attributes=tuple(json.loads(file.attrs["attributes"])),
        digest=str(file.attrs["digest"]),
        content=str(file.attrs["content"]),
    )


@remembered(16)
def read_layout(path: Path) -> TaskLayout:
    """The axes of a task. Raises FileNotFoundError, or StoreError if they are damaged."""
    with opened(path) as file:
        header = _layout_header(file)
        targets = file["target"][:]
        layout = TaskLayout(
            task=str(file.attrs["task"]),
            sample_ids=tuple(file["sample_id"].asstr()[:]),
            targets=targets if targets.ndim == 2 else targets[:, None],
            conditions=tuple(file["condition"].asstr()[:]),
            classes=tuple(file["classes"].asstr()[:]),
            size=header.size,
            span=header.span,
            attributes={name: tuple(file[name].asstr()[:]) for name in header.attributes},
            columns=tuple(file["columns"][:].tolist()) if "columns" in file else None,
        )
    if layout_digest(layout, attributes=True) != header.content:
        raise damaged(path, "is damaged: its content does not match its SHA-256")
    return layout


@remembered(64)
def read_classes(path: Path) -> tuple[str, ...]:
    """Names of the task's K classes. Raises FileNotFoundError, StoreError."""
    with opened(path) as file:
        return tuple(file["classes"].asstr()[:])


@remembered(16)
def read_targets(path: Path) -> np.ndarray:
    """(N, T) int16 accepted classes of each sample, padded with -1."""
    with opened(path) as file:
        targets: np.ndarray = file["target"][:]
    return targets if targets.ndim == 2 else targets[:, None]


# --- the index -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedCell:
    """One cell of the index.

    Attributes:
        sources: (low, high, file relative to the index) of every shard that is there or will be.
        outputs: width of the stored logits, None without.
    """

    model: str
    attributes: Mapping[str, str]
    sources: Sequence[tuple[int, int, str]]
    outputs: int | None


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

    The axes are external links, not virtual datasets: when a layout cannot be opened, a link is an error, while a
    virtual dataset would quietly read as fill values.
    """
    with written(path) as file:
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
    for name, tail in tails.items():
        kind, fill = FILLS[name]
        shape = (header.conditions, *tail)
        virtual = h5py.VirtualLayout((header.samples, *shape), dtype=kind)
        for low, high, source in cell.sources:
            virtual[low:high] = h5py.VirtualSource(source, name, (high - low, *shape), dtype=kind)
        group.create_virtual_dataset(name, virtual, fillvalue=fill)


class IndexEntry(NamedTuple):
    """One cell as the index shows it: the key of its trials, and the fields it has."""

    key: str
    fields: frozenset[str]


def indexed_cells(path: Path) -> dict[tuple[str, str], IndexEntry]:
    """Every cell in the index by (task, model). Raises FileNotFoundError, StoreError."""
    with opened(path) as file:
        return {
            (task, model): IndexEntry(str(group.attrs["key"]), frozenset(group))
            for task, of_task in file.items()
            for model in of_task
            if isinstance(of_task.get(model, getlink=True), h5py.HardLink)
            for group in [of_task[model]]
        }


def read_indexed(path: Path, name: str, rows: slice = slice(None)) -> np.ndarray:
    """Rows of one dataset as the index shows them: *fill values where a shard is missing or could not be opened*."""
    with opened(path) as file:
        array: np.ndarray = file[name][rows]
    return array


# --- one plain file --------------------------------------------------------------------------


class PlainCell(NamedTuple):
    """One complete cell: whose trials they are, its attributes in the index, and its shards."""

    origin: Origin
    attributes: Mapping[str, str]
    shards: Sequence[Path]


def write_plain(path: Path, tasks: Iterable[tuple[TaskLayout, Sequence[PlainCell]]]) -> None:
    """Write trials in the shape of the index, with real datasets: a file that needs no other. One span in memory.

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
                tails = read_header(cell.shards[0]).tails
                places.append((cell, {name: reserve(of_model, name, (rows, *tail)) for name, tail in tails.items()}))

    def patches() -> Iterator[Patch]:
        yield from sketch.patches()
        for cell, offsets in places:
            for shard in cell.shards:
                for (low, _), fields, _ in read_shard(shard, cell.origin, tuple(offsets)):
                    for name, array in fields.items():
                        yield offsets[name] + low * array[0].nbytes, array.data

    replace_file(path, patches(), sketch.size)
