"""Checkpoint files as the training scripts of the 48 published ResNet-50 write them, made from any small network."""

from __future__ import annotations

import argparse
import re
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from harness.plugins.models.checkpoint import Checkpoint

from harness import CheckpointError, LoadingRecipe, ModelSpec

ARCH = "timm:test_resnet"
SIMCLR_RENAME = (
    (r"^net\.0\.0\.", "conv1."),
    (r"^net\.0\.1\.0\.", "bn1."),
    (r"^net\.(\d)\.blocks\.(\d+)\.", r"layer\1.\2."),
    (r"^(layer\d\.\d+\.)net\.0\.", r"\1conv1."),
    (r"^(layer\d\.\d+\.)net\.1\.0\.", r"\1bn1."),
    (r"^(layer\d\.\d+\.)net\.2\.", r"\1conv2."),
    (r"^(layer\d\.\d+\.)net\.3\.0\.", r"\1bn2."),
    (r"^(layer\d\.\d+\.)net\.4\.", r"\1conv3."),
    (r"^(layer\d\.\d+\.)net\.5\.0\.", r"\1bn3."),
    (r"^(layer\d\.\d+\.)projection\.shortcut\.", r"\1downsample.0."),
    (r"^(layer\d\.\d+\.)projection\.bn\.0\.", r"\1downsample.1."),
)
"""From the keys of the SimCLRv2 converter to torchvision's (checkpoint `resnet50_simclrv2`)."""


class Layout(NamedTuple):
    """`content`: state dict -> what the file holds; `head`: likewise for a second file with the classifier."""

    name: str
    content: Callable[[dict[str, torch.Tensor]], Any]
    recipe: LoadingRecipe = LoadingRecipe()
    head: Callable[[dict[str, torch.Tensor]], Any] | None = None


def small_network(seed: int = 0, name: str = "test_resnet", outputs: int = 1000) -> torch.nn.Module:
    """A timm network in eval mode whose every tensor, running statistics included, is drawn from `seed`."""
    import timm

    network = timm.create_model(name, pretrained=False, num_classes=outputs)
    generator = torch.Generator().manual_seed(seed)
    for key, tensor in network.state_dict().items():
        noise = torch.randn(tensor.shape, generator=generator)
        if key.endswith("num_batches_tracked"):
            tensor.fill_(7)
        elif key.endswith("running_var"):
            tensor.copy_(0.5 + noise.abs())
        elif tensor.ndim == 1:
            tensor.copy_((1 if key.endswith("weight") else 0) + 0.3 * noise)
        else:
            # He et al. 2015: activations keep their size, so that the logits depend on the image.
            tensor.copy_(noise * (2 / tensor[0].numel()) ** 0.5)
    return network.eval()


def spec_for(path: Path, recipe: LoadingRecipe | None = None, **changes: Any) -> ModelSpec:
    """An entry of source `checkpoint` for the file at `path`."""
    given = {"name": "tiny", "source": "checkpoint", "arch": ARCH, "weights": (f"file:{path}",), **changes}
    return ModelSpec(**given, recipe=recipe or LoadingRecipe())


def some_images() -> torch.Tensor:
    """(2, 3, 64, 64) float32 in [0, 1], always the same."""
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def assert_same(loaded: torch.nn.Module, network: torch.nn.Module, images: torch.Tensor) -> None:
    """Both have the same tensors, bit by bit, and the same logits; the counters of old files are not compared."""
    assert not loaded.training
    theirs, ours = loaded.state_dict(), network.state_dict()
    assert list(theirs) == list(ours)
    assert all(torch.equal(theirs[key], ours[key]) for key in ours if not key.endswith("num_batches_tracked"))
    with torch.inference_mode():
        assert torch.equal(loaded(images), network(images))


def refusal(path: Path, recipe: LoadingRecipe | None = None, **changes: Any) -> str:
    """The one line with which the source `checkpoint` refuses this file."""
    with pytest.raises(CheckpointError) as caught:
        Checkpoint().load(spec_for(path, recipe, **changes))
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


def prefixed(state: dict[str, torch.Tensor], prefix: str = "module.") -> OrderedDict[str, torch.Tensor]:
    """The same tensors with `prefix` before every key."""
    return OrderedDict((prefix + key, value) for key, value in state.items())


def uncounted(state: dict[str, torch.Tensor]) -> OrderedDict[str, torch.Tensor]:
    """Without `num_batches_tracked`, as before PyTorch 0.4.1, but with the metadata of a newer network."""
    kept = OrderedDict((key, value) for key, value in state.items() if not key.endswith("num_batches_tracked"))
    kept._metadata = getattr(state, "_metadata", {"": {"version": 2}})  # type: ignore[attr-defined]
    return kept


def backbone(state: dict[str, torch.Tensor]) -> OrderedDict[str, torch.Tensor]:
    """Without the classifier."""
    return OrderedDict((key, value) for key, value in state.items() if not key.startswith("fc."))


def linear_head(state: dict[str, torch.Tensor]) -> dict[str, Any]:
    """The classifier alone, as the linear-probe scripts of DINO and SwAV save it."""
    return {"epoch": 100, "state_dict": {f"module.linear.{key}": state[f"fc.{key}"] for key in ("weight", "bias")}}


def madry(state: dict[str, torch.Tensor]) -> dict[str, Any]:
    """The robustness library's: a second copy under the attacker, whose values differ here so that a mix-up shows."""
    wrong = {key: value + 1 for key, value in state.items()}
    both = {**prefixed(state, "module.model."), **prefixed(wrong, "module.attacker.model.")}
    both["module.normalizer.new_mean"] = torch.zeros(3)
    return {"model": both, "optimizer": {"state": {}}, "epoch": 90, "nat_prec1": torch.tensor(1.0)}


def debiased(state: dict[str, torch.Tensor]) -> dict[str, Any]:
    """Auxiliary batch norms beside the clean ones (shape-texture debiased training)."""
    auxiliary = {re.sub(r"\.(\w+)$", r".aux_bn.\1", key): value + 1 for key, value in state.items() if "running" in key}
    return {"epoch": 3, "state_dict": prefixed({**state, **auxiliary}), "acc": 1.0}


def simclr(state: dict[str, torch.Tensor]) -> dict[str, Any]:
    """The keys of the SimCLRv2 converter, made from torchvision's by the inverse of `SIMCLR_RENAME`."""
    inverse = [
        (r"^conv1\.", "net.0.0."),
        (r"^bn1\.", "net.0.1.0."),
        *((rf"\.conv{i + 1}\.", f".net.{2 * i}.") for i in range(3)),
        *((rf"\.bn{i + 1}\.", f".net.{2 * i + 1}.0.") for i in range(3)),
        (r"\.downsample\.0\.", ".projection.shortcut."),
        (r"\.downsample\.1\.", ".projection.bn.0."),
        (r"^layer(\d)\.(\d+)\.", r"net.\1.blocks.\2."),
    ]
    renamed = {}
    for key, value in state.items():
        new = key
        for pattern, replacement in inverse:
            new = re.sub(pattern, replacement, new)
        renamed[new] = value
    return {"resnet": renamed, "head": {"w": torch.zeros(2)}}


STRIP = LoadingRecipe(strip_prefixes=("module.",))
HEAD_RENAME = ((r"^module\.linear\.", "fc."),)
LAYOUTS = (
    Layout("flat", dict),
    Layout("ordered with metadata, uncounted", uncounted),
    Layout("data parallel", lambda state: {"epoch": 1, "state_dict": prefixed(state)}, STRIP),
    Layout("prefix absent", lambda state: {"state_dict": state, "best_acc1": torch.tensor(0.5)}, STRIP),
    Layout("augmix: a string under model", lambda state: {"model": "resnet50", "state_dict": prefixed(state)}, STRIP),
    Layout(
        "opticsaugment: the optimizer's key ends alike",
        lambda state: {
            "optimizer_state_dict": {"state": {0: torch.zeros(2)}},
            "model_state_dict": prefixed(state),
            "acc": torch.tensor(0.5, dtype=torch.float64),
        },
        STRIP,
    ),
    Layout(
        "madry: attacker copy",
        madry,
        LoadingRecipe(wrapper_keys=("model",), select_prefix="module.model.", strip_prefixes=("module.model.",)),
    ),
    Layout("debiased: auxiliary batch norms", debiased, LoadingRecipe(strip_prefixes=("module.",), drop=("*aux_bn*",))),
    Layout(
        "dino: backbone and head",
        backbone,
        LoadingRecipe(head="file:head.pth", head_wrapper_keys=("state_dict",), head_rename=HEAD_RENAME),
        linear_head,
    ),
    Layout(
        "swav: projection head, uncounted",
        lambda state: prefixed(
            {
                **uncounted(backbone(state)),
                "projection_head.0.weight": torch.zeros(2),
                "prototypes.weight": torch.zeros(2),
            }
        ),
        LoadingRecipe(
            strip_prefixes=("module.",),
            drop=("projection_head.*", "prototypes.*"),
            head="file:head.pth",
            head_rename=HEAD_RENAME,
        ),
        linear_head,
    ),
    Layout(
        "timm training script: Namespace",
        lambda state: {"state_dict": state, "args": argparse.Namespace(lr=0.1), "metric": 1.0},
        LoadingRecipe(safe_globals=("argparse.Namespace",)),
    ),
    Layout(
        "numpy scalar beside the weights",
        lambda state: {"state_dict": state, "best": np.float64(0.5)},
        LoadingRecipe(safe_globals=("numpy._core.multiarray.scalar", "numpy.dtype", "numpy.dtypes.Float64DType")),
    ),
    Layout("nested twice", lambda state: {"a": {"b": state}}, LoadingRecipe(wrapper_keys=("a", "b"))),
    Layout(
        "old names, same order",
        lambda state: OrderedDict((f"old{i}.{key.rpartition('.')[2]}", v) for i, (key, v) in enumerate(state.items())),
        LoadingRecipe(match="position"),
    ),
    Layout(
        "old names, same order, uncounted",
        lambda state: OrderedDict(
            (f"old{i}.{key.rpartition('.')[2]}", v) for i, (key, v) in enumerate(uncounted(state).items())
        ),
        LoadingRecipe(match="position"),
    ),
)
