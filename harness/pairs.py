"""Pairs of conditions: does the decision stay when the image hardly changes, and by how much does its probability move?

Azulay & Weiss, "Why do deep convolutional networks generalize so poorly to small image transformations?" (JMLR 2019):
for two versions a and b of one image and the class k decided for a, the top-1 changes if b is decided otherwise, and
the mean absolute change (MAC) is the mean of |p_k(a) - p_k(b)|. Trials hold the five most probable classes; where k
is none of those of b, its probability lies between 0 and min(p of the fifth, 1 - sum of the five), unless logits are
stored. Stored probabilities are exact to 2e-4, since their logarithms are float16.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from harness.proportions import proportion
from harness.records import NO_LABELS, Direction, Measure, Trials

if TYPE_CHECKING:
    import numpy as np

Pair = tuple[str, str]
"""Two conditions (a, b) of one image; a comes first, and its decision is the one that may change."""
_AT_ONCE: Final = 256
"""Samples whose logits are read in one call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedTrials:
    """What happens to the decision of the first trial of each pair: P pairs of rows under M pairs of conditions.

    Attributes:
        changed: (P, M) bool, whether the second trial has another top-1. right: (P, M) bool, whether the first one is
            correct; False without labels.
        difference: (P, M) float64, |p_k(a) - p_k(b)| of the class k decided under a; where p_k(b) is bounded, for the
            middle of its bounds. NaN where only first choices are known.
        least, most: (P, M) float64, bounds of `difference`.
        bounded: (P, M) bool, whether p_k(b) is known by its bounds alone.
    """

    changed: np.ndarray
    right: np.ndarray
    difference: np.ndarray
    least: np.ndarray
    most: np.ndarray
    bounded: np.ndarray


def paired_trials(trials: Trials, pairs: Sequence[Pair], *, rows: np.ndarray | None = None) -> PairedTrials:
    """Compare the trials of pairs of conditions, sample by sample.

    Args:
        pairs: M pairs (a, b) of conditions.
        rows: (P, 2) rows of the first and second trial of each pair, for pairs of samples, such as frames of a video;
            default: every row with itself.

    Raises:
        KeyError: a condition that the trials do not have. ValueError: no pairs, or rows of another shape.
    """
    import numpy as np

    first, second = _rows(trials, rows)
    if not pairs:
        raise ValueError("no pairs of conditions; expected at least one (a, b)")
    of_a, of_b = ([trials.column(pair[side]) for pair in pairs] for side in (0, 1))
    decided, here = trials.top5[first][:, of_a, 0], _probabilities(trials.logp[first][:, of_a, 0])
    others, there = trials.top5[second][:, of_b], _probabilities(trials.logp[second][:, of_b])
    listed = (others == decided[..., None]) & (others >= 0)
    inside = listed.any(axis=2)
    room = np.clip(1 - np.nansum(there, axis=2), 0, 1)
    highest = np.where(inside, np.where(listed, there, 0).sum(axis=2), np.fmin(np.fmin.reduce(there, axis=2), room))
    lowest = np.where(inside, highest, 0.0)
    unlisted = ~inside & np.isfinite(highest)
    bounded = unlisted & ~_from_logits(trials, unlisted, second, of_b, decided, lowest, highest)
    ends = abs(here - lowest), abs(here - highest)
    return PairedTrials(
        changed=decided != others[..., 0],
        right=trials.correct[first][:, of_a],
        difference=abs(here - (lowest + highest) / 2),
        least=np.where((lowest <= here) & (here <= highest), 0.0, np.minimum(*ends)),
        most=np.maximum(*ends),
        bounded=bounded,
    )


def _rows(trials: Trials, rows: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    import numpy as np

    if rows is None:
        every = np.arange(len(trials.correct))
        return every, every
    pairs = np.asarray(rows)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iu":
        raise ValueError(f"rows are {pairs.dtype} {pairs.shape}, expected whole numbers (P, 2)")
    if pairs.size and not (0 <= pairs.min() and pairs.max() < len(trials.correct)):
        raise ValueError(f"rows from {pairs.min()} to {pairs.max()}, expected 0 to {len(trials.correct) - 1}")
    return pairs[:, 0], pairs[:, 1]


def _probabilities(logp: np.ndarray) -> np.ndarray:
    """Probabilities float64 of float16 logarithms; NaN stays, where there is no class."""
    import numpy as np

    return np.exp(logp.astype(np.float64))


def _from_logits(
    trials: Trials,
    unlisted: np.ndarray,
    second: np.ndarray,
    columns: Sequence[int],
    decided: np.ndarray,
    lowest: np.ndarray,
    highest: np.ndarray,
) -> np.ndarray:
    """Narrow the bounds of `unlisted` probabilities by stored logits; returns where it did, (P, M) bool.

    log p_k = log p_1 + z_k - z_1, each rounded to float16. Logits that are no scores of the classes, since a class is a
    category of several outputs, say nothing.
    """
    import numpy as np

    done, outputs = np.zeros_like(unlisted), trials.layout.columns
    if trials.logits is None or not unlisted.any():
        return done
    places = np.argwhere(unlisted)
    places = places[np.argsort(second[places[:, 0]], kind="stable")]
    starts = second[places[:, 0]] // _AT_ONCE
    for start in np.unique(starts):
        at, pair = places[starts == start].T
        row, column = second[at], np.asarray(columns)[pair]
        low = int(row.min())
        logits = trials.logits(low, int(row.max()) + 1)[row - low, column]
        if outputs is None and logits.shape[1] != len(trials.layout.classes):
            return done
        of_class = np.arange(logits.shape[1]) if outputs is None else np.asarray(outputs)
        logp, best = trials.logp[row, column, 0], trials.top5[row, column, 0]
        z, z_best = (logits[np.arange(len(row)), of_class[chosen]] for chosen in (decided[at, pair], best))
        error = sum(np.spacing(np.abs(value)).astype(np.float64) / 2 for value in (logp, z, z_best))
        exponent = logp.astype(np.float64) + z.astype(np.float64) - z_best.astype(np.float64)
        most = highest[at, pair].copy()
        highest[at, pair] = np.minimum(np.exp(exponent + error), most)
        lowest[at, pair] = np.minimum(np.exp(exponent - error), most)
        done[at, pair] = True
    return done


def paired_change(
    trials: Trials,
    pairs: Sequence[Pair],
    label: str = "",
    *,
    rows: np.ndarray | None = None,
    clusters: np.ndarray | None = None,
) -> Iterator[Measure]:
    """``top1-change``, ``top1-change-correct``, ``mac`` and ``top1`` over pairs of conditions, pooled.

    Fractions over all pairs: of changed decisions; of changed decisions among those that are correct under a; mean
    absolute change of the probability of the class decided under a; of correct decisions under a. Where classes leave
    the top 5, a note of ``mac`` says how many pairs are bounded and how far it may be off, and ``mac-least`` and
    ``mac-most`` are its bounds. A network that always decides alike has no change, so a probe says beside it, or
    refuses, where ``top1`` is at chance: this function does not.

    Intervals are by bootstrap over images, of which several pairs are not independent (Wilson's for one pair each).

    Args:
        pairs: (a, b) conditions. label: the condition of the measures (``crop`` gives ``mac@D/crop``).
        rows: as for `paired_trials`.
        clusters: (P,) whole numbers, equal for pairs that are resampled together; default: one for each image of the
            first rows.

    Raises:
        KeyError, ValueError: as `paired_trials`; clusters of another length.
    """
    import numpy as np

    of_pairs = paired_trials(trials, pairs, rows=rows)
    count = of_pairs.changed.shape[0]
    units = _rows(trials, rows)[0] // trials.repeats if clusters is None else np.asarray(clusters)
    if units.shape != (count,):
        raise ValueError(f"clusters are {units.shape}, expected one for each of the {count} pairs of rows")
    mean = _Mean(np.unique(units, return_inverse=True)[1], label)
    every = np.ones_like(of_pairs.changed)
    yield mean.of("top1-change", of_pairs.changed, every, "lower", "no pairs")
    unlabelled = "" if trials.layout.labelled else NO_LABELS
    reason = unlabelled or f"no decision is correct under {', '.join(dict.fromkeys(a for a, _ in pairs))}"
    yield mean.of("top1-change-correct", of_pairs.changed, of_pairs.right, "lower", reason)
    yield from _mac(of_pairs, mean, every)
    top1 = mean.of("top1", of_pairs.right, every, "higher", "no pairs")
    yield replace(top1, value=None, low=None, high=None, reason=NO_LABELS) if unlabelled else top1


def _mac(of_pairs: PairedTrials, mean: _Mean, every: np.ndarray) -> Iterator[Measure]:
    """``mac``, and its bounds where there are any."""
    import numpy as np

    if np.isnan(of_pairs.difference).any():
        yield mean.of("mac", of_pairs.changed, ~every, "lower", "only first choices are known")
        return
    value = mean.of("mac", of_pairs.difference, every, "lower", "no pairs")
    if not of_pairs.bounded.any():
        yield value
        return
    least = mean.of("mac-least", of_pairs.least, every, "lower", "")
    most = mean.of("mac-most", of_pairs.most, every, "lower", "")
    far = max(abs((bound.value or 0.0) - (value.value or 0.0)) for bound in (least, most))
    note = f"note: {int(of_pairs.bounded.sum()):,} of {every.size:,} pairs bounded, ± {far:.2g}"
    yield replace(value, flags=(note,))
    yield least
    yield most


class _Mean:
    """Means over pairs (P, M) with their intervals.

    Args:
        units: (P,) number of the cluster of each pair of rows, from 0.
    """

    def __init__(self, units: np.ndarray, label: str) -> None:
        self._units, self._label = units, label

    def of(self, name: str, values: np.ndarray, among: np.ndarray, direction: Direction, reason: str) -> Measure:
        """Mean of the `values` `among` all, both (P, M); undefined with `reason` if there are none."""
        import numpy as np

        from harness.clusters import cluster_interval

        n = int(among.sum())
        if not n:
            return Measure(name=name, condition=self._label, value=None, n=0, direction=direction, reason=reason)
        weights = np.bincount(self._units, among.sum(axis=1))
        if values.dtype == bool and weights.max() == 1:
            hits = int((values & among).sum())
            return proportion(name, hits, n, condition=self._label, direction=direction)
        kept = np.where(among, values, 0.0)
        low, high = cluster_interval(np.bincount(self._units, kept.sum(axis=1)), weights)
        return Measure(
            name=name,
            condition=self._label,
            value=math.fsum(kept.ravel()) / n,
            direction=direction,
            n=n,
            low=None if low is None else max(0.0, low),
            high=None if high is None else min(1.0, high),
            by_image=True,
        )
