"""Calibration: does a network that states a probability of 0.8 decide rightly in 80 % of such cases?

Expected calibration error (ECE): Guo et al., "On Calibration of Modern Neural Networks" (ICML 2017), with 15 bins
((m - 1)/15, m/15] of the probability of the first choice: the mean over trials of |accuracy - mean probability| of
their bin. Brier score: Brier (Monthly Weather Review 1950).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness import NO_LABELS, Measure, Trials

BINS = 15
CHUNK = 4096
"""Trials whose logits are read in one call: 8 MB for 1,000 outputs."""
TOLERANCE = 0.01
"""How far sums of stored probabilities may be from 1: they are rounded, as logarithms in float16."""
_OF_FIRST = ("ece", "ece-calibrated", "brier-top1")
_OF_ALL = ("nll", "brier")


def calibration(trials: Trials, condition: str) -> Iterator[Measure]:
    """``ece``, ``ece-calibrated`` and ``brier-top1`` of the first choice; ``nll`` and ``brier`` over all classes.

    A decision is correct if it is any of the sample's targets. Trials of several views are one set of trials.
    ``ece-calibrated`` is the mean of ``ece`` if every trial were right with the very probability that is stated for it:
    with few trials, even a perfectly calibrated network has an ``ece`` far from 0. The last two are undefined without
    stored logits, and for several targets.
    """
    column = trials.column(condition)
    stated = np.exp(trials.logp[:, column].astype(np.float64))
    reason = _no_probability(trials, stated)
    if reason:
        yield from (_measure(name, None, len(stated), reason) for name in (*_OF_FIRST, *_OF_ALL))
        return
    first, correct = trials.logp[:, column, 0].astype(np.float64), trials.correct[:, column]
    values = (ece(first, correct), calibrated_ece(first), float(np.mean((stated[:, 0] - correct) ** 2)))
    yield from (_measure(name, value, len(stated)) for name, value in zip(_OF_FIRST, values, strict=True))
    reason = _no_distribution(trials)
    scores = (None, None) if reason else _scores(trials, column)
    yield from (_measure(name, value, len(stated), reason) for name, value in zip(_OF_ALL, scores, strict=True))


def _measure(name: str, value: float | None, n: int, reason: str = "") -> Measure:
    return Measure(
        name=name,
        value=value,
        unit="nats" if name == "nll" else "1",  # no shares of decisions: one more hit moves them by another amount
        direction="neither" if name == "ece-calibrated" else "lower",
        n=n,
        reason=reason or None,
    )


def _no_probability(trials: Trials, stated: np.ndarray) -> str:
    """Why the stored numbers (N, 5) are no probabilities of the decisions; empty if they are."""
    if not trials.layout.labelled:
        return NO_LABELS
    if not len(stated):
        return "no trials"
    classes = len(trials.layout.classes)
    known = stated[:, :classes]
    if np.isnan(known[:, 0]).any():
        return "only first choices are known"
    if np.isnan(known).any():
        return ""  # published probabilities of first choices, which have no sum
    sums = known.sum(axis=1)  # every class beyond the fifth is at most as probable as the fifth
    most = sums + max(classes - known.shape[1], 0) * known[:, -1]
    if sums.max() > 1 + TOLERANCE or most.min() < 1 - TOLERANCE:
        return f"what is stored for the {classes} classes does not add up to 1: means over categories, no probabilities"
    return ""


def _bins(probabilities: np.ndarray) -> np.ndarray:
    return np.asarray(np.maximum(np.ceil(probabilities * BINS) - 1, 0), np.intp)


def ece(logp: np.ndarray, correct: np.ndarray) -> float:
    """Expected calibration error in [0, 1].

    Args:
        logp: (N,) natural log-probabilities of the decisions, N > 0. correct: (N,) bool.
    """
    stated = np.exp(logp)
    gaps = np.bincount(_bins(stated), weights=correct - stated, minlength=BINS)
    return float(np.abs(gaps).sum() / len(stated))


def calibrated_ece(logp: np.ndarray) -> float:
    """The mean of `ece` over outcomes that are right with the probabilities `logp` states, independently of each other.

    In each bin, that is the mean absolute deviation of a sum of Bernoulli variables of probabilities p. It is computed
    as that of the binomial variable with the same mean and variance (de Moivre's formula, with a real number of
    draws), of the hits or the misses, whichever are rarer: exact for equal p, and otherwise within 0.1 %.
    """
    stated, missed = np.exp(logp), -np.expm1(logp)
    places = _bins(stated)
    rarer = np.where(places > BINS // 2, missed, stated)
    means = np.bincount(places, weights=rarer, minlength=BINS)
    squares = np.bincount(places, weights=rarer**2, minlength=BINS)
    used = means > 0
    return float(_mean_deviations(means[used], squares[used]).sum() / len(stated))


def _mean_deviations(means: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Mean absolute deviations of sums of Bernoulli variables, from the sums of their probabilities and of p²."""
    from scipy.special import gammaln

    p, n = squares / means, means**2 / squares
    above = np.floor(means) + 1
    chosen = gammaln(n + 1) - gammaln(above + 1) - gammaln(n - above + 1)
    return np.asarray(2 * above * np.exp(chosen + above * np.log(p) + (n - above + 1) * np.log1p(-p)))


def _no_distribution(trials: Trials) -> str:
    """Why no loss over all classes can be computed; empty if it can."""
    if trials.logits is None:
        return "needs --store logits"
    if (trials.layout.targets[:, 1:] >= 0).any():
        return "some samples have several targets"
    outputs = trials.logits(0, 1).shape[-1]
    if trials.layout.columns is None and outputs != len(trials.layout.classes):
        return f"the {len(trials.layout.classes)} classes are categories of {outputs} outputs"
    return ""


def _scores(trials: Trials, column: int) -> tuple[float, float]:
    """Mean negative log-likelihood in nats, and mean Brier score (0 to 2), of the probabilities of all classes."""
    read, targets, n = trials.logits, trials.layout.targets[:, 0], len(trials.correct)
    assert read is not None  # _no_distribution
    step = max(1, CHUNK // trials.repeats) * trials.repeats  # all repeats of an image together
    nll = brier = 0.0
    for low in range(0, n, step):
        logits = read(low, min(low + step, n))[:, column].astype(np.float64)
        logits = logits if trials.layout.columns is None else logits[:, list(trials.layout.columns)]
        logits -= logits.max(axis=1, keepdims=True)
        normalizer = np.log(np.exp(logits).sum(axis=1))
        rows = np.arange(len(logits)), targets[low : low + step]
        likely = logits[rows] - normalizer
        nll -= float(likely.sum())
        squares = (np.exp(logits - normalizer[:, None]) ** 2).sum(axis=1)
        brier += float((squares - 2 * np.exp(likely) + 1).sum())
    return nll / n, brier / n
