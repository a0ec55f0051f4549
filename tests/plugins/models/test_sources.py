"""The sources timm, torchvision and dummy: offline, strict, deterministic."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import CheckpointError, Download, ModelSpec, UnknownNameError
from harness.checkpoints.locations import locate
from harness.checkpoints.reading import sha256_of
from harness.plugins.models.dummy import Dummy
from harness.plugins.models.timm import Timm
from harness.plugins.models.torchvision import Torchvision
from tests.helpers.layouts import small_network

TAGGED = "test_resnet.r160_in1k"
WEIGHTS = "torchvision:MobileNet_V3_Small_Weights.IMAGENET1K_V1"
PUBLISHED = "mobilenet_v3_small-047dcff4.pth"
URL = f"https://download.pytorch.org/models/{PUBLISHED}"


@pytest.fixture(autouse=True)
def offline(tmp_path, monkeypatch):
    """Empty caches, and no way out."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))

    def refuse(*args, **kwargs):
        raise AssertionError(f"the network was used: {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def images(n: int = 3, size: int = 64) -> torch.Tensor:
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(0))


def in_hub(root: Path, repository: str, file: str) -> Path:
    """Where huggingface_hub keeps `file` of `repository`, with its folders and the branch `main` made."""
    folder = root / f"models--{repository.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("0" * 40)
    (folder / "snapshots" / ("0" * 40)).mkdir(parents=True)
    return folder / "snapshots" / ("0" * 40) / file


def test_finding_files_imports_neither_torch_nor_timm(tmp_path):
    """`harness list` and a dry run stay quick."""
    fetched = tmp_path / "cache" / "checkpoints" / "tiny" / "model.safetensors"
    hub_file = tmp_path / "torch" / "hub" / "checkpoints" / PUBLISHED
    for file in (fetched, hub_file):
        file.parent.mkdir(parents=True)
        file.write_bytes(b"x")
    code = (
        "import sys; from harness import ModelSpec;"
        "from harness.plugins.models import checkpoint, dummy, timm, torchvision;"
        f"spec = ModelSpec(name='tiny', source='timm', arch='{TAGGED}', weights=('timm:{TAGGED}',));"
        "assert len(timm.Timm().files(spec)) == len(timm.Timm().downloads(spec)) == 1;"
        f"spec = ModelSpec(name='net', source='torchvision', arch='mobilenet_v3_small', weights=('{URL}',));"
        "assert len(torchvision.Torchvision().files(spec)) == len(torchvision.Torchvision().downloads(spec)) == 1;"
        "print({'torch', 'timm', 'torchvision'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# --- timm ------------------------------------------------------------------------------------


def timm_spec(**changes) -> ModelSpec:
    return ModelSpec(**{"name": "tiny", "source": "timm", "arch": TAGGED, "weights": (f"timm:{TAGGED}",), **changes})


@pytest.mark.parametrize("uri", [f"timm:{TAGGED}", f"hf:timm/{TAGGED}", f"hf:timm/{TAGGED}:model.safetensors"])
def test_timm_weights_from_the_hub_cache(uri, tmp_path):
    from safetensors.torch import save_file

    network = small_network(seed=5)
    path = in_hub(tmp_path / "hub", f"timm/{TAGGED}", "model.safetensors")
    save_file({key: value.contiguous() for key, value in network.state_dict().items()}, path)
    torch.save(small_network(seed=6).state_dict(), path.with_name("pytorch_model.bin"))
    spec = timm_spec(weights=(uri,))
    assert Timm().files(spec) == (path,)
    with torch.inference_mode():
        assert torch.equal(Timm().load(spec)(images()), network(images()))


def test_timm_weights_without_safetensors(tmp_path):
    path = in_hub(tmp_path / "hub", f"timm/{TAGGED}", "pytorch_model.bin")
    torch.save(small_network(seed=5).state_dict(), path)
    assert Timm().files(timm_spec()) == (path,)
    with pytest.raises(CheckpointError, match="not on this machine"):
        Timm().files(timm_spec(weights=(f"hf:timm/{TAGGED}:model.safetensors",)))


def test_timm_weights_as_fetched_or_by_hand(tmp_path):
    fetched = tmp_path / "cache" / "checkpoints" / "tiny" / "model.safetensors"
    fetched.parent.mkdir(parents=True)
    fetched.write_bytes(b"x")
    assert Timm().files(timm_spec()) == (fetched,)
    network = small_network(seed=5)
    torch.save(network.state_dict(), tmp_path / "w.pth")
    loaded = Timm().load(timm_spec(weights=("file:w.pth",), base=tmp_path, arch="test_resnet"))
    with torch.inference_mode():
        assert torch.equal(loaded(images()), network(images()))


def test_timm_weights_that_are_not_here(tmp_path):
    with pytest.raises(CheckpointError) as caught:
        Timm().files(timm_spec())
    for words in (f"timm/{TAGGED}", str(tmp_path / "hub"), str(tmp_path / "cache"), "By hand: download timm:"):
        assert words in str(caught.value)


def test_timm_tags_are_pinned():
    with pytest.raises(CheckpointError, match="has no tag"):
        Timm().files(timm_spec(arch="resnet50", weights=("timm:resnet50",)))
    with pytest.raises(CheckpointError, match="contradict"):
        Timm().files(timm_spec(arch="resnet50.a2_in1k", weights=("timm:resnet50.a1_in1k",)))
    with pytest.raises(CheckpointError, match="must read hf:OWNER/REPO"):
        Timm().files(timm_spec(weights=("hf:../../etc",)))
    with pytest.raises(CheckpointError, match="needs `arch"):
        Timm().load(timm_spec(arch=None))


def random_spec(seed: int = 7, **changes) -> ModelSpec:
    return timm_spec(weights=(), options={"pretrained": False, "init_seed": seed}, **changes)


def test_a_random_network_depends_on_its_seed_alone():
    torch.manual_seed(1)
    first = Timm().load(random_spec()).state_dict()
    torch.manual_seed(2)
    before = torch.get_rng_state()
    second = Timm().load(random_spec()).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not torch.equal(first["fc.weight"], Timm().load(random_spec(8)).state_dict()["fc.weight"])


def test_a_random_network_has_no_files_and_the_asked_outputs():
    spec = random_spec(outputs=12, mean=(0.5,) * 3, std=(0.5,) * 3)
    assert Timm().files(spec) == ()
    assert Timm().load(spec)(images()).shape == (3, 12)


@pytest.mark.parametrize(
    ("options", "weights", "words"),
    [
        ({"seed": 1}, (), "takes the options pretrained and init_seed"),
        ({"pretrained": "no"}, (), "must be true or false"),
        ({"pretrained": False}, (), "needs an integer init_seed"),
        ({"pretrained": False, "init_seed": True}, (), "needs an integer init_seed"),
        ({"pretrained": False, "init_seed": -1}, (), "needs an integer init_seed"),
        ({"init_seed": 1}, (), "is for random networks"),
        ({"pretrained": False, "init_seed": 1}, (f"timm:{TAGGED}",), "contradicts"),
    ],
)
def test_timm_options(options, weights, words):
    with pytest.raises(ValueError, match=words):
        Timm().options(timm_spec(options=options, weights=weights))


HUB_URI = f"hf:timm/{TAGGED}:model.safetensors"


def test_timm_downloads_are_found_afterwards(tmp_path):
    release = "https://example.org/test_resnet-0676ba61.pth"
    spec = timm_spec(weights=(f"timm:{TAGGED}", "file:mine.pth", release))
    (alternatives,) = Timm().downloads(spec)
    assert alternatives == (Download(uri=HUB_URI), Download(uri=release, digest="sha256:0676ba61"))
    for one in alternatives:
        path = locate(spec, one.uri)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
        assert Timm().files(spec) == (path,)
        path.unlink()


def test_timm_downloads_of_what_is_local_or_wrong():
    assert Timm().downloads(random_spec()) == ()
    assert Timm().downloads(timm_spec(weights=("file:w.pth",))) == ((),)
    with pytest.raises(CheckpointError, match="has no tag"):
        Timm().downloads(timm_spec(arch="resnet50", weights=("timm:resnet50",)))


# --- torchvision -----------------------------------------------------------------------------


def vision_spec(**changes) -> ModelSpec:
    given = {"name": "net", "source": "torchvision", "arch": "mobilenet_v3_small", "weights": (WEIGHTS,), **changes}
    return ModelSpec(**given)


@pytest.fixture
def hub_file(tmp_path):
    path = tmp_path / "torch" / "hub" / "checkpoints" / PUBLISHED
    path.parent.mkdir(parents=True)
    return path


def vision_network() -> torch.nn.Module:
    from torchvision.models import mobilenet_v3_small

    with torch.random.fork_rng():
        torch.manual_seed(4)
        return mobilenet_v3_small(weights=None).eval()


def test_torchvision_weights_lie_in_the_hub_cache(hub_file, tmp_path):
    with pytest.raises(CheckpointError) as caught:
        Torchvision().files(vision_spec())
    assert str(hub_file) in str(caught.value) and str(tmp_path / "cache") in str(caught.value)
    hub_file.write_bytes(b"x")
    assert Torchvision().files(vision_spec()) == (hub_file,)


def test_torchvision_checks_the_digest_in_the_name(hub_file):
    torch.save(vision_network().state_dict(), hub_file)
    with pytest.raises(CheckpointError, match="expected 047dcff4") as caught:
        Torchvision().load(vision_spec())
    assert sha256_of(hub_file) in str(caught.value)


def test_torchvision_loads_the_right_file(hub_file, monkeypatch):
    network = vision_network()
    torch.save(network.state_dict(), hub_file)
    genuine = "047dcff4" + "0" * 56
    monkeypatch.setattr("harness.plugins.models._weights.sha256_of", lambda path: genuine)
    loaded = Torchvision().load(vision_spec())
    with torch.inference_mode():
        assert torch.equal(loaded(images()), network(images()))


def test_torchvision_from_a_file(tmp_path):
    network = vision_network()
    torch.save(network.state_dict(), tmp_path / "w.pth")
    loaded = Torchvision().load(
        vision_spec(weights=("file:w.pth",), base=tmp_path, arch="torchvision:mobilenet_v3_small")
    )
    with torch.inference_mode():
        assert torch.equal(loaded(images()), network(images()))


@pytest.mark.parametrize("uris", [(WEIGHTS,), (URL,), (WEIGHTS, "file:w.pth", URL)])
def test_torchvision_downloads_are_found_afterwards(uris, hub_file):
    spec = vision_spec(weights=uris)
    assert Torchvision().downloads(spec) == ((Download(uri=URL, digest="sha256:047dcff4"),),)
    hub_file.write_bytes(b"x")
    assert Torchvision().files(spec) == (hub_file,)
    path = locate(spec, URL)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    assert Torchvision().files(spec) == (path,)


@pytest.mark.parametrize("variable", ["TORCH_HOME", "XDG_CACHE_HOME", "HOME"])
def test_torch_hubs_cache_is_where_torch_says(variable, tmp_path, monkeypatch):
    for name in ("TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(tmp_path / "elsewhere"))
    path = Path(torch.hub.get_dir(), "checkpoints", PUBLISHED)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    assert Torchvision().files(vision_spec(weights=(URL,))) == (path,)


def test_torchvision_names():
    with pytest.raises(UnknownNameError, match=r"ResNet50_Weights\.IMAGENET1K_V1"):
        Torchvision().files(vision_spec(weights=("torchvision:ResNet50_Weights.IMAGENET1K_V9",)))
    with pytest.raises(CheckpointError, match="needs `arch"):
        Torchvision().load(vision_spec(arch=None))
    with pytest.raises(ValueError, match="takes no options"):
        Torchvision().options(vision_spec(options={"a": 1}))


# --- dummy -----------------------------------------------------------------------------------


def dummy_spec(kind: str, outputs: int = 10, **options) -> ModelSpec:
    return ModelSpec(name="d", source="dummy", outputs=outputs, options={"kind": kind, **options})


@pytest.mark.parametrize("kind", ["constant", "brightness", "random-linear"])
@settings(max_examples=10, deadline=None)
@given(n=st.integers(2, 9), size=st.sampled_from([32, 57, 64]))
def test_dummies_judge_each_image_by_itself(kind, n, size):
    network = Dummy().load(dummy_spec(kind))
    batch = images(n, size)
    together = network(batch)
    alone = torch.cat([network(batch[i : i + 1]) for i in range(n)])
    assert together.shape == (n, 10) and together.dtype == torch.float32
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)


def test_constant_is_constant_and_differentiable():
    batch = images().requires_grad_()
    logits = Dummy().load(dummy_spec("constant", **{"class": 4}))(batch)
    assert logits.argmax(1).tolist() == [4, 4, 4]
    logits.sum().backward()
    assert batch.grad is not None and not batch.grad.any()


@pytest.mark.parametrize("kind", ["brightness", "random-linear"])
def test_linear_dummies_vary_with_the_image_and_have_a_gradient(kind):
    batch = images(64, 32).requires_grad_()
    logits = Dummy().load(dummy_spec(kind, outputs=1000))(batch)
    assert len(set(logits.argmax(1).tolist())) > 10
    logits[:, 0].sum().backward()
    assert batch.grad is not None and batch.grad.abs().sum() > 0


def test_brightness_is_the_documented_formula():
    logits = Dummy().load(dummy_spec("brightness"))(torch.ones(1, 3, 8, 8))
    weights = 10 * torch.cos(torch.arange(1, 11)[:, None] * torch.arange(1, 49)[None] * 0.7)
    torch.testing.assert_close(logits[0], 0.5 * weights.sum(1), rtol=1e-4, atol=1e-3)


def test_random_linear_depends_on_its_seed():
    first, again, other = (Dummy().load(dummy_spec("random-linear", seed=seed))(images()) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_nan_for_bright_images_only():
    batch = torch.stack([torch.full((3, 8, 8), level) for level in (0.2, 0.8)])
    logits = Dummy().load(dummy_spec("nan", threshold=0.5))(batch)
    assert torch.isfinite(logits[0]).all() and torch.isnan(logits[1]).all()


def test_error_paths():
    assert Dummy().load(dummy_spec("wrong-outputs"))(images()).shape == (3, 9)
    with pytest.raises(RuntimeError, match="as requested, on 3 images"):
        Dummy().load(dummy_spec("failing"))(images())


def test_dummy_normalizes_like_any_model():
    plain, spec = Dummy().load(dummy_spec("brightness")), dummy_spec("brightness")
    normal = Dummy().load(
        ModelSpec(name="d", source="dummy", outputs=10, options=spec.options, mean=(0.5,) * 3, std=(0.25,) * 3)
    )
    torch.testing.assert_close(normal(images()), plain((images() - 0.5) / 0.25))
    assert not normal.training and not plain.training and Dummy().files(spec) == ()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "needs an option kind, one of constant, brightness"),
        ({"kind": ["constant"]}, "needs an option kind"),
        ({"kind": "brightness", "seed": 1}, r"takes the options \[\], got \['seed'\]"),
        ({"kind": "random-linear", "seed": 1.5}, "must be an integer"),
        ({"kind": "nan", "threshold": "high"}, "must be a number"),
        ({"kind": "constant", "class": 10}, "from 0 to 9"),
        ({"kind": "constant", "class": True}, "must be an integer"),
    ],
)
def test_dummy_options(options, words):
    spec = ModelSpec(name="d", source="dummy", outputs=10, options=options)
    with pytest.raises(ValueError, match=words):
        Dummy().options(spec)
    with pytest.raises(ValueError, match=words):
        Dummy().load(spec)
