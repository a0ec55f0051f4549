"""What the report ``sensitivity`` says of declarations that a suite lacks, or that have no effect."""

from __future__ import annotations

from collections.abc import Iterator

from harness import Study

from .._declared import shared_measures, unknown_alternatives, unmatched_baseline
from .._models import left_out
from .alternatives import without_effect
from .quantities import Quantities
from .robustness import reference


def remarks_on(study: Study, over: Quantities) -> Iterator[str]:
    """What is not declared, or declared without an effect, and models that take no part."""
    plan = study.statistics
    if not study.biases or not study.axes:
        yield "no run defines both biases and axes, so nothing is correlated; type: harness run --suite NAME --out RUN"
        return
    for key, declared in (
        ("controls", plan.controls),
        ("baseline_models", plan.baseline_models),
        ("alternatives", plan.alternatives),
    ):
        if not declared:
            yield f"no {key} are declared; a suite declares them under statistics: docs/statistics.md"
    unknown = [name for name in plan.controls if name not in over.values]
    if unknown:
        yield f"controls that are no bias or axis of this report: {', '.join(unknown)}"
    yield from (*unknown_alternatives(study), *without_effect(study, over), *unmatched_baseline(study, over.models))
    yield from shared_measures(study)
    if plan.baseline_models and reference(study) is None:
        yield "no control is an axis made of accuracies, so there is nothing that effective robustness is measured from"
    if absent := left_out(study):
        subject = "1 model without a group takes" if absent == 1 else f"{absent} models without a group take"
        yield f"{subject} no part; --ungrouped includes them"
