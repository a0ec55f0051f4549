"""Building networks by name, without weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from harness import CheckpointError, ModelSpec, Preprocessing, UnknownNameError

if TYPE_CHECKING:
    import torch


INTERPOLATIONS: Mapping[str, Literal["bilinear", "bicubic"]] = {"bilinear": "bilinear", "bicubic": "bicubic"}
"""Names in timm and torchvision -> those of `Preprocessing`."""


def build(spec: ModelSpec) -> torch.nn.Module:
    """The network that ``arch: timm:NAME``, ``torchvision:NAME`` or ``zoo:FRONT`` names, random weights, on the CPU.

    It has `spec.outputs` outputs. The global random state is unchanged.

    Raises:
        CheckpointError: `spec.arch` is missing or has another form, or its network cannot have `spec.outputs` outputs.
        UnknownNameError: the library has no such architecture.
    """
    library, _, name = (spec.arch or "").partition(":")
    if library == "timm":
        return build_timm(name, spec.outputs, pool=spec.options.get("global_pool"))
    if library == "torchvision":
        return build_torchvision(name, spec.outputs)
    if library == "zoo":
        return _build_zoo(spec, name)
    raise CheckpointError(
        f"model {spec.name!r}: arch {spec.arch!r} must be timm:NAME or torchvision:NAME, such as "
        "torchvision:resnet50, or zoo:FRONT, such as zoo:plain"
    )


def fixed_size(arch: str) -> int | None:
    """Side in pixels of the images that a timm network takes, where its name says that it takes one size only.

    timm names transformers of fixed size after their patches and their size: ``vit_tiny_patch16_384``.
    """
    import re

    match = re.fullmatch(r"(?:timm:)?\w*patch\d+_(?:\w+_)?(\d{3,4})(?:\..*)?", arch)
    return int(match[1]) if match else None


def native_timm(name: str) -> Preprocessing | None:
    """Size, resize and interpolation that timm states for `name`; None if it states none that can be had here.

    The resize is floor(size / crop_pct), as in timm's evaluation: of the shorter side, or of both where timm squashes.
    """
    import timm

    config = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
    if config is None or config.input_size[1] != config.input_size[2]:
        return None
    size = int(config.input_size[1])
    side = math.floor(size / config.crop_pct)
    resizes: dict[str, int | tuple[int, int]] = {"center": side, "squash": (side, side)}
    resize, interpolation = resizes.get(config.crop_mode), INTERPOLATIONS.get(config.interpolation)
    if resize is None or interpolation is None:
        return None
    return Preprocessing(resize=resize, size=size, interpolation=interpolation)


def native_torchvision(weights: Any) -> Preprocessing | None:
    """Size, resize and interpolation that torchvision states for `weights` (``ResNet50_Weights.IMAGENET1K_V1``)."""
    transforms = weights.transforms()
    (size,), (resize,) = transforms.crop_size, transforms.resize_size
    interpolation = INTERPOLATIONS.get(transforms.interpolation.value)
    return None if interpolation is None else Preprocessing(resize=resize, size=size, interpolation=interpolation)


def build_timm(name: str, outputs: int, seed: int | None = None, pool: str | None = None) -> torch.nn.Module:
    """timm's network `name` (with or without a tag), with weights drawn from `seed`, or arbitrary ones for None.

    Args:
        pool: timm's ``global_pool`` instead of the architecture's default: ``avg`` makes a ViT average its patches.
    """
    import timm

    # Also rejects names such as hf-hub:…, for which timm would use the network.
    if not timm.is_model(name):
        hint = f'See: python -c "import timm; print(timm.list_models({name[:4] + "*"!r}))"'
        raise UnknownNameError("timm architecture", name, timm.list_models(), hint)
    pooling: dict[str, Any] = {} if pool is None else {"global_pool": pool}
    try:
        return _drawn(lambda: timm.create_model(name, pretrained=False, num_classes=outputs, **pooling), seed)
    except (AssertionError, TypeError) as error:
        raise CheckpointError(f"timm cannot build {name!r} with {pooling or 'no options'} ({error!r})") from error
    except RuntimeError as error:
        tags = timm.list_pretrained(f"{name.partition('.')[0]}.*")
        raise CheckpointError(f"timm cannot build {name!r} ({error}); it has the tags {', '.join(tags)}") from error


def build_torchvision(name: str, outputs: int) -> torch.nn.Module:
    """torchvision's classifier `name`, with arbitrary weights."""
    from torchvision import models

    names = models.list_models(module=models)
    if name not in names:
        hint = 'See: python -c "from torchvision import models; print(models.list_models(module=models))"'
        raise UnknownNameError("torchvision architecture", name, names, hint)
    if name in ("googlenet", "inception_v3"):
        # The weights that these are built for decide whether they normalize their input a second time: the same state
        # dict loads into a network built without them, and gives different numbers.
        raise CheckpointError(
            f"torchvision's {name!r} changes its input depending on the weights it is built for, which a state dict "
            "does not record; use another architecture, or write a model source that handles it"
        )
    return _drawn(lambda: models.get_model(name, weights=None, num_classes=outputs), None)


def _build_zoo(spec: ModelSpec, front: str) -> torch.nn.Module:
    """The network of the zoo, behind the input filter `front`."""
    from ._zoo.network import CLASSES, build

    if spec.outputs != CLASSES:
        raise CheckpointError(
            f"model {spec.name!r}: arch {spec.arch!r} has {CLASSES} outputs, the entry says {spec.outputs}; "
            f"write `outputs: {CLASSES}` and `label_space: shapes-16`"
        )
    try:
        return _drawn(lambda: build(front), None)
    except ValueError as error:
        raise CheckpointError(f"model {spec.name!r}: arch {spec.arch!r}: {error}") from error


def _drawn(make: Any, seed: int | None) -> torch.nn.Module:
    """The network that `make` builds, with random numbers from `seed`; the global CPU generator is unchanged.

    The generators of accelerators are not touched: networks are built on the CPU.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        if seed is not None:
            torch.default_generator.manual_seed(seed)
        network: torch.nn.Module = make()
    return network
