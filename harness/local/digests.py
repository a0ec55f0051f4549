"""SHA-256 digests of files, cached between runs, so that a study of many large checkpoints starts immediately."""

from __future__ import annotations

import json
import logging
import re
import time
from hashlib import file_digest
from pathlib import Path
from typing import Any, Final

from harness.errors import CheckpointError
from harness.local.cache import cache_dir
from harness.local.notes import read_note
from harness.local.regular import regular
from harness.local.writing import write_whole

SETTLED_NS: Final = 2_000_000_000
"""A file younger than this is not cached: it could change again within one tick of the file system's clock."""

log = logging.getLogger(__name__)


def sha256_of(path: Path) -> str:
    """The file's SHA-256, 64 hex digits; cached by resolved path, size and times of change.

    Raises:
        CheckpointError: the file cannot be read, or changes while it is read.
    """
    try:
        resolved = regular(path.resolve(strict=True))
        key, before = str(resolved), fingerprint(resolved)
        entry = _read_digests().get(key)
        if entry is not None and entry[:-1] == before:
            return str(entry[-1])
        with resolved.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        if fingerprint(resolved) != before:
            raise CheckpointError(f"{path} changed while it was read; wait until it is complete and try again")
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}") from error
    if time.time_ns() - max(before[1:]) > SETTLED_NS:
        _remember(key, [*before, digest])
    return digest


def path_of(digest: str) -> Path | None:
    """A file on this machine with the SHA-256 `digest`, if one has been read and has not changed since."""
    for place, entry in _read_digests().items():
        try:
            if entry[-1] == digest and fingerprint(Path(place)) == entry[:-1]:
                return Path(place)
        except OSError:
            continue
    return None


def fingerprint(path: Path) -> list[int]:
    """Size, time of modification and time of change: the last cannot be set back, as `cp -p` does with the other."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]


def _digest_file() -> Path:
    return cache_dir() / "digests.json"


def _read_digests() -> dict[str, list[Any]]:
    """The cached digests; none if the file is missing or damaged, since they can be recomputed."""
    try:
        stored = read_note(_digest_file())
    except (OSError, ValueError):
        return {}
    if not isinstance(stored, dict):
        return {}
    return {key: value for key, value in stored.items() if _is_entry(value)}


def _is_entry(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 4
        and all(isinstance(number, int) for number in value[:-1])
        and re.fullmatch("[0-9a-f]{64}", str(value[-1])) is not None
    )


def _remember(key: str, entry: list[Any]) -> None:
    from harness.local.locking import locked

    target = _digest_file()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(target.with_suffix(".lock")):
            entries = {**_read_digests(), key: entry}
            write_whole(target, json.dumps(entries, indent=0))
    except OSError as error:
        # With a read-only cache the file is only hashed again next time.
        log.warning("cannot remember digests in %s: %s", target, error.strerror)
