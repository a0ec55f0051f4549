"""Trust on first use: the digest of a downloaded checkpoint on first use, and the check that it is unchanged.

Most checkpoints in the field are published without a digest, and the file behind a link can change. The first SHA-256
of such a file is recorded in ``cache_dir()/pins.json``; a different one is an error until the user accepts it.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from harness.checkpoints.expected import stated_digest
from harness.checkpoints.locations import locate
from harness.errors import CheckpointError, clipped
from harness.local.addresses import without_secrets
from harness.local.cache import cache_dir
from harness.local.notes import read_note
from harness.local.writing import write_whole
from harness.records import ModelSpec

log = logging.getLogger(__name__)
_DIGEST: Final = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """The record of one file on first use.

    Attributes:
        sha256: 64 hex digits.
        recorded: time of recording, ISO 8601 with time zone.
        uri: the download that the file came from or whose path it has; None: unknown.
    """

    sha256: str
    recorded: str
    uri: str | None = None


Pins = dict[str, dict[str, Pin]]


def recorded() -> Mapping[str, Mapping[str, Pin]]:
    """Model name -> file name -> recorded pin. Raises CheckpointError if the record is damaged."""
    return _read()


def check(spec: ModelSpec, files: Sequence[Path], digests: Sequence[str], *, recording: bool = True) -> None:
    """Record each downloaded file of `spec` that is used for the first time; compare all others with their records.

    Only files below ``cache_dir()/checkpoints`` and the Hugging Face cache count, without a full published SHA-256
    (the loader checks that one). The user's own files may change.

    Args:
        files: as returned by `ModelSource.files`.
        digests: SHA-256 of each file.
        recording: False: compare only, as long as a file has not proven to be a complete checkpoint.

    Raises:
        CheckpointError: a file differs from its record, or the record is damaged.
    """
    watched = [(path, digest) for path, digest in _unpublished(spec, files, digests) if is_download(path)]
    if not watched:
        return
    pins = _read().get(spec.name, {})
    for path, digest in watched:
        compare(spec, path.name, digest, pins)
    fresh = {path.name: _pin(digest, _uri(spec, path)) for path, digest in watched if path.name not in pins}
    if fresh and recording:
        _add_or_warn(spec, fresh)


def compare(spec: ModelSpec, file_name: str, digest: str, pins: Mapping[str, Pin] | None = None) -> None:
    """Raises CheckpointError if a SHA-256 other than `digest` is recorded for this file of `spec`.

    Args:
        pins: the model's records; None: look them up.
    """
    pin = (_read().get(spec.name, {}) if pins is None else pins).get(file_name)
    if pin is None or pin.sha256 == digest:
        return
    origin = f" from {without_secrets(pin.uri)}" if pin.uri else ""
    raise CheckpointError(
        f"model {spec.name!r}: {file_name} had SHA-256 {pin.sha256} when it was first used ({pin.recorded}{origin}), "
        f"and has {digest} now; expected the recorded one, unless you accept the new one",
        remedy=f"harness fetch --models {spec.name}, or, to accept it: harness fetch --models {spec.name} --accept",
        general="a checkpoint is not the one that was recorded on first use",
    )


def record(spec: ModelSpec, file_name: str, digest: str, uri: str | None) -> None:
    """Record `digest` for this file of `spec`, replacing a different one; an identical record stays as it is.

    Raises:
        CheckpointError: the record is damaged or cannot be written.
    """
    try:
        with _locked():
            stored = _read()
            pin = stored.setdefault(spec.name, {}).get(file_name)
            if pin is None or pin.sha256 != digest:
                stored[spec.name][file_name] = _pin(digest, uri)
                _write(stored)
    except OSError as error:
        raise CheckpointError(f"cannot write {_file()}: {error.strerror}") from error


def is_download(path: Path) -> bool:
    """Whether `path` is in a download folder: in the harness's own cache or the Hugging Face cache."""
    place = Path(os.path.abspath(path))  # noqa: PTH100 - links are not followed: the hub's cache is made of them
    if place.is_relative_to(Path(os.path.abspath(cache_dir() / "checkpoints"))):  # noqa: PTH100 - likewise
        return True
    from huggingface_hub import constants

    return place.is_relative_to(Path(os.path.abspath(constants.HF_HUB_CACHE)))  # noqa: PTH100 - likewise


def _unpublished(spec: ModelSpec, files: Sequence[Path], digests: Sequence[str]) -> Iterator[tuple[Path, str]]:
    for position, (path, digest) in enumerate(zip(files, digests, strict=True)):
        stated = stated_digest(spec, position)
        if not (stated and stated.whole):
            yield path, digest


def _uri(spec: ModelSpec, path: Path) -> str | None:
    """The URI of the entry whose download belongs at `path`."""
    for uri in (*spec.weights, *([spec.recipe.head] if spec.recipe.head else [])):
        if uri.partition(":")[0] in ("https", "hf", "gdrive") and locate(spec, uri) == path:
            return uri
    return None


def _pin(digest: str, uri: str | None) -> Pin:
    return Pin(
        sha256=digest, recorded=datetime.now(UTC).isoformat(timespec="seconds"), uri=uri and without_secrets(uri)
    )


def _file() -> Path:
    return cache_dir() / "pins.json"


def _read() -> Pins:
    """Everything recorded; nothing if there is no record yet. A damaged record is an error: it protects numbers."""
    path = _file()
    try:
        stored = read_note(path)
        return {model: {name: _as_pin(pin) for name, pin in files.items()} for model, files in stored.items()}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{path} is damaged ({' '.join(str(error).split())}); it records the digest of each downloaded checkpoint "
            "on first use. Restore it from a backup, or delete it to trust the files that are there now"
        ) from error


def _as_pin(stored: Any) -> Pin:
    pin = Pin(**stored)
    if not isinstance(pin.sha256, str) or not _DIGEST.fullmatch(pin.sha256):
        raise ValueError(f"{clipped(repr(pin.sha256))} is not a SHA-256")
    if not isinstance(pin.recorded, str) or not isinstance(pin.uri, str | None):
        raise ValueError(f"{clipped(repr([pin.recorded, pin.uri]))} is no time and address")
    return pin


def _add_or_warn(spec: ModelSpec, pins: Mapping[str, Pin]) -> None:
    try:
        with _locked():
            stored = _read()
            own = stored.setdefault(spec.name, {})
            for name, pin in pins.items():
                compare(spec, name, pin.sha256, own)  # another process may have recorded it first
                own.setdefault(name, pin)
            _write(stored)
    except OSError as error:
        # A shared cache may be read-only. The run's own identity has the digest too, so nothing is mixed up.
        log.warning("cannot record the checkpoint of %s in %s: %s", spec.name, _file(), error.strerror)


@contextmanager
def _locked() -> Iterator[None]:
    from harness.local.locking import locked

    _file().parent.mkdir(parents=True, exist_ok=True)
    with locked(_file().with_suffix(".lock")):
        yield


def _write(stored: Pins) -> None:
    plain = {model: {name: asdict(pin) for name, pin in sorted(files.items())} for model, files in stored.items()}
    write_whole(_file(), json.dumps(dict(sorted(plain.items())), indent=1))
