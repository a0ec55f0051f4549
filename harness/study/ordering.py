"""The order of the models in a report."""

from __future__ import annotations

from dataclasses import replace

from harness.errors import UnknownNameError
from harness.ranks import levels
from harness.records import Study, StudyModel


def sorted_by(study: Study, name: str | None = None) -> Study:
    """`study` with the models of each group by decreasing value of one bias, axis or measure; missing values last.

    Args:
        name: default: the first axis; a study without axes is returned unchanged.

    Raises:
        UnknownNameError: no model has such a value.
    """
    key = name if name is not None else next(iter(study.axes), None)
    if key is None:
        return study
    values = {model.name: _value(model, key) for model in study.models}
    if name is not None and all(value is None for value in values.values()):
        names = [
            *study.biases,
            *study.axes,
            *dict.fromkeys(measure for model in study.models for measure in model.measures),
        ]
        hint = f"Type for instance: --sort {names[0]}" if names else "These runs hold no measures"
        raise UnknownNameError("value of --sort", name, names, hint=hint)
    groups = list(dict.fromkeys(model.group for model in study.models))
    present = {model: value for model, value in values.items() if value is not None}
    level = dict(zip(present, levels(list(present.values())).tolist(), strict=True))  # ties keep their order

    def place(model: StudyModel) -> tuple[int, bool, int]:
        return groups.index(model.group), model.name not in level, -level.get(model.name, 0)

    return replace(study, models=tuple(sorted(study.models, key=place)))


def _value(model: StudyModel, name: str) -> float | None:
    measure = model.measures.get(name)
    return {**model.biases, **model.axes}.get(name, measure.value if measure is not None else None)
