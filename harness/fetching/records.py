"""Records of a fetch: requests, outcomes, progress, retries, errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

from harness.records import Download

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
"""This machine: the only hosts that may be used without encryption."""
State = Literal["present", "fetched", "missing", "by hand", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of fetching one model or dataset.

    Attributes:
        kind: ``model`` or ``dataset``.
        name: name of the model or dataset.
        state: ``present``: it was there; ``fetched``: downloaded now; ``missing``: it can be fetched, but was not
            requested; ``by hand``: it is missing, and the user has to get it; ``failed``.
        bytes: size of the files that are present, fetched or missing; None if unknown.
        detail: the reason, or what to do; empty if all is well.
    """

    kind: Literal["model", "dataset"]
    name: str
    state: State
    bytes: int | None = None
    detail: str = ""

    @property
    def there(self) -> bool:
        """Whether it is ready to use."""
        return self.state in ("present", "fetched")


@dataclass(frozen=True, slots=True)
class FileRequest:
    """One file to download from one address, and the path it is written to."""

    download: Download
    target: Path


FileCheck = Callable[[Path, Download], None]
"""Checks a complete file, before it is moved into place or later. Raises HarnessError if it must not be used."""


class Watcher(Protocol):
    """Receives the progress of a fetch."""

    def begin(self, title: str, done: int, total: int | None) -> None:
        """A transfer or unpacking starts with `done` of `total` bytes finished; called again after a restart."""

    def advance(self, size: int) -> None:
        """`size` more bytes are finished."""

    def end(self) -> None:
        """The current transfer has ended, successfully or not."""

    def note(self, line: str) -> None:
        """Show the user one line."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often, and for how long, a transfer is retried.

    Attributes:
        attempts: attempts in a row that bring less than `least_progress` before the next mirror is tried; also how
            often bytes that have come may be given up and the file begun again.
        pause: seconds before the second attempt; doubles with each further one, up to `longest_pause`.
        longest_pause: the longest wait in seconds; a server that asks for more (``Retry-After``) has refused.
        connect_timeout: seconds without an answer that count as a lost connection.
        read_timeout: seconds without a byte that count as a lost connection, and the longest that an answer may take
            to begin.
        least_speed: bytes per second; a connection that brings less than this for `window` seconds is cut.
        window: seconds over which the speed is taken.
    """

    attempts: int = 5
    pause: float = 1.0
    longest_pause: float = 120.0
    connect_timeout: float = 15.0
    read_timeout: float = 60.0
    least_speed: float = 1000.0
    window: float = 30.0

    @property
    def least_progress(self) -> float:
        """Bytes that an attempt must bring to count as progress."""
        return self.least_speed * self.window

    def pause_after(self, failures: int) -> float:
        """Seconds to wait after that many attempts in a row have failed, or after one that made progress."""
        return float(min(self.pause * 2.0 ** min(max(failures - 1, 0), 30), self.longest_pause))


class MirrorError(Exception):
    """This mirror cannot deliver the file; another may. The message is the reason."""


class RestartError(Exception):
    """The bytes that have come are of no use, and are gone: the file is begun again. The message is the reason."""


class TransferError(Exception):
    """The transfer broke off and can be resumed.

    Attributes:
        wait: seconds that the server asked to wait; None if it did not ask.
    """

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait
