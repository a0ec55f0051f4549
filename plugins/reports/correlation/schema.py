"""The JSON object of the report ``correlation``, key by key: the public schema of ``harness report --format json``.

Numbers are JSON numbers; an undefined one is null. Accuracies are fractions.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict, final


class Interval(TypedDict):
    """95 % interval of a bias or axis, and the decisions that it rests on; null where that is not known."""

    low: float | None
    high: float | None
    n: int | None


class Rank(TypedDict):
    """Place among imported models: 1 for the highest value, of so many."""

    rank: int
    of: int


class Details(TypedDict, total=False):
    """What is known of one measure beside its value; a key is left out where it is not known."""

    unit: str
    low: float
    high: float
    n: int
    flags: list[str]


class Missing(TypedDict):
    """What a model is without: `subject` names it; `reason` says why; `remedy`: what to type, null where unknown.

    A task and a measure may have one name; `kind` tells them apart. A bias or axis names the parts that it lacks, each
    of which has a reason of its own under ``measure``.
    """

    subject: str
    kind: Literal["measure", "bias", "axis", "task"]
    reason: str
    remedy: str | None


class ModelEntry(TypedDict):
    """One model.

    `measures` has full names (``top1@imagenet/fog-1``) for keys; `missing` says why values are null or absent;
    `in_correlations`: whether the statistics rest on it; `own`: whether it is a model of one's own beside imported
    ones, and then `ranks` has its place in each bias and axis.
    """

    name: str
    group: str | None
    run: str
    measures: dict[str, float | None]
    biases: dict[str, float | None]
    axes: dict[str, float | None]
    intervals: dict[str, Interval]
    missing: list[Missing]
    details: dict[str, Details]
    in_correlations: bool
    own: bool
    ranks: NotRequired[dict[str, Rank]]


class Numbers(TypedDict):
    """Spearman's rank correlation of two numbers over one set of models.

    `models`: ``all``, a group, or ``not`` a group; `n`: models that have both numbers; `low` and `high`: 95 % interval
    (Bonett & Wright 2000); `p_holm`, `p_bh`: p adjusted over all pairs of this set (Holm; Benjamini & Hochberg);
    `poster`: as the study's poster prints it; `reason`: why it is undefined.
    """

    models: str
    n: int
    spearman: float | None
    p: float | None
    low: float | None
    high: float | None
    p_holm: float | None
    p_bh: float | None
    poster: float | None
    reason: str | None


@final
class AxisCoefficient(Numbers):
    """Of a bias with an axis of generalization."""

    bias: str
    generalization: str


@final
class BiasCoefficient(Numbers):
    """Of a bias with another bias."""

    bias: str
    other: str


class ErratumEntry(TypedDict):
    """A known error of a published measure; `concerns`: the biases and axes that the measure is a part of."""

    measure: str
    title: str
    proof: str
    scale: float | None
    offset: float | None
    concerns: list[str]


class CorrelationData(TypedDict):
    """The whole report.

    `biases` and `axes`: name -> full names of the measures whose mean it is; `units`: of each bias and axis, null where
    its parts differ; `mended`: whether the errata have been applied; `provenance`: one object a run.
    """

    models: list[ModelEntry]
    biases: dict[str, list[str]]
    axes: dict[str, list[str]]
    units: dict[str, str | None]
    correlations: list[AxisCoefficient]
    bias_correlations: list[BiasCoefficient]
    errata: list[ErratumEntry]
    mended: bool
    warnings: list[str]
    provenance: list[dict[str, Any]]
