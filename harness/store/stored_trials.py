"""The trials of a cell, from its shards: decisions in memory, logits and arrays by rows."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import StoreError
from harness.records import LazyTrials, Trials
from harness.store.decisions import read_decision, stored_decisions
from harness.store.direct import read_bytes
from harness.store.shards import read_header

if TYPE_CHECKING:
    from harness.store.cells import CellRecord, ShardFile
    from harness.store.reader import RunReader


def stored_trials(run: RunReader, record: CellRecord, files: Sequence[ShardFile]) -> Trials:
    """The trials of a complete cell: `correct` is read now, other arrays when somebody asks for them.

    Raises:
        FileNotFoundError: a file has vanished. StoreError: it is damaged, or the cell cannot be read.
    """
    job, layout = record.job, run.layout(record.job.task)
    run.refuse_unreadable(record, [span for file in files for span in file.spans], layout)
    shape = (len(layout.sample_ids), len(layout.conditions))
    stored = read_decision(files, record.origin, "correct", shape)
    if unmeasured := int((stored > 1).sum()):
        raise StoreError(f"{job.task} × {job.model} holds {unmeasured} trials that are not measured")
    correct = stored.view(bool)
    for values in (correct, layout.targets):
        values.flags.writeable = False  # several probes reduce the same trials
    has_logits = bool(files) and "logits" in read_header(files[0].path).tails
    return LazyTrials.of(
        {
            name: partial(_read_later, run, record, files, name, shape)
            for name in stored_decisions(files)
            if name != "correct"
        },
        model=job.model,
        layout=layout,
        correct=correct,
        logits=(lambda low, high: run.read_logits(job.task, job.model, low, high)) if has_logits else None,
        arrays={name: partial(run.read_array, job.task, job.model, name) for name in job.identity.arrays},
        layers=job.layers,
    )


def _read_later(
    run: RunReader, record: CellRecord, files: Sequence[ShardFile], name: str, shape: tuple[int, int]
) -> np.ndarray:
    """One field of a cell, whose `files` may have been put into one since its trials were read."""
    with suppress(FileNotFoundError):
        return read_decision(files, record.origin, name, shape)

    def read(now: CellRecord, others: Sequence[ShardFile]) -> np.ndarray:
        if now.origin != record.origin:
            task, model = record.job.task, record.job.model
            raise StoreError(f"{task} × {model} in {run.path} changed while it was read; try again")
        return read_decision(others, record.origin, name, shape)

    return run.of_cell(record.job.task, record.job.model, read)


def stored_rows(run: RunReader, task: str, model: str, field: str, low: int, high: int) -> np.ndarray:
    """Rows of one field, one span in memory at a time beside the result."""
    record, files = run.place(task, model)
    n = len(run.layout(task).sample_ids)
    if not 0 <= low < high <= n:
        raise ValueError(f"samples {low} to {high} of {task}, which has {n}")
    parts = []
    for file in files:
        if file.high <= low or file.low >= high:
            continue
        if field not in read_header(file.path).tails:
            remedy = "harness run … --store logits" if field == "logits" else ""
            raise StoreError(f"{task} × {model} in {run.path} keeps no {field}", remedy=remedy)
        for (first, last), fields in read_bytes(file.path, record.origin, (field,), (low, high)):
            parts.append(fields[field][max(low - first, 0) : high - first if high < last else None])
    return np.concatenate(parts)
