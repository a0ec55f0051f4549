"""Remarks about data and results: equal ones share a line."""

from __future__ import annotations

from collections.abc import Iterable


def joined(remarks: Iterable[str]) -> list[str]:
    """Remarks ``dataset: text``, those of one text in one line: ``a, b: text``; others as they are, and each once."""
    datasets: dict[str, list[str]] = {}
    for remark in dict.fromkeys(remarks):
        name, separator, text = remark.partition(": ")
        datasets.setdefault(separator + text if separator else remark, []).append(name if separator else "")
    return [f"{', '.join(filter(None, names))}{text}" for text, names in datasets.items()]
