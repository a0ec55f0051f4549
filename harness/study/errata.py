"""Errata of published tables: flagged where they apply, corrected on request. Pure functions on measures.

An erratum concerns imported values only, never measures of one's own runs. An imported measure carries its erratum as
a flag from the moment it is read, and a correction changes flagged measures only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeGuard

from harness.records import Erratum, Measure, Remark
from harness.study.rows import Definitions, Row


def flag(erratum: Erratum) -> Remark:
    """The flag of an imported measure with its published value."""
    return Remark("erratum", erratum.measure, erratum.title, line=f"erratum: {erratum.title}")


def corrected_flag(erratum: Erratum) -> Remark:
    """The flag of an imported measure once its value is corrected."""
    return Remark("mended", erratum.measure, erratum.title, line=f"mended: {erratum.title}")


def is_erratum(remark: str) -> TypeGuard[Remark]:
    """Whether a measure's flag says that its published value is wrong."""
    return isinstance(remark, Remark) and remark.kind == "erratum"


def carries(measure: Measure, erratum: Erratum) -> bool:
    """Whether an imported measure carries the flag of `erratum`."""
    return any(_is_flag_of(remark, erratum) for remark in measure.flags)


def _is_flag_of(remark: str, erratum: Erratum) -> bool:
    return is_erratum(remark) and (remark.subject, remark.text) == (erratum.measure, erratum.title)


def correctable(erratum: Erratum) -> bool:
    """Whether the correct value follows from the published one."""
    return erratum.scale is not None


def right_value(erratum: Erratum, published: float) -> float | None:
    """The value that should have been published; None where it cannot be computed."""
    if erratum.scale is None:
        return None
    offset = erratum.offset or 0.0
    value = erratum.scale * published + offset
    return 0.0 if abs(value) <= 1e-12 * abs(offset) else value  # rounding error, which would appear as -0.0


def marked(row: Row, errata: Sequence[Erratum]) -> Row:
    """`row` of an imported table, with errata as flags of the measures that they name."""
    measures = dict(row.measures)
    for erratum in errata:
        measure = measures.get(erratum.measure)
        if measure is not None and not carries(measure, erratum):
            measures[erratum.measure] = replace(measure, flags=(*measure.flags, flag(erratum)))
    return replace(row, measures=measures)


def corrected_measures(measures: Mapping[str, Measure], errata: Sequence[Erratum]) -> dict[str, Measure]:
    """`measures` with the flagged values corrected, where the correct value can be computed."""
    corrected = dict(measures)
    for erratum in filter(correctable, errata):
        measure = corrected.get(erratum.measure)
        if measure is not None and carries(measure, erratum):
            corrected[erratum.measure] = _corrected(measure, erratum)
    return corrected


def _corrected(measure: Measure, erratum: Erratum) -> Measure:
    def corrected(published: float | None) -> float | None:
        return None if published is None else right_value(erratum, published)

    low, high = _in_order(corrected(measure.low), corrected(measure.high))
    flags = tuple(corrected_flag(erratum) if _is_flag_of(remark, erratum) else remark for remark in measure.flags)
    return replace(measure, value=corrected(measure.value), low=low, high=high, flags=flags)


def _in_order(low: float | None, high: float | None) -> tuple[float | None, float | None]:
    """`low` and `high` in order: a negative scale reverses an interval."""
    return (high, low) if low is not None and high is not None and low > high else (low, high)


def corrected_definitions(definitions: Definitions, errata: Sequence[Erratum]) -> dict[str, tuple[str, ...]]:
    """`definitions` without the measures that cannot be corrected, and without names that have no part left."""
    left_out = {erratum.measure for erratum in errata if not correctable(erratum)}
    kept = {name: tuple(part for part in parts if part not in left_out) for name, parts in definitions.items()}
    return {name: parts for name, parts in kept.items() if parts}


def affected(definitions: Definitions, erratum: Erratum) -> list[str]:
    """Names of the biases or axes that include the erratum's measure."""
    return [name for name, parts in definitions.items() if erratum.measure in parts]
