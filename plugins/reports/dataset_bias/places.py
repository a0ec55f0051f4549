"""Where objects are: the attributes of a layout as numbers, and how far they are from uniform.

Definitions. A *histogram* has equal cells over the whole range that an attribute may have, not over the range that it
has. *Spread* of `x`, `y` and `tilt` is the standard deviation (divisor n), that of `size` the standard deviation of
log₂(size); uniform values have 1/√12, 360/√12 and 1/ln 2. *KL* is the Kullback-Leibler divergence of the histogram
from the uniform distribution, Σ p ln(p k) over its k cells, in nats (Kullback & Leibler 1951): 0 for uniform, ln k for
one cell. Of n uniform draws it is above 0 by chance: its mean is M = k / n Σ c ln(c k / n) b(c), with the binomial
probabilities b of c among n draws at 1 / k; nearly (k - 1) / 2n for many images (Miller 1955). p is the upper tail of
the G-test (Wilks 1938) with Bartlett's correction (1937): (k - 1) KL / M is nearly χ² with k - 1 degrees of freedom;
with fewer images than cells p is too large rather than too small.

That photographs have their objects in the middle is the "photographer's bias" of Azulay & Weiss: "Why do deep
convolutional networks generalize so poorly to small image transformations?" (JMLR 2019), section 5.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from harness import TaskLayout

from .schema import AttributeEntry, Divergence, PlaceEntry

CELLS = 8
"""Cells of the histogram of centres, along each side."""
DISTANCE = "distance"
"""Derived from `x` and `y`: distance of the centre from that of the image."""


@dataclass(frozen=True)
class Scale:
    """What an attribute may be.

    Attributes:
        start, end: its range. bins: of its histogram. uniform_spread: spread of uniform values. unit: for messages.
    """

    start: float
    end: float
    bins: int
    uniform_spread: float
    unit: str


_OF_SIDE = "a fraction of the image's side, 0 to 1"
SCALES = {
    "x": Scale(0, 1, CELLS, 1 / math.sqrt(12), _OF_SIDE),
    "y": Scale(0, 1, CELLS, 1 / math.sqrt(12), _OF_SIDE),
    "size": Scale(0, 1, CELLS, 1 / math.log(2), f"{_OF_SIDE}, and not 0"),
    "tilt": Scale(-180, 180, 24, 360 / math.sqrt(12), "degrees, -180 to 180"),
}
"""Attributes that this report reads, by name."""


def numbers(layout: TaskLayout, attribute: str) -> np.ndarray:
    """Values of an attribute, (N,) float64, NaN where a sample has none (an empty text).

    Raises:
        ValueError: a value is no number, or outside of the attribute's range.
    """
    values = np.full(len(layout.sample_ids), np.nan)
    for place, text in enumerate(layout.attributes[attribute]):
        if text:
            values[place] = _number(text, SCALES[attribute], attribute, layout.sample_ids[place])
    return values


def _number(text: str, scale: Scale, attribute: str, sample: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not scale.start <= value <= scale.end or (attribute == "size" and value == 0):
        raise ValueError(f"{attribute} of {sample[:60]} is {text[:20]!r}, expected {scale.unit}")
    return value


def with_distance(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """`values`, preceded by the distance from the middle of the image where `x` and `y` are among them."""
    if not {"x", "y"} <= values.keys():
        return dict(values)
    return {DISTANCE: np.hypot(values["x"] - 0.5, values["y"] - 0.5), **values}


def divergence(counts: np.ndarray) -> Divergence:
    """KL of a histogram from the uniform distribution, its mean by chance, and p of the corrected G-test.

    Args:
        counts: of any shape, int, of two cells or more; undefined without any.
    """
    from scipy.special import chdtrc  # scipy.stats takes a second to import

    n, cells = int(counts.sum()), counts.size
    if n == 0:
        return {"n": 0, "kl": None, "kl_by_chance": None, "p": None, "reason": "no images"}
    shares = counts[counts > 0] / n
    kl = max(0.0, float(np.sum(shares * np.log(shares * cells))))  # rounding may give -1e-17
    mean = kl_by_chance(n, cells)
    return {
        "n": n,
        "kl": kl,
        "kl_by_chance": mean,
        "p": float(chdtrc(cells - 1, (cells - 1) * kl / mean)),
        "reason": None,
    }


@lru_cache(maxsize=64)
def kl_by_chance(n: int, cells: int) -> float:
    """Mean KL of `n` uniform draws into `cells` cells; positive."""
    from scipy.special import gammaln, xlogy

    counts = np.arange(1, n + 1)
    among = gammaln(n + 1) - gammaln(counts + 1) - gammaln(n - counts + 1)
    probabilities = np.exp(among - counts * math.log(cells) + xlogy(n - counts, 1 - 1 / cells))
    return float(cells / n * np.sum(counts * np.log(counts * (cells / n)) * probabilities))


def histogram(attribute: str, values: np.ndarray) -> np.ndarray:
    """Counts in the equal bins of the attribute's scale; the end of the range is in the last bin."""
    scale = SCALES[attribute]
    return np.histogram(values[~np.isnan(values)], bins=scale.bins, range=(scale.start, scale.end))[0]


def attribute_entry(attribute: str, values: np.ndarray | str) -> AttributeEntry:
    """Histogram, mean and spread of one attribute.

    Args:
        values: (N,) with NaN; or why there are none.
    """
    scale = SCALES[attribute]
    known = np.empty(0) if isinstance(values, str) else values[~np.isnan(values)]
    counts = histogram(attribute, known)
    entry = divergence(counts)
    if isinstance(values, str):
        entry["reason"] = values
    return {
        **entry,
        "attribute": attribute,
        "start": scale.start,
        "end": scale.end,
        "counts": counts.tolist(),
        "mean": float(known.mean()) if len(known) else None,
        "spread": float((np.log2(known) if attribute == "size" else known).std()) if len(known) else None,
        "uniform_spread": scale.uniform_spread,
    }


def place_entry(x: np.ndarray, y: np.ndarray) -> PlaceEntry:
    """Histogram of centres; their spread is the root of the mean variance of x and y."""
    known = ~(np.isnan(x) | np.isnan(y))
    x, y = x[known], y[known]
    counts: np.ndarray = np.histogram2d(y, x, bins=CELLS, range=((0, 1), (0, 1)))[0].astype(int)
    spread = math.sqrt((float(x.var()) + float(y.var())) / 2) if len(x) else None
    return {
        **divergence(counts),
        "counts": counts.tolist(),
        "spread": spread,
        "uniform_spread": SCALES["x"].uniform_spread,
    }
