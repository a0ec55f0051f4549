"""Cue reliance: the part of a network's accuracy above chance that is lost where one cue is drawn at random.

After Shah, Tamuly, Raghunathan, Jain, Netrapalli, "The Pitfalls of Simplicity Bias in Neural Networks" (NeurIPS 2020),
who shuffle one of the two predictive blocks of an image over the test set, and print the AUC that is left. Here the
loss is put on a scale that does not depend on how much a network recognises at all:

    cue-reliance(c) = (accuracy - accuracy with c drawn at random) / (accuracy - chance)

0: the cue is not used; 1: without it nothing is recognised; below 0: the network is better off without the cue.

The sum over the cues need not be 1. A network that needs both at once (a conjunction) loses everything with either: 2.
One that gets by with either (redundancy) loses nothing: 0, provided that it sees which cue is the random one, as where
random cues belong to no class. Where they are those of other classes (`shapes-cues`), no network sees that: a star with
the texture of hearts is in both views, and means a star in one and a heart in the other. If a decision follows from the
two cues, and each pair of classes is once in each view of K x K images, both accuracies together are at most 1 + 1/K;
so a network that is always right where the cues agree has a sum from 1 to 2, and 1 if each decision names one of the
cues. Which decisions name the shape is told by `shape-bias`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from harness import NO_LABELS, Measure, Trials

from ._chance import SIGNIFICANCE, guessing_p
from .band_pass import ratio_half_width

NAME: Final = "cue-reliance"
INTACT: Final = "all-cues"
"""The view in which all cues agree."""
RANDOM: Final = "random-"
"""Begins the name of a view in which the cue that follows is drawn at random, independently of the class."""


def cue_reliances(views: Mapping[str, Trials], condition: str) -> Iterator[Measure]:
    """``cue-reliance`` for each view ``random-<cue>``, under the name of the cue; nothing without a view ``all-cues``.

    Undefined, with a reason, where the accuracy with all cues is not significantly above chance.

    Args:
        views: view -> its trials, of the same images in the same order.
    """
    cues = [view.removeprefix(RANDOM) for view in views if view.startswith(RANDOM)]
    if INTACT not in views or not cues:
        return
    intact = views[INTACT]
    reason = _no_evidence(intact, condition)
    for cue in cues:
        if reason:
            yield Measure(name=NAME, condition=cue, value=None, unit="1", n=len(intact.correct), reason=reason)
        else:
            yield _reliance(cue, intact, views[RANDOM + cue], condition)


def _no_evidence(intact: Trials, condition: str) -> str:
    """Why there is no accuracy above chance that could be lost; empty if there is."""
    if not intact.layout.labelled:
        return NO_LABELS
    n, hits = len(intact.correct), int(intact.correct[:, intact.column(condition)].sum())
    if not n:
        return "no trials"
    labels, classes = int(_accepted(intact).sum()), len(intact.layout.classes)
    p = guessing_p(hits, n, labels / (n * classes))  # one division: 3 of 3 among 10 classes has p = 0.001, not less
    if p < SIGNIFICANCE:
        return ""
    return (
        f"{hits:,} of {n:,} images with all cues are recognised, chance is {labels / classes:,.4g} (p = {p:.2g}): "
        "there is no accuracy above chance to lose"
    )


def _reliance(cue: str, intact: Trials, randomised: Trials, condition: str) -> Measure:
    """The share that is lost, with its interval by the delta method over images, each of which is in both views."""
    whole, left = (trials.correct[:, trials.column(condition)].astype(np.int64) for trials in (intact, randomised))
    classes = len(intact.layout.classes)
    lost, above = classes * (whole - left), classes * whole - _accepted(intact)
    value = int(lost.sum()) / int(above.sum())  # of whole numbers, so that 0 and 1 are exact
    half = ratio_half_width(lost.astype(np.float64), above.astype(np.float64))
    low, high = (None, None) if half is None else (value - half, value + half)
    n = len(whole)
    return Measure(name=NAME, condition=cue, value=value, unit="1", n=n, low=low, high=high, by_image=True)


def _accepted(trials: Trials) -> np.ndarray:
    """(N,) int64, the number of classes that are right for each sample."""
    return np.asarray((trials.layout.targets >= 0).sum(axis=1))
