"""What a suite defines or declares and a report cannot take as it stands: said, so that nobody misses it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from harness import Study, StudyModel, statistics

from ._models import fits

MOST_NAMES = 6


def unknown_log(study: Study) -> Iterator[str]:
    """Names under ``log`` that are no bias."""
    unknown = [name for name in study.statistics.log if name not in study.biases]
    if unknown and study.biases:
        yield f"log: no bias of this report is called {short(unknown)}; these are: {short(study.biases)}"


def unknown_alternatives(study: Study) -> Iterator[str]:
    """Names that have alternatives and are no bias or axis."""
    defined = {**study.biases, **study.axes}
    unknown = [name for name in study.statistics.alternatives if name not in defined]
    if unknown:
        yield f"alternatives: no bias or axis is called {short(unknown)}; these are: {short(defined)}"


def empty_set_apart(study: Study, models: Sequence[StudyModel]) -> Iterator[str]:
    """A group set apart that has no models among those that take part, or too few others; nothing for few models."""
    group, least = study.statistics.set_apart, statistics.LEAST_PAIRS
    if group is None or len(models) < least or not (study.biases and study.axes):
        return
    groups = dict.fromkeys(model.group for model in models if model.group is not None)
    others = sum(model.group != group for model in models)
    if group not in groups:
        yield f"set_apart: no model that takes part has the group {group}; these are: {short(groups) or 'none'}"
    elif others < least:
        yield f"set_apart: {others} models are of other groups than {group}; coefficients need at least {least}"


def unmatched_baseline(study: Study, models: Sequence[StudyModel]) -> Iterator[str]:
    """Names and globs of baseline models that fit none of the models that take part."""
    declared = study.statistics.baseline_models
    absent = [pattern for pattern in declared if not any(fits(model, pattern) for model in models)]
    if absent:
        subject = f"{len(absent)} of {len(declared)} names fit" if len(declared) > 1 else "the only name fits"
        yield f"baseline_models: {subject} no model that takes part: {short(absent)}"


def shared_measures(study: Study) -> Iterator[str]:
    """Measures that a bias and an axis are both made of: the two are related whatever the models are."""
    for bias, parts in study.biases.items():
        for axis, others in study.axes.items():
            shared = [part for part in parts if part in others]
            if shared:
                subject = f"the bias {bias} and the axis {axis} are both made of {short(shared)}"
                yield f"{subject}: what they share is no finding"


def short(names: Collection[str]) -> str:
    """The first names, and how many more."""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join([*names][:MOST_NAMES]) + more
