"""What all biases together predict out of sample, in one sentence for ``prediction`` and ``correlation``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from ._pages import count, listed
from ._predictions import PredictionEntry, score

Kind = Literal["lofo", "loo"]
LEFT_OUT: Mapping[Kind, str] = {"lofo": "whole groups", "loo": "models"}


def prediction_sentence(entries: Sequence[PredictionEntry], titles: Mapping[str, str], biases: int) -> str:
    """Q² of each axis for groups that were left out, where no group can be for models; else why it is undefined.

    Args:
        titles: short titles of axes. biases: how many there are.
    """
    if not entries:
        return "No axis of generalization is predicted from biases: the runs do not define both."
    kinds: tuple[Kind, ...] = ("lofo", "loo")
    kind = next((kind for kind in kinds if any(_q2(entry, kind) is not None for entry in entries)), None)
    if kind is None:
        reasons = dict.fromkeys(entry["reason"] or "undefined" for entry in entries)
        return f"No axis of generalization can be predicted from the biases: {'; '.join(reasons)}."
    learners = listed(list(dict.fromkeys(entry["learner"] for entry in entries)))
    scores = listed([f"{_scores(of, kind)} for {titles.get(axis, axis)}" for axis, of in _by_axis(entries).items()])
    return (
        f"By {learners} on {count(biases, 'bias', 'biases')} together, the Q² {kind.upper()} of {LEFT_OUT[kind]} that "
        f"were left out (1 is perfect, 0 no better than a constant) is {scores}; {_verdict(entries, titles, kind)}."
    )


def _by_axis(entries: Sequence[PredictionEntry]) -> dict[str, list[PredictionEntry]]:
    """The learners of each axis."""
    axes: dict[str, list[PredictionEntry]] = {}
    for entry in entries:
        axes.setdefault(entry["generalization"], []).append(entry)
    return axes


def _q2(entry: PredictionEntry, kind: Kind) -> float | None:
    return entry["q2_lofo"] if kind == "lofo" else entry["q2_loo"]


def _scores(entries: Sequence[PredictionEntry], kind: Kind) -> str:
    """``0.29 and 0.81``, or why there is none."""
    if all(_q2(entry, kind) is None for entry in entries):
        return f"undefined ({'; '.join(dict.fromkeys(entry['reason'] or 'undefined' for entry in entries))})"
    return " and ".join(score(_q2(entry, kind)).text for entry in entries)


def _verdict(entries: Sequence[PredictionEntry], titles: Mapping[str, str], kind: Kind) -> str:
    """Which axes are predicted by every learner, better than a constant and than permutations of the axis."""
    better = [titles.get(axis, axis) for axis, of in _by_axis(entries).items() if all(_beats(one, kind) for one in of)]
    verb = "are" if len(better) > 1 else "is"
    every = " by each" if len({entry["learner"] for entry in entries}) > 1 else ""
    return f"{listed(better) or 'no axis'} {verb} predicted better than by a constant and by chance (p < 0.05){every}"


def _beats(entry: PredictionEntry, kind: Kind) -> bool:
    q2, p = _q2(entry, kind), entry["p_lofo"] if kind == "lofo" else entry["p_loo"]
    return q2 is not None and q2 > 0 and p is not None and p < 0.05
