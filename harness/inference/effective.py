"""Effective robustness: accuracy on other images beyond what accuracy on the first ones predicts.

Taori et al., "Measuring Robustness to Natural Distribution Shifts" (NeurIPS 2020), with the probit scale of Miller et
al., "Accuracy on the Line" (ICML 2021): over a declared baseline set of models, Φ⁻¹(y) = a + b Φ⁻¹(x) by least squares,
and ρ_eff = y - Φ(a + b Φ⁻¹(x)) for every model. The baseline decides what counts as robust, so the suite declares it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from harness.statistics import LEAST_PAIRS


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveRobustness:
    """The baseline line and each model's distance from it.

    Attributes:
        n: models of the baseline that the line rests on.
        slope: b. intercept: a, both on the probit scale. r2: share of the baseline's variance there that the line
            explains, in [0, 1]; None where the baseline does not vary in y.
        values: ρ_eff of each of the N models, a difference of fractions; None where its x is 0 or 1 without a count.
        outside: positions of models whose x lies outside the range of the baseline on the line: theirs is extrapolated.
        left_out: positions of baseline models whose x or y is 0 or 1 without a count, so that they have no place on the
            line.
        placed: x and y of each model as fractions between 0 and 1, on which the line rests: as given, 0 and 1 moved as
            `counts` says; None where one of the two has no place on the probit scale.
        reason: why there is no line, or no R² of it; else None.
    """

    n: int
    slope: float | None = None
    intercept: float | None = None
    r2: float | None = None
    values: tuple[float | None, ...] = ()
    outside: tuple[int, ...] = ()
    left_out: tuple[int, ...] = ()
    placed: tuple[tuple[float, float] | None, ...] = ()
    reason: str | None = None


def effective_robustness(
    x: ArrayLike,
    y: ArrayLike,
    baseline: Sequence[bool] | np.ndarray,
    *,
    counts: tuple[int | None, int | None] = (None, None),
) -> EffectiveRobustness:
    """Effective robustness of N models.

    Args:
        x: N accuracies in [0, 1], usually on the images of training. y: likewise, on the other images.
        baseline: N truth values: whether a model belongs to the declared baseline.
        counts: number of decisions behind each accuracy of x and of y. With n of them, 0 and 1 are (k + 1/2)/(n + 1) on
            the probit scale, where they would be infinite; None: unknown.

    Raises:
        ValueError: unequal lengths, a value outside [0, 1], or a count below 1.
    """
    first, second, chosen = _checked(x, y, baseline, counts)
    moved = _within(first, counts[0]), _within(second, counts[1])
    probits = _probit(moved[0]), _probit(moved[1])
    placed = np.isfinite(probits[0]) & np.isfinite(probits[1])
    places = tuple((float(a), float(b)) if has else None for a, b, has in zip(*moved, placed, strict=True))
    left_out = tuple(int(at) for at in np.flatnonzero(chosen & ~placed))
    on_line = chosen & placed
    n = int(on_line.sum())
    unfitted = EffectiveRobustness(n=n, left_out=left_out, placed=places)
    if n < LEAST_PAIRS:
        return replace(unfitted, reason=f"undefined (baseline of {n} models)")
    at, above = (values[on_line] - values[on_line].mean() for values in probits)
    spread = float(at @ at)
    if spread <= 1e-18 * n:
        return replace(unfitted, reason="undefined (baseline models are equal in x)")
    slope = float(at @ above) / spread
    intercept = float(probits[1][on_line].mean() - slope * probits[0][on_line].mean())
    total = float(above @ above)
    r2 = slope * float(at @ above) / total if total > 1e-18 * n else None
    beyond = (first < first[on_line].min()) | (first > first[on_line].max())
    return replace(
        unfitted,
        slope=slope,
        intercept=intercept,
        r2=r2,
        values=_beyond(second, intercept + slope * np.where(np.isfinite(probits[0]), probits[0], np.nan)),
        outside=tuple(int(place) for place in np.flatnonzero(beyond)),
        reason=None if r2 is not None else "no R² (baseline models are equal in y)",
    )


def _checked(
    x: ArrayLike, y: ArrayLike, baseline: ArrayLike, counts: tuple[int | None, int | None]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    first, second = (np.asarray(values, dtype=np.float64) for values in (x, y))
    chosen = np.asarray(baseline, dtype=bool)
    if first.ndim != 1 or not first.shape == second.shape == chosen.shape:
        raise ValueError(f"expected three lists of one length, got {first.shape}, {second.shape} and {chosen.shape}")
    if not all(((values >= 0) & (values <= 1)).all() for values in (first, second)):
        raise ValueError("expected accuracies from 0 to 1; leave models without one out")
    if any(count is not None and count < 1 for count in counts):
        raise ValueError(f"expected counts of at least 1, got {counts}")
    return first, second, chosen


def _within(values: np.ndarray, count: int | None) -> np.ndarray:
    """The values, with 0 and 1 moved inwards if the number of decisions is known."""
    if count is None:
        return values
    return np.where((values == 0) | (values == 1), (values * count + 0.5) / (count + 1), values)


def _probit(values: np.ndarray) -> np.ndarray:
    """Φ⁻¹ of the values; infinite at 0 and 1."""
    from scipy.special import ndtri

    probits: np.ndarray = ndtri(values)
    return probits


def _beyond(y: np.ndarray, line: np.ndarray) -> tuple[float | None, ...]:
    """y less the fraction that the line predicts; None where the line has no finite value."""
    from scipy.special import ndtr

    beyond = y - ndtr(line)
    return tuple(float(value) if np.isfinite(at) else None for value, at in zip(beyond, line, strict=True))
