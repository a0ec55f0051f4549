"""Runs as users give them to a report: folders, of which each may have a label."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import RequestError, clipped
from harness.local.paths import home_path
from harness.names import LABEL, LONGEST_LABEL
from harness.workflows.options import Paths, paths_of

EXPECTED = f"up to {LONGEST_LABEL} letters, digits and . _ -, the first a letter or digit"
REMEDY = "harness report a=RUN b=RUN"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolders:
    """Some run folders.

    Attributes:
        paths: in the order in which they are given.
        labels: path -> its label, where it has one; two runs of one label are one set of models.
    """

    paths: tuple[Path, ...]
    labels: Mapping[Path, str] = field(default_factory=dict)

    @classmethod
    def of_words(cls, words: Sequence[str]) -> RunFolders:
        """Those of a command line: ``RUN`` or ``LABEL=RUN``; a path that exists is a path, whatever is in it.

        Raises:
            RequestError: what stands before ``=`` is no label, or nothing stands behind it.
        """
        return cls._of(_of_word(word) for word in words)

    @classmethod
    def of_values(cls, values: Sequence[str | os.PathLike[str] | Mapping[str, Paths]]) -> RunFolders:
        """Those of a function call: paths, and mappings of labels to one path or several.

        Raises:
            RequestError: a key is no label, or has no path.
        """
        return cls._of(run for value in values for run in _of_value(value))

    @classmethod
    def _of(cls, runs: Iterator[tuple[Path, str | None]]) -> RunFolders:
        every = list(runs)
        labels = {path: label for path, label in every if label is not None}
        return cls(paths=tuple(path for path, _ in every), labels=labels)


def _of_word(word: str) -> tuple[Path, str | None]:
    label, sign, path = word.partition("=")
    if not sign or os.path.lexists(word):
        return Path(word), None
    if not path:
        raise RequestError(f"{clipped(word)!r} names no run; expected a run folder behind the label", remedy=REMEDY)
    return home_path(path), _checked(label, f"{clipped(word)!r} is no run folder, and ")


def _of_value(value: str | os.PathLike[str] | Mapping[str, Paths]) -> Iterator[tuple[Path, str | None]]:
    if not isinstance(value, Mapping):
        yield from ((path, None) for path in paths_of(value))
        return
    for label, paths in value.items():
        folders = paths_of(paths)
        if not folders:
            raise RequestError(f"label {clipped(str(label))!r} has no run; expected a run folder, or several")
        yield from ((path, _checked(label)) for path in folders)


def _checked(label: str, before: str = "") -> str:
    """`label`, if it is one; `before`: the beginning of the error."""
    if not isinstance(label, str) or len(label) > LONGEST_LABEL or LABEL.fullmatch(label) is None:
        given = clipped(str(label))
        raise RequestError(f"{before}{given!r} is no label of a run; expected {EXPECTED}", remedy=REMEDY)
    return label
