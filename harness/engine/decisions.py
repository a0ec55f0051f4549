"""From logits to decisions, on the device, in the dataset's label space."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch.nn.functional import pad

from harness.records import TOP, LabelSpace


@dataclass(frozen=True, slots=True)
class Decisions:
    """Decisions for one stimulus of B samples, still on the device.

    Attributes:
        top5: (B, 5) int16 classes, most probable first; -1 where the label space has fewer.
        logp: (B, 5) float16 natural log-probabilities; NaN where `top5` is -1.
        finite: () bool, whether every logit is finite.
        logits: (B, outputs) float16 if they are stored, else None.
        arrays: name -> (B, …) of each declared array.
    """

    top5: torch.Tensor
    logp: torch.Tensor
    finite: torch.Tensor
    logits: torch.Tensor | None
    arrays: Mapping[str, torch.Tensor] = field(default_factory=dict)


def log_probabilities(logits: torch.Tensor, space: LabelSpace) -> torch.Tensor:
    """Natural log-probabilities of the K classes of `space`, (B, K) float32, from logits (B, outputs).

    Subsets (`columns`) are selected before the softmax, as in the benchmarks of ImageNet-A and -R. Categories
    (`members`) get the mean probability of their members, with the softmax over all outputs (Geirhos et al. 2021:
    model-vs-human); computed as logsumexp, so that a probability too small for float32 keeps its logarithm.
    """
    logits = logits.float()
    if space.columns is not None:
        return logits[:, list(space.columns)].log_softmax(dim=1)
    logp = logits.log_softmax(dim=1)
    if space.members is None:
        return logp
    categories = [logp[:, list(members)].logsumexp(dim=1) - math.log(len(members)) for members in space.members]
    return torch.stack(categories, dim=1)


def decide(logits: torch.Tensor, space: LabelSpace, *, keep_logits: bool = False) -> Decisions:
    """The stored part of a forward: top-5 classes with their log-probabilities. No synchronization with the host."""
    logp = log_probabilities(logits, space)
    k = min(TOP, logp.shape[1])
    values, classes = logp.topk(k, dim=1)
    top5, top_logp = classes.to(torch.int16), values.to(torch.float16)
    if k < TOP:
        top5, top_logp = pad(top5, (0, TOP - k), value=-1), pad(top_logp, (0, TOP - k), value=math.nan)
    # Infinite beyond 65,504, which `finite` must detect. A copy: a network may use the memory of its logits again.
    kept = logits.to(torch.float16, copy=True) if keep_logits else None
    finite = torch.isfinite(logits if kept is None else kept).all()
    return Decisions(top5, top_logp, finite, kept)
