"""What was read of files, kept for the next process, and good as long as they are the same files.

A file is the same while its device, inode, size, time of modification and time of change are: the last cannot be set
back, and whoever writes changes it. A file that was changed a moment ago could be changed again within one tick of the
file system's clock, so of such a file nothing is kept.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import lru_cache, partial, wraps
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeGuard, TypeVar

T = TypeVar("T")
State = tuple[int, ...]
"""Device, inode, size, time of modification and time of change of a file, the last two in nanoseconds."""
SETTLED_NS: Final = 2_000_000_000
_FACTS, _CHECKED = "facts", "checked"


def state_of(status: os.stat_result) -> State:
    """The state of a file, from what the system says of it."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def is_settled(state: State) -> bool:
    """Whether a further change of a file in this state would change its state."""
    return time.time_ns() - max(state[-2:]) > SETTLED_NS


class Recall:
    """Facts about the files below one folder, and which of their parts have been checked against their digests.

    Args:
        folder: what the files lie in; their names below it are kept.
        before: what `content` gave to an earlier process; anything else counts as nothing.
    """

    def __init__(self, folder: Path, before: Mapping[str, Any]) -> None:
        self._root = f"{os.fspath(folder)}{os.sep}"
        facts, checked = before.get(_FACTS), before.get(_CHECKED)
        self._facts: dict[str, Any] = facts if isinstance(facts, dict) else {}
        self._checked: dict[str, Any] = checked if isinstance(checked, dict) else {}
        self._noted: dict[str, tuple[State, Callable[[], Any]]] = {}
        self._parts: dict[tuple[str, State], dict[str, set[int]]] = {}
        self._whole: dict[tuple[str, State], dict[str, None]] = {}
        self.read: dict[tuple[str, str], bool] = {}
        """(name of a file, part) read since somebody emptied this -> whether all of it was, and matched its digests."""

    @contextmanager
    def active(self) -> Iterator[None]:
        """While the block runs, `recalled` functions and `checked` use this."""
        token = _ACTIVE.set(self)
        try:
            yield
        finally:
            _ACTIVE.reset(token)

    def fact(self, kind: str, path: Path, state: State) -> Any:
        """What was noted of the file in this state, JSON-ready; None if nothing was."""
        entry = self._facts.get(f"{kind}:{self.name(path)}")
        return entry[1] if _is_entry(entry) and tuple(entry[0]) == state else None

    def note(self, kind: str, path: Path, state: State, content: Callable[[], Any]) -> None:
        """Note a fact for the next process; `content` gives it JSON-ready."""
        name = f"{kind}:{self.name(path)}"
        if name not in self._noted or self._noted[name][0] != state:
            self._noted[name] = state, content

    def check(self, path: Path, state: State, part: str, numbers: Iterable[int], of: int) -> None:
        """Note that pieces `numbers`, of `of` in all, of a part of the file have matched their digests."""
        key = name, state = self.name(path), state
        pieces = self._parts.setdefault(key, {}).setdefault(part, set())
        pieces.update(numbers)
        whole = len(pieces) == of
        self.read[name, part] = whole
        if whole:
            self._whole.setdefault(key, {})[part] = None

    def is_checked(self, name: str, parts: Iterable[str]) -> bool:
        """Whether all of these parts of the file `name` as it is now have matched their digests."""
        try:
            state = state_of(os.stat(self._root + name))  # noqa: PTH116 - thousands of files
        except (OSError, ValueError):
            return False
        whole = self._whole.setdefault((name, state), {})
        entry = self._checked.get(name)
        if _is_entry(entry) and tuple(entry[0]) == state and isinstance(entry[1], list):
            whole.update(dict.fromkeys(part for part in entry[1] if isinstance(part, str)))
        return whole.keys() >= {*parts}

    def content(self) -> dict[str, Any]:
        """What the next process may recall, JSON-ready: of the files that were used, as far as they are settled."""
        facts = {name: [list(state), content()] for name, (state, content) in self._noted.items() if is_settled(state)}
        checked = {
            name: [list(state), list(parts)] for (name, state), parts in self._whole.items() if is_settled(state)
        }
        return {_FACTS: facts, _CHECKED: checked}

    def is_new(self) -> bool:
        """Whether `content` would be something else than what was there before."""
        noted = {name: state for name, (state, _) in self._noted.items() if is_settled(state)}
        checked = {name: (state, [*parts]) for (name, state), parts in self._whole.items() if is_settled(state)}
        before = {name: tuple(entry[0]) for name, entry in self._facts.items() if _is_entry(entry)}
        earlier = {name: (tuple(entry[0]), entry[1]) for name, entry in self._checked.items() if _is_entry(entry)}
        return noted != before or checked != earlier

    def name(self, path: Path) -> str:
        """How `path`, which lies in the folder, is called here."""
        return os.fspath(path).removeprefix(self._root)


def _is_entry(entry: Any) -> TypeGuard[list[Any]]:
    return isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], list)


_ACTIVE: ContextVar[Recall | None] = ContextVar("recall", default=None)


def active() -> Recall | None:
    """What facts are recalled from now; None outside `Recall.active`."""
    return _ACTIVE.get()


# --- functions whose results are facts ---------------------------------------------------------


class Facts(NamedTuple):
    """How the results of a function are kept for the next process.

    Attributes:
        kind: name of the function. encoded: result -> JSON-ready. decoded: the inverse; what it raises for something
            else (LookupError, TypeError, ValueError, AttributeError) means that nothing is known.
    """

    kind: str
    encoded: Callable[[Any], Any]
    decoded: Callable[[Any], Any]


def remembered(most: int, kept: Facts | None = None) -> Callable[[Callable[[Path], T]], Callable[[Path], T]]:
    """Cache what a function reads from a path, as long as the file is the same; callers share the result.

    For files that are replaced as a whole: a new file has another inode or time of change.

    Args:
        most: number of cached results; the least recently used are dropped.
        kept: recall results of earlier processes too, where a `Recall` is active.
    """

    def decorate(read: Callable[[Path], T]) -> Callable[[Path], T]:
        @lru_cache(most)
        def cached(path: Path, *state: int) -> T:
            recall = active()
            content = recall.fact(kept.kind, path, state) if recall and kept else None
            if content is not None and kept:
                with suppress(LookupError, TypeError, ValueError, AttributeError):
                    decoded: T = kept.decoded(content)
                    return decoded
            return read(path)

        @wraps(read)
        def read_cached(path: Path) -> T:
            try:
                state = state_of(path.stat())
            except OSError:
                return read(path)  # it raises the right error
            result = cached(path, *state)
            if kept and (recall := active()):
                recall.note(kept.kind, path, state, partial(kept.encoded, result))
            return result

        return read_cached

    return decorate
