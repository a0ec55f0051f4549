"""Turns pydantic's validation errors into the harness's own messages, with file and line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NoReturn

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from harness.errors import RegistryError
from harness.registry.yaml_nodes import Document, Where

_MOST_ITEMS: Final = 100
_MOST_LETTERS: Final = 500
_KINDS: Final = {"models": "model", "datasets": "dataset", "suites": "suite"}


def refuse(error: ValidationError, document: Document) -> NoReturn:
    """Raise the first mistake of the file, by line, as a RegistryError."""
    mistakes = error.errors(include_url=False)
    first = min(mistakes, key=lambda mistake: document.line(_where(mistake)))
    more = len(mistakes) - 1
    suffix = f" (and {more} more mistake{'s' if more > 1 else ''} in this file)" if more else ""
    raise RegistryError(f"{document.place(_where(first))}: {_sentence(first)}{suffix}") from error


def _where(mistake: ErrorDetails) -> Where:
    key = mistake.get("ctx", {}).get("key")  # of `unknown_key`, which pydantic places at the whole entry
    return (*mistake["loc"], key) if key else mistake["loc"]


def _sentence(mistake: ErrorDetails) -> str:
    kind, value = mistake["type"], mistake["input"]
    owner = _owner(mistake["loc"][:-1] if kind == "missing" else mistake["loc"])
    if kind == "missing":
        return f"{owner}the key {mistake['loc'][-1]!r} is missing"
    if kind == "string_type":
        hint = "; put it in quotes" if isinstance(value, int | float) else ""
        return f"{owner}expected text, got {shown(value)}{hint}"
    if kind in ("model_type", "dict_type"):
        return f"{owner}expected a mapping (key: value), got {shown(value)}"
    if kind == "tuple_type":
        return f"{owner}expected a list, got {shown(value)}"
    if kind == "value_error":
        return f"{owner}{mistake['ctx']['error']}"
    if kind == "unknown_key":
        return f"{owner}{mistake['msg']}"
    return f"{owner}{mistake['msg'][:1].lower()}{mistake['msg'][1:]}, got {shown(value)}"


def _owner(loc: Sequence[int | str]) -> str:
    """``model 'x', recipe.match: `` for the position of a mistake."""
    parts = [str(part) for part in loc if part != "[key]"]
    if len(parts) < 2:
        return "".join(f"{part}: " for part in parts)
    entry = f"{_KINDS.get(parts[0], parts[0])} {parts[1]!r}"
    return ", ".join(filter(None, [entry, ".".join(parts[2:])])) + ": "


def shown(value: object) -> str:
    """A value as written in the file: lists in brackets, ``nothing`` for an empty value."""
    if value is None:
        return "nothing"
    if isinstance(value, tuple):
        items = ", ".join(map(shown, value[:_MOST_ITEMS]))
        return f"[{items}{', …' if len(value) > _MOST_ITEMS else ''}]"
    if isinstance(value, str) and len(value) > _MOST_LETTERS:
        return f"{value[:_MOST_LETTERS]!r}…"
    return repr(value) if isinstance(value, str) else "a mapping" if isinstance(value, dict) else str(value)
