"""A file that does not load is refused with lines that load it: each test follows the advice, word by word."""

from __future__ import annotations

import argparse
import datetime
import json
import pathlib
import pickle
import re
import subprocess
import sys
from dataclasses import asdict
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import AbsentCheckpointError, CheckpointError, LoadingRecipe, read_checkpoint
from harness.checkpoints import extract
from harness.checkpoints.reading import digests_of
from harness.plugins.models._recipe import by_position
from harness.plugins.models.checkpoint import Checkpoint
from tests.helpers.advice import advised, entry, load, refusal, run_here
from tests.helpers.layouts import (
    ARCH,
    assert_same,
    backbone,
    prefixed,
    save_safetensors,
    sharded,
    small_network,
    some_images,
    spec_for,
)

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
    line, *copies = advised(message)
    images, networks = some_images(), [network, small_network(seed=2)]
    for one, expected in zip([line, *copies], networks, strict=False):
        with torch.no_grad():
            torch.testing.assert_close(load(tmp_path, entry(one))(images), expected(images), rtol=1e-4, atol=1e-4)
    assert bool(copies) == ("too" in message)


def test_base_encoder_and_momentum_encoder(tmp_path, network, state, other):
    content = FILES["moco: a prefix, a second copy, a queue"][0](state, other)
    torch.save({"state_dict": content}, tmp_path / "w.pth")
    message = refusal(tmp_path, entry())
    of = sum(not key.endswith("num_batches_tracked") for key in state)
    assert f"{of} of {of} keys match after `module.base_encoder.`" in message
    assert "under `module.momentum_encoder.` too" in message
    assert advised(message) == [
        f"recipe: {{select_prefix: module.{name}., strip_prefixes: [module.{name}.]}}"
        for name in ("base_encoder", "momentum_encoder")
    ]
    assert "give other numbers" in message


def test_a_copy_of_equal_values_is_no_choice(tmp_path, network, state):
    torch.save({**prefixed(state, "a."), **prefixed(state, "b.")}, tmp_path / "w.pth")
    message = refusal(tmp_path, entry())
    (line,) = advised(message)
    assert "under `b.` too" in message
    assert_same(load(tmp_path, entry(line)), network, some_images())


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


def test_a_backbone_without_classifier_asks_for_its_file(tmp_path, network, state, other):
    """MoCo v2: encoder_q and encoder_k, whose head is a projector."""
    projector = {"module.encoder_q.fc.0.weight": torch.zeros(2), "module.encoder_q.fc.2.weight": torch.zeros(2)}
    keys = {**prefixed(backbone(state), "module.encoder_q."), **prefixed(backbone(other), "module.encoder_k.")}
    torch.save({"state_dict": {**keys, **projector}}, tmp_path / "w.pth")
    message = refusal(tmp_path, entry())
    assert "after `module.encoder_q.`" in message and "under `module.encoder_k.` too" in message
    assert "not in the file: fc.weight, fc.bias" in message and "`head`" in message
    torch.save(head_under(state, "fc"), tmp_path / "fc.pth")
    query, key = (line.replace("CLASSIFIER", "fc.pth") for line in advised(message))
    assert_same(load(tmp_path, entry(query)), network, some_images())
    assert torch.equal(load(tmp_path, entry(key)).state_dict()["conv1.0.weight"], other["conv1.0.weight"])


def test_a_classifier_without_bias_needs_no_second_file(tmp_path, state):
    torch.save({key: value for key, value in state.items() if key != "fc.bias"}, tmp_path / "w.pth")
    message = refusal(tmp_path, entry())
    assert "not in the file: fc.bias" in message and "head" not in message


WRAPPED = {
    "one module compiled": lambda key: key.replace("layer1.", "layer1._orig_mod."),
    "sharded": lambda key: re.sub(
        r"^(layer\d)\.(\d)\.", r"\1._fsdp_wrapped_module.\2._fsdp_wrapped_module.", f"module.{key}"
    ),
    "recomputed, in a compiled network": lambda key: re.sub(
        r"(layer\d\.\d)\.", r"\1._checkpoint_wrapped_module.", f"_orig_mod.module.{key}"
    ),
}


@pytest.mark.parametrize("name", WRAPPED.values(), ids=WRAPPED)
def test_wrappers_inside_a_network_are_taken_out_of_the_keys(name, tmp_path, network, state):
    keys = {name(key): value for key, value in state.items()}
    torch.save({**keys, "aux.weight": torch.ones(2)}, tmp_path / "w.pth")  # matching by position cannot explain this
    message = refusal(tmp_path, entry())
    (line,) = advised(message)
    assert_same(load(tmp_path, entry(line)), network, some_images())


LAYERS = {
    "squeeze and excitation": {f"layer{i}.0.se.fc1.weight": torch.ones(2, 3) for i in (1, 2)},
    "an adapter": {"fc.lora_A": torch.ones(2, 3), "fc.lora_B": torch.ones(3, 2)},
    "quantized in training": {"layer1.0.conv1.weight_fake_quant.scale": torch.ones(1)},
    "a scaled classifier": {"fc.scale": torch.tensor(3.0)},
    "scales of rounded weights": {"layer2.0.conv1.weight_scale": torch.ones(1)},
    "masks": {"layer1.0.conv1.weight_mask": torch.ones(2)},
}


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("layers", LAYERS.values(), ids=LAYERS)
def test_no_advice_leaves_out_a_part_of_the_networks_own_modules(layers, prefix, tmp_path, state):
    torch.save({"state_dict": prefixed({**state, **layers}, prefix)}, tmp_path / "w.pth")
    message = refusal(tmp_path, entry())
    assert advised(message) == []
    assert "of another architecture" in message and next(iter(layers)) in message


def test_a_token_of_a_transformer_is_a_part_of_it(tmp_path):
    import timm

    state = dict(timm.create_model("test_vit", pretrained=False).state_dict())
    width = state["cls_token"].shape[-1]
    torch.save(prefixed({**state, "reg_token": torch.ones(1, 4, width)}), tmp_path / "w.pth")
    message = refusal(tmp_path, entry(arch="timm:test_vit"))
    assert "of another architecture" in message and not advised(message)
    torch.save(prefixed({**state, "mask_token": torch.ones(1, 1, width)}), tmp_path / "w.pth")
    (line,) = advised(refusal(tmp_path, entry(arch="timm:test_vit")))
    load(tmp_path, entry(line, arch="timm:test_vit"))


def test_a_second_set_of_weights_under_other_names_is_said_to_be_one(tmp_path, state, other):
    average = {f"model_ema.{key.replace('.', '')}": value for key, value in other.items()}
    torch.save({**prefixed(state, "model."), **average}, tmp_path / "w.pth")
    assert "of the shapes of a second set of weights" in refusal(tmp_path, entry())
    torch.save({**prefixed(state, "model."), "projector.weight": torch.ones(2, 3)}, tmp_path / "w.pth")
    assert "second set" not in refusal(tmp_path, entry())


HARMLESS = {
    "operations counted": lambda state: {
        f"{module}.{leaf}": torch.zeros(1, dtype=torch.float64)
        for module in {key.rpartition(".")[0] for key in state}
        for leaf in ("total_ops", "total_params")
    },
    "a second norm in each norm": lambda state: {
        re.sub(r"\.(\w+)$", r".aux_bn.\1", key): value + 1 for key, value in state.items() if ".bn" in key
    },
}


@pytest.mark.parametrize("extra", HARMLESS.values(), ids=HARMLESS)
def test_what_counts_or_only_trains_is_left_out_by_one_glob(extra, tmp_path, network, state):
    torch.save({"state_dict": prefixed({**state, **extra(state)})}, tmp_path / "w.pth")
    (line,) = advised(refusal(tmp_path, entry()))
    assert len(line) < 100
    assert_same(load(tmp_path, entry(line)), network, some_images())


def test_each_of_two_classifiers_has_its_line(tmp_path, network, state, other):
    content = {**backbone(state), **head_under(state, "fc1000"), **head_under(other, "aux")}
    torch.save(content, tmp_path / "w.pth")
    first, second = (load(tmp_path, entry(line)) for line in advised(refusal(tmp_path, entry())))
    assert_same(first, network, some_images())
    assert torch.equal(second.state_dict()["fc.weight"], other["fc.weight"])


def test_what_is_no_tensor_is_part_of_the_whole_recipe(tmp_path, network, state):
    torch.save({"state_dict": {**prefixed(state), "module.note": "x"}}, tmp_path / "w.pth")
    (line,) = advised(refusal(tmp_path, entry()))
    assert_same(load(tmp_path, entry(line)), network, some_images())


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


CONVNEXT = (
    (r"^stem\.(\d)", r"downsample_layers.0.\1"),
    (r"^stages\.(\d)\.downsample\.(\d)", r"downsample_layers.\1.\2"),
    (r"^stages\.(\d)\.blocks\.(\d+)\.conv_dw", r"stages.\1.\2.dwconv"),
    (r"^stages\.(\d)\.blocks\.(\d+)\.mlp\.fc(\d)", r"stages.\1.\2.pwconv\3"),
    (r"^stages\.(\d)\.blocks\.(\d+)\.", r"stages.\1.\2."),
    (r"^head\.norm", "norm"),
    (r"^head\.fc", "head"),
)
"""From timm's names of a ConvNeXt to those of its authors (Liu et al. 2022)."""


def authors_names(state):
    for pattern, replacement in CONVNEXT:
        state = {re.sub(pattern, replacement, key): value for key, value in state.items()}
    return dict(sorted(state.items(), key=lambda item: not item[0].startswith("downsample_layers")))


def test_the_layout_of_a_networks_authors_is_converted_by_the_advised_command(tmp_path):
    network = small_network(seed=6, name="test_convnext")
    torch.save({"model": authors_names(network.state_dict())}, tmp_path / "w.pth")
    message = refusal(tmp_path, entry(arch="timm:test_convnext"))
    assert "which timm converts" in message
    run_here(message)
    loaded = load(tmp_path, entry(arch="timm:test_convnext", weights="file:w-weights.pth"))
    assert_same(loaded, network, some_images())


def test_a_conversion_that_changes_values_is_not_advised(tmp_path):
    """timm would resample the position embedding of a network for larger images."""
    import timm

    other = timm.create_model("test_vit", pretrained=False, img_size=96)
    torch.save(other.state_dict(), tmp_path / "w.pth")
    message = refusal(tmp_path, entry(arch="timm:test_vit"))
    assert "pos_embed has shape" in message and "python -" not in message


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


@pytest.mark.parametrize("outputs", [100, 1002, 21843])
def test_no_rows_are_advised_where_no_output_is_known_to_be_the_background(outputs, tmp_path):
    network = small_network(seed=4, outputs=outputs)
    torch.save({"state_dict": prefixed(network.state_dict())}, tmp_path / "w.pth")
    recipe, line = advised(refusal(tmp_path, entry()))
    assert line == f"outputs: {outputs}"
    assert_same(load(tmp_path, entry(recipe, line, "label_space: mine")), network, some_images())


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
    from harness.planning.jobs import _recipe

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
    "version of torch": lambda: torch.__version__,
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
    run_here(message)
    assert_same(load(tmp_path, entry(weights="file:w-weights.pth")), network, some_images())


def test_a_whole_pickled_network_is_saved_as_its_weights(tmp_path, network):
    with torch.random.fork_rng():
        torch.save(torch.nn.Sequential(torch.nn.Linear(2, 2)), tmp_path / "w.pth")
    message = refusal(tmp_path, entry())
    assert "torch.nn.modules" in message
    run_here(message)
    assert "keys missing" in refusal(tmp_path, entry(weights="file:w-weights.pth"))


class Counted(torch.nn.Module):
    """A network around another one, as a training script defines it, with a mean that its state dict lacks."""

    def __init__(self, network):
        super().__init__()
        self.model, self.mean = network, [0.375, 0.25, 0.5]


@pytest.fixture
def code_elsewhere(monkeypatch):
    """Writes files with objects of a module that this machine does not have."""
    module = ModuleType("their_code")
    module.Counted, module.Meter = Counted, type("Meter", (), {})
    for one in (module.Counted, module.Meter):
        monkeypatch.setattr(one, "__module__", "their_code")

    def save(content, path):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "their_code", module)
            torch.save(content(module), path)

    return save


OBJECTS = {
    "a network": lambda code, network, state: network,
    "a network among other things": lambda code, network, state: {"net": network, "accuracy": 91.0},
    "networks in a list": lambda code, network, state: [network, 3],
    "an object deep in a file": lambda code, network, state: {"a": {"b": state}, "meter": code.Meter()},
    "tensors beside an object": lambda code, network, state: {**state, "meter": code.Meter()},
    "an average in an object": lambda code, network, state: {"ema": vars_of(code.Meter(), shadow=dict(state))},
}


def vars_of(one, **attributes):
    vars(one).update(attributes)
    return one


@pytest.mark.parametrize("content", OBJECTS.values(), ids=OBJECTS)
def test_weights_inside_objects_are_saved_by_the_advised_command(content, code_elsewhere, tmp_path, network, state):
    code_elsewhere(lambda code: content(code, network, state), tmp_path / "w.pth")
    message = refusal(tmp_path, entry())
    run_here(message)
    file = "file:w-weights.pth"
    try:
        loaded = load(tmp_path, entry(weights=file))
    except CheckpointError as error:
        loaded = load(tmp_path, entry(advised(str(error))[-1], weights=file))
    assert_same(loaded, network, some_images())


def test_a_network_of_code_that_is_not_here_keeps_its_mean(code_elsewhere, tmp_path, network):
    code_elsewhere(lambda code: code.Counted(network), tmp_path / "w.pth")
    run_here(refusal(tmp_path, entry()))
    message = refusal(tmp_path, entry(weights="file:w-weights.pth"))
    assert "mean: [0.375, 0.25, 0.5]" in advised(message)
    assert load(tmp_path, entry(*advised(message), weights="file:w-weights.pth"))


def test_a_file_of_objects_that_contains_itself_ends(tmp_path, network, state):
    knot = {"state_dict": dict(state), "activation": torch.nn.ReLU}
    knot |= {f"k{number}": knot for number in range(300)}
    torch.save(knot, tmp_path / "w.pth")
    run_here(refusal(tmp_path, entry()))
    assert_same(load(tmp_path, entry(weights="file:w-weights.pth")), network, some_images())


def test_a_pickle_of_arrays_is_saved_as_tensors(tmp_path, network, state):
    content = {"model": {key: value.numpy() for key, value in state.items()}, "__author__": "them"}
    (tmp_path / "w.pkl").write_bytes(pickle.dumps(content, protocol=2))
    run_here(refusal(tmp_path, entry(weights="file:w.pkl")))
    assert_same(load(tmp_path, entry(weights="file:w-weights.pth")), network, some_images())


def test_the_command_says_what_it_cannot_read(tmp_path, capsys):
    (tmp_path / "w.pth").write_bytes(b"\x80\x02no pickle")
    assert extract.main([str(tmp_path / "w.pth")]) == 2
    assert extract.main([]) == 2
    torch.save(3, tmp_path / "w.pth")
    assert extract.main([str(tmp_path / "w.pth")]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 3 and all(line.startswith("error: ") for line in errors)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_state_dict_of_arrays_is_one_of_tensors(wrapped, tmp_path, network, state):
    arrays = {key: value.numpy() for key, value in state.items()}
    torch.save({"state_dict": arrays, "epoch": 1} if wrapped else arrays, tmp_path / "w.pth")
    (line,) = advised(refusal(tmp_path, entry()))
    assert_same(load(tmp_path, entry(line)), network, some_images())


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
    run_here(message)
    assert_same(load(tmp_path, entry(weights="file:w-weights.pth")), network, some_images())


@pytest.mark.slow
def test_an_exported_program_is_saved_as_its_weights(tmp_path):
    network = small_network(seed=1)
    torch.export.save(torch.export.export(network, (some_images(),)), tmp_path / "w.pt2")
    message = refusal(tmp_path, entry(weights="file:w.pt2"))
    assert "torch.export (.pt2)" in message
    run_here(message)
    assert_same(load(tmp_path, entry(weights="file:w-weights.pth")), network, some_images())


ONNX = b"\x08\x08\x12\x07pytorch\x1a\x052.0.0:\xff\x02\n" + bytes(40)
OTHERS = {
    "onnx": ("w.onnx", ONNX, "an ONNX model"),
    "onnx under another name": ("w.pth", ONNX, "an ONNX model"),
    "hdf5": ("w.h5", b"\x89HDF\r\n\x1a\n" + bytes(40), "an HDF5 file"),
    "npy": ("w.npy", b"\x93NUMPY\x01\x00" + bytes(40), "one NumPy array"),
    "tflite": ("w.tflite", b"\x1c\x00\x00\x00TFL3" + bytes(40), "a TensorFlow Lite model"),
    "flax": ("flax_model.msgpack", b"\x82\xa6params" + bytes(range(40)), "parameters from Flax"),
    "tensorflow": ("model.ckpt-1.data-00000-of-00001", bytes(range(128, 200)), "a file of TensorFlow"),
    "saved model": ("saved_model.pb", b"\x08\x01\x12\xe5" + bytes(40), "a file of TensorFlow"),
    "mxnet": ("resnet.params", bytes(range(128, 200)), "another framework (MXNet)"),
    "pickle": ("w.pkl", b"\x80\x04\x95" + bytes(60), "a pickle that torch.save did not write"),
}


@pytest.mark.parametrize(("name", "content", "words"), OTHERS.values(), ids=OTHERS)
def test_files_of_other_programs_are_named(name, content, words, tmp_path):
    (tmp_path / name).write_bytes(content)
    message = refusal(tmp_path, entry(weights=f"file:{name}"))
    assert words in message and not re.search("fetch it again|damaged|truncated", message)
    assert re.search("torch.save|model source|weights that it was", message)


def test_arrays_of_jax_have_other_axes(tmp_path):
    np.savez(tmp_path / "w.npz", **{"head/kernel": np.zeros((8, 8)), "head/bias": np.zeros(8)})
    message = refusal(tmp_path, entry(weights="file:w.npz"))
    assert "axes in another order" in message and "python -" not in message


# --- several files ---------------------------------------------------------------------------


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


def test_one_shard_leads_to_the_index(tmp_path, network, state):
    sharded(tmp_path, state)
    message = refusal(tmp_path, entry(weights="file:model-00002-of-00003.safetensors"))
    (line,) = re.findall(r"`weights: \['(file:[^`]*)'\]`", message)
    assert_same(load(tmp_path, entry(weights=line)), network, some_images())


def test_a_folder_is_no_checkpoint(tmp_path, state):
    (tmp_path / "net").mkdir()
    torch.save(dict(state), tmp_path / "net/w.pth")
    assert "a folder, so name a file in it: w.pth" in refusal(tmp_path, entry(weights="file:net"))
    (tmp_path / "net/.metadata").touch()
    assert "dcp_to_torch" in refusal(tmp_path, entry(weights="file:net"))


@pytest.mark.parametrize("how", ["safetensors", "shards", "sorted"])
def test_keys_in_alphabetical_order_are_not_matched_by_position(how, tmp_path):
    """Blocks 0, 1, 10, 11, 2, … of equal shapes: every tensor would fit, and the network would be another one."""
    names = [f"blocks.{number}.{leaf}" for number in range(12) for leaf in ("weight", "scale")]
    state = {name.replace("blocks", "layer"): torch.full((2, 2), float(i)) for i, name in enumerate(names)}
    needed = {name: torch.zeros(2, 2) for name in names}
    path = tmp_path / "w.safetensors"
    if how == "shards":
        path = sharded(tmp_path, state)
    elif how == "safetensors":
        save_safetensors(state, path)
    else:
        path = tmp_path / "w.pth"
        torch.save(dict(sorted((key, value) for key, value in state.items() if "weight" in key)), path)
        needed = {name: tensor for name, tensor in needed.items() if "weight" in name}
    contents = read_checkpoint(path)
    with pytest.raises(CheckpointError, match="alphabetical order"):
        by_position(contents.state_dict(), needed, "w", contents.ordered)
    whole = {name: torch.zeros(2, 2) for name in names}
    assert torch.equal(by_position(state, whole, "w")["blocks.10.scale"], state["layer.10.scale"])


def test_numbered_keys_in_their_order_are_matched_by_position(tmp_path):
    state = {f"{number}.weight": torch.full((2,), float(number)) for number in range(12)}
    needed = {f"layer{number}.weight": torch.zeros(2) for number in range(12)}
    assert torch.equal(by_position(state, needed, "w")["layer10.weight"], state["10.weight"])


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
