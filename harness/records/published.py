"""Published results: tables of measures, single decisions, and their known errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.records.measure import Measure
from harness.records.statistics_plan import StatisticsPlan
from harness.records.trials import TaskLayout

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Erratum:
    """A known error of a published measure, and its correction.

    Attributes:
        measure: full name of the measure as published (``top1@imagenet-real``).
        title: what is wrong, in a clause. proof: the arithmetic that shows it.
        scale, offset: the correct value is ``scale * published + offset``; None: it cannot be computed from the table,
            and ``--apply-errata`` leaves the measure out of every bias and axis.
    """

    measure: str
    title: str
    proof: str = ""
    scale: float | None = None
    offset: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How much a correct re-measurement may differ from a published value, and why.

    Attributes:
        measures: glob over full names (``top1@imagenet*``). within: absolute difference. reason: its cause.
    """

    measures: str
    within: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedModel:
    """One row of a published table: `measures` by full name (``top1@imagenet``), accuracies as fractions."""

    name: str
    group: str | None
    measures: Mapping[str, Measure]
    missing: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedTable:
    """A published table of results: read-only measures that any report accepts beside one's own runs.

    Attributes:
        titles: bias, axis or group -> short title for tables and figures.
        statistics: what is declared of the statistics over its models.
        errata: its known errors. tolerances: for comparisons; the first that matches a measure applies.
        probes: glob over full names (``shape-bias@*``) -> name of the probe that measures it, with default parameters;
            the first that matches applies. Measures of other probes are not compared with the table.
    """

    title: str
    source: str
    license: str
    models: tuple[ImportedModel, ...]
    biases: Mapping[str, tuple[str, ...]]
    axes: Mapping[str, tuple[str, ...]]
    titles: Mapping[str, str] = field(default_factory=dict)
    errata: tuple[Erratum, ...] = ()
    tolerances: tuple[Tolerance, ...] = ()
    probes: Mapping[str, str] = field(default_factory=dict)
    statistics: StatisticsPlan = field(default_factory=StatisticsPlan)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedDecisions:
    """Single decisions of one observer (a person, or a network of another toolbox) on one task.

    Attributes:
        observer: name in the run (``subject-01``). group: ``humans``, … or None.
        experiment: where the observer took part, if the same name means somebody else in another experiment.
        layout: samples and conditions, with the ids that the dataset plugin gives.
        top5: (N, C, 5) int16; column 0 is the decision, -1 where there is none; the others are -1.
        probability: (N, C) float, of the decision, above 0 and at most 1, NaN where it is unknown; None: all are.
    """

    observer: str
    group: str | None
    layout: TaskLayout
    top5: np.ndarray
    experiment: str = ""
    probability: np.ndarray | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionTable:
    """Published decisions, which become the trials of a run.

    Attributes:
        probe: name of the probe that reduces them.
        remarks: what a reader of the run should know of it; printed, stored and reported.
    """

    title: str
    source: str
    license: str
    probe: str
    decisions: tuple[ImportedDecisions, ...]
    remarks: tuple[str, ...] = ()
