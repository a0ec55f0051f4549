"""Networks: loaded once, and checked on one image before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch

from harness.engine.allocator import keep_freed_memory
from harness.errors import CheckpointError, mistakes_of

if TYPE_CHECKING:
    from harness.interfaces import ModelSource
    from harness.planning.plan import Plan
    from harness.records import ModelSpec


def load_network(spec: ModelSpec, source: ModelSource, size: int) -> torch.nn.Module:
    """The network of `spec`, after a check that one image (a ramp of grey values) yields (1, outputs) logits.

    Raises:
        CheckpointError: it cannot be loaded, cannot forward, changes its input, or has another number of outputs.
    """
    with mistakes_of(f"model {spec.name!r}: source {spec.source!r}"):
        network = source.load(spec).eval()
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    image = torch.linspace(0, 1, 3 * size * size).view(1, 3, size, size)
    before = image.clone()
    try:
        with torch.inference_mode():
            logits = network(image)
    except Exception as error:
        raise CheckpointError(f"model {spec.name!r} cannot forward a {size}x{size} image: {error}") from error
    if not torch.equal(image, before):
        raise CheckpointError(
            f"model {spec.name!r} changes its input in place, which would change what other models see; "
            f"have its source {spec.source!r} return a network that works on a copy"
        )
    shape = tuple(getattr(logits, "shape", ())) or type(logits).__name__
    if shape != (1, spec.outputs):
        raise CheckpointError(
            f"model {spec.name!r} answers one image with {shape}, expected (1, {spec.outputs}) logits; "
            f"see `outputs` of its registry entry"
        )
    return network


def channels_last(network: torch.nn.Module) -> None:
    """Use the memory layout in which convolutions are fastest, on CPUs and on tensor cores alike.

    ``network.to(memory_format=…)`` would raise for networks that also have three-dimensional convolutions.
    """
    for tensor in (*network.parameters(), *network.buffers()):
        if tensor.dim() == 4:
            tensor.data = tensor.data.to(memory_format=torch.channels_last)


def load_first(
    plan: Plan, specs: Mapping[str, ModelSpec], sources: Mapping[str, ModelSource]
) -> dict[str, torch.nn.Module]:
    """Load and check every network of the plan once; keep those of the first pass.

    Raises:
        CheckpointError: as `load_network`, before anything is written.
    """
    keep_freed_memory()
    kept: dict[str, torch.nn.Module] = {}
    checked: set[str] = set()
    for number, planned_pass in enumerate(plan.passes):
        for name in planned_pass.models:
            if name in checked:
                continue
            network = load_network(specs[name], sources[specs[name].source], planned_pass.dataset.preprocessing.size)
            checked.add(name)
            if number == 0:
                kept[name] = network
    return kept
