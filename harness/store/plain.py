"""The file format of ``.h5`` exports: an HDF5 file that readers of every language understand.

It uses fixed-length strings, integers and float32 or float64 alone, in contiguous datasets: no variable-length strings,
2-byte floats, virtual datasets, links, enumerations or references, which readers other than h5py refuse or misread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final

import h5py
import numpy as np

from harness.local.writing import Patch, replace_file
from harness.records import TaskLayout, array_field
from harness.store.blocks import read_spans
from harness.store.file_names import portable_names
from harness.store.layout import AXES, _trimmed
from harness.store.shards import FORMAT, read_header, reserve
from harness.store.sketch import Sketch

if TYPE_CHECKING:
    from harness.store.reader import RunReader

Write = Callable[[], Iterator[Patch]]
"""What fills reserved datasets once the file is laid out."""

_TEXTS: Final[Mapping[str, tuple[str, Callable[[TaskLayout], Sequence[str]]]]] = {
    "sample_id": ("sample", lambda layout: layout.sample_ids),
    "condition": ("condition", lambda layout: layout.conditions),
    "classes": ("class", lambda layout: layout.classes),
}
"""Dataset of strings -> its dimension, and where its values are."""
_DIMENSIONS: Final = {"top5": ("rank",), "logp": ("rank",), "correct": (), "rank": (), "logits": ("output",)}
_MEANINGS: Final = {
    "target": "correct classes, counted from 0; -1: padding",
    "top5": "classes, most probable first, counted from 0; -1: none",
    "logp": "natural logarithms of the probabilities of top5",
    "correct": "1: right, 0: wrong",
    "rank": "number of classes ahead of the target, the best of several; 65535: no target",
}
_ARRAYS: Final = array_field("")
_AT_ONCE: Final = 1 << 14
"""Number of strings that are encoded at a time."""
_LONGEST: Final = 60_000
"""Bytes of text in an attribute, which ends at 64 KiB; longer text is a dataset."""


def write_plain(run: RunReader, path: Path, cells: Sequence[tuple[str, str]]) -> None:
    """Write the complete `cells`, (task, model) sorted by task, to `path`. One span at a time is in memory.

    Raises:
        StoreError: a shard is damaged; nothing is left at `path`. CellError: the disk is full.
    """
    sketch, writes = Sketch(), list[Write]()
    tasks = portable_names(dict.fromkeys(task for task, _ in cells))
    with h5py.File(sketch, "w") as file:
        file.attrs["format"] = FORMAT
        for task, places in groupby(cells, key=lambda place: place[0]):
            group = _group(file, tasks[task], task)
            writes += _task(group, run, task, [model for _, model in places])
    replace_file(path, chain(sketch.patches(), *(_lazily(write) for write in writes)), sketch.size)


def _lazily(write: Write) -> Iterator[Patch]:
    yield from write()


def _group(parent: h5py.Group, name: str, original: str) -> h5py.Group:
    """A new group, which states its original name where that had to be changed."""
    group = parent.create_group(name)
    if name != original:
        _attribute(group, "name", original)
    return group


def _task(group: h5py.Group, run: RunReader, task: str, models: Sequence[str]) -> Iterator[Write]:
    layout = run.layout(task)
    group.attrs.update({"size": layout.size, "span": layout.span})
    if layout.side is not None:
        group.attrs["side"] = layout.side
    attributes = portable_names(layout.attributes, [*AXES, *_TEXTS])
    names = portable_names(models, [*AXES, *_TEXTS, *attributes.values()])
    for name, (dimension, _) in _TEXTS.items():
        yield _reserved_texts(group, name, dimension, partial(_axis, run, task, name))
    for name, portable in attributes.items():
        yield _reserved_texts(group, portable, "sample", partial(_values, run, task, name))
    yield _reserved_targets(group, layout.targets, lambda: run.layout(task))
    for model in models:
        yield _model(_group(group, names[model], model), run, task, model)


def _axis(run: RunReader, task: str, name: str) -> Sequence[str]:
    return _TEXTS[name][1](run.layout(task))


def _values(run: RunReader, task: str, attribute: str) -> Sequence[str]:
    return run.layout(task).attributes[attribute]


def _reserved_targets(group: h5py.Group, targets: np.ndarray, layout: Callable[[], TaskLayout]) -> Write:
    used = _trimmed(targets)
    several = used.shape[1] > 1
    offset = reserve(group, "target", used.shape if several else used.shape[:1], "<i2")
    _describe(group["target"], "target", ("sample", "accepted") if several else ("sample",))
    return lambda: iter([(offset, _trimmed(layout().targets).data)])


def _reserved_texts(group: h5py.Group, name: str, dimension: str, texts: Callable[[], Sequence[str]]) -> Write:
    """Reserve room for `texts`, which are asked for again when they are written: nobody keeps them until then."""
    values = texts()
    kind = _string_type(values)
    offset = reserve(group, name, (len(values),), kind)
    _describe(group[name], name, (dimension,))

    def write() -> Iterator[Patch]:
        values = texts()
        for low in range(0, len(values), _AT_ONCE):
            encoded = np.array([text.encode() for text in values[low : low + _AT_ONCE]], f"S{kind.itemsize}")
            yield offset + low * kind.itemsize, encoded.view(np.uint8).data

    return write


def _string_type(texts: Iterable[str]) -> np.dtype[np.bytes_]:
    """The fixed-length type, padded with zeros, that holds each of `texts`."""
    width, ascii_only = 1, True
    for text in texts:
        width, ascii_only = max(width, len(text.encode())), ascii_only and text.isascii()
    kind: np.dtype[np.bytes_] = h5py.string_dtype("ascii" if ascii_only else "utf-8", width)
    return kind


def _attribute(item: h5py.Group | h5py.Dataset, name: str, text: str) -> None:
    item.attrs.create(name, np.array(text.encode(), f"S{len(text.encode()) or 1}"), dtype=_string_type([text]))


def _describe(dataset: h5py.Dataset, name: str, dimensions: Sequence[str]) -> None:
    """Say what the dimensions are, and what the values mean where the name does not say it."""
    _attribute(dataset, "dimensions", " ".join(dimensions))
    if name in _MEANINGS:
        _attribute(dataset, "meaning", _MEANINGS[name])


def _model(group: h5py.Group, run: RunReader, task: str, model: str) -> Write:
    record, files = run.place(task, model)
    _state(group, record.attributes)
    header, rows = read_header(files[0].path), len(run.layout(task).sample_ids)
    kinds = {name: np.dtype("<f4" if kind == "<f2" else kind) for name, kind in header.dtypes.items()}
    names = _field_names(header.tails)
    offsets: dict[str, int] = {}
    for name, tail in header.tails.items():
        offsets[name] = reserve(group, names[name], (rows, *tail), kinds[name])
        axes = _DIMENSIONS.get(name) or tuple(f"axis_{number}" for number in range(1, len(tail)))
        _describe(group[names[name]], name, ("sample", "condition", *axes))

    def write() -> Iterator[Patch]:
        for (low, _), fields in read_spans(run, task, model, None, record.origin):
            for name, array in fields.items():
                values = np.ascontiguousarray(array, kinds[name])
                yield offsets[name] + low * values[0].nbytes, values.data

    return write


def _field_names(fields: Iterable[str]) -> dict[str, str]:
    arrays = portable_names(name.removeprefix(_ARRAYS) for name in fields if name.startswith(_ARRAYS))
    return {name: name for name in fields} | {_ARRAYS + name: _ARRAYS + portable for name, portable in arrays.items()}


def _state(group: h5py.Group, attributes: Mapping[str, str]) -> None:
    for name, text in attributes.items():
        if len(text.encode()) <= _LONGEST:
            _attribute(group, name, text)
        else:
            group.create_dataset(name, data=np.array(text.encode()), dtype=_string_type([text]), track_times=False)
