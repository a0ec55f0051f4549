"""A network is a function of one image: it answers an image alike alone, among others, and twice.

Three made images tell it when a network is loaded, the last image of its first and last batch while it runs, and the
made images again at the end. Answers are copied at once: a network may use the memory of its logits again.

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
LOADED_TOLERANCE = 1e-2
"""As `TOLERANCE`, between a network when it was loaded, on the CPU, and before its first batch, on the device."""
ALONE_TOLERANCE = {"fp32": TOLERANCE, "tf32": 2e-2, "bf16": 1e-1}
"""As `TOLERANCE`, between an image in its batch and alone; convolutions round differently in batches of other sizes."""


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


def impurity(
    network: torch.nn.Module, images: torch.Tensor, alone: torch.Tensor, among: torch.Tensor
) -> Impurity | None:
    """Why `network` is not a function of one image; None if it is, as far as these images tell.

    Args:
        network: images (B, 3, S, S) -> logits (B, K); one forward, and a further one to tell the reason.
        images: (B, 3, S, S) float32 in [0, 1], B >= 2.
        alone: (1, K) logits of the first image alone. among: (B, K) logits of all.

    Raises:
        ValueError: several images have another number of answers.
    """
    with torch.inference_mode():
        turned = network(images.roll(1, 0)).roll(-1, 0)
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
    """Whether networks answer the witnesses as they did when they were loaded, and before their first batch."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, int], torch.Tensor] = {}
        self._loaded: dict[tuple[str, int], torch.Tensor] = {}

    def loaded(self, model: str, size: int, answers: torch.Tensor) -> str:
        """Why a network that was loaded again is another one than before; empty if it is not, or is new.

        Args:
            answers: its logits (3, K) of the witnesses of `size` pixels, right after it was loaded.
        """
        before = self._loaded.setdefault((model, size), answers)
        if _change(before, answers) is None:
            return ""
        return f"{model} is another network each time it is loaded: it answers the same images differently"

    def alike(self, size: int) -> list[list[str]]:
        """Groups of networks that gave equal logits when they were loaded."""
        groups: dict[bytes, list[str]] = {}
        for (model, of_size), answers in self._loaded.items():
            if of_size == size:
                groups.setdefault(answers.float().numpy().tobytes(), []).append(model)
        return [models for models in groups.values() if len(models) > 1]

    def note(self, model: str, size: int, network: torch.nn.Module) -> str:
        """Note the answers of `network` to images of `size` pixels now, unless they are noted already.

        Returns:
            Why they are not those of the network as it was loaded; empty if they are.
        """
        if (model, size) in self._answers:
            return ""
        now = self._answers[model, size] = _answer(network, size)
        then = self._loaded.get((model, size))
        if then is None or (now.device.type == "cpu" and _change(then, now) is None):
            return ""
        scale, difference = float(then.abs().max()), float((then.double() - now.cpu().double()).abs().max())
        if not difference > LOADED_TOLERANCE * scale:
            return ""
        return (
            f"{model} changed after it was loaded: its answers to the same images differ by up to {difference:.3g} "
            f"(largest logit {scale:.3g}); a network that was loaded later shares its weights, or replaced a function"
        )

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
    return logits.clone()


def is_alike(alone: torch.Tensor, among: torch.Tensor, precision: str) -> torch.Tensor:
    """() bool, on the device: whether logits (1, K) of an image alone are those that it has in its batch.

    True where they are not finite, which is another fault.
    """
    alone, among = alone.float(), among.float()
    difference, scale = (alone - among).abs().max(), torch.maximum(alone.abs().max(), among.abs().max())
    return (difference <= ALONE_TOLERANCE[precision] * scale) | ~difference.isfinite()


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
