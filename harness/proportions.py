"""Measures that many probes share: proportions with their interval, accuracy under each condition."""

from __future__ import annotations

from collections.abc import Iterator

from harness.records import Direction, Measure, Trials


def proportion(name: str, successes: int, n: int, *, condition: str = "", direction: Direction = "higher") -> Measure:
    """`successes` / `n` as a fraction with its 95 % Wilson interval; undefined for n = 0."""
    if n == 0:
        return Measure(name=name, condition=condition, value=None, n=0, direction=direction, reason="no trials")
    from harness.statistics import wilson_interval

    low, high = wilson_interval(successes, n)
    return Measure(name=name, condition=condition, value=successes / n, low=low, high=high, n=n, direction=direction)


def accuracy_measures(trials: Trials, condition: str, label: str | None = None) -> Iterator[Measure]:
    """``top1``, ``correct`` and ``n`` under `condition`, named after `label` (default: the condition itself)."""
    label = condition if label is None else label
    correct = trials.correct[:, trials.column(condition)]
    hits, n = int(correct.sum()), len(correct)
    yield proportion("top1", hits, n, condition=label)
    yield Measure(name="correct", condition=label, value=hits, unit="count", direction="higher", n=n)
    yield Measure(name="n", condition=label, value=n, unit="count", n=n)
