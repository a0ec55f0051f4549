"""Remarks on what the measures of a study's models carry: flags, and units that no mean should join."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.errors import listed
from harness.records import Remark, StudyModel
from harness.study.comparability import tells_apart
from harness.study.errata import is_erratum
from harness.study.rows import Definitions, short_list

MOST_FLAGGED = 12
"""Most measures that a remark on a flag names; the JSON has the flags of each."""


def unlike_parts(models: Sequence[StudyModel], definitions: Definitions) -> Iterable[Remark]:
    """A remark on each bias or axis that averages measures of different units, or of opposite directions."""
    for name, parts in definitions.items():
        of_models = [(part, model.measures[part]) for model in models for part in parts if part in model.measures]
        measures = {part: measure for part, measure in of_models if measure.value is not None}
        units = {part: f"in {measure.unit}" for part, measure in measures.items()}
        directions = {
            part: f"{measure.direction} is better"
            for part, measure in measures.items()
            if measure.direction != "neither"
        }
        for facts in (units, directions):
            if len(set(facts.values())) > 1:
                of_parts = listed((f"{part}: {fact}" for part, fact in facts.items()), most=MOST_FLAGGED)
                yield Remark("comparability", name, f"the mean of unlike measures, which says little: {of_parts}")


def flag_remarks(models: Sequence[StudyModel]) -> list[Remark]:
    """One line for each flag; incomparable measures have remarks of their own.

    Measures with the same flag for the same models share a line; an erratum names its one measure.
    """
    flagged: dict[tuple[str, str], list[str]] = {}
    for model in models:
        for name, measure in model.measures.items():
            for remark in measure.flags:
                if tells_apart(remark):
                    continue
                flagged.setdefault((name, remark), []).append(model.name)
    shared: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for (name, remark), names in flagged.items():
        erratum_of = name if is_erratum(remark) else ""
        shared.setdefault((erratum_of, remark, tuple(names)), []).append(name)
    return [
        Remark(
            "erratum" if erratum_of else "flag", listed(measures, most=MOST_FLAGGED), f"{remark} ({short_list(names)})"
        )
        for (erratum_of, remark, names), measures in shared.items()
    ]
