"""Report ``prediction``: do the biases, taken together, predict generalization, for models that were left out too?

Every axis from all biases by least squares: R² in sample, Q² of models and of whole groups that were left out, what
both are by chance (permutations of the axis), and what they have to beat: the mean, that of the group, accuracy alone.
Definitions and sources: docs/statistics.md. It is the claim of Gavrikov & Keuper, "Can Biases in ImageNet Models
Explain Generalization?" (CVPR 2024), that biases are insufficient for this.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from harness import Figure, Page, Report, Study, Table, hookimpl

from .._declared import shared_measures, unknown_log
from .._measured import measured_entry
from .._models import taking_part, units_of
from .._predictions import prediction_entries
from .figures import all_figures
from .pages import all_pages
from .schema import PredictionData
from .tables import all_tables


class JointPrediction(Report):
    """How well all biases together predict each axis of generalization."""

    name = "prediction"

    def data(self, study: Study) -> PredictionData:
        """Predictions, definitions and remarks; the keys are those of ``harness report --format json``."""
        models = taking_part(study)
        return {
            "predictions": prediction_entries(study, models),
            "biases": {name: list(parts) for name, parts in study.biases.items()},
            "axes": {name: list(parts) for name, parts in study.axes.items()},
            "titles": dict(study.titles),
            "units": units_of(study),
            "log": [name for name in study.statistics.log if name in study.biases],
            "grouped": all(model.group is not None for model in models),
            "measured": measured_entry(study, models),
            "warnings": [*study.warnings, *_remarks(study)],
            "provenance": [dict(entry) for entry in study.provenance],
        }

    def tables(self, data: Mapping[str, Any]) -> Sequence[Table]:
        """The answer, the baselines, what is reached by chance, and remarks."""
        return all_tables(cast(PredictionData, data))

    def full_tables(self, data: Mapping[str, Any]) -> Sequence[Table]:
        """These, each model as others predict it, and all reasons where nothing is defined."""
        return all_tables(cast(PredictionData, data), full=True)

    def figures(self, data: Mapping[str, Any]) -> Sequence[Figure]:
        """Q² of each axis and learner, and each axis as the models of other groups predict it."""
        return all_figures(cast(PredictionData, data))

    def pages(self, data: Mapping[str, Any]) -> Sequence[Page]:
        """A summary, the answer with its figures, each model, remarks, provenance."""
        return all_pages(cast(PredictionData, data))


def _remarks(study: Study) -> Iterator[str]:
    if not study.biases or not study.axes:
        yield "no run defines both biases and axes, so nothing is predicted; type: harness run --suite NAME --out RUN"
    yield from (*unknown_log(study), *shared_measures(study))


@hookimpl
def harness_reports() -> list[Report]:
    """The report ``prediction``."""
    return [JointPrediction()]
