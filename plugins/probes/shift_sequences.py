"""Shift sequences: how often does a decision flip while an image slowly moves, turns, grows, brightens or is noisy?

Hendrycks & Dietterich, "Benchmarking neural network robustness to common corruptions and perturbations" (ICLR 2019),
ImageNet-P (``ImageNet-P/test.py`` and ``create_p/make_imagenet_p.py`` of hendrycks/robustness), five of its ten
perturbations. Its frames are compressed videos; these are made in memory and are another benchmark: rates must not be
compared with published ones, nor divided by AlexNet's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from harness import Batch, Measure, Probe, Trials, accuracy_measures, hookimpl, paired_change, statistics

from ._changes import judged
from ._resizing import pixels
from ._sampling import View, seen

if TYPE_CHECKING:
    import torch

GEOMETRIC: Final = ("translate", "rotate", "scale")
PERTURBATIONS: Final = (*GEOMETRIC, "brightness", "noise")
FRAMES: Final = 31
"""Of a sequence; of a translation 2r + 1."""
UNCHANGED: Final = {"scale": 24, "noise": 0}
"""Number of the frame that is the image itself, if it is not the middle one."""
MARGIN: Final = 16 / 224
"""What an image has more on each side than its frames: 16 pixels of 256."""
REACH: Final = 20 / 224
"""Largest translation."""
NOISE_SDS: Final = (0.03, 0.05, 0.08)
"""By difficulty."""


@dataclass(frozen=True, kw_only=True)
class ShiftSequences(Probe):
    """Decisions along a sequence of frames made of one image.

    Frame i of ``translate`` is moved to the right by i - r pixels, r = 20 · S / 224; of ``rotate`` turned clockwise by
    i - 15 degrees; of ``scale`` 0.4 + 0.025 i as large; of ``brightness`` its HSV value is higher by 0.02 (i - 15); of
    ``noise`` it is the image, then 30 times with new normal noise. The first three see 256 pixels of the image where
    their frames have 224. Conditions are ``translate-00``, ``translate-01``, …

    ``flip-rate`` is the share of pairs of frames that are decided otherwise, ``top5-distance`` the mean distance of
    their five most probable classes, 0 to 18, both named after the perturbation. Pairs are frames that are
    `difficulty` apart; of noise the first frame and each other.

    Attributes:
        perturbation: one of the five. difficulty: 1 to 3: frames between the two of a pair, or standard deviations of
            the noise of 0.03, 0.05 and 0.08.
    """

    name: ClassVar[str] = "shift-sequences"

    perturbation: str = "translate"
    difficulty: int = 1

    def __post_init__(self) -> None:
        if self.perturbation not in PERTURBATIONS:
            raise ValueError(f"perturbation is one of {', '.join(PERTURBATIONS)}; got {self.perturbation!r}")
        if self.difficulty not in (1, 2, 3):
            raise ValueError(f"difficulty is 1, 2 or 3; got {self.difficulty}")

    def side(self, size: int) -> int:
        """256 for 224 where frames show more than the image's middle, else as many."""
        return size + 2 * pixels(MARGIN, size) if self.perturbation in GEOMETRIC else size

    def conditions(self, size: int) -> tuple[str, ...]:
        """``translate-00`` to ``translate-40`` at 224 pixels. ValueError if a translation has too few frames."""
        frames = 2 * pixels(REACH, size) + 1 if self.perturbation == "translate" else FRAMES
        if frames <= self.difficulty:
            raise ValueError(f"{frames} frames of {size} pixels have no pairs of difficulty {self.difficulty}")
        return tuple(f"{self.perturbation}-{frame:02d}" for frame in range(frames))

    def stimuli(self, batch: Batch) -> Iterator[tuple[str, torch.Tensor]]:
        """Frame by frame."""
        conditions = self.conditions(batch.size)
        for number, condition in enumerate(conditions):
            yield condition, self._frame(batch, number - self._unchanged(conditions), len(conditions) // 2)

    def measures(self, trials: Trials) -> Iterable[Measure]:
        """Accuracy on each frame, the unchanged one first; ``flip-rate`` and its likes, ``mac``, ``top5-distance``."""
        frames = trials.layout.conditions
        unchanged = frames[self._unchanged(frames)]
        yield from accuracy_measures(trials, unchanged)
        yield from judged(self._changes(trials, self._pairs(frames)), trials, [unchanged])
        for frame in frames:
            if frame != unchanged:
                yield from accuracy_measures(trials, frame)

    def _unchanged(self, frames: Sequence[str]) -> int:
        return UNCHANGED.get(self.perturbation, len(frames) // 2)

    def _pairs(self, frames: Sequence[str]) -> list[tuple[str, str]]:
        if self.perturbation == "noise":
            return [(frames[0], frame) for frame in frames[1:]]
        return list(zip(frames, frames[self.difficulty :], strict=False))

    def _changes(self, trials: Trials, pairs: Sequence[tuple[str, str]]) -> Iterator[Measure]:
        for measure in paired_change(trials, pairs, self.perturbation):
            yield replace(measure, name=measure.name.replace("top1-change", "flip-rate"))
        yield _distance(trials, pairs, self.perturbation)

    def _frame(self, batch: Batch, step: int, reach: int) -> torch.Tensor:
        """The frame `step` after the unchanged one; a translation goes up to `reach` pixels."""
        images, count = batch.images, len(batch.sample_ids)
        match self.perturbation:
            case "translate":
                return moved(images, step, reach, batch.size)
            case "rotate":
                return seen(images, [View(angle=-step)] * count, batch.size)
            case "scale":
                return seen(images, [View(scale=1 + 0.025 * step)] * count, batch.size)
            case "brightness":
                return brighter(images, 0.02 * step)
        return noisy(batch, step, NOISE_SDS[self.difficulty - 1]) if step else images


def moved(images: torch.Tensor, step: int, reach: int, size: int) -> torch.Tensor:
    """Images (B, 3, S, S) moved to the right by `step` pixels, at most `reach`: their middle (B, 3, size, size)."""
    import torch

    margin = (images.shape[-1] - size) // 2
    padded, low = torch.nn.functional.pad(images, (reach, reach)), margin + reach - step
    return padded[:, :, margin : margin + size, low : low + size]


def brighter(images: torch.Tensor, change: float) -> torch.Tensor:
    """Images (B, 3, S, S) with their HSV value, the largest channel, higher by `change` within [0, 1].

    Hue and saturation stay where all channels are multiplied alike; black becomes grey.
    """
    import torch

    value = images.amax(dim=1, keepdim=True)
    raised = (value + change).clamp_(0, 1)
    return torch.where(value > 0, images * (raised / value), raised).clamp_(0, 1)


def noisy(batch: Batch, frame: int, sd: float) -> torch.Tensor:
    """The images with new normal noise of this standard deviation in every channel, within [0, 1]."""
    import torch

    noise = torch.stack([batch.noise(f"shift-sequences-{frame}-{channel}") for channel in range(3)], dim=1)
    return (batch.images + sd * noise).clamp_(0, 1)


def top5_distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Distance of two lists (…, 5) of classes, most probable first: (…) whole numbers from 0 to 18.

    The sum over the first list of the differences between places, all places beyond the fifth being the sixth: 15 for
    lists without a common class, 18 at most. -1 stands for no class, where there are fewer than five.
    """
    places = np.arange(first.shape[-1])
    same = first[..., :, None] == second[..., None, :]
    there = np.where(same.any(axis=-1), same.argmax(axis=-1), first.shape[-1])
    distances: np.ndarray = np.where(first >= 0, abs(places - there), 0).sum(axis=-1)
    return distances


def _distance(trials: Trials, pairs: Sequence[tuple[str, str]], label: str) -> Measure:
    """The mean distance over pairs of conditions, with its interval by bootstrap over images."""
    top5 = trials.top5
    named = Measure(name="top5-distance", condition=label, value=None, unit="1", direction="lower", reason="no trials")
    if not len(top5):
        return replace(named, n=0)
    if len(trials.layout.classes) > 1 and (top5[..., 1:] < 0).all():
        return replace(named, reason="only first choices are known")
    of_rows = np.zeros(len(top5), dtype=np.int64)
    for first, second in pairs:  # one pair in memory at a time
        of_rows += top5_distances(top5[:, trials.column(first)], top5[:, trials.column(second)])
    totals, n = of_rows.reshape(-1, trials.repeats).sum(axis=1), len(pairs) * len(top5)
    low, high = statistics.cluster_interval(totals, np.full(len(totals), n // len(totals)))
    return replace(named, value=int(totals.sum()) / n, n=n, low=low, high=high, reason=None, by_image=True)


@hookimpl
def harness_probes() -> list[Probe]:
    """Flips of the decision along a sequence of frames."""
    return [ShiftSequences()]
