"""Two sets of measures side by side: their differences, the tolerances, and known errata.

Pure functions: `harness.study.sides` turns runs and tables into a `Side`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

from harness.errors import RequestError, listed
from harness.names import dataset_in
from harness.records import Direction, Erratum, Measure, Reason, Tolerance, reason_for
from harness.study.errata import right_value

Verdict = Literal["ok", "differs", "erratum", "not comparable"]
VERDICTS: tuple[Verdict, ...] = ("differs", "erratum", "not comparable", "ok")
"""The most urgent first."""
ROUNDING = 1e-9
"""Two sums of the same numbers may differ by this much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a comparison.

    Attributes:
        label: run folder or table, as messages name it.
        models: model -> full name -> measure. missing: model -> why measures or tasks are missing.
        partial: dataset -> why its measures use only part of it; ``*`` stands for every dataset.
        protocols: (model, dataset) -> task -> what else its numbers depend on: the probe, resize and crop.
        settings: those of the whole run: seed, precision, ….
        errata, tolerances: those of a published table.
    """

    label: str
    models: Mapping[str, Mapping[str, Measure]]
    missing: Mapping[str, Sequence[Reason]] = field(default_factory=dict)
    partial: Mapping[str, str] = field(default_factory=dict)
    protocols: Mapping[tuple[str, str], Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    errata: Sequence[Erratum] = ()
    tolerances: Sequence[Tolerance] = ()

    def part(self, measure: str) -> str:
        """Why `measure` uses only part of its dataset; empty if it uses all, as far as is known."""
        return self.partial.get(dataset_in(measure)) or self.partial.get("*", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One measure of one model on both sides.

    Attributes:
        mine, theirs: values here and there; None where the measure is missing or undefined.
        right: the value that should have been published, where it is known.
        difference: `mine` minus `right`, or minus `theirs` where `right` is None.
        tolerance: largest acceptable difference. reason: its origin, or why the values cannot be compared.
    """

    model: str
    measure: str
    verdict: Verdict
    mine: float | None = None
    theirs: float | None = None
    right: float | None = None
    difference: float | None = None
    tolerance: float | None = None
    reason: str = ""
    erratum: str = ""
    unit: str = "fraction"
    direction: Direction = "neither"


def compare(here: Side, there: Side) -> list[Comparison]:
    """Compare every measure of the other side, for each model on both sides, in the order of the other side.

    Raises:
        RequestError: the sides share no model, or no measure of a shared model.
    """
    shared = [model for model in there.models if model in here.models]
    if not shared:
        raise RequestError(
            f"no model of {here.label} ({listed(here.models)}) is in {there.label} ({listed(there.models)}); "
            f"expected at least one model on both sides. See: harness list models"
        )
    comparisons = [comparison for model in shared for comparison in _comparisons(model, here, there)]
    if all(comparison.mine is None or comparison.theirs is None for comparison in comparisons):
        raise RequestError(
            f"{here.label} and {there.label} share {listed(shared)}, but no measure: "
            f"{listed(here.models[shared[0]])} here, {listed(there.models[shared[0]])} there. Run the same tasks"
        )
    return comparisons


def _comparisons(model: str, here: Side, there: Side) -> Iterator[Comparison]:
    for name, published in there.models[model].items():
        measured = here.models[model].get(name)
        if measured is None or measured.value is None or published.value is None:
            yield Comparison(
                model=model,
                measure=name,
                verdict="not comparable",
                mine=None if measured is None else measured.value,
                theirs=published.value,
                reason=_why_incomparable(model, name, measured, published, here, there),
                unit=published.unit,
                direction=published.direction,
            )
        else:
            yield _comparison(model, name, measured, published, here, there)
    lines = {
        reason.subject: reason.line for reason in there.missing.get(model, ()) if reason.kind in ("measure", "task")
    }
    for name, line in lines.items():
        measured = here.models[model].get(name)
        if measured is not None and name not in there.models[model]:
            yield Comparison(
                model=model,
                measure=name,
                verdict="not comparable",
                mine=measured.value,
                reason=f"{there.label}: {line}",
                unit=measured.unit,
                direction=measured.direction,
            )


def _why_incomparable(
    model: str, name: str, measured: Measure | None, published: Measure, here: Side, there: Side
) -> str:
    if measured is not None and measured.value is None:
        return f"undefined in {here.label}: {measured.reason}"
    if published.value is None:
        return f"undefined in {there.label}: {published.reason}"
    reason = _why_missing(name, here.missing.get(model, ()), {*here.models[model], *there.models[model]})
    return f"{here.label}: {reason}"


def _why_missing(name: str, missing: Sequence[Reason], measures: Collection[str]) -> str:
    """Why a side has no such measure. Measures of one missing task share the reason of that task."""
    stated = reason_for(missing, "measure", name)
    if stated is not None:
        return "; ".join(dict.fromkeys(root.line for root in stated.roots))
    tasks = [reason for reason in missing if reason.kind == "task" and dataset_in(reason.subject) == dataset_in(name)]
    return "; ".join(dict.fromkeys(reason.line for reason in tasks if reason.subject not in measures)) or "not measured"


def _comparison(model: str, name: str, measured: Measure, published: Measure, here: Side, there: Side) -> Comparison:
    if measured.value is None or published.value is None:
        raise ValueError(f"{name} of {model} is undefined on one side")
    erratum = next((candidate for candidate in there.errata if candidate.measure == name), None)
    right = None if erratum is None else right_value(erratum, published.value)
    target = published.value if right is None else right
    within, reason, obstacle = _tolerance(name, measured, published, here, there)
    obstacle = _protocol_difference(model, name, here, there) or obstacle
    differs = abs(measured.value - target) > within + ROUNDING
    verdict: Verdict = "differs" if differs else "ok"
    if obstacle and differs:
        verdict = "not comparable"
    if erratum is not None and (right is None or not obstacle):
        as_published = abs(measured.value - published.value) <= within + ROUNDING
        verdict = "erratum" if right is None or (not differs and not as_published) else verdict
    return Comparison(
        model=model,
        measure=name,
        verdict=verdict,
        mine=measured.value,
        theirs=published.value,
        right=right,
        difference=measured.value - target,
        tolerance=None if obstacle else within,
        reason=obstacle or reason,
        erratum="" if erratum is None else erratum.title,
        unit=published.unit,
        direction=published.direction,
    )


def _tolerance(name: str, measured: Measure, published: Measure, here: Side, there: Side) -> tuple[float, str, str]:
    """The tolerance, its origin, and why it is unknown (empty if it is known)."""
    tolerance = next((candidate for candidate in there.tolerances if fnmatchcase(name, candidate.measures)), None)
    if tolerance is None and there.tolerances:
        return 0.0, "", "no tolerance is known"
    within, reasons = (0.0, []) if tolerance is None else (tolerance.within, [tolerance.reason])
    for smaller, part in _smaller_sample(name, measured, published, here, there):
        if smaller.low is None or smaller.high is None:
            return within, "", f"{part}, and no interval is known"
        within += (smaller.high - smaller.low) / 2
        reasons.append(f"95 % interval of {part}")
    return within, "; ".join(reasons) or "equal numbers expected", ""


def _protocol_difference(model: str, name: str, here: Side, there: Side) -> str:
    """How the protocols differ, so that equal numbers cannot be expected; empty if no difference is known."""
    from harness.identity import difference

    place = model, dataset_in(name)
    protocols_here, protocols_there = here.protocols.get(place, {}), there.protocols.get(place, {})
    clauses = dict.fromkeys(
        difference(protocols_there[task], protocols_here[task]) for task in protocols_here if task in protocols_there
    )
    differences = "; ".join(filter(None, clauses))
    return f"measured differently there and here: {differences}" if differences else ""


def _smaller_sample(
    name: str, measured: Measure, published: Measure, here: Side, there: Side
) -> Iterator[tuple[Measure, str]]:
    """The measure with fewer trials than its counterpart, and a description of the difference.

    Where the number of trials is unknown on one side, `Side.part` decides.
    """
    if measured.n is not None and published.n is not None:
        if measured.n < published.n:
            yield measured, f"{measured.n:,} trials here, {published.n:,} there"
        elif published.n < measured.n:
            yield published, f"{published.n:,} trials there, {measured.n:,} here"
        return
    part_here, part_there = here.part(name), there.part(name)
    if part_here and part_here != part_there:
        yield measured, part_here
    elif part_there and part_here != part_there:
        yield published, part_there
