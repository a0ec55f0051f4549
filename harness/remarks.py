"""Remarks about data and results: equal ones share a line."""

from __future__ import annotations

from collections.abc import Iterable

from harness.records import Remark


def joined(remarks: Iterable[Remark]) -> list[Remark]:
    """Remarks of one kind and text in one, about all their subjects: ``a, b: text``; each once, in their order."""
    subjects: dict[tuple[str, str], list[Remark]] = {}
    for remark in dict.fromkeys(remarks):
        subjects.setdefault((remark.kind, remark.text), []).append(remark)
    return [_about_all(alike) for alike in subjects.values()]


def _about_all(alike: list[Remark]) -> Remark:
    first = alike[0]
    return first if len(alike) == 1 else Remark(first.kind, ", ".join(one.subject for one in alike), first.text)
