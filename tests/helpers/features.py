"""A small network of convolutions, and a probe that stores what it sees in the layers of networks."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from harness import ArraySpec, FeatureProbe, Measure

LAYERS = 4
"""Most layers that `Means` stores."""


class Conv(torch.nn.Module):
    """Two stages, of 32 and of 16 pixels, an activation in place, and a head of ten logits."""

    def __init__(self, seed=0, width=6):
        super().__init__()
        torch.manual_seed(seed)
        self.first = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.ReLU(inplace=True))
        self.second = torch.nn.Sequential(torch.nn.Conv2d(4, width, 3, stride=2, padding=1), torch.nn.Tanh())
        self.classify = torch.nn.Linear(width, 10)

    def forward(self, images):
        return self.classify(self.second(self.first(images)).mean(dim=(2, 3)))


@dataclass(frozen=True, kw_only=True)
class Means(FeatureProbe):
    """Mean and change of mean of each layer, under two rolls."""

    name: ClassVar[str] = "means"
    layers: tuple[str, ...] = ("stages", "head")
    fault: str = ""

    def conditions(self, size):
        return ("still", "rolled")

    def arrays(self, size):
        return {
            "mean": ArraySpec(shape=(LAYERS,), finite=False),
            "change": ArraySpec(shape=(LAYERS,), finite=False),
            "brightness": ArraySpec(),
        }

    def stimuli(self, batch):
        yield "still", batch.images, {"brightness": batch.images.mean(dim=(1, 2, 3))}
        yield "rolled", batch.images.roll(1, dims=3), {"brightness": batch.images.mean(dim=(1, 2, 3))}

    def observer(self, batch, layers):
        if self.fault == "observer":
            raise LookupError("no observer today")
        before = []

        def observe(condition, features):
            assert list(features) == list(layers)
            now = torch.stack([values.flatten(1).mean(dim=1) for values in features.values()], dim=1)
            before.append(now)
            for values in features.values():
                values.zero_()  # they are copies
            return self._spoiled({"mean": padded(now), "change": padded(now - before[0])}, batch)

        return observe

    def _spoiled(self, arrays, batch):
        if self.fault == "raises":
            raise ZeroDivisionError("observed nothing")
        if self.fault == "missing":
            del arrays["mean"]
        if self.fault == "twice":
            arrays["brightness"] = batch.images.mean(dim=(1, 2, 3))
        if self.fault == "shape":
            arrays["mean"] = arrays["mean"][:, :2]
        if self.fault == "global":
            torch.set_default_dtype(torch.float64)
        if self.fault == "batch":
            arrays["mean"] = arrays["mean"] - arrays["mean"].mean(dim=0)
        return arrays

    def measures(self, trials):
        for number, layer in enumerate(trials.layers):
            value = float(trials.array("mean")[:, 0, number].astype(float).mean())
            yield Measure(name="mean", condition=layer, value=value, unit="1")


def padded(values):
    """(B, L) -> (B, LAYERS), NaN for the layers that a network does not have."""
    return torch.nn.functional.pad(values, (0, LAYERS - values.shape[1]), value=float("nan"))
