"""Tasks and suites, as requested by a user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.records.data import Preprocessing
from harness.records.statistics_plan import StatisticsPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSpec:
    """``probe@dataset`` as requested by a suite or user, with the parameters that differ from the probe's own."""

    probe: str
    dataset: str
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name that users type: ``probe@dataset``."""
        return f"{self.probe}@{self.dataset}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A named set of models, tasks and definitions of biases and axes.

    Attributes:
        biases, axes: name -> measures whose mean it is (``shape-bias: [shape-bias@cue-conflict]``).
        titles: bias, axis or group -> short title for tables and figures.
        preprocessing: dataset name -> resize and crop that replace the dataset's own.
        statistics: what it declares of the statistics over its models.
    """

    name: str
    title: str = ""
    models: tuple[str, ...] = ()
    tasks: tuple[TaskSpec, ...] = ()
    biases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    axes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)
    preprocessing: Mapping[str, Preprocessing] = field(default_factory=dict)
    statistics: StatisticsPlan = field(default_factory=StatisticsPlan)
