"""Values that every workflow understands, checked in the words of the command line, and what they lead to."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import RequestError, UnknownNameError

if TYPE_CHECKING:
    from harness.discovery.loader import Plugins
    from harness.registry import Registry

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
"""One path or several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """Everything that can be named: plugins and registries."""

    plugins: Plugins
    registry: Registry


def open_house(registries: Sequence[Path] | None, folders: Sequence[Path] | None) -> House:
    """Load the plugins and the registries. Raises RequestError or RegistryError."""
    from harness.discovery.loader import load_plugins
    from harness.registry import load_registry

    plugins = load_plugins(folders or ())
    return House(plugins=plugins, registry=load_registry(registries or (), plugins))


def texts_of(given: Paths) -> tuple[str, ...]:
    """One name or path, or several, as a tuple of texts: a single string is one name, not its letters."""
    several = (given,) if isinstance(given, str | os.PathLike) else given
    return tuple(os.fspath(name) for name in several)


def paths_of(given: Paths) -> tuple[Path, ...]:
    """One path or several as a tuple; ``~`` is the home folder, as a shell would have it."""
    return tuple(Path(path).expanduser() for path in texts_of(given))


def choice(option: str, given: str, choices: tuple[str, ...]) -> str:
    """`given`, if it is one of `choices`. Raises UnknownNameError."""
    if given not in choices:
        raise UnknownNameError(
            f"value of --{option}", given, choices, hint=f"Type for instance: --{option} {choices[0]}"
        )
    return given


def positive(option: str, given: int | None) -> int | None:
    """`given`, if it is positive or None. Raises RequestError."""
    if given is not None and given < 1:
        raise RequestError(f"--{option} is {given}, expected a positive number")
    return given
