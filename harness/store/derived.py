"""What the index must show: derived from layouts, cells and the files that exist or are still to come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from harness.store.cells import CellRecord, ShardFile
from harness.store.decisions import has_ranks
from harness.store.index import IndexedCell, IndexedTask
from harness.store.layout import LayoutHeader
from harness.store.shards import read_header

if TYPE_CHECKING:
    from harness.store.reader import RunReader


def indexed_tasks(run: RunReader, tasks: Iterable[str]) -> Iterator[IndexedTask]:
    """The content of the index for `tasks`. Raises StoreError."""
    for task in tasks:
        header, classes = run.layout_header(task), run.classes(task)
        places = [run.place(task, model) for model in run.models(task)]
        cells = [_indexed_cell(run, header, *place) for place in places if place[0].layout == header.digest]
        yield IndexedTask(name=task, layout=f"shards/{task}/layout.h5", header=header, classes=classes, cells=cells)


def _indexed_cell(run: RunReader, header: LayoutHeader, record: CellRecord, files: Sequence[ShardFile]) -> IndexedCell:
    """A cell of the index, with its existing files and the spans still to come."""
    job, n = record.job, header.samples
    folder = run.folder(job.task, job.model)
    sources = [(file.low, file.high, file.path) for file in files]
    for low in range(0, n, header.span):
        if not any(file.low <= low < file.high for file in files):
            span = low, min(low + header.span, n)
            sources.append((*span, folder.span_path(job.key, span)))
    failed = folder.failure(job.key)
    return IndexedCell(
        model=job.model,
        attributes=record.attributes if failed is None else {**record.attributes, "failed": failed},
        sources=[(low, high, path.relative_to(run.path).as_posix()) for low, high, path in sorted(sources)],
        outputs=_outputs(files) if files else record.outputs,
        arrays=job.identity.arrays,
        ranked=has_ranks(job, files),
    )


def _outputs(files: Sequence[ShardFile]) -> int | None:
    tail = read_header(files[0].path).tails.get("logits")
    return None if tail is None else tail[1]
