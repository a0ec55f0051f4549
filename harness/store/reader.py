"""Reading a run folder, also while another process writes to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from harness.errors import RunError, StoreError, listed
from harness.local.regular import refuse_links
from harness.records import (
    DECISION_FIELDS,
    ImportedTable,
    RunKind,
    RunRecord,
    TaskLayout,
    Trials,
    array_field,
)
from harness.store import imported, run_places, run_record
from harness.store.cells import CellFolder, CellRecord, ShardFile, StoredCell, covers
from harness.store.file_names import check_name, named_folders
from harness.store.headers import Span, damaged, refuse_other
from harness.store.layout import LayoutHeader, read_classes, read_layout, read_layout_header, read_samples_digest
from harness.store.shards import read_header
from harness.store.stored_trials import stored_rows, stored_trials

T = TypeVar("T")
_ATTEMPTS: Final = 5
"""How often a reader retries when files change while it reads them."""


class RunReader:
    """One run folder, read without its lock."""

    @classmethod
    def open(cls, path: str | Path) -> RunReader:
        """The run at `path`, opened for reading. Raises RunError if there is none."""
        run_record.read_run(run_places.usable(Path(path)))
        return RunReader(Path(path))

    @classmethod
    def resumable(cls, path: Path) -> RunReader | None:
        """The run at `path`, also if it has lost its `run.json`; None if there is none. Raises RunError."""
        record = run_record.resumable_run(run_places.usable(path))
        return RunReader(path, record) if record else None

    def __init__(self, path: Path, remade: RunRecord | None = None) -> None:
        self.path = path
        self._remade = remade
        self._last_layout: tuple[str, TaskLayout] | None = None
        self._layout_paths: dict[str, Path] = {}

    # --- the manifest ------------------------------------------------------------------------

    @property
    def record(self) -> RunRecord:
        """The current `run.json`. Raises RunError if it is missing, StoreError if it is damaged."""
        return self._remade or run_record.read_run(self.path)

    @property
    def kind(self) -> RunKind:
        """``trials``, or ``imported`` for a published table."""
        return self.record.kind

    @property
    def settings(self) -> Mapping[str, Any]:
        """Settings of the whole run, as given to `create`."""
        return self.record.settings

    @property
    def imported(self) -> ImportedTable:
        """The table of an imported run. Raises RunError if the run holds trials, StoreError if it is damaged."""
        if self.kind != "imported":
            raise RunError(f"{self.path} holds trials, expected an imported table", remedy="harness import FORMAT FILE")
        return imported.read_table(self.path)

    # --- tasks -------------------------------------------------------------------------------

    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks that have a layout, sorted."""
        return tuple(named_folders(refuse_links(self.path, "shards"), "layout.h5"))

    def models(self, task: str) -> tuple[str, ...]:
        """Names of the models with a cell of `task`, sorted."""
        return tuple(named_folders(self._task(task), "cell.json"))

    def layout(self, task: str) -> TaskLayout:
        """The axes of `task`. Raises StoreError if there are none, or they are damaged."""
        header = self.layout_header(task)
        if self._last_layout is None or self._last_layout[0] != f"{task} {header.content}":
            self._last_layout = f"{task} {header.content}", self._of_layout(task, read_layout)
        return self._last_layout[1]

    def classes(self, task: str) -> tuple[str, ...]:
        """Names of the classes of `task`."""
        return self._of_layout(task, read_classes)

    def samples_digest(self, task: str) -> str:
        """SHA-256 of the ids of the samples of `task`. Raises as `layout`."""
        return self._of_layout(task, read_samples_digest)

    def layout_header(self, task: str) -> LayoutHeader:
        """The header of the axes of `task`. Raises StoreError if there are none, or they are damaged."""
        return self._of_layout(task, read_layout_header)

    def _of_layout(self, task: str, read: Callable[[Path], T]) -> T:
        try:
            return read(self.layout_path(task))
        except FileNotFoundError:
            available = ", ".join(self.tasks()) or "none"
            raise StoreError(f"{self.path} has no task {task!r}. Available: {available}") from None

    def _task(self, task: str) -> Path:
        check_name("task", task)
        return refuse_links(self.path, "shards", task)

    def layout_path(self, task: str) -> Path:
        """The file of the axes of `task`."""
        if task not in self._layout_paths:  # asked for once a cell and more
            self._layout_paths[task] = self._task(task) / "layout.h5"
        return self._layout_paths[task]

    # --- cells -------------------------------------------------------------------------------

    def places(self) -> list[tuple[str, str]]:
        """(task, model) of every cell that was begun, readable or not, sorted."""
        return [(task, model) for task in self.tasks() for model in self.models(task)]

    def cells(self) -> dict[tuple[str, str], StoredCell]:
        """All cells by (task, model)."""
        return {place: cell for place in self.places() if (cell := self.cell(*place)) is not None}

    def checked_cells(self) -> dict[tuple[str, str], StoredCell]:
        """As `cells`, after the header of every shard has been compared with its cell: what a resume builds on.

        Raises StoreError, which lists all cells and shards that are damaged, and shards of others or other samples.
        """
        cells: dict[tuple[str, str], StoredCell] = {}
        problems: list[str] = []
        for place in self.places():
            try:
                if cell := self.cell(*place):
                    self._check_headers(*self.place(*place))
                    cells[place] = cell
            except StoreError as error:
                problems.append(str(error))
        if problems:
            raise StoreError(listed(problems, separator="; "))
        return cells

    def _check_headers(self, record: CellRecord, files: Sequence[ShardFile]) -> None:
        for file in files:
            header = read_header(file.path)
            refuse_other(file.path, record.origin, header)
            if header.range != (file.low, file.high):
                raise damaged(file.path, f"holds samples {header.range}, expected {(file.low, file.high)}")

    def cell(self, task: str, model: str) -> StoredCell | None:
        """The stored state of one cell under its current key, None if it was never begun. Raises StoreError."""
        folder = self.folder(task, model)
        if (place := self._place(folder)) is None:
            return None
        record, files = place
        return StoredCell(
            job=record.job,
            spans=tuple(span for file in files for span in file.spans),
            failed=folder.failure(record.job.key),
            provenance=record.provenance,
            layout=record.layout,
            sessions=tuple(text for file in files for text in file.sessions),
        )

    def place(self, task: str, model: str) -> tuple[CellRecord, tuple[ShardFile, ...]]:
        """The current job of a cell, and the files with its trials. Raises StoreError if it was never begun."""
        if (place := self._place(self.folder(task, model))) is None:
            available = ", ".join(self.models(task)) or "none"
            raise StoreError(f"{self.path} has no {task} of {model!r}. Available: {available}")
        return place

    def _place(self, folder: CellFolder) -> tuple[CellRecord, tuple[ShardFile, ...]] | None:
        """As `place`; None if the cell was never begun."""
        for _ in range(_ATTEMPTS):
            record = folder.record()
            if record is None:
                return None
            with suppress(FileNotFoundError):  # a writer has just finished the cell under another key
                return record, folder.files(record.origin)
        return None

    def is_stale(self, record: CellRecord) -> bool:
        """Whether the layout of the trials of `record` has been replaced since."""
        return record.layout != self.layout_header(record.job.task).digest

    def folder(self, task: str, model: str) -> CellFolder:
        """The folder of one cell."""
        check_name("model", model)
        return CellFolder(refuse_links(self._task(task), model))

    # --- reading -----------------------------------------------------------------------------

    def read(self, task: str, model: str, *, lazily: bool = False) -> Trials:
        """All trials of a complete cell, from the shards themselves, one file open at a time; read-only arrays.

        Args:
            lazily: read `correct` now, and each further array when somebody asks for it, which can raise StoreError.

        Raises StoreError: the cell failed or is incomplete, a shard is damaged or belongs to another cell.
        """

        def read(record: CellRecord, files: Sequence[ShardFile]) -> Trials:
            trials = stored_trials(self, record, files)
            if not lazily:
                for name in DECISION_FIELDS:
                    getattr(trials, name)
            return trials

        return self.of_cell(task, model, read)

    def of_cell(self, task: str, model: str, read: Callable[[CellRecord, Sequence[ShardFile]], T]) -> T:
        """What `read` makes of the current job and files of a cell, again if a writer changes them meanwhile."""
        for _ in range(_ATTEMPTS):
            place = self.place(task, model)
            try:
                return read(*place)
            except (FileNotFoundError, StoreError) as error:
                if place != self.place(task, model):
                    continue  # a writer has consolidated or replaced the files
                if isinstance(error, FileNotFoundError):
                    raise StoreError(f"{error.filename} vanished while it was read") from error
                raise
        raise StoreError(f"{task} × {model} in {self.path} changed {_ATTEMPTS} times while it was read; try again")

    def read_logits(self, task: str, model: str, low: int, high: int) -> np.ndarray:
        """Logits of samples `low` to `high` - 1 of a complete cell, (high - low, C, outputs) float16.

        Raises StoreError: the run keeps no logits, or a shard is damaged; ValueError: there are no such samples.
        """
        return stored_rows(self, task, model, "logits", low, high)

    def read_array(self, task: str, model: str, name: str, low: int, high: int) -> np.ndarray:
        """Values of the array `name` of samples `low` to `high` - 1 of a complete cell, (high - low, C, …).

        Raises StoreError: it has no such array, or a shard is damaged; ValueError: there are no such samples.
        """
        return stored_rows(self, task, model, array_field(name), low, high)

    def refuse_unreadable(self, record: CellRecord, spans: Sequence[Span], layout: TaskLayout) -> None:
        """Raise StoreError, with the reason, unless `spans` are all trials of a cell that can be read."""
        job = record.job
        place, hint = f"{job.task} × {job.model} in {self.path}", "type its `harness run` command again"
        failed = self.folder(job.task, job.model).failure(job.key)
        if failed is not None:
            raise StoreError(f"{place} failed: {failed}. To retry, {hint}")
        if self.is_stale(record):
            raise StoreError(f"{place} was measured on samples, classes or conditions that have changed since; {hint}")
        if not covers(spans, layout):
            done = sum(high - low for low, high in spans)
            raise StoreError(f"{place} is incomplete: {done} of {len(layout.sample_ids)} samples; to resume, {hint}")

    def check_index(self, task: str, model: str) -> None:
        """Compare the trials that the index shows as measured with the existing shards. Raises StoreError."""
        from harness.store.shown import check_shown  # which derives an index from this reader

        check_shown(self, task, model)


def read_trials(run: str | Path, task: str, model: str) -> Trials:
    """All trials of one model on one task of a stored run.

    Raises:
        RunError: there is no run at `run`.
        StoreError: the cell is missing, failed, incomplete or damaged: never fill values.
    """
    return RunReader.open(run).read(task, model)
