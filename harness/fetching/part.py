"""A file that is not complete yet: ``<target>.part``, and beside it what it is a part of."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from harness.local.writing import sync_folder, write_whole


@dataclass(frozen=True, slots=True, kw_only=True)
class FileVersion:
    """Which version of which file the bytes belong to.

    Attributes:
        uri: as the entry has it (the address itself may be a signed one that changes).
        validator: a strong ETag, else the date of the last change; None: the server says neither.
        total: size of the whole file, where the server says it.
    """

    uri: str
    validator: str | None = None
    total: int | None = None


class Part:
    """The part of one target. Only whoever holds the target's lock may touch it."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(f"{target.name}.part")
        self._version_file = target.with_name(f"{target.name}.part.json")

    def size(self) -> int:
        """Bytes so far; 0 if there is none."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def version(self) -> FileVersion | None:
        """What the bytes are a part of; None: unknown, so that they are of no use."""
        try:
            stored = json.loads(self._version_file.read_text(encoding="utf-8"))
            version = FileVersion(**stored)
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return version if isinstance(version.uri, str) else None

    def restart(self, version: FileVersion) -> None:
        """Empty, and from now on a part of `version`."""
        with self.path.open("wb"):
            pass
        write_whole(self._version_file, json.dumps(asdict(version)))

    def append(self) -> BinaryIO:
        """The file, opened to write behind its last byte."""
        return self.path.open("ab")

    def discard(self) -> None:
        """Remove every trace."""
        self.path.unlink(missing_ok=True)
        self._version_file.unlink(missing_ok=True)

    def publish(self, target: Path) -> None:
        """Make it the target: durable first, then in place at one stroke."""
        with self.path.open("rb") as file:
            os.fsync(file.fileno())
        self.path.replace(target)
        sync_folder(target.parent)
        self._version_file.unlink(missing_ok=True)
