"""Changes between pairs of conditions, refused where a network guesses: it changes little, or much, for no reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from harness import Measure, Trials, paired_change

from ._chance import SIGNIFICANCE, guessing_p

UNLABELLED = "no labels: not tested against chance"


def changes(trials: Trials, pairs: Sequence[tuple[str, str]], label: str) -> Iterator[Measure]:
    """The measures of `paired_change` over `pairs` of conditions (a, b), but for networks that guess under a.

    Without labels nothing can be refused: flags say so, and where one class is more than half of the decisions.
    """
    yield from judged(paired_change(trials, pairs, label), trials, [first for first, _ in pairs])


def consistency(name: str, trials: Trials, pairs: Sequence[tuple[str, str]], label: str) -> Iterator[Measure]:
    """The share of decisions that stay, under `name` and no condition, before the measures of `changes`."""
    for measure in changes(trials, pairs, label):
        if measure.name == "top1-change":
            low, high = (None if end is None else 1 - end for end in (measure.high, measure.low))
            value = None if measure.value is None else 1 - measure.value
            yield replace(measure, name=name, condition="", value=value, low=low, high=high, direction="higher")
        yield measure


def judged(measures: Iterable[Measure], trials: Trials, conditions: Sequence[str]) -> Iterator[Measure]:
    """`measures`, but without a value if the network guesses under `conditions`, those without a change.

    ``top1`` stays as it is; bounds of a refused measure are left out.
    """
    reason, flags = no_evidence(trials, conditions), unlabelled(trials, conditions)
    for measure in measures:
        if measure.name == "top1" or measure.value is None:
            yield measure
        elif not reason:
            yield replace(measure, flags=(*flags, *measure.flags))
        elif measure.name not in ("mac-least", "mac-most"):
            yield replace(measure, value=None, low=None, high=None, reason=reason, flags=())


def no_evidence(trials: Trials, conditions: Sequence[str]) -> str:
    """Why the decisions under `conditions` may be guesses (one-sided binomial test, p >= 0.001); empty if they are not.

    Several conditions, and several rows of an image, count as one trial. Empty without labels or trials.
    """
    n = len(trials.correct) // trials.repeats
    if not n or not trials.layout.labelled:
        return ""
    columns = sorted({trials.column(condition) for condition in conditions})
    hits = int(trials.correct[:, columns].sum()) // (len(columns) * trials.repeats)
    guessing = float((trials.layout.targets >= 0).sum(axis=1).mean()) / len(trials.layout.classes)
    p = guessing_p(hits, n, guessing)
    if p < SIGNIFICANCE:
        return ""
    return (
        f"{hits:,} of {n:,} decisions are correct before the change, guessing is {guessing:.3g} (p = {p:.2g}): "
        "whether a guess changes says nothing"
    )


def unlabelled(trials: Trials, conditions: Sequence[str]) -> tuple[str, ...]:
    """Flags in the place of the test against chance, of trials without labels."""
    if trials.layout.labelled:
        return ()
    decided = trials.top5[:, sorted({trials.column(condition) for condition in conditions}), 0]
    classes, counts = np.unique(decided, return_counts=True)
    if not decided.size or 2 * counts.max() <= decided.size:
        return (UNLABELLED,)
    favourite = trials.layout.classes[classes[counts.argmax()]] if classes[counts.argmax()] >= 0 else "none"
    return UNLABELLED, f"one class, {favourite}, is {counts.max():,} of {decided.size:,} decisions"
