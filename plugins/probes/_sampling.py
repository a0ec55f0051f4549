"""Images seen through an affine map: bilinear, and black where the map leaves the image.

Places are computed in float64 about the centre of the pixels, so that the identity and shifts by whole pixels return
the pixels themselves, bit for bit. ``grid_sample`` returns others: its places are divided by the side, and its default
``align_corners`` has changed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How an image is seen: scaled, then rotated about its centre, then shifted.

    Attributes:
        angle: in degrees, anticlockwise. rows, columns: shift down and right in pixels. scale: larger than 1 enlarges.
    """

    angle: float = 0.0
    rows: float = 0.0
    columns: float = 0.0
    scale: float = 1.0


def seen(images: torch.Tensor, views: Sequence[View], size: int) -> torch.Tensor:
    """Each image (B, 3, S, S) through its view, the central (B, 3, size, size) of the same type.

    A pixel of the result takes the bilinear value at the place of the image that the view moves to it.
    """
    import torch

    side, device = images.shape[-1], images.device
    centre = (side - 1) / 2
    axis = torch.arange(size, device=device, dtype=torch.float64) + (side - size) / 2 - centre
    numbers = torch.tensor([_numbers(view) for view in views], device=device, dtype=torch.float64)
    cosine, sine, rows, columns = numbers.T[:, :, None, None]
    down, across = axis[:, None] - rows, axis - columns
    return _bilinear(images, centre + cosine * down + sine * across, centre + cosine * across - sine * down)


def _numbers(view: View) -> tuple[float, float, float, float]:
    """Cosine and sine of the angle, divided by the scale; rows and columns."""
    angle = math.radians(view.angle)
    return math.cos(angle) / view.scale, math.sin(angle) / view.scale, view.rows, view.columns


def _bilinear(images: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Values at places (B, h, w) float64 in pixels, 0 outside."""
    import torch

    side, wide = (
        images.shape[-1],
        images.shape[-1] + 4,
    )  # two black pixels around it: the nearest outside, and its other
    flat = torch.nn.functional.pad(images, (2, 2, 2, 2)).flatten(2)
    top, left = rows.floor(), columns.floor()
    lower, right = (rows - top).float(), (columns - left).float()
    place = ((top.clamp_(-2, side) + 2) * wide + left.clamp_(-2, side) + 2).long().flatten(1)[:, None]
    out = torch.zeros(*images.shape[:2], *rows.shape[1:], device=images.device)
    corners = (
        (0, (1 - lower) * (1 - right)),
        (1, (1 - lower) * right),
        (wide, lower * (1 - right)),
        (wide + 1, lower * right),
    )
    for step, weights in corners:
        values = flat.gather(2, (place + step).expand(-1, flat.shape[1], -1))
        out += values.view(out.shape).mul_(weights[:, None])
    return out.clamp_(0, 1)
