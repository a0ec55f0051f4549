"""The order of the models in a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.errors import UnknownNameError
from harness.ranks import levels
from harness.records import Study, StudyModel


def sorted_by(study: Study, name: str | None = None) -> Study:
    """`study` with the models of each group by decreasing value of one bias, axis or measure; missing values last.

    What several labels have of one model and group stands side by side, at the place of the one that takes part in
    statistics. A model that takes no part moves no other: draws of statistics follow the order of the models.

    Args:
        name: default: the first axis; a study without axes keeps its order.

    Raises:
        UnknownNameError: no model has such a value.
    """
    sets = _side_by_side(study.models)
    key = name if name is not None else next(iter(study.axes), None)
    if key is None:
        return replace(study, models=tuple(model for members in sets for model in members))
    values = {model.name: _value(model, key) for model in study.models}
    if name is not None and all(value is None for value in values.values()):
        names = [
            *study.biases,
            *study.axes,
            *dict.fromkeys(measure for model in study.models for measure in model.measures),
        ]
        hint = f"Type for instance: --sort {names[0]}" if names else "These runs hold no measures"
        raise UnknownNameError("value of --sort", name, names, hint=hint)
    counted = [members for members in sets if members[0].duplicate_of is None]
    others = [members for members in sets if members[0].duplicate_of is not None]
    in_order = [*_by_level(counted, values), *_by_level(others, values)]
    groups = list(dict.fromkeys(members[0].group for members in (*counted, *others)))
    placed = sorted(in_order, key=lambda members: groups.index(members[0].group))
    return replace(study, models=tuple(model for members in placed for model in members))


def _side_by_side(models: Sequence[StudyModel]) -> list[list[StudyModel]]:
    """What the labels of a study have of each model in one group, the one that takes part in statistics first."""
    sets: dict[tuple[str, str | None], list[StudyModel]] = {}
    for model in models:
        sets.setdefault((model.plain_name, model.group), []).append(model)
    return [sorted(members, key=lambda model: model.duplicate_of is not None) for members in sets.values()]


def _by_level(sets: Sequence[list[StudyModel]], values: Mapping[str, float | None]) -> list[list[StudyModel]]:
    """`sets` by decreasing value of their first model; ties keep their order, and missing values come last."""
    firsts = [members[0].name for members in sets]
    present = {name: value for name in firsts if (value := values[name]) is not None}
    level = dict(zip(present, levels(list(present.values())).tolist(), strict=True))
    return sorted(sets, key=lambda members: (members[0].name not in level, -level.get(members[0].name, 0)))


def _value(model: StudyModel, name: str) -> float | None:
    measure = model.measures.get(name)
    return {**model.biases, **model.axes}.get(name, measure.value if measure is not None else None)
