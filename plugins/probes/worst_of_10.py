"""Worst of 10: is a network right for every one of ten small rotations and translations?

Engstrom, Tran, Tsipras, Schmidt & Madry, "Exploring the landscape of spatial robustness" (ICML 2019;
MadryLab/spatial-pytorch): angles of -30 to 30 degrees and shifts of up to 24 pixels per axis at 224, bilinear, black
outside. The transformations are drawn without looking at the network. Their attack keeps the one of highest loss, which
is the same for accuracy: an image counts if all are recognised.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, ClassVar, Final, Literal

import numpy as np

from harness import NO_LABELS, Batch, Measure, Probe, Trials, accuracy_measures, hookimpl, share, statistics

from ._changes import changes, judged
from ._sampling import View, seen

if TYPE_CHECKING:
    import torch

UNCHANGED: Final = "none"
DRAWS: Final = 10
ANGLE: Final = 30.0
"""Largest angle in degrees."""
SHIFT: Final = 3 / 28
"""Largest shift as a fraction of the side: 24 of 224 pixels."""
ANGLES, SHIFTS = 31, 5
"""Of the grid: 31 · 5 · 5 transformations."""


@dataclass(frozen=True, kw_only=True)
class WorstOf10(Probe):
    """Accuracy under ten random rotations and translations of each image, and under the worst of them.

    Conditions: ``none``, the image itself; ``t0`` to ``t9``, rotated about the centre by an angle uniform in ±30
    degrees and moved by shifts uniform in ±3/28 of the side. ``top1`` under ``random`` is the mean accuracy of the ten,
    ``worst-of-10`` the share of images that are right under all ten, ``worst-of-10-gap`` what it is less than ``top1``
    under ``none``, ``worst-of-10-correct`` the same share among images that are right under ``none``. A network that
    guesses has none of the last three, and no change.

    Attributes:
        grid: every one of 31 angles and 5 · 5 shifts instead, conditions ``g000`` to ``g774``; the measures are then
            ``worst-of-775`` and so on, and ``top1`` under ``grid``.
    """

    name: ClassVar[str] = "worst-of-10"

    grid: bool = False

    def conditions(self, size: int) -> tuple[str, ...]:
        """``none``, then the ten, or 775."""
        return (UNCHANGED, *self._moved())

    def stimuli(self, batch: Batch) -> Iterator[tuple[str, torch.Tensor]]:
        """The image itself, not a copy; then each transformation."""
        yield UNCHANGED, batch.images
        views = _grid(batch) if self.grid else _drawn(batch)
        for condition, of_samples in zip(self._moved(), views, strict=True):
            yield condition, seen(batch.images, of_samples, batch.size)

    def measures(self, trials: Trials) -> Iterable[Measure]:
        """Accuracies; the worst case; the changes from ``none`` to each of the ten."""
        shown = [UNCHANGED] if self.grid else list(self.conditions(trials.layout.size))
        for condition in shown:
            yield from accuracy_measures(trials, condition)
        yield from judged(self._worst(trials), trials, [UNCHANGED])
        if not self.grid:
            pairs = [(UNCHANGED, condition) for condition in self._moved()]
            yield from (measure for measure in changes(trials, pairs, "random") if measure.name != "top1")

    def _moved(self) -> tuple[str, ...]:
        count = ANGLES * SHIFTS**2
        return tuple(f"g{number:03d}" for number in range(count)) if self.grid else tuple(f"t{n}" for n in range(DRAWS))

    def _worst(self, trials: Trials) -> Iterator[Measure]:
        """``top1`` over all transformations, and the share of images that stand them all."""
        moved, repeats = self._moved(), trials.repeats
        name, label = f"worst-of-{len(moved)}", "grid" if self.grid else "random"
        right = trials.correct[:, [trials.column(condition) for condition in moved]]
        clean, stands = trials.correct[:, trials.column(UNCHANGED)], np.asarray(right.all(axis=1))
        of_all = (
            share("top1", right.ravel(), repeats=repeats * len(moved), condition=label),
            share(name, stands, repeats=repeats),
            _ratio(f"{name}-gap", clean.astype(int) - stands, np.ones(len(clean), dtype=int), repeats, "lower"),
            _ratio(f"{name}-correct", clean & stands, clean, repeats, "higher"),
        )
        for measure in of_all:
            labelled = trials.layout.labelled
            yield measure if labelled else replace(measure, value=None, low=None, high=None, reason=NO_LABELS)


def _ratio(
    name: str, above: np.ndarray, below: np.ndarray, repeats: int, direction: Literal["higher", "lower"]
) -> Measure:
    """sum(above) / sum(below) of rows (N,), with its interval by bootstrap over images of `repeats` rows."""
    n = int(below.sum())
    if not n:
        reason = "no image is recognised before the change"
        return Measure(name=name, value=None, n=0, direction=direction, reason=reason)
    totals, weights = (values.reshape(-1, repeats).sum(axis=1) for values in (above, below))
    low, high = statistics.cluster_interval(totals, weights)
    value = int(above.sum()) / n
    return Measure(name=name, value=value, n=n, low=low, high=high, direction=direction, by_image=True)


def _drawn(batch: Batch) -> Iterator[list[View]]:
    """Ten views of each image, from its own random numbers."""
    largest = SHIFT * batch.size
    numbers = 2 * batch.uniform("worst-of-10").flatten(1)[:, : 3 * DRAWS].double().cpu().numpy() - 1
    for angle, rows, columns in numbers.T.reshape(DRAWS, 3, -1):
        moves = zip(ANGLE * angle, largest * rows, largest * columns, strict=True)
        yield [View(angle=turn, rows=down, columns=across) for turn, down, across in moves]


def _grid(batch: Batch) -> Iterator[list[View]]:
    """The same 775 views of every image."""
    shifts = np.linspace(-SHIFT * batch.size, SHIFT * batch.size, SHIFTS).tolist()
    for angle, rows, columns in product(np.linspace(-ANGLE, ANGLE, ANGLES).tolist(), shifts, shifts):
        yield [View(angle=angle, rows=rows, columns=columns)] * len(batch.sample_ids)


@hookimpl
def harness_probes() -> list[Probe]:
    """Ten small rotations and translations of each image."""
    return [WorstOf10()]
