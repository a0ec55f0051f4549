"""Small torch helpers for model sources."""

from __future__ import annotations

from collections.abc import Sequence

import torch


class Normalized(torch.nn.Module):
    """A network that first maps images in [0, 1] to (x - mean) / std, channel by channel.

    Args:
        network: images (N, 3, H, W) -> logits (N, K).
        mean, std: three numbers each, in units of [0, 1].
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, network: torch.nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, 3, H, W) float32 in [0, 1] -> logits (N, K)."""
        logits: torch.Tensor = self.network((images - self.mean) / self.std)
        return logits


def normalized(network: torch.nn.Module, mean: Sequence[float] | None, std: Sequence[float] | None) -> torch.nn.Module:
    """`network` preceded by its normalization, in eval mode; without normalization if mean and std are None."""
    if (mean is None) != (std is None):
        raise ValueError("give both mean and std, or neither")
    if mean is None or std is None:
        return network.eval()
    return Normalized(network, mean, std).eval()
