"""Remarks about data and results: equal remarks share a line."""

from __future__ import annotations

from collections.abc import Iterable

from harness.records import Remark


def joined(remarks: Iterable[Remark]) -> list[Remark]:
    """`remarks`, with those of one kind and text merged into one about all subjects: ``a, b: text``; order is kept."""
    subjects: dict[tuple[str, str], list[Remark]] = {}
    for remark in dict.fromkeys(remarks):
        subjects.setdefault((remark.kind, remark.text), []).append(remark)
    return [_about_all(group) for group in subjects.values()]


def _about_all(group: list[Remark]) -> Remark:
    first = group[0]
    return first if len(group) == 1 else Remark(first.kind, ", ".join(remark.subject for remark in group), first.text)


def labelled(remark: Remark, label: str) -> Remark:
    """The remark with the name of its run before it, unless it is about the run itself."""
    if remark.subject == label:
        return remark
    return Remark(remark.kind, remark.subject, remark.text, line=f"{label}: {remark}")
