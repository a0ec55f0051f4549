"""Are the measures of a suite's biases and axes measures of its tasks? Asked of the probes, with made trials.

A name is refused only if no task of the request and no installed probe could ever give it on its dataset. A probe that
cannot reduce made trials may yield any name.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from itertools import chain, islice, product
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.errors import RegistryError, RequestError, UnknownNameError
from harness.names import dataset_in
from harness.records import TOP, TaskLayout, Trials
from harness.views import Views

if TYPE_CHECKING:
    from harness.interfaces import Dataset, Probe
    from harness.records import LabelSpace, Measure, Suite
    from harness.registry import Registry

SAMPLES: Final = 48
"""Made samples: enough for a fit over conditions, few enough for a plan."""
MOST: Final = 100_000
"""Measures of one task that are looked at."""
MADE: Final = ("right", "wrong", "random")
"""Kinds of made trials, since a probe may yield other measures where every decision is right, or wrong. Random ones are
last, since fits and tests take longest of them; their order changes nothing else."""
_ANY: Final = "*"
"""Stands for every name, where a probe cannot say which it has."""


def check_suite(name: str, registry: Registry) -> None:
    """Raises what `Registry.suite` and `check_definitions` raise for a suite on its own."""
    suite = registry.suite(name)
    tasks = [(registry.probe_for(task), registry.dataset(task.dataset)) for task in suite.tasks]
    check_definitions(suite, tasks, registry.plugins.probes, registry)


def check_definitions(
    suite: Suite, tasks: Iterable[tuple[Probe, Dataset]], probes: Mapping[str, Probe], registry: Registry
) -> None:
    """Raises RegistryError for parts of a bias or axis that nothing measures, with file, line and similar names.

    Args:
        tasks: the probe and dataset of each task of the request. probes: name -> every installed probe.
    """
    named = [*_definitions(suite)]
    planned = [*tasks]
    names = _Names(probes, registry)
    for dataset in {task_dataset.name: task_dataset for _, task_dataset in planned}.values():
        parts = {part for _, part in named if dataset_in(part) == dataset.name}
        names.look_for(parts, dataset, [probe for probe, of_task in planned if of_task.name == dataset.name])
    mistakes = []
    for place, part in named:
        if names.is_missing(part):
            try:
                with registry.located(*place):
                    raise _unknown(part, names.of_dataset[dataset_in(part)])
            except RegistryError as error:
                mistakes.append(error)
    if mistakes:
        raise mistakes[0] if len(mistakes) == 1 else RegistryError("; ".join(map(str, mistakes)))


def _definitions(suite: Suite) -> Iterator[tuple[tuple[str, ...], str]]:
    """Where the name of a measure stands in a registry file, and the name."""
    for kind, definitions in (("biases", suite.biases), ("axes", suite.axes)):
        for name, parts in definitions.items():
            yield from ((("suites", suite.name, kind, name), part) for part in parts)
    for name, choices in suite.statistics.alternatives.items():
        place = ("suites", suite.name, "statistics", "alternatives", name)
        yield from (((*place, title), part) for title, parts in choices.items() for part in parts)


def _unknown(part: str, available: Iterable[str]) -> RequestError:
    return UnknownNameError("measure", part, available, f"These are measures of {dataset_in(part)}")


class _Names:
    """Names of measures by dataset, looked for in one probe after another until all wanted ones are found."""

    def __init__(self, probes: Mapping[str, Probe], registry: Registry) -> None:
        self._probes, self._registry = probes, registry
        self.of_dataset: dict[str, set[str]] = {}

    def is_missing(self, part: str) -> bool:
        names = self.of_dataset.get(dataset_in(part))
        return names is not None and part not in names and _ANY not in names

    def look_for(self, parts: set[str], dataset: Dataset, planned: Sequence[Probe]) -> None:
        if not parts:
            return
        names = self.of_dataset.setdefault(dataset.name, set())
        others = [probe for probe in self._probes.values() if set(probe.attributes) <= set(dataset.attributes)]
        for made, probe in [*product(MADE, planned), *product(MADE, others)]:
            if parts <= names or _ANY in names:
                return
            names |= set(self._of(probe, dataset, made))

    def _of(self, probe: Probe, dataset: Dataset, made: str) -> Iterator[str]:
        """Full names of the measures of `probe`; if it fails, every name counts as one of them."""
        try:
            with warnings.catch_warnings(action="ignore"), redirect_stdout(sys.stderr):
                yield from measure_names(probe, dataset, self._probes, made)
        except (Exception, SystemExit):  # noqa: BLE001 - a plugin may fail in any way on trials that were never made
            yield _ANY


def measure_names(probe: Probe, dataset: Dataset, probes: Mapping[str, Probe], made: str = "random") -> set[str]:
    """Full names of the measures that a task yields for made trials.

    Args:
        probes: those that `probe` may require, by name.
        made: ``random`` trials, or all ``right``, or all ``wrong``.
    """
    required = {name: made_trials(probes[name], dataset, made) for name in probe.requires}
    trials = replace(made_trials(probe, dataset, made), required=required)
    views = dataset.views()
    over_all = {(measure.name, measure.condition) for measure in islice(probe.measures(trials), MOST)}
    in_view = probe.measures_of_view(trials) if views else ()
    of_view = {(measure.name, measure.condition) for measure in islice(in_view, MOST)}
    kinds = Views(trials=trials, names=tuple(views), conditions=()).levels()
    names = {f"{name}@{dataset.name}/{condition}".rstrip("/") for name, condition in over_all}
    for view in (*views, *kinds):
        names |= {f"{name}@{dataset.name}/{view}/{condition}".rstrip("/") for name, condition in of_view}
    compared = chain(_over_kinds(probe, trials, kinds), probe.measures_over_views(dict.fromkeys(views, trials)))
    return names | {measure.full_name(dataset.name) for measure in islice(compared if views else (), MOST)}


def _over_kinds(probe: Probe, trials: Trials, kinds: Mapping[str, Sequence[int]]) -> Iterable[Measure]:
    """The measures over all kinds of views, each with `trials` at every level."""
    if not kinds:
        return ()
    repeats = len(next(iter(kinds.values())))  # the same of every kind
    return probe.measures_of_levels(dict.fromkeys(kinds, _of_levels(trials, repeats)))


def made_trials(probe: Probe, dataset: Dataset, made: str) -> Trials:
    """Trials of no network: the layout of a task, with random decisions of the same form."""
    space, rng = dataset.label_space(), np.random.default_rng(0)
    conditions = probe.conditions(dataset.preprocessing.size)
    layout = _layout(probe, dataset, space, conditions)
    shape = (len(layout.sample_ids), len(conditions), TOP)
    top5 = _top5(rng, shape, len(space.classes))
    right = {"right": True, "wrong": False}.get(made)
    if right is not None:
        first = (layout.targets + (0 if right else 1)) % len(space.classes)
        top5[..., 0] = first
    logp = -np.sort(rng.exponential(1.0, shape), axis=2).astype(np.float16)
    correct = top5[..., 0] == layout.targets
    trials = Trials(model="made", layout=layout, top5=top5, logp=logp, correct=correct)
    if not probe.needs_logits:
        return trials
    logits = rng.normal(0, 3, (*shape[:2], space.outputs)).astype(np.float16)
    return replace(trials, logits=lambda low, high: logits[low:high])


def _of_levels(trials: Trials, repeats: int) -> Trials:
    """`trials` with `repeats` equal rows of each image, in the form of the pooled levels of a kind of view."""
    layout, read = trials.layout, trials.logits
    rows = np.arange(len(layout.sample_ids)).repeat(repeats)
    attributes = {name: tuple(values[row] for row in rows) for name, values in layout.attributes.items()}
    ids = tuple(layout.sample_ids[row] for row in rows)
    return replace(
        trials,
        layout=replace(layout, sample_ids=ids, targets=layout.targets[rows], attributes=attributes),
        top5=trials.top5[rows],
        logp=trials.logp[rows],
        correct=trials.correct[rows],
        required={name: _of_levels(other, repeats) for name, other in trials.required.items()},
        logits=None if read is None else lambda low, high: read(0, len(layout.sample_ids))[rows[low:high]],
        repeats=repeats,
    )


def _layout(probe: Probe, dataset: Dataset, space: LabelSpace, conditions: Sequence[str]) -> TaskLayout:
    values = dataset.attribute_values()
    n = max(SAMPLES, *map(len, values.values()), 0)
    targets = (np.arange(n) % len(space.classes)).astype(np.int16)[:, None]
    return TaskLayout(
        task=f"{probe.name}@{dataset.name}",
        sample_ids=tuple(f"{number:04d}" for number in range(n)),
        targets=targets,
        conditions=tuple(conditions),
        classes=space.classes,
        size=dataset.preprocessing.size,
        span=n,
        attributes={name: _attribute(values.get(name, ()), space, n) for name in dataset.attributes},
        columns=space.columns,
    )


def _attribute(values: Sequence[str], space: LabelSpace, n: int) -> tuple[str, ...]:
    """Each of the values, or, where the dataset does not say them, names of classes."""
    if values:
        return tuple(values[number % len(values)] for number in range(n))
    return tuple(space.classes[(number * 7 + 1) % len(space.classes)] for number in range(n))


def _top5(rng: np.random.Generator, shape: tuple[int, int, int], classes: int) -> np.ndarray:
    """Five distinct classes for each trial; -1 beyond the number of classes."""
    steps = np.arange(shape[-1])
    first = rng.integers(0, classes, (*shape[:2], 1))
    return np.where(steps < classes, (first + steps) % classes, -1).astype(np.int16)
