"""The one-sided binomial test against guessing, by which probes refuse or flag a number."""

from __future__ import annotations

SIGNIFICANCE = 0.001
"""A count is above chance where `guessing_p` is below this."""


def guessing_p(hits: int, n: int, guessing: float) -> float:
    """Probability that guessing gives at least `hits` of `n`: the p-value of a one-sided binomial test.

    Args:
        hits: 0 to n. n: trials; 0 gives p = 1.
        guessing: probability that one guess is a hit; values above 1 (2 cues of one class) count as 1.
    """
    if hits in (0, n):
        return min(guessing, 1.0) ** hits
    from scipy.special import bdtrc  # scipy.stats takes a second to import

    return float(bdtrc(hits - 1, n, min(guessing, 1.0)))
