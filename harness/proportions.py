"""Shared by many probes: whether a decision is correct, proportions with their interval, accuracy by condition."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.records import NO_LABELS, NO_RANK, Direction, Measure, Trials

if TYPE_CHECKING:
    import numpy as np


_ALL = slice(None)


def is_correct(choices: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Whether any of the k choices is one of the sample's accepted classes, (N, …) bool.

    Args:
        choices: (N, …, k) class indices, -1 for no choice: ``top5[..., :1]`` for top-1, ``top5`` for top-5.
        targets: (N, T) accepted classes, padded with -1, which no choice matches, not even -1.
    """
    import numpy as np

    classes = np.expand_dims(targets, tuple(range(1, choices.ndim)))  # (N, 1, …, T) beside (N, …, k, 1)
    return np.asarray(((choices[..., None] == classes) & (classes >= 0)).any(axis=(-2, -1)))


def places_of_target(top5: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The first place among the choices, from 0 on, that is one of the sample's accepted classes; k where none is.

    Args:
        top5: (N, C, k) class indices, most probable first, -1 for none. targets: (N, T), padded with -1.
    """
    import numpy as np

    accepted = targets[:, None, None, :]
    hits = ((top5[..., None] == accepted) & (accepted >= 0)).any(axis=3)
    return np.asarray(np.where(hits.any(axis=2), hits.argmax(axis=2), top5.shape[2]))


def target_ranks(top5: np.ndarray, targets: np.ndarray, ahead: np.ndarray) -> np.ndarray:
    """Ranks of the best target, (N, C) uint16, 0 for the first class: its place in the top-5, else from 5 on.

    Args:
        ahead: (N, C) how many classes are ahead of it, if it is not in the top-5.
    """
    import numpy as np

    places = places_of_target(top5, targets)
    ranks = np.where(places < top5.shape[2], places, ahead)
    return np.asarray(np.where((targets >= 0).any(axis=1, keepdims=True), ranks, NO_RANK), np.uint16)


def proportion(name: str, successes: int, n: int, *, condition: str = "", direction: Direction = "higher") -> Measure:
    """`successes` / `n` as a fraction with its 95 % Wilson interval; undefined for n = 0."""
    if n == 0:
        return Measure(name=name, condition=condition, value=None, n=0, direction=direction, reason="no trials")
    from harness.statistics import wilson_interval

    low, high = wilson_interval(successes, n)
    return Measure(name=name, condition=condition, value=successes / n, low=low, high=high, n=n, direction=direction)


def share(name: str, hits: np.ndarray, *, repeats: int = 1, condition: str = "") -> Measure:
    """The share of `hits` among all rows, with its 95 % interval; undefined without rows.

    The interval is Wilson's if each row is an image. If several rows belong to one image (pooled views), it is the
    mean ± 1.96 standard errors of the images' means (the limit of a bootstrap over images), clipped to [0, 1]; none if
    all images have the same mean.

    Args:
        hits: (N,) bool, with the rows of one image next to each other.
        repeats: rows of each image: `Trials.repeats`.
    """
    measure = proportion(name, int(hits.sum()), len(hits), condition=condition)
    if repeats == 1 or measure.value is None:
        return measure
    images = hits.reshape(-1, repeats).mean(axis=1)
    error = float(images.std(ddof=1)) / len(images) ** 0.5 if len(images) > 1 else 0.0
    if error == 0:
        return replace(measure, low=None, high=None)
    low, high = max(0.0, measure.value - 1.96 * error), min(1.0, measure.value + 1.96 * error)
    return replace(measure, low=low, high=high, by_image=True)


def unlabelled(name: str, condition: str = "", *, unit: str = "fraction", n: int | None = None) -> Measure:
    """A measure that rests on correct decisions, of samples without targets: undefined."""
    return Measure(name=name, condition=condition, value=None, unit=unit, direction="higher", n=n, reason=NO_LABELS)


def accuracy_measures(
    trials: Trials, condition: str, label: str | None = None, rows: np.ndarray | slice = _ALL
) -> Iterator[Measure]:
    """``top1``, ``correct`` and ``n`` under `condition`, named after `label` (default: the condition itself).

    Without labels the first two are undefined, with the reason `NO_LABELS`.

    Args:
        rows: the trials that count, (N,) bool; all rows of an image or none. Default: every row.
    """
    label = condition if label is None else label
    correct = trials.correct[rows, trials.column(condition)]
    hits, n = int(correct.sum()), len(correct)
    if not trials.layout.labelled:
        for name, unit in (("top1", "fraction"), ("correct", "count")):
            yield unlabelled(name, label, unit=unit, n=n)
        yield Measure(name="n", condition=label, value=n, unit="count", n=n)
        return
    yield share("top1", correct, repeats=trials.repeats, condition=label)
    yield Measure(name="correct", condition=label, value=hits, unit="count", direction="higher", n=n)
    yield Measure(name="n", condition=label, value=n, unit="count", n=n)
