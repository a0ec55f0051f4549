"""What one run knows of one model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.records import Measure, Reason

Definitions = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one run knows of one model.

    Attributes:
        run: the run folder, as errors and reports name it.
        measures: full name (``top1@imagenet``) -> measure.
        missing: why measures or tasks are not there.
        tasks: tasks that were measured; they are no longer missing once rows of several runs are merged.
        network: what the stored identities say of checkpoint and loading; None where nothing is known (tables).
    """

    name: str
    group: str | None
    run: str
    measures: Mapping[str, Measure]
    missing: tuple[Reason, ...] = ()
    tasks: frozenset[str] = frozenset()
    network: Mapping[str, Any] | None = None


def few(names: Sequence[str]) -> str:
    """The names, or how many there are."""
    return ", ".join(names) if len(names) <= 3 else f"{len(names)} models"
