"""A YAML file as plain values with their line numbers. The only module that knows YAML.

YAML 1.1 turns ``no`` into false, ``00676316`` into 228558 and ``12:30`` into 750, and reads ``1e-3``, ``-.5`` and
``08`` as text. In a file whose values decide published numbers, none of this may go unnoticed: every such scalar is an
error that says how to write the intended value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Final

import yaml

from harness.errors import RegistryError, clipped
from harness.excess import MOST_YAML, yaml_excess, yaml_loader
from harness.local.regular import regular

_Loader: Final = yaml_loader()
_TAG: Final = "tag:yaml.org,2002:"
_INTEGER: Final = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_DECIMAL: Final = re.compile(r"[-+]?[0-9]*\.[0-9]+([eE][-+][0-9]+)?|[-+]?[0-9]+\.([eE][-+][0-9]+)?")
_MOST_DIGITS: Final = 40
_MOST_KEY: Final = 500
_BOOLEANS: Final = {"true": True, "false": False}

Where = tuple[str | int, ...]
"""The position of a value: keys and list positions from the top (``("suites", "smoke", "tasks", 0)``)."""


@dataclass(frozen=True, slots=True)
class Document:
    """One file's content.

    Attributes:
        file: the file it was read from.
        data: mappings as dict, sequences as tuple, scalars as str, int, float, bool or None. Empty file: ``{}``.
        lines: path of each key and list item -> its line, from 1.
    """

    file: Path
    data: Any
    lines: Mapping[Where, int]

    def line(self, path: Where = ()) -> int:
        """Line of the value at `path`, or of its nearest existing parent."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def place(self, path: Where = ()) -> str:
        """``file:line`` of the value at `path`."""
        return f"{self.file}:{self.line(path)}"


def read_yaml(file: Path) -> Document:
    """Read one YAML file without running or constructing anything in it.

    Raises:
        RegistryError: the file is missing, not UTF-8, not YAML, repeats a key, or has a scalar that YAML reads
            differently from how it looks; the message begins with ``file:line``.
    """
    try:
        with regular(file).open(encoding="utf-8") as opened:
            text = opened.read(MOST_YAML + 1)
    except OSError as error:
        raise RegistryError(f"{file}:1: cannot be read: {error.strerror}. Expected a registry file (YAML)") from error
    except UnicodeDecodeError as error:
        raise RegistryError(f"{file}:1: is not UTF-8 text ({error.reason} at byte {error.start})") from error
    try:
        if excess := yaml_excess(text):
            raise RegistryError(f"{file}:{excess[0]}: {excess[1]}")
        root = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        problem = " ".join(filter(None, [getattr(error, "context", None), getattr(error, "problem", None)])) or error
        raise RegistryError(f"{file}:{mark.line + 1 if mark else 1}: is not valid YAML: {problem}") from error
    reader = _Reader(file)
    data = {} if root is None else reader.value(root, ())
    return Document(file, data, reader.lines)


class _Reader:
    """Walks the node tree of one file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.lines: dict[Where, int] = {}
        self._open: set[int] = set()

    def value(self, node: yaml.Node, path: Where) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node)
        if id(node) in self._open:
            raise self.error(node, f"alias of {_shown(path)} contains itself")
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self.mapping(node, path)
            return self.sequence(node, path)
        finally:
            self._open.remove(id(node))

    def mapping(self, node: yaml.MappingNode, path: Where) -> dict[str, Any]:
        self.check_tag(node, "map")
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self.key(key_node)
            place = (*path, key)
            if key in result:
                raise self.error(key_node, f"key {key!r} is already defined in line {self.lines[place]}")
            self.lines[place] = key_node.start_mark.line + 1
            result[key] = self.value(value_node, place)
        return result

    def sequence(self, node: yaml.Node, path: Where) -> tuple[Any, ...]:
        self.check_tag(node, "seq")
        for position, item in enumerate(node.value):
            self.lines[(*path, position)] = item.start_mark.line + 1
        return tuple(self.value(item, (*path, position)) for position, item in enumerate(node.value))

    def key(self, node: yaml.Node) -> str:
        if node.tag == f"{_TAG}merge":
            raise self.error(node, "merge keys (<<) are not supported; write the keys out")
        key = self.scalar(node) if isinstance(node, yaml.ScalarNode) else None
        if not isinstance(key, str):
            raise self.error(node, f"key {_raw(node)} is not text; put it in quotes")
        if len(key) > _MOST_KEY:
            raise self.error(node, f"key {clipped(key)} has {len(key):,} letters, expected at most {_MOST_KEY}")
        return key

    def scalar(self, node: yaml.ScalarNode) -> str | int | float | bool | None:
        """The value of a scalar, if YAML reads it as it looks; else raises RegistryError."""
        raw, kind = str(node.value), node.tag.removeprefix(_TAG)
        if kind == "str":
            if not node.style and _is_number(raw):
                ways = _ways(raw) if len(raw) <= _MOST_DIGITS else "put it in quotes"
                raise self.error(node, f"{clipped(raw)} looks like a number, but YAML reads it as text; {ways}")
            return raw
        if kind == "null":
            return None
        if kind == "bool" and raw.lower() in _BOOLEANS:
            return _BOOLEANS[raw.lower()]
        if len(raw) > _MOST_DIGITS and kind in ("int", "float"):
            raise self.error(node, f"{clipped(raw)} is a number of more than {_MOST_DIGITS} digits")
        if kind == "int" and _INTEGER.fullmatch(raw):
            return int(raw)
        if kind == "float" and _DECIMAL.fullmatch(raw) and isfinite(float(raw)):
            return float(raw)
        if kind in ("bool", "int", "float", "timestamp"):
            meant = {"bool": "true or false", "int": "a decimal number", "float": "a finite decimal number"}
            hint = f", or write {meant[kind]}" if kind in meant else ""
            raise self.error(
                node, f"YAML reads {clipped(raw)} as {_article(kind)}; put it in quotes if it is text{hint}"
            )
        raise self.error(node, f"unknown tag {_tag(node)}: a registry holds data only")

    def check_tag(self, node: yaml.Node, expected: str) -> None:
        if node.tag != _TAG + expected:
            raise self.error(node, f"unknown tag {_tag(node)}: a registry holds data only")

    def error(self, node: yaml.Node, message: str) -> RegistryError:
        return RegistryError(f"{self.file}:{node.start_mark.line + 1}: {message}")


def _is_number(raw: str) -> bool:
    """Whether Python would read a text with digits as a number."""
    try:
        float(raw.replace("_", ""))
    except ValueError:
        return False
    return any(sign.isdigit() for sign in raw)


def _ways(raw: str) -> str:
    """How to write a number like 1e-3, -.5 or 08 so that YAML 1.1 agrees: with a digit before the point."""
    number = raw.replace("_", "").lower()
    sign = number[0] if number[0] in "+-" else ""
    mantissa, _, exponent = number.lstrip("+-").partition("e")
    whole, point, fraction = mantissa.partition(".")
    text = sign + (whole.lstrip("0") or "0")
    text += f".{fraction or 0}" if point or exponent else ""
    text += f"e{exponent if exponent[0] in '+-' else f'+{exponent}'}" if exponent else ""
    return f"write {text} for the number, or put it in quotes for text"


def _article(kind: str) -> str:
    return {"bool": "true or false", "int": "an integer in another notation", "timestamp": "a date"}.get(
        kind, "a number in another notation"
    )


def _raw(node: yaml.Node) -> str:
    return clipped(str(node.value)) if isinstance(node, yaml.ScalarNode) else "(a list or mapping)"


def _tag(node: yaml.Node) -> str:
    return clipped(node.tag.replace(_TAG, "!!"))


def _shown(path: Where) -> str:
    return ".".join(map(str, path)) or "the whole file"
