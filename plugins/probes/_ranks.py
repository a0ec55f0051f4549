"""Where the true class stands among all classes: how far from right are the wrong decisions?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness import NO_LABELS, Measure, Trials, share

PLACES = (10, 50)
"""The k of ``top<k>``, beside top-1 and top-5."""
BEFORE_RANKS = "stored before ranks were"


def rank_measures(trials: Trials, condition: str) -> Iterator[Measure]:
    """``mean-rank`` and ``median-rank`` of the target, 1 for the first class; ``top10`` and ``top50`` among more.

    Of several targets the best one counts.
    """
    classes, repeats = len(trials.layout.classes), trials.repeats
    places = [place for place in PLACES if place < classes]
    reason = _no_ranks(trials)
    if reason or trials.rank is None:
        for name in ("mean-rank", "median-rank"):
            yield _rank(name, None, len(trials.correct), reason)
        for place in places:
            yield Measure(name=f"top{place}", value=None, direction="higher", n=len(trials.correct), reason=reason)
        return
    ranks = trials.rank[:, trials.column(condition)]
    yield _rank("mean-rank", float(ranks.mean(dtype=np.float64)) + 1, len(ranks))
    yield _rank("median-rank", float(np.median(ranks)) + 1, len(ranks))
    for place in places:
        yield share(f"top{place}", ranks < place, repeats=repeats)


def _rank(name: str, value: float | None, n: int, reason: str = "") -> Measure:
    return Measure(name=name, value=value, unit="1", direction="lower", n=n, reason=reason or None)


def _no_ranks(trials: Trials) -> str:
    """Why there are no ranks; empty if there are."""
    if not trials.layout.labelled:
        return NO_LABELS
    if not len(trials.correct):
        return "no trials"
    if trials.rank is not None:
        return ""
    first_only = len(trials.layout.classes) > 1 and (trials.top5[..., 1:] < 0).all()
    return "only first choices are known" if first_only else BEFORE_RANKS
