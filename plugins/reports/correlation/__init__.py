"""Report ``correlation``: how far biases explain generalization, over all models, within each group and outside it.

Spearman's rank correlation of every bias with every axis of generalization, and of the biases with each other, as in
Gavrikov & Keuper, "Can Biases in ImageNet Models Explain Generalization?" (CVPR 2024), there with the t approximation
and p < 0.05. Added here: exact p-values below ten models, n, 95 % intervals (Bonett & Wright 2000), and p-values
adjusted over all pairs of one set of models (Holm 1979; Benjamini & Hochberg 1995).

Each bias and axis of a model has a 95 % interval and the number of decisions behind it, see `interval_of`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from harness import (
    Erratum,
    Figure,
    Measure,
    Page,
    Reason,
    Remark,
    Report,
    Study,
    StudyModel,
    Table,
    hookimpl,
    kept_statistics,
    statistics,
)

from .._declared import empty_set_apart, shared_measures, unknown_log
from .._measured import measured_entry
from .._models import label_facts, left_out, units_of
from .._models import taking_part as _taking_part
from .figures import all_figures
from .given import Given
from .numbers import computed
from .pages import all_pages
from .schema import (
    CorrelationData,
    Details,
    ErratumEntry,
    Interval,
    Missing,
    ModelEntry,
    Rank,
)
from .tables import all_tables


class Correlation(Report):
    """Which biases correlate with which axis of generalization."""

    name = "correlation"

    def data(self, study: Study) -> CorrelationData:
        """Models, predictions, correlations and remarks; the keys are those of ``harness report --format json``.

        ``poster`` is a coefficient as the study's poster prints it: two decimals, 0.0 where p >= 0.05.
        """
        given = Given(study)
        numbers = kept_statistics(self, study, lambda: computed(study, given), of=given.facts(study.models))
        return {
            "models": _models(study),
            "biases": {name: list(parts) for name, parts in study.biases.items()},
            "axes": {name: list(parts) for name, parts in study.axes.items()},
            "titles": dict(study.titles),
            "units": units_of(study),
            "log": [name for name in study.statistics.log if name in study.biases],
            "predictions": numbers["predictions"],
            "correlations": numbers["correlations"],
            "bias_correlations": numbers["bias_correlations"],
            "clusters": numbers["clusters"],
            "set_apart": study.statistics.set_apart,
            "errata": [_erratum(study, erratum) for erratum in study.errata],
            "mended": study.mended,
            "measured": measured_entry(study, _taking_part(study)),
            "warnings": [*study.warnings, *_remarks(study)],
            "provenance": [dict(entry) for entry in study.provenance],
        }

    def tables(self, data: Mapping[str, Any]) -> Sequence[Table]:
        """Coefficients over all models, the models, coefficients in detail, what is missing, and remarks."""
        return all_tables(cast(CorrelationData, data))

    def full_tables(self, data: Mapping[str, Any]) -> Sequence[Table]:
        """All measures, intervals and sets of models."""
        return all_tables(cast(CorrelationData, data), full=True)

    def figures(self, data: Mapping[str, Any]) -> Sequence[Figure]:
        """Every bias against every axis, and accuracy against the cutoff of a filter where it is measured."""
        return all_figures(cast(CorrelationData, data))

    def pages(self, data: Mapping[str, Any]) -> Sequence[Page]:
        """A summary, the answer, figures, models, and all that is missing, flagged, remarked or wrong."""
        return all_pages(cast(CorrelationData, data))


def _models(study: Study) -> list[ModelEntry]:
    """One object for each model; own models beside imported ones have ranks."""
    taking_part = {model.name for model in _taking_part(study)}
    own = _own(study)
    definitions, labels = {**study.biases, **study.axes}, label_facts(study)
    models: list[ModelEntry] = []
    for model in study.models:
        entry = _model(model, definitions, in_correlations=model.name in taking_part, own=model.name in own)
        if model.name in own:
            others = [other for other in study.models if other.name in taking_part]
            entry["ranks"] = _ranks(model, [other for other in others if other.plain_name != model.plain_name])
        models.append({**entry, **labels[model.name]})
    return models


def _own(study: Study) -> set[str]:
    """Names of the models of the user's own runs, if the study also has an imported table."""
    runs: dict[str, set[str]] = {}
    for source in study.provenance:
        runs.setdefault(source["kind"], set()).add(source["run"])
    if not runs.get("imported"):
        return set()
    own = runs.get("trials", set())
    return {model.name for model in study.models if own & {model.run, *model.run.split(" + ")}}


def _ranks(model: StudyModel, others: Sequence[StudyModel]) -> dict[str, Rank]:
    """Rank of `model` in each bias and axis, 1 for the highest value (ties share one), and the number of models."""
    ranks: dict[str, Rank] = {}
    for name, value in {**model.biases, **model.axes}.items():
        candidates = [{**other.biases, **other.axes}[name] for other in others]
        numbers = [number for number in candidates if number is not None]
        if value is not None:
            own, *levels = statistics.levels([value, *numbers]).tolist()
            ranks[name] = {"rank": 1 + sum(level > own for level in levels), "of": len(numbers) + 1}
    return ranks


def _erratum(study: Study, erratum: Erratum) -> ErratumEntry:
    definitions = {**study.biases, **study.axes}
    return {
        "measure": erratum.measure,
        "title": erratum.title,
        "proof": erratum.proof,
        "scale": erratum.scale,
        "offset": erratum.offset,
        "concerns": [name for name, parts in definitions.items() if erratum.measure in parts],
    }


def _missing(reason: Reason) -> Missing:
    return {
        "subject": reason.subject,
        "kind": reason.kind,
        "reason": reason.text,
        "remedy": reason.remedy or None,
    }


def _details(measure: Measure) -> Details:
    facts = {"unit": measure.unit, "low": measure.low, "high": measure.high, "n": measure.n}
    details = cast(Details, {key: value for key, value in facts.items() if value is not None})
    if measure.flags:
        details["flags"] = list(measure.flags)
    if any(isinstance(flag, Remark) and flag.kind == "comparability" for flag in measure.flags):
        details["comparable"] = False
    return details


def _model(
    model: StudyModel, definitions: Mapping[str, Sequence[str]], *, in_correlations: bool, own: bool
) -> ModelEntry:
    return {
        "name": model.name,
        "group": model.group,
        "run": model.label or model.run,
        "measures": {name: measure.value for name, measure in model.measures.items()},
        "biases": dict(model.biases),
        "axes": dict(model.axes),
        "intervals": _intervals(model, definitions),
        "missing": [_missing(reason) for reason in model.missing],
        "details": {name: _details(measure) for name, measure in model.measures.items()},
        "in_correlations": in_correlations,
        "own": own,
    }


def _intervals(model: StudyModel, definitions: Mapping[str, Sequence[str]]) -> dict[str, Interval]:
    """Interval and number of decisions of each bias and axis that has a value, where either is known."""
    values = {**model.biases, **model.axes}
    intervals = {
        name: interval_of([model.measures[part] for part in parts])
        for name, parts in definitions.items()
        if values[name] is not None
    }
    return {
        name: interval
        for name, interval in intervals.items()
        if any(number is not None for number in interval.values())
    }


def interval_of(parts: Sequence[Measure]) -> Interval:
    """``low``, ``high`` and ``n`` of the mean of measures; None where a part has none.

    The ends are the means of the parts' ends: half-widths add linearly. Parts that share images (ImageNet and its ReaL
    labels, a set and its corrupted version) are correlated; for independent parts the interval is up to sqrt(k) times
    wider than necessary, never too narrow.

    Returns:
        ``n`` is the sum over the parts: it counts decisions, several for an image that several parts share.
    """
    lows, highs, counts = ([getattr(part, key) for part in parts] for key in ("low", "high", "n"))
    bounded = None not in lows and None not in highs
    return {
        "low": math.fsum(lows) / len(lows) if bounded else None,
        "high": math.fsum(highs) / len(highs) if bounded else None,
        "n": None if None in counts else sum(counts),
    }


def _remarks(study: Study) -> Iterator[str]:
    if not study.biases and not study.axes:
        yield "no run defines biases or axes, so nothing is correlated; type: harness run --suite NAME --out RUN"
    yield from (*unknown_log(study), *empty_set_apart(study, _taking_part(study)), *shared_measures(study))
    absent = left_out(study)
    if absent:
        subject = "1 model without a group is" if absent == 1 else f"{absent} models without a group are"
        yield f"{subject} not in the correlations; --ungrouped includes them"
    elif study.models and all(model.group is None for model in study.counted_once):
        yield "no model has a group: all take part in the correlations"


@hookimpl
def harness_reports() -> list[Report]:
    """The report ``correlation``."""
    return [Correlation()]
