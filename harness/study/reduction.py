"""Stored trials of one cell -> its measures, by the installed probe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from harness.errors import PluginError, described, plugin_faults
from harness.records import Measure, Reason
from harness.views import Views, measures_by_view

if TYPE_CHECKING:
    from harness.interfaces import Probe


def measures_of(probe: Probe, views: Views, dataset: str) -> tuple[dict[str, Measure], list[Reason]]:
    """The measures of one cell by full name: over all views of the dataset, and for each view.

    Returns:
        The measures, and why others are set aside: two of one name, since nobody knows which of them is meant, and
        objects that are no measures.
    """
    measures: dict[str, Measure] = {}
    twice: dict[str, Reason] = {}
    others: list[Reason] = []
    for measure in measures_by_view(probe, views):
        if not isinstance(measure, Measure):
            text = f"probe {probe.name!r} yields {measure!r} as a measure; expected harness.Measure"
            others.append(Reason(kind="task", subject=f"{probe.name}@{dataset}", text=text))
            continue
        name = measure.full_name(dataset)
        if name in measures:
            text = f"probe {probe.name!r} yields two measures named {name!r}; give one another `name` or `condition`"
            twice[name] = Reason(kind="measure", subject=name, text=text)
        measures[name] = measure
    return {name: measure for name, measure in measures.items() if name not in twice}, [*twice.values(), *others]


def with_params(probe: Probe, params: Mapping[str, Any]) -> Probe:
    """`probe` with stored parameters, lists turned back into tuples. Raises PluginError for others than it takes."""
    available = {parameter.name for parameter in fields(probe)}
    unknown = sorted(set(params) - available)
    if unknown:
        raise PluginError(
            f"probe {probe.name!r} has no parameter {unknown[0]!r}, but stored trials were made with it. "
            f"Available: {', '.join(sorted(available)) or 'none'}. Install the version of the probe that made them"
        )
    try:
        return replace(probe, **{name: _tuples(value) for name, value in params.items()})
    except plugin_faults() as error:  # a plugin's mistake makes only its own cells missing, with a reason
        raise PluginError(
            f"probe {probe.name!r} refuses the parameters of stored trials: {described(error)}"
        ) from error


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def denominators_of(probes: Iterable[Probe]) -> dict[str, str]:
    """Measures that are divided by another one -> that one; none of which two probes say different things."""
    declared = {pair for probe in probes for pair in probe.denominators.items()}
    names = Counter(name for name, _ in declared)
    return {name: divisor for name, divisor in sorted(declared) if names[name] == 1}
