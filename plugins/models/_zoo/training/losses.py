"""Training objectives beside plain cross entropy: contrastive losses, and adversarial examples."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

from .recipe import Adversary

_STEP = 2.5
"""Total length of all steps, in radii: every point of the ball is reachable from any start (Madry et al. 2018)."""


def attacked(
    network: nn.Module, images: torch.Tensor, targets: torch.Tensor, adversary: Adversary, generator: torch.Generator
) -> torch.Tensor:
    """Projected gradient descent from a random start (Madry et al., ICLR 2018); leaves `network` in training mode.

    The network is attacked in evaluation mode, so that its running statistics come from real batches.

    Args:
        images: (B, 3, 64, 64) float32 in [0, 1]. targets: (B, 16) probabilities.

    Returns:
        Images of the same shape in [0, 1], each within the radius of the original.
    """
    linf = adversary.norm == "linf"
    radius = adversary.epsilon / 255 if linf else adversary.epsilon
    network.eval()
    noise = torch.rand(images.shape, generator=generator).to(images) * 2 - 1
    change = noise * radius if linf else _unit(noise) * (radius * 0.5)
    for _ in range(adversary.steps):
        leaf = (images + change).clamp(0, 1).detach().requires_grad_()
        gradient = torch.autograd.grad(functional.cross_entropy(network(leaf), targets), leaf)[0]
        step = _STEP * radius / adversary.steps
        change = change + (gradient.sign() if linf else _unit(gradient)) * step
        change = change.clamp(-radius, radius) if linf else _within(change, radius)
    network.train()
    return (images + change).clamp(0, 1).detach()


def nt_xent(codes: torch.Tensor, temperature: float) -> torch.Tensor:
    """Normalized temperature-scaled cross entropy (Chen et al., ICML 2020), the mean over all 2B codes.

    Args:
        codes: (2B, D) of L2 norm 1; rows i and i + B are from the same image.
    """
    count = len(codes)
    similarities = codes @ codes.T / temperature
    similarities = similarities.masked_fill(torch.eye(count, dtype=torch.bool, device=codes.device), -math.inf)
    partner = (torch.arange(count, device=codes.device) + count // 2) % count
    return functional.cross_entropy(similarities, partner)


def supervised_contrast(codes: torch.Tensor, classes: torch.Tensor, temperature: float) -> torch.Tensor:
    """The supervised contrastive loss (Khosla et al., NeurIPS 2020, eq. 2): codes of one class are positives.

    Args:
        codes: (M, D) of L2 norm 1. classes: (M,) int64; each class that occurs has at least two codes.
    """
    diagonal = torch.eye(len(codes), dtype=torch.bool, device=codes.device)
    similarities = (codes @ codes.T / temperature).masked_fill(diagonal, -math.inf)
    logs = functional.log_softmax(similarities, dim=1).masked_fill(diagonal, 0)
    same = ((classes[:, None] == classes) & ~diagonal).float()
    loss: torch.Tensor = -((logs * same).sum(dim=1) / same.sum(dim=1)).mean()
    return loss


def _unit(values: torch.Tensor) -> torch.Tensor:
    """Each sample scaled to L2 norm 1."""
    return values / _norms(values)


def _within(values: torch.Tensor, radius: float) -> torch.Tensor:
    """Each sample scaled down to L2 norm `radius` if it is longer."""
    return values * (radius / _norms(values)).clamp(max=1)


def _norms(values: torch.Tensor) -> torch.Tensor:
    """(B, 1, 1, 1) L2 norms, clamped above 0."""
    norms: torch.Tensor = values.flatten(1).norm(dim=1)
    return norms.clamp(min=1e-12).view(-1, 1, 1, 1)
