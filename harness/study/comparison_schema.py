"""The JSON object of ``harness compare``, key by key: the public schema of ``--format json``.

Numbers are JSON numbers; an undefined or unknown one is null. Accuracies are fractions.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from harness.records import Direction, Effect


class ChangeEntry(TypedDict):
    """One difference in how a measure was made: `before` in the other run or table, `now` in your run."""

    path: str
    before: Any
    now: Any
    effect: Effect


class ComparisonEntry(TypedDict):
    """One measure of one model on both sides: `mine` in one's own run, `theirs` in the other run or table."""

    model: str
    measure: str
    verdict: Literal["ok", "differs", "erratum", "not comparable"]
    mine: float | None
    theirs: float | None
    right: float | None
    difference: float | None
    tolerance: float | None
    reason: str
    erratum: str
    unit: str
    direction: Direction
    changes: list[ChangeEntry]


class ComparisonData(TypedDict):
    """The whole comparison."""

    run: str
    against: str
    counts: dict[str, int]
    settings: str
    only_here: list[str]
    only_there: list[str]
    comparisons: list[ComparisonEntry]
