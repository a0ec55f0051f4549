"""Accuracy: decisions on the images as they are. Other probes divide by it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from harness import Batch, Measure, Probe, Trials, accuracy_measures, hookimpl, proportion

if TYPE_CHECKING:
    import torch

CONDITION = "clean"
CHANCE_LEVEL = "chance-level"
SIGNIFICANCE = 0.001


@dataclass(frozen=True, kw_only=True)
class Accuracy(Probe):
    """Top-1 and top-5 accuracy on unmodified images.

    A decision is correct if it is any of the sample's targets. ``top1`` carries the flag ``chance-level`` if it is not
    significantly above guessing, see `is_chance_level`: such a network is most likely broken (wrong weights, label
    order or normalization), and everything divided by its accuracy is noise. ``top5`` carries ``trivial`` where there
    are no more than five classes.
    """

    name: ClassVar[str] = "accuracy"

    def conditions(self, size: int) -> tuple[str, ...]:
        """``clean``, at any size."""
        return (CONDITION,)

    def stimuli(self, batch: Batch) -> Iterator[tuple[str, torch.Tensor]]:
        """The images themselves, not a copy."""
        yield CONDITION, batch.images

    def measures(self, trials: Trials) -> Iterable[Measure]:
        """``top1``, ``correct``, ``n`` and ``top5``."""
        targets, top5 = trials.layout.targets, trials.top5[:, trials.column(CONDITION)]
        n, classes = len(targets), len(trials.layout.classes)
        hits = int(trials.correct[:, trials.column(CONDITION)].sum())
        guessing = float((targets >= 0).sum(axis=1).mean()) / classes if n else 1.0
        for measure in accuracy_measures(trials, CONDITION, label=""):
            flagged = measure.name == "top1" and n > 0 and is_chance_level(hits, n, guessing)
            yield replace(measure, flags=(CHANCE_LEVEL,)) if flagged else measure
        within = proportion("top5", int(hit_rows(top5, targets).sum()), n)
        yield replace(within, flags=("trivial",)) if n and classes <= top5.shape[1] else within


def hit_rows(choices: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Whether any of the choices (N, k) is one of the targets (N, T), as (N,) bool; -1 pads both and never matches."""
    same = (choices[:, :, None] == targets[:, None, :]) & (targets >= 0)[:, None, :]
    return np.asarray(same.any(axis=(1, 2)))


def is_chance_level(hits: int, n: int, guessing: float) -> bool:
    """Whether `hits` correct of `n` are no better than guessing: one-sided binomial test, p >= 0.001.

    Args:
        guessing: probability that a uniformly random class is correct, 1/K for one target a sample. Where samples have
            several targets, their mean share; the binomial is then wider than the true distribution, which errs towards
            the warning.
    """
    from scipy.stats import binom

    return bool(binom.sf(hits - 1, n, min(guessing, 1.0)) >= SIGNIFICANCE)


@hookimpl
def harness_probes() -> list[Probe]:
    """The accuracy on unmodified images."""
    return [Accuracy()]
