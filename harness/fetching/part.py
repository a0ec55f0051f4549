"""An incomplete download: ``<target>.part``, and beside it a record of the file version it belongs to."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from harness.local.notes import read_note
from harness.local.writing import sync_folder, write_whole


@dataclass(frozen=True, slots=True, kw_only=True)
class FileVersion:
    """The version of the file that partial bytes belong to.

    Attributes:
        uri: as in the entry (the actual address may be signed and change).
        validator: a strong ETag, else the date of the last change; None if the server states neither.
        total: size of the whole file in bytes; None if the server does not state it.
    """

    uri: str
    validator: str | None = None
    total: int | None = None

    def is_sound(self) -> bool:
        """Whether the fields are of their types, which a file need not be."""
        texts = isinstance(self.uri, str) and isinstance(self.validator, str | None)
        return texts and type(self.total) in (int, type(None)) and (self.total or 0) >= 0


class Part:
    """The partial file of one target. Only the holder of the target's lock may use it."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(f"{target.name}.part")
        self._version_file = target.with_name(f"{target.name}.part.json")

    def size(self) -> int:
        """Bytes so far; 0 if there is no partial file."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def version(self) -> FileVersion | None:
        """The version the bytes belong to; None: unknown, so they cannot be used."""
        try:
            version = FileVersion(**read_note(self._version_file))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return version if version.is_sound() else None

    def restart(self, version: FileVersion) -> None:
        """Empty the partial file; from now on it belongs to `version`."""
        with self.path.open("wb"):
            pass
        write_whole(self._version_file, json.dumps(asdict(version)))

    def append(self) -> BinaryIO:
        """The file, opened for appending."""
        return self.path.open("ab")

    def discard(self) -> None:
        """Delete the partial file and its record."""
        self.path.unlink(missing_ok=True)
        self._version_file.unlink(missing_ok=True)

    def publish(self, target: Path) -> None:
        """Sync the file, then rename it to `target` atomically."""
        with self.path.open("rb") as file:
            os.fsync(file.fileno())
        self.path.replace(target)
        sync_folder(target.parent)
        self._version_file.unlink(missing_ok=True)
