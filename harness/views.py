"""Trials of a dataset with views, split so that a probe sees only its own conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from harness.records import DECISION_FIELDS, Measure, TaskLayout, Trials, derived_trials, views_of

if TYPE_CHECKING:
    import numpy as np

    from harness.interfaces import Probe


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """The stored trials of one cell, and the views and conditions of their columns.

    Attributes:
        trials: with V * C columns, view-major (`columns_of`).
        names: the V views; empty where the dataset has none.
        conditions: the C conditions of the probe.
        required: likewise for each required probe, with the same views.
    """

    trials: Trials
    names: tuple[str, ...]
    conditions: tuple[str, ...]
    required: Mapping[str, Views] = field(default_factory=dict)

    @classmethod
    def of(cls, trials: Trials, conditions: Sequence[str], required: Mapping[str, Views] | None = None) -> Views:
        """Find the views in the stored column names.

        Args:
            conditions: the probe's conditions for the images of these trials.

        Raises:
            ValueError: the columns do not consist of these conditions, or required trials have other views.
        """
        names = views_of(trials.layout.conditions, conditions)
        for probe, views in (required or {}).items():
            if views.names != names:
                raise ValueError(f"{trials.layout.task} and {views.trials.layout.task} ({probe}) have different views")
        return cls(trials=trials, names=names, conditions=tuple(conditions), required=required or {})

    def pooled(self, chosen: Sequence[int]) -> Trials:
        """The trials of the views with these indices under the probe's conditions, (N * len(chosen), C, …).

        Rows of one image are consecutive, in the order of `chosen`. Does not copy for one view or all views.
        """
        required = {name: views.pooled(chosen) for name, views in self.required.items()}
        trials, repeats = self.trials, len(chosen)
        if not self.names:
            return derived_trials(trials, {}, required=required) if required else trials
        return derived_trials(
            trials,
            dict.fromkeys(DECISION_FIELDS, lambda stored: self._rows(stored, chosen)),
            layout=_repeated(trials.layout, self.conditions, repeats),
            required=required,
            logits=None if trials.logits is None else self._of_rows(trials.logits, chosen),
            arrays={name: self._of_rows(read, chosen) for name, read in trials.arrays.items()},
            repeats=repeats,
        )

    def levels(self) -> dict[str, tuple[int, ...]]:
        """Indices of the views ``<name>-<level>``, by name, for each name with a complete set of levels.

        Complete means 1 to the highest number of levels of any name; means over other levels would not be comparable.
        """
        levels: dict[str, dict[int, int]] = {}
        for number, view in enumerate(self.names):
            name, _, level = view.rpartition("-")
            if name and level.isdecimal():
                levels.setdefault(name, {})[int(level)] = number
        complete = list(range(1, max(map(len, levels.values()), default=0) + 1))
        return {name: tuple(numbers.values()) for name, numbers in levels.items() if sorted(numbers) == complete}

    def _rows(self, stored: np.ndarray, chosen: Sequence[int]) -> np.ndarray:
        """(N, V * C, …) -> (N * len(chosen), C, …)."""
        count, tail = len(self.conditions), stored.shape[2:]
        if len(chosen) == 1:
            return stored[:, chosen[0] * count : (chosen[0] + 1) * count]
        by_view = stored.reshape(len(stored), len(self.names), count, *tail)
        selected = by_view if tuple(chosen) == tuple(range(len(self.names))) else by_view[:, list(chosen)]
        return selected.reshape(len(stored) * len(chosen), count, *tail)

    def _of_rows(
        self, read: Callable[[int, int], np.ndarray], chosen: Sequence[int]
    ) -> Callable[[int, int], np.ndarray]:
        """A reader of rows, based on a reader of images."""
        repeats = len(chosen)

        def rows(low: int, high: int) -> np.ndarray:
            first, last = low // repeats, -(-high // repeats)
            image_rows = self._rows(read(first, last), chosen)
            return image_rows[low - first * repeats : high - first * repeats]

        return rows


def _repeated(layout: TaskLayout, conditions: tuple[str, ...], repeats: int) -> TaskLayout:
    """`layout` under other conditions, with every sample `repeats` times in a row."""
    if repeats == 1:
        return layout if layout.conditions == conditions else replace(layout, conditions=conditions)
    return replace(
        layout,
        conditions=conditions,
        sample_ids=_repeat(layout.sample_ids, repeats),
        targets=layout.targets.repeat(repeats, axis=0),
        attributes={name: _repeat(values, repeats) for name, values in layout.attributes.items()},
    )


@lru_cache(maxsize=8)
def _repeat(values: tuple[str, ...], repeats: int) -> tuple[str, ...]:
    """Every value `repeats` times in a row. Cached, since all models of a task need the same millions of values."""
    return tuple(value for value in values for _ in range(repeats))


def measures_by_view(probe: Probe, views: Views) -> Iterator[Measure]:
    """The measures of one cell: over all views, for each view, and over the levels of each kind of view.

    Measures of a view have its name before their own condition (``fog-3``, ``fog-3/low-pass-0.1``), measures over
    levels the name of the kind (``fog``). Counts over levels are left out, as they are sums of the counts of views.
    Measures over several kinds with levels, and those that compare views, come last.
    """
    all_views = range(len(views.names))
    yield from _with_valid_intervals(probe.measures(views.pooled(all_views)), len(views.names))
    for number, name in enumerate(views.names):
        yield from _with_view(probe.measures_of_view(views.pooled((number,))), name)
    levels = views.levels()
    for name, numbers in levels.items():
        measures = _with_valid_intervals(probe.measures_of_view(views.pooled(numbers)), len(numbers))
        yield from _with_view((measure for measure in measures if measure.unit != "count"), name)
    if levels:
        yield from probe.measures_of_levels(_Pooled(views, levels))
    if views.names:
        yield from probe.measures_over_views(_Pooled(views, {name: (at,) for at, name in enumerate(views.names)}))


class _Pooled(Mapping[str, Trials]):
    """Trials of several (kinds of) views, pooled when they are asked for: all kinds together copy the whole cell."""

    def __init__(self, views: Views, chosen: Mapping[str, Sequence[int]]) -> None:
        self._views, self._chosen = views, chosen

    def __getitem__(self, name: str) -> Trials:
        return self._views.pooled(self._chosen[name])

    def __contains__(self, name: object) -> bool:
        return name in self._chosen

    def __iter__(self) -> Iterator[str]:
        return iter(self._chosen)

    def __len__(self) -> int:
        return len(self._chosen)


def _with_valid_intervals(measures: Iterable[Measure], repeats: int) -> Iterator[Measure]:
    """`measures` of rows, `repeats` of them per image, without the intervals that assume independent rows."""
    for measure in measures:
        too_narrow = repeats > 1 and isinstance(measure, Measure) and not measure.by_image
        if too_narrow and (measure.low, measure.high) != (None, None):
            measure = replace(measure, low=None, high=None)
        yield measure


def _with_view(measures: Iterable[Measure], view: str) -> Iterator[Measure]:
    for measure in measures:
        if isinstance(measure, Measure):
            measure = measure.under(f"{view}/{measure.condition}" if measure.condition else view)
        yield measure
