"""What the tables of the report ``dataset-bias`` sum up, row by row; for CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness import Table, TableCell

from .._cells import number
from .schema import Accuracy, ModelByPlace

NUMBERS = ("n", "accuracy", "low", "high")


def further_tables(dataset: str, models: Sequence[ModelByPlace]) -> Iterator[Table]:
    """Each accuracy by attribute and by place, in percent, with its n and 95 % interval."""
    for table in (_by_attribute(dataset, models), _by_place(dataset, models)):
        if table.rows:
            yield table


def _by_attribute(dataset: str, models: Sequence[ModelByPlace]) -> Table:
    return Table(
        title=f"Accuracy by attribute, with n and 95 % interval: {dataset} (%)",
        columns=("model", "attribute", "start", "end", *NUMBERS),
        rows=tuple(
            (
                *map(TableCell, (model["model"], function["attribute"])),
                *(number(place, ".3g") for place in (entry["start"], entry["end"])),
                *_accuracy(entry),
            )
            for model in models
            for function in model["functions"]
            for entry in function["bins"]
        ),
    )


def _by_place(dataset: str, models: Sequence[ModelByPlace]) -> Table:
    return Table(
        title=f"Accuracy by place, with n and 95 % interval: {dataset} (%)",
        columns=("model", "left", "right", "top", "bottom", *NUMBERS),
        rows=tuple(
            (
                TableCell(model["model"]),
                *(number(place, ".2f") for place in (cell["left"], cell["right"], cell["top"], cell["bottom"])),
                *_accuracy(cell),
            )
            for model in models
            for cell in model["cells"]
        ),
    )


def _accuracy(entry: Accuracy) -> Iterator[TableCell]:
    yield TableCell(f"{entry['n']:,}", value=entry["n"])
    yield from (number(value, ".1f", scale=100) for value in (entry["accuracy"], entry["low"], entry["high"]))
