"""Pure statistics of two sides that take turns: ratios by round, their median, its interval, and what that is worth.

A round holds the same work of both sides, interleaved, so that other work on the machine slows both; the ratio is taken
within a round, so that slow rounds count no more than fast ones; and the median ignores the rounds in which the machine
favoured one side. Its interval asks nothing of the distribution: it ends at two of the sorted ratios.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

CONFIDENCE = 0.95
RESOLUTION = 0.01
"""A ratio is resolved where its interval is narrower than this from end to end, relative to the median."""


@dataclass(frozen=True, slots=True)
class Round:
    """Seconds of one round by one clock.

    Attributes:
        first: of one side. second: of the other side.
        halves: `first`, divided in two halves of equal work, interleaved like the sides: the control.
    """

    first: float
    second: float
    halves: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Estimate:
    """Median of n numbers, an interval that holds the median of their distribution, and their quartiles."""

    n: int
    median: float
    low: float
    high: float
    quartiles: tuple[float, float]

    @property
    def width(self) -> float:
        """Of the interval, from end to end, relative to the median; infinite where there are too few numbers."""
        return (self.high - self.low) / self.median


class Verdict(Enum):
    """What a ratio is worth."""

    RESOLVED = "resolved"
    FEW = "too few rounds"
    BUSY = "too busy to tell"
    BIASED = "the control is not 1"
    IMPOSSIBLE = "above what is possible"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sides by one clock.

    Attributes:
        ratio: first side / second side. control: the first side against itself, which is 1 but for disturbances.
        bound: what the true ratio cannot exceed, if there is such a bound.
    """

    ratio: Estimate
    control: Estimate
    bound: float = math.inf

    @property
    def verdict(self) -> Verdict:
        """The worst that can be said."""
        if self.ratio.low > self.bound:
            return Verdict.IMPOSSIBLE
        if math.isinf(self.ratio.width):
            return Verdict.FEW
        if not self.ratio.width < RESOLUTION:
            return Verdict.BUSY
        return Verdict.RESOLVED if self._control_is_one() else Verdict.BIASED

    def _control_is_one(self) -> bool:
        """Within its interval, or too near to matter: what slows one half moves the ratio by half as much."""
        control = self.control
        return control.low <= 1 <= control.high or abs(control.median - 1) < RESOLUTION


def compared(rounds: Sequence[Round], bound: float = math.inf) -> Comparison:
    """Two sides over at least one round."""
    return Comparison(
        ratio=estimate([lap.first / lap.second for lap in rounds]),
        control=estimate([lap.halves[0] / lap.halves[1] for lap in rounds]),
        bound=bound,
    )


def estimate(numbers: Sequence[float]) -> Estimate:
    """The median of positive numbers, with the interval that ends at the k-th smallest and the k-th largest of them.

    Below six numbers not even the smallest and the largest enclose the median often enough: the interval is (0, ∞).
    """
    ordered = np.sort(np.asarray(numbers, dtype=np.float64))
    lower, median, upper = (float(value) for value in np.quantile(ordered, (0.25, 0.5, 0.75)))
    rank = interval_rank(len(ordered))
    low, high = (float(ordered[rank - 1]), float(ordered[-rank])) if rank else (0.0, math.inf)
    return Estimate(n=len(ordered), median=median, low=low, high=high, quartiles=(lower, upper))


def interval_rank(n: int, confidence: float = CONFIDENCE) -> int:
    """The largest k for which the k-th smallest and k-th largest of n enclose the median often enough; 0 for none.

    The median lies outside if fewer than k of n fall on one of its sides: twice the tail of a fair coin.
    """
    rank, tail = 0, 0.0
    while rank < n // 2:
        tail += math.comb(n, rank) / 2.0**n
        if 2 * tail > 1 - confidence:
            break
        rank += 1
    return rank


@dataclass(frozen=True, slots=True)
class StopRule:
    """When rounds are enough.

    Whoever stops once the numbers please gets intervals that are too narrow. So the rule looks at the width of the
    interval, never at the ratio; not before `least` rounds; and at every `every`-th round only. What bias is left is
    covered by intervals that are wider than they must be, since ranks are whole numbers: tests simulate it. Where the
    rounds there are would hardly ever be enough, those that seem to be are the lucky ones: then it is about 80 of 100
    resolved intervals that hold the truth, in place of 95.

    Attributes:
        seconds: after these it is over, resolved or not. most: and after so many rounds.
        least, every: at 9, 12, 15, … rounds another pair of extremes may be left out, and intervals are shortest.
    """

    seconds: float
    least: int = 9
    every: int = 3
    most: int = 64

    def is_over(self, rounds: int, width: float, elapsed: float) -> bool:
        """Whether to stop after `rounds` rounds, whose interval has this width, and `elapsed` seconds."""
        if rounds >= self.most or elapsed >= self.seconds:
            return True
        due = rounds >= self.least and (rounds - self.least) % self.every == 0
        return due and width < RESOLUTION
