"""The definitions of a bias or axis: that of the suite, and the declared alternatives that are other ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from harness import Study, inference

from .._declared import short
from .quantities import AS_DEFINED, Quantities
from .schema import AlternativesEntry, SpecificationEntry

Titled = Mapping[str, tuple[str, ...]]
MOST: Final = 1000
"""With more alternatives of one name than these, no value is computed: `inference.multiverse_of` refuses so many."""


def definitions_of(study: Study, over: Quantities, name: str) -> dict[str, np.ndarray]:
    """Title -> (N,) values, the definition of the suite first."""
    others = _others(over.definitions[name], study.statistics.alternatives.get(name, {}))
    titles = {title: title if title != AS_DEFINED else f"{title} (declared)" for title in others}
    if len(others) > MOST:
        return dict.fromkeys([AS_DEFINED, *titles.values()], over.values[name])
    return {AS_DEFINED: over.values[name], **{titles[title]: over.mean_of(parts) for title, parts in others.items()}}


def without_effect(study: Study, over: Quantities) -> Iterator[str]:
    """What declared alternatives add no coefficient, and why."""
    same, empty = [], []
    for name, declared in study.statistics.alternatives.items():
        if name in over.definitions and len(declared) <= MOST:
            distinct = _others(over.definitions[name], declared)
            same += [f"{name}: {title}" for title in declared if title not in distinct]
            values = {title: over.mean_of(parts) for title, parts in distinct.items()}
            empty += [f"{name}: {title}{_lack(over, distinct[title])}" for title, of in values.items() if _is_empty(of)]
    if same:
        yield f"alternatives with the measures of another definition, which counts once: {short(same)}"
    if empty:
        yield f"alternatives without a value for any model that takes part: {short(empty)}"


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
    absent = [part for part in parts if _is_empty(over.measured(part))]
    return f" (no {short(absent)})" if absent else ""


def _is_empty(values: np.ndarray) -> bool:
    return bool(np.isnan(values).all())


def alternatives_entry(study: Study, over: Quantities, pair: tuple[str, str]) -> AlternativesEntry | None:
    """All combinations of the declared definitions of the two; None where neither has another one."""
    first, second = (definitions_of(study, over, name) for name in pair)
    if len(first) == len(second) == 1:
        return None
    result = inference.multiverse_of(first, second, pair)
    return {
        "defined": result.defined,
        "least": result.least,
        "median": result.median,
        "most": result.most,
        "positive": result.positive,
        "negative": result.negative,
        "significant": result.significant,
        "specifications": [_specification(each) for each in result.specifications],
        "reason": result.reason,
    }


def _specification(each: inference.Specification) -> SpecificationEntry:
    correlation = each.correlation
    return {
        "bias": each.first,
        "generalization": each.second,
        "n": correlation.n,
        "spearman": correlation.value,
        "p": correlation.p,
    }
