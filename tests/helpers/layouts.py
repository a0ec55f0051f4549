"""Checkpoint files as the training scripts of the 48 published ResNet-50 write them, made from any small network."""

from __future__ import annotations

import argparse
import json
import re
from collections import OrderedDict
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import dill
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from harness import CheckpointError, LoadingRecipe, ModelSpec
from harness.plugins.models.checkpoint import Checkpoint

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

    return drawn(timm.create_model(name, pretrained=False, num_classes=outputs), seed)


def drawn(network: torch.nn.Module, seed: int, gain: float = 2) -> torch.nn.Module:
    """`network` in eval mode, its every tensor drawn from `seed`; tables of indices are left as they are."""
    generator = torch.Generator().manual_seed(seed)
    for key, tensor in network.state_dict().items():
        noise = torch.randn(tensor.shape, generator=generator)
        if key.endswith("num_batches_tracked"):
            tensor.fill_(7)
        elif not tensor.is_floating_point():
            continue
        elif key.endswith("running_var"):
            tensor.copy_(0.5 + noise.abs())
        elif tensor.ndim < 2:
            tensor.copy_((1 if key.endswith("weight") else 0) + 0.3 * noise)
        else:
            # He et al. 2015: activations keep their size, so that the logits depend on the image.
            tensor.copy_(noise * (gain / tensor[0].numel()) ** 0.5)
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
    return OrderedDict((key, value) for key, value in state.items() if not key.startswith(("fc.", "head.")))


def linear_head(state: dict[str, torch.Tensor]) -> dict[str, Any]:
    """The classifier alone, as the linear-probe scripts of DINO and SwAV save it."""
    return {"epoch": 100, "state_dict": {f"module.linear.{key}": state[f"fc.{key}"] for key in ("weight", "bias")}}


def madry(state: dict[str, torch.Tensor], mean: tuple[float, ...] = (0.0, 0.0, 0.0)) -> dict[str, Any]:
    """The robustness library's: a second copy under the attacker, whose values differ here so that a mix-up shows."""
    wrong = {key: value + 1 for key, value in state.items()}
    both = {**prefixed(state, "module.model."), **prefixed(wrong, "module.attacker.model.")}
    both["module.normalizer.new_mean"] = torch.tensor(mean)
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


# --- what is published -----------------------------------------------------------------------


class Published(NamedTuple):
    """Files as the authors of some models wrote them, by what their training scripts save.

    Attributes:
        models: glob over names in the registry.
        content, head: as in `Layout`.
        save: (content, path) -> the file.
    """

    models: str
    content: Callable[[dict[str, torch.Tensor]], Any]
    save: Callable[[Any, Path], None] = torch.save
    head: Callable[[dict[str, torch.Tensor]], Any] | None = None


def published(model: str) -> Published:
    """The layout of a registered model's file. A new entry needs a line in `PUBLISHED`."""
    return next(one for one in PUBLISHED if fnmatchcase(model, one.models))


def save_legacy(content: Any, path: Path) -> None:
    """As torch before 1.6: no zip archive."""
    torch.save(content, path, _use_new_zipfile_serialization=False)


def save_with_dill(content: Any, path: Path) -> None:
    """As the robustness library."""
    torch.save(content, path, pickle_module=dill)


def save_safetensors(content: dict[str, torch.Tensor], path: Path) -> None:
    """As timm's repositories on the hub."""
    save_file({key: value.contiguous() for key, value in content.items()}, path, metadata={"format": "pt"})


def sharded(folder: Path, state: dict[str, torch.Tensor], count: int = 3, suffix: str = "safetensors") -> Path:
    """Writes `state` in `count` shards with their index, as the hub does; returns the index."""
    weight_map: dict[str, str] = {}
    keys = list(state)
    for number in range(count):
        name = f"model-{number + 1:05}-of-{count:05}.{suffix}"
        part = {key: state[key].contiguous() for key in keys[number::count]}
        if suffix == "safetensors":
            save_file(part, folder / name)
        else:
            torch.save(part, folder / name)
        weight_map |= dict.fromkeys(part, name)
    index = folder / f"model.{suffix}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": weight_map}))
    return index


def optimizer(state: dict[str, torch.Tensor]) -> dict[str, Any]:
    """SGD's state: a momentum for every parameter, all of them views of one zero that take no room in the file."""
    shapes = [value.shape for key, value in state.items() if key.endswith(("weight", "bias"))]
    zero = torch.zeros(1)
    return {
        "state": {i: {"momentum_buffer": zero.expand(shape)} for i, shape in enumerate(shapes)},
        "param_groups": [{"lr": 0.1, "momentum": 0.9, "nesterov": False, "params": list(range(len(shapes)))}],
    }


def imagenet_example(state: dict[str, torch.Tensor]) -> dict[str, Any]:
    """PyTorch's ImageNet example, which most of these scripts come from."""
    return {
        "epoch": 90,
        "arch": "resnet50",
        "state_dict": prefixed(state),
        "best_acc1": torch.tensor(76.1),
        "optimizer": optimizer(state),
    }


def robustness(state: dict[str, torch.Tensor]) -> dict[str, Any]:
    """The robustness library's: the attacker's copy shares the classifier's memory; two normalizers; SGD."""
    both: dict[str, torch.Tensor] = OrderedDict()
    for name in ("normalizer", "attacker.normalize"):
        both[f"module.{name}.new_mean"] = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
        both[f"module.{name}.new_std"] = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    both.update(prefixed(state, "module.model."))
    both.update(prefixed(state, "module.attacker.model."))
    schedule = {"step_size": 30, "gamma": 0.1, "last_epoch": 90, "_last_lr": [1e-4]}
    rest = {"optimizer": optimizer(state), "schedule": schedule, "epoch": 90, "amp": None}
    return {"model": both, **rest, "nat_prec1": torch.tensor(70.0), "adv_prec1": torch.tensor(0.0)}


def shape_texture(state: dict[str, torch.Tensor]) -> dict[str, Any]:
    """Shape-texture debiased training: a whole auxiliary batch norm inside each clean one."""
    norms = {key.rpartition(".")[0] for key in state if key.endswith("running_mean")}
    every: dict[str, torch.Tensor] = OrderedDict()
    for key, value in state.items():
        every[key] = value
        norm, _, leaf = key.rpartition(".")
        if norm in norms:
            every[f"{norm}.aux_bn.{leaf}"] = value + 1
    rest = {"acc": 76.9, "best_acc": 76.9, "optimizer": optimizer(state)}
    return {"epoch": 100, "state_dict": prefixed(every), **rest}


def reference_script(state: dict[str, torch.Tensor]) -> dict[str, Any]:
    """torchvision's reference training, here of a network inside another one (DiffusionNoise)."""
    rest = {"lr_scheduler": {"last_epoch": 90}, "epoch": 89, "args": argparse.Namespace(lr=0.5, data_path="…")}
    return {"model": prefixed(state), "optimizer": optimizer(state), **rest}


def timm_script(state: dict[str, torch.Tensor]) -> dict[str, Any]:
    """timm's training script, from one GPU."""
    rest = {"version": 2, "args": argparse.Namespace(lr=0.5, model="resnet50"), "metric": 74.762}
    return {"epoch": 89, "arch": "resnet50", "state_dict": state, "optimizer": optimizer(state), **rest}


def optics(state: dict[str, torch.Tensor]) -> dict[str, Any]:
    """OpticsAugment: the optimizer's key ends like that of the weights."""
    rest = {"optimizer_state_dict": optimizer(state), "loss": 1.0, "acc": torch.tensor(0.742, dtype=torch.float64)}
    return {"epoch": 90, "best_epoch": 88, "model_state_dict": prefixed(state), **rest}


def swav(state: dict[str, torch.Tensor]) -> OrderedDict[str, torch.Tensor]:
    """The backbone with SwAV's own heads."""
    heads = {f"projection_head.{layer}.weight": torch.zeros(2) for layer in (0, 1, 3)}
    return prefixed({**uncounted(backbone(state)), **heads, "prototypes.weight": torch.zeros(2)})


def linear_probe(state: dict[str, torch.Tensor]) -> dict[str, Any]:
    """The classifier of a probe on a frozen backbone, under whichever name the network has it."""
    head = {key.rpartition(".")[2]: value for key, value in state.items() if key.startswith(("fc.", "head."))}
    rest = {"optimizer": optimizer(head), "scheduler": {"last_epoch": 100}, "best_acc": 75.3}
    return {"epoch": 100, "state_dict": prefixed(head, "module.linear."), **rest}


PUBLISHED = (
    Published("tv*_resnet50", OrderedDict),
    Published("resnet50.*_in1k", dict, save_safetensors),
    Published("resnet50_diffusionnoise_fixed_nonoise", reference_script),
    Published("resnet50_prime", prefixed),
    Published("resnet50_deepaugment*", imagenet_example),
    Published("resnet50_noisymix", lambda state: {"state_dict": prefixed(state)}),
    # trained without DataParallel: no prefix
    Published("resnet50_pixmix_*", lambda state: {**imagenet_example(state), "state_dict": state}),
    Published("resnet50_augmix_180ep", lambda state: {"model": "resnet50", **imagenet_example(state)}),
    Published("resnet50_tsbias_*", shape_texture),
    Published("resnet50_opticsaugment", optics),
    Published("resnet50_trained_on_SIN*", lambda state: imagenet_example(uncounted(state)), save_legacy),
    Published("resnet50_frozen_random", timm_script),
    Published("robust_resnet50_*", robustness, save_with_dill),
    Published("resnet50_moco_v3_*", imagenet_example),
    Published("resnet50_dino", backbone, head=linear_probe),
    Published("resnet50_swav", swav, head=linear_probe),
    Published("resnet50_simclrv2", simclr),
    Published("vit_base_patch16_224.mae_in1k", lambda state: {"model": state}),
    Published("vit_base_patch16_224.dino_in1k", backbone, head=linear_probe),
    Published("vit_base_patch16_224.torchvision_deit", OrderedDict),
    # The rest are timm's own.
    *(
        Published(models, dict, save_safetensors)
        for models in ("vit_*", "resnet*", "s*sl_resnet50", "nf_*", "lambda_*")
    ),
)
