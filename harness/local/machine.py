"""What the machine may refuse at any moment: a disk, a folder, memory, a thread. One line each, with what to do.

Only errors that no request and no line of the harness can prevent are named here. A wrong descriptor or argument
(EBADF, EINVAL) is a mistake of the harness, and keeps its traceback.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from harness.errors import HarnessError, MachineError, StoreError, UnreadableError, text_of

_DISK: Final = "the disk or the network file system failed: see the messages of the system (dmesg)"
_MOUNT: Final = "the network file system has lost the file or its server: wait, or mount it again"
_FULL: Final = "free space there, or choose a larger disk"
_FILES: Final = "allow more with: ulimit -n 4096"
_READ_ONLY: Final = "the disk is mounted read-only: mount it for writing, or choose another folder"
_PERMISSION: Final = "allow it (chmod, chown), or choose another folder"
_MEMORY: Final = "end other programs, or choose a smaller --batch-size or fewer --workers"
_THREADS: Final = "allow more threads with: ulimit -u 4096, or choose fewer --workers"
_ADVICE: Final = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: "the quota is used up: free space there, or ask for more (quota -s)",
    errno.EFBIG: "allow larger files with: ulimit -f unlimited, or choose another disk",
    errno.EROFS: _READ_ONLY,
    errno.EACCES: _PERMISSION,
    errno.EPERM: _PERMISSION,
    errno.EMFILE: _FILES,
    errno.ENFILE: "too many files are open on this machine: end other programs",
    errno.ENOMEM: _MEMORY,
    errno.EAGAIN: _THREADS,
    errno.EIO: _DISK,
    errno.ENXIO: _DISK,
    errno.ENODEV: _DISK,
    errno.EBUSY: _DISK,
    errno.ESTALE: _MOUNT,
    errno.ETIMEDOUT: _MOUNT,
    errno.ENOTCONN: _MOUNT,
    errno.EHOSTDOWN: _MOUNT,
    errno.ENOLCK: "the file system has no locks: choose a local disk",
}
"""Error number of the system -> what to do about it."""
_OF_FOLDERS: Final = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_THREAD: Final = "can't start new thread"
_NO_MEMORY: Final = ("can't allocate memory", "Cannot allocate memory", "out of memory")
_OWN: Final = Path(__file__).resolve().parents[1]


def is_of_machine(error: BaseException) -> bool:
    """Whether the machine refused something, and no mistake led to `error`.

    The harness writes nothing beside its own code: a permission missing there is a mistake of its own.
    """
    if isinstance(error, UnreadableError):
        return True
    if isinstance(error, OSError):
        refuses_folder = error.errno in _OF_FOLDERS and _is_own(error)
        return error.errno in _ADVICE and not refuses_folder
    return isinstance(error, MemoryError) or _shortage(error) != ""


def refusal(error: BaseException) -> str:
    """What the machine refused, where, and what to do: ``RUN/index.h5: No space left on device; free space there``."""
    if isinstance(error, HarnessError):
        return str(error)
    if isinstance(error, OSError) and error.errno is not None:
        advice = _ADVICE.get(error.errno)
        return f"{_place(error)}: {os.strerror(error.errno)}" + (f"; {advice}" if advice else "")
    if isinstance(error, MemoryError):
        text = text_of(error)
        return f"no memory left{f' ({text})' if text else ''}; {_MEMORY}"
    return _shortage(error) or f"{type(error).__name__}: {text_of(error)}"


def unreadable(path: Path, error: BaseException) -> StoreError:
    """The error for the file `path` that cannot be read: an UnreadableError where it may be whole."""
    if isinstance(error, OSError) and is_of_machine(error):
        error.filename, error.filename2 = str(path), None
        return UnreadableError(f"cannot read {refusal(error)}")
    if is_of_machine(error):
        return UnreadableError(f"cannot read {path}: {refusal(error)}")
    return StoreError(f"{path} cannot be read: {error}")


@contextmanager
def machine_errors(
    kind: type[HarnessError] = MachineError, then: str = "", within: Path | None = None
) -> Iterator[None]:
    """Turns what the machine refuses into `kind`, with one line; every other exception passes. Also a decorator.

    Args:
        then: what is safe, and what to type next; the line ends with it.
        within: a folder that is in use: files that vanish there were removed by others, and are no mistake.
    """
    try:
        yield
    except (OSError, MemoryError, RuntimeError, UnreadableError) as error:
        if within is not None and _has_vanished(error, within):
            raise kind(
                f"{refusal(error)}; {within} was removed or changed meanwhile. The same command resumes"
            ) from error
        if isinstance(error, kind) or not is_of_machine(error):
            raise
        raise kind(f"{refusal(error)}{f'. {then}' if then else ''}") from error


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Writes `path` into an OSError of the body, which names a temporary file, or none: reading and writing name none.

    FileNotFoundError keeps its own name.
    """
    try:
        yield
    except OSError as error:
        if not isinstance(error, FileNotFoundError):
            error.filename, error.filename2 = str(path), None
        raise


def _place(error: OSError) -> str:
    place = error.filename2 if error.filename2 is not None else error.filename
    if place is None:
        return "a file"
    return os.fsdecode(place) if isinstance(place, str | bytes | os.PathLike) else f"file {place}"


def _has_vanished(error: BaseException, folder: Path) -> bool:
    """Whether a file or folder at or below `folder` is not there any more."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError) or not isinstance(error.filename, str | Path):
        return False
    return Path(error.filename).absolute().is_relative_to(folder.absolute())


def _is_own(error: OSError) -> bool:
    return isinstance(error.filename, str) and Path(error.filename).absolute().is_relative_to(_OWN)


def _shortage(error: BaseException) -> str:
    """What is short where only a text tells it: Python has no error of its own for threads, and PyTorch for memory."""
    if not isinstance(error, RuntimeError):
        return ""
    text = text_of(error)
    if _THREAD in text:
        return f"no further thread can be started; {_THREADS}"
    return f"no memory left ({text}); {_MEMORY}" if any(sign in text for sign in _NO_MEMORY) else ""
