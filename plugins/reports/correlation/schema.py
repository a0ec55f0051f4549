"""The JSON object of the report ``correlation``, key by key: the public schema of ``harness report --format json``.

Numbers are JSON numbers; an undefined one is null. Accuracies are fractions.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict, final

from .._measured import MeasuredEntry
from .._models import LabelFacts
from .._predictions import PredictionEntry


class Interval(TypedDict):
    """95 % interval of a bias or axis, and the number of decisions behind it; null where unknown."""

    low: float | None
    high: float | None
    n: int | None


class Rank(TypedDict):
    """Rank among `of` models, imported ones and this one: 1 for the highest value."""

    rank: int
    of: int


class Details(TypedDict, total=False):
    """Facts about one measure beside its value; an unknown one is left out.

    `comparable` is False, or absent: the measure means something else than that of the other models.
    """

    unit: str
    low: float
    high: float
    n: int
    flags: list[str]
    comparable: bool


class Missing(TypedDict):
    """Something that a model does not have: `subject` names it; `reason`: why; `remedy`: what to type, or null.

    A task and a measure may have the same name; `kind` distinguishes them. The reason of a bias or axis names its
    missing parts; each part has a reason of its own under ``measure``.
    """

    subject: str
    kind: Literal["measure", "bias", "axis", "task"]
    reason: str
    remedy: str | None


class ModelEntry(LabelFacts):
    """One model.

    The keys of `measures` are full names (``top1@imagenet/fog-1``); `missing` says why values are null or absent;
    `in_correlations`: whether it enters the statistics; `own`: whether it is one of the user's own models beside
    imported ones; if so, `ranks` has its rank in each bias and axis. Of a
    labelled run, `name` is ``NAME (LABEL)`` and `run` the label.
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


class FamilyNumbers(TypedDict):
    """A coefficient over all models, looked at by training family: docs/statistics.md.

    `within`: pooled coefficient within families; `n`: models in families of two or more, `families`: how many such;
    `p_within`: two-sided, by permutations within families, `p_within_holm`: adjusted over all pairs, `p_within_method`:
    over all `permutations` (``exact``) or `draws` random ones of them; `signs`: of Spearman's coefficient inside each
    family of three or more; `simpson`: whether the relation turns round, `reversed`: in which families of five or more;
    `worst_family`: where the largest share `worst_error` of pairs of models is ordered against the coefficient over all
    models; `cluster_low`, `cluster_high`: 95 % interval over families and models in them; `n_effective`: independent
    models that the coefficient is worth; `reason`: why `within` or the interval is undefined.
    """

    within: float | None
    n: int
    families: int
    p_within: float | None
    p_within_holm: float | None
    p_within_method: Literal["exact", "permutation"] | None
    draws: int
    seed: int | None
    permutations: float | None
    signs: dict[str, int]
    simpson: bool
    reversed: list[str]
    worst_family: str | None
    worst_error: float | None
    cluster_low: float | None
    cluster_high: float | None
    cluster_draws: int
    n_effective: float | None
    reason: str | None


class ClusterEntry(TypedDict):
    """How alike the models of one family are in one bias or axis.

    `family_size`: Σn_g²/n, size of the family of a model chosen at random; `icc`: ICC(1), the share of the variance
    between families; `n_effective`: independent models that a mean over these `n` is worth; `reason`: of nulls.
    """

    name: str
    n: int
    families: int
    family_size: float
    icc: float | None
    n_effective: float | None
    reason: str | None


class Numbers(TypedDict):
    """Spearman's rank correlation of two quantities over one set of models.

    `models`: ``all``, a group, or ``not`` a group; `n`: models that have both values; `p_method`: how `p` is computed,
    ``exact`` over all permutations (n < 10) or the ``t`` approximation; `low` and `high`: 95 % interval (Bonett &
    Wright 2000); `p_holm`, `p_bh`: p adjusted over all pairs of this set (Holm; Benjamini & Hochberg);
    `poster`: as the study's poster prints it; `reason`: why the coefficient, or its interval alone, is undefined;
    `families`: of all models only.
    """

    models: str
    n: int
    spearman: float | None
    p: float | None
    p_method: Literal["exact", "t"] | None
    low: float | None
    high: float | None
    p_holm: float | None
    p_bh: float | None
    poster: float | None
    reason: str | None
    families: NotRequired[FamilyNumbers]


class PartialNumbers(TypedDict):
    """Spearman's partial correlation of a bias that is divided by another measure, with an axis at equal accuracy.

    `given`: what is held, the declared controls, else the measure that the bias is divided by; empty where nothing is;
    `n`: models that have all the numbers; `value` in [-1, 1]; `p`: two-sided, by the t distribution; `low` and `high`:
    95 % interval; `reason`: why `value` is null, for example because the bias is not divided.
    """

    given: list[str]
    n: int
    value: float | None
    p: float | None
    low: float | None
    high: float | None
    reason: str | None


@final
class AxisCoefficient(Numbers):
    """Correlation of a bias with an axis of generalization, and the same at equal accuracy."""

    bias: str
    generalization: str
    partial: PartialNumbers


@final
class BiasCoefficient(Numbers):
    """Correlation of a bias with another bias."""

    bias: str
    other: str


class ErratumEntry(TypedDict):
    """A known error of a published measure; `concerns`: the biases and axes that include the measure."""

    measure: str
    title: str
    proof: str
    scale: float | None
    offset: float | None
    concerns: list[str]


class CorrelationData(TypedDict):
    """The whole report.

    `biases` and `axes`: name -> full names of the measures that it averages; `titles`: bias, axis or group -> short
    title, where the suite gives one; `units`: of each bias and axis, null where its parts differ; `log`: biases whose
    logarithm ``ols-log`` takes; `clusters`: of each bias and axis; `set_apart`: the group that is declared to be shown
    beside all others, or null; `mended`: whether the errata have been applied; `provenance`: one object for each run.
    """

    models: list[ModelEntry]
    biases: dict[str, list[str]]
    axes: dict[str, list[str]]
    titles: dict[str, str]
    units: dict[str, str | None]
    log: list[str]
    predictions: list[PredictionEntry]
    correlations: list[AxisCoefficient]
    bias_correlations: list[BiasCoefficient]
    clusters: list[ClusterEntry]
    set_apart: str | None
    errata: list[ErratumEntry]
    mended: bool
    measured: MeasuredEntry
    warnings: list[str]
    provenance: list[dict[str, Any]]
