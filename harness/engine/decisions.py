"""From logits to decisions, on the device, in the dataset's label space."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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
        ahead: (B,) int32, as `classes_ahead` says, if targets are known.
    """

    top5: torch.Tensor
    logp: torch.Tensor
    finite: torch.Tensor
    logits: torch.Tensor | None
    arrays: Mapping[str, torch.Tensor] = field(default_factory=dict)
    ahead: torch.Tensor | None = None


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


def padded_targets(targets: Sequence[Sequence[int]], device: torch.device) -> torch.Tensor:
    """(B, T) int64 targets of B samples on the device, padded with -1; T = 1 without any."""
    most = max(1, *map(len, targets)) if targets else 1
    rows = [[*accepted, *[-1] * (most - len(accepted))] for accepted in targets]
    return torch.tensor(rows, dtype=torch.int64).reshape(-1, most).to(device, non_blocking=True)


def classes_ahead(logp: torch.Tensor, targets: torch.Tensor, top: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """(B,) int32: how many classes are ahead of the best of the targets, if none of them is among the first k.

    Those are the first k, whichever of equally probable ones they are, and of the others the more probable ones, and
    the equally probable ones of a lower index.

    Args:
        logp: (B, K). targets: (B, T) int64, padded with -1; the result means nothing for a sample without any.
        top: (B, k) log-probabilities and classes of the first k.
    """
    own = logp.gather(1, targets.clamp(min=0))
    if targets.shape[1] > 1:
        own = own.masked_fill(targets < 0, -math.inf)
        best = own.amax(dim=1, keepdim=True)
        targets = targets.masked_fill((targets < 0) | (own < best), logp.shape[1]).amin(dim=1, keepdim=True)
        own = best
    every = torch.arange(logp.shape[1], device=logp.device)
    in_order, in_top = (
        ((values > own) | ((values == own) & (classes < targets))).sum(dim=1, dtype=torch.int32)
        for values, classes in ((logp, every), top)
    )
    return in_order - in_top + top[0].shape[1]


def decide(
    logits: torch.Tensor, space: LabelSpace, *, keep_logits: bool = False, targets: torch.Tensor | None = None
) -> Decisions:
    """The stored part of a forward: top-5 classes with their log-probabilities. No synchronization with the host.

    Args:
        targets: (B, T) int64, as `padded_targets` gives them.
    """
    logp = log_probabilities(logits, space)
    k = min(TOP, logp.shape[1])
    values, classes = logp.topk(k, dim=1)
    top5, top_logp = classes.to(torch.int16), values.to(torch.float16)
    if k < TOP:
        top5, top_logp = pad(top5, (0, TOP - k), value=-1), pad(top_logp, (0, TOP - k), value=math.nan)
    # Infinite beyond 65,504, which `finite` must detect. A copy: a network may use the memory of its logits again.
    kept = logits.to(torch.float16, copy=True) if keep_logits else None
    finite = torch.isfinite(logits if kept is None else kept).all()
    ahead = None if targets is None else classes_ahead(logp, targets, (values, classes))
    return Decisions(top5, top_logp, finite, kept, ahead=ahead)
