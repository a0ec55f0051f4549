"""The lock of a run folder, and its manifest `run.json`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from harness.errors import CellError, RunError, StoreError, listed
from harness.local.listing import is_there
from harness.local.locking import HeldError, ProcessLock, marker_of
from harness.local.machine import is_of_machine, refusal
from harness.local.provenance import versions
from harness.local.recall import remembered
from harness.local.regular import refuse_irregular
from harness.local.unsynced import sync_above
from harness.local.writing import is_leftover
from harness.records import RunKind, RunRecord
from harness.store.forms import RUN, refuse_misfit
from harness.store.remaking import lost_manifest, remade_fields
from harness.store.run_places import usable
from harness.store.seal import read_sealed

FORMAT: Final = 1
MANIFEST: Final = "run.json"
LOCK: Final = ".lock"
_LOCKS: Final = frozenset({LOCK, marker_of(Path(LOCK)).name})
INDEX: Final = "index.h5"
MEASURES: Final = "measures.json"
_LONGEST: Final = 255
"""Bytes of a name on the usual file systems."""
_FIXED: Final = frozenset({"format", "kind", "created", "settings", "history"})
_NAMED: Final = {"contents": 1, "models": 1, "planned": 2, "remedies": 2, "study": 2, "warnings": 1}
"""Fields that are extended, and the number of levels of names below them that an update merges."""


def new_manifest(kind: RunKind, settings: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """The manifest of a new run."""
    empty: dict[str, Any] = {"models": {}, "planned": {}, "study": {}, "warnings": {}, "history": []}
    return {"format": FORMAT, "kind": kind, "created": _now(), "settings": dict(settings), **empty, **more}


def history_entry(command: Sequence[str]) -> dict[str, Any]:
    """One entry of the manifest's history."""
    return {"command": list(command), "created": _now(), "versions": versions()}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def extended(manifest: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """`manifest` with `fields`: names are added or replaced one by one.

    Raises:
        ValueError: one of the fields is fixed for a run.
    """
    fixed = sorted(_FIXED & fields.keys())
    if fixed:
        raise ValueError(f"{', '.join(fixed)} of a run cannot be changed")
    result = dict(manifest)
    for name, value in fields.items():
        result[name] = _merged(manifest.get(name), value, _NAMED.get(name, 0))
    return result


def _merged(old: Any, new: Any, levels: int) -> Any:
    if levels and isinstance(old, Mapping) and isinstance(new, Mapping):
        return {**old, **{name: _merged(old.get(name), value, levels - 1) for name, value in new.items()}}
    return new


def read_run(path: Path) -> RunRecord:
    """The manifest of the run at `path`; parsed again only if the file has been replaced.

    Raises:
        RunError: there is no run, or one of a later format.
        StoreError: `run.json` is damaged.
    """
    return _parsed(path / MANIFEST)


@remembered(64)
def _parsed(file: Path) -> RunRecord:
    folder = file.parent
    remedy = (
        'if you have edited it, delete its entry "digest"; else rename it to run.json.damaged and type the '
        "`harness run` command again, which makes it anew from the cells"
    )
    try:
        document = read_sealed(file, remedy)
    except (FileNotFoundError, NotADirectoryError):
        raise lost_manifest(folder) or RunError(
            f"{folder} holds no run ({_contents(folder)}). Expected a folder that `harness run` made",
            remedy=f"harness run --suite NAME --out {folder}",
        ) from None
    damaged = f"{file} is not the manifest of a run; {remedy}"
    if not isinstance(document, dict) or "kind" not in document:
        raise StoreError(damaged)
    if document.get("format") != FORMAT:
        raise RunError(
            f"{folder} is a run of format {document.get('format')}, this version reads {FORMAT}",
            remedy="pip install --upgrade bias-harness",
        )
    try:
        refuse_misfit(document, RUN)
        return RunRecord.parse(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StoreError(f"{damaged} ({error!r})") from error


def resumable_run(path: Path) -> RunRecord | None:
    """The manifest of the run at `path`, made again from the cells if it was lost; None if there is no run.

    Raises:
        RunError: it is damaged, or of a later format, or cannot be made again.
    """
    if is_there(path / MANIFEST, follow=False):
        try:
            return read_run(path)
        except StoreError as error:
            raise RunError(str(error)) from error
    fields = remade_fields(path)
    return RunRecord.parse({**new_manifest("trials", {}), **fields}) if fields else None


def _contents(path: Path) -> str:
    if not path.exists():
        return "it does not exist"
    if not path.is_dir():
        return "it is a file"
    names = sorted(entry.name for entry in path.iterdir())
    return f"it holds {listed(names)}" if names else "it is empty"


def refuse_unfit(path: Path, settings: Mapping[str, Any]) -> None:
    """Raises RunError unless `path` is, or can become, a run of `settings`. Writes nothing."""
    run = resumable_run(path)
    if run is not None:
        if run.kind != "trials":
            raise RunError(f"{path} is an imported table, which cannot be extended; choose another --out")
        if run.importer is not None:
            raise RunError(f"{path} holds imported decisions, which cannot be extended; choose another --out")
        _refuse_other_settings(path, run.settings, settings)
    else:
        refuse_occupied(path)


def refuse_occupied(path: Path) -> None:
    """Raises RunError unless `path` is free: missing, empty, or left by a process that was killed before it began."""
    usable(path)
    if long := [part for part in path.parts if len(os.fsencode(part)) > _LONGEST]:
        raise RunError(f"{long[0][:60]}… has more than {_LONGEST} bytes; choose another --out")
    above = next((parent for parent in path.absolute().parents if parent.exists()), path)
    if not above.is_dir():
        raise RunError(f"{above} is a file, expected a folder; choose another --out")
    if path.is_dir() and any(entry.name not in _LOCKS and not is_leftover(entry) for entry in path.iterdir()):
        if (path / MANIFEST).exists():
            raise RunError(f"{path} holds a run already, and what is imported needs a new folder; choose another --out")
        raise RunError(f"{path} is not empty and holds no run ({_contents(path)}); choose another --out")


def _refuse_other_settings(path: Path, stored: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    names = [name for name in sorted(stored.keys() | given.keys()) if stored.get(name) != given.get(name)]
    if names:
        differences = ", ".join(
            f"{name} is {_shown(stored, name)} there and {_shown(given, name)} here" for name in names
        )
        remedies = [f"type {_option(name)} {stored[name]}" for name in names if stored.get(name) is not None]
        remedies += [f"leave out {_option(name)}" for name in names if stored.get(name) is None]
        raise RunError(
            f"{path} was made with other settings: {differences}. To extend it {' and '.join(remedies)}; "
            "otherwise choose another --out"
        )


def _shown(settings: Mapping[str, Any], name: str) -> str:
    value = settings.get(name)
    return "unset" if value is None else str(value)


def _option(name: str) -> str:
    return f"--{name.removesuffix('_type').replace('_', '-')}"


@contextmanager
def claimed(path: Path, refuse: Callable[[], None]) -> Iterator[ProcessLock]:
    """The lock on the run folder `path`, which is created if needed; the lock stays held if the body succeeds.

    If the body fails, the lock is released, and a manifest, a table and folders that are new are removed.

    Args:
        refuse: raises RunError if `path` is unsuitable; called before anything is created, and again under the lock,
            since another process could change the folder in between.

    Raises:
        RunError: another process writes there, or the folder cannot be written.
    """
    created: list[Path] = []
    absent: list[Path] = []
    new_lock, lock = False, ProcessLock(path / LOCK)
    try:
        refuse()
        created += [folder for folder in (path, *path.parents) if not is_there(folder)]
        new_lock = not is_there(path / LOCK)
        path.mkdir(parents=True, exist_ok=True)
        sync_above(path, 1 if (path / MANIFEST).exists() else None)  # who wrote the manifest has synced the others
        _refuse_irregular_files(path)
        with _refusal(path):
            lock.acquire()
        absent += [path / name for name in (MANIFEST, MEASURES) if not is_there(path / name, follow=False)]
        refuse()
        yield lock
    except BaseException as error:
        with suppress(OSError):  # the first failure matters more, and an empty lock file is no run
            for file in [*absent, *([path / LOCK] if lock.is_locked and new_lock else [])]:
                file.unlink(missing_ok=True)
        lock.release()
        # A folder in which another process has begun in the meantime is not empty, and stays.
        with suppress(OSError):
            for folder in created:
                folder.rmdir()
        if isinstance(error, OSError | CellError) or is_of_machine(error):
            cause = error.__cause__ if isinstance(error, CellError) and error.__cause__ else error
            raise RunError(f"cannot write to {path}: {refusal(cause)}. Fix that, or choose another --out") from error
        raise


def refuse_locked(path: Path) -> None:
    """Raises RunError if another process is writing to the run folder `path`. Writes nothing."""
    _refuse_irregular_files(path)
    with _refusal(path):
        ProcessLock(path / LOCK).refuse_held()


def _refuse_irregular_files(path: Path) -> None:
    """Raises RunError if the lock is a link, through which another file would be written, or a FIFO; the index too."""
    for name in sorted({*_LOCKS, INDEX}):
        try:
            refuse_irregular(path / name)
        except FileNotFoundError:
            continue
        except StoreError as error:
            raise RunError(str(error), remedy=f"rm -r {path / name}") from error


@contextmanager
def _refusal(path: Path) -> Iterator[None]:
    try:
        yield
    except HeldError as held:
        remedy = f"rm {held.marker} (only if that process has ended)" if held.marker else ""
        raise RunError(
            f"{path} is locked: {held.owner} writes to it; wait until it ends, or choose another --out", remedy=remedy
        ) from None
