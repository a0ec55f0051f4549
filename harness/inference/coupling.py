"""The coefficient of two measures that share a denominator, if their numerators had nothing to do with each other.

A ratio bias, accuracy(filtered)/accuracy(clean), and an axis that clean accuracy is a part of are related by arithmetic
(Pearson 1897, "spurious correlation"; Kronmal 1993). Under the null the numerators are exchanged among models and the
denominator stays: what remains comes from the denominator alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from harness.inference.rows import cosines, ranks_of_rows
from harness.statistics import spearman

DRAWS: Final = 4000
_BLOCK: Final = 1 << 18
"""Most entries of a block of draws."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coupling:
    """A coefficient beside its null under a shared denominator.

    Attributes:
        n: number of models. value: observed coefficient of ratio and y.
        absolute: coefficient of the numerator alone and y.
        null: mean coefficient of ratios with exchanged numerators. sd: standard deviation of these coefficients.
        p: two-sided around `null`, (1 + number of draws at least as far from it)/(1 + draws).
        draws: number of exchanges. seed: of the generator.
        reason: why the numbers are undefined; else None.
    """

    n: int
    draws: int
    seed: int
    value: float | None = None
    absolute: float | None = None
    null: float | None = None
    sd: float | None = None
    p: float | None = None
    reason: str | None = None


def coupling_null(
    numerator: ArrayLike,
    denominator: ArrayLike,
    y: ArrayLike,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    names: tuple[str, str] = ("x", "y"),
) -> Coupling:
    """Null of Spearman's coefficient of numerator/denominator and y, where y may rest on the denominator.

    Args:
        numerator: n finite numbers, one a model. denominator: likewise, positive. y: likewise.
        draws: number of random exchanges of the numerators among the models.
        names: names of the ratio and of y in `reason`.

    Raises:
        ValueError: unequal lengths, a value that is not finite, a denominator that is not positive, or no draw.
    """
    above, below, other = (np.asarray(values, dtype=np.float64) for values in (numerator, denominator, y))
    if above.ndim != 1 or not above.shape == below.shape == other.shape:
        raise ValueError(f"expected three lists of one length, got {above.shape}, {below.shape} and {other.shape}")
    if not (np.isfinite(above).all() and np.isfinite(below).all() and (below > 0).all()) or draws < 1:
        raise ValueError("expected finite numerators, finite and positive denominators, and at least one draw")
    observed = spearman(above / below, other, names)
    if observed.value is None:
        return Coupling(n=observed.n, draws=draws, seed=seed, reason=observed.reason)
    drawn = _drawn(above, below, ranks_of_rows(other[None])[0], draws, seed)
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        reason = f"undefined ({names[0]} constant when exchanged)"
        return Coupling(n=observed.n, draws=draws, seed=seed, reason=reason)
    null = float(drawn.mean())
    extreme = int((np.abs(drawn - null) >= abs(observed.value - null) - 1e-12).sum())
    return Coupling(
        n=observed.n,
        draws=len(drawn),
        seed=seed,
        value=observed.value,
        absolute=spearman(above, other).value,
        null=null,
        sd=float(drawn.std(ddof=1)) if len(drawn) > 1 else None,
        p=(1 + extreme) / (1 + len(drawn)),
    )


def _drawn(above: np.ndarray, below: np.ndarray, ranks: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """(draws,) coefficients of exchanged numerators over the denominators with `ranks`, in blocks of draws."""
    rng = np.random.default_rng(seed)
    step = max(1, _BLOCK // len(above))
    blocks = []
    for at in range(0, draws, step):
        rows = min(step, draws - at)
        exchanged = rng.permuted(np.broadcast_to(above, (rows, len(above))), axis=1)
        blocks.append(cosines(ranks_of_rows(exchanged / below), ranks))
    return np.concatenate(blocks)
