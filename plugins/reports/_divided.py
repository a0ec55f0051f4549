"""Biases that are divided by another measure, and which values of a measure a statistic over models may use."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from harness import Measure, Remark


def divisor_of(parts: Sequence[str], divisors: Mapping[str, str]) -> str | None:
    """Full name of the measure that all parts of a bias or axis are divided by; None where there is no such.

    Args:
        parts: full names of measures (``error-ratio@imagenet-x/pose``).
        divisors: names of measures that are divided by another one of the same dataset -> that one, as
            `Probe.denominators` says it.
    """
    shared = {_divisor(part, divisors) for part in parts}
    return shared.pop() if len(shared) == 1 else None


def divisors_of(parts: Sequence[str], divisors: Mapping[str, str]) -> tuple[str, ...]:
    """Full names of all measures that a part of a bias is divided by, which may differ; arguments as `divisor_of`."""
    return tuple(dict.fromkeys(name for part in parts if (name := _divisor(part, divisors))))


def _divisor(part: str, divisors: Mapping[str, str]) -> str | None:
    measure, _, place = part.partition("@")
    dataset, _, condition = place.partition("/")
    name, _, same_condition = divisors.get(measure, "").partition("/")
    if not name:
        return None
    return f"{name}@{dataset}/{condition}" if same_condition and condition else f"{name}@{dataset}"


def comparable(measure: Measure | None) -> float:
    """The value of a measure; NaN where there is none, or one that cannot be compared with other models'."""
    if measure is None or measure.value is None:
        return math.nan
    unlike = any(isinstance(flag, Remark) and flag.kind == "comparability" for flag in measure.flags)
    return math.nan if unlike else measure.value
