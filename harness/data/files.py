"""Files of samples: sizes and digests, read once as long as they are unchanged. Nothing but regular files is opened."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import stat
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.errors import DatasetError
from harness.local.cache import cache_dir
from harness.local.digests import SETTLED_NS, fingerprint
from harness.local.machine import is_of_machine, refusal
from harness.local.notes import read_note
from harness.local.writing import write_whole

if TYPE_CHECKING:
    from harness.records import Sample

log = logging.getLogger(__name__)
Hashed = tuple[int, int, int, str]
"""Size in bytes, times of modification and of change in ns, SHA-256: a file whose first three are
unchanged is not read again. The time of change cannot be set back; ``cp -p`` sets back the time of modification."""
_DIGITS: Final = 64


def sizes_of(folder: Path, samples: Sequence[Sample]) -> list[int]:
    """Bytes of each sample's file in one view. Raises DatasetError if a file is missing or empty."""
    prefix = os.fspath(folder)
    try:
        statuses = [os.stat(f"{prefix}/{sample.id}") for sample in samples]  # noqa: PTH116 - millions: no Path each
    except OSError as error:
        raise DatasetError(
            f"cannot read {error.filename}: {error.strerror}. Fix the files, or fetch them again"
        ) from error
    for sample, status in zip(samples, statuses, strict=True):
        if not stat.S_ISREG(status.st_mode):
            raise _irregular(folder / sample.id)
    refuse_empty([folder / sample.id for sample, status in zip(samples, statuses, strict=True) if not status.st_size])
    return [status.st_size for status in statuses]


def refuse_empty(paths: Sequence[Path]) -> None:
    """Raise DatasetError if any file is empty: `paths` of those that are."""
    if paths:
        more = f", as are {len(paths) - 1:,} more" if len(paths) > 1 else ""
        raise DatasetError(f"{paths[0]} is empty (0 bytes){more}: its copy or download broke off. Get it again")


def contents_of(folder: Path, samples: Sequence[Sample]) -> dict[str, str]:
    """Id -> SHA-256 of its file in one view. Raises DatasetError if one cannot be read."""
    with ThreadPoolExecutor() as pool:
        digests = pool.map(lambda sample: content_of(folder / sample.id), samples)
        return dict(zip([sample.id for sample in samples], digests, strict=True))


def joint_digest(digests: Mapping[str, str]) -> str:
    """One SHA-256 over ids and digests."""
    return hashlib.sha256(json.dumps(sorted(digests.items())).encode()).hexdigest()


def content_of(path: Path) -> str:
    """SHA-256 of a file. Raises DatasetError if it cannot be read, or is a FIFO, a device or a folder."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise _irregular(path)
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> DatasetError:
    if is_of_machine(error):  # the file may be whole
        error.filename = str(path)
        return DatasetError(f"cannot read {refusal(error)}")
    return DatasetError(f"cannot read {path}: {error.strerror}. Fix or remove the file")


def _irregular(path: Path) -> DatasetError:
    return DatasetError(f"{path} is no regular file, but a folder, FIFO or device. Remove it")


def digests_of(root: Path, paths: Sequence[Path], progress: Callable[[int, int], None] | None) -> dict[Path, str]:
    """SHA-256 of each file; files whose size and times match the cache are not read again.

    Raises:
        DatasetError: a file cannot be read, or is empty.
    """
    memory = cache_dir() / "manifests" / f"{hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:24]}.json"
    remembered = _remembered(memory)
    digests: dict[Path, str] = {}
    fresh: dict[str, Hashed] = {}
    empty: list[Path] = []

    def digest(path: Path) -> tuple[Path, str, Hashed]:
        key = os.path.relpath(path, root)
        try:
            size, modified, changed = fingerprint(path)
            before = remembered.get(key)
            if before and before[:3] == (size, modified, changed):
                return path, key, before
        except OSError as error:
            raise _unreadable(path, error) from error
        return path, key, (size, modified, changed, content_of(path))

    with ThreadPoolExecutor() as pool:
        for count, (path, key, hashed) in enumerate(pool.map(digest, paths), 1):
            digests[path], fresh[key] = hashed[3], hashed
            empty += [] if hashed[0] else [path]
            if progress and (count % 256 == 0 or count == len(paths)):
                progress(count, len(paths))
    refuse_empty(empty)
    young = time.time_ns() - SETTLED_NS
    settled = {key: hashed for key, hashed in fresh.items() if max(hashed[1:3]) < young}
    if any(remembered.get(key) != hashed for key, hashed in settled.items()):
        _remember(memory, {**remembered, **settled})
    return digests


def _remembered(memory: Path) -> dict[str, Hashed]:
    try:
        return {key: _hashed(*value) for key, value in read_note(memory, bounded=False).items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):  # only a cache: rebuilt below
        return {}


def _hashed(size: int, modified: int, changed: int, digest: str) -> Hashed:
    """One entry as it is stored. Raises ValueError for another."""
    if type(digest) is not str or len(digest) != _DIGITS:
        raise ValueError(f"{digest!r} is no SHA-256")
    return size, modified, changed, digest


def _remember(memory: Path, entries: dict[str, Hashed]) -> None:
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        write_whole(memory, json.dumps(entries))
    except OSError as error:  # only a cache: the next run reads the files again
        log.warning("cannot remember digests in %s: %s", memory, error.strerror)
