"""Every error the harness raises on purpose.

HarnessError                    one line for the user, no traceback; with an `exit_code`
├── RequestError (2)            the request was wrong; found before the first forward, nothing written
│   ├── UnknownNameError        no such model, dataset, probe, suite, report; suggests similar names
│   ├── RegistryError           a registry file is wrong; names file and line
│   ├── PluginError             a plugin that is needed is broken, duplicated or breaks its contract
│   ├── DatasetError            a data folder is empty, too incomplete to use, or has another layout
│   │   └── AbsentDatasetError  the folder does not exist; a suite runs without it
│   ├── CheckpointError         a file is not a checkpoint, unsafe, or does not fit
│   │   └── AbsentCheckpointError  there is no file at all; a suite runs without it
│   └── RunError                the run folder is locked, has other settings, or is not writable
├── FetchError (1)              a download failed: no connection, wrong bytes, a web page instead of a file
├── CellError (1)               one cell (model x task) failed while running; the others continue
│   ├── ImageError              an image cannot be decoded or has the wrong size
│   └── NonFiniteError          logits are NaN or infinite
├── StoreError (1)              stored results are damaged, or cannot be read completely
│   └── UnreadableError         the disk or a limit of the machine does not let them be read; they may be whole
└── MachineError (1)            the disk, memory or threads of this machine gave out; `harness run` resumes

Anything else that escapes is a bug and keeps its traceback (exit code 70).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import ClassVar


class HarnessError(Exception):
    """Base of all errors raised on purpose; `str()` is the line shown to the user.

    Args:
        reason: what was given, and what is expected or available.
        remedy: what to type next; the line ends with it.
        general: the reason without names, so that similar errors can share a line; default: `reason`.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, reason: str = "", *, remedy: str = "", general: str = "") -> None:
        super().__init__(advised(reason, remedy))
        self.reason, self.remedy, self.general = reason, remedy, general or reason


def plugin_faults() -> type[BaseException] | tuple[()]:
    """What a plugin's code may raise and only its own cells suffer from, in an `except` clause: all but Ctrl-C.

    ``sys.exit()`` must not end a run as a success, and neither may an exception class of the plugin's own.
    """
    return () if isinstance(sys.exc_info()[1], KeyboardInterrupt) else BaseException


def text_of(error: BaseException) -> str:
    """The text of an exception on one line, at most 300 characters, as every encoding can show it.

    An exception that cannot say its own text has none.
    """
    try:
        text = " ".join(str(error).split())[:300]
    except plugin_faults():
        return "(without a text)"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def clipped(text: str, most: int = 60) -> str:
    """The beginning of `text`, with an ellipsis if it has more than `most` characters."""
    return text if len(text) <= most else f"{text[:most]}…"


def listed(names: Iterable[str], most: int = 4, separator: str = ", ") -> str:
    """The names, or the first of them and how many there are: ``fog, rain, snow, … (75 in all)``; ``none`` if none."""
    given = list(names)
    shown = separator.join(given[:most]) or "none"
    return shown if len(given) <= most else f"{shown}{separator}… ({len(given)} in all)"


def advised(reason: str, remedy: str) -> str:
    """Reason and remedy as people read them: ``no such folder. Type: --data DIR``."""
    return f"{reason}. Type: {remedy}" if remedy else reason


@contextmanager
def blamed(who: str) -> Iterator[None]:
    """Turns whatever a plugin raises into a PluginError that names it, with file and line; our own errors pass.

    Args:
        who: the plugin and what it was asked: ``source 'mine': files of 'my-resnet'``.
    """
    try:
        yield
    except HarnessError:
        raise
    except plugin_faults() as error:
        raise PluginError(f"{who} raised {described(error)}") from error


def described(error: BaseException, hint: str = "") -> str:
    """Type, text, `hint` and place of an exception, ``ValueError: no such band; HINT (my_probe.py:12)``, on one line.

    The place is the file and line that raised it, so that a plugin's author finds it without a traceback; without a
    traceback (it was never raised) there is none. The text is cut after 300 characters.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "" if trace is None else f" ({Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})"
    return f"{type(error).__name__}: {text_of(error)}{hint}{place}"


class RequestError(HarnessError):
    """The request was wrong. Raised before the first forward; nothing was written."""

    exit_code: ClassVar[int] = 2


class UnknownNameError(RequestError):
    """An unknown name.

    Args:
        kind: the noun, for example ``"model"``.
        given: what the user typed.
        available: the names that exist.
        hint: a sentence at the end; default: which command lists the names.
        remedy: what to type next, instead of a hint.
    """

    def __init__(self, kind: str, given: str, available: Iterable[str], hint: str = "", *, remedy: str = "") -> None:
        names = sorted(available)
        close = get_close_matches(given, names, n=3, cutoff=0.5)
        meant = f"; did you mean {' or '.join(repr(name) for name in close)}?" if close else "."
        reason = f"unknown {kind} {given!r}{meant} Available: {listed(names, most=12)}"
        hint = hint if hint or remedy else f"See: harness list {kind}s"
        super().__init__(f"{reason}. {hint}" if hint else reason, remedy=remedy)
        self.kind, self.given, self.available = kind, given, names


class RegistryError(RequestError):
    """A registry file is wrong; the message begins with ``file:line``."""


class PluginError(RequestError):
    """A plugin that the request needs is broken, duplicated or breaks its contract."""


class DatasetError(RequestError):
    """A dataset's folder is missing, empty, or contains something unexpected."""


class AbsentDatasetError(DatasetError):
    """A dataset's folder does not exist. In a suite, cells that do not need it still run."""


class CheckpointError(RequestError):
    """A checkpoint is missing, not a checkpoint, unsafe to load, or does not fit its network.

    Args:
        finding: the reason without the lines of an entry that it advises, for a source that finds better ones; default:
            `reason`.
    """

    def __init__(self, reason: str = "", *, remedy: str = "", general: str = "", finding: str = "") -> None:
        super().__init__(reason, remedy=remedy, general=general)
        self.finding = finding or reason


class AbsentCheckpointError(CheckpointError):
    """None of a model's files is on this machine. In a suite, cells that do not need it still run."""


class FetchError(HarnessError):
    """A download failed or delivered the wrong content; nothing was moved into place."""


class RunError(RequestError):
    """The run folder is locked by another process, has other settings, or cannot be written."""


class CellError(HarnessError):
    """One cell (model x task) failed while running; its reason is stored, the others continue."""


class ImageError(CellError):
    """An image cannot be decoded, or does not have the size that the dataset states."""


class NonFiniteError(CellError):
    """A network returned NaN or infinite logits."""


class StoreError(HarnessError):
    """Stored results are damaged, or cannot be read completely."""


class UnreadableError(StoreError):
    """The machine does not let stored results be read now. They may be whole, and nobody is advised to delete them."""


class MachineError(HarnessError):
    """The machine refused something while the harness worked: a disk, a folder, memory, a thread."""
