"""How alike models of one family are, and how many independent ones they are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from harness.inference.families import Grouping, paired
from harness.ranks import centred_ranks


@dataclass(frozen=True, slots=True, kw_only=True)
class Intraclass:
    """Likeness of the models of one family in one quantity.

    Attributes:
        n: models. families: their families, those of one model too.
        family_size: Σn_g²/n, size of the family of a model chosen at random.
        icc: ICC(1), share of the variance that lies between families; below 0 where families differ less than chance
            makes them differ. None if undefined.
        n_effective: independent models that a mean over these is worth; at most n. None like `icc`.
        reason: why both are undefined; else None.
    """

    n: int
    families: int
    family_size: float
    icc: float | None = None
    n_effective: float | None = None
    reason: str | None = None


def intraclass(values: ArrayLike, families: Sequence[str | None], name: str = "x") -> Intraclass:
    """ICC(1) by one-way analysis of variance, and n / (1 + (Σn_g²/n - 1) · ICC), Kish's design effect (1965).

    For families of unequal size the analysis uses n0 = (n - Σn_g²/n) / (F - 1) in place of the size of each (Donner
    1986). Families of one count as families: they have a mean, though no spread.

    Args:
        values: n finite numbers. families: family of each; None: a family of its own. name: of the quantity.

    Raises:
        ValueError: unequal lengths, more than one dimension, or a value that is not finite.
    """
    array, _ = paired(values, values, families)
    _, exponent = np.frexp(np.abs(array).max(initial=0))
    array = np.ldexp(array, -exponent)  # no square overflows, and a power of two rounds nothing
    grouping = Grouping.of(families)
    n, count = len(array), len(grouping.sizes)
    sizes = Intraclass(n=n, families=count, family_size=_usual_size(grouping))
    if count < 2 or n == count:
        reason = "undefined (all models are of one family)" if n > count else "undefined (no family has two models)"
        return replace(sizes, reason=reason)
    between = float(grouping.sizes @ (grouping.means(array) - array.mean()) ** 2) / (count - 1)
    within = float((grouping.residuals(array) ** 2).sum()) / (n - count)
    if between + within <= 1e-18 * max(float(array @ array) / n, 1e-300):
        return replace(sizes, reason=f"undefined ({name} constant)")
    mean_size = (n - sizes.family_size) / (count - 1)
    icc = (between - within) / (between + (mean_size - 1) * within)
    return replace(sizes, icc=icc, n_effective=n / _effect(grouping, icc))


def effective_pairs(x: ArrayLike, y: ArrayLike, families: Sequence[str | None]) -> float | None:
    """Independent models that a rank correlation of x and y over these is worth, at most n.

    n / (1 + (Σn_g²/n - 1) · ICC_x · ICC_y): family effects widen the null distribution of a coefficient only where both
    quantities have them (Scott & Holt 1982; Moulton 1986). The ICCs are those of the ranks.

    Returns:
        None where one of the ICCs is undefined.
    """
    first, second = paired(x, y, families)
    ranks = [centred_ranks(values).astype(np.float64) for values in (first, second)]
    iccs = [intraclass(values, families).icc for values in ranks]
    if iccs[0] is None or iccs[1] is None:
        return None
    return len(first) / _effect(Grouping.of(families), max(0.0, iccs[0]) * max(0.0, iccs[1]))


def _usual_size(grouping: Grouping) -> float:
    """Σn_g²/n; 0 without models."""
    return float((grouping.sizes**2).sum() / max(1, grouping.sizes.sum()))


def _effect(grouping: Grouping, likeness: float) -> float:
    """By how much likeness inside families multiplies a variance, 1 or more."""
    return 1 + (_usual_size(grouping) - 1) * max(0.0, likeness)
