"""A file that does not load is refused with lines that load it: each test follows the advice, word by word."""

from __future__ import annotations

import argparse
import datetime
import json
import pathlib
import re
import shlex
import subprocess
import sys
from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import AbsentCheckpointError, CheckpointError, LoadingRecipe
from harness.checkpoints.reading import digests_of
from harness.plugins.models.checkpoint import Checkpoint
from tests.helpers.advice import advised, entry, load, refusal
from tests.helpers.forks import python
from tests.helpers.layouts import ARCH, assert_same, backbone, prefixed, small_network, some_images, spec_for

# --- the recipe that fits --------------------------------------------------------------------


def head_under(state, name):
    return {f"{name}.{leaf}": state[f"fc.{leaf}"] for leaf in ("weight", "bias")}


MEAN = torch.tensor([0.375, 0.25, 0.5]).view(3, 1, 1)
FILES = {
    "moco: a prefix, a second copy, a queue": (
        lambda state, other: {
            **prefixed(state, "module.base_encoder."),
            **prefixed(other, "module.momentum_encoder."),
            "module.queue": torch.zeros(3, 4),
        },
        ["22 of", "module.momentum_encoder."],
    ),
    "averaged model": (
        lambda state, other: {"n_averaged": torch.tensor(3), **prefixed(state)},
        ["leaves out 1 other"],
    ),
    "mmpretrain": (
        lambda state, other: {**prefixed(backbone(state), "backbone."), **head_under(state, "head.fc")},
        [],
    ),
    "mmpretrain, parallel, with a neck": (
        lambda state, other: {
            **prefixed(backbone(state), "module.backbone."),
            **head_under(state, "module.head.fc"),
            "module.neck.weight": torch.zeros(2),
        },
        ["leaves out 1 other"],
    ),
    "classifier of another name": (
        lambda state, other: {**backbone(state), **head_under(state, "last_linear")},
        ["rename"],
    ),
    "lightning with an average": (
        lambda state, other: {**prefixed(state, "model."), **prefixed(other, "ema_model.module.")},
        ["ema_model.module."],
    ),
    "projector beside": (
        lambda state, other: {**state, "projector.0.weight": torch.ones(2), "projector.1.bias": torch.ones(2)},
        ["projector.*"],
    ),
    "old names": (
        lambda state, other: {
            f"old{i}.{key.rpartition('.')[2]}": value for i, (key, value) in enumerate(state.items())
        },
        ["match: position"],
    ),
    "weight norm under a prefix": (
        lambda state, other: {
            f"net.{new}": value
            for key, tensor in state.items()
            for new, value in (
                {f"{key}_v": tensor, f"{key}_g": tensor.norm().view(1, 1)}.items()
                if key == "fc.weight"
                else {key: tensor}.items()
            )
        },
        ["strip_prefixes: [net.]"],
    ),
}


@pytest.mark.parametrize("wrapped", [False, True], ids=["flat", "wrapped"])
@pytest.mark.parametrize(("content", "words"), FILES.values(), ids=FILES)
def test_the_advised_recipe_loads(content, words, wrapped, tmp_path, network, state, other):
    made = content(state, other)
    torch.save({"state_dict": made, "epoch": 3} if wrapped else made, tmp_path / "w.pth")
    message = refusal(tmp_path, entry())
    assert all(word.replace("22", str(len(state) - 18)) in message for word in words if word != "22 of")
    (line,) = advised(message)
    loaded = load(tmp_path, entry(line))
    images = some_images()
    with torch.no_grad():
        torch.testing.assert_close(loaded(images), network(images), rtol=1e-4, atol=1e-4)


def test_base_encoder_and_momentum_encoder(tmp_path, network, state, other):
    content = FILES["moco: a prefix, a second copy, a queue"][0](state, other)
    torch.save({"state_dict": content}, tmp_path / "w.pth")
    message = refusal(tmp_path, entry())
    of = sum(not key.endswith("num_batches_tracked") for key in state)
    assert f"{of} of {of} keys match after `module.base_encoder.`" in message
    assert "under `module.momentum_encoder.` too" in message
    assert advised(message) == ["recipe: {select_prefix: module.base_encoder., strip_prefixes: [module.base_encoder.]}"]


def test_the_advice_is_whole_after_a_part_was_stripped(tmp_path, network, state):
    torch.save({"net": prefixed(state, "module.model.")}, tmp_path / "w.pth")
    recipe = "wrapper_keys: [net]"
    for given_lines in ([recipe], [recipe, "strip_prefixes: [module.]"], [recipe, "select_prefix: module."]):
        (line,) = advised(refusal(tmp_path, entry(*given_lines)))
        assert line == "recipe: {wrapper_keys: [net], strip_prefixes: [module.model.]}"
        assert_same(load(tmp_path, entry(line)), network, some_images())


def test_the_advice_names_the_wrapper_too(tmp_path, network, state):
    torch.save({"net": {"inner": prefixed(state, "module.")}, "epoch": 1}, tmp_path / "w.pth")
    *_, line = advised(refusal(tmp_path, entry()))
    assert line == "recipe: {wrapper_keys: [net, inner], strip_prefixes: [module.]}"
    assert_same(load(tmp_path, entry(line)), network, some_images())


def test_the_advice_keeps_what_the_entry_says_already(tmp_path, network, state):
    content = {"state_dict": prefixed(state), "args": argparse.Namespace(lr=0.1)}
    torch.save(content, tmp_path / "w.pth")
    (line,) = advised(refusal(tmp_path, entry("safe_globals: [argparse.Namespace]")))
    assert_same(load(tmp_path, entry(line)), network, some_images())


def test_the_advice_has_the_normalization_of_the_file(tmp_path, network, state):
    torch.save(
        {"model": {**prefixed(state, "module.model."), "module.normalizer.mean": MEAN, "module.normalizer.std": MEAN}},
        tmp_path / "w.pth",
    )
    lines = advised(refusal(tmp_path, entry()))
    assert lines[1:] == ["mean: [0.375, 0.25, 0.5]", "std: [0.375, 0.25, 0.5]"]
    assert torch.equal(load(tmp_path, entry(*lines)).network.state_dict()["fc.bias"], state["fc.bias"])


def test_a_backbone_without_classifier_asks_for_its_file(tmp_path, network, state):
    """MoCo v2: encoder_q and encoder_k, whose head is a projector."""
    projector = {"module.encoder_q.fc.0.weight": torch.zeros(2), "module.encoder_q.fc.2.weight": torch.zeros(2)}
    keys = {**prefixed(backbone(state), "module.encoder_q."), **prefixed(backbone(state), "module.encoder_k.")}
    torch.save({"state_dict": {**keys, **projector}}, tmp_path / "w.pth")
    message = refusal(tmp_path, entry())
    assert "after `module.encoder_q.`" in message and "under `module.encoder_k.` too" in message
    assert "not in the file: fc.weight, fc.bias" in message and "`head`" in message


def test_no_module_but_the_classifier_is_ever_renamed(tmp_path, state):
    """Two norms of equal shapes at other places are two networks: a ViT's before and behind its pooling."""
    moved = {key.replace("layer4.0.bn1.", "norm."): value for key, value in state.items()}
    assert moved.keys() != state.keys()
    torch.save(moved, tmp_path / "w.pth")
    assert "recipe" not in refusal(tmp_path, entry())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    prefix=st.lists(st.sampled_from(["module", "model", "net", "backbone", "encoder_q", "0"]), max_size=3).map(
        lambda parts: "".join(f"{part}." for part in parts)
    ),
    wrapper=st.lists(st.sampled_from(["state_dict", "model", "ema", "a b", "yes", "1"]), max_size=2),
    stray=st.lists(st.sampled_from(["n_averaged", "queue", "proj.0.weight", "module.x"]), max_size=2, unique=True),
)
def test_any_prefix_wrapper_and_stray_keys_are_found(prefix, wrapper, stray, tmp_path, network, state):
    content = {**prefixed(state, prefix), **{key: torch.zeros(7) for key in stray}}
    for key in reversed(wrapper):
        content = {key: content, "epoch": 1}
    torch.save(content, tmp_path / "w.pth")
    try:
        loaded = load(tmp_path, entry())
    except CheckpointError as error:
        loaded = load(tmp_path, entry(advised(str(error))[-1]))
    assert_same(loaded, network, some_images())


# --- outputs ---------------------------------------------------------------------------------


def test_a_background_class_is_left_out_by_the_advised_rows(tmp_path):
    wide = small_network(seed=4, outputs=1001)
    torch.save({"state_dict": prefixed(wide.state_dict())}, tmp_path / "w.pth")
    message = refusal(tmp_path, entry())
    assert 'rows: "1:1001"' in message and "background class" in message
    (line,) = advised(message)
    images = some_images()
    with torch.no_grad():
        torch.testing.assert_close(load(tmp_path, entry(line))(images), wide(images)[:, 1:])


def test_another_number_of_classes_is_an_entry_of_its_own(tmp_path):
    network = small_network(seed=4, outputs=100)
    torch.save(network.state_dict(), tmp_path / "w.pth")
    (line,) = advised(refusal(tmp_path, entry()))
    assert line == "outputs: 100"
    assert_same(load(tmp_path, entry(line, "label_space: mine")), network, some_images())


def test_a_transformer_of_the_other_pooling_is_told_from_a_renaming(tmp_path):
    """Its norm stands before or behind the pooling, under two names of equal shapes: an option, not a renaming."""
    import timm

    for pool, other in (("avg", "token"), ("token", "avg")):
        network = timm.create_model("test_vit", pretrained=False, global_pool=pool)
        torch.save(network.state_dict(), tmp_path / "w.pth")
        message = refusal(tmp_path, entry(f"options: {{global_pool: {other}}}", arch="timm:test_vit"))
        (line,) = advised(message)
        assert line == f"options: {{global_pool: {pool}}}"
        load(tmp_path, entry(line, arch="timm:test_vit"))


def test_rows_that_select_nothing_are_refused(tmp_path, state):
    torch.save(dict(state), tmp_path / "w.pth")
    assert "selects no 1000 outputs" in refusal(tmp_path, entry('rows: "1:1001"'))
    wide = small_network(outputs=1003).state_dict()
    torch.save(wide, tmp_path / "w.pth")
    assert "the classifier has 1003 of them" in refusal(tmp_path, entry('rows: "1:1002"'))
    load(tmp_path, entry('rows: "3:1003"'))
    with pytest.raises(Exception, match="no range of outputs"):
        load(tmp_path, entry("rows: 1-1001"))


def test_rows_enter_an_identity_only_where_they_are_set():
    from harness.planning.planner import _recipe

    plain, cut = (_recipe(spec_for(pathlib.Path("w"), LoadingRecipe(rows=rows))) for rows in (None, "1:1001"))
    assert "rows" not in plain and cut == {**plain, "rows": "1:1001"}
    assert plain.keys() == {name for name in asdict(LoadingRecipe()) if name not in ("rows", "head_sha256")}


# --- what is no tensor -----------------------------------------------------------------------

PLAIN = {
    "float64 of NumPy": lambda: np.float64(93.2),
    "float32 and int64": lambda: {"a": np.float32(1), "b": np.int64(2), "c": np.bool_(True)},
    "array": lambda: np.arange(3.0),
    "array of text": lambda: np.array(["a", "b"]),
    "Namespace": lambda: argparse.Namespace(lr=0.1, best=np.float32(1), out=pathlib.PurePosixPath("x")),
    "path, date, namespace": lambda: [pathlib.Path("x"), datetime.datetime(2024, 1, 1), SimpleNamespace(a=1)],
    "frozenset and slice": lambda: [frozenset([1]), slice(1, 2)],
}


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("make", PLAIN.values(), ids=PLAIN)
def test_the_advised_globals_are_all_that_is_needed(make, zipped, tmp_path, network, state):
    torch.save({"state_dict": state, "extra": make()}, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    message = refusal(tmp_path, entry())
    assert "damaged" not in message and "truncated" not in message
    (line,) = advised(message)
    assert_same(load(tmp_path, entry(line)), network, some_images())


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_half_the_globals_are_refused_with_all_of_them_and_not_as_damage(zipped, tmp_path, network, state):
    torch.save({"state_dict": state, "best": np.float64(1)}, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    message = refusal(tmp_path, entry("safe_globals: [numpy._core.multiarray.scalar, numpy.dtype]"))
    assert "damaged" not in message and "Float64DType" in message
    (line,) = advised(message)
    assert_same(load(tmp_path, entry(line)), network, some_images())


def test_a_type_of_other_code_is_refused_with_a_command_that_saves_the_weights(tmp_path, network, state):
    schedule = torch.optim.lr_scheduler.StepLR(torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], 0.1), 1)
    torch.save({"state_dict": state, "extra": np.float64(1), "schedule": schedule}, tmp_path / "w.pth")
    message = refusal(tmp_path, entry())
    assert "StepLR" in message and "damaged" not in message and "numpy" not in message
    run_command(message)
    assert_same(load(tmp_path, entry(weights="file:w-weights.pth")), network, some_images())


def test_a_whole_pickled_network_is_saved_as_its_weights(tmp_path, network):
    with torch.random.fork_rng():
        torch.save(torch.nn.Sequential(torch.nn.Linear(2, 2)), tmp_path / "w.pth")
    message = refusal(tmp_path, entry())
    assert "torch.nn.modules" in message
    run_command(message)
    assert "keys missing" in refusal(tmp_path, entry(weights="file:w-weights.pth"))


def run_command(message: str) -> None:
    """Runs the command that the message ends with."""
    command = shlex.split(message[message.index("python -c") :])
    assert command[:2] == ["python", "-c"]
    done = python(command[2], pathlib.Path.cwd(), *command[3:])
    assert done.returncode == 0, done.stderr


# --- files of other programs -----------------------------------------------------------------


def test_a_command_is_safe_whatever_the_files_name(tmp_path, network, state):
    name = """a 'b' "c" $(touch marked) `touch marked`; é.npz"""
    np.savez(tmp_path / name, **{key: value.numpy() for key, value in state.items()})
    with pytest.raises(CheckpointError) as caught:
        Checkpoint().load(spec_for(tmp_path / name))
    text = str(caught.value)
    done = subprocess.run(
        text[text.index("python -c") :].replace("python", sys.executable, 1), shell=True, cwd=tmp_path, check=True
    )
    assert done.returncode == 0 and not (tmp_path / "marked").exists()
    (made,) = tmp_path.glob("*-weights.pth")
    assert_same(Checkpoint().load(spec_for(made)), network, some_images())


def test_arrays_of_numpy_are_saved_as_tensors_by_the_advised_command(tmp_path, network, state):
    np.savez(tmp_path / "w.npz", **{key: value.numpy() for key, value in state.items()})
    message = refusal(tmp_path, entry(weights="file:w.npz"))
    assert "an archive of NumPy arrays (.npz)" in message and "fetch it again" not in message
    run_command(message)
    assert_same(load(tmp_path, entry(weights="file:w-weights.pth")), network, some_images())


@pytest.mark.slow
def test_an_exported_program_is_saved_as_its_weights(tmp_path):
    network = small_network(seed=1)
    torch.export.save(torch.export.export(network, (some_images(),)), tmp_path / "w.pt2")
    message = refusal(tmp_path, entry(weights="file:w.pt2"))
    assert "torch.export (.pt2)" in message
    run_command(message)
    assert_same(load(tmp_path, entry(weights="file:w-weights.pth")), network, some_images())


ONNX = b"\x08\x08\x12\x07pytorch\x1a\x052.0.0:\xff\x02\n" + bytes(40)
OTHERS = {
    "onnx": ("w.onnx", ONNX, "an ONNX model"),
    "onnx under another name": ("w.pth", ONNX, "an ONNX model"),
    "hdf5": ("w.h5", b"\x89HDF\r\n\x1a\n" + bytes(40), "an HDF5 file"),
    "npy": ("w.npy", b"\x93NUMPY\x01\x00" + bytes(40), "one NumPy array"),
    "tflite": ("w.tflite", b"\x1c\x00\x00\x00TFL3" + bytes(40), "a TensorFlow Lite model"),
    "pickle": ("w.pkl", b"\x80\x04\x95" + bytes(60), "a pickle that torch.save did not write"),
}


@pytest.mark.parametrize(("name", "content", "words"), OTHERS.values(), ids=OTHERS)
def test_files_of_other_programs_are_named(name, content, words, tmp_path):
    (tmp_path / name).write_bytes(content)
    message = refusal(tmp_path, entry(weights=f"file:{name}"))
    assert words in message and not re.search("fetch it again|damaged|truncated", message)
    assert re.search("torch.save|model source|weights that it was", message)


# --- several files ---------------------------------------------------------------------------


def sharded(folder, state, count=3, suffix="safetensors"):
    """Writes `state` in `count` shards with their index, as the hub does; returns the index."""
    from safetensors.torch import save_file

    weight_map, keys = {}, list(state)
    for number in range(count):
        name = f"model-{number + 1:05}-of-{count:05}.{suffix}"
        part = {key: state[key].contiguous() for key in keys[number::count]}
        (save_file if suffix == "safetensors" else torch.save)(part, folder / name)
        weight_map |= dict.fromkeys(part, name)
    index = folder / f"model.{suffix}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": weight_map}))
    return index


@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
def test_shards_are_read_through_their_index(suffix, tmp_path, network, state):
    index = sharded(tmp_path, state, suffix=suffix)
    assert_same(load(tmp_path, entry(weights=f"file:{index.name}")), network, some_images())


def test_the_digests_cover_all_shards(tmp_path, state):
    index = sharded(tmp_path, state)
    files = Checkpoint().files(spec_for(index))
    assert [path.name for path in files] == [index.name, *(f"model-{i:05}-of-00003.safetensors" for i in (1, 2, 3))]
    before = digests_of(files)
    content = bytearray(files[2].read_bytes())
    content[-1] ^= 1
    files[2].write_bytes(content)
    assert [one != two for one, two in zip(before, digests_of(files), strict=True)] == [False, False, True, False]


def test_a_head_may_stand_beside_shards(tmp_path, network, state):
    index = sharded(tmp_path, backbone(state))
    torch.save(head_under(state, "fc"), tmp_path / "head.pth")
    recipe = LoadingRecipe(head="file:head.pth")
    assert_same(Checkpoint().load(spec_for(index, recipe, base=tmp_path)), network, some_images())


def test_missing_and_mixed_shards_are_named(tmp_path, state):
    index = sharded(tmp_path, state)
    shards = sorted(tmp_path.glob("*.safetensors"))
    content = shards[1].read_bytes()
    shards[1].unlink()
    with pytest.raises(AbsentCheckpointError, match=f"not beside it: {shards[1].name}"):
        Checkpoint().files(spec_for(index))
    shards[1].write_bytes(shards[0].read_bytes())
    assert "is not the file that" in refusal(tmp_path, entry(weights=f"file:{index.name}"))
    shards[1].write_bytes(content[:-9])
    assert "truncated" in refusal(tmp_path, entry(weights=f"file:{index.name}"))


@pytest.mark.parametrize("name", ["../w.safetensors", "a/b.safetensors", "", "..", "model.safetensors.index.json"])
def test_an_index_names_files_beside_it_only(name, tmp_path):
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"fc.weight": name}}))
    assert "as a shard" in refusal(tmp_path, entry(weights=f"file:{index.name}"))
    index.write_text('{"weights": 3}')
    assert "is not an index of shards" in refusal(tmp_path, entry(weights=f"file:{index.name}"))


def test_the_architecture_of_these_tests_is_a_small_one():
    assert ARCH == "timm:test_resnet"
