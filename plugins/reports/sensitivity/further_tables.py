"""What the tables of the report ``sensitivity`` sum up, row by row; for CSV."""

from __future__ import annotations

from collections.abc import Iterator

from harness import Table, TableCell

from .._cells import number, p_cell, plain
from .interventions import change_table
from .schema import SensitivityData


def further_tables(data: SensitivityData) -> Iterator[Table]:
    """Deletions that flip a star, effective robustness of each model, each definition, and each change of a recipe."""
    for table in (flip_table(data), robustness_table(data), definition_table(data), change_table(data)):
        if table.rows:
            yield table


def flip_table(data: SensitivityData) -> Table:
    """Deletions that flip a star."""
    return Table(
        title="Deletions that flip p < 0.05",
        columns=("bias", "axis", "model"),
        rows=tuple(
            tuple(map(TableCell, (entry["bias"], entry["generalization"], model)))
            for entry in data["sensitivities"]
            for model in entry["influence"]["flips"]
        ),
    )


def robustness_table(data: SensitivityData) -> Table:
    """Effective robustness of each model."""
    return Table(
        title="Effective robustness of each model, in points",
        columns=("axis", "model", "group", "x", "y", "baseline", "points", "line"),
        rows=tuple(
            (
                *map(TableCell, (entry["generalization"], point["model"])),
                TableCell(point["group"] or "–", value=point["group"] or ""),
                *(number(place, ".3f") for place in (point["x"], point["y"])),
                TableCell("baseline" if point["baseline"] else ""),
                number(entry["values"].get(point["model"]), "+.1f", scale=100),
                TableCell("extrapolated" if point["model"] in entry["outside"] else ""),
            )
            for entry in data["effective"]
            for point in entry["points"]
        ),
        note="x, y: fractions of the accuracy that the line predicts from, and of the axis.",
    )


def definition_table(data: SensitivityData) -> Table:
    """Each coefficient by each definition."""
    return Table(
        title="Spearman's ρ for each declared definition of the bias and the axis",
        columns=("bias", "axis", "definition of the bias", "definition of the axis", "n", "ρ", "p"),
        rows=tuple(
            (
                *map(TableCell, (entry["bias"], entry["generalization"], each["bias"], each["generalization"])),
                TableCell(str(each["n"]), value=each["n"]),
                plain(each["spearman"]),
                p_cell(each["p"]),
            )
            for entry in data["sensitivities"]
            for each in (entry["alternatives"] or {"specifications": []})["specifications"]
        ),
    )
