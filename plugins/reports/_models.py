"""Which models of a study enter statistics over models, and the units of what they have."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from harness import Study, StudyModel


def taking_part(study: Study) -> Sequence[StudyModel]:
    """The models that enter the statistics: those with a group; all with ``--ungrouped``, or if none has a group."""
    grouped = [model for model in study.models if model.group is not None]
    return study.models if study.ungrouped or not grouped else grouped


def units_of(study: Study) -> dict[str, str | None]:
    """Unit of each bias and axis; None where its parts differ or none is measured."""
    units = {}
    for name, parts in [*study.biases.items(), *study.axes.items()]:
        of_parts = {m.measures[part].unit for m in study.models for part in parts if part in m.measures}
        units[name] = of_parts.pop() if len(of_parts) == 1 else None
    return units


def fits(model: StudyModel, pattern: str) -> bool:
    """Whether `pattern` is the name of the model, which may have brackets in a published table, or a glob for it."""
    return model.name == pattern or fnmatchcase(model.name, pattern)
