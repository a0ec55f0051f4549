"""Does a network still recognise a photograph whose colours are inverted?

Every pixel x in [0, 1] becomes 1 - x, as in a photographic negative: edges and shapes stay where they are, brightness
and hue turn into their opposites (Hosseini et al. 2017, "On the Limitation of Convolutional Neural Networks in
Recognizing Negative Images", ICMLA). One condition, no parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from harness import Batch, Measure, Probe, Trials, accuracy_measures, hookimpl

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class InvertColours(Probe):
    """Accuracy on negatives, and what part of the accuracy on the photographs themselves it is."""

    name: ClassVar[str] = "invert-colours"
    requires: ClassVar[tuple[str, ...]] = ("accuracy",)

    def conditions(self, size: int) -> tuple[str, ...]:
        return ("inverted",)

    def stimuli(self, batch: Batch) -> Iterator[tuple[str, torch.Tensor]]:
        yield "inverted", 1 - batch.images

    def measures(self, trials: Trials) -> Iterable[Measure]:
        yield from accuracy_measures(trials, "inverted")
        yield self._relative(trials.accuracy("inverted"), trials.required["accuracy"].accuracy("clean"))

    def _relative(self, inverted: float, clean: float) -> Measure:
        if clean == 0:
            return Measure(name="inverted-relative-top1", value=None, unit="1", reason="no photograph was recognised")
        return Measure(name="inverted-relative-top1", value=inverted / clean, unit="1", direction="higher")


@hookimpl
def harness_probes() -> list[Probe]:
    return [InvertColours()]
