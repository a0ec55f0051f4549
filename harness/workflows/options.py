"""Values that several workflows share, checked with the option names of the command line in error messages."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import RequestError, UnknownNameError
from harness.local.paths import home_path

if TYPE_CHECKING:
    from harness.discovery.loader import Plugins
    from harness.registry import Registry

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
"""One path or several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """All plugins and registries: everything that a user can name."""

    plugins: Plugins
    registry: Registry


def open_house(registries: Sequence[Path] | None, folders: Sequence[Path] | None) -> House:
    """Load the plugins and the registries. Raises RequestError or RegistryError."""
    from harness.discovery.loader import load_plugins
    from harness.registry import load_registry

    plugins = load_plugins(folders or ())
    return House(plugins=plugins, registry=load_registry(registries or (), plugins))


def texts_of(values: Paths) -> tuple[str, ...]:
    """One or several names or paths as a tuple of strings; a single string is one name, not its characters."""
    several = (values,) if isinstance(values, str | os.PathLike) else values
    return tuple(os.fspath(name) for name in several)


def paths_of(values: Paths) -> tuple[Path, ...]:
    """One or several paths as a tuple; ``~`` is the home folder, as in a shell."""
    return tuple(map(home_path, texts_of(values)))


def choice(option: str, value: str, choices: tuple[str, ...]) -> str:
    """`given`, if it is one of `choices`. Raises UnknownNameError."""
    if value not in choices:
        raise UnknownNameError(
            f"value of --{option}", value, choices, hint=f"Type for instance: --{option} {choices[0]}"
        )
    return value


def positive(option: str, value: int | None) -> int | None:
    """`given`, if it is positive or None. Raises RequestError."""
    if value is not None and value < 1:
        raise RequestError(f"--{option} is {value}, expected a positive number")
    return value
