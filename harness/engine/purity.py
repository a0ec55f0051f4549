"""A network is a function of one image: it answers an image alike alone, among others, and twice.

Batch normalization in training mode, statistics over the batch, dropout, noise and caches break this, and every number
of such a network then depends on the batch size, on the order of the images, or on chance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

TOLERANCE = 1e-3
"""Largest difference of two logits that counts as rounding in float32, as a share of the largest absolute logit."""
TIE = 1e-5
"""Margin of the first class over the second, as a share of the largest absolute logit, below which rounding alone may
exchange the two."""


def witnesses(size: int, device: torch.device | None = None) -> torch.Tensor:
    """Three images (3, 3, S, S) float32 in [0, 1] that differ in brightness, contrast and texture; always the same.

    A ramp over all values, noise, and dark coloured stripes.
    """
    side = torch.arange(size, dtype=torch.float32)
    ramp = torch.linspace(0, 1, 3 * size * size).view(3, size, size)
    noise = torch.rand((3, size, size), generator=torch.Generator().manual_seed(0))
    stripes = 0.2 + 0.2 * torch.cos(side[None, :, None] / torch.tensor([2.0, 3.0, 5.0])[:, None, None] + side / 7)
    return torch.stack([ramp, noise, stripes]).to(device)


@dataclass(frozen=True, slots=True)
class Impurity:
    """How the answer to one image depends on more than the image.

    Attributes:
        when: the comparison: "alone and among others", "in two equal forwards", ….
        difference: largest difference of two logits. scale: largest absolute logit.
        training: names of the modules that are in training mode after the forwards.
    """

    when: str
    difference: float
    scale: float
    training: tuple[str, ...] = ()

    def __str__(self) -> str:
        """One line, with the likely cause."""
        size = f"by up to {self.difference:.3g} (largest logit {self.scale:.3g})" if self.difference else "in the class"
        if self.training:
            names = ", ".join(self.training[:3]) + (f" and {len(self.training) - 3} more" * (len(self.training) > 3))
            cause = f"it switched to training mode in its forward ({names})"
        else:
            cause = "look for dropout or noise that stays on, statistics over the batch, and cached results"
        return f"it answers one image differently {self.when}, {size}; {cause}"


def impurity(network: torch.nn.Module, images: torch.Tensor, alone: torch.Tensor) -> Impurity | None:
    """Why `network` is not a function of one image; None if it is, as far as these images tell.

    Args:
        network: images (B, 3, S, S) -> logits (B, K); two forwards, and a third to tell the reason.
        images: (B, 3, S, S) float32 in [0, 1], B >= 2.
        alone: (1, K) logits of the first image alone.

    Raises:
        ValueError: several images have another number of answers.
    """
    with torch.inference_mode():
        among, turned = network(images.clone()), network(images.roll(1, 0)).roll(-1, 0)
        if among.shape != (len(images), alone.shape[1]):
            raise ValueError(f"it answers {len(images)} images with {tuple(among.shape)} logits")
        change = _change(alone, among[:1])
        when = "alone and among others"
        if change is None:
            change, when = _change(among, turned), "at another place among the same images"
        if change is None:
            return None
        again = _change(among, network(images.clone()))
    training = tuple(name or "itself" for name, module in network.named_modules() if module.training)
    return Impurity(when, *change, training) if again is None else Impurity("in two equal forwards", *again, training)


class Steadiness:
    """Whether networks answer the witnesses at the end of each pass as they did before their first."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, int], torch.Tensor] = {}

    def note(self, model: str, size: int, network: torch.nn.Module) -> None:
        """The answers of `network` to images of `size` pixels now, unless they are noted already."""
        if (model, size) not in self._answers:
            self._answers[model, size] = _answer(network, size)

    def fault(self, model: str, size: int, network: torch.nn.Module) -> str:
        """Why its answers are not those that were noted; empty if they are, or if none were noted."""
        before = self._answers.get((model, size))
        change = None if before is None else _change(before, _answer(network, size))
        if change is None:
            return ""
        difference, scale = change
        return (
            f"{model} changed while it ran: its answers to the same images differ from those at the beginning by up to "
            f"{difference:.3g} (largest logit {scale:.3g})"
        )


def _answer(network: torch.nn.Module, size: int) -> torch.Tensor:
    """Logits (3, K) of the witnesses, on the device of the network."""
    device = next((tensor.device for tensor in (*network.parameters(), *network.buffers())), None)
    with torch.inference_mode():
        logits: torch.Tensor = network(witnesses(size, device))
    return logits


def _change(first: torch.Tensor, second: torch.Tensor) -> tuple[float, float] | None:
    """(largest difference, largest absolute logit) if they differ by more than rounding, else None."""
    if first.shape != second.shape:
        return math.inf, math.inf
    first, second = first.double(), second.double()
    both = first.isfinite() & second.isfinite()
    if not torch.equal(torch.where(both, 0, first).nan_to_num(7e9), torch.where(both, 0, second).nan_to_num(7e9)):
        return math.inf, math.inf
    first, second = torch.where(both, first, 0), torch.where(both, second, 0)
    scale = float(torch.maximum(first.abs(), second.abs()).max())
    difference = float((first - second).abs().max())
    if difference > TOLERANCE * scale:
        return difference, scale
    return (0.0, scale) if _other_class(first, second, TIE * scale) else None


def _other_class(first: torch.Tensor, second: torch.Tensor, tie: float) -> bool:
    """Whether the most probable class of an image differs, and not by a tie."""
    here, there = first.argmax(1, keepdim=True), second.argmax(1, keepdim=True)
    before, after = first.gather(1, here) - first.gather(1, there), second.gather(1, there) - second.gather(1, here)
    return bool((torch.maximum(before, after) > tie).any())
