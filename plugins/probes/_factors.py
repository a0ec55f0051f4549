"""Error ratios by factor: how often a network errs on images of one factor, divided by how often on all images.

Idrissi et al.: "ImageNet-X: Understanding Model Mistakes with Factor of Variation Annotations" (ICLR 2023, arXiv
2211.01866), ``imagenet_x/aggregate.py``. Prototypes of the classes count neither above nor below the line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np

from harness import NO_LABELS, Measure, Trials, share

from ._relative_error import relative_error_interval

RATIOS: Final[Mapping[str, str]] = dict.fromkeys(("error-ratio", "error-ratio-multi", "worst-factor"), "error")
"""Measures of this module -> what they are divided by."""
ENOUGH: Final = 50
"""Images of a factor below which its ratio carries the flag `FEW`."""
FEW: Final = "few images"
NO_ERRORS: Final = "no errors"
NO_IMAGES: Final = "no images of this factor"
MOST: Final = 256
"""Different factors of a dataset; with more, these are no factors, but names of images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """Rows of trials: all that count, and those of each factor among them, (n,) int64 each; read only.

    Where there are more than `MOST` factors, `by_factor` is empty, and `reason` says so.
    """

    counted: np.ndarray
    by_factor: Mapping[str, np.ndarray]
    reason: str = "no image has a factor"


def factor_measures(trials: Trials, condition: str) -> Iterator[Measure]:
    """``error``, ``error-ratio`` and ``worst-factor`` by the attribute ``factor``; nothing without it.

    ``error-ratio-multi`` likewise by ``factors``, of which an image may have several. Rows whose ``prototype`` is ``1``
    are left out everywhere. Ratios have the condition ``<factor>``, the unit 1, and the interval of
    `relative_error_interval`; where rows repeat images, none. ``worst-factor`` is the largest ratio, and says of what.
    """
    attributes = trials.layout.attributes
    if "factor" not in attributes:
        return
    prototypes = attributes.get("prototype")
    top = _rows(attributes["factor"], prototypes, several=False)
    multi = _rows(attributes["factors"], prototypes, several=True) if "factors" in attributes else None
    wrong = ~trials.correct[:, trials.column(condition)]
    yield _error(wrong[top.counted], trials)
    names = sorted({*top.by_factor, *(multi.by_factor if multi and top.by_factor else ())})
    ratios = [_ratio("error-ratio", factor, top, wrong, trials) for factor in names]
    yield from ratios
    yield _worst(ratios, top.reason)
    if multi:
        yield from (_ratio("error-ratio-multi", factor, multi, wrong, trials) for factor in multi.by_factor)
        if not multi.by_factor:
            yield Measure(name="error-ratio-multi", value=None, unit="1", reason=multi.reason)


@lru_cache(maxsize=8)
def _rows(values: tuple[str, ...], prototypes: tuple[str, ...] | None, *, several: bool) -> _Rows:
    """The rows of an attribute's values: made once for all models of a task, which share its texts."""
    counted = np.ones(len(values), bool) if prototypes is None else np.array([text != "1" for text in prototypes])
    codes: dict[str, int] = {}
    kinds = np.array([codes.setdefault(text, len(codes)) for text in values], dtype=np.int64)
    texts: dict[str, list[int]] = {}
    for text, code in codes.items():
        for factor in dict.fromkeys(text.split() if several else [text] if text else []):
            texts.setdefault(factor, []).append(code)
    all_rows = np.flatnonzero(counted)
    if len(texts) > MOST:
        reason = f"{len(texts):,} different factors, at most {MOST} are possible"
        return _Rows(counted=all_rows, by_factor={}, reason=reason)
    by_factor = {factor: np.flatnonzero(np.isin(kinds, texts[factor]) & counted) for factor in sorted(texts)}
    return _Rows(counted=all_rows, by_factor=by_factor)


def _error(wrong: np.ndarray, trials: Trials) -> Measure:
    if not trials.layout.labelled:
        return Measure(name="error", value=None, direction="lower", n=len(wrong), reason=NO_LABELS)
    return replace(share("error", wrong, repeats=trials.repeats), direction="lower")


def _ratio(name: str, factor: str, of: _Rows, wrong: np.ndarray, trials: Trials) -> Measure:
    rows = of.by_factor.get(factor, of.counted[:0])
    n, all_n = len(rows), len(of.counted)
    errors, all_errors = int(wrong[rows].sum()), int(wrong[of.counted].sum())
    ratio = Measure(name=name, condition=factor, value=None, unit="1", n=n, reason=NO_ERRORS)
    if not trials.layout.labelled or not n:
        return replace(ratio, reason=NO_IMAGES if trials.layout.labelled else NO_LABELS)
    if not all_errors:
        return ratio
    flags = (FEW,) if n < ENOUGH * trials.repeats else ()
    value = (errors * all_n) / (n * all_errors)
    if trials.repeats > 1 or n == all_n:
        return replace(ratio, value=value, reason=None, flags=flags)
    low, high = relative_error_interval(errors, n, all_errors, all_n)
    return replace(ratio, value=value, reason=None, low=low, high=high, flags=flags)


def _worst(ratios: list[Measure], reason: str) -> Measure:
    """The largest ratio; the first of equal ones. No interval: that of a maximum over noisy ratios is not its own."""
    defined = [ratio for ratio in ratios if ratio.value is not None]
    if not defined:
        reason = next((str(ratio.reason) for ratio in ratios if ratio.n), reason)
        return Measure(name="worst-factor", value=None, unit="1", reason=reason)
    worst = max(defined, key=lambda ratio: ratio.value or 0.0)
    flags = (f"the factor is {worst.condition}", *worst.flags)
    return Measure(name="worst-factor", value=worst.value, unit="1", n=worst.n, flags=flags)
