"""What is asked for, what came of it, and who watches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

from harness.records import Download

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
"""This machine: the only hosts that may be asked without encryption."""
State = Literal["present", "fetched", "missing", "by hand", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one model or dataset.

    Attributes:
        kind: ``model`` or ``dataset``.
        state: ``present``: it was there; ``fetched``; ``missing``: it can be fetched, but was not asked for now;
            ``by hand``: it is not there, and only a person can get it; ``failed``.
        bytes: size of what is there, of what was fetched, or of what is missing; None where it is not known.
        detail: the reason, or what to do; empty where all is well.
    """

    kind: Literal["model", "dataset"]
    name: str
    state: State
    bytes: int | None = None
    detail: str = ""

    @property
    def there(self) -> bool:
        """Whether it can be used now."""
        return self.state in ("present", "fetched")


@dataclass(frozen=True, slots=True)
class FileRequest:
    """One file to download from one address, and the path it is written to."""

    download: Download
    target: Path


FileCheck = Callable[[Path, Download], None]
"""Looks at a complete file before it is put in place, or again later. Raises HarnessError if it must not be used."""


class Watcher(Protocol):
    """Sees how a fetch goes on."""

    def begin(self, title: str, done: int, total: int | None) -> None:
        """A transfer or an unpacking starts, with `done` of `total` bytes behind it; it may start anew."""

    def advance(self, size: int) -> None:
        """So many more bytes."""

    def end(self) -> None:
        """The current transfer is over, whatever came of it."""

    def note(self, line: str) -> None:
        """A line for the user."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often, and for how long, a transfer is retried.

    Attributes:
        attempts: attempts in a row without a single byte before the next mirror is tried.
        pause: seconds before the second attempt; doubles with each further one, up to `longest_pause`.
        longest_pause: the longest wait in seconds; a server that asks for more (``Retry-After``) has refused.
        connect_timeout: seconds without an answer that count as a lost connection.
        read_timeout: seconds without a byte that count as a lost connection.
    """

    attempts: int = 5
    pause: float = 1.0
    longest_pause: float = 120.0
    connect_timeout: float = 15.0
    read_timeout: float = 60.0


class MirrorError(Exception):
    """This mirror cannot deliver the file; another may. The message is the reason."""


class TransferError(Exception):
    """The transfer broke off and can be resumed.

    Attributes:
        wait: seconds that the server asked to wait; None if it did not ask.
    """

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait
