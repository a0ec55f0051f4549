"""Trials of one cell read piece by piece, so that memory does not grow with the number of samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.errors import StoreError
from harness.records import TaskLayout, Trials
from harness.store import checks
from harness.store.decisions import DECISIONS, stored_decisions
from harness.store.direct import read_bytes
from harness.store.headers import Origin, Span
from harness.store.shards import Fields, read_shard

if TYPE_CHECKING:
    from harness.store.cells import ShardFile
    from harness.store.reader import RunReader

MOST_TRIALS: Final = 1 << 14
"""Number of trials in a block, but at least those of one sample."""
_ATTEMPTS: Final = 5


def read_spans(
    run: RunReader,
    task: str,
    model: str,
    names: Sequence[str] | None = (),
    origin: Origin | None = None,
) -> Iterator[tuple[Span, Fields]]:
    """All spans of a complete cell in order, one in memory at a time; a cell that is consolidated meanwhile is read on.

    Args:
        names: the fields to read; empty: the decisions, with ranks where there are any; None: all, logits and arrays.
        origin: the expected origin of the trials; None: the one that they have now.

    Raises:
        StoreError: the cell failed, is incomplete or damaged, or has been replaced by another.
    """
    reached = 0
    for _ in range(_ATTEMPTS):
        record, files = run.place(task, model)
        origin = origin or record.origin
        if record.origin != origin:
            raise StoreError(f"{task} × {model} in {run.path} was replaced while it was read; try again")
        run.refuse_unreadable(record, [span for file in files for span in file.spans], run.layout(task))
        try:
            wanted = stored_decisions(files) if names == () else names
            for span, fields in _remaining(files, origin, wanted, reached):
                _refuse_unfit(run, task, model, span, fields)
                yield span, fields
                reached = span[1]
        except FileNotFoundError:
            continue  # a writer has consolidated the files
        return
    raise StoreError(f"{task} × {model} in {run.path} changed {_ATTEMPTS} times while it was read; try again")


def _remaining(
    files: Sequence[ShardFile], origin: Origin, names: Sequence[str] | None, reached: int
) -> Iterator[tuple[Span, Fields]]:
    """The spans that begin at sample `reached` or later."""
    for file in files:
        if file.high <= reached:
            continue
        spans = (stored[:2] for stored in read_shard(file.path, origin)) if names is None else None
        for span, fields in spans or read_bytes(file.path, origin, names or ()):
            if span[0] >= reached:
                yield span, fields


def _refuse_unfit(run: RunReader, task: str, model: str, span: Span, fields: Fields) -> None:
    conditions = len(run.layout(task).conditions)
    problems = checks.field_problems(
        {name: fields[name] for name in (*DECISIONS, "rank") if name in fields}, span[1] - span[0], conditions
    )
    if not problems and (fields["correct"] > 1).any():
        problems = [f"{int((fields['correct'] > 1).sum())} trials are not measured"]
    if problems:
        raise StoreError(f"{task} × {model} in {run.path}, samples {span[0]}-{span[1]}: {'; '.join(problems)}")


def trial_blocks(run: RunReader, task: str, model: str) -> Iterator[Trials]:
    """The decisions of a complete cell in order, at most about `MOST_TRIALS` at a time. Raises StoreError."""
    layout = run.layout(task)
    step = max(1, MOST_TRIALS // len(layout.conditions))
    for low, fields in _joined(read_spans(run, task, model), step):
        for first in range(0, len(fields["correct"]), step):
            rows = slice(first, first + step)
            correct = fields["correct"][rows].astype(bool)
            yield Trials(
                model=model,
                layout=part_of(layout, low + first, low + first + len(correct)),
                top5=fields["top5"][rows],
                logp=fields["logp"][rows],
                correct=correct,
                rank=fields["rank"][rows] if "rank" in fields else None,
            )


def _joined(spans: Iterator[tuple[Span, Fields]], rows: int) -> Iterator[tuple[int, Fields]]:
    """Consecutive spans as one, up to about `rows` samples, and its first sample: many small tables take long."""
    parts: list[Fields] = []
    first = 0
    for (low, high), fields in spans:
        if parts and high - first > rows:
            yield first, _stacked(parts)
            parts = []
        first = first if parts else low
        parts.append(fields)
    yield first, _stacked(parts)


def _stacked(parts: Sequence[Fields]) -> Fields:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def part_of(layout: TaskLayout, low: int, high: int) -> TaskLayout:
    """`layout` of samples `low` to `high` - 1 alone."""
    return replace(
        layout,
        sample_ids=layout.sample_ids[low:high],
        targets=layout.targets[low:high],
        attributes={name: values[low:high] for name, values in layout.attributes.items()},
    )
