"""Accuracy: decisions on the images as they are, in every view of them. Other probes divide by it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from harness import Batch, Measure, Probe, Trials, hookimpl

from ._chance import SIGNIFICANCE, guessing_p
from ._views import by_view, counted, pooled

if TYPE_CHECKING:
    import torch

CONDITION = "clean"
CHANCE_LEVEL = "chance-level"
BELOW_CHANCE = "below-chance: images chosen against such networks (as ImageNet-A), or a broken network"
CHUNK = 4096
"""Trials whose logits are read at once: 8 MB for 1,000 outputs."""


@dataclass(frozen=True, kw_only=True)
class Accuracy(Probe):
    """Top-1 and top-5 accuracy on unmodified images.

    A decision is correct if it is any of the sample's targets. ``top1`` carries the flag ``chance-level`` if it is not
    significantly above guessing, see `is_chance_level`: such a network is most likely broken (wrong weights, label
    order or normalization), and everything divided by its accuracy is noise. Significantly below guessing the flag is
    ``below-chance`` instead: images chosen because such networks get them wrong do that to a sound one (2 of the 7,500
    of ImageNet-A for torchvision's first ResNet-50), as does always saying a rare class. ``top5`` carries ``trivial``
    where there are no more than five classes.

    Where a dataset shows every image in several views, ``top1`` is the mean over all of them (which is also the pooled
    accuracy), ``top1/<view>`` that of one, and ``top1/<corruption>`` the mean over the levels of one corruption (views
    ``<corruption>-1`` to ``-5``). The trials of one image are not independent: intervals over several views rest on the
    spread between images.

    The dataset's attribute ``variant`` gives ``top1/<variant>``, and its attribute ``kept`` gives ``ood-top1``, pooled
    over the samples where that is ``yes`` (the OOD accuracy of Geirhos et al. 2021). Where the classes are a part of
    the outputs and the run keeps its logits, ``top1-all-outputs`` is the accuracy of decisions among all outputs.
    """

    name: ClassVar[str] = "accuracy"

    def conditions(self, size: int) -> tuple[str, ...]:
        """``clean``, at any size."""
        return (CONDITION,)

    def stimuli(self, batch: Batch) -> Iterator[tuple[str, torch.Tensor]]:
        """The images themselves, not a copy."""
        yield CONDITION, batch.images

    def measures(self, trials: Trials) -> Iterable[Measure]:
        """``top1``, ``correct``, ``n`` and ``top5``; then what the views, attributes and logits allow."""
        yield from _overall(trials)
        if trials.layout.conditions == (CONDITION,):
            yield from _by_attribute(trials)
        else:
            yield from by_view(trials.correct, trials.layout.conditions)
        yield from _among_all_outputs(trials)


def _overall(trials: Trials) -> Iterator[Measure]:
    targets, classes = trials.layout.targets, len(trials.layout.classes)
    n, views = trials.correct.shape
    guessing = float((targets >= 0).sum(axis=1).mean()) / classes if n else 1.0
    # With views, as if each image had been judged once: errs towards the warning.
    hits = int(trials.correct.sum()) // views
    flags: tuple[str, ...] = ()
    if n and is_chance_level(hits, n, guessing):
        flags = (BELOW_CHANCE if is_below_chance(hits, n, guessing) else CHANCE_LEVEL,)
    for measure in counted(trials.correct):
        yield replace(measure, flags=flags) if measure.name == "top1" else measure
    if classes > 1 and n and (trials.top5[..., 1:] < 0).all():
        yield Measure(name="top5", value=None, direction="higher", n=n * views, reason="only first choices are known")
        return
    within = pooled("top5", np.stack([hit_rows(trials.top5[:, view], targets) for view in range(views)], axis=1))
    yield replace(within, flags=("trivial",)) if n and classes <= trials.top5.shape[2] else within


def _by_attribute(trials: Trials) -> Iterator[Measure]:
    variants = np.array(trials.layout.attributes.get("variant", ()))
    for variant in sorted(set(variants.tolist())):
        yield from counted(trials.correct[variants == variant], variant)
    if "kept" in trials.layout.attributes:
        kept = np.array(trials.layout.attributes["kept"]) == "yes"
        yield pooled("ood-top1", trials.correct[kept])


def _among_all_outputs(trials: Trials) -> Iterator[Measure]:
    """Logits are stored as float16: of two that round to the same number, the first output is decided for."""
    read, columns, targets = trials.logits, trials.layout.columns, trials.layout.targets
    if read is None or columns is None:
        return
    wanted = np.where(targets >= 0, np.array(columns)[targets], -1)
    right = np.empty_like(trials.correct, dtype=bool)
    n, views = right.shape
    step = max(1, CHUNK // views)
    for low in range(0, n, step):
        high = min(low + step, n)
        chosen = read(low, high).argmax(axis=2)
        right[low:high] = (chosen[:, :, None] == wanted[low:high, None, :]).any(axis=2)
    yield pooled("top1-all-outputs", right)


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
    return guessing_p(hits, n, guessing) >= SIGNIFICANCE


def is_below_chance(hits: int, n: int, guessing: float) -> bool:
    """Whether `hits` correct of `n` are fewer than guessing gives: one-sided binomial test, p < 0.001."""
    from scipy.stats import binom

    return bool(binom.cdf(hits, n, min(guessing, 1.0)) < SIGNIFICANCE)


@hookimpl
def harness_probes() -> list[Probe]:
    """The accuracy on unmodified images."""
    return [Accuracy()]
