"""Trust on first use: recorded once, checked ever after, for downloads alone."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from timm import create_model

from harness import CheckpointError, LoadingRecipe, ModelSpec
from harness.checkpoints.pins import check, compare, is_download, record, recorded
from harness.local.cache import cache_dir
from harness.local.digests import sha256_of
from tests.helpers.command import refused

ONE, TWO = "1" * 64, "2" * 64
URI = "https://example.org/net.pth"


def spec(**more):
    return ModelSpec(**{"name": "net", "source": "checkpoint", "weights": (URI,), **more})


def place(name="net.pth", model="net"):
    return cache_dir() / "checkpoints" / model / name


def test_the_first_use_is_recorded_and_another_file_is_refused():
    check(spec(), [place()], [ONE])
    pin = recorded()["net"]["net.pth"]
    assert (pin.sha256, pin.uri) == (ONE, URI)
    check(spec(), [place()], [ONE])
    with pytest.raises(CheckpointError) as caught:
        check(spec(), [place()], [TWO])
    message = str(caught.value)
    for words in (ONE, TWO, pin.recorded, URI, "harness fetch --models net --accept"):
        assert words in message
    assert "\n" not in message
    assert recorded()["net"]["net.pth"] == pin
    record(spec(), "net.pth", TWO, URI)
    check(spec(), [place()], [TWO])


def test_each_file_of_each_model_has_its_own_record():
    head = "https://example.org/head.pth"
    whole = spec(recipe=LoadingRecipe(head=head))
    check(whole, [place(), place("head.pth")], [ONE, TWO])
    check(spec(name="other"), [place(model="other")], [TWO])
    assert {model: sorted(files) for model, files in recorded().items()} == {
        "net": ["head.pth", "net.pth"],
        "other": ["net.pth"],
    }
    assert recorded()["net"]["head.pth"].uri == head
    with pytest.raises(CheckpointError, match=r"head\.pth had SHA-256 2222"):
        check(whole, [place(), place("head.pth")], [ONE, ONE])


def test_files_of_the_users_own_may_change(tmp_path):
    for digest in (ONE, TWO):
        check(spec(weights=("file:net.pth",)), [tmp_path / "net.pth"], [digest])
    assert recorded() == {}
    assert not (cache_dir() / "pins.json").exists()


@pytest.mark.parametrize(("stated", "kept"), [(ONE, False), (ONE.upper(), False), (ONE[:63], True), (ONE[:8], True)])
def test_a_full_published_digest_needs_no_record(stated, kept):
    check(spec(sha256=stated), [place()], [ONE])
    assert bool(recorded()) == kept
    check(spec(name="b", recipe=LoadingRecipe(head_sha256=stated)), [place(model="b"), place("h", "b")], [TWO, ONE])
    assert set(recorded()["b"]) == ({"net.pth", "h"} if kept else {"net.pth"})


def test_the_hub_cache_counts_with_its_links(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    blob, link = tmp_path / "elsewhere" / "blob", tmp_path / "hub" / "models--o--r" / "snapshots" / "c" / "model.pth"
    for path in (blob, link):
        path.parent.mkdir(parents=True)
    blob.write_bytes(b"x")
    link.symlink_to(blob)
    assert is_download(link)
    assert not is_download(blob)
    assert not is_download(tmp_path / "hub" / ".." / "elsewhere" / "blob")
    check(spec(), [link], [ONE])
    assert recorded()["net"]["model.pth"].uri is None


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"net": 3}', '{"net": {"f": {}}}', '{"net": {"f": {"sha256": "12", "recorded": "x"}}}',
     '{"net": {"f": {"sha256": 3, "recorded": "x"}}}'],
)  # fmt: skip
def test_a_damaged_record_is_an_error(text):
    cache_dir().mkdir(exist_ok=True)
    (cache_dir() / "pins.json").write_text(text)
    for use in (recorded, lambda: check(spec(), [place()], [ONE]), lambda: record(spec(), "net.pth", ONE, None)):
        with pytest.raises(CheckpointError, match=r"pins\.json is damaged .*Restore it from a backup"):
            use()
    assert (cache_dir() / "pins.json").read_text() == text


def test_many_at_once_lose_nothing():
    names = [f"net{number}" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: check(spec(name=name), [place(model=name)], [ONE]), names))
    assert sorted(recorded()) == sorted(names)
    json.loads((cache_dir() / "pins.json").read_text())
    assert [path.name for path in cache_dir().iterdir() if path.name.endswith(".tmp")] == []


def test_a_cache_that_cannot_be_written_costs_a_warning(caplog):
    (cache_dir() / "pins.lock").mkdir(parents=True)  # stands in for a read-only folder, which root could write
    check(spec(), [place()], [ONE])
    assert "cannot record the checkpoint of net" in caplog.text
    with pytest.raises(CheckpointError, match="cannot write"):
        record(spec(), "net.pth", ONE, None)


def test_comparing_records_nothing():
    compare(spec(), "net.pth", ONE)
    check(spec(), [place()], [ONE], recording=False)
    assert recorded() == {}
    check(spec(), [place()], [ONE])
    with pytest.raises(CheckpointError, match="when it was first used"):
        check(spec(), [place()], [TWO], recording=False)


NET = """
models:
  net:
    source: checkpoint
    arch: timm:test_resnet
    weights: [https://example.org/net.pth]
    mean: [0.5, 0.5, 0.5]
    std: [0.5, 0.5, 0.5]
"""


def test_a_download_is_recorded_once_it_has_loaded(harness, data):
    """One that broke off would be recorded as the right one, and the whole one refused ever after."""
    Path("net.yaml").write_text(NET)
    place().parent.mkdir(parents=True)
    torch.save(create_model("test_resnet").state_dict(), place())
    whole = place().read_bytes()
    place().write_bytes(whole[: len(whole) // 2])

    def run(*more):
        options = ("--registry", "net.yaml", "--data", "data", "--batch-size", "8", "--device", "cpu", "--out", "run")
        return harness("run", "--task", "accuracy@imagenet", "--models", "net", *options, *more)

    refused(run(), "is truncated after")
    refused(run("--dry-run"), "is truncated after")
    assert recorded() == {}
    place().write_bytes(whole)
    assert run("--dry-run")[0] == 0
    assert recorded() == {}
    code, _, err = run()
    assert code == 0, err
    assert recorded()["net"]["net.pth"].sha256 == sha256_of(place())
    place().write_bytes(whole + b"!")
    code, _, err = run()
    assert code == 2 and "when it was first used" in err
