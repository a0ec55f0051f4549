"""Published values that a registry entry states, compared with what was measured."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.names import dataset_in, task_of
from harness.records import Measure, Remark, RunModel

if TYPE_CHECKING:
    from harness.interfaces import Probe
    from harness.store import RunReader

Expected = Mapping[str, tuple[float, float | None]]


def flagged(measures: Mapping[str, Measure], model: RunModel | None) -> dict[str, Measure]:
    """`measures`, with a flag on each that is not as the model's entry expects."""
    expected: Expected = model.expected if model else {}
    unlike = {name: text for name, measure in measures.items() if (text := difference(measure, expected.get(name)))}
    return {
        name: replace(measure, flags=(*measure.flags, unlike[name])) if name in unlike else measure
        for name, measure in measures.items()
    }


def difference(measure: Measure, expected: tuple[float, float | None] | None) -> str:
    """How a measure differs from its expected value; empty if it does not, or if nothing is expected.

    Without a tolerance, the value must lie in the measure's 95 % interval; a measure without one must be equal in four
    decimal places.
    """
    if expected is None or measure.value is None:
        return ""
    value, tolerance = expected
    if tolerance is None and measure.low is not None and measure.high is not None:
        where = f"its 95 % interval is {measure.low:.4f} to {measure.high:.4f}"
        apart = not measure.low <= value <= measure.high
    else:
        least = 5e-5 if tolerance is None else tolerance
        where, apart = f"the tolerance is {least:g}", abs(measure.value - value) > least
    return f"unexpected: the entry expects {value:g}, measured is {measure.value:.4f} ({where})" if apart else ""


def unexpected(run: RunReader, probes: Mapping[str, Probe], datasets: Collection[str]) -> list[Remark]:
    """A remark for each stored measure that is not as its model's entry expects, and for each that nothing yields.

    Args:
        probes: name -> each installed probe. datasets: names of all that there are.
    """
    models = run.record.models.items()
    nowhere = [
        Remark("flag", measure, f"expected by the entry of {name}, but there is no dataset {dataset_in(measure)!r}")
        for name, model in models
        for measure in model.expected
        if dataset_in(measure) not in datasets
    ]
    return nowhere + [remark for name, model in models for remark in _of_model(run, probes, name, model)]


def _of_model(run: RunReader, probes: Mapping[str, Probe], name: str, model: RunModel) -> Iterator[Remark]:
    datasets = {dataset_in(measure) for measure in model.expected}
    tasks = [task for task, of_model in run.cells() if of_model == name and task_of(task).dataset in datasets]
    measured: dict[str, Measure] = {}
    for task in tasks:
        measured |= _measured(run, probes, task, name)
    for measure, value in model.expected.items():
        if measure in measured and (text := difference(measured[measure], value)):
            yield Remark("flag", measure, f"{text} ({name})")
        elif measured and measure not in measured and dataset_in(measure) in {dataset_in(task) for task in tasks}:
            text = f"expected by the entry of {name}, but no probe of this run yields a measure of that name"
            yield Remark("flag", measure, text)


def _measured(run: RunReader, probes: Mapping[str, Probe], task: str, model: str) -> dict[str, Measure]:
    """The measures of one cell; none if its probe needs other trials, is absent or fails, which the report says."""
    from harness.study.reduction import measures_of, with_params
    from harness.views import Views

    stored = run.cells()[task, model]
    identity = stored.job.identity.probe
    probe = probes.get(identity.name)
    if probe is None or probe.requires or not stored.complete(run.layout(task)):
        return {}
    try:
        probe = with_params(probe, identity.params)
        trials = run.read(task, model)
        views = Views.of(trials, probe.conditions(trials.layout.size), {})
        return measures_of(probe, views, task_of(task).dataset)[0]
    except (HarnessError, ValueError):
        return {}
