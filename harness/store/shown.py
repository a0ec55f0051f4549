"""What the index shows, compared with what it derives from: layouts, cells and shards."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from math import prod
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import h5py
import numpy as np

from harness.errors import StoreError, listed
from harness.records import NOT_MEASURED
from harness.store.cells import ALL, span_name
from harness.store.derived import indexed_tasks
from harness.store.index import fill_index, read_indexed
from harness.store.run_record import INDEX
from harness.store.shards import opened
from harness.store.sketch import Sketch

if TYPE_CHECKING:
    from pathlib import Path

    from harness.store.cells import CellRecord, ShardFile
    from harness.store.reader import RunReader

_ATTEMPTS: Final = 5
"""How often the index is read again when files change in the meantime."""
_DEEPEST: Final = 4
"""Levels of groups: task, model, arrays; more would be a damaged file that contains itself."""
_REMEDY: Final = "delete it and type the `harness run` command again, which writes it anew"

_SHARD: Final = re.compile(r"shards/[A-Za-z0-9][^/]*/[A-Za-z0-9][^/]*/[0-9a-f]{16}/(\d{6,}-\d{6,}|all)\.h5")

Facts = Mapping[str, Any]
"""Path of an object or attribute in an HDF5 file -> what a reader sees of it, values of datasets aside."""


def check_shown(run: RunReader, task: str, model: str) -> None:
    """Compare the trials that the index shows as measured with the existing shards.

    If HDF5 cannot open a source, for instance because file descriptors ran out, it silently returns fill values: a
    reader who trusts the index alone can lose trials. Like users, this function reads the whole of `correct`.

    Raises:
        StoreError: they disagree, or either cannot be read.
    """
    for _ in range(_ATTEMPTS):
        before = _seen(run, task, model)
        shown = _measured(run, task, model)
        after = _seen(run, task, model)
        n = max(len(shown), max((file.high for file in after[1]), default=0))
        rows = {"least": np.zeros(n, bool), "most": np.zeros(n, bool), "shown": np.zeros(n, bool)}
        rows["shown"][: len(shown)] = shown
        for name, (_, files, _) in (("least", before), ("most", after)):
            for file in files:
                rows[name][file.low : file.high] = True
        lost = np.flatnonzero(rows["least"] & ~rows["shown"])
        surplus = np.flatnonzero(rows["shown"] & ~rows["most"])
        if not len(lost) and not len(surplus):
            return
        if before == after:
            break
    raise StoreError(
        f"{task} × {model}: {run.path / INDEX} shows {len(lost)} stored samples as not measured, and "
        f"{len(surplus)} that are not stored. Raise the limit on open files (type: ulimit -n 4096); if that does "
        "not help, type the `harness run` command again, which rewrites the index"
    )


def _seen(run: RunReader, task: str, model: str) -> tuple[CellRecord, tuple[ShardFile, ...], int]:
    """The files behind the index: two calls return the same if nothing has changed in between."""
    index = run.path / INDEX
    return (*run.place(task, model), index.stat().st_ino if index.exists() else 0)


def _measured(run: RunReader, task: str, model: str) -> np.ndarray:
    """(N,) whether the index shows all trials of a sample."""
    index = run.path / INDEX
    try:
        correct = read_indexed(index, f"{task}/{model}/correct")
    except FileNotFoundError:
        raise StoreError(f"{index} is missing; type the `harness run` command again") from None
    shown: np.ndarray = (correct != NOT_MEASURED).all(axis=1)
    return shown


# --- structure -------------------------------------------------------------------------------


class ShownIndex(NamedTuple):
    """What the index shows.

    Attributes:
        facts: of the file. expected: of an index that is derived anew from everything else.
    """

    path: Path
    facts: Facts
    expected: Facts

    def cells(self) -> set[tuple[str, str]]:
        """(task, model) of the cells in it."""
        parts = [name.split("/")[1:] for name in self.facts if name.endswith("/@key")]
        return {(place[0], place[1]) for place in parts if len(place) == 3}

    def is_current(self, task: str, model: str) -> bool:
        """Whether it shows the cell with its current key."""
        name = f"/{task}/{model}/@key"
        return name in self.facts and self.facts[name] == self.expected.get(name)

    def fields(self, task: str, model: str) -> frozenset[str]:
        """The fields of a cell whose type and shape are right and that show its own shards: they can be compared."""
        prefix, folder = f"/{task}/{model}/", f"shards/{task}/{model}/"
        return frozenset(
            name.removeprefix(prefix)
            for name, facts in self.facts.items()
            if name.startswith(prefix)
            and facts[:3] == self.expected.get(name, ())[:3]
            and facts[0] == "dataset"
            and all(source[0].startswith(folder) for source in facts[4])
        )

    def problems(self, current: Iterable[tuple[str, str]]) -> Iterator[str]:
        """How it differs from what it derives from, one line for each task or cell.

        Args:
            current: the cells to compare; others are out of date, which is told elsewhere.
        """
        wrong: dict[str, list[str]] = {}
        kept = {f"/{task}/{model}/" for task, model in current}
        for name in sorted(self.facts.keys() | self.expected.keys()):
            parts = name.split("/")[1:]
            owner = "/".join(parts[:-1][:2])
            if self.facts.get(name) == self.expected.get(name) or (len(parts) > 2 and f"/{owner}/" not in kept):
                continue
            if parts[-1] != "@failed" or name in self.facts:  # a failure is shown when the index is next written
                wrong.setdefault(owner, []).append("/".join(parts[2:] or parts[-1:]).removeprefix("@"))
        for owner, names in wrong.items():
            yield f"{self.path} is damaged or out of date ({owner or 'file'}: {listed(names)}); {_REMEDY}"


def shown_index(run: RunReader) -> ShownIndex:
    """The index of `run`, and what it should be. Raises FileNotFoundError, StoreError."""
    path = run.path / INDEX
    with opened(path, guarded=False) as file:
        facts = dict(_facts(file, "", 0))
    sketch = Sketch()
    with h5py.File(sketch, "w") as file:
        fill_index(file, indexed_tasks(run, _readable(run)))
    with h5py.File(sketch, "r") as file:
        return ShownIndex(path, facts, dict(_facts(file, "", 0)))


def _readable(run: RunReader) -> Iterator[str]:
    """The tasks whose layout can be read; the others are told elsewhere."""
    for task in run.tasks():
        try:
            run.layout(task)
        except StoreError:
            continue
        yield task


def _facts(group: h5py.Group, path: str, depth: int) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for name in group.attrs:
        yield f"{path}/@{name}", _attribute(group, name)
    for name in group:
        link, place = group.get(name, getlink=True), f"{path}/{name}"
        if isinstance(link, h5py.ExternalLink):
            yield place, ("link", link.filename, link.path)
        elif not isinstance(link, h5py.HardLink):
            yield place, ("link", type(link).__name__)
        elif isinstance(item := group[name], h5py.Dataset):
            yield place, _dataset(item)
        elif isinstance(item, h5py.Group) and depth < _DEEPEST:
            yield place, ("group",)
            yield from _facts(item, place, depth + 1)
        else:
            yield place, ("other", type(item).__name__)


def _attribute(group: h5py.Group, name: str) -> tuple[Any, ...]:
    value, kind = group.attrs[name], group.attrs.get_id(name).dtype
    text = h5py.check_string_dtype(kind)
    shown = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    return "attribute", str(kind), text and (text.encoding, text.length), np.shape(value), repr(shown)


def _dataset(dataset: h5py.Dataset) -> tuple[Any, ...]:
    if _leads_out(dataset):  # HDF5 may open its sources when it is asked for a shape
        return "dataset", "its values are stored elsewhere"
    kind = dataset.id.get_type()
    plain = kind.equal(h5py.h5t.py_create(dataset.dtype))
    sources = _merged(_source(source) for source in (dataset.virtual_sources() if dataset.is_virtual else ()))
    attributes = [(name, *_attribute(dataset, name)) for name in dataset.attrs]
    return ("dataset", (dataset.dtype.str, plain), dataset.shape, repr(dataset.fillvalue), sources, attributes)


def _leads_out(dataset: h5py.Dataset) -> bool:
    """Whether the values come from anything but shards of the run, each with a fixed number of rows."""
    if dataset.id.get_create_plist().get_external_count():
        return True
    return any(
        not _SHARD.fullmatch(source.file_name) or h5py.h5s.UNLIMITED in source.vspace.get_simple_extent_dims(True)
        for source in (dataset.virtual_sources() if dataset.is_virtual else ())
    )


def _source(source: Any) -> tuple[Any, ...]:
    """One source of a virtual dataset: folder, rows and the rest; with the name of the file, unless it is as expected.

    A consolidated cell may be shown from its spans until the index is written again: all of it is there twice.
    """
    space, shape = source.vspace, source.vspace.shape
    if space.get_select_type() != h5py.h5s.SEL_HYPERSLABS:
        return source.file_name, source.dset_name, shape, space.get_select_type(), space.get_select_npoints()
    (low, *first), (last, *ends) = space.get_select_bounds()
    folder, _, name = source.file_name.rpartition("/")
    expected = {span_name((low, last + 1)), *([ALL] if (low, last + 1) == (0, shape[0]) else [])}
    whole = (first, ends, space.get_select_npoints()) == (
        [0] * len(first), [side - 1 for side in shape[1:]], (last + 1 - low) * prod(shape[1:])
    )  # fmt: skip
    rest = source.src_space.shape, source.src_space.get_select_type(), source.src_space.get_select_npoints()
    return folder, source.dset_name, shape, rest, "" if name in expected else name, whole, (low, last + 1)


def _merged(sources: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The sources, where rows that follow each other are joined."""
    merged: list[tuple[Any, ...]] = []
    for *rest, rows in sources:
        joins = merged and isinstance(rows, tuple) and merged[-1][:-1] == tuple(rest)
        if joins and merged[-1][-1][1] == rows[0]:
            rows = merged.pop()[-1][0], rows[1]
        merged.append((*rest, rows))
    return merged
