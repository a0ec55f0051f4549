"""The smallest rank correlation that n models would show: what a table without stars cannot deny.

Bonett & Wright 2000: Fisher's z of Spearman's coefficient has variance (1 + ρ²/2)/(n - 3), and 1/(n - 3) without
association. A coefficient ρ is found with power 1 - β at level α where

    atanh ρ = (z(1 - α/2) + z(1 - β) √(1 + ρ²/2)) / √(n - 3).

A property of the number of models and of the test, not of what was observed ("post-hoc power").
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from harness.statistics import LEAST_PAIRS

POWER: Final = 0.8
_HALVINGS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Detectable:
    """Smallest detectable coefficient.

    Attributes:
        n: number of models. alpha: level of the two-sided test. power: probability to find a coefficient of `value`.
        value: smallest |ρ| found with that power, in (0, 1); None if undefined.
        reason: why `value` is undefined; else None.
    """

    n: int
    alpha: float
    power: float
    value: float | None = None
    reason: str | None = None


@lru_cache(maxsize=1024)
def detectable(n: int, alpha: float = 0.05, power: float = POWER) -> Detectable:
    """Smallest |ρ| that a two-sided test at level `alpha` over n models finds with probability `power`.

    Args:
        alpha: level; for one of m tests after Bonferroni, and for the smallest p-value after Holm, 0.05/m.

    Raises:
        ValueError: `alpha` or `power` outside (0, 1), or `power` not above `alpha`.
    """
    if not 0 < alpha < power < 1:
        raise ValueError(f"expected 0 < alpha < power < 1, got alpha {alpha} and power {power}")
    if n < LEAST_PAIRS:
        return Detectable(n=n, alpha=alpha, power=power, reason=f"undefined (n = {n})")
    from scipy.special import ndtri

    level, found = -float(ndtri(alpha / 2)), float(ndtri(power))
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        needed = math.tanh((level + found * math.sqrt(1 + middle * middle / 2)) / math.sqrt(n - 3))
        low, high = (middle, high) if middle < needed else (low, middle)
    return Detectable(n=n, alpha=alpha, power=power, value=(low + high) / 2)
