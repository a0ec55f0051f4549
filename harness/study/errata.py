"""Errata of published tables: marked where they apply, and mended on request. Pure functions on measures.

An erratum concerns imported values alone: what one measures oneself is right already. So an imported measure carries
its erratum as a flag from the moment it is read, and mending touches only what carries one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.records import Erratum, Measure, Remark
from harness.study.rows import Definitions, Row


def flag(erratum: Erratum) -> Remark:
    """What an imported measure carries while its published value stands."""
    return Remark("erratum", erratum.measure, erratum.title, line=f"erratum: {erratum.title}")


def mended_flag(erratum: Erratum) -> Remark:
    """What it carries once the right value has taken its place."""
    return Remark("mended", erratum.measure, erratum.title, line=f"mended: {erratum.title}")


def is_erratum(remark: str) -> bool:
    """Whether a measure's flag says that its published value is wrong."""
    return isinstance(remark, Remark) and remark.kind == "erratum"


def carries(measure: Measure, erratum: Erratum) -> bool:
    """Whether an imported measure carries the flag of `erratum`."""
    return any(_says(one, erratum) for one in measure.flags)


def _says(remark: str, erratum: Erratum) -> bool:
    return (
        isinstance(remark, Remark)
        and remark.kind == "erratum"
        and (remark.subject, remark.text) == (erratum.measure, erratum.title)
    )


def mendable(erratum: Erratum) -> bool:
    """Whether the right value follows from the published one."""
    return erratum.scale is not None


def right_value(erratum: Erratum, published: float) -> float | None:
    """The value that should have been published; None where it cannot be computed."""
    if erratum.scale is None:
        return None
    offset = erratum.offset or 0.0
    value = erratum.scale * published + offset
    return 0.0 if abs(value) <= 1e-12 * abs(offset) else value  # rounding, which would show as -0.0


def marked(row: Row, errata: Sequence[Erratum]) -> Row:
    """`row` of an imported table, each measure with the flags of the errata that name it."""
    measures = dict(row.measures)
    for erratum in errata:
        measure = measures.get(erratum.measure)
        if measure is not None and not carries(measure, erratum):
            measures[erratum.measure] = replace(measure, flags=(*measure.flags, flag(erratum)))
    return replace(row, measures=measures)


def mended_measures(measures: Mapping[str, Measure], errata: Sequence[Erratum]) -> dict[str, Measure]:
    """`measures` with right values, where these can be computed, in place of the flagged ones."""
    mended = dict(measures)
    for erratum in filter(mendable, errata):
        measure = mended.get(erratum.measure)
        if measure is not None and carries(measure, erratum):
            mended[erratum.measure] = _mended(measure, erratum)
    return mended


def _mended(measure: Measure, erratum: Erratum) -> Measure:
    def right(published: float | None) -> float | None:
        return None if published is None else right_value(erratum, published)

    low, high = _in_order(right(measure.low), right(measure.high))
    flags = tuple(mended_flag(erratum) if _says(one, erratum) else one for one in measure.flags)
    return replace(measure, value=right(measure.value), low=low, high=high, flags=flags)


def _in_order(low: float | None, high: float | None) -> tuple[float | None, float | None]:
    """`low` and `high` in order: a negative scale turns an interval round."""
    return (high, low) if low is not None and high is not None and low > high else (low, high)


def mended_definitions(definitions: Definitions, errata: Sequence[Erratum]) -> dict[str, tuple[str, ...]]:
    """`definitions` without the measures that cannot be mended, and without names of which nothing is left."""
    wrong = {erratum.measure for erratum in errata if not mendable(erratum)}
    kept = {name: tuple(part for part in parts if part not in wrong) for name, parts in definitions.items()}
    return {name: parts for name, parts in kept.items() if parts}


def concerned(definitions: Definitions, erratum: Erratum) -> list[str]:
    """Names of the biases or axes of which the erratum's measure is a part."""
    return [name for name, parts in definitions.items() if erratum.measure in parts]
