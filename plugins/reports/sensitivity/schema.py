"""The JSON object of the report ``sensitivity``, key by key: its public schema (``harness report --format json``).

Numbers are JSON numbers; an undefined one is null, and then `reason` says why.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from .._measured import MeasuredEntry


class PartialEntry(TypedDict):
    """Spearman's coefficient at equal values of `controls`; `low`, `high`: its 95 % interval."""

    controls: list[str]
    n: int
    value: float | None
    p: float | None
    low: float | None
    high: float | None
    reason: str | None


class InfluenceEntry(TypedDict):
    """`model`: whose deletion moves the coefficient most, `without`: to what; `flips`: whose moves p across 0.05."""

    model: str | None
    without: float | None
    flips: list[str]
    reason: str | None


class DetectableEntry(TypedDict):
    """Smallest coefficient that a test finds with probability 0.8: as the only one, and as the strictest of `tests`."""

    single: float | None
    corrected: float | None
    tests: int


class CeilingEntry(TypedDict):
    """`value`: largest coefficient to expect with these reliabilities; `disattenuated`: the coefficient / `value`."""

    value: float | None
    disattenuated: float | None
    reason: str | None


class ExchangeEntry(TypedDict):
    """The null of numerators that models of one group exchange: as in CouplingEntry."""

    null: float | None
    sd: float | None
    p: float | None
    draws: int


class CouplingEntry(TypedDict):
    """Null under a shared `denominator`: mean and `sd` of coefficients with exchanged numerators, `p` around it.

    `within`: the same where models exchange with others of their group only; null where no two models share one.
    `absolute`: the coefficient of the numerator alone.
    """

    denominator: str
    n: int
    null: float | None
    sd: float | None
    p: float | None
    absolute: float | None
    draws: int
    seed: int
    within: ExchangeEntry | None
    reason: str | None


class SpecificationEntry(TypedDict):
    """One combination: titles of the definitions of the bias and of the axis, and the coefficient over `n` models."""

    bias: str
    generalization: str
    n: int
    spearman: float | None
    p: float | None


class AlternativesEntry(TypedDict):
    """Coefficients over all combinations of declared definitions: range, median, and shares of the `defined` ones."""

    defined: int
    least: float | None
    median: float | None
    most: float | None
    positive: float | None
    negative: float | None
    significant: float | None
    specifications: list[SpecificationEntry]
    reason: str | None


class BeyondEntry(TypedDict):
    """Spearman's coefficient of the bias with the effective robustness on the axis, within the baseline's range."""

    n: int
    spearman: float | None
    p: float | None
    reason: str | None


class SignErrorsEntry(TypedDict):
    """Sign errors over `environments`: `mean`, `high` (90th percentile) and `worst`, all in [0, 1]."""

    environments: int
    mean: float
    high: float
    worst: float


class EnvironmentEntry(TypedDict):
    """An environment: hyperparameter `factor` changed from `before` to `after`, with the others `fixed`.

    `pairs`: pairs of networks; `size`: effective sample size of them; `error`: their mean sign error, null at size 0.
    """

    factor: str
    before: str | float
    after: str | float
    fixed: dict[str, str | float]
    pairs: int
    size: float
    error: float | None


class InterventionsEntry(TypedDict):
    """Sign errors of the bias under single changes of the declared hyperparameters, over `n` models.

    `images`: smallest number behind the axis; `direction`: sign of ρ over these models, in which the bias counts;
    `size`: largest effective sample size of a change; `overall` and `factors` (by hyperparameter): over the changes of
    a size of 12 or more; `changes`: the 200 of the largest errors, of all that have 12 pairs or more.
    """

    n: int
    images: int | None
    direction: int
    size: float
    overall: SignErrorsEntry | None
    factors: dict[str, SignErrorsEntry]
    changes: list[EnvironmentEntry]
    reason: str | None


class SensitivityEntry(TypedDict):
    """One bias with one axis, over all models that have both.

    `alternatives`, `coupling`, `effective`, `interventions`: null where nothing is declared, shared or fitted.
    """

    bias: str
    generalization: str
    n: int
    spearman: float | None
    p: float | None
    reason: str | None
    partial: PartialEntry
    influence: InfluenceEntry
    detectable: DetectableEntry
    ceiling: CeilingEntry
    coupling: CouplingEntry | None
    alternatives: AlternativesEntry | None
    effective: BeyondEntry | None
    interventions: InterventionsEntry | None


class ReliabilityEntry(TypedDict):
    """Share of the variance of a bias or axis over `n` models that is not error of measurement.

    `models`: "all", or a group of five models or more.
    `half`: mean correlation of its values on two halves of the images, over `draws` random ones; null for "errors".
    """

    name: str
    kind: Literal["bias", "axis"]
    models: str
    n: int
    value: float | None
    method: Literal["halves", "errors"]
    half: float | None
    draws: int | None
    seed: int | None
    reason: str | None


class PlacedEntry(TypedDict):
    """One model on the plane of the line: fractions `x` of `against` and `y` of the axis, as they are placed there.

    0 and 1 are moved inwards where the number of decisions is known, else both are null; `baseline`: whether it belongs
    to the declared baseline.
    """

    model: str
    group: str | None
    x: float | None
    y: float | None
    baseline: bool


class EffectiveEntry(TypedDict):
    """Effective robustness on one axis, beyond what `against` predicts over the `n` models of the baseline.

    `values`: by model, differences of fractions; `outside`: models beyond the range of the baseline, where the line is
    extrapolated; `left_out`: baseline models without a place on the probit scale; `points`: every model that has both.
    """

    generalization: str
    against: str
    n: int
    slope: float | None
    intercept: float | None
    r2: float | None
    values: dict[str, float | None]
    outside: list[str]
    left_out: list[str]
    points: list[PlacedEntry]
    reason: str | None


class SensitivityData(TypedDict):
    """The whole report; `models`: how many take part; `provenance`: one object a run."""

    models: int
    controls: list[str]
    baseline_models: list[str]
    titles: dict[str, str]
    measured: MeasuredEntry
    sensitivities: list[SensitivityEntry]
    reliabilities: list[ReliabilityEntry]
    effective: list[EffectiveEntry]
    warnings: list[str]
    provenance: list[dict[str, Any]]
