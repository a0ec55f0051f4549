"""One number per model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Direction = Literal["higher", "lower", "neither"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One number per model.

    Attributes:
        name: as the probe names it (``top1``); the harness appends ``@dataset`` and ``/condition``.
        value: None where it is undefined; `reason` then says why.
        unit: ``fraction``, ``count``, ``octaves``, ``cycles/image``, ``1``.
        direction: which way is better, or ``neither``.
        low, high: 95 % interval, where it is known.
        n: number of trials.
        flags: remarks on the value (``censored``).
        by_image: whether the interval is based on the spread between images. Only such intervals are valid if several
            rows show one image (`Trials.repeats`); others would be too narrow, and are left out.
    """

    name: str
    value: float | None
    unit: str = "fraction"
    direction: Direction = "neither"
    condition: str = ""
    low: float | None = None
    high: float | None = None
    n: int | None = None
    reason: str | None = None
    flags: tuple[str, ...] = ()
    by_image: bool = False

    def __post_init__(self) -> None:
        if self.value is None and not self.reason:
            raise ValueError(f"measure {self.name!r} has no value and no reason")
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"measure {self.name!r} is {self.value}; an undefined number is None with a reason")

    def under(self, condition: str) -> Measure:
        """The same number under another condition; a report asks for tens of thousands, so without ``replace``."""
        return Measure(
            name=self.name,
            value=self.value,
            unit=self.unit,
            direction=self.direction,
            condition=condition,
            low=self.low,
            high=self.high,
            n=self.n,
            reason=self.reason,
            flags=self.flags,
            by_image=self.by_image,
        )

    def full_name(self, dataset: str) -> str:
        """``name@dataset`` or ``name@dataset/condition``."""
        return f"{self.name}@{dataset}" + (f"/{self.condition}" if self.condition else "")
