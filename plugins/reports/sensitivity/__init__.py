"""Report ``sensitivity``: what each coefficient of a bias with an axis of generalization rests on.

At equal accuracy (controls), without single models, with measures that have errors, share a denominator, or could have
been defined otherwise; and which coefficient so few models could have shown. What has to be chosen is declared by the
suite (`StatisticsPlan`), not by the report. Definitions and sources: docs/statistics.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any, TypedDict, cast

import numpy as np

from harness import Figure, Page, Report, Study, Table, hookimpl, inference, kept_statistics, statistics

from .._declared import shared_measures, unknown_alternatives, unmatched_baseline
from .._measured import measured_entry
from .._models import left_out
from .alternatives import alternatives_entry, without_effect
from .figures import all_figures
from .halves import digests_of
from .interventions import intervention_remarks, interventions_entry
from .pages import all_pages
from .quantities import Quantities, quantities
from .reliability import Repeated, reliability_entries, repeated
from .robustness import effective_entries, reference
from .schema import (
    BeyondEntry,
    CouplingEntry,
    EffectiveEntry,
    InfluenceEntry,
    PartialEntry,
    ReliabilityEntry,
    SensitivityData,
    SensitivityEntry,
)
from .tables import all_tables

ALPHA = 0.05


class Sensitivity(Report):
    """What a coefficient becomes at equal accuracy, without a model, or with another definition."""

    name = "sensitivity"

    def data(self, study: Study) -> SensitivityData:
        """``sensitivities`` of each bias × axis over all models, ``reliabilities``, ``effective`` robustness."""
        over = quantities(study)
        digests = digests_of(study, over)
        if digests is None:
            numbers = _numbers(study, over)
        else:
            facts = [over.facts(study), digests]
            numbers = kept_statistics(self, study, lambda: _numbers(study, over), of=facts)
        return {
            "models": len(over.models),
            "controls": list(study.statistics.controls),
            "baseline_models": list(study.statistics.baseline_models),
            "titles": dict(study.titles),
            "measured": measured_entry(study, over.models),
            **numbers,
            "warnings": [
                *study.warnings,
                *_remarks(study, over),
                *intervention_remarks(study, over, numbers["sensitivities"]),
            ],
            "provenance": [dict(entry) for entry in study.provenance],
        }

    def tables(self, data: Mapping[str, Any]) -> Sequence[Table]:
        """Coefficients and what moves them, definitions, shared denominators, reliability, effective robustness."""
        return all_tables(cast(SensitivityData, data))

    def full_tables(self, data: Mapping[str, Any]) -> Sequence[Table]:
        """All sets of models, the effective robustness of each model, and each definition."""
        return all_tables(cast(SensitivityData, data), full=True)

    def figures(self, data: Mapping[str, Any]) -> Sequence[Figure]:
        """Coefficients by every declared definition, and axes beside the line of effective robustness."""
        return all_figures(cast(SensitivityData, data))

    def pages(self, data: Mapping[str, Any]) -> Sequence[Page]:
        """A summary, and one part for each thing that a coefficient may rest on."""
        return all_pages(cast(SensitivityData, data))


class _Numbers(TypedDict):
    """The part of the report that takes long, and is kept for the next one."""

    sensitivities: list[SensitivityEntry]
    reliabilities: list[ReliabilityEntry]
    effective: list[EffectiveEntry]


def _numbers(study: Study, over: Quantities) -> _Numbers:
    sources = {name: repeated(study, over, name) for name in over.definitions}
    reliabilities = [entry for name, of in sources.items() for entry in reliability_entries(study, over, name, of)]
    effective = list(effective_entries(study, over))
    pairs = list(product(study.biases, study.axes))
    return {
        "sensitivities": [_sensitivity(study, over, pair, len(pairs), sources, effective) for pair in pairs],
        "reliabilities": reliabilities,
        "effective": effective,
    }


def _sensitivity(
    study: Study,
    over: Quantities,
    pair: tuple[str, str],
    tests: int,
    sources: Mapping[str, Repeated],
    effective: Sequence[EffectiveEntry],
) -> SensitivityEntry:
    """Everything about one bias and one axis, over the models that have both."""
    both = over.complete(*pair)
    x, y = (over.values[name][both] for name in pair)
    whole = statistics.spearman(x, y, pair)
    single, corrected = (inference.detectable(whole.n, ALPHA / m).value for m in (1, tests))
    first, second = (sources[name].over(both).value for name in pair)
    ceiling = inference.ceiling(whole.value, first, second, pair)
    return {
        "bias": pair[0],
        "generalization": pair[1],
        "n": whole.n,
        "spearman": whole.value,
        "p": whole.p,
        "reason": whole.reason,
        "partial": _partial(study, over, pair),
        "influence": _influence(over, pair),
        "detectable": {"single": single, "corrected": corrected, "tests": tests},
        "ceiling": {"value": ceiling.value, "disattenuated": ceiling.disattenuated, "reason": ceiling.reason},
        "coupling": _coupling(over, pair),
        "alternatives": alternatives_entry(study, over, pair),
        "effective": _beyond(over, pair, effective),
        "interventions": interventions_entry(study, over, pair),
    }


def _partial(study: Study, over: Quantities, pair: tuple[str, str]) -> PartialEntry:
    """The controls are those declared, but neither the bias nor the axis itself."""
    controls = [name for name in study.statistics.controls if name in over.values and name not in pair]
    entry: PartialEntry = {
        "controls": controls,
        "n": 0,
        "value": None,
        "p": None,
        "low": None,
        "high": None,
        "reason": None,
    }
    if not controls:
        held = [name for name in pair if name in study.statistics.controls]
        reason = f"{held[0]} is not held against itself" if held else "no controls are declared"
        return {**entry, "reason": reason}
    have = over.complete(*pair, *controls)
    x, y, *others = (over.values[name][have] for name in (*pair, *controls))
    partial = inference.partial_spearman(x, y, dict(zip(controls, others, strict=True)), pair)
    return {
        **entry,
        "n": partial.n,
        "value": partial.value,
        "p": partial.p,
        "low": partial.low,
        "high": partial.high,
        "reason": partial.reason,
    }


def _influence(over: Quantities, pair: tuple[str, str]) -> InfluenceEntry:
    """Of models that move the coefficient equally, the first by name: the order of a study says nothing of them."""
    both = over.complete(*pair)
    names = np.array([model.name for model in over.models], dtype=object)[both]
    order = np.argsort(names, kind="stable")
    x, y = (over.values[name][both][order] for name in pair)
    influence = inference.influence_of(x, y, pair)
    flips = set(order[list(influence.flips)].tolist())
    return {
        "model": None if influence.most is None else names[order[influence.most]],
        "without": influence.without,
        "flips": [name for at, name in enumerate(names) if at in flips],
        "reason": influence.reason,
    }


def _coupling(over: Quantities, pair: tuple[str, str]) -> CouplingEntry | None:
    """The null where the bias is divided by another measure; None where it is not."""
    denominator = over.denominator(pair[0])
    if denominator is None:
        return None
    below = over.measured(denominator)
    have = over.complete(*pair) & (below > 0)
    entry: CouplingEntry = {
        "denominator": denominator,
        "n": int(have.sum()),
        "null": None,
        "sd": None,
        "p": None,
        "absolute": None,
        "draws": 0,
        "seed": 0,
        "within": None,
        "reason": None,
    }
    if have.sum() < statistics.LEAST_PAIRS:
        return {**entry, "reason": f"undefined (n = {have.sum()} with {denominator})"}
    x, y = (over.values[name][have] for name in pair)
    groups = [model.group for model, has in zip(over.models, have, strict=True) if has]
    coupling = inference.coupling_null(x * below[have], below[have], y, groups, names=pair)
    within = coupling.within
    return {
        **entry,
        "null": coupling.free.null,
        "sd": coupling.free.sd,
        "p": coupling.free.p,
        "absolute": coupling.absolute,
        "draws": coupling.free.draws,
        "seed": coupling.seed,
        "within": None
        if within is None
        else {"null": within.null, "sd": within.sd, "p": within.p, "draws": within.draws},
        "reason": coupling.reason,
    }


def _beyond(over: Quantities, pair: tuple[str, str], effective: Sequence[EffectiveEntry]) -> BeyondEntry | None:
    """The bias with effective robustness on the axis, over models that the line need not be extrapolated for.

    None where no line is fitted for the axis.
    """
    entry = next((entry for entry in effective if entry["generalization"] == pair[1] and entry["values"]), None)
    if entry is None:
        return None
    within = {name: value for name, value in entry["values"].items() if name not in set(entry["outside"])}
    values = np.array([within.get(model.name) for model in over.models], dtype=np.float64)
    have = over.complete(pair[0]) & ~np.isnan(values)
    names = (pair[0], f"effective robustness on {pair[1]}")
    result = statistics.spearman(over.values[pair[0]][have], values[have], names)
    return {"n": result.n, "spearman": result.value, "p": result.p, "reason": result.reason}


def _remarks(study: Study, over: Quantities) -> Iterator[str]:
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


@hookimpl
def harness_reports() -> list[Report]:
    """The report ``sensitivity``."""
    return [Sensitivity()]
