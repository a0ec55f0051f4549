"""With `size: native` each network sees images as its authors do; one run serves networks of several sizes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from harness import ModelSpec, Preprocessing, read_trials
from harness.plugins.models.checkpoint import Checkpoint
from harness.plugins.models.timm import Timm
from harness.plugins.models.torchvision import Torchvision

ARCHITECTURES = {"small": "test_resnet", "squinting": "test_vit", "large": "resnet18.tv_in1k"}
REGISTRY = """
models:
  small: {source: timm, arch: test_resnet, options: {pretrained: false, init_seed: 1}}
  squinting: {source: timm, arch: test_vit, options: {pretrained: false, init_seed: 2}}
  large: {source: timm, arch: resnet18.tv_in1k, options: {pretrained: false, init_seed: 3}}
  rigid: {source: timm, arch: deit_tiny_patch16_224, options: {pretrained: false, init_seed: 4}}
  silent: {source: dummy, options: {kind: brightness}}
datasets:
  own: {plugin: imagenet, path: data, size: native}
  fixed: {plugin: imagenet, path: data}
  tiny: {plugin: imagenet, path: data, resize: 64, size: 64}
"""


@pytest.fixture
def measure(command_line, tiny_tree, tmp_path):
    tiny_tree(classes=2, images=3, size=(300, 260), folder=tmp_path / "data")
    Path("my.yaml").write_text(REGISTRY)

    def run(*more, models=tuple(ARCHITECTURES), tasks=("accuracy@own",), out="run"):
        return command_line(
            "run", "--registry", "my.yaml", "--models", *models, "--task", *tasks, "--data", "own=data",
            "--data", "fixed=data", "--data", "tiny=data", "--device", "cpu", "--out", out, *more,
        )  # fmt: skip

    return run


def loop(name, sample_ids):
    """The five best classes, as timm's own evaluation has them."""
    import timm
    from timm.data.transforms_factory import transforms_imagenet_eval

    config = timm.get_pretrained_cfg(ARCHITECTURES[name])
    transform = transforms_imagenet_eval(
        config.input_size[1], crop_pct=config.crop_pct, interpolation=config.interpolation, mean=(0,) * 3, std=(1,) * 3
    )
    seed = 1 + list(ARCHITECTURES).index(name)
    options = {"pretrained": False, "init_seed": seed}
    network = Timm().load(ModelSpec(name=name, source="timm", arch=ARCHITECTURES[name], options=options))
    images = torch.stack([transform(Image.open(Path("data") / sample).convert("RGB")) for sample in sample_ids])
    with torch.inference_mode():
        return images.shape[-1], network(images).topk(5).indices.numpy()


def test_one_run_serves_networks_of_several_sizes_as_timm_evaluates_them(measure):
    code, _, err = measure(tasks=("accuracy@own", "accuracy@fixed"))
    assert code == 0, err
    sizes = set()
    for name in ARCHITECTURES:
        trials = read_trials("run", "accuracy@own", name)
        size, expected = loop(name, trials.layout.sample_ids)
        sizes.add(size)
        assert np.array_equal(trials.top5[:, 0], expected)
    assert sizes == {160, 224}
    fixed, own = (read_trials("run", f"accuracy@{dataset}", "squinting") for dataset in ("fixed", "own"))
    assert not np.array_equal(fixed.logp, own.logp)
    code, out, err = measure("--dry-run", tasks=("accuracy@own", "accuracy@fixed"))
    assert code == 0 and "stored" in out + err


def test_sizes_are_in_the_identity_of_each_cell(measure):
    assert measure(models=("small", "squinting"))[0] == 0
    cells = {path.parent.name: json.loads(path.read_text()) for path in Path("run").rglob("cell.json")}
    identities = {name: cell.get("identity") or cell["job"]["identity"] for name, cell in cells.items()}
    assert {name: identity["dataset"]["preprocessing"] for name, identity in identities.items()} == {
        "small": {"size": "native"}, "squinting": {"size": "native"},
    }  # fmt: skip
    assert identities["small"]["model"]["preprocessing"] == {"resize": 168, "size": 160}
    assert identities["squinting"]["model"]["preprocessing"] == {
        "resize": 168, "size": 160, "interpolation": "bicubic",
    }  # fmt: skip
    Path("my.yaml").write_text(REGISTRY.replace("test_vit, ", "test_vit, notes: the same, "))
    code, out, err = measure("--dry-run", models=("squinting",))
    assert code == 0 and "stored" in out + err


def test_a_network_of_no_stated_size_is_left_out_with_the_reason(measure):
    code, out, err = measure("--dry-run", models=("small", "silent"))
    assert code == 0
    assert "source 'dummy' states no size, resize and crop" in " ".join((out + err).split())


def test_a_network_of_one_size_is_measured_at_its_own_and_the_rest_is_left_out_with_the_way_on(measure):
    code, out, err = measure(models=("rigid",), tasks=("accuracy@own", "accuracy@tiny"))
    assert (code, out) == (1, "") and "1 of 2 cells stored" in err
    assert "rigid takes images of 224 pixels, tiny gives 64" in err and "or `size: native`, serves it" in err
    assert measure(models=("rigid",), out="another")[0] == 0


def test_the_run_says_that_sizes_differ(measure, command_line):
    assert measure(models=("small",))[0] == 0
    code, out, _ = command_line("report", "run")
    assert code == 0 and "own: resized and cropped as each network's source states" in " ".join(out.split())


@pytest.mark.parametrize(
    ("source", "fields", "expected"),
    [
        (Timm(), {"arch": "resnet50.a1_in1k"}, Preprocessing(resize=235, interpolation="bicubic")),
        (Checkpoint(), {"arch": "timm:vit_base_patch16_384"}, Preprocessing(
            resize=384, size=384, interpolation="bicubic")),
        (Checkpoint(), {"arch": "torchvision:resnet50"}, None),
        (Checkpoint(), {"arch": "zoo:plain"}, None),
        (Torchvision(), {"arch": "resnet50", "weights": ("torchvision:ResNet50_Weights.IMAGENET1K_V2",)},
            Preprocessing(resize=232)),
        (Torchvision(), {"arch": "resnet50", "weights": (
            "file:x.pth", "https://download.pytorch.org/models/resnet50-0676ba61.pth")}, Preprocessing()),
        (Torchvision(), {"arch": "resnet50", "weights": ("file:x.pth",)}, None),
    ],
)  # fmt: skip
def test_sources_state_what_their_libraries_do(source, fields, expected):
    assert source.native(ModelSpec(name="m", source=source.name, **fields)) == expected


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("plugin: imagenet, size: native, resize: 256", "size: native takes resize from each network too"),
        ("plugin: imagenet, size: native, interpolation: bicubic", "takes interpolation from each network too"),
        ("plugin: imagenet-c, size: native", "used as they are stored"),
        ("plugin: imagenet, size: its-own", "or native for the size of each network, got 'its-own'"),
    ],
)
def test_an_entry_that_contradicts_itself_is_refused(measure, command_line, keys, words):
    Path("my.yaml").write_text(f"datasets: {{own: {{{keys}}}}}")
    code, out, err = command_line("info", "own", "--registry", "my.yaml")
    assert (code, out) == (2, "") and words in err
