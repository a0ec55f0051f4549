"""Two sets of measures side by side: their differences, the tolerances, and known errata.

Pure functions: `harness.study.sides` turns runs and tables into a `Side`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from harness.errors import RequestError, listed
from harness.names import dataset_in
from harness.records import Direction, Measure, Reason, reason_for
from harness.study.agreement import Agreement, agreement, cells_differ
from harness.study.errata import right_value
from harness.study.protocols import Change, Origin
from harness.study.side import Side

Verdict = Literal["ok", "differs", "erratum", "not comparable"]
VERDICTS: tuple[Verdict, ...] = ("differs", "erratum", "not comparable", "ok")
"""The most urgent first."""
ROUNDING = 1e-9
"""Two sums of the same numbers may differ by this much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One measure of one model on both sides.

    Attributes:
        mine, theirs: values here and there; None where the measure is missing or undefined.
        right: the value that should have been published, where it is known.
        difference: `mine` minus `right`, or minus `theirs` where `right` is None.
        tolerance: largest acceptable difference. reason: its origin, or why the values cannot be compared.
        changes: how the protocol here differs from the one there.
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
    changes: tuple[Change, ...] = ()


def compare(here: Side, there: Side) -> list[Comparison]:
    """Compare every measure of the other side, for each model on both sides, in the order of the other side.

    A task that is missing on both sides stands for its measures. A measure that is undefined on both sides for one
    reason is left out: the sides agree as far as they can.

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
        raise _no_measure(shared, comparisons, here, there)
    return [comparison for comparison in comparisons if not _undefined_alike(comparison, here, there)]


def _undefined_alike(comparison: Comparison, here: Side, there: Side) -> bool:
    """Whether both sides have the measure, without a value, and for the same reason."""
    sides = (side.models[comparison.model].get(comparison.measure) for side in (here, there))
    reasons = [measure.reason for measure in sides if measure is not None and measure.value is None]
    return len(reasons) == 2 and reasons[0] == reasons[1]


def _no_measure(models: Sequence[str], comparisons: Sequence[Comparison], here: Side, there: Side) -> RequestError:
    """The error for sides that share models and no measure; it says why measures are missing."""
    first, reasons = models[0], dict.fromkeys(comparison.reason for comparison in comparisons)
    why = f" ({listed(reasons, most=2, separator='; ')})" if reasons else ""
    return RequestError(
        f"{here.label} and {there.label} share {listed(models)}, but no measure: {listed(here.models[first])} here, "
        f"{listed(there.models[first])} there{why}. Run the same tasks"
    )


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
    for name, measured in here.models[model].items():
        if name not in there.models[model] and (reason := _why_not_there(model, name, here, there)):
            yield Comparison(
                model=model,
                measure=name,
                verdict="not comparable",
                mine=measured.value,
                reason=f"{there.label}: {reason}",
                unit=measured.unit,
                direction=measured.direction,
            )
    yield from _missing_on_both(model, here, there)


def _missing_on_both(model: str, here: Side, there: Side) -> Iterator[Comparison]:
    """The tasks of which both sides should have measures, and neither has any."""
    for reason in here.missing.get(model, ()):
        other = reason_for(there.missing.get(model, ()), "task", reason.subject) if reason.kind == "task" else None
        if other is not None:
            text = reason.line if reason.line == other.line else f"{reason.line}; {there.label}: {other.line}"
            yield Comparison(
                model=model, measure=reason.subject, verdict="not comparable", reason=f"{here.label}: {text}"
            )


def _why_not_there(model: str, name: str, here: Side, there: Side) -> str:
    """Why the other side lacks a measure; empty if it never planned to have it."""
    stated, origin = reason_for(there.missing.get(model, ()), "measure", name), here.origin(model, name)
    if stated is None and origin is not None:
        stated = reason_for(there.missing.get(model, ()), "task", origin.task)
    return "" if stated is None else stated.line + cells_differ(there.cell(model, origin), origin)


def _why_incomparable(
    model: str, name: str, measured: Measure | None, published: Measure, here: Side, there: Side
) -> str:
    if measured is not None and measured.value is None:
        return f"undefined in {here.label}: {measured.reason}"
    if published.value is None:
        return f"undefined in {there.label}: {published.reason}"
    origin = there.origin(model, name)
    reason = _why_missing(name, here.missing.get(model, ()), {*here.models[model], *there.models[model]}, origin)
    return f"{here.label}: {reason}" + cells_differ(origin, here.cell(model, origin))


def _why_missing(name: str, missing: Sequence[Reason], measures: Collection[str], origin: Origin | None) -> str:
    """Why a side has no such measure. Measures of one missing task share the reason of that task."""
    stated = reason_for(missing, "measure", name)
    if stated is None and origin is not None:
        stated = reason_for(missing, "task", origin.task)
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
    within, reasons, unknown = _tolerance(name, measured, published, here, there)
    agreed = agreement(model, published, name, here, there)
    within += agreed.within or 0.0
    if agreed.within is None or unknown:
        unknown = "; ".join(filter(None, [unknown, agreed.remark]))
    differs = abs(measured.value - target) > within + ROUNDING
    verdict: Verdict = "differs" if differs else "ok"
    if agreed.obstacle or (unknown and differs):
        verdict = "not comparable"
    if erratum is not None and not agreed.obstacle and (right is None or not unknown):
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
        tolerance=None if agreed.obstacle or unknown else within,
        reason=agreed.obstacle or unknown or _because(reasons, agreed),
        erratum="" if erratum is None else erratum.title,
        unit=published.unit,
        direction=published.direction,
        changes=agreed.changes,
    )


def _because(reasons: Sequence[str], agreed: Agreement) -> str:
    """The origin of the tolerance."""
    if not reasons and not agreed.within:
        return "equal numbers expected" + (f", although {agreed.remark}" if agreed.remark else "")
    return "; ".join([*reasons, *filter(None, [agreed.remark])])


def _tolerance(
    name: str, measured: Measure, published: Measure, here: Side, there: Side
) -> tuple[float, list[str], str]:
    """The tolerance, its origin (empty if equal numbers are expected), and why it is unknown (empty if it is known)."""
    tolerance = next((candidate for candidate in there.tolerances if fnmatchcase(name, candidate.measures)), None)
    if tolerance is None and there.tolerances:
        return 0.0, [], "no tolerance is known"
    within, reasons = (0.0, []) if tolerance is None else (tolerance.within, [tolerance.reason])
    for smaller, part in _smaller_sample(name, measured, published, here, there):
        if smaller.low is None or smaller.high is None:
            return within, [], f"{part}, and no interval is known"
        within += (smaller.high - smaller.low) / 2
        reasons.append(f"95 % interval of {part}")
    return within, reasons, ""


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
