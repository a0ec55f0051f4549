"""Whether the order of models is predicted, whatever the level: pairs inside families that were left out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.inference.folds import members_of
from harness.ranks import levels


def concordance(
    observed: np.ndarray, predicted: np.ndarray, families: Sequence[str | None]
) -> tuple[float | None, int]:
    """Share of pairs of models of one family that are in the predicted order, over all families; and the pairs.

    A pair that is tied in either counts one half, so 0.5 is no better than chance. Values that agree in all digits
    that they can have are tied, see `harness.ranks.levels`.

    Args:
        observed, predicted: (n,) values; those of a family are predicted without it.

    Returns:
        (None, 0) if no family has two models.
    """
    right, pairs = 0.0, 0
    for _, rows in members_of(families):
        first, second = np.triu_indices(len(rows), 1)
        steps = (levels(values[rows]) for values in (observed, predicted))
        signs = [np.sign(step[first] - step[second]) for step in steps]
        right += float(((1 + signs[0] * signs[1]) / 2).sum())
        pairs += len(first)
    return (right / pairs if pairs else None), pairs
