"""Tiny networks without weight files. Each row of their output depends on its own image alone."""

from __future__ import annotations

from collections.abc import Callable

import torch


class PooledLinear(torch.nn.Module):
    """Logits are a linear function of the image averaged over a grid of cells.

    Args:
        weight: (K, 3 * cells * cells) float32, channels first.
        cells: cells along each side of the grid.
    """

    weight: torch.Tensor

    def __init__(self, weight: torch.Tensor, cells: int) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.cells = cells

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, 3, H, W) -> logits (N, K)."""
        pooled = torch.nn.functional.adaptive_avg_pool2d(images, self.cells)
        return torch.nn.functional.linear(pooled.flatten(1) - 0.5, self.weight)


class Constant(torch.nn.Module):
    """Logit 1 for one class, 0 for the others; the gradient with respect to the image is zero."""

    logits: torch.Tensor

    def __init__(self, outputs: int, winner: int) -> None:
        super().__init__()
        self.register_buffer("logits", torch.nn.functional.one_hot(torch.tensor(winner), outputs).float())

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, 3, H, W) -> logits (N, K)."""
        return self.logits + 0.0 * images.flatten(1).mean(1, keepdim=True)


class NotANumber(torch.nn.Module):
    """Another network whose logits become NaN for images brighter than a threshold."""

    def __init__(self, network: torch.nn.Module, threshold: float) -> None:
        super().__init__()
        self.network, self.threshold = network, threshold

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, 3, H, W) -> logits (N, K)."""
        bright = images.flatten(1).mean(1, keepdim=True) > self.threshold
        return torch.where(bright, torch.nan, self.network(images))


class Failing(torch.nn.Module):
    """Raises RuntimeError on every forward."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Raises RuntimeError."""
        raise RuntimeError(f"the dummy network fails, as requested, on {len(images)} images")


def brightness(outputs: int) -> PooledLinear:
    """Weights from a closed formula, the same on every machine and with every version of torch."""
    cells = 4
    row = torch.arange(outputs, dtype=torch.float64)[:, None]
    column = torch.arange(3 * cells * cells, dtype=torch.float64)[None]
    return PooledLinear((10 * torch.cos((row + 1) * (column + 1) * 0.7)).float(), cells)


def random_linear(outputs: int, seed: int) -> PooledLinear:
    """Standard normal weights times ten, drawn from `seed`."""
    cells = 8
    generator = torch.Generator().manual_seed(seed)
    return PooledLinear(10 * torch.randn(outputs, 3 * cells * cells, generator=generator), cells)


NETWORKS: dict[str, Callable[[int, dict[str, float]], torch.nn.Module]] = {
    "constant": lambda outputs, options: Constant(outputs, int(options["class"])),
    "brightness": lambda outputs, options: brightness(outputs),
    "random-linear": lambda outputs, options: random_linear(outputs, int(options["seed"])),
    "nan": lambda outputs, options: NotANumber(brightness(outputs), options["threshold"]),
    "wrong-outputs": lambda outputs, options: brightness(outputs - 1),
    "failing": lambda outputs, options: Failing(),
}
"""kind -> (number of outputs, options) -> network."""
