"""Accuracy on a dataset that shows every image in several views: in each view, of each corruption, and over all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from harness import Measure, proportion


def counted(correct: np.ndarray, condition: str = "") -> Iterator[Measure]:
    """``top1``, ``correct`` and ``n`` of decisions (N, C) bool, all under one name."""
    yield pooled("top1", correct, condition)
    hits, n = int(correct.sum()), correct.size
    yield Measure(name="correct", condition=condition, value=hits, unit="count", direction="higher", n=n)
    yield Measure(name="n", condition=condition, value=n, unit="count", n=n)


def by_view(correct: np.ndarray, views: Sequence[str], prefix: str = "") -> Iterator[Measure]:
    """The measures of each view, then the mean over the levels of each corruption; `prefix` precedes their names.

    Args:
        correct: (N, C) bool, one column a view.
    """
    for column, view in enumerate(views):
        yield from counted(correct[:, [column]], f"{prefix}{view}")
    for corruption, columns in _corruptions(views).items():
        yield pooled("top1", correct[:, columns], f"{prefix}{corruption}")


def pooled(name: str, correct: np.ndarray, condition: str = "") -> Measure:
    """The mean of decisions (N, C) bool, with its 95 % interval.

    Wilson's for one view. For several: the mean ± 1.96 standard errors of the images' means (what a bootstrap over
    images tends to), cut to [0, 1]; none if all images have the same mean.
    """
    measure = proportion(name, int(correct.sum()), correct.size, condition=condition)
    if correct.shape[1] == 1 or measure.value is None:
        return measure
    images = correct.mean(axis=1)
    error = float(images.std(ddof=1)) / len(images) ** 0.5 if len(images) > 1 else 0.0
    if error == 0:
        return replace(measure, low=None, high=None)
    return replace(measure, low=max(0.0, measure.value - 1.96 * error), high=min(1.0, measure.value + 1.96 * error))


def _corruptions(views: Sequence[str]) -> dict[str, list[int]]:
    """``<name>-<level>`` -> columns by name, for each name that has the levels 1 to the highest number of levels."""
    levels: dict[str, dict[int, int]] = {}
    for column, view in enumerate(views):
        name, _, level = view.rpartition("-")
        if name and level.isdecimal():
            levels.setdefault(name, {})[int(level)] = column
    complete = list(range(1, max(map(len, levels.values()), default=0) + 1))
    return {name: list(columns.values()) for name, columns in levels.items() if sorted(columns) == complete}
