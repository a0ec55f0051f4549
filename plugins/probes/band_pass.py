"""Band-pass: what a network recognises from low, or from high, spatial frequencies alone.

Gavrikov & Keuper, "Can Biases in ImageNet Models Explain Generalization?" (CVPR 2024), with the definition of their
script ``eval_spectral.py``: on the image after resize and crop, in [0, 1], before normalization,

* the spectrum, with its zero frequency shifted to row and column S // 2, is multiplied by a box of width 2r, from -r to
  r - 1 in both directions (a box, not a disc; off centre by one line; the real part of the result is kept);
* r = int(cutoff * (S // 2)), truncated; low-pass keeps the box, high-pass removes it and uses 1 - cutoff;
* the result is clipped to [0, 1]. High-pass images have no offset, so clipping blackens about half of their pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from harness import NO_LABELS, Batch, Measure, Probe, Trials, accuracy_measures, hookimpl, statistics

from ._batches import chunks
from ._clean import clean_trials

if TYPE_CHECKING:
    import torch

# The study's list is [0.01, *np.arange(.1, .99, .1), .99]. The last digits matter: because of the truncation, 0.7 in
# place of 0.7000000000000001 would change the radius by one at some sizes.
STUDY_CUTOFFS = (0.01, 0.1, 0.2, 0.30000000000000004, 0.4, 0.5, 0.6, 0.7000000000000001, 0.8, 0.9, 0.99)


@dataclass(frozen=True, kw_only=True)
class BandPass(Probe):
    """Accuracy under low-pass and high-pass filters.

    Per condition ``top1``, ``correct``, ``n`` and ``relative-top1``, the top-1 accuracy divided by that on unmodified
    images. ``low-frequency-bias`` and ``high-frequency-bias`` are the means of ``relative-top1`` over `bias_cutoffs`.
    Their 95 % intervals come from the spread between images, see `ratio_half_width`; there is none if that is zero.

    Attributes:
        cutoffs: fractions of the highest frequency, each used for a low-pass and a high-pass.
        bias_cutoffs: the cutoffs that the biases average.
    """

    name: ClassVar[str] = "band-pass"
    requires: ClassVar[tuple[str, ...]] = ("accuracy",)
    denominators: ClassVar[Mapping[str, str]] = {
        "relative-top1": "top1",
        "low-frequency-bias": "top1",
        "high-frequency-bias": "top1",
    }

    cutoffs: tuple[float, ...] = STUDY_CUTOFFS
    bias_cutoffs: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5)

    def __post_init__(self) -> None:
        names = [_short(cutoff) for cutoff in self.cutoffs]
        if not names or not all(0 <= cutoff <= 1 for cutoff in self.cutoffs):
            raise ValueError(f"cutoffs are fractions from 0 to 1, at least one; got {self.cutoffs}")
        if len(set(names)) < len(names):
            raise ValueError(f"cutoffs must differ in their first six digits, got {self.cutoffs}")
        missing = [_short(cutoff) for cutoff in self.bias_cutoffs if _short(cutoff) not in names]
        if missing or not self.bias_cutoffs:
            raise ValueError(f"bias_cutoffs {', '.join(missing) or '()'} must be among cutoffs: {', '.join(names)}")

    def conditions(self, size: int) -> tuple[str, ...]:
        """``low-pass-0.01``, ``high-pass-0.99``, ``low-pass-0.1``, …: most pairs are complementary filters."""
        return tuple(name for name, _, _ in self._filters(size))

    def stimuli(self, batch: Batch) -> Iterator[tuple[str, torch.Tensor]]:
        """One forward transform for each batch, and one inverse for each pair of filters with the same box."""
        import torch

        images = batch.images
        spectra = [(place, torch.fft.rfft2(chunk)) for place, chunk in chunks(images)]
        halves: dict[tuple[bool, int], torch.Tensor] = {}
        for name, keeps_low, radius in self._filters(images.shape[-1]):
            if (keeps_low, radius) not in halves:
                low, high = torch.empty_like(images), torch.empty_like(images)
                _split(images, spectra, radius, low, high)
                halves = {(True, radius): low, (False, radius): high}
                del low, high
            yield name, halves.pop((keeps_low, radius))

    def measures(self, trials: Trials) -> Iterable[Measure]:
        """Accuracies, relative accuracies and the two biases. Raises StoreError if clean trials have other samples."""
        clean = clean_trials(trials)
        for condition in trials.layout.conditions:
            yield from accuracy_measures(trials, condition)
            yield _relative("relative-top1", trials, clean, (condition,), condition)
        for band in ("low", "high"):
            conditions = tuple(f"{band}-pass-{_short(cutoff)}" for cutoff in self.bias_cutoffs)
            yield _relative(f"{band}-frequency-bias", trials, clean, conditions)

    def _filters(self, size: int) -> Iterator[tuple[str, bool, int]]:
        """(condition, whether it keeps the box, radius of the box in frequencies) for all conditions in order."""
        half = size // 2
        for low, high in zip(self.cutoffs, reversed(self.cutoffs), strict=True):
            yield f"low-pass-{_short(low)}", True, int(low * half)
            yield f"high-pass-{_short(high)}", False, int((1 - high) * half)


def _short(cutoff: float) -> str:
    """0.30000000000000004 -> "0.3"."""
    return f"{cutoff:g}"


def _split(
    images: torch.Tensor,
    spectra: list[tuple[slice, torch.Tensor]],
    radius: int,
    low: torch.Tensor,
    high: torch.Tensor,
) -> None:
    """Fill `low` and `high` with the part of `images` inside and outside the box, clipped; (B, 3, S, S) each.

    Works chunk by chunk, while the chunk is in the cache: passes over memory would cost more than the transform.

    Args:
        spectra: place in the batch and ``rfft2`` (c, 3, S, S // 2 + 1) of every chunk.
    """
    import torch

    size = images.shape[-1]
    weights = half_plane(size, radius, images.device).to(torch.complex64)  # once, not with every product
    for place, spectrum in spectra:
        inside = torch.fft.irfft2(spectrum * weights, s=(size, size))[: place.stop - place.start]
        torch.clamp(inside, 0, 1, out=low[place])
        torch.clamp(images[place] - inside, 0, 1, out=high[place])


@lru_cache(maxsize=64)
def half_plane(size: int, radius: int, device: torch.device) -> torch.Tensor:
    """Weights (S, S // 2 + 1) float32 for a real spectrum, equivalent to the off-centre box on a full spectrum.

    The real part of a filtered real image keeps the even part of the filter, (M(k) + M(-k)) / 2: 1 inside, 0 outside,
    1/2 on lines that only one of the box and its mirror image covers.
    """
    import torch

    centre = size // 2
    box = torch.zeros(size, size)
    box[centre - radius : centre + radius, centre - radius : centre + radius] = 1
    box = torch.fft.ifftshift(box)
    mirrored = box.flip(0, 1).roll((1, 1), (0, 1))
    weights: torch.Tensor = (box + mirrored) / 2
    return weights[:, : size // 2 + 1].to(device)


def _relative(name: str, trials: Trials, clean: Trials, conditions: tuple[str, ...], label: str = "") -> Measure:
    """Mean top-1 accuracy under `conditions` divided by the top-1 accuracy on unmodified images, with its interval."""
    unmodified = clean.correct[:, clean.column("clean")].astype(np.float64)
    n, hits = len(unmodified), int(unmodified.sum())
    if not hits:
        wrong = f"no unmodified image is recognised (0 of {n}), so there is nothing to divide by"
        reason = wrong if clean.layout.labelled else NO_LABELS
        return Measure(name=name, condition=label, value=None, unit="1", n=n, reason=reason)
    filtered = trials.correct[:, [trials.column(condition) for condition in conditions]]
    value = int(filtered.sum()) / (len(conditions) * hits)  # one division: equal ratios are equal numbers
    above, below = (rows.reshape(-1, trials.repeats).mean(axis=1) for rows in (filtered.mean(axis=1), unmodified))
    half = ratio_half_width(above, below)
    low, high = (None, None) if half is None else (max(0.0, value - half), value + half)
    return Measure(name=name, condition=label, value=value, unit="1", n=n, low=low, high=high, by_image=True)


def ratio_half_width(above: np.ndarray, below: np.ndarray) -> float | None:
    """Half-width of the 95 % interval of sum(above) / sum(below), whose items are paired by image.

    Delta method (Cochran, Sampling Techniques, 1977, section 6.4): an image contributes its residual
    above - ratio * below, so images that are correct, or wrong, in both contribute little.

    Args:
        above, below: (n,) float64; sum(below) > 0.

    Returns:
        None if there is no spread between images: all residuals are zero, or there is one image.
    """
    n = len(below)
    residuals = above - above.sum() / below.sum() * below
    spread = float(np.square(residuals).sum())
    if n < 2 or math.isclose(spread, 0.0, abs_tol=1e-12):
        return None
    return statistics.Z95 * math.sqrt(spread * n / (n - 1)) / float(below.sum())


@hookimpl
def harness_probes() -> list[Probe]:
    """Accuracy under low-pass and high-pass filters."""
    return [BandPass()]
