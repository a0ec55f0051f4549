"""Bilinear resizing, with weights computed in float64."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._batches import chunks

if TYPE_CHECKING:
    import torch


def resized(images: torch.Tensor, side: int) -> torch.Tensor:
    """Square images (B, 3, S, S) in [0, 1] at another side, (B, 3, side, side); at the same side, the same values.

    Bilinear with pixels as areas (``align_corners=False``); where it shrinks, the triangle is as wide as the pixels of
    the result (``antialias``). In float64, since float32 places of pixels are wrong by 1e-5 at 224 pixels. Where it
    enlarges, ``antialias`` changes no number, but rounds the same on any number of threads.
    """
    import torch

    out = images.new_empty(*images.shape[:2], side, side)
    for place, chunk in chunks(images):
        values = torch.nn.functional.interpolate(
            chunk.double(),
            size=(side, side),
            mode="bilinear",
            align_corners=False,
            antialias=True,
        )
        out[place] = values[: place.stop - place.start]
    return out.clamp_(0, 1)


def pixels(fraction: float, size: int) -> int:
    """The whole number of pixels nearest to `fraction` of `size`; halves are rounded up."""
    return int(fraction * size + 0.5)
