"""The sample and condition axes of a task: ``layout.h5``."""

from __future__ import annotations

import json
from functools import lru_cache
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any, Final, NamedTuple

import h5py
import numpy as np

from harness.local.recall import Facts, active, remembered, state_of
from harness.records import TaskLayout
from harness.store.file_names import check_name, is_name
from harness.store.headers import damaged
from harness.store.shards import FORMAT, opened, written

MOST_CLASSES: Final = 4000
"""Class names are an HDF5 attribute of the index (16 bytes each), and attributes end at 64 KiB."""
MOST_TRIALS: Final = 300_000_000
MOST_SPANS: Final = 10_000
MOST_PIXELS: Final = 1 << 16
"""Limits on a task: trials of one model; spans, of which a run has 128; side of an image."""
AXES: Final = ("sample_id", "target", "condition")
"""Names of a task's axes in the index."""
RESERVED: Final = (*AXES, "classes", "columns", "layout.h5")
"""Names that no model or attribute may have, since both are stored beside the axes."""
_AT_ONCE: Final = 1 << 14
"""Number of strings that are read or digested at a time."""
_STRING: Final = h5py.string_dtype()


AXES_PART: Final = "axes"
"""What is checked of a layout file (`Recall.check`)."""


class LayoutHeader(NamedTuple):
    """The header of a layout file, without its N rows.

    Attributes:
        digest: `layout_digest` of its axes. content: digest of axes and attributes.
    """

    samples: int
    conditions: int
    classes: int
    size: int
    span: int
    attributes: tuple[str, ...]
    digest: str
    content: str
    side: int | None = None

    @property
    def spans(self) -> range:
        """The first sample of each span."""
        return range(0, self.samples, self.span)


def check_layout(layout: TaskLayout) -> None:
    """Raises ValueError if `layout` cannot be stored, or contradicts itself."""
    n, k, targets = len(layout.sample_ids), len(layout.classes), layout.targets
    trials, spans = n * len(layout.conditions), -(-n // max(layout.span, 1))
    lengths = {name: len(values) for name, values in layout.attributes.items() if len(values) != n}
    problems = {
        "it has no samples": n == 0,
        "it has no conditions": not layout.conditions,
        "a sample id occurs twice": len(set(layout.sample_ids)) != n,
        "a condition occurs twice": len(set(layout.conditions)) != len(layout.conditions),
        f"it has {k} classes, expected 1 to {MOST_CLASSES}": not 1 <= k <= MOST_CLASSES,
        f"span is {layout.span}, expected 1 or more": layout.span < 1,
        f"it has {trials:,} trials for each model, more than {MOST_TRIALS:,}; take fewer with --limit": (
            trials > MOST_TRIALS
        ),
        f"it has {spans:,} spans, more than {MOST_SPANS:,}": spans > MOST_SPANS,
        f"its images are of {layout.size:,} pixels, expected 0 to {MOST_PIXELS:,}": not 0 <= layout.size <= MOST_PIXELS,
        f"it has {len(layout.columns or ())} columns, expected one for each class": (
            layout.columns is not None and len(layout.columns) != k
        ),
        f"attributes have {lengths} values, expected {n}": bool(lengths),
        f"targets are {targets.dtype} {targets.shape}, expected int16 ({n}, T)": (
            targets.dtype != np.int16 or targets.ndim != 2 or len(targets) != n or targets.shape[1] < 1
        ),
    }
    violations = [problem for problem, present in problems.items() if present] or _target_problems(layout)
    if violations:
        raise ValueError(f"layout of {layout.task}: {'; '.join(violations)}")
    for name in layout.attributes:
        check_name("attribute", name)
        if name in RESERVED:
            raise ValueError(f"layout of {layout.task}: an attribute cannot be called {name!r}, which the store uses")


def _target_problems(layout: TaskLayout) -> list[str]:
    targets, ids = layout.targets, layout.sample_ids
    outside = np.flatnonzero(((targets < -1) | (targets >= len(layout.classes))).any(axis=1))
    without = np.flatnonzero(targets[:, 0] == -1) if layout.labelled else np.empty(0, np.intp)
    late = np.flatnonzero(((targets[:, :-1] == -1) & (targets[:, 1:] != -1)).any(axis=1))
    return [
        f"{problem} ({len(rows)} samples, first {ids[rows[0]]!r})"
        for problem, rows in (
            (f"targets outside 0 to {len(layout.classes) - 1}", outside),
            ("samples without a target beside others, which could never be correct", without),
            ("padding before a target", late),
        )
        if len(rows)
    ]


def layout_digest(layout: TaskLayout, *, attributes: bool = False) -> str:
    """SHA-256 of the axes of a task; with `attributes`, also of the attributes of its samples.

    Raises:
        ValueError: a name contains a zero character, which would end it, or cannot be encoded as UTF-8.
    """
    texts = [("sample_id", layout.sample_ids), ("condition", layout.conditions), ("class", layout.classes)]
    if attributes:
        texts += sorted(layout.attributes.items())
        if layout.columns is not None:
            texts.append(("column", tuple(map(str, layout.columns))))
    targets = _trimmed(layout.targets)
    sides = [layout.side] if layout.side is not None else []
    digest = sha256(json.dumps([layout.task, layout.size, layout.span, targets.shape, *sides]).encode())
    digest.update(targets.data)
    for name, values in texts:
        if any("\0" in value for value in values):
            raise ValueError(f"a {name} of {layout.task} contains a zero character, which cannot be stored")
        digest.update(f"\0{name}\0{len(values)}".encode())
        for low in range(0, len(values) or 1, _AT_ONCE):  # `values` are many, and their joined copies take memory too
            digest.update(f"\0{chr(0).join(values[low : low + _AT_ONCE])}".encode())
    return digest.hexdigest()


def _trimmed(targets: np.ndarray) -> np.ndarray:
    """(N, T) int16 without trailing columns of padding."""
    used = np.flatnonzero((targets != -1).any(axis=0))
    return np.ascontiguousarray(targets[:, : used[-1] + 1 if len(used) else 1], dtype="<i2")


def write_layout(path: Path, layout: TaskLayout) -> None:
    """Write the axes of a task. Raises CellError if the disk is full."""
    with written(path) as file:
        _write_axes(file, layout)
        file.create_dataset("classes", data=list(layout.classes), dtype=_STRING, track_times=False)
        file.attrs.update({"format": FORMAT, "task": layout.task, "size": layout.size, "span": layout.span})
        if layout.side is not None:
            file.attrs["side"] = layout.side
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


def _of_list(content: Any) -> LayoutHeader:
    header = LayoutHeader(*content)
    return header._replace(attributes=tuple(header.attributes))


@remembered(256, Facts("layout", list, _of_list))
def read_layout_header(path: Path) -> LayoutHeader:
    """The header of a layout file. Raises FileNotFoundError, StoreError."""
    with opened(path) as file:
        return _layout_header(file)


def _layout_header(file: h5py.File) -> LayoutHeader:
    if file.attrs["format"] != FORMAT:
        raise ValueError(f"it is of format {file.attrs['format']}, this harness reads {FORMAT}")
    header = LayoutHeader(
        samples=len(file["sample_id"]),
        conditions=len(file["condition"]),
        classes=len(file["classes"]),
        size=int(file.attrs["size"]),
        span=int(file.attrs["span"]),
        attributes=tuple(json.loads(file.attrs["attributes"])),
        digest=str(file.attrs["digest"]),
        content=str(file.attrs["content"]),
        side=int(file.attrs["side"]) if "side" in file.attrs else None,
    )
    _refuse_odd(header)
    return header


def _refuse_odd(header: LayoutHeader) -> None:
    """Raises ValueError if the axes are larger than axes can be: loops and arrays are made by these numbers."""
    n, span = header.samples, header.span
    problems = {
        "it has no samples or no conditions": not n or not header.conditions,
        f"it has {header.classes} classes, expected 1 to {MOST_CLASSES}": not 1 <= header.classes <= MOST_CLASSES,
        f"it has {n * header.conditions:,} trials for each model": n * header.conditions > MOST_TRIALS,
        f"its span is {span}, expected 1 or more and at most {MOST_SPANS} of them": span < 1 or n > span * MOST_SPANS,
        f"its stimuli are of {header.size} pixels": not 0 <= header.size <= MOST_PIXELS,
        f"its images are of {header.side} pixels": not 0 <= (header.side or 0) <= MOST_PIXELS,
        "its attributes are not names": not all(isinstance(name, str) and is_name(name) for name in header.attributes),
    }
    if found := [problem for problem, present in problems.items() if present]:
        raise ValueError("; ".join(found))


def read_layout(path: Path) -> TaskLayout:
    """The axes of a task. Raises FileNotFoundError, or StoreError if they are damaged."""
    recall = active()
    state = state_of(path.stat()) if recall else ()
    layout = _read_layout(path)
    if recall:
        recall.check(path, state, AXES_PART, (0,), 1)
    return layout


@remembered(16)
def _read_layout(path: Path) -> TaskLayout:
    with opened(path) as file:
        header = _layout_header(file)
        targets = file["target"][:]
        if targets.dtype != np.int16 or targets.ndim not in (1, 2) or len(targets) != header.samples:
            raise ValueError(f"targets are {targets.dtype} {targets.shape}")
        layout = TaskLayout(
            task=str(file.attrs["task"]),
            sample_ids=_shared(_texts(file["sample_id"])),
            targets=targets if targets.ndim == 2 else targets[:, None],
            conditions=tuple(file["condition"].asstr()[:]),
            classes=tuple(file["classes"].asstr()[:]),
            size=header.size,
            span=header.span,
            attributes={name: _texts(file[name]) for name in header.attributes},
            columns=tuple(file["columns"][:].tolist()) if "columns" in file else None,
            side=header.side,
        )
        if layout.task != path.parent.name:
            raise ValueError(f"it is the layout of {layout.task}")
        check_layout(layout)
        digests = layout_digest(layout), layout_digest(layout, attributes=True)
    if digests != (header.digest, header.content):
        raise damaged(path, "is damaged: its content does not match its SHA-256")
    return layout


def _texts(dataset: h5py.Dataset) -> tuple[str, ...]:
    """All strings, read in parts, since HDF5 keeps copies of what it reads at once."""
    parts = (dataset.asstr()[low : low + _AT_ONCE] for low in range(0, len(dataset), _AT_ONCE))
    return tuple(chain.from_iterable(parts))


@lru_cache(16)
def _shared(sample_ids: tuple[str, ...]) -> tuple[str, ...]:
    """`sample_ids`, or the equal ones of another layout: the tasks on one dataset keep them once."""
    return sample_ids


@remembered(256, Facts("samples", str, str))
def read_samples_digest(path: Path) -> str:
    """SHA-256 of the ids of the samples, equal for tasks on the same images. Raises as `read_layout`."""
    return sha256("\0".join(read_layout(path).sample_ids).encode()).hexdigest()


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
