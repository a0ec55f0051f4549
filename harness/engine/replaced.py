"""Functions that a plugin has replaced in torch, Pillow, NumPy or the harness, and that act on every cell.

A plugin may subclass whatever it likes. One that assigns to a function of a library (``torch.nn.functional.relu = …``)
changes the numbers of all networks and probes, under their old identities.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Set
from functools import partial
from operator import is_
from types import FunctionType, MethodType, ModuleType
from typing import Any, Final, NamedTuple

from harness.discovery.blame import THIRD_PARTY
from harness.discovery.code import read_modules
from harness.errors import PluginError, listed

_MODULES: Final = ("torch", "torch.nn.functional", "PIL.Image", "PIL.ImageFile", "numpy")
_BELOW: Final = ("harness.", "torch.nn.modules.", "timm.layers.")
"""Modules whose functions and methods are looked at, and those below which all are."""


def refuse_replaced() -> None:
    """Raises PluginError if a plugin has replaced functions that others use. Takes some milliseconds."""
    names = list(replaced())
    if names:
        raise PluginError(
            f"{listed(names)}: replaced by a plugin, which changes the numbers of all others. Subclass what is to be "
            "different, or call a function of your own"
        )


def replaced() -> Iterator[str]:
    """``torch.nn.functional.relu (bad.py)`` for each function that is a plugin's and is found in another's place."""
    plugins = THIRD_PARTY | {name.partition(".")[0] for name in read_modules()}
    if not plugins:
        return
    for name, module in sorted(_looked_at().items()):
        own = _table(name, vars(module))
        for table in (own, *(_table(place, vars(one)) for place, one in own.classes)):
            if not table.origins.isdisjoint(plugins):
                yield from _foreign(table, plugins)


def _looked_at() -> dict[str, ModuleType]:
    return {
        name: module
        for name, module in list(sys.modules.items())
        if type(module) is ModuleType and (name in _MODULES or name.startswith(_BELOW))
    }


class _Table(NamedTuple):
    """What a module or class defines.

    Attributes:
        place: its name. values: what is there. origins: first part of the names of the modules that they come from.
        classes: those that the module itself defines, with their places.
    """

    place: str
    names: tuple[str, ...]
    values: tuple[Any, ...]
    origins: frozenset[str]
    classes: tuple[tuple[str, type], ...]


_tables: Final[dict[str, _Table]] = {}
"""Place -> the table as it was last time: looking through those that have not changed would take ten times as long."""


def _table(place: str, defined: Mapping[str, Any]) -> _Table:
    known, values = _tables.get(place), tuple(defined.values())
    if known is None or len(known.values) != len(values) or not all(map(is_, known.values, values)):
        origins = frozenset(_origin(value).partition(".")[0] for value in values)
        known = _tables[place] = _Table(place, tuple(defined), values, origins, tuple(_classes(place, defined)))
    return known


def _classes(name: str, defined: Mapping[str, Any]) -> Iterator[tuple[str, type]]:
    """The classes of the module `name`; those of torch itself only as far as all use them."""
    for attribute, value in defined.items():
        if isinstance(value, type) and value.__module__ == name and (name != "torch" or attribute == "Tensor"):
            yield f"{name}.{attribute}", value


def _foreign(table: _Table, plugins: Set[str]) -> Iterator[str]:
    for attribute, value in zip(table.names, table.values, strict=True):
        origin = _origin(value)
        if origin.partition(".")[0] in plugins:
            yield f"{table.place}.{attribute} ({origin.rpartition('.')[2]}.py)"


def _origin(value: Any) -> str:
    """The module whose code runs when `value` is called: that of a function is where it was written."""
    kind = type(value)
    if kind is FunctionType:
        return str(value.__globals__.get("__name__", ""))
    if kind in (staticmethod, classmethod, MethodType):
        return _origin(value.__func__)
    if kind is partial:
        return _origin(value.func)
    return "" if isinstance(value, type) else kind.__module__
