"""What a suite or a user asks for: tasks, and named sets of models and tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.records.data import Preprocessing


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSpec:
    """``probe@dataset`` as a suite or the user asks for it, with the parameters that differ from the probe's own."""

    probe: str
    dataset: str
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The string users type: ``probe@dataset``."""
        return f"{self.probe}@{self.dataset}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A named set of models, tasks and definitions of biases and axes.

    Attributes:
        biases, axes: name -> measures whose mean it is (``shape-bias: [shape-bias@cue-conflict]``).
        preprocessing: dataset name -> resize and crop that replace the dataset's own.
    """

    name: str
    title: str = ""
    models: tuple[str, ...] = ()
    tasks: tuple[TaskSpec, ...] = ()
    biases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    axes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    preprocessing: Mapping[str, Preprocessing] = field(default_factory=dict)
