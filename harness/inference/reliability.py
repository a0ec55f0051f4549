"""How well a measure tells models apart, and how large a coefficient can be for that reason.

Reliability is the share of the variance over models that is not error of measurement (Lord & Novick 1968), of one set
of models: among models that are alike, the same measure is less reliable. From trials: halves of the images, the same
halves for all models, and Spearman-Brown for the whole length. From published tables: 1 - mean SE² / variance. A
coefficient of two measures cannot be expected above √(r_x r_y) (Spearman 1904).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike

from harness.inference.families import refuse_no_draws
from harness.inference.rows import centred_rows, cosines, ranks_of_rows
from harness.statistics import LEAST_PAIRS, NEARLY_ONE

HALVES: Final = 200
"""Random halves of the images."""
LEAST_RELIABILITY: Final = 0.5
"""Below this a coefficient is not disattenuated: its error would grow with it, and the ceiling says enough."""
_BLOCK: Final = 1 << 22
"""Most entries of a block of halves, (images, halves) float32."""

HalfMeasure = Callable[[np.ndarray], ArrayLike]
"""(images,) bool, which images -> the measure of each of n models on these; NaN where it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """Reliability of one measure over one set of models.

    Attributes:
        n: number of models.
        value: at most 1; negative if the models differ less than their errors do; None if undefined.
        half: mean correlation of two halves, for `method` "halves"; else None.
        method: "halves" of the images, or "errors", from standard errors.
        draws: number of random halves, and seed: that of the generator; None for "errors".
        reason: why `value` is undefined; else None.
    """

    n: int
    method: Literal["halves", "errors"]
    value: float | None = None
    half: float | None = None
    draws: int | None = None
    seed: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """What the reliabilities of two measures say of their coefficient.

    Attributes:
        value: √(r_x r_y), the coefficient to expect of a perfect association; None if undefined.
        disattenuated: coefficient / ceiling, the coefficient to expect without error of measurement. It may be beyond 1
            and is not clipped: then the reliabilities are too low, or the errors of the two measures are related.
        reason: why `value` or `disattenuated` is undefined; else None.
    """

    value: float | None = None
    disattenuated: float | None = None
    reason: str | None = None


def spearman_brown(half: float) -> float:
    """Reliability of the whole, from the correlation of two halves: 2r/(1 + r); -inf for -1."""
    return 2 * half / (1 + half) if half > -1 else -math.inf


def ceiling(
    coefficient: float | None, first: float | None, second: float | None, names: tuple[str, str] = ("x", "y")
) -> Ceiling:
    """Ceiling and disattenuated coefficient.

    Args:
        coefficient: rank correlation of two measures; None if undefined. first, second: their reliabilities.
        names: names of the two measures in `reason`.
    """
    if first is None or second is None:
        return Ceiling(reason=f"undefined (reliability of {names[0] if first is None else names[1]} unknown)")
    weaker = names[0] if first <= second else names[1]
    if min(first, second) <= 0:
        return Ceiling(reason=f"undefined ({weaker} is no more than error of measurement)")
    value = math.sqrt(first * second)
    if min(first, second) < LEAST_RELIABILITY:
        reason = f"not disattenuated (reliability of {weaker} {min(first, second):.2f} < {LEAST_RELIABILITY})"
        return Ceiling(value=value, reason=reason)
    if coefficient is None:
        return Ceiling(value=value, reason="not disattenuated (no coefficient)")
    return Ceiling(value=value, disattenuated=coefficient / value)


def reliability_from_errors(values: ArrayLike, errors: ArrayLike) -> Reliability:
    """1 - mean(SE²)/variance over models (n - 1 in its denominator).

    Args:
        values: n finite numbers, one a model. errors: their standard errors, 0 or more.

    Raises:
        ValueError: unequal lengths, a value that is not finite, or a negative error.
    """
    numbers, spreads = (np.asarray(array, dtype=np.float64) for array in (values, errors))
    if numbers.ndim != 1 or numbers.shape != spreads.shape:
        raise ValueError(f"expected two lists of one length, got shapes {numbers.shape} and {spreads.shape}")
    if not (np.isfinite(numbers).all() and np.isfinite(spreads).all() and (spreads >= 0).all()):
        raise ValueError("expected finite values, and finite errors from 0 up")
    n = len(numbers)
    if n < LEAST_PAIRS:
        return Reliability(n=n, method="errors", reason=f"undefined (n = {n})")
    if not ranks_of_rows(numbers[None]).any():
        return Reliability(n=n, method="errors", reason="undefined (constant)")
    return Reliability(n=n, method="errors", value=1 - float(np.mean(spreads**2)) / float(np.var(numbers, ddof=1)))


def split_half(
    measure: HalfMeasure, images: int, *, draws: int = HALVES, seed: int = 0, ranks: bool = True
) -> Reliability:
    """Reliability of a measure that is made from any subset of the images, such as a fit.

    The correlations of `draws` random pairs of halves are averaged, and the mean is corrected for length once, so that
    one unlucky half does not dominate. A half on which a model has no value is left out.

    Args:
        measure: see `HalfMeasure`; it is called twice for each draw, with complementary halves.
        images: number of images. seed: of the halves: the same halves for all models, and for all measures on these
            images that are given the same seed.
        ranks: correlate ranks, as the coefficients of a study do; False: Pearson's correlation of the values.
    """
    masks = _halves(images, draws, seed)
    rows = [np.stack([np.asarray(measure(mask), dtype=np.float64) for mask in (half, ~half)]) for half in masks.T]
    return reliability_from_halves(np.stack(rows, axis=1), seed=seed, ranks=ranks)


def split_half_of_ratio(
    numerators: ArrayLike,
    denominators: ArrayLike | None = None,
    *,
    draws: int = HALVES,
    seed: int = 0,
    ranks: bool = True,
) -> Reliability:
    """`split_half` of sum(numerators)/sum(denominators) over images, for all draws at once: see `half_values`."""
    return reliability_from_halves(
        half_values(numerators, denominators, draws=draws, seed=seed), seed=seed, ranks=ranks
    )


def half_values(
    numerators: ArrayLike,
    denominators: ArrayLike | None = None,
    *,
    keys: ArrayLike | None = None,
    draws: int = HALVES,
    seed: int = 0,
) -> np.ndarray:
    """sum(numerators)/sum(denominators) of n models on both halves of the images, (2, draws, n) float64.

    NaN where the denominators of a half are zero. Blocks of models can be put together along the last axis, and the
    mean of such arrays is that of a mean of measures.

    Args:
        numerators: (n models, images) finite numbers: 0 or 1 for an accuracy or for a shape decision.
        denominators: likewise, 0 where an image does not count for a model; None: 1 each, so the measure is a mean.
        keys: (images,) whole numbers from 0 up, one an image: images of one key are in the same half in every call, so
            measures that share some images share their halves there. The halves are then equal in size on average.
            None: the same halves for the same number of images.
        seed: of the halves; see `split_half`.
    """
    refuse_no_draws(draws)
    totals = np.asarray(numerators, dtype=np.float32)
    weights = None if denominators is None else np.asarray(denominators, dtype=np.float32)
    if totals.ndim != 2 or (weights is not None and weights.shape != totals.shape):
        raise ValueError("expected numerators and denominators of one shape (models, images)")
    masks = _halves(totals.shape[1], draws, seed) if keys is None else _halves_of(_bytes(keys), draws, seed)
    if len(masks) != totals.shape[1]:
        raise ValueError(f"expected one key an image, got {len(masks)} for {totals.shape[1]} images")
    above = _sums(totals, masks)
    if weights is None:
        sizes = masks.sum(axis=0)[:, None]
        below = np.stack([sizes, len(masks) - sizes])
    else:
        below = _sums(weights, masks)
    return above / np.where(below > 0, below, np.nan)


@lru_cache(maxsize=2)
def _halves(images: int, draws: int, seed: int) -> np.ndarray:
    """(images, draws) bool, read-only: the first of two random halves; of an odd number it is the smaller.

    Kept, since all measures on the same images share them: 10 MB for 50,000 images and 200 draws.
    """
    if draws < 1 or images < 0:
        raise ValueError(f"expected at least one draw and no negative number of images, got {draws} and {images}")
    rng = np.random.default_rng(seed)
    masks = np.zeros((images, draws), dtype=bool)
    for draw in range(draws):
        masks[rng.permutation(images)[: images // 2], draw] = True
    masks.flags.writeable = False
    return masks


def _bytes(keys: ArrayLike) -> bytes:
    return np.asarray(keys).astype(np.uint64).tobytes()


@lru_cache(maxsize=2)
def _halves_of(keys: bytes, draws: int, seed: int) -> np.ndarray:
    """(images, draws) bool, read-only: whether a bit of the key is set, mixed with the draw and the seed.

    The mixing is that of SplitMix64 (Steele, Lea & Flood, OOPSLA 2014).
    """
    numbers = np.frombuffer(keys, dtype=np.uint64)
    masks = np.empty((len(numbers), draws), dtype=bool)
    for draw, offset in enumerate(np.random.default_rng(seed).integers(0, 2**64, draws, dtype=np.uint64)):
        mixed = numbers + offset
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        masks[:, draw] = (mixed >> np.uint64(63)).astype(bool)
    masks.flags.writeable = False
    return masks


def _sums(values: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Sums of (n, images) over each mask (images, draws) and over the rest, (2, draws, n) float64.

    Exact for whole numbers below 2²⁴.
    """
    images, draws = masks.shape
    step = max(1, _BLOCK // max(1, images))
    blocks = [values @ masks[:, at : at + step].astype(np.float32) for at in range(0, draws, step)]
    inside = np.concatenate(blocks, axis=1).T.astype(np.float64)
    return np.stack([inside, values.sum(axis=1, dtype=np.float64) - inside])


def reliability_from_halves(halves: np.ndarray, *, seed: int = 0, ranks: bool = True) -> Reliability:
    """Reliability from the values of n models on both halves of the images.

    Args:
        halves: (2, draws, n), NaN where a model has no value on a half; that draw is left out.
        seed, ranks: see `split_half`.
    """
    _, draws, n = halves.shape
    if n < LEAST_PAIRS:
        return Reliability(n=n, method="halves", draws=draws, seed=seed, reason=f"undefined (n = {n})")
    whole = np.isfinite(halves).all(axis=(0, 2))
    sides = [ranks_of_rows(side[whole]) if ranks else centred_rows(side[whole]) for side in halves]
    coefficients = cosines(*sides)
    coefficients = coefficients[np.isfinite(coefficients)]
    if len(coefficients) * 2 < draws:
        reason = "undefined (on most halves a model has no value, or all have the same)"
        return Reliability(n=n, method="halves", draws=draws, seed=seed, reason=reason)
    half = float(coefficients.mean())
    if half <= -NEARLY_ONE:
        reason = "undefined (the halves order the models the opposite way)"
        return Reliability(n=n, method="halves", half=-1.0, draws=len(coefficients), seed=seed, reason=reason)
    return Reliability(n=n, method="halves", value=spearman_brown(half), half=half, draws=len(coefficients), seed=seed)
