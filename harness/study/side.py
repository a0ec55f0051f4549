"""One side of a comparison, as plain data: `harness.study.sides` makes it of a run or of a published table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.names import dataset_in
from harness.records import Erratum, Measure, Reason, Tolerance
from harness.study.protocols import Origin, Standard, stated

Samples = Mapping[str, tuple[int, ...]]
"""Sample id -> accepted classes."""


def _unknown(_task: str) -> Samples:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a comparison.

    Attributes:
        label: run folder or table, as messages name it.
        models: model -> full name -> measure. missing: model -> why measures or tasks are missing.
        partial: dataset -> why its measures use only part of it; ``*`` stands for every dataset.
        origins: model -> full name -> what a measure was made of; empty for published numbers.
        cells: (task, model) -> every stored cell, usable or not.
        samples: task -> the images that it was measured on; empty if unknown.
        standard: protocol of published numbers; None for measured ones. probes: as `ImportedTable.probes`.
        settings: those of the whole run: seed, precision, ….
        errata, tolerances: those of a published table.
    """

    label: str
    models: Mapping[str, Mapping[str, Measure]]
    missing: Mapping[str, Sequence[Reason]] = field(default_factory=dict)
    partial: Mapping[str, str] = field(default_factory=dict)
    origins: Mapping[str, Mapping[str, Origin]] = field(default_factory=dict)
    cells: Mapping[tuple[str, str], Origin] = field(default_factory=dict)
    samples: Callable[[str], Samples] = _unknown
    standard: Standard | None = None
    probes: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    errata: Sequence[Erratum] = ()
    tolerances: Sequence[Tolerance] = ()

    def part(self, measure: str) -> str:
        """Why `measure` uses only part of its dataset; empty if it uses all, as far as is known."""
        return self.partial.get(dataset_in(measure)) or self.partial.get("*", "")

    def origin(self, model: str, measure: str) -> Origin | None:
        """What a measure was made of; None for published numbers."""
        return self.origins.get(model, {}).get(measure)

    def published(self, measure: str, like: Origin) -> Mapping[str, Any] | None:
        """The protocol of a published measure, by dotted path, where it is that of `like`; None for measured ones."""
        return None if self.standard is None else {**self.standard(like), **stated(self.probes, measure)}

    def cell(self, model: str, like: Origin | None) -> Origin | None:
        """The stored cell of the task of `like`; None if there is none."""
        return None if like is None else self.cells.get((like.task, model))
