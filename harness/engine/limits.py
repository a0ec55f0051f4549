"""What a network or probe cannot do, by what it is made of: that need not be looked for at every stimulus."""

from __future__ import annotations

from typing import Final, NamedTuple

import torch

from harness.discovery.code import CORE
from harness.engine.normalization import Normalized

_LIBRARIES: Final = (f"{CORE}.", "timm.", "torch.nn.", "torchvision.")
"""Packages whose modules change no global setting."""


class Limits(NamedTuple):
    """Of a network.

    Attributes:
        leaves_images: it cannot change the images that it is given: what is behind its normalization gets a new tensor.
        leaves_settings: it cannot change global settings: it is made of modules of well-known libraries only.
    """

    leaves_images: bool
    leaves_settings: bool


def limits_of(network: torch.nn.Module) -> Limits:
    """The limits of `network`, as it is made now. Hooks, and functions set in place of `forward`, have none."""
    return Limits(
        leaves_images=type(network) is Normalized and _is_as_written(network),
        leaves_settings=all(_is_of_library(module) and _is_as_written(module) for module in network.modules()),
    )


def is_built_in(plugin: object) -> bool:
    """Whether a plugin is one of the harness, which changes no global setting."""
    return type(plugin).__module__.startswith(f"{CORE}.")


def _is_of_library(module: torch.nn.Module) -> bool:
    return type(module).__module__.startswith(_LIBRARIES)


def _is_as_written(module: torch.nn.Module) -> bool:
    return not (module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module))
