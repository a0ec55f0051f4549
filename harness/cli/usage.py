"""Mistakes in options, arguments and names of commands: one line, as for any other wrong request."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Final

import typer

from harness.errors import RequestError, UnknownNameError, clipped

_HELP: Final = "--help"
_EXPECTED: Final = {"int": "a whole number", "float": "a number", "value_error": "a path"}
"""Beginnings of pydantic's kinds of mistakes -> what is expected."""


def called(app: typer.Typer, arguments: Sequence[str]) -> int:
    """Run a command; returns its exit code.

    Raises:
        RequestError: no such command or option, or one that lacks its value, or has a wrong one.
    """
    try:
        return int(app(args=[*arguments], prog_name="harness", standalone_mode=False) or 0)
    except typer.TyperException as error:
        if not arguments:  # its text is the help
            sys.stderr.write(f"{error.message}\n")
            return error.exit_code
        raise _refusal(error, arguments) from error


def _refusal(error: typer.TyperException, arguments: Sequence[str]) -> RequestError:
    """The error for what typer refuses; its own says by its attributes, not by a public class, what kind it is of."""
    facts = {"ctx": None, **vars(error)}
    command = facts["ctx"].command if facts["ctx"] else None
    place = _place(command, arguments)
    remedy = f"{place} {_HELP}"
    commands = getattr(command, "commands", None)
    word = next((word for word in arguments if not word.startswith("-")), "")
    if commands is not None and "option_name" not in facts and word not in commands:
        return UnknownNameError("command", clipped(word), commands, remedy=remedy)
    if command is not None and "possibilities" in facts:
        return UnknownNameError("option", clipped(facts["option_name"]), _options(command), remedy=remedy)
    if "param_type" in facts:
        return RequestError(f"{place} lacks {_spelled(facts['param'])}", remedy=remedy)
    if facts.get("param"):
        return RequestError(_wrong_value(facts["param"], error.__cause__, error.message), remedy=remedy)
    return RequestError(f"{place}: {error.message[:1].lower()}{error.message[1:].rstrip('.')}", remedy=remedy)


def _place(command: Any, arguments: Sequence[str]) -> str:
    """``harness run``; an error without context is one of an option's, after the name of its command."""
    name = arguments[0] if command is None else command.name
    return "harness" if name == "harness" or name.startswith("-") else f"harness {name}"


def _options(command: Any) -> list[str]:
    return [name for param in command.params for name in param.opts if name.startswith("--")] + [_HELP]


def _spelled(param: Any) -> str:
    """``--out RUN (Run folder; an existing run is resumed or extended)``."""
    option = max(param.opts, key=len) if param.param_type_name == "option" else ""
    words = [word for word in (option, param.metavar or "") if word]
    about = (getattr(param, "help", None) or "").rstrip(".")
    return " ".join(words) + (f" ({about})" if about else "")


def _wrong_value(param: Any, mistake: BaseException | None, message: str) -> str:
    """``--limit is 'three', expected a whole number``."""
    from pydantic import ValidationError

    details = mistake.errors() if isinstance(mistake, ValidationError) else []
    kind = str(details[0]["type"]) if details else ""
    expected = next((words for start, words in _EXPECTED.items() if kind.startswith(start)), "")
    given = f" is {clipped(str(details[0]['input']))!r}" if details else ""
    name = max(param.opts, key=len) if param.param_type_name == "option" else param.metavar
    return f"{name}{given}{f', expected {expected}' if expected else f': {message}'}"
