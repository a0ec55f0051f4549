"""Accuracy: decisions on unmodified images. Other probes divide by it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from harness import NO_LABELS, Batch, Measure, Probe, Trials, accuracy_measures, hookimpl, is_correct, share

from ._calibration import calibration
from ._chance import SIGNIFICANCE, guessing_p
from ._corruption_error import corruption_errors
from ._cue_reliance import cue_reliances
from ._factors import RATIOS, factor_measures
from ._permutation import explained_by_exchange
from ._ranks import rank_measures
from ._subsets import among_all_outputs, of_kept, of_variants
from ._votes import DENOMINATORS, votes_measures

if TYPE_CHECKING:
    import torch

CONDITION = "clean"
CHANCE_LEVEL = "chance-level"
LOW = 0.1
"""Of an accuracy below it, an exchange of the classes is looked for though it is above chance: neighbours in the order
of the classes are often alike, so a classifier whose rows are shifted by one is right now and then."""
BELOW_CHANCE = "below-chance: images chosen against such networks (as ImageNet-A), or a broken network"


@dataclass(frozen=True, kw_only=True)
class Accuracy(Probe):
    """Top-1 and top-5 accuracy on unmodified images.

    A decision is correct if it is any of the sample's targets. ``top1`` carries the flag ``chance-level`` if it is not
    significantly above guessing, see `is_chance_level`: such a network is most likely broken (wrong weights, label
    order or normalization), and everything divided by its accuracy is noise. Significantly below guessing the flag is
    ``below-chance`` instead: a sound network gets there on images selected against such networks (2 of the 7,500 of
    ImageNet-A for torchvision's first ResNet-50), or by always deciding for a rare class. If one exchange of the
    classes makes most decisions right, a further flag says so, also of an accuracy above chance that is below `LOW`:
    the classifier's rows are in another order. ``top5``
    carries ``trivial`` if there are at most five classes.

    The dataset's attribute ``variant`` gives ``top1/<variant>``, and its attribute ``kept`` gives ``ood-top1``, pooled
    over the samples where that is ``yes`` (the OOD accuracy of Geirhos et al. 2021). If the classes are a subset of the
    outputs and the run stores logits, ``top1-all-outputs`` is the accuracy of decisions among all outputs.

    ``ece`` is the expected calibration error of the decisions, ``ece-calibrated`` that of a perfectly calibrated
    network with the same probabilities, and ``brier-top1`` their Brier score; ``nll`` and ``brier``, over all classes,
    need logits. ``mean-rank`` and ``median-rank`` say where the target stands, from 1 on; ``top10`` and ``top50`` how
    often it is among so many, if there are more classes. Runs of earlier versions store no ranks. Where a dataset has
    views, all these are of all views together; a single view has none.

    The dataset's attribute ``factor`` (what is unusual about an image) gives ``error``, ``error-ratio/<factor>``, the
    error on the images of a factor divided by that, and ``worst-factor``, the largest; ``factors`` gives
    ``error-ratio-multi/<factor>``. Such ratios follow accuracy: compare networks of one accuracy, or hold it constant.

    On ImageNet-C with the usual 15 corruptions in 5 severities, ``mce`` is the mean corruption error (mCE): the error
    under each corruption divided by that of AlexNet, then averaged; ``mean-error`` is the mean error without that
    division.

    The dataset's attributes ``votes``, ``real`` and ``judged`` give what people say of the mistakes:
    ``accepted-mistakes``, ``rectified-error``, ``major-mistakes`` and others (docs/votes.md).

    On a dataset with a view ``all-cues`` and views ``random-<cue>``, in which one cue is drawn at random (as
    `shapes-cues`), ``cue-reliance`` under each cue is the part of the accuracy above chance that is lost with it: 0 for
    a cue that is not used, 1 for one without which nothing is recognised. They need not add up to 1.
    """

    name: ClassVar[str] = "accuracy"
    denominators: ClassVar[Mapping[str, str]] = {**DENOMINATORS, **RATIOS}

    def conditions(self, size: int) -> tuple[str, ...]:
        """``clean``, at any size."""
        return (CONDITION,)

    def stimuli(self, batch: Batch) -> Iterator[tuple[str, torch.Tensor]]:
        """The unmodified images, not a copy."""
        yield CONDITION, batch.images

    def measures(self, trials: Trials) -> Iterable[Measure]:
        """``top1``, ``correct``, ``n``, ``top5``, what attributes and logits allow, calibration and ranks."""
        flags = _chance_flags(trials)
        for measure in accuracy_measures(trials, CONDITION, ""):
            yield replace(measure, flags=flags) if measure.name == "top1" else measure
        yield from votes_measures(trials, CONDITION, "")
        yield _top5(trials)
        yield from of_variants(trials, CONDITION)
        yield from of_kept(trials, CONDITION)
        yield from factor_measures(trials, CONDITION)
        yield from among_all_outputs(trials, CONDITION)
        yield from calibration(trials, CONDITION)
        yield from rank_measures(trials, CONDITION)

    def measures_of_view(self, trials: Trials) -> Iterable[Measure]:
        """``top1``, ``correct`` and ``n``, without flags: under a strong corruption a sound network may guess."""
        return accuracy_measures(trials, CONDITION, "")

    def measures_of_levels(self, levels: Mapping[str, Trials]) -> Iterable[Measure]:
        """``mce`` and ``mean-error`` of ImageNet-C."""
        return corruption_errors(levels, CONDITION)

    def measures_over_views(self, views: Mapping[str, Trials]) -> Iterable[Measure]:
        """``cue-reliance`` on each cue that a view draws at random."""
        return cue_reliances(views, CONDITION)


def _chance_flags(trials: Trials) -> tuple[str, ...]:
    """``chance-level`` or ``below-chance``, as defined in `Accuracy`, and the exchange of the classes that explains it.

    None without trials, or without labels. Several rows of one image count as one trial, which errs on the side of a
    flag.
    """
    targets, n = trials.layout.targets, len(trials.correct) // trials.repeats
    if not n or not trials.layout.labelled:
        return ()
    guessing = float((targets >= 0).sum(axis=1).mean()) / len(trials.layout.classes)
    hits = int(trials.correct.sum()) // trials.repeats
    if not is_chance_level(hits, n, guessing):
        suspicious = hits < LOW * n and explained_by_exchange(trials, trials.column(CONDITION))
        return (suspicious,) if suspicious else ()
    level = BELOW_CHANCE if is_below_chance(hits, n, guessing) else CHANCE_LEVEL
    exchange = explained_by_exchange(trials, trials.column(CONDITION))
    return (level, exchange) if exchange else (level,)


def _top5(trials: Trials) -> Measure:
    top5, targets, classes = trials.top5[:, trials.column(CONDITION)], trials.layout.targets, len(trials.layout.classes)
    n = len(top5)
    if not trials.layout.labelled:
        return Measure(name="top5", value=None, direction="higher", n=n, reason=NO_LABELS)
    if classes > 1 and n and (top5[:, 1:] < 0).all():
        return Measure(name="top5", value=None, direction="higher", n=n, reason="only first choices are known")
    within = share("top5", is_correct(top5, targets), repeats=trials.repeats)
    return replace(within, flags=("trivial",)) if n and classes <= top5.shape[1] else within


def is_chance_level(hits: int, n: int, guessing: float) -> bool:
    """Whether `hits` correct of `n` are no better than guessing: one-sided binomial test, p >= 0.001.

    Args:
        guessing: probability that a uniformly random class is correct, 1/K for one target a sample. Where samples have
            several targets, their mean share; the binomial is then wider than the true distribution, which errs on the
            side of a flag.
    """
    return guessing_p(hits, n, guessing) >= SIGNIFICANCE


def is_below_chance(hits: int, n: int, guessing: float) -> bool:
    """Whether `hits` correct of `n` are fewer than guessing gives: one-sided binomial test, p < 0.001."""
    from scipy.special import bdtr

    return hits < n and bool(bdtr(hits, n, min(guessing, 1.0)) < SIGNIFICANCE)


@hookimpl
def harness_probes() -> list[Probe]:
    """The accuracy on unmodified images."""
    return [Accuracy()]
