"""Networks: loaded once, and checked on one image before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from harness.engine.allocator import keep_freed_memory
from harness.engine.contract import logits_fault, reason_of
from harness.engine.global_state import GlobalState, refuse_global_hooks
from harness.engine.numerics import numerics
from harness.engine.observing import Tap, taps_of
from harness.engine.purity import Steadiness, impurity, witnesses
from harness.engine.replaced import refuse_replaced
from harness.errors import CheckpointError, PluginError, RequestError, blamed, listed, plugin_faults

if TYPE_CHECKING:
    from harness.interfaces import ModelSource
    from harness.planning.plan import Plan
    from harness.records import ModelSpec


def load_network(
    spec: ModelSpec, source: ModelSource, size: int, steadiness: Steadiness | None = None
) -> torch.nn.Module:
    """The network of `spec`, after a check that it gives (1, outputs) logits and is a function of one image.

    The check is three forwards of three made images (`purity.witnesses`) in float32.

    Args:
        steadiness: notes the answers, and knows those of an earlier load.

    Raises:
        CheckpointError: it cannot be loaded, cannot forward, changes its input, has another number of outputs, answers
            an image differently alone and among others or than when it was loaded before, or changes global settings
            of torch.
    """
    state = GlobalState()
    try:
        with blamed(spec.asked):
            network = source.load(spec)
            if not isinstance(network, torch.nn.Module):
                raise PluginError(f"{spec.asked} loads {type(network).__name__}, expected torch.nn.Module")
            network.eval()
            for parameter in network.parameters():
                parameter.requires_grad_(False)
        _refuse_changes(spec, state)
        check_network(network, spec, size, steadiness or Steadiness())
        _refuse_changes(spec, state)
    finally:
        state.changes()  # set back, whatever was raised
    return network


def _refuse_changes(spec: ModelSpec, state: GlobalState) -> None:
    if fault := state.fault(f"model {spec.name!r} (source {spec.source!r})"):
        raise CheckpointError(fault)


def check_network(network: torch.nn.Module, spec: ModelSpec, size: int, steadiness: Steadiness) -> None:
    """Raises CheckpointError if the network does not answer as the registry entry says, or is no function of one image.

    Args:
        size: side of the images in pixels. steadiness: as in `load_network`.
    """
    images = witnesses(size)
    image, impure, changed = images[:1].clone(), None, ""
    try:
        with torch.inference_mode():
            logits = network(image)
            fault = logits_fault(logits, (1, spec.outputs), image.device)
            if not fault:
                alone, among = logits.clone(), network(images.clone()).clone()
                impure = impurity(network, images, alone, among)
                changed = "" if impure else steadiness.loaded(spec.name, size, among)
    except plugin_faults() as error:
        raise CheckpointError(
            f"model {spec.name!r} cannot forward a {size}x{size} image: {reason_of(error)}"
        ) from error
    if not torch.equal(image, images[:1]):
        raise CheckpointError(
            f"model {spec.name!r} changes its input in place, which would change what other models see; "
            f"have its source {spec.source!r} return a network that works on a copy"
        )
    if fault:
        raise CheckpointError(
            f"model {spec.name!r} answers one image with {fault}; see `outputs` of its registry entry"
        )
    if impure is not None:
        raise CheckpointError(
            f"model {spec.name!r} is not a function of one image: {impure}. Its numbers would depend on batch size, "
            f"order or chance; have its source {spec.source!r} return a network that is deterministic in eval mode"
        )
    if changed:
        raise CheckpointError(f"{changed}; have its source {spec.source!r} load the same weights each time")


def channels_last(network: torch.nn.Module) -> None:
    """Use the memory layout in which convolutions are fastest, on CPUs and on tensor cores alike.

    ``network.to(memory_format=…)`` would raise for networks that also have three-dimensional convolutions.
    """
    for tensor in (*network.parameters(), *network.buffers()):
        if tensor.dim() == 4:
            tensor.data = tensor.data.to(memory_format=torch.channels_last)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedNetworks:
    """The networks of a plan, each loaded once.

    Attributes:
        kept: name -> network, for those of the first pass.
        remarks: name -> what its source says of its weights. refused: name -> why it cannot be used.
        steadiness: what they answered.
        taps: (task, model) -> the layers that its probe sees, or why it cannot.
    """

    kept: dict[str, torch.nn.Module] = field(default_factory=dict)
    remarks: dict[str, tuple[str, ...]] = field(default_factory=dict)
    refused: dict[str, RequestError] = field(default_factory=dict)
    steadiness: Steadiness = field(default_factory=Steadiness)
    taps: dict[tuple[str, str], Tap | RequestError] = field(default_factory=dict)


def load_first(plan: Plan, specs: Mapping[str, ModelSpec], sources: Mapping[str, ModelSource]) -> LoadedNetworks:
    """Load and check every network of the plan once; keep those of the first pass, and why others cannot be used.

    Raises:
        PluginError: as `refuse_global_hooks` and `refuse_replaced`, also if loading a network replaced a function.
    """
    keep_freed_memory()
    refuse_global_hooks()
    refuse_replaced()
    sizes: dict[str, dict[int, None]] = {}  # model -> its sizes, in the order of the passes
    for planned_pass in plan.passes:
        for name in planned_pass.models:
            sizes.setdefault(name, {})[planned_pass.size] = None
    loaded = LoadedNetworks()
    for name, (first, *others) in sizes.items():
        try:
            with numerics(plan.settings):
                network = load_network(specs[name], sources[specs[name].source], first, loaded.steadiness)
                for size in others:
                    check_network(network, specs[name], size, loaded.steadiness)
                remarks = _remarks_of(network, specs[name])
                loaded.taps.update(taps_of(plan, name, network))
        except RequestError as error:  # also of a source that fails
            loaded.refused[name] = error
            continue
        loaded.remarks[name] = remarks
        if name in plan.passes[0].models:
            loaded.kept[name] = network
    refuse_replaced()
    for size in sorted({size for of_model in sizes.values() for size in of_model}):
        _note_alike(loaded, size)
    return loaded


def _note_alike(loaded: LoadedNetworks, size: int) -> None:
    """A remark on networks that give equal logits: one of them may not be what its entry says."""
    for names in loaded.steadiness.alike(size):
        for name in names:
            others = listed(other for other in names if other != name)
            remark = f"its logits equal those of {others}: is it the same network under several names?"
            loaded.remarks[name] = tuple(dict.fromkeys((*loaded.remarks.get(name, ()), remark)))


def _remarks_of(network: torch.nn.Module, spec: ModelSpec) -> tuple[str, ...]:
    """What the source says of the weights. Raises PluginError."""
    with blamed(spec.asked):
        remarks = getattr(network, "remarks", ())
        return (remarks,) if isinstance(remarks, str) else tuple(map(str, remarks))
