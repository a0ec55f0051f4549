"""The JSON object of the report ``dataset-bias``, key by key: its public schema (``harness report --format json``).

Numbers are JSON numbers; an undefined one is null, and then `reason` says why. Lengths are fractions of the image's
side, angles degrees, accuracies fractions.
"""

from __future__ import annotations

from typing import Any, TypedDict, final

from .._models import LabelFacts


class Divergence(TypedDict):
    """How far counts in k equal cells are from uniform.

    `n`: images; `kl`: Kullback-Leibler divergence in nats, 0 to ln k; `kl_by_chance`: its mean for n uniform draws,
    nearly (k - 1) / 2n; `p`: of uniformity, by the G-test with Bartlett's correction.
    """

    n: int
    kl: float | None
    kl_by_chance: float | None
    p: float | None
    reason: str | None


class AttributeEntry(Divergence):
    """One attribute of the images: `counts` in equal bins from `start` to `end`, `spread` beside that of uniform."""

    attribute: str
    start: float
    end: float
    counts: list[int]
    mean: float | None
    spread: float | None
    uniform_spread: float


class PlaceEntry(Divergence):
    """Centres on the image: `counts` of equal cells, a list for each row from the top."""

    counts: list[list[int]]
    spread: float | None
    uniform_spread: float


@final
class DatasetPlaces(TypedDict):
    """One dataset, as the `models` saw it."""

    dataset: str
    models: list[str]
    images: int
    attributes: list[AttributeEntry]
    place: PlaceEntry | None


class Accuracy(TypedDict):
    """Accuracy on some images, with its 95 % Wilson interval; null for too few images."""

    n: int
    accuracy: float | None
    low: float | None
    high: float | None
    reason: str | None


@final
class BinEntry(Accuracy):
    """Images whose attribute is at least `start` and below `end`, which belongs to the last bin."""

    start: float
    end: float


@final
class CellEntry(Accuracy):
    """Images whose object has its centre in this part of the image."""

    left: float
    right: float
    top: float
    bottom: float


@final
class SlopeEntry(TypedDict):
    """Accuracy as a function of one attribute: least-squares `slope` per unit, its 95 % interval, and `bins`.

    `reason`: why the slope, or its interval alone, is undefined.
    """

    attribute: str
    n: int
    slope: float | None
    low: float | None
    high: float | None
    reason: str | None
    bins: list[BinEntry]


@final
class ModelByPlace(Accuracy, LabelFacts):
    """One model on one dataset."""

    model: str
    group: str | None
    dataset: str
    task: str
    functions: list[SlopeEntry]
    cells: list[CellEntry]


@final
class DatasetBiasData(TypedDict):
    """The whole report."""

    datasets: list[DatasetPlaces]
    models: list[ModelByPlace]
    warnings: list[str]
    provenance: list[dict[str, Any]]
