"""The architecture of the zoo: four convolutions and a linear layer, 57,712 parameters with 16 outputs.

Two variants take every second value in other ways than a stride, and average over all positions before the linear
layer.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_weights

from .downsampling import Downsampling, parts_of
from .input_filters import band

SIZE, CLASSES = 64, 16
WIDTHS = (16, 32, 48, 56)
POOLED_WIDTHS = (24, 48, 56)
"""Of pooled networks: the image itself is halved first, since their convolutions have four times as many positions."""
FEATURES = WIDTHS[-1] * (SIZE // 2 ** len(WIDTHS)) ** 2


class Stage(nn.Sequential):
    """3 x 3 convolution, batch normalization, ReLU: (N, before, 2h, 2w) -> (N, after, h, w).

    The stride of the convolution halves the sides, or a layer after the ReLU does; then padding is circular.
    """

    def __init__(self, before: int, after: int, downsampling: Downsampling) -> None:
        halving = _halving(after, downsampling)
        stride, padding = (1, 0) if halving else (2, 1)
        convolution = nn.Conv2d(before, after, 3, stride=stride, padding=padding, bias=False)
        super().__init__(convolution, nn.BatchNorm2d(after), nn.ReLU(inplace=True), *halving)
        self.pooled = bool(halving)

    def forward(self, images: torch.Tensor, fused: bool = False) -> torch.Tensor:
        """The activations; `fused`: with the normalization folded into the convolution, a fifth faster."""
        if self.pooled:
            # The filter of a blur pool needs one more row and column of what the convolution gives.
            images = _wrapped(images, 2 if isinstance(self[3], BlurPool) else 1, 1)
        if not fused:
            activations: torch.Tensor = super().forward(images)  # type: ignore[no-untyped-call]
            return activations
        modules: list[Any] = list(self)
        convolution, norm, *others = modules
        weight, bias = fuse_conv_bn_weights(
            convolution.weight, None, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        )
        activations = convolution._conv_forward(images, weight, bias)
        for module in others:  # called as modules, so that probes can see them
            activations = module(activations)
        return activations


def _wrapped(images: torch.Tensor, before: int, after: int) -> torch.Tensor:
    """Circular padding by so many rows and columns; the memory format is kept, which is faster than torch's."""
    images = torch.cat([images[:, :, -before:], images, images[:, :, :after]], dim=2)
    return torch.cat([images[..., -before:], images, images[..., :after]], dim=3)


class ShapesNet(nn.Module):
    """Images (N, 3, 64, 64) float32 in [0, 1] -> logits (N, 16).

    Four stages, then one linear layer on all 4 x 4 positions: it sees where features are, which a pooled network of
    this size does not, and so it can learn shapes. With another `downsampling` than ``stride`` it is pooled, has three
    stages, and halves the image before the first.

    Args:
        front: parameter-free input filter; the network cannot see what it removes.
        downsampling: how each stage halves the sides, see `downsampling`.
    """

    def __init__(self, front: nn.Module | None = None, downsampling: Downsampling = "stride") -> None:
        super().__init__()
        self.front = front or nn.Identity()
        self.pooled = downsampling != "stride"
        if self.pooled:
            (self.halving,) = _halving(3, downsampling)
        widths = POOLED_WIDTHS if self.pooled else WIDTHS
        stages = zip((3, *widths[:-1]), widths, strict=True)
        self.stages = nn.Sequential(*(Stage(before, after, downsampling) for before, after in stages))
        self.head = nn.Linear(widths[-1] if self.pooled else FEATURES, CLASSES)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """(N, 896) of images (N, 3, 64, 64), or (N, 56) if pooled."""
        values: torch.Tensor = self.front(images) - 0.5
        if self.pooled:
            values = values.contiguous(memory_format=torch.channels_last)  # several times faster
            values = self.halving(_wrapped(values, 1, 0) if isinstance(self.halving, BlurPool) else values)
        # Training never fuses, so trained weights do not depend on it.
        fused = not self.training and not self.head.weight.requires_grad
        for stage in self.stages:
            values = stage(values, fused=fused)
        return values.mean(dim=(2, 3)) if self.pooled else values.flatten(1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (N, 16)."""
        logits: torch.Tensor = self.head(self.features(images))
        return logits


def _halving(channels: int, downsampling: Downsampling) -> list[nn.Module]:
    """The layer that halves the sides of so many channels; none for a stride, which a convolution has."""
    if downsampling == "stride":
        return []
    return [BlurPool(channels) if downsampling == "blur-pool" else AdaptivePolyphase()]


class BlurPool(nn.Module):
    """Every second value after a binomial filter [1, 2, 1] / 4 on both axes (Zhang 2019); does not pad."""

    kernel: torch.Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        binomial = torch.tensor([0.25, 0.5, 0.25])
        kernel = torch.outer(binomial, binomial).expand(channels, 1, 3, 3).contiguous()
        self.register_buffer("kernel", kernel, persistent=False)

    def forward(self, activations: torch.Tensor) -> torch.Tensor:
        """(N, C, h, w) of (N, C, 2h + 1, 2w + 1)."""
        return functional.conv2d(activations, self.kernel, stride=2, groups=len(self.kernel))


class AdaptivePolyphase(nn.Module):
    """Of the four grids of every second value, that with the largest L2 norm over all channels (Chaman, Dokmanic 2021).

    Each image has its own; of equal norms the first counts.
    """

    def forward(self, activations: torch.Tensor) -> torch.Tensor:
        """(N, C, h, w) of (N, C, 2h, 2w)."""
        # In float64 over the positions, whose order a shift changes: rounding must not choose the grid.
        count, channels, height, width = activations.shape
        energy = torch.linalg.vector_norm(activations.detach(), dim=1).double().square()
        norms = energy.view(count, height // 2, 2, width // 2, 2).sum(dim=(1, 3)).flatten(1)
        chosen = norms.argmax(dim=1)
        images = torch.arange(count, device=chosen.device)
        grids = activations.permute(0, 2, 3, 1).reshape(count, height // 2, 2, width // 2, 2, channels)
        sampled: torch.Tensor = grids[images, :, chosen // 2, :, chosen % 2]
        return sampled.permute(0, 3, 1, 2)


class BandFilter(nn.Module):
    """Keeps the frequencies (u, v) with low <= max(|u|, |v|) < high, in cycles an image: a box, as in band-pass.

    If this removes the mean, grey 0.5 replaces it. It has no parameters and is not in the state dict: the filter is
    part of the architecture, so training cannot undo it.
    """

    weights: torch.Tensor

    def __init__(self, low: int, high: int) -> None:
        super().__init__()
        rows = torch.fft.fftfreq(SIZE, 1 / SIZE).abs()[:, None]
        columns = torch.fft.rfftfreq(SIZE, 1 / SIZE)[None]
        reach = torch.maximum(rows, columns)
        self.offset = 0.5 if low > 0 else 0.0
        self.register_buffer("weights", ((reach >= low) & (reach < high)).float(), persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Filtered images, of the same shape; not clipped."""
        filtered: torch.Tensor = torch.fft.irfft2(torch.fft.rfft2(images) * self.weights, s=images.shape[-2:])
        return filtered + self.offset


def build(name: str) -> ShapesNet:
    """The network of that front, downsampling or FRONT+DOWNSAMPLING, weights from torch's global generator, on the CPU.

    Raises:
        ValueError: there is no such front or downsampling; the message lists the valid forms.
    """
    front, downsampling = parts_of(name)
    try:
        passing = band(front)
    except ValueError as error:
        raise ValueError(f"{error}; behind each may stand +blur-pool or +aps (plain+aps is aps)") from None
    if passing is None:
        return ShapesNet(downsampling=downsampling)
    low, high = passing
    return ShapesNet(BandFilter(low, SIZE if high is None else high), downsampling)
