"""Which models of a study enter statistics over models."""

from __future__ import annotations

from collections.abc import Sequence

from harness import Study, StudyModel


def taking_part(study: Study) -> Sequence[StudyModel]:
    """The models that enter the statistics: those with a group; all with ``--ungrouped``, or if none has a group."""
    grouped = [model for model in study.models if model.group is not None]
    return study.models if study.ungrouped or not grouped else grouped
