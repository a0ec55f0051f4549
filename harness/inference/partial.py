"""Rank correlation at equal values of controls: what is left of a coefficient where, say, accuracy is held.

Definition: ranks with ties by mean ranks; the least-squares fit of the controls' ranks (and a constant) is subtracted
from the ranks of both quantities; Pearson's coefficient of the two residuals (Fisher 1924, for ranks Conover 1999,
section 5.4). It answers "at equal ID", not "caused beside ID": the control may lie between cause and effect, and error
in the control leaves part of its influence in the coefficient.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from harness.ranks import centred_ranks
from harness.statistics import LEAST_PAIRS, NEARLY_ONE, spearman_interval, two_sided_p

_MOST_FACTORIAL: Final = 150
"""2/n! of more models is no number above 0."""
_NOTHING_LEFT: Final = 1e-9
"""Residual ranks are all rounding error if their sum of squares is below this part of that of the ranks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialCorrelation:
    """Rank correlation of two quantities over n models at equal values of controls.

    Attributes:
        n: number of models. controls: names of what is held.
        dof: degrees of freedom of `p`, n - 2 - number of independent controls; None if `value` is.
        value: coefficient in [-1, 1]; None if undefined.
        p: two-sided, by the t distribution, but at least 2/n!, that of a perfect order of n models; None if `value` is.
        low: lower end of the 95 % interval (Bonett & Wright 2000 with n less the number of controls); None if
            undefined or for a perfect order.
        high: upper end, likewise.
        reason: why `value` is undefined; else None.
    """

    n: int
    controls: tuple[str, ...]
    dof: int | None = None
    value: float | None = None
    p: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str | None = None


def partial_spearman(
    x: ArrayLike, y: ArrayLike, controls: Mapping[str, ArrayLike], names: tuple[str, str] = ("x", "y")
) -> PartialCorrelation:
    """Spearman's coefficient of x and y given the controls.

    Controls that follow from the others (two of one order, or a constant) count once. Without controls it is Spearman's
    coefficient with its t approximation.

    Args:
        x: n finite numbers, one a model. y: likewise.
        controls: name -> n finite numbers.
        names: names of x and y in `reason`.

    Raises:
        ValueError: unequal lengths, more than one dimension, or a value that is NaN or infinite.
    """
    first, second, held = _ranks(x, y, controls)
    n, given = len(first), tuple(controls)
    basis = _basis(held)
    dof = n - 2 - basis.shape[1]
    if dof < LEAST_PAIRS - 2:
        beside = f", {len(given)} control{'s' * (len(given) > 1)}" if given else ""
        return PartialCorrelation(n=n, controls=given, reason=f"undefined (n = {n}{beside})")
    residuals = [ranks - basis @ (basis.T @ ranks) for ranks in (first, second)]
    for name, ranks, left in zip(names, (first, second), residuals, strict=True):
        if not ranks.any():
            return PartialCorrelation(n=n, controls=given, reason=f"undefined ({name} constant)")
        if left @ left <= _NOTHING_LEFT * (ranks @ ranks):
            reason = f"undefined ({name} follows from {' and '.join(given)})"
            return PartialCorrelation(n=n, controls=given, reason=reason)
    value = _cosine(*residuals)
    low, high = spearman_interval(value, dof + 2)
    # The t distribution knows nothing of how few orders n models have: six in perfect order have p = 2/6!, not 0.
    p = max(two_sided_p(value, dof), 2 / math.factorial(min(n, _MOST_FACTORIAL)))
    return PartialCorrelation(n=n, controls=given, dof=dof, value=value, p=p, low=low, high=high)


def _ranks(x: ArrayLike, y: ArrayLike, controls: Mapping[str, ArrayLike]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centred ranks of x and y, (n,), and of the controls, (n, k), float64."""
    arrays = [np.asarray(values, dtype=np.float64) for values in (x, y, *controls.values())]
    if any(array.ndim != 1 or array.shape != arrays[0].shape for array in arrays):
        raise ValueError(f"expected lists of one length, got shapes {', '.join(str(array.shape) for array in arrays)}")
    if not all(np.isfinite(array).all() for array in arrays):
        raise ValueError("expected finite numbers; leave such models out, so that n reflects it")
    ranks = np.stack([centred_ranks(array).astype(np.float64) for array in arrays], axis=1)
    return ranks[:, 0], ranks[:, 1], ranks[:, 2:]


def _basis(held: np.ndarray) -> np.ndarray:
    """Orthonormal columns that span the controls, (n, number of independent controls)."""
    if not held.size:
        return np.zeros((len(held), 0))
    left, strengths, _ = np.linalg.svd(held, full_matrices=False)
    independent = strengths > _NOTHING_LEFT * max(strengths[0], 1.0)
    return left[:, independent]


def _cosine(first: np.ndarray, second: np.ndarray) -> float:
    value = float(first @ second) / math.sqrt(float(first @ first) * float(second @ second))
    return math.copysign(1.0, value) if abs(value) > NEARLY_ONE else value
