"""Critical band: the spatial frequencies that a network needs, measured by masking one octave at a time with noise.

Subramanian et al., "Spatial-frequency channels, shape bias, and adversarial robustness" (NeurIPS 2023; repository
ajaysub110/critical-band-masking), as used by Gavrikov & Keuper, "Can Biases in ImageNet Models Explain
Generalization?" (CVPR 2024; ``eval_criticalband.py``). The bands are those of the Laplacian pyramid (Burt & Adelson
1983) of pyrtools: five binomial taps scaled to sum sqrt(2) per axis, mirrored edges, as many levels as fit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from harness import NO_LABELS, Batch, Measure, Probe, Trials, accuracy_measures, hookimpl

from ._batches import chunks
from ._channels import tabulated
from ._pyramid import band_count, equal_power_bands

if TYPE_CHECKING:
    import torch

NOISE_SDS = (0.02, 0.04, 0.08, 0.16)
CONTRAST, LUMINANCE, MARGIN = 0.2, 0.449, 0.1
ABOVE_ONE = float(np.nextafter(np.float32(1), np.float32(2)))
BELOW_ZERO = float(np.nextafter(np.float32(0), np.float32(-1)))
"""The float32 numbers next to 1 and 0: the first out of range."""
FIT_POINTS = 4
"""Fewest bands that can be fitted: the channel has three parameters."""


class ChannelError(ValueError):
    """No channel can be fitted to these thresholds; the message becomes the reason of the measures."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A Gaussian over the band index f: amplitude · exp(-(f - center)² / (2 · width²)).

    Attributes:
        amplitude: from 0 to the number of noise SDs. center: in bands. width: in bands (octaves), of either sign.
    """

    amplitude: float
    center: float
    width: float

    def flags(self, bands: int) -> tuple[str, ...]:
        """``censored``: the amplitude is at its upper bound. ``extrapolated``: it exceeds the measured bands."""
        censored = self.amplitude > len(NOISE_SDS) - 1e-3
        extrapolated = not -0.5 <= self.center <= bands - 0.5 or abs(self.bandwidth) > bands
        return ("censored",) * censored + ("extrapolated",) * extrapolated

    @property
    def bandwidth(self) -> float:
        """Full width at half maximum in octaves, with the sign of `width`."""
        return 2 * math.sqrt(math.log(4)) * self.width

    @property
    def peak_noise_sensitivity(self) -> float:
        """2^(amplitude - 4), between 1/16 and 1."""
        return float(2 ** (self.amplitude - len(NOISE_SDS)))

    def center_frequency(self, size: int) -> float:
        """Cycles per image of `size` pixels; infinite if the fit diverged."""
        try:
            return float(size / 2 ** band_count(size) * 2**self.center)
        except OverflowError:
            return math.inf


@dataclass(frozen=True, kw_only=True)
class CriticalBand(Probe):
    """Width, centre and peak sensitivity of the frequency channel with which a network recognises objects.

    Stimuli are grey, with contrast 0.2 about 0.449. Condition ``noise-0`` has no noise, ``noise-SD-fF`` noise in band F
    only (0: the low-pass residual; the last: the finest), with the power of the finest band of white noise of that SD.
    Pixels below 0 become 0.1, above 1 become 0.9. (If the noise of a pixel exceeds ±0.9 the original redraws it;
    measured at the largest SD: at most 3 % of the images have such a pixel, at most 0.2 pixels per image, and none was
    redrawn in 580 runs of the original. Here these pixels too become 0.1 or 0.9.)

    One noise field for each sample serves all bands and SDs, where the original draws one for each: every condition has
    the same distribution, and differences between conditions vary less.

    Measures: ``top1``, ``correct``, ``n`` per condition; ``critical-band-threshold`` per band; from accuracies divided
    by the accuracy without noise ``critical-band-bandwidth``, ``critical-band-center-frequency`` and
    ``critical-band-peak-noise-sensitivity``; the same three with ``-raw`` from plain accuracies, the bandwidth with its
    sign as in the original analysis (negative for some networks).

    Flags of the three: ``censored``, the fitted amplitude is at its bound, so the sensitivity is a lower bound and the
    other two come from a clipped fit; ``extrapolated``, the centre is outside the bands or the bandwidth exceeds them.
    """

    name: ClassVar[str] = "critical-band"

    def conditions(self, size: int) -> tuple[str, ...]:
        """``noise-0``, ``noise-0.02-f0``, …; 29 at 224 pixels. ValueError below 20 pixels: too few bands to fit."""
        if band_count(size) < FIT_POINTS:
            raise ValueError(f"critical-band needs images of at least 20x20 pixels, got {size}x{size}")
        noisy = (_condition(sd, band) for band in range(band_count(size)) for sd in NOISE_SDS)
        return ("noise-0", *noisy)

    def stimuli(self, batch: Batch) -> Iterator[tuple[str, torch.Tensor]]:
        """Stimuli band by band, so that memory does not grow with the number of bands."""
        import torch

        base = _low_contrast(batch.images)
        yield "noise-0", _masked(base, base, 0, torch.empty_like(batch.images))
        for band, noise in enumerate(equal_power_bands(batch.noise("critical-band"))):
            for sd in NOISE_SDS:
                yield _condition(sd, band), _masked(base, noise, sd, torch.empty_like(batch.images))

    def measures(self, trials: Trials) -> Iterable[Measure]:
        """Accuracies, thresholds and the channel, once relative to the accuracy without noise and once raw."""
        for condition in trials.layout.conditions:
            yield from accuracy_measures(trials, condition)
        hits, n, size = _hits(trials), len(trials.correct), trials.layout.size
        labelled = trials.layout.labelled
        raw = hits / n if n and labelled else None
        yield from _channel_measures(raw, size, n, "-raw", "no trials" if labelled else NO_LABELS)
        relative = hits / hits[0] if hits[0].all() else None
        wrong = f"no image without noise is recognised (0 of {n}), so there is nothing to divide by"
        reason = wrong if labelled else NO_LABELS
        yield from _threshold_measures(relative, hits.shape[1], n, reason)
        yield from _channel_measures(relative, size, n, "", reason)


def _condition(sd: float, band: int) -> str:
    return f"noise-{sd:g}-f{band}"


# --- stimuli ---------------------------------------------------------------------------------


def _low_contrast(images: torch.Tensor) -> torch.Tensor:
    """Grey images of contrast 0.2 about 0.449, (B, S, S) float32, from (B, 3, S, S) with values k/255.

    Grey is PIL's ``convert("L")``: ITU-R 601 weights in 16-bit fixed point, rounded, on the uint8 values. No
    intermediate number exceeds 2^24, so float32 represents them, and float64 their sum, exactly.
    """
    import torch

    low_contrast = torch.empty_like(images[:, 0])
    for place, chunk in chunks(images):
        red, green, blue = chunk.mul_(255).round_().unbind(dim=1)
        grey = red.mul_(19595).add_(green.mul_(38470)).add_(blue.mul_(7471)).add_(0x8000).div_(0x10000).floor_()
        mean = grey.sum(dim=(1, 2), dtype=torch.float64, keepdim=True) / (255 * grey[0].numel())
        grey.mul_(CONTRAST / 255).add_((LUMINANCE - CONTRAST * mean).float())
        low_contrast[place] = grey[: place.stop - place.start]
    return low_contrast


def _masked(base: torch.Tensor, noise: torch.Tensor, sd: float, out: torch.Tensor) -> torch.Tensor:
    """base + sd * noise, below 0 replaced by 0.1 and above 1 by 0.9, from (B, S, S) into three equal channels of `out`.

    `threshold_` (x <= t becomes v) is vectorised on the CPU, four times faster than a mask; the sum is negated first to
    apply it to the upper bound.
    """
    import torch

    sums = torch.mul(noise, -sd, out=out[:, 0]).sub_(base)
    torch.threshold_(sums, -ABOVE_ONE, MARGIN - 1)
    torch.threshold_(sums.neg_(), BELOW_ZERO, MARGIN)
    out[:, 1:] = sums[:, None]
    return out


# --- channel ---------------------------------------------------------------------------------


def thresholds(accuracy: np.ndarray) -> np.ndarray:
    """Noise that each band tolerates, (L,) int: 0 the strongest … 4 none.

    Args:
        accuracy: (5, L) fractions under noise SDs 0, 0.02, 0.04, 0.08, 0.16; the first row without noise.

    Returns:
        The smallest j for which accuracy[4 - j] exceeds one half; 4 if none does.
    """
    accuracy = np.asarray(accuracy, dtype=np.float64)
    if accuracy.ndim != 2 or len(accuracy) != len(NOISE_SDS) + 1 or not np.isfinite(accuracy).all():
        raise ValueError(f"expected finite accuracies of shape (5, bands), got {accuracy.shape}")
    enough = accuracy[::-1] > 0.5
    return np.where(enough.any(axis=0), enough.argmax(axis=0), len(NOISE_SDS))


def fit(indices: np.ndarray) -> Channel:
    """The least-squares fit of a channel to thresholds (L,), as in the original analysis.

    Bounded trust-region search from amplitude 1, center 0, width 1, amplitude within [0, 4]: as
    ``scipy.optimize.curve_fit``, without its covariance, which does not exist for some of these fits. Those of four or
    five bands are tabulated.

    Raises:
        ChannelError: all thresholds are equal, or the search did not converge.
    """
    indices = np.asarray(indices, dtype=np.float64)
    if np.ptp(indices) == 0:
        raise ChannelError(f"all {len(indices)} thresholds are {indices[0]:g}: no band stands out")
    return _fitted(tuple(indices.tolist()))


@lru_cache(4096)
def _fitted(thresholds: tuple[float, ...]) -> Channel:
    """`fit`, once for equal thresholds: few patterns occur."""
    stored = tabulated(thresholds)
    return Channel(*stored) if stored else search(np.array(thresholds))


def search(indices: np.ndarray) -> Channel:
    """`fit` by SciPy, for thresholds that are not all equal."""
    from scipy.optimize import least_squares

    bands = np.arange(len(indices), dtype=np.float64)

    def residuals(parameters: np.ndarray) -> np.ndarray:
        amplitude, center, width = parameters
        with np.errstate(all="ignore"):  # least_squares itself rejects non-finite residuals
            return np.asarray(amplitude * np.exp(-((bands - center) ** 2) / (2 * width**2)) - indices)

    free, most = np.inf, len(NOISE_SDS)
    try:
        solution = least_squares(residuals, (1.0, 0.0, 1.0), bounds=((0, -free, -free), (most, free, free)))
    except ValueError as error:
        raise ChannelError(f"no channel fits thresholds {_listed(indices)}: {error}") from error
    if not solution.success or not np.isfinite(solution.x).all():
        raise ChannelError(f"no channel fits thresholds {_listed(indices)}: {solution.message}")
    return Channel(*(float(value) for value in solution.x))


def _listed(indices: np.ndarray) -> str:
    return " ".join(f"{index:g}" for index in indices)


# --- measures --------------------------------------------------------------------------------


def _hits(trials: Trials) -> np.ndarray:
    """Numbers of correct decisions, (5, L): row 0 without noise (the same for every band), then by rising noise SD."""
    correct = trials.correct.sum(axis=0, dtype=np.int64)
    bands = range(band_count(trials.layout.size))
    clean = [correct[trials.column("noise-0")] for _ in bands]
    return np.array([clean, *([correct[trials.column(_condition(sd, band))] for band in bands] for sd in NOISE_SDS)])


def _threshold_measures(accuracy: np.ndarray | None, bands: int, n: int, reason: str) -> Iterator[Measure]:
    values: list[int | None] = [None] * bands if accuracy is None else thresholds(accuracy).tolist()
    for band, value in enumerate(values):
        cause = reason if value is None else None
        yield Measure(
            name="critical-band-threshold", condition=f"f{band}", value=value, unit="count", n=n, reason=cause
        )


def _channel_measures(accuracy: np.ndarray | None, size: int, n: int, suffix: str, reason: str) -> Iterator[Measure]:
    """Bandwidth, centre and peak; all three undefined with the same reason if there is no channel."""
    units = {"bandwidth": "octaves", "center-frequency": "cycles/image", "peak-noise-sensitivity": "1"}
    values: dict[str, float] = {}
    flags: tuple[str, ...] = ()
    if accuracy is not None:
        try:
            channel = fit(thresholds(accuracy))
        except ChannelError as error:
            reason = str(error)
        else:
            width = channel.bandwidth if suffix else abs(channel.bandwidth)
            parameters = (width, channel.center_frequency(size), channel.peak_noise_sensitivity)
            values, flags = dict(zip(units, parameters, strict=True)), channel.flags(accuracy.shape[1])
            reason = f"the fitted channel ran away: center {channel.center:.4g}, width {channel.width:.4g}"
    for quantity, unit in units.items():
        name, value = f"critical-band-{quantity}{suffix}", values.get(quantity)
        if value is not None and math.isfinite(value):
            yield Measure(name=name, value=value, unit=unit, n=n, flags=flags)
        else:
            yield Measure(name=name, value=None, unit=unit, n=n, reason=reason)


@hookimpl
def harness_probes() -> list[Probe]:
    """The frequency channel with which a network recognises objects."""
    return [CriticalBand()]
