"""Interval of an error rate on part of the images, divided by the error rate on all of them.

The part is in both rates. With w its share of the images, ratio = φ / (w φ + 1 - w), where φ is the error rate on the
part over that on the other images: two samples without a common image. The interval is the score interval of φ (Koopman
1984, Biometrics 40; with w as it is), taken through that function, which rises. It is defined where counts are 0 or all
too, unlike the delta method on logarithms, and it never leaves what the ratio can be, 0 to 1 / w.
"""

from __future__ import annotations

import math

from harness import statistics

_EDGE = 1e-12
"""The search keeps this far from 0 and from the largest ratio, where rates are 0."""


def relative_error_interval(errors: int, n: int, all_errors: int, all_n: int) -> tuple[float, float]:
    """95 % interval of (errors / n) / (all_errors / all_n).

    Args:
        errors: among the n images of the part, 0 to n. all_errors: among all images, at least one. all_n: more than n.

    Raises:
        ValueError: counts that cannot be, no error at all, or a part that is empty or everything.
    """
    other_errors, other_n = all_errors - errors, all_n - n
    if not (0 <= errors <= n and 0 <= other_errors <= other_n and n > 0 and other_n > 0 and all_errors > 0):
        raise ValueError(f"no part with a ratio: {errors} of {n} in {all_errors} of {all_n}")
    from scipy.optimize import brentq

    def excess(ratio: float) -> float:
        """The score statistic of a ratio: 0 at the estimate, falling."""
        risk = ratio * other_n / (all_n - n * ratio)
        return _score(risk, errors, n, other_errors, other_n)

    most = all_n / n
    least, greatest = _EDGE, most * (1 - _EDGE)
    estimate = min(max(errors * all_n / (n * all_errors), least), greatest)
    low = brentq(lambda ratio: excess(ratio) - statistics.Z95, least, estimate) if errors else 0.0
    high = brentq(lambda ratio: excess(ratio) + statistics.Z95, estimate, greatest) if other_errors else most
    return float(low), float(high)


def _score(risk: float, errors: int, n: int, other_errors: int, other_n: int) -> float:
    """Difference of the rates from what the ratio of risks says, in standard errors at the likeliest rates under it."""
    a = risk * (n + other_n)
    b = risk * (n + other_errors) + errors + other_n
    c = errors + other_errors
    other = 2 * c / (b + math.sqrt(max(b * b - 4 * a * c, 0.0)))
    rate = min(risk * other, 1.0)
    variance = rate * (1 - rate) / n + risk * risk * other * (1 - min(other, 1.0)) / other_n
    difference = errors / n - risk * other_errors / other_n
    return difference / math.sqrt(variance) if variance > 0 else 0.0
