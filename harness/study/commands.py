"""What to type so that a run has what it lacks, made of the commands that made it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.records import RunRecord


def rerun(record: RunRecord, label: str) -> str:
    """The command that computes the missing cells of a run, as it was last typed.

    Args:
        label: the run folder, for runs that record no such command.
    """
    words = next((words for words in reversed(_commands(record)) if _writes(words)), None)
    return f"harness run … --out {shlex.quote(label)}" if words is None else shlex.join(words)


def report(record: RunRecord, label: str) -> str:
    """The command that reports a run with the plugins that made it; the list of probes if it needed none."""
    folders = dict.fromkeys(folder for words in _commands(record) for folder in _values(words, "--plugins"))
    if not folders:
        return "harness list probes"
    return shlex.join(["harness", "report", label, *(word for folder in folders for word in ("--plugins", folder))])


def _commands(record: RunRecord) -> list[list[str]]:
    """Every command that was typed with this run, the earliest first; what is no command is left out."""
    history = record.document.get("history")
    entries = (
        [entry.get("command") for entry in history if isinstance(entry, dict)] if isinstance(history, list) else []
    )
    return [[*map(str, words)] for words in entries if isinstance(words, list)]


def _writes(words: Sequence[str]) -> bool:
    return [*words[:2]] == ["harness", "run"] and bool(_values(words, "--out"))


def _values(words: Sequence[str], option: str) -> list[str]:
    """What is given for an option: ``--plugins a b``, ``--plugins a --plugins b`` or ``--plugins=a``."""
    values = [word.partition("=")[2] for word in words if word.startswith(f"{option}=")]
    for place in (at for at, word in enumerate(words) if word == option):
        values += takewhile(lambda word: not word.startswith("-"), words[place + 1 :])
    return values
