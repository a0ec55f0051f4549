"""Fourier map: how much a network errs more when one spatial frequency is added to its images.

Yin, Gontijo Lopes, Shlens, Cubuk, Gilmer: "A Fourier Perspective on Model Robustness in Computer Vision" (NeurIPS
2019), as in gatheluck/FourierHeatmap: the basis of a frequency is the inverse real transform of a spectrum that is 1 at
this frequency and its mirror image and 0 elsewhere, a cosine without phase, scaled to an L2 norm of 15.7 for each
channel of 224 x 224 pixels in [0, 1]; it is added to each channel with a random sign, before normalization, and the
result is clipped. Clipping makes the change smaller on images with many black or white pixels; nothing makes up for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from harness import NO_LABELS, Batch, Measure, Probe, Trials, accuracy_measures, hookimpl, statistics

from ._changes import no_evidence
from ._clean import clean_trials

if TYPE_CHECKING:
    import torch

Frequency = tuple[int, int]
"""Cycles in an image, down and to the right; (i, j) and (-i, -j) are one."""
STUDY_SIDE: Final = 224
ANGLES: Final[Mapping[int, Frequency]] = {0: (0, 1), 45: (1, 1), 90: (1, 0), 135: (1, -1)}
"""Degrees -> the step from one frequency of this direction to the next."""
RINGS: Final = {"low": (0.0, 1 / 16), "mid": (1 / 16, 1 / 6), "high": (1 / 6, math.inf)}
"""Ring -> radii (above, up to), as parts of the side of an image."""


@dataclass(frozen=True, kw_only=True)
class FourierMap(Probe):
    """Accuracy with one frequency added, and the increase of the error over unmodified images.

    Per condition ``top1``, ``correct``, ``n`` and ``error-increase``, top-1 accuracy on unmodified images less that
    with the frequency added. ``fourier-sensitivity`` is its mean over the frequencies of a ring: ``low`` up to S/16
    cycles in an image of S pixels, ``mid`` up to S/6, ``high`` above. ``fourier-slope`` is Spearman's coefficient of
    the increase with the radius. Intervals come from the spread between images; the slope has none. Both are undefined
    for a network that guesses on unmodified images: it has no accuracy to lose, and would look robust.

    Attributes:
        norm: L2 norm of what is added to each channel of 224 x 224 pixels; for other sides the contrast is the same.
        radii: number of radii, from 1 cycle to the highest frequency, evenly spaced by their logarithms as far as whole
            cycles allow; each in 4 directions. Small images have fewer.
        full: side of the square of frequencies around zero that is measured instead, such as 63 of the published map
            (1,985 conditions: each frequency once); an odd number.
    """

    name: ClassVar[str] = "fourier-map"
    requires: ClassVar[tuple[str, ...]] = ("accuracy",)

    norm: float = 15.7
    radii: int = 12
    full: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.norm < math.inf:
            raise ValueError(f"norm is {self.norm}; expected a number above 0, such as 15.7")
        if self.radii < 1:
            raise ValueError(f"radii is {self.radii}; expected at least 1")
        if self.full < 0 or (self.full and self.full % 2 == 0):
            raise ValueError(
                f"full is {self.full}; expected an odd side such as 63, or 0 for {4 * self.radii} frequencies"
            )

    def conditions(self, size: int) -> tuple[str, ...]:
        """``fourier-31-45``, radius in cycles and degrees; of a full map ``fourier-3_-4``, cycles down and right."""
        return tuple(self.frequencies(size))

    def frequencies(self, size: int) -> dict[str, Frequency]:
        """Condition -> its frequency, for images of `size` x `size` pixels. Raises ValueError for too small ones."""
        if self.full:
            if self.full > size:
                raise ValueError(f"a map of {self.full} x {self.full} frequencies needs images of {self.full} pixels")
            reach = self.full // 2
            half = ((i, j) for i in range(reach + 1) for j in range(-reach, reach + 1) if i > 0 or j >= 0)
            return {f"fourier-{i}_{j}": (i, j) for i, j in half}
        highest = (size - 1) // 2
        count = min(self.radii, int(highest / math.sqrt(2)))
        if count < 1:
            raise ValueError(
                f"images of {size} x {size} pixels have no frequencies in four directions; use larger ones"
            )
        steps = {angle: _spaced(int(highest / math.sqrt(2)) if angle % 90 else highest, count) for angle in ANGLES}
        named = {}
        for place in range(count):
            for angle, (down, right) in ANGLES.items():
                frequency = down * steps[angle][place], right * steps[angle][place]
                named[f"fourier-{round(math.hypot(*frequency), 1):g}-{angle}"] = frequency
        return named

    def stimuli(self, batch: Batch) -> Iterator[tuple[str, torch.Tensor]]:
        """The sign of a channel is the same for all frequencies, and depends on the sample and the seed alone."""
        import torch

        signs = torch.where(batch.uniform("fourier")[:, :, :1, :1] < 0.5, -1.0, 1.0)
        size = batch.size
        for name, frequency in self.frequencies(size).items():
            wave = torch.tensor(basis(size, frequency, self.norm * size / STUDY_SIDE), device=batch.images.device)
            yield name, (batch.images + signs * wave).clamp_(0, 1)

    def measures(self, trials: Trials) -> Iterable[Measure]:
        """Accuracies, increases of the error, their means and slope. StoreError if clean trials have other samples."""
        clean = clean_trials(trials)
        increases = clean.correct[:, [clean.column("clean")]].astype(np.float64) - trials.correct
        for column, condition in enumerate(trials.layout.conditions):
            yield from accuracy_measures(trials, condition)
            yield _mean("error-increase", increases[:, [column]], trials, condition)
        radii, guesses = self._radii(trials), no_evidence(clean, ("clean",))
        for ring, (above, up_to) in RINGS.items():
            size = trials.layout.size
            chosen = (radii > above * size) & (radii <= up_to * size)
            yield _told(_mean("fourier-sensitivity", increases[:, chosen], trials, ring), guesses)
        yield _told(_slope(radii, increases, trials), guesses)

    def _radii(self, trials: Trials) -> np.ndarray:
        """(C,) cycles in an image."""
        frequencies = self.frequencies(trials.layout.size)
        return np.array([math.hypot(*frequencies[condition]) for condition in trials.layout.conditions])


def _spaced(most: int, count: int) -> list[int]:
    """`count` whole numbers from 1 to `most`, none twice, evenly spaced by their logarithms as far as possible."""
    numbers: list[int] = []
    for place, wanted in enumerate(np.geomspace(1, most, count)):
        least, room = numbers[-1] + 1 if numbers else 1, most - (count - 1 - place)
        numbers.append(min(max(round(wanted), least), room))
    return numbers


@lru_cache(maxsize=64)
def basis(size: int, frequency: Frequency, norm: float) -> np.ndarray:
    """(S, S) float32, read-only: cos(2π(i·row + j·column)/S) of L2 norm `norm`.

    Its amplitude is √2·norm/S, and norm/S where i and j are each 0 or S/2: there the cosine is 1 or -1 everywhere.
    """
    down, right = frequency
    place = np.arange(size)
    phase = 2 * np.pi / size * ((down * place[:, None] + right * place[None, :]) % size)
    own_mirror = (2 * down) % size == 0 and (2 * right) % size == 0
    wave: np.ndarray = np.cos(phase) * (norm / size * (1 if own_mirror else math.sqrt(2)))
    wave = wave.astype(np.float32)
    wave.flags.writeable = False
    return wave


def _mean(name: str, increases: np.ndarray, trials: Trials, label: str) -> Measure:
    """The mean of `increases` (N, c), -1 to 1, with its interval from the spread between images."""
    n, columns = increases.shape
    named = Measure(
        name=name, value=None, unit="1", direction="lower", condition=label, n=n, reason=NO_LABELS, by_image=True
    )
    if not trials.layout.labelled:
        return named
    if not n or not columns:
        return replace(named, reason="no trials" if not n else "no frequency in this ring")
    of_images = increases.mean(axis=1).reshape(-1, trials.repeats).mean(axis=1)
    value = float(increases.sum() / increases.size)
    if len(of_images) < 2 or not np.ptp(of_images):
        return replace(named, value=value, reason=None)
    half = statistics.Z95 * float(of_images.std(ddof=1)) / math.sqrt(len(of_images))
    return replace(named, value=value, reason=None, low=max(-1.0, value - half), high=min(1.0, value + half))


def _told(measure: Measure, guesses: str) -> Measure:
    """`measure`; undefined, with this reason, if there is one."""
    if not guesses or measure.value is None:
        return measure
    return replace(measure, value=None, low=None, high=None, reason=guesses)


def _slope(radii: np.ndarray, increases: np.ndarray, trials: Trials) -> Measure:
    n = len(increases)
    named = Measure(name="fourier-slope", value=None, unit="1", n=n, reason=NO_LABELS)
    if not trials.layout.labelled or not n:
        return named if n else replace(named, reason="no trials")
    slope = statistics.spearman(radii, increases.sum(axis=0), ("radius", "error increase"))
    return replace(named, value=slope.value, reason=slope.reason)


@hookimpl
def harness_probes() -> list[Probe]:
    """Accuracy with one spatial frequency added."""
    return [FourierMap()]
