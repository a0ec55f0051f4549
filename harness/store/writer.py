"""The run folder: immutable shards, and one index over them that is always derivable from the rest.

    RUN/run.json                                    manifest
    RUN/index.h5                                    the one file that users open
    RUN/.lock                                       held by the one process that writes (.lock.held: without `flock`)
    RUN/measures.json                               an imported table, in a run of kind "imported"
    RUN/shards/<task>/layout.h5                     sample and condition axes
    RUN/shards/<task>/<model>/cell.json             the current job of the cell
    RUN/shards/<task>/<model>/<key>/LOW-HIGH.h5     one committed span (<key>: the first 16 digits)
    RUN/shards/<task>/<model>/<key>/all.h5          all spans of a finished cell; takes precedence over LOW-HIGH.h5
    RUN/shards/<task>/<model>/<key>/failed.json     why the cell failed

Every file appears by rename and is never changed in place, so readers only see complete files. Shards are deleted only
after a new index that does not need them has replaced the old one. Sources are below the cell's key, so that an index
never shows trials of another key, wherever HDF5 looks for its relative sources.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from harness.local.listing import is_there
from harness.local.locking import ProcessLock
from harness.local.tidying import discard
from harness.local.unsynced import sync_below
from harness.local.writing import leftovers, make_folder
from harness.records import Job, TaskLayout, TrialBlock, array_field
from harness.store import checks, run_record
from harness.store.cells import CellRecord, covers
from harness.store.decisions import has_ranks
from harness.store.derived import indexed_tasks
from harness.store.file_names import check_name
from harness.store.headers import Span
from harness.store.index import write_index
from harness.store.layout import (
    RESERVED,
    check_layout,
    layout_digest,
    read_layout,
    read_layout_header,
    read_targets,
    write_layout,
)
from harness.store.reader import RunReader
from harness.store.recent import RecentSpans
from harness.store.seal import write_sealed
from harness.store.shards import as_stored

SYNCING: Final = 8
"""Threads that wait for the disk together: a file system commits their requests together."""


class RunWriter(RunReader):
    """One run folder, whose lock this process holds from `create` to `close`. Others may read in the meantime."""

    def __init__(self, path: Path, lock: ProcessLock) -> None:
        super().__init__(path)
        self._lock = lock
        self._recent = RecentSpans()
        self._failed = False
        self._ranked: dict[str, bool] = {}

    def close(self) -> None:
        """Release the lock."""
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None and not self._failed:
            self._lock.end()
        self.close()

    # --- opening -----------------------------------------------------------------------------

    @classmethod
    def create(cls, path: str | Path, *, settings: Mapping[str, Any], command: Sequence[str]) -> RunWriter:
        """Begin a run at `path`, or extend the one there. Leaves nothing behind if it refuses.

        Args:
            settings: JSON-ready settings of the whole run (seed, limit, precision, …).
            command: the command line as typed.

        Raises:
            RunError: another process writes there; the folder holds something else, an imported table, or a run of
                other settings; it cannot be written.
        """
        path = Path(path)
        json_settings = json.loads(json.dumps(dict(settings)))
        with run_record.claimed(path, lambda: run_record.refuse_unfit(path, json_settings)) as lock:
            run = cls(path, lock)
            run._sweep()
            record = run_record.resumable_run(path)
            manifest = dict(record.document) if record else run_record.new_manifest("trials", json_settings)
            manifest["history"] = [*manifest.get("history", ()), run_record.history_entry(command)]
            write_sealed(path / run_record.MANIFEST, manifest)
        return run

    # --- the manifest ------------------------------------------------------------------------

    def update_manifest(self, **fields: Any) -> None:
        """Extend the manifest: names within `models`, `planned` and `study` are added or replaced, warnings appended.

        Raises:
            ValueError: a field that is fixed for a run (settings, kind, …).
        """
        write_sealed(self.path / run_record.MANIFEST, run_record.extended(self.record.document, fields))

    # --- tasks -------------------------------------------------------------------------------

    def put_layout(self, layout: TaskLayout) -> None:
        """Store the axes of a task. Cells measured on other axes become stale, and leave the index.

        Raises:
            ValueError: a name that cannot be stored, or a layout that contradicts itself.
            CellError: the disk is full.
        """
        check_layout(layout)
        content = layout_digest(layout, attributes=True)
        clash = sorted(set(layout.attributes) & set(self.models(layout.task)))
        if clash:
            raise ValueError(f"{layout.task} has a model and an attribute of one name: {', '.join(clash)}; rename one")
        path = self.layout_path(layout.task)
        if is_there(path, follow=False):
            if read_layout_header(path).content == content:
                read_layout(path)  # raises an error if it is damaged: the index is made of it
                return
            # No index may show old trials beside new axes, not even for a moment.
            self._publish(tuple(task for task in self.tasks() if task != layout.task))
        make_folder(path.parent)
        write_layout(path, layout)

    # --- cells -------------------------------------------------------------------------------

    def begin_all(
        self, jobs: Sequence[Job], provenance: Mapping[str, Any], outputs: Mapping[str, int] | None = None
    ) -> None:
        """`begin` for many jobs; clears their earlier failures, and rewrites the index.

        Args:
            outputs: key of a job -> number of its logits, if they will be stored.
        """

        def begin(job: Job) -> None:
            self.begin(job, provenance, outputs=outputs.get(job.key) if outputs else None)
            self.clear_failure(job)

        with ThreadPoolExecutor(SYNCING) as pool:
            list(pool.map(begin, jobs))
        self.publish()

    def begin(self, job: Job, provenance: Mapping[str, Any], *, outputs: int | None = None) -> None:
        """Make `job` the current job of its cell. Trials under another key stay until this one is finished.

        Args:
            provenance: JSON-ready; stored in every shard that is committed from now on.
            outputs: number of logits if they will be stored, so that the index shows them from the start.

        Raises:
            ValueError: a name or key that cannot be stored.
            StoreError: the task has no layout, or the same key was used on another one.
        """
        check_name("model", job.model)
        header = self.layout_header(job.task)
        if job.model in (*RESERVED, *header.attributes):
            raise ValueError(f"model {job.model!r} cannot be stored: {job.task} has an axis or attribute of that name")
        record = CellRecord(job=job, layout=header.digest, provenance=provenance, outputs=outputs)
        self.folder(job.task, job.model).begin(record)

    def commit(self, job: Job, span: Span, block: TrialBlock) -> None:
        """Store the trials of one span, durably.

        Raises:
            ValueError: `job` was not begun, `span` is not a span of the layout, or `block` is invalid: it lacks ranks,
                for instance, although the cell was not begun without.
            CellError: the disk is full; the store is unchanged.
        """
        folder, header = self.folder(job.task, job.model), self.layout_header(job.task)
        record, (low, high) = folder.current(job), span
        if low % header.span or not 0 <= low < high or high != min(low + header.span, header.samples):
            raise ValueError(f"{span} is no span of {job.task}: {header.samples} samples in steps of {header.span}")
        fields = {"top5": block.top5, "logp": block.logp, "correct": block.correct}
        if job.key not in self._ranked:
            self._ranked[job.key] = has_ranks(job, folder.files(record.origin))
        ranked = self._ranked[job.key]
        if ranked and block.rank is not None:
            fields["rank"] = block.rank
        if block.logits is not None:
            fields["logits"] = block.logits
        fields.update({array_field(name): array for name, array in sorted(block.arrays.items())})
        arrays = job.identity.arrays
        problems = checks.field_problems(fields, high - low, header.conditions, arrays, ranked=ranked)
        if not problems:
            targets = read_targets(self.layout_path(job.task))[low:high]
            first_only = job.identity.first_choices_only
            problems = checks.value_problems(fields, targets, header.classes, first_only, arrays)
        if problems:
            raise ValueError(f"{job.task} × {job.model}, samples {low}-{high}, cannot be stored: {'; '.join(problems)}")
        self._recent.keep(job.key, span, folder.commit(record, as_stored(span, fields)))

    def fail(self, job: Job, reason: str) -> None:
        """Store why `job` failed. Its committed spans stay. Raises CellError if the disk is full."""
        self._recent.forget(job.key)
        self._failed = True
        folder = self.folder(job.task, job.model)
        folder.fail(folder.current(job), reason)

    def clear_failure(self, job: Job) -> None:
        """Forget that `job` failed, if it did."""
        self.folder(job.task, job.model).clear_failure(job.key)

    def finish(self, jobs: Sequence[Job]) -> None:
        """Put the spans of each job that is complete into one file, and rewrite the index.

        Raises:
            StoreError: a span is damaged. CellError: the disk is full. Neither loses a trial.
        """
        with ThreadPoolExecutor(SYNCING) as pool:
            complete = list(pool.map(self._consolidate, jobs))
            finished = [job for job, ready in zip(jobs, complete, strict=True) if ready]
            for job in finished:
                self._recent.forget(job.key)
            self.publish()
            list(pool.map(lambda job: self.folder(job.task, job.model).tidy(job.key), finished))

    def _consolidate(self, job: Job) -> bool:
        folder = self.folder(job.task, job.model)
        record = folder.current(job)
        spans = [span for file in folder.files(record.origin) for span in file.spans]
        complete = covers(spans, self.layout_header(job.task)) and not self.is_stale(record)
        if complete and folder.failure(job.key) is None:
            folder.consolidate(record, self._recent.of(job.key))
            return True
        return False

    def _sweep(self) -> None:
        """Remove files left by killed processes, and complete the consolidations that they began.

        A killed process may have renamed a file and not synced its folder: before that counts as stored, it is synced.
        """
        if self._lock.unended:
            sync_below(self.path)
        discard(leftovers(self.path))
        untidy = [
            (folder, record.job.key)
            for task in self.tasks()
            for folder in (self.folder(task, model) for model in self.models(task))
            if (record := folder.record()) is not None and folder.untidy(record.job.key)
        ]
        if untidy:
            self.publish()
            for folder, key in untidy:
                folder.tidy(key)

    # --- the index ---------------------------------------------------------------------------

    def publish(self) -> None:
        """Rewrite the index. Shards that are committed later appear in it automatically."""
        self._publish(self.tasks())

    def _publish(self, tasks: Sequence[str]) -> None:
        write_index(self.path / run_record.INDEX, indexed_tasks(self, tasks))
