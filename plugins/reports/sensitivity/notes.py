"""Cells and lines that the tables of the report ``sensitivity`` share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from harness import TableCell

from .schema import SensitivityData, SensitivityEntry


def label(data: SensitivityData, name: str) -> TableCell:
    """A bias, axis or group; CSV has its name."""
    return TableCell(data["titles"].get(name, name), value=name)


def pair_cells(data: SensitivityData, entry: SensitivityEntry) -> tuple[TableCell, TableCell]:
    """The bias and the axis of a row."""
    return label(data, entry["bias"]), label(data, entry["generalization"])


def counted(value: int) -> TableCell:
    """A whole number."""
    return TableCell(str(value), value=value)


def reason_lines(
    data: SensitivityData, entries: Sequence[SensitivityEntry], reason_of: Callable[[SensitivityEntry], str | None]
) -> Iterator[str]:
    """One line for each reason, with the pairs concerned."""
    concerned: dict[str, list[str]] = {}
    for entry in entries:
        reason = reason_of(entry)
        if reason:
            concerned.setdefault(reason, []).append(" × ".join(cell.text for cell in pair_cells(data, entry)))
    for reason, pairs in concerned.items():
        yield f"– {reason}: {', '.join(pairs) if len(pairs) <= 4 else f'{len(pairs)} pairs'}"


def notes(*lines: str | Iterable[str]) -> str:
    """The lines of a note, those that are empty left out."""
    listed = [[line] if isinstance(line, str) else list(line) for line in lines]
    return "\n".join(filter(None, (line for part in listed for line in part)))
