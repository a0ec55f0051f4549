"""Layer-wise shiftability: at which depth does a network stop to be indifferent to where the image is?

Azulay & Weiss, "Why do deep convolutional networks generalize so poorly to small image transformations?" (JMLR 2019):
the mean of a layer over all places is the same for every shift only if no frequency of the map before its subsampling
aliases to zero ("shiftable", Simoncelli et al. 1992). In a periodic map F its variance over shifts is exactly the
energy of the frequencies that alias to zero. The paper measures decisions; that it is measured in every layer, the two
quantities below and their names are an addition of this harness.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from harness import ArraySpec, Batch, FeatureProbe, Measure, Probe, Trials, accuracy_measures, hookimpl

from ._aliasing import Offset, RolledLayer, looked_at
from ._depth import ALIAS, MEANS, STRIDE, VARIANCE, depth_measures

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    Observer = Callable[[str, Mapping[str, torch.Tensor]], Mapping[str, torch.Tensor]]

STAGES: Final = "stages"
MOST_STAGES: Final = 10
"""Stages of a network for which there is a place in the arrays."""


@dataclass(frozen=True, kw_only=True)
class LayerShiftability(FeatureProbe):
    """Maps of every stage of a network, of an image rolled along its diagonal by 0 … k - 1 pixels.

    ``gap-variation``: root of the variance over the rolls of the channels' means, divided by their variance over the
    images; both are means over channels. 0: the layer's means are the same wherever the image is; 1: a shift changes
    them as much as another image. ``layer-alias``: share of the energy of the map at twice as many places that aliases
    where the layer keeps every second. Stages are numbered by how often the sides have been halved: docs/shifts.md.

    Attributes:
        layers: see `FeatureProbe`; a layer that is given by its name has it in the names of measures.
        rolls: k, a power of two, which should not be below the stride of the deepest layer; None: the largest of at
            most a quarter of the side and 32 (16 at 64 pixels, 32 at 224).
        channels: of a layer with more, so many evenly spaced ones are looked at.
        window: weight of the places in ``layer-alias``, ``hann`` or ``none``.
    """

    name: ClassVar[str] = "layer-shiftability"

    layers: tuple[str, ...] = (STAGES,)
    rolls: int | None = None
    channels: int = 256
    window: Literal["hann", "none"] = "hann"

    def __post_init__(self) -> None:
        if self.rolls is not None and (self.rolls < 2 or self.rolls.bit_count() > 1):
            raise ValueError(f"rolls is a power of two, 2 or more, or null; got {self.rolls}")
        if self.channels < 1:
            raise ValueError(f"channels is a number of channels, 1 or more; got {self.channels}")
        if self.window not in ("hann", "none"):
            raise ValueError(f"window is hann or none; got {self.window!r}")
        if not self.layers:
            raise ValueError("layers names at least one layer, such as stages")

    def conditions(self, size: int) -> tuple[str, ...]:
        """``roll-0`` … and, before each power of two r, ``down-r`` and ``right-r``. ValueError for small images."""
        return tuple(self._offsets(size))

    def arrays(self, size: int) -> Mapping[str, ArraySpec]:
        """``layer-alias``, ``gap-variance``, ``stride``: a number for each layer; ``channel-means``; NaN elsewhere.

        ``layer-alias`` stands under the condition that completes the layer's map; ``gap-variance`` under ``roll-d`` is
        the variance over the rolls 0 … d. ``channel-means`` are those of the image that is not rolled, another part
        of them under each condition, so that they are stored once. ``stride`` is in pixels.
        """
        places = len(self.layers) + (MOST_STAGES - 1 if STAGES in self.layers else 0)
        return {
            ALIAS: ArraySpec(shape=(places,), finite=False),
            VARIANCE: ArraySpec(shape=(places,), finite=False),
            STRIDE: ArraySpec(shape=(places,), finite=False),
            MEANS: ArraySpec(shape=(places, -(-self.channels // len(self._offsets(size)))), finite=False),
        }

    def stimuli(self, batch: Batch) -> Iterator[tuple[str, torch.Tensor]]:
        """The images rolled by (rows, columns), down and right."""
        for condition, offset in self._offsets(batch.size).items():
            yield condition, batch.images.roll(offset, (2, 3))

    def observer(self, batch: Batch, layers: Sequence[str]) -> Observer:
        """The arrays of one network on one batch. ValueError: it has more stages than there are places."""
        offsets, specs = self._offsets(batch.size), self.arrays(batch.size)
        places, width = specs[MEANS].shape
        if len(layers) > places:
            raise ValueError(f"there are places for {places} layers, got {len(layers)}: name some of them in layers")
        rolled: dict[str, RolledLayer] = {}

        def observe(condition: str, features: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            arrays, start = _empty(specs, batch.images), width * list(offsets).index(condition)
            for place, (name, activations) in enumerate(features.items()):
                channels = looked_at(activations, self.channels)
                if channels is None:
                    continue
                layer = rolled[name] = rolled.get(name) or self._rolled(channels, batch.size)
                means = layer.means[:, start : start + width]
                arrays[MEANS][:, place, : means.shape[1]] = means
                for array, values in (
                    (STRIDE, layer.stride),
                    (VARIANCE, layer.variance(offsets[condition], channels)),
                    (ALIAS, layer.alias(offsets[condition], channels)),
                ):
                    if values is not None:
                        arrays[array][:, place] = values
            return arrays

        return observe

    def measures(self, trials: Trials) -> Iterable[Measure]:
        """Accuracy without a roll, then ``layer-alias`` and ``gap-variation``: means over stages, and of each stage."""
        yield from accuracy_measures(trials, "roll-0")
        rolls = [name for name in trials.layout.conditions if name.startswith("roll-")]
        named = [layer for layer in self.layers if layer != STAGES]
        yield from depth_measures(trials, rolls[-1], named)

    def _offsets(self, size: int) -> dict[str, Offset]:
        """Condition -> how far it rolls the image, (rows, columns)."""
        rolls = self.rolls or min(32, 1 << max(0, (size // 4).bit_length() - 1))
        if rolls < 2 or 2 * rolls > size:
            raise ValueError(f"rolls by up to {rolls} pixels need images of at least {max(8, 2 * rolls)}, got {size}")
        offsets = {"roll-0": (0, 0)}
        for distance in range(1, rolls):
            if distance.bit_count() == 1:
                offsets |= {f"down-{distance}": (distance, 0), f"right-{distance}": (0, distance)}
            offsets[f"roll-{distance}"] = (distance, distance)
        return offsets

    def _rolled(self, channels: torch.Tensor, size: int) -> RolledLayer:
        """A layer before the first roll."""
        reaches = [row for row, column in self._offsets(size).values() if row and not column]
        return RolledLayer(channels, size, reaches, windowed=self.window == "hann")


def _empty(specs: Mapping[str, ArraySpec], images: torch.Tensor) -> dict[str, torch.Tensor]:
    """Arrays of `images` without a value."""
    import torch

    return {
        name: torch.full((len(images), *spec.shape), torch.nan, dtype=torch.float32, device=images.device)
        for name, spec in specs.items()
    }


@hookimpl
def harness_probes() -> list[Probe]:
    """Aliasing and variation of every stage of a network."""
    return [LayerShiftability()]
