"""Augmentations of a batch of training images (B, 3, 64, 64) float32 in [0, 1].

All random numbers come from one generator on the CPU; their order determines the trained weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch.nn import functional

from .recipe import Augmentations

Uniform = Callable[..., torch.Tensor]
_TILES = 4


def augmented(images: torch.Tensor, augment: Augmentations, generator: torch.Generator) -> torch.Tensor:
    """`images` with all augmentations of `augment` but mixup; in [0, 1], with channels last in memory."""

    def uniform(*shape: int) -> torch.Tensor:
        return torch.rand(shape, generator=generator).to(images.device)

    batch = len(images)
    if augment.crop is not None:
        images = _cropped(images, augment.crop, uniform)
    if augment.shift:
        images = _shifted(images, augment.shift, uniform)
    if augment.colour:
        images = _coloured(images, augment.colour, uniform)
    if augment.grey:
        grey = images.mean(dim=1, keepdim=True).expand_as(images)
        images = _where(uniform(batch) < augment.grey, grey, images)
    if augment.shuffle:
        images = _where(uniform(batch) < augment.shuffle, _shuffled(images, generator), images)
    if augment.blur:
        images = _where(uniform(batch) < augment.filtered, _blurred(images, augment.blur * float(uniform(1))), images)
    if augment.low_pass:
        images = _where(
            uniform(batch) < augment.filtered, _filtered(images, augment.low_pass, uniform, keep_low=True), images
        )
    if augment.high_pass:
        images = _where(
            uniform(batch) < augment.filtered, _filtered(images, augment.high_pass, uniform, keep_low=False), images
        )
    if augment.noise:
        field = torch.randn(images.shape, generator=generator).to(images.device)
        noisy = images + field * (uniform(batch, 1, 1, 1) * augment.noise)
        images = _where(uniform(batch) < augment.filtered, noisy.clamp(0, 1), images)
    if augment.cutout:
        images = _cut(images, augment.cutout, uniform)
    return images.contiguous(memory_format=torch.channels_last)


def mixed(
    images: torch.Tensor, targets: torch.Tensor, alpha: float, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mixup: each image with another of the batch, with one weight for all; `targets` (B, 16) likewise."""
    # torch's gamma sampler would ignore the generator, so Beta(a, a) is sampled by rejection (Jöhnk 1964).
    while True:
        first, second = torch.rand(2, generator=generator).pow(1 / alpha).tolist()
        if 0 < first + second <= 1:
            break
    share = first / (first + second)
    order = torch.randperm(len(images), generator=generator).to(images.device)
    return share * images + (1 - share) * images[order], share * targets + (1 - share) * targets[order]


def _where(mask: torch.Tensor, yes: torch.Tensor, no: torch.Tensor) -> torch.Tensor:
    return torch.where(mask.view(-1, 1, 1, 1), yes, no)


def _cropped(images: torch.Tensor, least: float, uniform: Uniform) -> torch.Tensor:
    """A random square of each image, its side from `least` of the image's, resized back."""
    batch = len(images)
    side = least + (1 - least) * uniform(batch)
    x, y = ((uniform(batch) * 2 - 1) * (1 - side) for _ in range(2))
    zero = torch.zeros_like(side)
    theta = torch.stack([torch.stack([side, zero, x], 1), torch.stack([zero, side, y], 1)], 1)
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False, padding_mode="reflection")


def _shifted(images: torch.Tensor, most: int, uniform: Uniform) -> torch.Tensor:
    """The whole batch shifted by up to `most` pixels, with edge padding."""
    right, down = ((uniform(2) * (2 * most + 1)).long()).tolist()
    size = images.shape[-1]
    padded = functional.pad(images, (most,) * 4, mode="replicate")
    return padded[..., down : down + size, right : right + size]


def _coloured(images: torch.Tensor, strength: float, uniform: Uniform) -> torch.Tensor:
    batch = len(images)
    brightness, contrast, saturation = (1 + strength * (uniform(batch, 1, 1, 1) * 2 - 1) for _ in range(3))
    images = images * brightness
    middle = images.mean(dim=(1, 2, 3), keepdim=True)
    images = (images - middle) * contrast + middle
    grey = images.mean(dim=1, keepdim=True)
    return ((images - grey) * saturation + grey).clamp(0, 1)


def _shuffled(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """The 16 tiles of every image, in one random order for the batch."""
    batch, channels, size, _ = images.shape
    side = size // _TILES
    tiles = images.view(batch, channels, _TILES, side, _TILES, side).permute(2, 4, 0, 1, 3, 5)
    tiles = tiles.reshape(_TILES * _TILES, batch, channels, side, side)
    tiles = tiles[torch.randperm(_TILES * _TILES, generator=generator).to(images.device)]
    tiles = tiles.view(_TILES, _TILES, batch, channels, side, side).permute(2, 3, 0, 4, 1, 5)
    shuffled: torch.Tensor = tiles.reshape(batch, channels, size, size)
    return shuffled


def _blurred(images: torch.Tensor, deviation: float) -> torch.Tensor:
    """A Gaussian blur by its transfer function, so with circular padding; much faster than convolution."""
    size = images.shape[-1]
    rows = torch.fft.fftfreq(size, device=images.device)[:, None]
    columns = torch.fft.rfftfreq(size, device=images.device)[None]
    transfer = torch.exp((rows**2 + columns**2) * (-2 * (math.pi * deviation) ** 2))
    blurred: torch.Tensor = torch.fft.irfft2(torch.fft.rfft2(images) * transfer, s=(size, size))
    return blurred.clamp(0, 1)


def _filtered(images: torch.Tensor, radii: tuple[int, int], uniform: Uniform, *, keep_low: bool) -> torch.Tensor:
    """Frequencies inside (or outside) a box of random radius, from the first to the second of `radii`; clipped.

    Outside a box the mean is removed too, so values below the mean are clipped to black.
    """
    size = images.shape[-1]
    radius = radii[0] + (radii[1] - radii[0]) * uniform(len(images), 1, 1, 1)
    rows = torch.fft.fftfreq(size, 1 / size, device=images.device).abs()[:, None]
    columns = torch.fft.rfftfreq(size, 1 / size, device=images.device)[None]
    inside = (torch.maximum(rows, columns) < radius) == keep_low
    filtered: torch.Tensor = torch.fft.irfft2(torch.fft.rfft2(images) * inside, s=(size, size))
    return filtered.clamp(0, 1)


def _cut(images: torch.Tensor, side: int, uniform: Uniform) -> torch.Tensor:
    size = images.shape[-1]
    line = torch.arange(size, device=images.device)
    left, top = ((uniform(len(images), 1) * (size - side + 1)).long() for _ in range(2))
    columns = (line >= left) & (line < left + side)
    rows = (line >= top) & (line < top + side)
    return images.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], 0.5)
