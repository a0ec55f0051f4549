"""The JSON object of the report ``prediction``, key by key: its public schema (``harness report --format json``).

Numbers are JSON numbers; an undefined one is null, and then `reason` says why.
"""

from __future__ import annotations

from typing import Any, TypedDict, final

from .._measured import MeasuredEntry
from .._predictions import Baselines, Chance, Null, PredictedEntry, PredictionEntry, Score

__all__ = [
    "Baselines",
    "Chance",
    "MeasuredEntry",
    "Null",
    "PredictedEntry",
    "PredictionData",
    "PredictionEntry",
    "Score",
]


@final
class PredictionData(TypedDict):
    """The whole report.

    `biases` and `axes`: name -> full names of the measures that it averages; `log`: biases whose logarithm ``ols-log``
    takes; `units`: of each bias and axis, null where its parts differ; `grouped`: whether models without a group are
    left out.
    """

    predictions: list[PredictionEntry]
    biases: dict[str, list[str]]
    axes: dict[str, list[str]]
    titles: dict[str, str]
    units: dict[str, str | None]
    log: list[str]
    grouped: bool
    measured: MeasuredEntry
    warnings: list[str]
    provenance: list[dict[str, Any]]
