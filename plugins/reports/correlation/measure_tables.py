"""Every measure of every model, a table for each dataset, from the report's JSON-ready data alone."""

from __future__ import annotations

from collections.abc import Iterator

from harness import Table

from .schema import CorrelationData
from .tables import every_measure, value_table


def measure_tables(data: CorrelationData) -> Iterator[Table]:
    """Measures as columns, those of one dataset side by side."""
    datasets: dict[str, list[str]] = {}
    for name in every_measure(data["models"]):
        datasets.setdefault(name.partition("@")[2].partition("/")[0], []).append(name)
    for dataset, names in datasets.items():
        yield value_table(data, f"Measures of {dataset}" if dataset else "Measures", names, explained=())
