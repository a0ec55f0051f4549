"""The architecture of the zoo: four convolutions and a linear layer, 57,712 parameters with 16 outputs."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_weights

from .input_filters import band

SIZE, CLASSES = 64, 16
WIDTHS = (16, 32, 48, 56)
FEATURES = WIDTHS[-1] * (SIZE // 2 ** len(WIDTHS)) ** 2


class ShapesNet(nn.Module):
    """Images (N, 3, 64, 64) float32 in [0, 1] -> logits (N, 16).

    Four 3 x 3 convolutions of stride 2, each with batch normalization and ReLU, then one linear layer on all 4 x 4
    positions: it sees where features are, which a pooled network of this size does not, and so it can learn shapes.

    Args:
        front: parameter-free input filter; the network cannot see what it removes.
    """

    def __init__(self, front: nn.Module | None = None) -> None:
        super().__init__()
        self.front = front or nn.Identity()
        stages: list[nn.Module] = []
        for before, after in zip((3, *WIDTHS[:-1]), WIDTHS, strict=True):
            convolution = nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)
            stages.append(nn.Sequential(convolution, nn.BatchNorm2d(after), nn.ReLU(inplace=True)))
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(FEATURES, CLASSES)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """(N, 896) of images (N, 3, 64, 64)."""
        centred: torch.Tensor = self.front(images) - 0.5
        frozen = not self.training and not self.head.weight.requires_grad
        return (self._fused(centred) if frozen else self.stages(centred)).flatten(1)

    def _fused(self, images: torch.Tensor) -> torch.Tensor:
        """The stages for inference, with each normalization folded into its convolution.

        A fifth faster; training never uses it, so trained weights do not depend on it. The activation of each stage is
        called as a module, so that probes can see it.
        """
        for stage in self.stages:
            convolution, norm, activation = stage[0], stage[1], stage[2]  # type: ignore[index]
            weight, bias = fuse_conv_bn_weights(
                convolution.weight, None, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
            )
            images = activation(functional.conv2d(images, weight, bias, stride=2, padding=1))
        return images

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (N, 16)."""
        logits: torch.Tensor = self.head(self.features(images))
        return logits


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
    """The network with the front `name`, with weights from torch's global generator, on the CPU.

    Raises:
        ValueError: there is no such front; the message lists the valid forms.
    """
    passing = band(name)
    if passing is None:
        return ShapesNet()
    low, high = passing
    return ShapesNet(BandFilter(low, SIZE if high is None else high))
