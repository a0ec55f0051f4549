"""What figures of models share: groups, each of which has one colour, and the scale of numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

NO_GROUP = "no group"
T = TypeVar("T")


def grouped(models: Iterable[T], group_of: Callable[[T], str | None], titles: Mapping[str, str]) -> dict[str, list[T]]:
    """Models by the label of their group in a legend: its short title, in the order in which groups come."""
    groups: dict[str, list[T]] = {}
    for model in models:
        group = group_of(model)
        groups.setdefault(NO_GROUP if group is None else titles.get(group, group), []).append(model)
    return groups


def percent(unit: str | None) -> float:
    """100 for fractions, which a figure shows in percent; 1 for anything else."""
    return 100.0 if unit == "fraction" else 1.0
