"""A study: the models of one or more runs with their measures, biases and axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from harness.records.measure import Measure
from harness.records.published import Erratum
from harness.records.reasons import Reason
from harness.records.statistics_plan import StatisticsPlan
from harness.records.trials import Trials


def labelled_name(model: str, label: str | None) -> str:
    """``NAME (LABEL)``: how a model of a labelled run is shown; without a label, its name."""
    return model if label is None else f"{model} ({label})"


def plain_name(name: str, label: str | None) -> str:
    """The inverse of `labelled_name`."""
    return name if label is None else name.removesuffix(f" ({label})")


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyModel:
    """One model with its results: a row of a report.

    Attributes:
        name: as it is shown; unique in a study. Of a labelled run: ``NAME (LABEL)``.
        measures: full name -> measure. biases, axes: name -> value, None where a part is missing.
        missing: why a bias, axis, measure or task is missing; see `harness.reason_for`.
        run: the run folder (or imported table) it comes from.
        label: the label of its run, if it was given one.
        duplicate_of: the model of the same name that takes part in statistics, where this one is of another label.
    """

    name: str
    group: str | None
    run: str
    measures: Mapping[str, Measure]
    biases: Mapping[str, float | None]
    axes: Mapping[str, float | None]
    missing: tuple[Reason, ...] = ()
    label: str | None = None
    duplicate_of: str | None = None

    @property
    def plain_name(self) -> str:
        """Its name without the label, as in the registry."""
        return plain_name(self.name, self.label)


class TrialReader(Protocol):
    """Stored trials of all runs of a study, read on demand by reports that compare single decisions."""

    def cells(self) -> Mapping[str, Sequence[str]]:
        """Task -> names of the models whose trials are complete."""

    def read(self, task: str, model: str) -> Trials:
        """All trials of one cell. Raises StoreError if they are damaged, KeyError for a cell that is not in `cells`."""

    def digest(self, task: str, model: str) -> str:
        """SHA-256 of what `read` returns, as the store states it: no trial is read. Raises as `read`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """The input of a report: all models of one or more runs, and the definitions of their biases and axes.

    Attributes:
        biases, axes: name -> full names of the measures whose mean it is.
        titles: bias, axis or group -> short title for tables and figures, where the suite gives one.
        ungrouped: whether statistics over models include models without a group.
        warnings: remarks stored with the results (partial data, chance-level accuracy, …); most are a `Remark`.
        provenance: one mapping per run.
        trial_reader: reads single decisions of the runs (imported tables have none).
        errata: known errors of imported tables that concern these models.
        mended: whether the errata have been applied (`harness report --apply-errata`).
        statistics: what was declared of the statistics over these models; where runs differ, by the first of them.
        denominators: names of measures that are divided by another one of the same dataset -> that one, as the
            installed probes declare (`Probe.denominators`).
    """

    models: tuple[StudyModel, ...]
    biases: Mapping[str, tuple[str, ...]]
    axes: Mapping[str, tuple[str, ...]]
    titles: Mapping[str, str] = field(default_factory=dict)
    ungrouped: bool = False
    warnings: tuple[str, ...] = ()
    provenance: tuple[Mapping[str, Any], ...] = ()
    trial_reader: TrialReader | None = None
    errata: tuple[Erratum, ...] = ()
    mended: bool = False
    statistics: StatisticsPlan = field(default_factory=StatisticsPlan)
    denominators: Mapping[str, str] = field(default_factory=dict)

    @property
    def labelled(self) -> bool:
        """Whether any of its runs has a label."""
        return any(model.label is not None for model in self.models)

    @property
    def counted_once(self) -> tuple[StudyModel, ...]:
        """The models, each once, for statistics over them: without those that have a `duplicate_of`."""
        return tuple(model for model in self.models if model.duplicate_of is None)
