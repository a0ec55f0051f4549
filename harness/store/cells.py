"""The folder of one cell: its current job, the shards under each key, and their consolidation."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

from harness.errors import StoreError
from harness.identity import digest_of
from harness.local.listing import is_there, names_in
from harness.local.recall import Facts, remembered
from harness.local.regular import refuse_links
from harness.local.tidying import discard, tidying
from harness.local.writing import make_folder, sync_folder
from harness.records import Identity, Job, TaskLayout
from harness.store.consolidation import write_consolidated
from harness.store.forms import CELL, FAILURE, refuse_misfit
from harness.store.headers import Header, Origin, Span, refuse_other
from harness.store.layout import LayoutHeader, layout_digest
from harness.store.seal import read_sealed, write_sealed
from harness.store.shards import StoredSpan, read_header, write_shard

ALL: Final = "all.h5"
_RECORD: Final = "cell.json"
_FAILED: Final = "failed.json"
_SPAN: Final = re.compile(r"(\d{6,})-(\d{6,})\.h5")
_SHORT_KEY: Final = re.compile(r"[0-9a-f]{16}")


def span_name(span: Span) -> str:
    """Name of the file of one committed span; names sort like spans."""
    return f"{span[0]:06d}-{span[1]:06d}.h5"


class ShardFile(NamedTuple):
    """One file with the trials of samples low to high, composed of `spans`; `sessions`: as `StoredCell.sessions`."""

    low: int
    high: int
    path: Path
    spans: tuple[Span, ...]
    sessions: tuple[str, ...] = ()


def _is_kept(file: ShardFile, recent: Mapping[Span, Committed]) -> bool:
    return file.path.name != ALL and file.spans[0] in recent


class Committed(NamedTuple):
    """One span as written, with the header of its file."""

    header: Header
    stored: StoredSpan


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRecord:
    """Content of `cell.json`.

    Attributes:
        layout: digest of the layout that defines the axes of the trials.
        outputs: number of logits that will be stored per trial; None if none are, or it is still unknown.
    """

    job: Job
    layout: str
    provenance: Mapping[str, Any]
    outputs: int | None = None

    def as_json(self) -> dict[str, Any]:
        """The record as the JSON object of `cell.json`."""
        facts = {"layout": self.layout, "provenance": dict(self.provenance), "outputs": self.outputs}
        return {"job": self.job.as_json(), **facts}

    @property
    def origin(self) -> Origin:
        """The origin that every shard of this cell must state."""
        return Origin(self.job.task, self.job.model, self.job.key, self.layout)

    @property
    def attributes(self) -> dict[str, str]:
        """The attributes of this cell in the index."""
        layers = {"layers": json.dumps(self.job.layers)} if self.job.layers else {}
        return {"key": self.job.key, "provenance": json.dumps(dict(self.provenance)), **layers}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCell:
    """The stored state of one cell under its current key.

    Attributes:
        spans: committed sample ranges, in order of the samples.
        failed: why the cell failed, None if it did not.
        layout: digest of the layout that defines the axes of the trials.
        provenance: of the last session that computed it. sessions: of all of them, as JSON texts, once it is finished
            and was computed in several spans.
    """

    job: Job
    spans: tuple[Span, ...]
    failed: str | None
    provenance: Mapping[str, Any]
    layout: str
    sessions: tuple[str, ...] = ()

    def complete(self, layout: TaskLayout | LayoutHeader) -> bool:
        """Whether every trial of `layout` is stored, and the cell did not fail. Its header is enough, and quicker."""
        digest = layout.digest if isinstance(layout, LayoutHeader) else layout_digest(layout)
        return self.failed is None and self.layout == digest and covers(self.spans, layout)


def covers(spans: Sequence[Span], layout: TaskLayout | LayoutHeader) -> bool:
    """Whether `spans` cover all samples from first to last without gaps."""
    n = layout.samples if isinstance(layout, LayoutHeader) else len(layout.sample_ids)
    ends_meet = all(before[1] == after[0] for before, after in pairwise(spans))
    return bool(spans) and spans[0][0] == 0 and spans[-1][1] == n and ends_meet


def _record(stored: Mapping[str, Any]) -> CellRecord:
    """The record in the JSON object of `cell.json`. Raises KeyError or TypeError."""
    return CellRecord(**{**stored, "job": _job(stored["job"])})


@remembered(4096, Facts("cell", CellRecord.as_json, _record))
def _read_record(path: Path) -> CellRecord:
    task, model, remedy = path.parent.parent.name, path.parent.name, f"delete {path.parent} to rerun the cell"
    stored = read_sealed(path, remedy)
    try:
        refuse_misfit(stored, CELL)
        record = _record(stored)
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{path} is damaged ({error!r}); {remedy}") from error
    job = record.job
    if (job.task, job.model) != (task, model):
        raise StoreError(f"{path} belongs to {job.model} on {job.task}, not to {model} on {task}; {remedy}")
    if digest_of(job.identity.document) != job.key:
        raise StoreError(f"{path} is damaged: its key is not the digest of its identity; {remedy}")
    return record


def _job(stored: Mapping[str, Any]) -> Job:
    """The job in a JSON object. Raises KeyError or TypeError."""
    sequences = {name: tuple(stored[name]) for name in ("tensors", "files", "layers") if name in stored}
    return Job(**{**stored, **sequences, "identity": Identity(stored["identity"])})


class CellFolder:
    """``RUN/shards/<task>/<model>``, which is no link."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def of_key(self, key: str) -> Path:
        """The folder of the shards made under `key`."""
        return self.path / key[:16]

    # --- the current job ---------------------------------------------------------------------

    def record(self) -> CellRecord | None:
        """The current job; None if there is none yet. Raises StoreError if it is damaged."""
        try:
            return _read_record(self.path / _RECORD)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def begin(self, record: CellRecord) -> None:
        """Make `record` the current record.

        Raises:
            ValueError: the key is not the digest of the identity.
            StoreError: the key was used for trials on another layout.
        """
        job, current = record.job, self.record()
        if job.key != digest_of(job.identity.document):
            raise ValueError(f"key of {job.task} × {job.model} is {job.key!r}, expected the digest of its identity")
        if current is not None and current.job.key == job.key and current.layout != record.layout:
            raise StoreError(
                f"{self.path} holds trials of the same key on another layout: the samples or classes of {job.task} "
                f"changed, but the identity of the cell did not. Bump the dataset's version, or delete {self.path}"
            )
        make_folder(self.path)
        write_sealed(self.path / _RECORD, record.as_json())

    def current(self, job: Job) -> CellRecord:
        """The record of `job`. Raises ValueError unless `begin` was last called for it."""
        record = self.record()
        if record is None or record.job.key != job.key:
            raise ValueError(f"{job.task} × {job.model} was not begun with key {job.key[:16]}…; call begin first")
        return record

    # --- failure -----------------------------------------------------------------------------

    def failure(self, key: str) -> str | None:
        """Why the cell failed under `key`; None if it did not."""
        path = self.of_key(key) / _FAILED
        try:
            stored = read_sealed(path, f"delete {path} to retry the cell")
            refuse_misfit(stored, FAILURE)
            return str(stored["reason"])
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise StoreError(f"{path} is damaged ({error!r}); delete it to retry the cell") from error

    def fail(self, record: CellRecord, reason: str) -> None:
        """Store why the cell failed. Raises CellError if the disk is full."""
        make_folder(self.of_key(record.job.key))
        content = {"reason": reason, "provenance": dict(record.provenance)}
        write_sealed(self.of_key(record.job.key) / _FAILED, content)

    def clear_failure(self, key: str) -> None:
        """Forget that the cell failed, if it did."""
        if is_there((folder := self.of_key(key)) / _FAILED, follow=False):
            (folder / _FAILED).unlink()
            sync_folder(folder)

    # --- shards ------------------------------------------------------------------------------

    def span_path(self, key: str, span: Span) -> Path:
        """The file of one committed span."""
        return self.of_key(key) / span_name(span)

    def files(self, origin: Origin) -> tuple[ShardFile, ...]:
        """The files with the trials of `origin`, by sample; spans that ``all.h5`` covers are left out.

        Raises:
            StoreError: ``all.h5`` is damaged, or belongs to another cell.
            FileNotFoundError: it was just deleted, because the cell was finished under another key.
        """
        spans, consolidated = list(self._span_files(origin.key)), self.of_key(origin.key) / ALL
        # Check only after listing: if `all.h5` had existed before, spans may have been deleted while they were listed.
        if is_there(consolidated, follow=False):
            header = read_header(consolidated)
            refuse_other(consolidated, origin, header)
            low, high = header.range
            spans = [file for file in spans if file.high <= low or file.low >= high]
            spans.append(ShardFile(low, high, consolidated, header.spans, header.provenance))
        return tuple(sorted(spans))

    def _span_files(self, key: str) -> Iterator[ShardFile]:
        folder = refuse_links(self.path, key[:16])
        for entry in names_in(folder):
            if name := _SPAN.fullmatch(entry):
                low, high = int(name[1]), int(name[2])
                yield ShardFile(low, high, folder / entry, ((low, high),))

    def commit(self, record: CellRecord, stored: StoredSpan) -> Committed:
        """Write one span. Raises CellError if the disk is full."""
        path = self.span_path(record.job.key, stored.span)
        make_folder(path.parent)
        header = Header(
            origin=record.origin,
            spans=(stored.span,),
            provenance=(json.dumps(dict(record.provenance)),),
            tails={name: array.shape[1:] for name, array in stored.fields.items()},
            dtypes={name: array.dtype.str for name, array in stored.fields.items()},
        )
        write_shard(path, header, {name: [digest] for name, digest in stored.digests.items()}, [stored])
        return Committed(header, stored)

    # --- finished cells ----------------------------------------------------------------------

    def consolidate(self, record: CellRecord, recent: Mapping[Span, Committed]) -> None:
        """Copy all spans into ``all.h5``, one at a time; they stay until `tidy`. A single span needs no copy.

        Args:
            recent: spans of this key that this process has committed, which need not be read back.

        Raises:
            StoreError: a span is damaged. CellError: the disk is full.
        """
        files = self.files(record.origin)
        if len(files) > 1:
            kept = {file.path: recent[file.spans[0]] for file in files if _is_kept(file, recent)}
            write_consolidated(self.of_key(record.job.key) / ALL, record.origin, files, kept)

    def untidy(self, key: str) -> bool:
        """Whether the cell is finished, but still has files that it no longer needs."""
        return is_there(self.of_key(key) / ALL, follow=False) and bool(self._superfluous(key))

    def tidy(self, key: str) -> None:
        """Delete files that a finished cell no longer needs, or warn. Only after the index has been replaced."""
        with tidying(self.path):
            discard(self._superfluous(key))

    def _superfluous(self, key: str) -> list[Path]:
        """Spans that ``all.h5`` covers, and the folders of other keys."""
        keys = [name for name in names_in(self.path) if _SHORT_KEY.fullmatch(name) and name != key[:16]]
        others = [self.path / name for name in keys if (self.path / name).is_dir()]
        spans = list(self._span_files(key))
        if not spans or not is_there(self.of_key(key) / ALL, follow=False):
            return others
        low, high = read_header(self.of_key(key) / ALL).range
        return others + [file.path for file in spans if low <= file.low and file.high <= high]
