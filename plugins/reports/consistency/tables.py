"""The tables of the report ``consistency``, made from its JSON-ready data alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness import Table, TableCell

from .._cells import number, remark_tables
from .schema import ConsistencyData, DatasetEntry, ObserverEntry, PairEntry

MOST_PAIRS = 60
"""Most rows of pairs in a table, but for CSV."""
_NOTE = (
    "kappa: agreement in being right or wrong, beyond what the accuracies predict; 0: chance level, 1: the same "
    "errors. observed: share of images that both get right or both get wrong. difference: squared difference of the "
    "accuracies."
)


def all_tables(data: ConsistencyData, *, full: bool = False) -> list[Table]:
    """Means over people and datasets, then dataset by dataset, then pairs, then remarks.

    Args:
        full: every pair, and its conditions; else as much as a person reads.
    """
    most = len(data["pairs"]) if full else MOST_PAIRS
    return [
        *people_tables(data, full=full),
        *pair_tables(data["pairs"], most),
        *(condition_tables(data["pairs"]) if full else ()),
        *remark_tables(data["warnings"]),
    ]


def people_tables(data: ConsistencyData, *, full: bool) -> Iterator[Table]:
    """Means over people and datasets, and dataset by dataset, where there are several or `full`."""
    yield from _mean_tables("Error consistency with people", data["models"], "datasets")
    if full or len({entry["dataset"] for entry in data["datasets"]}) > 1:
        yield from _mean_tables("Error consistency with people, by dataset", data["datasets"], "dataset")


def _number(value: float | None) -> TableCell:
    return number(value, ".3f")


def _datasets(entry: ObserverEntry | DatasetEntry) -> TableCell:
    """The number of datasets, or the name of the only one."""
    value: int | str = entry["datasets"] if "datasets" in entry else entry["dataset"]
    return TableCell(str(value), value=value)


def _mean_tables(title: str, entries: Sequence[ObserverEntry] | Sequence[DatasetEntry], third: str) -> Iterator[Table]:
    if not entries:
        return
    rows = tuple(
        (
            TableCell(entry["model"]),
            TableCell(entry["group"] or "–", value=entry["group"] or ""),
            _datasets(entry),
            TableCell(f"{entry['n']:,}", value=entry["n"]),
            *map(_number, (entry["kappa"], entry["observed"], entry["accuracy_difference"])),
        )
        for entry in entries
    )
    reasons = [f"{entry['model']}: {entry['reason']}" for entry in entries if entry["reason"]]
    columns = ("model", "group", third, "n", "kappa", "observed", "difference")
    yield Table(title=title, columns=columns, rows=rows, note="\n".join([_NOTE, *dict.fromkeys(reasons)]))


def pair_tables(pairs: Sequence[PairEntry], most: int) -> Iterator[Table]:
    """The first `most` pairs of observers."""
    if not pairs:
        return
    columns = ("first", "second", "dataset", "n", "kappa", "low", "high", "observed")
    rows = tuple(
        (
            *_names(pair),
            TableCell(f"{pair['n']:,}", value=pair["n"]),
            *map(_number, (pair["kappa"], pair["low"], pair["high"], pair["observed"])),
        )
        for pair in pairs[:most]
    )
    hidden = len(pairs) - len(rows)
    notes = ["low, high: 95 % bootstrap interval of kappa, over images."]
    notes += [f"{hidden:,} more pairs: --format csv or json"] if hidden else []
    notes += [f"{p['first']}, {p['second']}, {p['dataset']}: {p['reason']}" for p in pairs[:most] if p["reason"]]
    yield Table(title=f"Pairs of observers ({len(pairs):,})", columns=columns, rows=rows, note="\n".join(notes))


def _names(pair: PairEntry) -> Iterator[TableCell]:
    yield from map(TableCell, (pair["first"], pair["second"], pair["dataset"]))


def condition_tables(pairs: Sequence[PairEntry]) -> Iterator[Table]:
    """The values behind the means, where a dataset has several conditions."""
    if any(len(pair["conditions"]) > 1 for pair in pairs):
        numbers = ("kappa", "observed", "expected", "difference")
        yield Table(
            title="Pairs of observers, by condition",
            columns=("first", "second", "dataset", "condition", "n", *numbers),
            rows=tuple(
                (
                    *_names(pair),
                    TableCell(entry["condition"]),
                    TableCell(f"{entry['n']:,}", value=entry["n"]),
                    *map(_number, (entry["kappa"], entry["observed"], entry["expected"], entry["accuracy_difference"])),
                )
                for pair in pairs
                for entry in pair["conditions"]
            ),
            note="expected: agreement that the accuracies predict.",
        )
