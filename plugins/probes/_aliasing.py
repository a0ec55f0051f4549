"""Aliasing of a layer's map: how much of what it computes at twice as many places is lost where it keeps every second.

A layer of stride s computes a map at every s-th pixel. The same layer on the image rolled by s / 2 pixels computes it
at the places between, so four rolled images give the map at twice the resolution, of which the layer keeps every second
row and column. Frequencies from a quarter of a cycle a place on are then mistaken for lower ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import torch

Offset = tuple[int, int]
"""How far an image is rolled: rows down, columns to the right."""
LEAST_SIDE: Final = 3
"""Side of the smallest map: at twice that, some frequency other than zero lies below a quarter of a cycle a place."""


def interleaved(still: torch.Tensor, down: torch.Tensor, right: torch.Tensor, both: torch.Tensor) -> torch.Tensor:
    """Maps (…, h, w) of an image, and of the image rolled by half a stride, as one map (…, 2h, 2w).

    Where the image is rolled down, a layer sees what lies above: its first row is the last of the finer map.
    """
    dense = still.new_empty((*still.shape[:-2], 2 * still.shape[-2], 2 * still.shape[-1]))
    dense[..., ::2, ::2] = still
    dense[..., 1::2, ::2] = down.roll(-1, -2)
    dense[..., ::2, 1::2] = right.roll(-1, -1)
    dense[..., 1::2, 1::2] = both.roll((-1, -1), (-2, -1))
    return dense


def alias(dense: torch.Tensor, *, windowed: bool) -> torch.Tensor:
    """() share of the energy of a map (C, N, N), over all channels, that is aliased where it is halved: 0 to 1.

    1 - energy below a quarter of a cycle a place, in both directions / energy, both without the mean; NaN without any.

    Args:
        windowed: weigh the map with a Hann window, which leaves out its edges: there a roll is no shift for a network
            that pads with zeros, and the far edge of the image begins.
    """
    import torch

    side = dense.shape[-1]
    if windowed:
        line = torch.hann_window(side + 2, periodic=False, dtype=dense.dtype, device=dense.device)[1:-1]
        window = torch.outer(line, line)
        dense = (dense - (dense * window).sum((1, 2), keepdim=True) / window.sum()) * window
    centred = dense - dense.mean(dim=(1, 2), keepdim=True)
    below = (side - 1) // 4  # the highest frequency below side / 4, in cycles a map
    spectrum = torch.fft.rfft2(centred)[:, :, : below + 1].abs().square()
    lines = torch.cat([spectrum[:, : below + 1], spectrum[:, side - below :]], dim=1).double().sum(dim=(0, 1))
    kept = 2 * lines.sum() - lines[0]  # each column but the first stands for two frequencies
    return (1 - kept / (centred.double().square().sum() * side**2)).clamp(0, 1)


class PooledVariance:
    """Variance over rolls of the means (B, C) of a layer's channels, roll by roll."""

    def __init__(self, first: torch.Tensor) -> None:
        self._first, self._count = first, 0
        self._total, self._squares = first * 0, first * 0

    def after(self, means: torch.Tensor) -> torch.Tensor:
        """(B,) mean over channels of the variance over all rolls so far, this one too."""
        moved = means - self._first  # small beside the means, so that nothing is lost where squares are subtracted
        self._total, self._squares, self._count = self._total + moved, self._squares + moved.square(), self._count + 1
        spread: torch.Tensor = self._squares / self._count - (self._total / self._count).square()
        return spread.clamp(min=0).mean(dim=1)


class RolledLayer:
    """One layer of one network on one batch, roll by roll.

    Attributes:
        means: (B, C) float64 means of its channels over all places, of the images that are not rolled.
        stride: pixels from one place of a square map to the next; None for something else.
    """

    def __init__(self, channels: torch.Tensor, size: int, reaches: Sequence[int], *, windowed: bool) -> None:
        """The first map (B, C, h, w), or vectors (B, C), of images of `size` pixels, which will be rolled by `reaches`.

        Only a layer with twice such a stride has an alias, and only one of `LEAST_SIDE` places at least.
        """
        sides = set(channels.shape[2:])
        self.stride = size / max(sides) if channels.dim() == 4 else None
        usable = len(sides) == 1 and min(sides) >= LEAST_SIDE
        self._reach = next((reach for reach in reaches if usable and 2 * reach == self.stride), 0)
        self._windowed, self.means = windowed, pooled(channels)
        self._variance, self._maps = PooledVariance(self.means), dict[Offset, "torch.Tensor"]()

    def variance(self, offset: Offset, channels: torch.Tensor) -> torch.Tensor | None:
        """(B,) see `PooledVariance`, over the rolls along the diagonal; None beside it."""
        return self._variance.after(pooled(channels)) if offset[0] == offset[1] else None

    def alias(self, offset: Offset, channels: torch.Tensor) -> torch.Tensor | None:
        """(B,) see `alias`, once the image has been rolled by half a stride down, right and both ways; else None.

        Nothing is kept that is not needed any more.
        """
        import torch

        reach = self._reach
        four = ((0, 0), (reach, 0), (0, reach), (reach, reach))
        if not reach or offset not in four:
            return None
        self._maps[offset] = channels
        if offset != four[-1]:
            return None
        maps = [self._maps.pop(of) for of in four]
        return torch.stack([alias(interleaved(*image), windowed=self._windowed) for image in zip(*maps, strict=True)])


def looked_at(activations: torch.Tensor, most: int) -> torch.Tensor | None:
    """The channels (B, C, …) that are looked at, at most `most` of them, evenly spaced; None for something else.

    Args:
        activations: (B, C, h, w) of a map that is about square, (B, T, C) of T tokens, or (B, C).
    """
    if activations.dim() > 4 or (activations.dim() == 4 and abs(activations.shape[2] - activations.shape[3]) > 1):
        return None
    channels = activations.transpose(1, 2) if activations.dim() == 3 else activations
    count = channels.shape[1]
    return channels if count <= most else channels[:, [place * count // most for place in range(most)]]


def pooled(channels: torch.Tensor) -> torch.Tensor:
    """(B, C) float64 means over all places of (B, C, …)."""
    return channels.double() if channels.dim() == 2 else channels.flatten(2).double().mean(dim=2)
