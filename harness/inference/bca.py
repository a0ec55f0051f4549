"""BCa interval of a rank correlation: the bootstrap over models, corrected for bias and skewness.

Efron 1987, "Better bootstrap confidence intervals"; Efron & Tibshirani 1993, chapter 14. It treats models as
independent, which those of one family are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from harness.inference.rows import centred_rows, cosines, ranks_of_rows
from harness.statistics import LEAST_PAIRS

DRAWS: Final = 2000
_LEAST_DEFINED: Final = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class BcaInterval:
    """Bias-corrected and accelerated interval.

    Attributes:
        n: number of models. level: coverage. draws: resamples with a coefficient. seed: of the generator.
        value: the coefficient. low, high: ends of its interval; None if undefined.
        reason: why they are undefined; else None.
    """

    n: int
    level: float
    draws: int
    seed: int
    value: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str | None = None


def bca_interval(
    x: ArrayLike, y: ArrayLike, *, level: float = 0.95, draws: int = DRAWS, seed: int = 0, ranks: bool = True
) -> BcaInterval:
    """Interval of the correlation of x and y over n models, by resampling models.

    Models in another order are other draws: the ends move as with another seed.

    Args:
        x: n finite numbers, one a model. y: likewise.
        level: coverage, in (0, 1).
        ranks: Spearman's coefficient; False: Pearson's.

    Raises:
        ValueError: unequal lengths, a value that is not finite, a level outside (0, 1), or no draw.
    """
    first, second = (np.asarray(values, dtype=np.float64) for values in (x, y))
    if first.ndim != 1 or first.shape != second.shape or not np.isfinite([first, second]).all():
        raise ValueError(f"expected two lists of one length, all finite, got shapes {first.shape} and {second.shape}")
    if not 0 < level < 1 or draws < 1:
        raise ValueError(f"expected a level in (0, 1) and at least one draw, got {level} and {draws}")
    n = len(first)
    if n < LEAST_PAIRS:
        return BcaInterval(n=n, level=level, draws=draws, seed=seed, reason=f"undefined (n = {n})")

    def coefficients(models: np.ndarray) -> np.ndarray:
        sides = (ranks_of_rows(v[models]) if ranks else centred_rows(v[models]) for v in (first, second))
        return cosines(*sides)

    value = float(coefficients(np.arange(n)[None])[0])
    drawn = coefficients(np.random.default_rng(seed).integers(0, n, (draws, n)))
    drawn = drawn[np.isfinite(drawn)]
    jackknife = coefficients(np.array([np.delete(np.arange(n), at) for at in range(n)]))
    ends = _ends(value, drawn, jackknife, level) if len(drawn) >= _LEAST_DEFINED * draws else None
    shown = value if np.isfinite(value) else None
    if ends is None:
        reason = "undefined (constant, or no spread between resamples)"
        return BcaInterval(n=n, level=level, draws=len(drawn), seed=seed, value=shown, reason=reason)
    return BcaInterval(n=n, level=level, draws=len(drawn), seed=seed, value=shown, low=ends[0], high=ends[1])


def _ends(value: float, drawn: np.ndarray, jackknife: np.ndarray, level: float) -> tuple[float, float] | None:
    """Corrected quantiles of the drawn coefficients; None where bias or acceleration is undefined."""
    from scipy.special import ndtr, ndtri

    below = (np.sum(drawn < value - 1e-12) + np.sum(drawn <= value + 1e-12)) / (2 * len(drawn))
    away = jackknife.mean() - jackknife
    if not 0 < below < 1 or not np.isfinite(away).all() or not away.any():
        return None
    bias, acceleration = ndtri(below), (away**3).sum() / (6 * (away**2).sum() ** 1.5)
    shifted = bias + ndtri([(1 - level) / 2, (1 + level) / 2])
    low, high = np.quantile(drawn, ndtr(bias + shifted / (1 - acceleration * shifted)))
    return float(low), float(high)
