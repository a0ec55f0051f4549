"""Trials of a dataset that shows every image in several views, cut so that a probe sees its own conditions alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from harness.records import Measure, TaskLayout, Trials, views_of

if TYPE_CHECKING:
    import numpy as np

    from harness.interfaces import Probe


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """The trials of one cell, as stored, and how their columns are made of views and conditions.

    Attributes:
        trials: with V * C columns, view-major (`columns_of`).
        names: the V views; empty where the dataset has none.
        conditions: the C conditions of the probe.
        required: likewise for each probe that this one requires, of the same views.
    """

    trials: Trials
    names: tuple[str, ...]
    conditions: tuple[str, ...]
    required: Mapping[str, Views] = field(default_factory=dict)

    @classmethod
    def of(cls, trials: Trials, conditions: Sequence[str], required: Mapping[str, Views] | None = None) -> Views:
        """Find the views in the stored column names.

        Args:
            conditions: those of the probe for the images of these trials.

        Raises:
            ValueError: the columns are not made of these conditions, or required trials are of other views.
        """
        names = views_of(trials.layout.conditions, conditions)
        for probe, other in (required or {}).items():
            if other.names != names:
                raise ValueError(f"{trials.layout.task} and {other.trials.layout.task} ({probe}) have different views")
        return cls(trials=trials, names=names, conditions=tuple(conditions), required=required or {})

    def pooled(self, chosen: Sequence[int]) -> Trials:
        """The trials of the views with these numbers under the probe's conditions, (N * len(chosen), C, …).

        Rows of one image follow each other, in the order of `chosen`. Copies nothing of one view or of all.
        """
        required = {name: other.pooled(chosen) for name, other in self.required.items()}
        if not self.names:
            return replace(self.trials, required=required) if required else self.trials
        trials, repeats = self.trials, len(chosen)
        return replace(
            trials,
            layout=_repeated(trials.layout, self.conditions, repeats),
            top5=self._rows(trials.top5, chosen),
            logp=self._rows(trials.logp, chosen),
            correct=self._rows(trials.correct, chosen),
            required=required,
            logits=None if trials.logits is None else self._logits(trials.logits, chosen),
            repeats=repeats,
        )

    def levels(self) -> dict[str, tuple[int, ...]]:
        """Numbers of the views ``<name>-<level>``, by name, for each name that has as many levels as any other.

        Those that lack one of the levels 1 to the highest number of levels are left out: their mean would be another.
        """
        found: dict[str, dict[int, int]] = {}
        for number, view in enumerate(self.names):
            name, _, level = view.rpartition("-")
            if name and level.isdecimal():
                found.setdefault(name, {})[int(level)] = number
        complete = list(range(1, max(map(len, found.values()), default=0) + 1))
        return {name: tuple(numbers.values()) for name, numbers in found.items() if sorted(numbers) == complete}

    def _rows(self, stored: np.ndarray, chosen: Sequence[int]) -> np.ndarray:
        """(N, V * C, …) -> (N * len(chosen), C, …)."""
        count, tail = len(self.conditions), stored.shape[2:]
        by_view = stored.reshape(len(stored), len(self.names), count, *tail)
        if len(chosen) == 1:
            return by_view[:, chosen[0]]
        taken = by_view if tuple(chosen) == tuple(range(len(self.names))) else by_view[:, list(chosen)]
        return taken.reshape(len(stored) * len(chosen), count, *tail)

    def _logits(
        self, read: Callable[[int, int], np.ndarray], chosen: Sequence[int]
    ) -> Callable[[int, int], np.ndarray]:
        """A reader of rows, made of one of images."""
        repeats = len(chosen)

        def rows(low: int, high: int) -> np.ndarray:
            first, last = low // repeats, -(-high // repeats)
            whole = self._rows(read(first, last), chosen)
            return whole[low - first * repeats : high - first * repeats]

        return rows


def _repeated(layout: TaskLayout, conditions: tuple[str, ...], repeats: int) -> TaskLayout:
    """`layout` under other conditions, with every sample `repeats` times in a row."""
    if repeats == 1:
        return replace(layout, conditions=conditions)
    return replace(
        layout,
        conditions=conditions,
        sample_ids=_each(layout.sample_ids, repeats),
        targets=layout.targets.repeat(repeats, axis=0),
        attributes={name: _each(values, repeats) for name, values in layout.attributes.items()},
    )


@lru_cache(maxsize=8)
def _each(values: tuple[str, ...], repeats: int) -> tuple[str, ...]:
    """Every value `repeats` times in a row. Remembered: all models of a task ask for the same millions."""
    return tuple(value for value in values for _ in range(repeats))


def measures_by_view(probe: Probe, views: Views) -> Iterator[Measure]:
    """What `probe` says of one cell: over all views, of each view, and over the levels of each kind of view.

    Measures of a view have its name before their own condition (``fog-3``, ``fog-3/low-pass-0.1``), those over levels
    the name of the kind (``fog``); counts of the latter are left out: they are sums of those of the views.
    """
    everything = range(len(views.names))
    yield from _of_rows(probe.measures(views.pooled(everything)), len(views.names))
    for number, name in enumerate(views.names):
        yield from _named(probe.measures_of_view(views.pooled((number,))), name)
    for name, numbers in views.levels().items():
        made = _of_rows(probe.measures_of_view(views.pooled(numbers)), len(numbers))
        yield from _named((measure for measure in made if measure.unit != "count"), name)


def _of_rows(measures: Iterable[Measure], repeats: int) -> Iterator[Measure]:
    """`measures` of rows of which `repeats` are of one image: without the intervals that take them for independent."""
    for measure in measures:
        if repeats > 1 and isinstance(measure, Measure) and not measure.by_image:
            measure = replace(measure, low=None, high=None)
        yield measure


def _named(measures: Iterable[Measure], view: str) -> Iterator[Measure]:
    for measure in measures:
        if isinstance(measure, Measure):
            condition = f"{view}/{measure.condition}" if measure.condition else view
            measure = replace(measure, condition=condition)
        yield measure
