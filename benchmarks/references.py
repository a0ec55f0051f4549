"""The per-image way of the study's scripts, against which the probes that filter are measured. Needs pyrtools."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

CUTOFFS = [0.01, *np.arange(0.1, 0.99, 0.1), 0.99]
NOISE = [(0.0, 0)] + [(sd, band) for band in range(7) for sd in (0.02, 0.04, 0.08, 0.16)]


def band_pass(images: torch.Tensor) -> None:
    """A full transform, mask and inverse for every image and condition."""
    for low in (False, True):
        for cutoff in CUTOFFS:
            for image in images:
                spectrum = torch.fft.fftshift(torch.fft.fft2(image))
                centre = image.shape[-1] // 2
                radius = int((cutoff if low else 1 - cutoff) * centre)
                inside = slice(centre - radius, centre + radius)
                mask = torch.zeros_like(spectrum) if low else torch.ones_like(spectrum)
                mask[:, inside, inside] = float(low)
                torch.fft.ifft2(torch.fft.ifftshift(spectrum * mask)).real.clip(0, 1)


def critical_band(images: list[np.ndarray], keep_in_range: Callable[[np.ndarray], np.ndarray]) -> None:
    """A noise field, a pyramid and two reconstructions of it for every image and condition."""
    from pyrtools.pyramids import LaplacianPyramid

    for sd, band in NOISE:
        for grey in images:
            scaled = grey / 255.0
            base = (scaled - scaled.mean()) * 0.2 + 0.449
            if sd:
                pyramid = LaplacianPyramid(np.random.randn(*base.shape) * sd)  # noqa: NPY002 - as the original draws
                noise = pyramid.recon_pyr(levels=6 - band)
                noise *= _rms(pyramid.recon_pyr(levels=0)) / _rms(noise)
                noisy = base + noise
                if noisy.min() < 0 or noisy.max() > 1:
                    noisy = keep_in_range(noisy)
                base = noisy
            stacked = np.stack([base.astype(np.float32)] * 3, axis=2)
            torch.from_numpy(stacked).permute(2, 0, 1).contiguous()


def _rms(field: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(field))))


def loop(noisy: np.ndarray) -> np.ndarray:
    """Out-of-range pixels to 0.1 and 0.9, pixel by pixel as in the original."""
    for row in range(noisy.shape[0]):
        for column in range(noisy.shape[1]):
            if noisy[row, column] < 0 or noisy[row, column] > 1:
                noisy[row, column] = 0.1 if noisy[row, column] < 0 else 0.9
    return noisy


def mask(noisy: np.ndarray) -> np.ndarray:
    """The same for all pixels at once."""
    return np.where(noisy < 0, 0.1, np.where(noisy > 1, 0.9, noisy))
