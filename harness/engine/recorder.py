"""Copies decisions from the device without stalling it, and commits complete spans from one thread."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from harness.errors import CellError, NonFiniteError
from harness.local.machine import machine_errors
from harness.local.writing import SAFE
from harness.proportions import is_correct, target_ranks
from harness.records import NO_RANK, NOT_MEASURED, TrialBlock, array_field

if TYPE_CHECKING:
    from harness.engine.decisions import Decisions
    from harness.records import ArraySpec, Job, TaskLayout
    from harness.store import RunWriter

QUEUE_LENGTH = 32
"""Maximum of queued parcels: enough for the device to run ahead, few enough for bounded memory."""

CONSOLIDATE_EVERY = 15.0
"""Minimum of seconds between two consolidations, except for the last of a run."""

Span = tuple[int, int]
Fields = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class _Parcel:
    """Decisions of one model on one batch under all C conditions, copied or being copied to the host."""

    job: Job
    span: Span
    offset: int
    tensors: dict[str, torch.Tensor]
    copied: torch.cuda.Event | None


class Recorder:
    """Collects the trials of many cells and commits each span when it is complete.

    One thread accesses the store, so shards are written while the device works. A cell that fails is recorded as failed
    and ignored from then on; any unexpected exception is raised again in the thread that runs the networks.

    Args:
        run: the run, open for writing.
        layouts: task -> its layout.
        warn: called with a line for the user.
    """

    def __init__(self, run: RunWriter, layouts: dict[str, TaskLayout], warn: Callable[[str], None]) -> None:
        self._run, self._layouts, self._warn = run, layouts, warn
        self._queue: queue.Queue[Callable[[], None] | None] = queue.Queue(QUEUE_LENGTH)
        self._blocks: dict[tuple[str, Span], tuple[TrialBlock, int]] = {}
        self._begun: set[str] = set()
        self._finished_jobs: list[Job] = []
        self._last_consolidation = time.monotonic()
        self._error: BaseException | None = None
        self.failures: dict[str, str] = {}
        """Key of each failed job -> reason."""
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)
        self._thread.start()

    def put(self, job: Job, span: Span, offset: int, decisions: Sequence[Decisions]) -> None:
        """Hand over one batch of one cell: `decisions` under all conditions, for samples from `offset` on."""
        stacked = {
            "top5": torch.stack([answer.top5 for answer in decisions], dim=1),
            "logp": torch.stack([answer.logp for answer in decisions], dim=1),
            "finite": torch.stack([answer.finite for answer in decisions]),
        }
        if ahead := [answer.ahead for answer in decisions if answer.ahead is not None]:
            stacked["ahead"] = torch.stack(ahead, dim=1)
        logits = [answer.logits for answer in decisions if answer.logits is not None]
        if logits:
            stacked["logits"] = torch.stack(logits, dim=1)
        for name in job.identity.arrays:
            stacked[array_field(name)] = torch.stack([answer.arrays[name] for answer in decisions], dim=1)
        tensors, copied = _to_host(stacked)
        self._submit(lambda: self._receive(_Parcel(job, span, offset, tensors, copied)))

    def fail(self, job: Job, reason: str) -> None:
        """Record that `job` failed; its further parcels are ignored."""
        self._submit(lambda: self._fail(job, reason))

    def begin(self, jobs: Sequence[Job], provenance: dict[str, Any], outputs: dict[str, int]) -> None:
        """Begin cells that will be computed, so that the index shows their trials as they are committed.

        Cells that have begun are skipped. The index is written once for all cells.

        Args:
            outputs: key of a job -> number of its logits, if they are stored.
        """

        new = [job for job in jobs if job.key not in self._begun]
        if not new:
            return

        self._begun.update(job.key for job in new)
        self._submit(lambda: self._run.begin_all(new, provenance, outputs))
        self.drain()

    def finish(self, jobs: Sequence[Job]) -> None:
        """After the last parcel of `jobs`: wait for the store; consolidate if the last consolidation was long ago.

        Each consolidation rewrites the index of the whole run, so there is none after each short pass.
        """
        self._finished_jobs += jobs
        if time.monotonic() - self._last_consolidation >= CONSOLIDATE_EVERY:
            self.consolidate()
        self.drain()

    def consolidate(self) -> None:
        """Wait for the store, then consolidate all finished cells that are complete."""
        finished_jobs, self._finished_jobs = self._finished_jobs, []

        def consolidate() -> None:
            try:
                with machine_errors(CellError, SAFE, self._run.path):
                    self._run.finish([job for job in finished_jobs if job.key not in self.failures])
            except CellError as error:  # a full disk: the spans stay, and nothing is lost
                self._warn(f"not consolidated: {error}")

        if finished_jobs:
            self._submit(consolidate)
            self.drain()
        self._last_consolidation = time.monotonic()

    def drain(self) -> None:
        """Wait until everything handed over is stored. Raises the exception that stopped the recorder, if any."""
        done = threading.Event()
        self._submit(done.set)
        while not done.wait(timeout=0.1):
            self._check()
        self._check()

    def close(self) -> None:
        """Store complete spans, drop incomplete ones, and stop the thread."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()

    def _submit(self, work: Callable[[], None]) -> None:
        self._check()
        self._queue.put(work)

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        while (work := self._queue.get()) is not None:
            if self._error is None:
                try:
                    work()
                except BaseException as error:  # noqa: BLE001 - handed to the main thread by _check, with its traceback
                    self._error = error

    def _receive(self, parcel: _Parcel) -> None:
        if parcel.job.key in self.failures:
            return
        try:
            with machine_errors(CellError, SAFE, self._run.path):
                self._store(parcel)
        except (CellError, ValueError) as error:  # ValueError: the store refuses invalid trials
            self._fail(parcel.job, str(error))

    def _store(self, parcel: _Parcel) -> None:
        if parcel.copied is not None:
            parcel.copied.synchronize()
        layout, specs = self._layouts[parcel.job.task], parcel.job.identity.arrays
        fields = {name: tensor.numpy() for name, tensor in parcel.tensors.items()}
        _refuse_non_finite(parcel, layout, fields, specs)
        low, high = parcel.span
        slot = (parcel.job.key, parcel.span)
        block, filled = (
            self._blocks.pop(slot) if slot in self._blocks else (_empty_block(high - low, layout, fields, specs), 0)
        )
        n = len(fields["top5"])
        rows = slice(parcel.offset - low, parcel.offset - low + n)
        block.top5[rows], block.logp[rows] = fields["top5"], fields["logp"]
        targets = layout.targets[parcel.offset : parcel.offset + n]
        block.correct[rows] = is_correct(fields["top5"][..., :1], targets)
        if block.rank is not None:
            block.rank[rows] = target_ranks(fields["top5"], targets, fields["ahead"])
        if block.logits is not None:
            block.logits[rows] = fields["logits"]
        for name, array in block.arrays.items():
            array[rows] = fields[array_field(name)]
        if filled + n < high - low:
            self._blocks[slot] = (block, filled + n)
        else:
            self._run.commit(parcel.job, parcel.span, block)

    def _fail(self, job: Job, reason: str) -> None:
        if job.key in self.failures:
            return
        self.failures[job.key] = reason
        self._blocks = {slot: block for slot, block in self._blocks.items() if slot[0] != job.key}
        self._warn(f"failed: {job.model} on {job.task}: {reason}")
        try:
            with machine_errors(CellError, within=self._run.path):
                self._run.fail(job, reason)
        except (OSError, CellError, ValueError) as error:
            # A full disk fails cells and cannot store the failure either; nor can a folder that was deleted meanwhile.
            self._warn(f"the failure of {job.model} on {job.task} could not be stored: {error}")


def _refuse_non_finite(parcel: _Parcel, layout: TaskLayout, fields: Fields, specs: Mapping[str, ArraySpec]) -> None:
    """Raises NonFiniteError if logits are not finite, or an array that must be."""
    if not fields["finite"].all():
        condition = layout.conditions[int(np.argmin(fields["finite"]))]
        first = layout.sample_ids[parcel.offset]
        raise NonFiniteError(
            f"{parcel.job.model} gave NaN or infinite logits under {condition}, in the batch from {first} on"
        )
    for name, spec in specs.items():
        if not spec.finite or (finite := np.isfinite(fields[array_field(name)])).all():
            continue
        row, column = (int(place) for place in np.argwhere(~finite)[0][:2])
        raise NonFiniteError(
            f"array {name} of {parcel.job.task} is NaN or infinite under {layout.conditions[column]} for sample "
            f"{layout.sample_ids[parcel.offset + row]}; a probe that means it declares ArraySpec(finite=False)"
        )


def _empty_block(n: int, layout: TaskLayout, fields: Fields, specs: Mapping[str, ArraySpec]) -> TrialBlock:
    conditions = len(layout.conditions)
    logits = fields.get("logits")
    return TrialBlock(
        top5=np.full((n, conditions, 5), -1, np.int16),
        logp=np.full((n, conditions, 5), np.nan, np.float16),
        correct=np.full((n, conditions), NOT_MEASURED, np.uint8),
        logits=None if logits is None else np.full((n, conditions, logits.shape[2]), np.nan, np.float16),
        arrays={name: np.zeros((n, conditions, *spec.shape), spec.dtype) for name, spec in specs.items()},
        rank=np.full((n, conditions), NO_RANK, np.uint16) if "ahead" in fields else None,
    )


def _to_host(tensors: dict[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], torch.cuda.Event | None]:
    """Copies on the host, and the event after which they are complete (None: they already are)."""
    if not tensors["top5"].is_cuda:
        return tensors, None
    host = {
        name: torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True).copy_(tensor, non_blocking=True)
        for name, tensor in tensors.items()
    }
    copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
    copied.record(torch.cuda.current_stream(tensors["top5"].device))  # that device may differ from the current one
    return host, copied
