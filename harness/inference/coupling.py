"""The coefficient of two measures that share a denominator, if their numerators had nothing to do with each other.

A ratio bias, accuracy(filtered)/accuracy(clean), and an axis that clean accuracy is a part of are related by arithmetic
(Pearson 1897, "spurious correlation"; Kronmal 1993). Under the null the numerators are exchanged among models and the
denominator stays: what remains comes from the denominator alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from harness.inference.families import Grouping
from harness.inference.rows import cosines, ranks_of_rows
from harness.statistics import Correlation, spearman

DRAWS: Final = 4000
_BLOCK: Final = 1 << 18
"""Most entries of a block of draws."""
_MOST_KEPT: Final = 1 << 21
"""Most entries of all blocks that are kept for the next axis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchanged:
    """Coefficients of ratios whose numerators are exchanged among models.

    Attributes:
        null: their mean. sd: their standard deviation.
        p: two-sided around `null`, (1 + number of draws at least as far from it as the observed one)/(1 + draws).
        draws: number of exchanges.
    """

    draws: int
    null: float | None = None
    sd: float | None = None
    p: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Coupling:
    """A coefficient beside its null under a shared denominator.

    Attributes:
        n: number of models.
        value: observed coefficient of ratio and y.
        absolute: coefficient of the numerator alone and y.
        free: among all models. within: among models of one family, so that families keep what they have in common;
            None if no two models are of one.
        seed: of the generator.
        reason: why the numbers, `absolute` alone or those `within` are undefined; else None.
    """

    n: int
    seed: int
    free: Exchanged
    within: Exchanged | None = None
    value: float | None = None
    absolute: float | None = None
    reason: str | None = None


def coupling_null(
    numerator: ArrayLike,
    denominator: ArrayLike,
    y: ArrayLike,
    families: Sequence[str | None] | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    names: tuple[str, str] = ("x", "y"),
) -> Coupling:
    """Null of Spearman's coefficient of numerator/denominator and y, where y may rest on the denominator.

    The order in which models come changes nothing.

    Args:
        numerator: n finite numbers, one a model. denominator: likewise, positive. y: likewise.
        families: family of each model, None for one of its own; without them there is no null within families.
        draws: number of random exchanges of the numerators among the models.
        names: names of the ratio and of y in `reason`.

    Raises:
        ValueError: unequal lengths, a value that is not finite, a denominator that is not positive, or no draw.
    """
    above, below, other = (np.asarray(values, dtype=np.float64) for values in (numerator, denominator, y))
    if above.ndim != 1 or not above.shape == below.shape == other.shape:
        raise ValueError(f"expected three lists of one length, got {above.shape}, {below.shape} and {other.shape}")
    if families is not None and len(families) != len(above):
        raise ValueError(f"expected one family a model, got {len(families)} for {len(above)} models")
    if not (np.isfinite(above).all() and np.isfinite(below).all() and (below > 0).all()) or draws < 1:
        raise ValueError("expected finite numerators, finite and positive denominators, and at least one draw")
    observed = spearman(above / below, other, names)
    if observed.value is None:
        return Coupling(n=observed.n, seed=seed, free=Exchanged(draws=draws), reason=observed.reason)
    together = Grouping.of([""] * len(above))
    free = _exchanged(above, below, other, together, observed, draws, seed)
    if free.null is None:
        reason = f"undefined ({names[0]} constant when exchanged)"
        return Coupling(n=observed.n, seed=seed, free=free, reason=reason)
    grouping = Grouping.of([None] * len(above) if families is None else families)
    shared = bool(grouping.shared.any())
    within = _exchanged(above, below, other, grouping, observed, draws, seed) if shared else None
    absolute = spearman(above, other, (f"undivided {names[0]}", names[1]))
    constant = f"undefined inside groups ({names[0]} constant when exchanged)"
    return Coupling(
        n=observed.n,
        seed=seed,
        free=free,
        within=within,
        value=observed.value,
        absolute=absolute.value,
        reason=absolute.reason or (constant if within is not None and within.null is None else None),
    )


def _exchanged(
    above: np.ndarray,
    below: np.ndarray,
    other: np.ndarray,
    grouping: Grouping,
    observed: Correlation,
    draws: int,
    seed: int,
) -> Exchanged:
    """The null of exchanges inside each group."""
    order = grouping.ordered(above, below, other)
    codes = grouping.codes[order]
    drawn = _drawn(above[order], below[order], ranks_of_rows(other[None, order])[0], codes, draws, seed)
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn) or observed.value is None:
        return Exchanged(draws=draws)
    null = float(drawn.mean())
    extreme = int((np.abs(drawn - null) >= abs(observed.value - null) - 1e-12).sum())
    return Exchanged(
        draws=len(drawn),
        null=null,
        sd=float(drawn.std(ddof=1)) if len(drawn) > 1 else None,
        p=(1 + extreme) / (1 + len(drawn)),
    )


def _drawn(
    above: np.ndarray, below: np.ndarray, ranks: np.ndarray, codes: np.ndarray, draws: int, seed: int
) -> np.ndarray:
    """(draws,) coefficients with `ranks` of numerators, exchanged inside runs of equal `codes`, over the denominators.

    A report asks for one bias and one axis after another, and the ranks of the exchanged ratios do not depend on the
    axis: those of the last ones are kept where they are small.
    """
    sides = (above.tobytes(), below.tobytes(), codes.tobytes())
    few = draws * len(above) <= _MOST_KEPT
    blocks = _kept_ranks(*sides, draws, seed) if few else _exchanged_ranks(above, below, codes, draws, seed)
    return np.concatenate([cosines(block, ranks) for block in blocks])


@lru_cache(maxsize=2)
def _kept_ranks(above: bytes, below: bytes, codes: bytes, draws: int, seed: int) -> tuple[np.ndarray, ...]:
    """As `_exchanged_ranks`, of the contents of arrays. Do not change the returned arrays."""
    first, second = (np.frombuffer(content, dtype=np.float64) for content in (above, below))
    return tuple(_exchanged_ranks(first, second, np.frombuffer(codes, dtype=np.int64), draws, seed))


def _exchanged_ranks(
    above: np.ndarray, below: np.ndarray, codes: np.ndarray, draws: int, seed: int
) -> Iterator[np.ndarray]:
    """Blocks of rows of ranks, (up to `_BLOCK` // n, n), of exchanged numerators over denominators; `codes` rise."""
    rng = np.random.default_rng(seed)
    step = max(1, _BLOCK // len(above))
    for at in range(0, draws, step):
        keys = rng.random((min(step, draws - at), len(above))) + codes
        exchanged = above[np.argsort(keys, axis=1)]
        yield ranks_of_rows(exchanged / below)
