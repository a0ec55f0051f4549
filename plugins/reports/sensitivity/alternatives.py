"""The definitions of a bias or axis: that of the suite, and the declared alternatives that are other ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from harness import Study

from .._declared import short
from .quantities import AS_DEFINED, Quantities

Titled = Mapping[str, tuple[str, ...]]


def definitions_of(study: Study, over: Quantities, name: str) -> dict[str, np.ndarray]:
    """Title -> (N,) values, the definition of the suite first."""
    others = _others(over.definitions[name], study.statistics.alternatives.get(name, {}))
    titles = {title: title if title != AS_DEFINED else f"{title} (declared)" for title in others}
    return {AS_DEFINED: over.values[name], **{titles[title]: over.mean_of(parts) for title, parts in others.items()}}


def without_effect(study: Study, over: Quantities) -> Iterator[str]:
    """One line for each declared alternative that adds no coefficient, and why."""
    for name, declared in study.statistics.alternatives.items():
        if name in over.definitions:
            distinct = _others(over.definitions[name], declared)
            for title, parts in declared.items():
                if title not in distinct:
                    yield f"alternatives: {name}: {title} has the measures of another definition, which counts once"
                elif np.isnan(over.mean_of(parts)).all():
                    yield f"alternatives: {name}: {title} has no value: {_lack(over, parts)}"


def _others(definition: Sequence[str], declared: Titled) -> dict[str, tuple[str, ...]]:
    """The alternatives with other measures than the definition and each other.

    A table that was corrected may lack the measure by which two differ, and would count one twice.
    """
    others, distinct = dict[str, tuple[str, ...]](), {frozenset(definition)}
    for title, parts in declared.items():
        if parts and frozenset(parts) not in distinct:
            distinct.add(frozenset(parts))
            others[title] = parts
    return others


def _lack(over: Quantities, parts: Sequence[str]) -> str:
    absent = [part for part in parts if np.isnan(over.measured(part)).all()]
    return (
        f"no model that takes part has {short(absent)}" if absent else "no model that takes part has all its measures"
    )
