"""Locks between processes: the kernel's, or, on file systems that have none, a file that exists while it is held.

Network file systems may refuse `flock` (errno 37, "No locks available"). The file is created with O_EXCL, which NFS and
Lustre keep atomic, and names its owner; if that process has ended on this machine, the file is removed.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from harness.local.machine import naming
from harness.local.tidying import tidying
from harness.local.writing import temporary_name

NO_LOCKS: Final = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP})
"""Errors of `flock` on a file system without locks."""
_POLL: Final = 0.05
_FORGOTTEN: Final = 30.0
"""Seconds after which the marker of a lock that is held for an instant is taken for one that a killed process left."""


class HeldError(Exception):
    """Another process holds the lock.

    Attributes:
        owner: who, as far as it is known (``process 7 on node3 since …``).
        marker: the file to remove if the owner has ended on another machine; None: the kernel's lock ends with it.
    """

    def __init__(self, owner: str, marker: Path | None = None) -> None:
        super().__init__(owner)
        self.owner, self.marker = owner, marker


class ProcessLock:
    """The lock `path`, held by one process at a time.

    Attributes:
        path: file of the kernel's lock; it stays when it is released, and holds the owner's process id until `end`.
        marker: exists while the lock is held on a file system without locks.
        unended: whether whoever held it before may not have come to its `end`; known once it is held.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.marker = path, marker_of(path)
        import filelock  # here, for reading takes no lock, and the import a hundredth of a second

        self._kernel = filelock.FileLock(path, thread_local=False, fallback_to_soft=False)
        self._taken = filelock.Timeout
        self._marked = False
        self.unended = False

    @property
    def is_locked(self) -> bool:
        """Whether this object holds the lock."""
        return self._marked or self._kernel.is_locked

    def acquire(self) -> None:
        """Take the lock at once. Raises HeldError if another process, or another object here, holds it; OSError."""
        try:
            with naming(self.path):
                self._kernel.acquire(blocking=False)
        except self._taken:
            raise HeldError(_process(self.path)) from None
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            self._mark()
            return
        try:
            self._refuse_marked()  # by a process for which the file system had no locks
            self.unended = self.path.stat().st_size > 0
            self.path.write_text(f"{os.getpid()}\n", encoding="utf-8")  # for messages: the lock ends with the process
        except BaseException:
            self.release()
            raise

    def end(self) -> None:
        """Note that all is done; to be called before `release`, by who wants the next one to know."""
        if not self._marked:
            with suppress(OSError):
                self.path.write_text("", encoding="utf-8")

    def release(self) -> None:
        """Give the lock up, if it is held; a disk that refuses costs a warning, for what it protected is stored."""
        with tidying(self.path.parent):
            if self._marked:
                self._marked = False
                self.marker.unlink(missing_ok=True)
        with tidying(self.path.parent), naming(self.path):
            self._kernel.release(force=True)

    def refuse_held(self) -> None:
        """Raise HeldError if the lock is held. Leaves nothing behind."""
        self._refuse_marked()
        if self.path.exists():
            try:
                self._kernel.acquire(blocking=False)
            except self._taken:
                raise HeldError(_process(self.path)) from None
            except OSError as error:
                if error.errno not in NO_LOCKS:
                    raise
            self._kernel.release(force=True)

    def _mark(self) -> None:
        self._refuse_marked()
        try:
            descriptor = os.open(self.marker, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            raise HeldError(_described(_owner(self.marker)), self.marker) from None
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(_self(), file)
        self._marked = self.unended = True

    def _refuse_marked(self) -> None:
        """Raise HeldError if a marker exists, unless its owner has ended on this machine: then it is removed."""
        if not self.marker.exists():
            return
        owner = _owner(self.marker)
        if not _has_ended(owner) or not _removed(self.marker, owner):
            raise HeldError(_described(owner), self.marker)


def marker_of(path: Path) -> Path:
    """The file that exists while the lock `path` is held without the kernel."""
    return path.with_name(f"{path.name}.held")


@contextmanager
def locked(path: Path, waiting: Callable[[HeldError], None] | None = None) -> Iterator[None]:
    """Hold the lock `path`, after waiting for other processes.

    Args:
        waiting: called once if another process holds it, which may take hours; None: it is held for an instant.

    Raises:
        OSError: the lock file cannot be written, or what is held for an instant has a forgotten marker.
    """
    lock, started, reported = ProcessLock(path), time.monotonic(), False
    while True:
        try:
            lock.acquire()
            break
        except HeldError as held:
            if waiting is None and held.marker and time.monotonic() - started > _FORGOTTEN:
                text = f"held by {held.owner}; only if it has ended: rm {held.marker}"
                raise OSError(errno.ENOLCK, text, str(path)) from None
            if waiting and not reported:
                waiting(held)
            reported = True
            time.sleep(_POLL)
    try:
        yield
    finally:
        lock.release()


# --- owners ----------------------------------------------------------------------------------

Owner = dict[str, object]
"""``host``, ``pid``, ``born`` (start of the process in kernel ticks, None where unknown) and ``since``."""


def _self() -> Owner:
    pid = os.getpid()
    return {
        "host": platform.node(),
        "pid": pid,
        "born": _birth(pid),
        "since": datetime.now(UTC).isoformat("T", "seconds"),
    }


def _owner(marker: Path) -> Owner:
    """The owner that a marker names; empty if it cannot be read, or has only just been created."""
    try:
        owner = json.loads(marker.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return owner if isinstance(owner, dict) else {}


def _described(owner: Owner) -> str:
    return (
        f"process {owner['pid']} on {owner.get('host')} since {owner.get('since')}" if "pid" in owner else "a process"
    )


def _process(path: Path) -> str:
    """The holder of a kernel's lock, as it wrote itself into the file."""
    try:
        pid = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        pid = ""
    return f"process {pid}" if pid.isdigit() else "another process"


def _has_ended(owner: Owner) -> bool:
    """Whether the owner certainly has ended: it ran on this machine, and is not there or is another process."""
    pid = owner.get("pid")
    if owner.get("host") != platform.node() or not isinstance(pid, int):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return owner.get("born") is not None and owner["born"] != _birth(pid)


def _birth(pid: int) -> int | None:
    """Start of a process in kernel ticks since boot, which tells it from a later one of the same number; Linux only."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return int(fields[19])
    except (OSError, ValueError, IndexError):
        return None


def _removed(marker: Path, owner: Owner) -> bool:
    """Remove the marker of `owner`, and of nobody else: another process may have replaced it in the meantime."""
    aside = temporary_name(marker)
    try:
        marker.rename(aside)
    except FileNotFoundError:
        return True
    is_ours = _owner(aside) == owner
    if not is_ours:
        with suppress(FileExistsError):
            os.link(aside, marker)
    aside.unlink()
    return is_ours
