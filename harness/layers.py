"""The layers of a network: which there are, and their activations in one forward. Changes nothing in the network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from harness.errors import PluginError, RequestError, UnknownNameError
from harness.features import HEAD, STAGES, FeatureProbe, stages

Forward = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True)
class Layers:
    """The modules of a network, as one forward met them.

    Attributes:
        root: the network whose modules are named. shapes: name -> output of one image, in the order of the calls.
        head: name of the last module, whose output is the logits; empty if there is none.
        logits: (1, outputs) of that forward.
    """

    root: torch.nn.Module
    shapes: Mapping[str, tuple[int, ...]]
    head: str
    logits: torch.Tensor


def layers_in(root: torch.nn.Module, forward: Forward, image: torch.Tensor) -> Layers:
    """Look up the layers of `root` in one forward.

    Args:
        forward: the network with all that comes before and after `root`. image: (1, 3, S, S).
    """
    shapes: dict[str, tuple[int, ...]] = {}
    scores: dict[str, torch.Tensor] = {}

    def note(name: str) -> Callable[[torch.nn.Module, Any, Any], None]:
        def hook(module: torch.nn.Module, given: Any, output: Any) -> None:
            shapes.pop(name, None)  # of several calls the last counts
            scores.pop(name, None)
            if isinstance(output, torch.Tensor) and output.dim() > 1:
                shapes[name] = tuple(output.shape[1:])
                if _is_linear(module) and given:
                    scores[name] = output.flatten(1).clone()

        return hook

    with ExitStack() as stack:
        for name, module in root.named_modules():
            if name:
                stack.callback(module.register_forward_hook(note(name)).remove)
        logits = forward(image).clone()
    heads = [name for name, output in scores.items() if torch.equal(output, logits)]
    return Layers(root, shapes, heads[-1] if heads else "", logits)


def _is_linear(module: torch.nn.Module) -> bool:
    """Whether a module is a linear map of one vector: fully connected, or a 1x1 convolution."""
    return isinstance(module, torch.nn.Linear) or getattr(module, "kernel_size", None) == (1, 1)


def chosen(probe: FeatureProbe, layers: Layers, model: str) -> tuple[str, ...]:
    """The layers that `probe` sees of a network, in its order, each once.

    Raises:
        UnknownNameError: the network has no such layer. RequestError: no layer at all, or no head.
        PluginError: the probe names no texts.
    """
    names: Any = probe.layers_of(dict(layers.shapes))
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise PluginError(f"probe {probe.name}: layers_of returned {names!r}, expected names of layers")
    found: dict[str, None] = {}
    for name in names:
        if name == STAGES:
            found.update(dict.fromkeys(stages(layers.shapes)))
        elif name == HEAD and not layers.head:
            raise RequestError(f"probe {probe.name} needs the head of {model}, whose last module is no linear layer")
        elif name in layers.shapes or name == HEAD:
            found[name] = None
        else:
            hint = f"Needed by probe {probe.name}; harness info {probe.name} shows its layers"
            raise UnknownNameError(f"layer of {model}", name, {HEAD, STAGES, *layers.shapes}, hint)
    if not found:
        raise RequestError(f"probe {probe.name} sees no layer of {model}: it names none, or {model} has no stages")
    return tuple(found)


@contextmanager
def tapped(layers: Layers, names: Sequence[str]) -> Iterator[Mapping[str, torch.Tensor]]:
    """Activations of the layers `names` in the forwards within: name -> copy (B, …) float32, of its last call."""
    seen: dict[str, torch.Tensor] = {}

    def keep_output(name: str) -> Callable[[torch.nn.Module, Any, Any], None]:
        def hook(module: torch.nn.Module, given: Any, output: Any) -> None:
            seen[name] = output.detach().to(torch.float32, copy=True)

        return hook

    def keep_input(module: torch.nn.Module, given: Any) -> None:
        seen[HEAD] = given[0].detach().flatten(1).to(torch.float32, copy=True)

    with ExitStack() as stack:
        for name in names:
            module = layers.root.get_submodule(layers.head if name == HEAD else name)
            if name == HEAD:
                stack.callback(module.register_forward_pre_hook(keep_input).remove)
            else:
                stack.callback(module.register_forward_hook(keep_output(name)).remove)
        yield seen
