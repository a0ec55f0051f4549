"""Options that every command understands, and what they lead to."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.errors import RequestError, UnknownNameError

if TYPE_CHECKING:
    from rich.console import Console

    from harness.discovery.loader import Plugins
    from harness.registry import Registry

Registries = Annotated[
    list[Path] | None, typer.Option("--registry", metavar="FILE", help="A further registry file. Repeatable.")
]
PluginFolders = Annotated[
    list[Path] | None, typer.Option("--plugins", metavar="DIR", help="A folder of plugin files. Repeatable.")
]
Data = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        metavar="ROOT|NAME=DIR",
        help="Folder that holds the datasets (else HARNESS_DATA), or where one dataset lies. Repeatable.",
    ),
]
Format = Annotated[str, typer.Option("--format", metavar="terminal|json", help="How to print.")]


@dataclass(frozen=True, slots=True)
class House:
    """Everything that can be named: plugins and registries."""

    plugins: Plugins
    registry: Registry


def open_house(registries: list[Path] | None, folders: list[Path] | None) -> House:
    """Load the plugins and the registries."""
    from harness.discovery.loader import load_plugins
    from harness.registry import load_registry

    plugins = load_plugins(folders or ())
    return House(plugins, load_registry(registries or (), plugins))


def stderr_console() -> Console:
    """Where everything goes that is not the result."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, markup=False)


def stdout_console() -> Console:
    """Where results go; 80 columns when it is no terminal."""
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, width=80)


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


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
