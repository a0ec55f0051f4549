"""Trials whose arrays are read when somebody first asks for them: most measures need one of four."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING
from typing import TYPE_CHECKING, Any, Final

from harness.records.trials import Trials

if TYPE_CHECKING:
    import numpy as np


DECISION_FIELDS: Final = ("top5", "logp", "correct", "rank")
"""The arrays of `Trials`."""


class LazyTrials(Trials):
    """As `Trials`; an array that was not given is read once, by its reader.

    The slot of such an array is empty at first, so that Python asks `__getattr__`.
    """

    __slots__ = ("_readers",)
    _readers: Mapping[str, Callable[[], np.ndarray]]

    @classmethod
    def of(cls, readers: Mapping[str, Callable[[], np.ndarray]], **fields: Any) -> LazyTrials:
        """Trials with the given `fields`, and `readers` for the arrays that are not among them.

        Args:
            readers: name -> reads the array; raises StoreError if it is damaged.
            fields: as those of `Trials`; `rank` is None where it has neither a value nor a reader.
        """
        trials = object.__new__(cls)
        for name in Trials.__dataclass_fields__:
            if name in fields:
                object.__setattr__(trials, name, fields[name])
            elif name not in readers and (default := _default(name)) is not MISSING:
                object.__setattr__(trials, name, default)
        object.__setattr__(trials, "_readers", readers)
        return trials

    def __getattr__(self, name: str) -> Any:
        """The array `name`, read now. Python calls this for an empty slot only."""
        readers = {} if name == "_readers" else self._readers
        if name not in readers:
            raise AttributeError(f"{type(self).__name__} has no {name!r}")
        values = readers[name]()
        object.__setattr__(self, name, values)
        return values


def is_read(trials: Trials, name: str) -> bool:
    """Whether the array `name` is in memory; `rank` also where there is none."""
    try:
        Trials.__dict__[name].__get__(trials)
    except AttributeError:
        return False
    return True


def derived_trials(trials: Trials, change: Mapping[str, Callable[[np.ndarray], np.ndarray]], **fields: Any) -> Trials:
    """A copy of `trials` with other `fields`, whose arrays are changed when somebody asks for them.

    Args:
        change: name of an array -> what is made of it; others stay as they are. `rank` stays None where it is.
    """
    others = {name: getattr(trials, name) for name in Trials.__dataclass_fields__ if name not in DECISION_FIELDS}
    absent = {"rank": None} if is_read(trials, "rank") and trials.rank is None else {}
    readers = {name: _reader(trials, name, change.get(name)) for name in DECISION_FIELDS if name not in absent}
    return LazyTrials.of(readers, **{**others, **absent, **fields})


def _reader(trials: Trials, name: str, change: Callable[[np.ndarray], np.ndarray] | None) -> Callable[[], np.ndarray]:
    def read() -> np.ndarray:
        values: np.ndarray = getattr(trials, name)
        return change(values) if change else values

    return read


def _default(name: str) -> Any:
    field = Trials.__dataclass_fields__[name]
    return field.default_factory() if callable(field.default_factory) else field.default
