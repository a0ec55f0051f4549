"""How much a study has measured, for the first sentence of the reports over models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from harness import Study, StudyModel


class MeasuredEntry(TypedDict):
    """Counts of a study.

    `runs`: its runs, `imported`: those of them that are published tables; `models`, each once, and how many of them are
    `taking_part` in statistics over models, in how many `groups`; `tasks` and `trials`: stored, 0 without stored
    trials; `numbers`: measures of all models that have a value.
    """

    runs: int
    imported: int
    models: int
    taking_part: int
    groups: int
    tasks: int
    trials: int
    numbers: int


def measured_entry(study: Study, taking_part: Sequence[StudyModel]) -> MeasuredEntry:
    """The counts of `study`, of which the models `taking_part` enter the statistics."""
    tasks = [(task, stated["trials"]) for run in study.provenance for task, stated in run.get("tasks", {}).items()]
    return {
        "runs": len(study.provenance),
        "imported": sum(run.get("kind") == "imported" for run in study.provenance),
        "models": len(study.counted_once),
        "taking_part": len(taking_part),
        "groups": len({model.group for model in taking_part} - {None}),
        "tasks": len({task for task, _ in tasks}),
        "trials": sum(trials for _, trials in tasks),
        "numbers": sum(
            measure.value is not None for model in study.counted_once for measure in model.measures.values()
        ),
    }
