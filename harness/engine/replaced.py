"""Functions that a plugin has replaced in torch, Pillow, NumPy or the harness, and that act on every cell.

A plugin may subclass whatever it likes. One that assigns to a function of a library (``torch.nn.functional.relu = …``)
changes the numbers of all networks and probes, under their old identities.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from functools import partial
from types import FunctionType, MethodType, ModuleType
from typing import Any, Final

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
        for place, values in _tables(name, module):
            for attribute, value in list(values.items()):
                origin = _origin(value)
                if origin.partition(".")[0] in plugins:
                    yield f"{place}.{attribute} ({origin.rpartition('.')[2]}.py)"


def _looked_at() -> dict[str, ModuleType]:
    return {
        name: module
        for name, module in list(sys.modules.items())
        if type(module) is ModuleType and (name in _MODULES or name.startswith(_BELOW))
    }


def _tables(name: str, module: ModuleType) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What a module defines, and each of its classes; the classes of torch itself only as far as all use them."""
    yield name, vars(module)
    for attribute, value in list(vars(module).items()):
        if isinstance(value, type) and value.__module__ == name and (name != "torch" or attribute == "Tensor"):
            yield f"{name}.{attribute}", vars(value)


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
