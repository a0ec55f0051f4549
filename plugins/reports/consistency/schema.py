"""The JSON object of the report ``consistency``, key by key: its public schema (``harness report --format json``).

Numbers are JSON numbers; an undefined one is null, and then `reason` says why.
"""

from __future__ import annotations

from typing import Any, TypedDict, final

from .._models import LabelFacts


class Means(TypedDict):
    """Means over conditions, people or datasets.

    `kappa`: error consistency (Cohen's kappa of correct and wrong); `observed`: share of images that both observers get
    right or both get wrong; `accuracy_difference`: squared difference of the two accuracies.
    """

    kappa: float | None
    observed: float | None
    accuracy_difference: float | None


class ConditionEntry(Means):
    """One pair of observers under one condition: `n` images; `expected`: agreement by chance; `accuracies` of both."""

    condition: str
    n: int
    expected: float | None
    accuracies: list[float]


class PairEntry(Means):
    """Two observers on one dataset, means over its conditions.

    `n`: images that both saw and the benchmark counts; `seen`: images that each saw; `low` and `high`: 95 % bootstrap
    interval of kappa, over images.
    """

    dataset: str
    first: str
    second: str
    n: int
    seen: list[int]
    low: float | None
    high: float | None
    expected: float | None
    accuracies: list[float | None] | None
    conditions: list[ConditionEntry]
    reason: str | None


@final
class DatasetEntry(Means, LabelFacts):
    """One network, or ``(between people)``, on one dataset: means over `people`; `n`: images of the smallest pair."""

    model: str
    group: str | None
    dataset: str
    people: int
    n: int
    reason: str | None


@final
class ObserverEntry(Means, LabelFacts):
    """One network, or ``(between people)``: means over `datasets`; `n`: images in all."""

    model: str
    group: str | None
    datasets: int
    n: int
    reason: str | None


class ConsistencyData(TypedDict):
    """The whole report; `provenance`: one object a run."""

    models: list[ObserverEntry]
    datasets: list[DatasetEntry]
    pairs: list[PairEntry]
    warnings: list[str]
    provenance: list[dict[str, Any]]
