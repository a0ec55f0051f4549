"""A file that is not complete yet: ``<target>.part``, and beside it what it is a part of."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from harness.local.writing import sync_folder, write_whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
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
        self._beside = target.with_name(f"{target.name}.part.json")

    def size(self) -> int:
        """Bytes so far; 0 if there is none."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def origin(self) -> Origin | None:
        """What the bytes are a part of; None: unknown, so that they are of no use."""
        try:
            stored = json.loads(self._beside.read_text(encoding="utf-8"))
            origin = Origin(**stored)
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return origin if isinstance(origin.uri, str) else None

    def restart(self, origin: Origin) -> None:
        """Empty, and from now on a part of `origin`."""
        with self.path.open("wb"):
            pass
        write_whole(self._beside, json.dumps(asdict(origin)))

    def append(self) -> BinaryIO:
        """The file, opened to write behind its last byte."""
        return self.path.open("ab")

    def discard(self) -> None:
        """Remove every trace."""
        self.path.unlink(missing_ok=True)
        self._beside.unlink(missing_ok=True)

    def publish(self, target: Path) -> None:
        """Make it the target: durable first, then in place at one stroke."""
        with self.path.open("rb") as file:
            os.fsync(file.fileno())
        self.path.replace(target)
        sync_folder(target.parent)
        self._beside.unlink(missing_ok=True)
