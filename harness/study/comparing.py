"""Two sets of measures side by side: by how much they differ, how much may be, and whether that is a known erratum.

Pure: runs and tables become a `Side` in `harness.study.sides`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

from harness.errors import RequestError
from harness.records import Direction, Erratum, Measure, Reason, Tolerance, reason_for
from harness.study.errata import right_value

Verdict = Literal["ok", "differs", "erratum", "not comparable"]
VERDICTS: tuple[Verdict, ...] = ("differs", "erratum", "not comparable", "ok")
"""The most urgent first."""
ROUNDING = 1e-9
"""Two sums of the same numbers may differ by this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two.

    Attributes:
        label: run folder or table, as messages name it.
        models: model -> full name -> measure. missing: model -> why measures or tasks are not there.
        partial: dataset -> why its measures rest on a part of it; under ``*``: those of every dataset.
        protocols: (model, dataset) -> task -> what else decides its numbers: the probe, resize and crop.
        settings: of the whole run: seed, precision, ….
        errata, tolerances: what a published table says of itself.
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
        """Why `measure` rests on a part of its dataset; empty if nothing says so."""
        return self.partial.get(_dataset(measure)) or self.partial.get("*", "")


def _dataset(measure: str) -> str:
    return measure.partition("@")[2].partition("/")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One measure of one model.

    Attributes:
        mine, theirs: None where a side lacks it.
        right: what should have been published, where that is known.
        difference: of mine from `right`, else from theirs.
        tolerance: by how much they may differ. reason: what makes it, or why they cannot be compared.
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


def compare(mine: Side, theirs: Side) -> list[Comparison]:
    """Every measure that their side has, for each model that both have, in their order.

    Raises:
        RequestError: no model is on both sides, or no measure of those.
    """
    shared = [model for model in theirs.models if model in mine.models]
    if not shared:
        raise RequestError(
            f"no model of {mine.label} ({_listed(mine.models)}) is in {theirs.label} ({_listed(theirs.models)}); "
            f"expected at least one of the same name. See: harness list models"
        )
    found = [one for model in shared for one in _of_model(model, mine, theirs)]
    if all(one.mine is None or one.theirs is None for one in found):
        raise RequestError(
            f"{mine.label} and {theirs.label} share {_listed(shared)}, but no measure: "
            f"{_listed(mine.models[shared[0]])} here, {_listed(theirs.models[shared[0]])} there. Run the same tasks"
        )
    return found


def _listed(names: Iterable[str]) -> str:
    known = list(names)
    return ", ".join(known[:3]) + (f", … {len(known)} in all" if len(known) > 3 else "") or "none"


def _of_model(model: str, mine: Side, theirs: Side) -> Iterator[Comparison]:
    for name, published in theirs.models[model].items():
        measured = mine.models[model].get(name)
        if measured is None or measured.value is None or published.value is None:
            yield Comparison(
                model=model,
                measure=name,
                verdict="not comparable",
                mine=None if measured is None else measured.value,
                theirs=published.value,
                reason=_lacking(model, name, measured, published, mine, theirs),
                unit=published.unit,
                direction=published.direction,
            )
        else:
            yield _compared(model, name, measured, published, mine, theirs)
    lines = {one.subject: one.line for one in theirs.missing.get(model, ()) if one.kind in ("measure", "task")}
    for name, line in lines.items():
        measured = mine.models[model].get(name)
        if measured is not None and name not in theirs.models[model]:
            yield Comparison(
                model=model,
                measure=name,
                verdict="not comparable",
                mine=measured.value,
                reason=f"{theirs.label}: {line}",
                unit=measured.unit,
                direction=measured.direction,
            )


def _lacking(model: str, name: str, measured: Measure | None, published: Measure, mine: Side, theirs: Side) -> str:
    if measured is not None and measured.value is None:
        return f"undefined in {mine.label}: {measured.reason}"
    if published.value is None:
        return f"undefined in {theirs.label}: {published.reason}"
    why = _why(name, mine.missing.get(model, ()), {*mine.models[model], *theirs.models[model]})
    return f"{mine.label}: {why}"


def _why(name: str, missing: Sequence[Reason], measures: Collection[str]) -> str:
    """Why a side lacks the measure, in the words of the task that would have measured it: the same for all of these."""
    stated = reason_for(missing, "measure", name)
    if stated is not None:
        return "; ".join(dict.fromkeys(root.line for root in stated.roots))
    tasks = [one for one in missing if one.kind == "task" and _dataset(one.subject) == _dataset(name)]
    return "; ".join(dict.fromkeys(one.line for one in tasks if one.subject not in measures)) or "not measured"


def _compared(model: str, name: str, measured: Measure, published: Measure, mine: Side, theirs: Side) -> Comparison:
    if measured.value is None or published.value is None:
        raise ValueError(f"{name} of {model} has no two values")
    erratum = next((one for one in theirs.errata if one.measure == name), None)
    right = None if erratum is None else right_value(erratum, published.value)
    target = published.value if right is None else right
    within, reason, unknown = _tolerance(name, measured, published, mine, theirs)
    unknown = _unlike(model, name, mine, theirs) or unknown
    differs = abs(measured.value - target) > within + ROUNDING
    verdict: Verdict = "differs" if differs else "ok"
    if unknown and differs:
        verdict = "not comparable"
    if erratum is not None and (right is None or not unknown):
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
        tolerance=None if unknown else within,
        reason=unknown or reason,
        erratum="" if erratum is None else erratum.title,
        unit=published.unit,
        direction=published.direction,
    )


def _tolerance(name: str, measured: Measure, published: Measure, mine: Side, theirs: Side) -> tuple[float, str, str]:
    """How far apart, what makes it, and (else empty) why that is unknown."""
    known = next((one for one in theirs.tolerances if fnmatchcase(name, one.measures)), None)
    if known is None and theirs.tolerances:
        return 0.0, "", "no tolerance is known"
    within, reasons = (0.0, []) if known is None else (known.within, [known.reason])
    for one, part in _samples(name, measured, published, mine, theirs):
        if one.low is None or one.high is None:
            return within, "", f"{part}, and no interval is known"
        within += (one.high - one.low) / 2
        reasons.append(f"95 % interval of {part}")
    return within, "; ".join(reasons) or "equal numbers expected", ""


def _unlike(model: str, name: str, mine: Side, theirs: Side) -> str:
    """What was set otherwise here than there, so that equal numbers cannot be expected; empty if nothing is known."""
    from harness.identity import difference

    place = model, _dataset(name)
    here, there = mine.protocols.get(place, {}), theirs.protocols.get(place, {})
    clauses = dict.fromkeys(difference(there[task], here[task]) for task in here if task in there)
    told = "; ".join(filter(None, clauses))
    return f"measured otherwise there than here: {told}" if told else ""


def _samples(
    name: str, measured: Measure, published: Measure, mine: Side, theirs: Side
) -> Iterator[tuple[Measure, str]]:
    """The measure that rests on fewer trials than the other, with words for them.

    Where a side does not say how many trials a value rests on, what the other knows of its own data decides.
    """
    if measured.n is not None and published.n is not None:
        if measured.n < published.n:
            yield measured, f"{measured.n:,} trials here, {published.n:,} there"
        elif published.n < measured.n:
            yield published, f"{published.n:,} trials there, {measured.n:,} here"
        return
    here, there = mine.part(name), theirs.part(name)
    if here and here != there:
        yield measured, here
    elif there and here != there:
        yield published, there
