"""What the tables of the report ``correlation`` leave to the JSON, row by row; for CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness import Table, TableCell

from .._cells import number, p_cell, plain
from .._predictions import left_out_tables
from .family_tables import families_among
from .schema import CorrelationData
from .stars import Coefficient, partner


def further_tables(data: CorrelationData) -> Iterator[Table]:
    """The coefficients over each set of models, pairs of biases within families, and how alike models of one are."""
    yield from set_tables(data)
    yield from left_out_tables(data["predictions"])
    yield from families_among(data)
    yield from cluster_tables(data)


def set_tables(data: CorrelationData) -> Iterator[Table]:
    """The coefficients over each set of models."""
    for title, entries in (
        ("Spearman's ρ of biases and generalization, each set of models", data["correlations"]),
        ("Spearman's ρ among biases, each set of models", data["bias_correlations"]),
    ):
        if entries:
            yield _sets(title, entries)


def _sets(title: str, entries: Sequence[Coefficient]) -> Table:
    return Table(
        title=title,
        columns=("bias", "axis", "models", "n", "ρ", "low", "high", "p", "p Holm", "p BH", "poster"),
        rows=tuple(
            (
                *map(TableCell, (entry["bias"], partner(entry), entry["models"])),
                TableCell(str(entry["n"]), value=entry["n"]),
                *(plain(entry[key]) for key in ("spearman", "low", "high")),
                *(p_cell(entry[key]) for key in ("p", "p_holm", "p_bh")),
                plain(entry["poster"]),
            )
            for entry in entries
        ),
        note="As if models were independent; p Holm and p BH: adjusted over the pairs of one set. Exploratory.",
    )


def cluster_tables(data: CorrelationData) -> Iterator[Table]:
    """How alike the models of one family are in each bias and axis."""
    rows = tuple(
        (
            TableCell(entry["name"]),
            *(TableCell(str(count), value=count) for count in (entry["n"], entry["families"])),
            *(number(entry[key], ".2f") for key in ("family_size", "icc", "n_effective")),
        )
        for entry in data["clusters"]
    )
    if rows:
        columns = ("name", "n", "families", "family size", "ICC", "effective n")
        yield Table(title="How alike the models of one family are", columns=columns, rows=rows)
