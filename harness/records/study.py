"""What a report gets: the models of one or more runs, and what is known of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from harness.records.measure import Measure
from harness.records.published import Erratum
from harness.records.reasons import Reason
from harness.records.trials import Trials


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyModel:
    """One model with everything known of it: a row of a report.

    Attributes:
        measures: full name -> measure. biases, axes: name -> value, None where a part is missing.
        missing: why a bias, axis, measure or task is not there; see `harness.reason_for`.
        run: the run folder (or imported table) it comes from.
    """

    name: str
    group: str | None
    run: str
    measures: Mapping[str, Measure]
    biases: Mapping[str, float | None]
    axes: Mapping[str, float | None]
    missing: tuple[Reason, ...] = ()


class TrialReader(Protocol):
    """Stored trials of all runs of a study, read when they are asked for: reports that compare single decisions."""

    def cells(self) -> Mapping[str, Sequence[str]]:
        """Task -> names of the models whose trials are complete."""

    def read(self, task: str, model: str) -> Trials:
        """All trials of one cell. Raises StoreError if they are damaged, KeyError for a cell that `cells` lacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What a report gets: all models of one or more runs, and what their biases and axes are made of.

    Attributes:
        biases, axes: name -> full names of the measures whose mean it is.
        ungrouped: whether models without a group take part in statistics over models.
        warnings: remarks stored with the results (partial data, chance-level accuracy, …); most are a `Remark`.
        provenance: one mapping per run.
        trial_reader: single decisions of the runs (imported tables have none).
        errata: known errors of imported tables, as far as they concern these models.
        mended: whether the errata have been applied (`harness report --apply-errata`).
    """

    models: tuple[StudyModel, ...]
    biases: Mapping[str, tuple[str, ...]]
    axes: Mapping[str, tuple[str, ...]]
    ungrouped: bool = False
    warnings: tuple[str, ...] = ()
    provenance: tuple[Mapping[str, Any], ...] = ()
    trial_reader: TrialReader | None = None
    errata: tuple[Erratum, ...] = ()
    mended: bool = False
