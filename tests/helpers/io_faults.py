"""Operations on files that fail as a disk, a mount or a limit lets them fail.

`Faults` patches what the harness, pathlib and h5py call, in this process. Operations below a folder are counted by
kind, so that a test can first count those of a whole command and then let the k-th fail: once, from k on, or now and
then. Real files stand behind everything: what fails does nothing, and what does not is done.
"""

from __future__ import annotations

import builtins
import errno
import fcntl
import io
import os
import random
import threading
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import h5py
import pytest

KINDS = (
    "stat", "list", "open", "read", "write", "fsync", "mkdir", "rename", "unlink", "rmdir", "lock", "h5py",
)  # fmt: skip
_FIRST_PATH = {
    "stat": ("stat", "lstat"),
    "list": ("listdir", "scandir"),
    "mkdir": ("mkdir",),
    "unlink": ("unlink", "remove"),
    "rmdir": ("rmdir",),
    "open": ("open",),
}
"""Kind -> functions of `os` whose first argument is the path."""
_WRITES = frozenset({"write", "writelines", "truncate", "flush"})
_READS = frozenset({"read", "readinto", "readline", "readlines", "__iter__"})


class Faults:
    """Counts operations below `folder`, and lets some fail.

    Args:
        folder: only what lies below it counts.
        part: only paths that contain this text count.

    Attributes:
        counts: kind -> operations so far. failed: those that failed, (kind, path).
    """

    def __init__(self, folder: Path, part: str = "") -> None:
        self.folder, self.part = os.path.realpath(folder), part
        self.counts: Counter[str] = Counter()
        self.failed: list[tuple[str, str]] = []
        self._lock = threading.Lock()
        self._fails = lambda kind, number: False
        self._number = errno.EIO
        self._action = None

    def fail(self, kind: str, number: int, first: int = 1, *, mode: str = "once", seed: int = 0) -> Faults:
        """Let operations of `kind` fail with errno `number`.

        Args:
            first: the operation, counted from 1. mode: ``once``; ``on``: and all that follow; ``sometimes``: each third
                from then on, drawn with `seed`.
        """
        draw = random.Random(seed)
        modes = {
            "once": lambda count: count == first,
            "on": lambda count: count >= first,
            "sometimes": lambda count: count >= first and draw.random() < 1 / 3,
        }
        self._number = number
        self._fails = lambda of_kind, count: of_kind == kind and modes[mode](count)
        return self

    def act(self, kind: str, action, first: int = 1) -> Faults:
        """Call `action` just before the operation `first` of `kind`, which is then done: somebody else is at work."""
        self._fails = lambda of_kind, count: of_kind == kind and count == first
        self._action = action
        return self

    def met(self, kind: str, path: object, *, named: bool = True) -> None:
        """One operation. Raises OSError if it is its turn to fail. `named`: whether the error names the path."""
        place = self._place(path)
        if place is None or not place.startswith(self.folder) or self.part not in place:
            return
        with self._lock:
            self.counts[kind] += 1
            if not self._fails(kind, self.counts[kind]):
                return
            self.failed.append((kind, place))
        if self._action is not None:
            self._action()
            return
        raise OSError(self._number, os.strerror(self._number), *([os.fspath(path)] if named else []))

    @staticmethod
    def _place(path: object) -> str | None:
        """The absolute path; of a descriptor, the path that it was opened with."""
        try:
            if isinstance(path, int):
                return str(Path(f"/proc/self/fd/{path}").readlink())
            return os.path.abspath(os.fsdecode(path))  # noqa: PTH100 - without a look at the disk
        except (OSError, TypeError):
            return None


class _File:
    """A file whose reading and writing counts; everything else is the file's."""

    def __init__(self, file, path, faults):
        self._file, self._path, self._faults = file, path, faults

    def __getattr__(self, name):
        if name in _READS:
            self._faults.met("read", self._path, named=False)
        if name in _WRITES and self._file.writable():  # NumPy flushes what it reads
            self._faults.met("write", self._path, named=False)
        return getattr(self._file, name)

    def __iter__(self):
        self._faults.met("read", self._path, named=False)
        return iter(self._file)

    def __enter__(self):
        self._file.__enter__()
        return self

    def __exit__(self, *error):
        return self._file.__exit__(*error)


@contextmanager
def injected(faults: Faults):
    """Patches the functions while the body runs."""
    with pytest.MonkeyPatch.context() as patch:
        for kind, names in _FIRST_PATH.items():
            for name in names:
                patch.setattr(os, name, _counted(getattr(os, name), kind, faults))
        for name in ("rename", "replace", "link"):
            patch.setattr(os, name, _counted(getattr(os, name), "rename", faults))
        patch.setattr(os, "fsync", _counted(os.fsync, "fsync", faults, named=False))
        patch.setattr(fcntl, "flock", _locking(fcntl.flock, faults))
        patch.setattr(h5py, "File", _counted(h5py.File, "h5py", faults, named=False))
        opener = _opened(io.open, faults)
        patch.setattr(io, "open", opener)
        patch.setattr(builtins, "open", opener)
        yield faults


def _counted(function, kind, faults, *, named=True):
    def counted(path=".", *arguments, **options):
        folder = options.get("dir_fd")  # shutil.rmtree deletes relative to a descriptor
        faults.met(kind, path if folder is None else f"{Faults._place(folder)}/{path}", named=named)
        return function(path, *arguments, **options)

    return counted


def _locking(function, faults):
    """`flock`, which takes locks and gives them up: that one fails matters only until the process ends."""

    def locking(descriptor, operation):
        faults.met("unlock" if operation == fcntl.LOCK_UN else "lock", descriptor, named=False)
        return function(descriptor, operation)

    return locking


def _opened(function, faults):
    def opened(path, *arguments, **options):
        if not isinstance(path, int):
            faults.met("open", path)
        file = function(path, *arguments, **options)
        place = faults._place(path)
        return _File(file, path, faults) if place and place.startswith(faults.folder) else file

    return opened
