"""Which models of a study enter statistics over models, and the units of what they have."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import NotRequired, TypedDict

from harness import Study, StudyModel


def taking_part(study: Study) -> Sequence[StudyModel]:
    """The models that enter the statistics: those with a group; all with ``--ungrouped``, or if none has a group.

    Of a model that several labels have, the first alone.
    """
    every = study.counted_once
    grouped = [model for model in every if model.group is not None]
    return every if study.ungrouped or not grouped else grouped


def left_out(study: Study) -> int:
    """How many models do not enter the statistics for lack of a group."""
    return len(study.counted_once) - len(taking_part(study))


class LabelFacts(TypedDict):
    """Keys of a model's entry where any run of a study has a label; absent elsewhere.

    `label`: that of its run, or null; `plain_name`: its name without it; `duplicate_of`: the model of this name that
    enters the statistics in its place, or null.
    """

    label: NotRequired[str | None]
    plain_name: NotRequired[str]
    duplicate_of: NotRequired[str | None]


def label_facts(study: Study) -> dict[str, LabelFacts]:
    """Name of each model -> its keys; without keys where no run has a label."""
    if not study.labelled:
        return {model.name: {} for model in study.models}
    return {
        model.name: {"label": model.label, "plain_name": model.plain_name, "duplicate_of": model.duplicate_of}
        for model in study.models
    }


def units_of(study: Study) -> dict[str, str | None]:
    """Unit of each bias and axis; None where its parts differ or none is measured."""
    units = {}
    for name, parts in [*study.biases.items(), *study.axes.items()]:
        of_parts = {m.measures[part].unit for m in study.models for part in parts if part in m.measures}
        units[name] = of_parts.pop() if len(of_parts) == 1 else None
    return units


def fits(model: StudyModel, pattern: str) -> bool:
    """Whether `pattern` is the name of the model, or a glob for it; without its label.

    Names of a published table may have brackets.
    """
    return model.plain_name == pattern or fnmatchcase(model.plain_name, pattern)
