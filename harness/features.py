"""Probes that see activations: what a network computes in its layers, besides what it decides."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.interfaces import Probe, WhiteBoxProbe
from harness.records import Batch

if TYPE_CHECKING:
    import torch

    Observer = Callable[[str, Mapping[str, torch.Tensor]], Mapping[str, torch.Tensor]]

HEAD: Final = "head"
"""Word for the input of the last module, whose output is the logits: the embedding of an image."""
STAGES: Final = "stages"
"""Word for the last module of each spatial resolution of a network, in the order of the forward."""


@dataclass(frozen=True, kw_only=True)
class FeatureProbe(Probe):
    """A probe that makes arrays of the activations of named layers. It sees copies, never the network.

    Its stimuli are made once for all networks, as those of any probe; `observer` is asked for each network. The layers
    of a network are looked up before anything is computed, and an unknown one is refused with the names that there are.

    Attributes:
        layers: names of the network's modules, as ``named_modules()`` has them without what normalizes the images;
            ``head``: the input of the last module, whose output is the logits; ``stages``: the last module of each
            spatial resolution. A parameter, and so part of the identity.
    """

    layers: tuple[str, ...] = ()

    def layers_of(self, modules: Mapping[str, tuple[int, ...]]) -> Sequence[str]:
        """Names (and the words ``head`` and ``stages``) for one network; default: `layers`.

        Args:
            modules: name -> shape of the output for one image, (C, h, w) for instance, in the order of the calls. Only
                modules that return a tensor are in it.
        """
        return self.layers

    @abstractmethod
    def observer(self, batch: Batch, layers: Sequence[str]) -> Observer:
        """The function that makes arrays of what one network computes on one batch.

        It is called after every condition, in their order, with the condition and the activations: layer -> a copy of
        its output, (B, C, h, w) or (B, …) float32, flat (B, D) for ``head``. It returns the arrays (B, …) that the
        stimulus was not yielded with. What it must remember from one condition to the next it keeps in a closure. As a
        stimulus, an array must depend on its sample alone.

        Args:
            layers: names of the network's layers, in order; `Trials.layers` has them for `measures`.
        """


def is_contradictory(probe: Probe) -> bool:
    """Whether a probe is both white-box and made of activations, which nothing serves."""
    return isinstance(probe, FeatureProbe) and isinstance(probe, WhiteBoxProbe)


def stages(modules: Mapping[str, tuple[int, ...]]) -> tuple[str, ...]:
    """The last module of each spatial resolution of maps (C, h, w) that are about square, from the finest on.

    A module inside a block that halves its input belongs to the next stage, although the first of them still have the
    finer resolution: the first convolution of a ResNet's ``layer2`` is no part of its stage ``layer1``. It makes no
    difference whether a module or a function halves.

    Args:
        modules: as for `FeatureProbe.layers_of`.
    """
    maps = {name: shape[1:] for name, shape in modules.items() if len(shape) == 3}
    sizes = {name: h * w for name, (h, w) in maps.items() if 1 < h * w and max(h, w) <= 2 * min(h, w)}
    levels = sorted(set(sizes.values()), reverse=True)
    ends = []
    for level in levels:
        following = max((size for size in levels if size < level), default=0)
        of_level = [name for name, size in sizes.items() if size == level]
        kept = [name for name in of_level if not _opens_next(name, level, following, sizes)]
        ends.append((kept or of_level)[-1])
    return tuple(ends)


def _opens_next(name: str, level: int, following: int, sizes: Mapping[str, int]) -> bool:
    """Whether a module lies in a block that leads from `level` to the `following` one, and holds no other."""
    parts = name.split(".")
    for end in range(1, len(parts)):
        block = ".".join(parts[:end])
        within = {size for other, size in sizes.items() if other.startswith(f"{block}.")}
        if sizes.get(block) == following and within <= {level, following}:
            return True
    return False
