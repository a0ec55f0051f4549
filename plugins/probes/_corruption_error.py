"""Mean corruption error (mCE) of ImageNet-C, normalised by AlexNet, beside the plain mean error.

Hendrycks and Dietterich (ICLR 2019): the error under each of 15 corruptions, averaged over 5 severities, is divided by
that of AlexNet, and the quotients are averaged.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from harness import Measure, Trials, statistics

ALEXNET: Final[Mapping[str, float]] = {
    "gaussian_noise": 0.886428,
    "shot_noise": 0.894468,
    "impulse_noise": 0.922640,
    "defocus_blur": 0.819880,
    "glass_blur": 0.826268,
    "motion_blur": 0.785948,
    "zoom_blur": 0.798360,
    "snow": 0.866816,
    "frost": 0.826572,
    "fog": 0.819324,
    "brightness": 0.564592,
    "contrast": 0.853204,
    "elastic_transform": 0.646056,
    "pixelate": 0.717840,
    "jpeg_compression": 0.606500,
}
"""AlexNet's mean errors over 5 severities, as the code of hendrycks/robustness has them (``ImageNet-C/test.py``)."""
SEVERITIES: Final = 5
CLASSES: Final = 1000


def corruption_errors(levels: Mapping[str, Trials], condition: str) -> Iterator[Measure]:
    """``mce`` and ``mean-error`` over the 15 corruptions; nothing unless all of them have 5 severities of ImageNet.

    Args:
        levels: corruption -> its trials, the severities of an image one after another. Others than the 15 are ignored.
    """
    if any(name not in levels for name in ALEXNET):
        return
    shares: list[np.ndarray] = []
    for name in ALEXNET:  # the trials of one corruption in memory at a time
        trials = levels[name]
        if not _fits(trials):
            return
        shares.append(_wrong(trials, condition))
    wrong, weights = np.stack(shares), np.array([1 / error for error in ALEXNET.values()])
    yield _mean("mce", wrong * weights[:, None], "1")
    yield _mean("mean-error", wrong, "fraction")


def _fits(trials: Trials) -> bool:
    of_imagenet = len(trials.layout.classes) == CLASSES and trials.layout.labelled
    return trials.repeats == SEVERITIES and of_imagenet and len(trials.correct) > 0


def _wrong(trials: Trials, condition: str) -> np.ndarray:
    """Share of the severities of each image in which the decision is wrong, (N,)."""
    correct = trials.correct[:, trials.column(condition)].reshape(-1, trials.repeats)
    shares: np.ndarray = 1 - correct.mean(axis=1)
    return shares


def _mean(name: str, values: np.ndarray, unit: str) -> Measure:
    """The mean of (15, N) values over corruptions and images, with an interval from the spread between images."""
    by_image = values.mean(axis=0)
    n = len(by_image)
    value = math.fsum(by_image) / n
    half = statistics.Z95 * float(by_image.std(ddof=1)) / math.sqrt(n) if n > 1 else 0.0
    low, high = (max(0.0, value - half), value + half) if half else (None, None)
    return Measure(name=name, value=value, unit=unit, direction="lower", n=n, low=low, high=high, by_image=True)
