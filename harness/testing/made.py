"""Batches, trials and a small network for the tests of plugins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch

from harness.proportions import places_of_target
from harness.records import Batch, TaskLayout, Trials

CLASSES = 10
"""Classes of `make_batch` and of `SmallClassifier`."""


def make_batch(n: int = 5, size: int = 64, seed: int = 0, device: str = "cpu", side: int | None = None) -> Batch:
    """A batch of `n` random 8-bit images with ids ``0000`` …, (n, 3, side, side) float32, for stimuli of `size` pixels.

    Args:
        side: that of the images (`Probe.side`); default: `size`.
    """
    side = side or size
    pixels = np.random.default_rng(seed).integers(0, 256, (n, 3, side, side), dtype=np.uint8)
    return Batch(
        images=torch.from_numpy(pixels).to(device).float().div_(255),
        sample_ids=tuple(f"{i:04d}" for i in range(n)),
        targets=tuple((i % CLASSES,) for i in range(n)),
        seed=seed,
        size=size,
    )


def part(batch: Batch, rows: Sequence[int]) -> Batch:
    """The samples `rows` of `batch`, in that order."""
    return Batch(
        images=batch.images[list(rows)].clone(),
        sample_ids=tuple(batch.sample_ids[row] for row in rows),
        targets=tuple(batch.targets[row] for row in rows),
        seed=batch.seed,
        size=batch.size,
    )


def make_trials(
    conditions: Sequence[str],
    n: int = 40,
    classes: Sequence[str] = tuple("abcdefghij"),
    size: int = 64,
    seed: int = 0,
    attributes: Mapping[str, Sequence[str]] | None = None,
    required: Mapping[str, Trials] | None = None,
    task: str = "probe@dataset",
    arrays: Mapping[str, np.ndarray] | None = None,
    logits: np.ndarray | None = None,
    layers: Sequence[str] = (),
) -> Trials:
    """Random but consistent trials of one model under `conditions`.

    Args:
        arrays: name -> (n, C, …) values. logits: (n, C, outputs) float16, of which the decisions are then those.
        layers: names of the layers of which the arrays are made.
    """
    rng = np.random.default_rng(seed)
    top5 = rng.permuted(np.tile(np.arange(len(classes)), (n, len(conditions), 1)), axis=2)[:, :, :5].astype(np.int16)
    targets = rng.integers(0, len(classes), (n, 1)).astype(np.int16)
    logp = -np.sort(rng.exponential(1.0, top5.shape), axis=2).astype(np.float16)
    if logits is not None:
        top5, logp = _decided(logits)
    layout = TaskLayout(
        task=task,
        sample_ids=tuple(f"{i:04d}" for i in range(n)),
        targets=targets,
        conditions=tuple(conditions),
        classes=tuple(classes),
        size=size,
        span=16,
        attributes={name: tuple(values) for name, values in (attributes or {}).items()},
    )
    places = places_of_target(top5, targets)
    return Trials(
        model="model",
        layout=layout,
        top5=top5,
        logp=logp,
        correct=top5[:, :, 0] == targets,
        required=dict(required or {}),
        logits=None if logits is None else partial(_rows, logits),
        arrays={name: partial(_rows, values) for name, values in (arrays or {}).items()},
        layers=tuple(layers),
        rank=np.where(places < 5, places, rng.integers(5, max(6, len(classes)), places.shape)).astype(np.uint16),
    )


def _decided(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The five most probable classes of logits (n, C, K >= 5) and the logarithms of their probabilities."""
    top5 = np.argsort(-logits, axis=2, kind="stable")[:, :, :5]
    exact = logits.astype(np.float64) - logits.max(axis=2, keepdims=True)
    exact -= np.log(np.exp(exact).sum(axis=2, keepdims=True))
    return top5.astype(np.int16), np.take_along_axis(exact, top5, 2).astype(np.float16)


def _rows(values: np.ndarray, low: int, high: int) -> np.ndarray:
    return values[low:high]


class SmallClassifier(torch.nn.Module):
    """A frozen network for white-box probes: images (B, 3, S, S) in [0, 1] -> log-probabilities (B, 10) float32.

    It is smooth, nonlinear, and always has the same weights. It ignores the lower eighth of an image: there the
    gradient is zero, so that a random start remains visible and can be compared.
    """

    def __init__(self, device: str = "cpu") -> None:
        super().__init__()
        self.patches = torch.nn.Conv2d(3, 16, kernel_size=8, stride=8)
        self.head = torch.nn.Linear(16, CLASSES)
        generator = torch.Generator().manual_seed(0)
        for parameter in self.parameters():
            parameter.data.normal_(0, 0.5, generator=generator)
            parameter.requires_grad_(False)
        self.to(device).eval()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Log-probabilities, differentiable with respect to the images."""
        visible = images[:, :, : images.shape[2] - images.shape[2] // 8]
        features = torch.nn.functional.silu(self.patches(visible - 0.5)).mean(dim=(2, 3))
        return torch.nn.functional.log_softmax(self.head(features), dim=1)
