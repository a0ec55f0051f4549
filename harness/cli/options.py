"""Options that several commands share, and helpers for their values."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.foreign import json_text
from harness.output.streams import terminal, write_result
from harness.workflows.display import stderr_console
from harness.workflows.options import House, choice, open_house, positive

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "Data",
    "Format",
    "House",
    "PluginFolders",
    "Registries",
    "choice",
    "open_house",
    "positive",
    "print_json",
    "quoted",
    "repeated",
    "stderr_console",
    "stdout_console",
]

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
        help="Folder that holds the datasets (else HARNESS_DATA), or the folder of one dataset. Repeatable.",
    ),
]
Format = Annotated[str, typer.Option("--format", metavar="terminal|json", help="How to print.")]


def quoted(value: object) -> str:
    """`value` as a word that a shell passes on unchanged."""
    return shlex.quote(str(value))


def repeated(options: Mapping[str, Iterable[object] | None]) -> str:
    """Options as typed, for the next command: `` --plugins mine --plugins 'my others'``."""
    return "".join(f" {name} {quoted(value)}" for name, values in options.items() for value in values or ())


def stdout_console() -> Console:
    """The console for results; 80 columns wide if it is not a terminal."""
    console = terminal()
    return console if console.is_terminal else terminal(width=80)


def text_width() -> int:
    """Columns of a result in text: those of stdout, but at most 100."""
    return min(stdout_console().width, 100)


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    write_result(json_text(value), "json")
