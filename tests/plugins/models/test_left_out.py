"""Nothing that lies in a checkpoint is left out unseen: other weights, a normalization, parts of a weight."""

from __future__ import annotations

import argparse
from collections import OrderedDict
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import CheckpointError, LoadingRecipe, ModelSpec, read_checkpoint, read_state_dict
from harness.plugins.models.checkpoint import Checkpoint
from tests.helpers.advice import advised, entry, load, refusal, run_here
from tests.helpers.layouts import assert_same, prefixed, small_network, some_images, spec_for

MEAN, STD = (0.375, 0.25, 0.5), (0.25, 0.125, 0.5)


# --- several sets of weights -----------------------------------------------------------------


def ema_by_reference(state, other):
    return {"model": other, "model_ema": {"n_averaged": torch.tensor(5), **prefixed(state)}, "epoch": 9}


PAIRS = {
    "model and model_ema": lambda state, other: {"model": other, "model_ema": state, "epoch": 9},
    "torchvision's average": ema_by_reference,
    "state_dict and ema": lambda state, other: {"state_dict": other, "ema": state},
    "state_dict and state_dict_ema": lambda state, other: {"state_dict": other, "state_dict_ema": state},
    "student and teacher": lambda state, other: {"student": other, "teacher": prefixed(state, "backbone.")},
    "nested": lambda state, other: {"model": other, "ema": {"decay": 0.999, "shadow": state}},
    "an average beside the state of an optimizer": lambda state, other: {
        "state_dict": other,
        "optimizer": {"state": {}, "param_groups": [], "ema": state},
    },
    "an average in a namespace": lambda state, other: {"state_dict": other, "ema": SimpleNamespace(shadow=dict(state))},
    "both under state_dict": lambda state, other: {"state_dict": {"online": other, "target": state}},
    "folds": lambda state, other: {"folds": [other, state]},
    "by number": lambda state, other: {"model": {0: other, 1: state}},
}


@pytest.mark.parametrize("content", PAIRS.values(), ids=PAIRS)
def test_model_and_average_are_refused_and_each_line_of_the_advice_chooses_one(
    content, tmp_path, network, state, other
):
    torch.save(content(state, other), tmp_path / "w.pth")
    message = refusal(tmp_path, entry())
    given = [line for line in advised(message) if line.startswith("safe_globals")]
    message = refusal(tmp_path, entry(*given)) if given else message
    lines = [line for line in advised(message) if line.startswith("recipe")] or advised(message)
    assert len(lines) == 2 and len(set(lines)) == 2
    chosen = [load(tmp_path, entry(line, *given)).state_dict()["fc.weight"] for line in lines]
    assert [torch.equal(one, two["fc.weight"]) for one, two in zip(chosen, (other, state), strict=True)] == [True, True]


def test_an_average_without_names_is_not_dropped_unseen(tmp_path, state, other):
    parameters = [value for key, value in state.items() if "running" not in key and "num_batches" not in key]
    torch.save({"state_dict": other, "ema": {"decay": 0.99, "shadow_params": parameters}}, tmp_path / "w.pth")
    message = refusal(tmp_path, entry())
    assert f"`ema.shadow_params` ({len(parameters)} tensors without names)" in message
    (line,) = advised(message)
    assert torch.equal(load(tmp_path, entry(line)).state_dict()["fc.weight"], other["fc.weight"])


def test_an_average_of_the_parameters_alone_is_said_not_to_load(tmp_path, state, other):
    parameters = {key: value for key, value in state.items() if "running" not in key and "num_batches" not in key}
    torch.save({"model": other, "ema": parameters}, tmp_path / "w.pth")
    assert f"`ema` has {len(parameters)} of " in refusal(tmp_path, entry())


def test_what_lies_in_an_average_and_is_no_tensor_is_dropped_by_the_advice(tmp_path, state, other):
    torch.save({"model": other, "ema": {"decay": 0.99, **prefixed(state)}}, tmp_path / "w.pth")
    *_, line = advised(refusal(tmp_path, entry()))
    assert line == "recipe: {wrapper_keys: [ema], strip_prefixes: [module.], drop: [decay]}"
    assert torch.equal(load(tmp_path, entry(line)).state_dict()["fc.weight"], state["fc.weight"])


def test_equal_copies_are_one(tmp_path, network, state):
    torch.save({"state_dict": dict(state), "model": {k: v.clone() for k, v in state.items()}}, tmp_path / "w.pth")
    assert_same(load(tmp_path, entry()), network, some_images())


def test_what_trains_a_network_is_no_other_network(tmp_path, network, state):
    moments = {i: {"exp_avg": value.clone(), "step": torch.tensor(1.0)} for i, value in enumerate(state.values())}
    named = {"exp_avg": {key: torch.zeros_like(value) for key, value in state.items()}}
    rest = {
        "optimizer": {"state": moments, "param_groups": []},
        "opt": named,
        "loss": {"weight": torch.ones(3)},
    }
    torch.save({"state_dict": dict(state), **rest}, tmp_path / "w.pth")
    assert_same(load(tmp_path, entry()), network, some_images())


def test_other_values_of_some_tensors_are_remarked_on(tmp_path, network, state):
    again = {key: value + 1 for key, value in state.items() if "running" in key}
    same = {key: value.clone() for key, value in state.items() if "running" in key}
    torch.save({"state_dict": dict(state), "statistics": again, "copy": same}, tmp_path / "w.pth")
    loaded = load(tmp_path, entry())
    assert_same(loaded, network, some_images())
    (remark,) = [remark for remark in loaded.remarks if "other values" in remark]
    assert "statistics" in remark and "running_mean" in remark


def test_weights_of_a_schedule_free_optimizer_in_training_are_not_taken_silently(tmp_path, network, state):
    content = {"model": dict(state), "optimizer": {"state": {}, "param_groups": [{"lr": 0.1, "train_mode": True}]}}
    torch.save(content, tmp_path / "w.pth")
    (drop,) = advised(refusal(tmp_path, entry()))
    loaded = load(tmp_path, entry(drop))
    assert_same(loaded, network, some_images())
    assert any("schedule-free" in remark for remark in loaded.remarks)
    content["optimizer"]["param_groups"][0]["train_mode"] = False
    torch.save(content, tmp_path / "w.pth")
    assert not any("schedule-free" in remark for remark in load(tmp_path, entry()).remarks)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_of_several_candidates_none_is_taken_silently(data, tmp_path):
    """Any number of sets of weights of one shape, under any keys, any prefixes, in any order, some without buffers."""
    usual = ["state_dict", "model", "model_state_dict"]
    names = data.draw(
        st.lists(st.sampled_from([*usual, "ema", "teacher", "swa", "net"]), min_size=1, max_size=4, unique=True)
    )
    content, weights = {"epoch": 1}, {}
    for number, name in enumerate(names):
        prefix = data.draw(st.sampled_from(["", "module.", "encoder.model."]))
        weights[name] = {f"{prefix}l{i}.weight": torch.full((3, 2), number + i / 8) for i in range(4)}
        nested = data.draw(st.booleans()) and name not in usual
        content[name] = {"decay": 0.9, "weights": weights[name]} if nested else weights[name]
        if not nested and data.draw(st.booleans()):
            weights[name]["steps"] = torch.tensor(1)
    torch.save(content, tmp_path / "w.pth")
    if len(names) == 1 and names[0] in usual:
        assert read_state_dict(tmp_path / "w.pth").keys() == weights[names[0]].keys()
        return
    with pytest.raises(CheckpointError) as caught:
        read_state_dict(tmp_path / "w.pth")
    assert all(f"[{name}" in str(caught.value) for name in names)
    for group in read_checkpoint(tmp_path / "w.pth").weights:
        chosen = read_state_dict(tmp_path / "w.pth", group.keys)
        assert torch.equal(next(iter(chosen.values())), next(iter(weights[group.keys[0]].values())))


def test_what_is_no_tensor_is_named_and_can_be_dropped(tmp_path, network, state, other):
    torch.save({**state, "epoch": 3, "ema": other}, tmp_path / "w.pth")
    message = refusal(tmp_path, entry())
    assert "'epoch' is a int, 'ema' is a dict" in message or "'ema' is a" in message
    drop, ema = advised(message)
    assert_same(load(tmp_path, entry(drop)), network, some_images())
    assert torch.equal(load(tmp_path, entry(ema)).state_dict()["fc.weight"], other["fc.weight"])


# --- a normalization in the file -------------------------------------------------------------


def three(values, shape=(3, 1, 1), dtype=torch.float32):
    return torch.tensor(values, dtype=dtype).view(shape)


def of_the_file(loaded):
    """The remarks on normalizations of the file."""
    return [remark for remark in loaded.remarks if "the file's own" in remark]


NORMALIZERS = {
    "robustness library": lambda: {
        "module.normalizer.new_mean": three(MEAN),
        "module.normalizer.new_std": three(STD),
    },
    "normalize": lambda: {"normalize.mean": three(MEAN, (1, 3, 1, 1)), "normalize.std": three(STD, (1, 3, 1, 1))},
    "mu and sigma": lambda: {"mu": three(MEAN, (3,)), "sigma": three(STD, (3,))},
    "pixels from 0 to 255": lambda: {
        "data_preprocessor.mean": three([255 * v for v in MEAN]),
        "data_preprocessor.std": three([255 * v for v in STD]),
    },
    "half precision": lambda: {
        "0.image_mean": three(MEAN, dtype=torch.float16),
        "0.image_std": three(STD, dtype=torch.float16),
    },
    "one word": lambda: {"imagemean": three(MEAN), "imagestd": three(STD)},
    "two sets": lambda: {
        "img_mean": three([0.0, 0.0, 0.0]),
        "img_std": three([1.0, 1.0, 1.0]),
        "rgb_mean": three(MEAN),
        "rgb_std": three(STD),
    },
    "variance": lambda: {"norm.mean": three(MEAN), "norm.var": three([v * v for v in STD])},
    "inverse deviation": lambda: {"norm.mean": three(MEAN), "norm.inv_std": three([1 / v for v in STD])},
    "shift and scale": lambda: {"scaling.shift": three(MEAN, (1, 3, 1, 1)), "scaling.scale": three(STD, (1, 3, 1, 1))},
    "scale, then offset": lambda: {
        "pre.scale": three([1 / v for v in STD]),
        "pre.offset": three([-m / s for m, s in zip(MEAN, STD, strict=True)]),
    },
    "a convolution of each channel": lambda: {
        "front.weight": three([1 / v for v in STD], (3, 1, 1, 1)),
        "front.bias": three([-m / s for m, s in zip(MEAN, STD, strict=True)], (3,)),
    },
    "a convolution that mixes nothing": lambda: {
        "front.weight": torch.diag(three([1 / v for v in STD], (3,))).view(3, 3, 1, 1),
        "front.bias": three([-m / s for m, s in zip(MEAN, STD, strict=True)], (3,)),
    },
    "a batch norm that scales": lambda: {
        "0.running_mean": three([0.125, 0.25, 0.5], (3,)),
        "0.running_var": three([1 - 1e-5] * 3, (3,)),
        "0.weight": three([1 / v for v in STD], (3,)),
        "0.bias": three([(b - m) / s for b, m, s in zip([0.125, 0.25, 0.5], MEAN, STD, strict=True)], (3,)),
        "0.num_batches_tracked": torch.tensor(5),
    },
}


@pytest.mark.parametrize("numbers", NORMALIZERS.values(), ids=NORMALIZERS)
def test_a_normalization_in_the_file_must_be_the_entrys(numbers, tmp_path, network, state):
    torch.save({"model": {**prefixed(state, "module.model."), **numbers()}}, tmp_path / "w.pth")
    recipe = "recipe: {select_prefix: module.model., strip_prefixes: [module.model.]}"
    for lines in ([], ["mean: [0.485, 0.456, 0.406]", "std: [0.229, 0.224, 0.225]"]):
        message = refusal(tmp_path, entry(recipe, *lines))
        mean, std, drop = advised(message)
        assert (mean, std) == ("mean: [0.375, 0.25, 0.5]", "std: [0.25, 0.125, 0.5]")
    loaded = load(tmp_path, entry(recipe, mean, std))
    assert of_the_file(loaded) == []
    images = some_images()
    by_hand = torch.stack([(images[:, c] - MEAN[c]) / STD[c] for c in range(3)], dim=1)
    with torch.inference_mode():
        torch.testing.assert_close(loaded(images), network(by_hand), rtol=1e-3, atol=1e-3)
    left_out = load(tmp_path, entry(recipe.replace("}", f", {drop}}}")))
    assert_same(left_out, network, images)
    (remark,) = of_the_file(left_out)
    assert "[0.375, 0.25, 0.5]" in remark


@pytest.mark.parametrize("kind", ["lists", "arrays", "Namespace"])
def test_a_normalization_beside_the_weights_counts_too(kind, tmp_path, state):
    make = np.array if kind == "arrays" else list
    config = {"mean": make(MEAN), "std": make(STD), "lr": 0.1}
    torch.save(
        {"state_dict": state, "cfg": argparse.Namespace(**config) if kind == "Namespace" else config},
        tmp_path / "w.pth",
    )
    numpy = "numpy._core.multiarray._reconstruct, numpy.ndarray, numpy.dtype, numpy.dtypes.Float64DType"
    allowed = f"safe_globals: [argparse.Namespace, {numpy}]"
    mean, std, drop = advised(refusal(tmp_path, entry(allowed)))
    assert of_the_file(load(tmp_path, entry(allowed, mean, std))) == []
    assert len(of_the_file(load(tmp_path, entry(allowed, drop)))) == 1


CONFIGURATIONS = {
    "a pair": {"normalization": [MEAN, STD]},
    "a pair in a tensor": {"stats": torch.tensor([MEAN, STD])},
    "in a list of steps": {"transforms": [{"name": "Resize"}, {"name": "Normalize", "mean": MEAN, "std": STD}]},
    "text of a program": {"meta": {"cfg": f"pre = dict(mean={[255 * v for v in MEAN]}, std={[255 * v for v in STD]})"}},
    "text of a transform": {"transform": f"Compose(\n    ToTensor()\n    Normalize(mean={MEAN}, std={STD})\n)"},
    "JSON": {"config": f'{{"image_mean": {list(MEAN)}, "image_std": {list(STD)}}}'},
}


@pytest.mark.parametrize("config", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_a_configuration_is_read_wherever_it_has_the_numbers(config, tmp_path, state):
    torch.save({"state_dict": state, **config}, tmp_path / "w.pth")
    mean, std, drop = advised(refusal(tmp_path, entry()))
    assert (mean, std) == ("mean: [0.375, 0.25, 0.5]", "std: [0.25, 0.125, 0.5]")
    assert of_the_file(load(tmp_path, entry(mean, std))) == []
    assert len(of_the_file(load(tmp_path, entry(drop)))) == 1


def test_numbers_of_unknown_meaning_must_be_the_entrys_or_be_named(tmp_path, state):
    numbers = {"normalize.m": three(MEAN), "normalize.s": three(STD)}
    torch.save({**prefixed(state, "net."), **numbers}, tmp_path / "w.pth")
    recipe = "recipe: {select_prefix: net., strip_prefixes: [net.]}"
    message = refusal(tmp_path, entry(recipe, "mean: [0.5, 0.5, 0.5]", "std: [0.5, 0.5, 0.5]"))
    assert "normalize.m and normalize.s ([0.375, 0.25, 0.5], [0.25, 0.125, 0.5])" in message
    (drop,) = advised(message)
    assert of_the_file(load(tmp_path, entry(recipe, f"mean: {list(MEAN)}", f"std: {list(STD)}"))) == []
    assert len(of_the_file(load(tmp_path, entry(recipe.replace("}", f", {drop}}}"))))) == 1


NO_NORMALIZATION = {
    "a temperature": {"logit_scale": torch.tensor(2.0), "logit_shift": torch.tensor(0.5)},
    "a classifier of three classes": {"aux.weight": torch.ones(3, 8), "aux.bias": torch.ones(3)},
    "a queue": {"queue.mean": torch.ones(5)},
}


@pytest.mark.parametrize("extra", NO_NORMALIZATION.values(), ids=NO_NORMALIZATION)
def test_other_small_tensors_are_no_normalization(extra, tmp_path, network, state):
    torch.save({**prefixed(state, "net."), **extra}, tmp_path / "w.pth")
    recipe = "recipe: {select_prefix: net., strip_prefixes: [net.]}"
    assert_same(load(tmp_path, entry(recipe)), network, some_images())


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    channel=st.integers(0, 2),
    value=st.floats(0.001, 1).map(lambda value: round(value, 3)),
    which=st.sampled_from(["mean", "std"]),
    name=st.sampled_from(["normalizer.new_{}", "norm.{}", "pre.pixel_{}", "{}"]),
)
def test_any_other_number_is_noticed(channel, value, which, name, tmp_path, state):
    entrys = {"mean": list(MEAN), "std": list(STD)}
    in_file = {key: list(values) for key, values in entrys.items()}
    in_file[which][channel] = value
    numbers = {name.format(key): three(values) for key, values in in_file.items()}
    torch.save({**prefixed(state, "net."), **numbers}, tmp_path / "w.pth")
    recipe = LoadingRecipe(select_prefix="net.", strip_prefixes=("net.",))
    spec = spec_for(tmp_path / "w.pth", recipe, mean=MEAN, std=STD)
    if abs(value - entrys[which][channel]) < 1e-4:
        Checkpoint().load(spec)
    else:
        with pytest.raises(CheckpointError, match="normalization that is not the entry's"):
            Checkpoint().load(spec)


def test_a_file_that_contains_itself_ends(tmp_path, network, state):
    knot = {"state_dict": dict(state)}
    knot |= {f"k{number}": knot for number in range(300)}
    torch.save(knot, tmp_path / "w.pth")
    assert_same(load(tmp_path, entry()), network, some_images())


def test_a_normalization_that_does_nothing_says_that_there_is_none(tmp_path, state):
    numbers = {"normalize.mean": three([0.0, 0.0, 0.0]), "normalize.std": three([1.0, 1.0, 1.0])}
    torch.save({**prefixed(state, "net."), **numbers}, tmp_path / "w.pth")
    recipe = "recipe: {select_prefix: net., strip_prefixes: [net.]}"
    assert of_the_file(load(tmp_path, entry(recipe))) == []
    mean, std, _ = advised(refusal(tmp_path, entry(recipe, "mean: [0.5, 0.5, 0.5]", "std: [0.5, 0.5, 0.5]")))
    assert (mean, std) == ("mean: [0, 0, 0]", "std: [1, 1, 1]")
    load(tmp_path, entry(recipe, mean, std))


def test_a_mean_and_deviation_that_timm_does_not_state_are_remarked_on(tmp_path, state):
    torch.save(dict(state), tmp_path / "w.pth")
    imagenet = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    half = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    import timm

    stated = timm.get_pretrained_cfg("test_resnet").mean
    same, differs = (half, imagenet) if stated == half["mean"] else (imagenet, half)
    assert Checkpoint().load(spec_for(tmp_path / "w.pth", **same)).remarks == ()
    (remark,) = Checkpoint().load(spec_for(tmp_path / "w.pth", **differs)).remarks
    assert "timm's configuration of test_resnet" in remark and str(differs["mean"][0]) in remark
    (remark,) = Checkpoint().load(spec_for(tmp_path / "w.pth")).remarks
    assert "no normalization" in remark


# --- weights in parts ------------------------------------------------------------------------


def old_weight_norm(module):
    with pytest.warns(FutureWarning):
        torch.nn.utils.weight_norm(module)


def old_spectral_norm(module):
    torch.nn.utils.spectral_norm(module)


def pruned(module):
    from torch.nn.utils import prune

    prune.random_unstructured(module, "weight", amount=0.5)


PARTS = {
    "weight_norm": old_weight_norm,
    "parametrized weight_norm": torch.nn.utils.parametrizations.weight_norm,
    "weight_norm over all axes": lambda module: torch.nn.utils.parametrizations.weight_norm(module, dim=None),
    "spectral_norm": old_spectral_norm,
    "parametrized spectral_norm": torch.nn.utils.parametrizations.spectral_norm,
    "pruning": pruned,
}


def in_parts(parametrize):
    """A small network, in eval mode, whose convolutions and classifier store their weights in parts."""
    network = small_network(seed=3)
    for module in [one for one in network.modules() if isinstance(one, torch.nn.Conv2d | torch.nn.Linear)]:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            parametrize(module)
    return network.eval()


@pytest.mark.parametrize("parametrize", PARTS.values(), ids=PARTS)
def test_weights_in_parts_are_put_together(parametrize, tmp_path):
    network = in_parts(parametrize)
    torch.save({"state_dict": prefixed(network.state_dict())}, tmp_path / "w.pth")
    loaded = load(tmp_path, entry("strip_prefixes: [module.]"))
    images = some_images()
    with torch.no_grad():
        torch.testing.assert_close(loaded(images), network(images), rtol=1e-3, atol=1e-3)


def test_the_order_of_the_file_stays(tmp_path):
    network = in_parts(torch.nn.utils.parametrizations.weight_norm)
    from harness.plugins.models._parametrizations import folded

    state = dict(network.state_dict())
    plain = small_network().state_dict()
    module = [key.rpartition(".")[0] for key in plain]
    found = folded(state, plain, (), (), "")
    assert found.keys() == plain.keys()
    assert list(dict.fromkeys(key.rpartition(".")[0] for key in found)) == list(dict.fromkeys(module))


@pytest.mark.parametrize("dim", [0, 1])
def test_spectral_norm_of_either_side(dim):
    from harness.plugins.models._parametrizations import folded

    module = torch.nn.ConvTranspose2d(3, 5, 2) if dim else torch.nn.Linear(4, 6)
    torch.nn.utils.spectral_norm(module)
    module.eval()
    images = torch.rand(2, 3, 4, 4) if dim else torch.rand(2, 4)
    expected = module(images)
    plain = type(module)(*((3, 5, 2) if dim else (4, 6)))
    plain.load_state_dict(folded(dict(module.state_dict()), plain.state_dict(), (), (), ""))
    torch.testing.assert_close(plain(images), expected)


@pytest.mark.parametrize(
    ("parametrize", "lines"),
    [
        ("weight_norm", ["rename: [['weight_v$', weight]]", "drop: ['*weight_g']"]),
        (
            "parametrized weight_norm",
            ["rename: [['parametrizations.weight.original1', weight]]", "drop: ['*original0']"],
        ),
        ("spectral_norm", ["rename: [['weight_orig$', weight]]", "drop: ['*_u', '*_v']"]),
        ("pruning", ["rename: [['weight_orig$', weight]]", "drop: ['*weight_mask']"]),
    ],
)
def test_a_part_is_not_passed_off_as_the_weight(parametrize, lines, tmp_path):
    torch.save(OrderedDict(in_parts(PARTS[parametrize]).state_dict()), tmp_path / "w.pth")
    message = refusal(tmp_path, entry(*lines))
    assert "is a part of a weight" in message and "touches it" in message
    load(tmp_path, entry())


class Halved(torch.nn.Module):
    """A parametrization of one's own, without tensors: the weight is half of what the file has."""

    def forward(self, weight):
        return weight / 2


def halved(module):
    torch.nn.utils.parametrize.register_parametrization(module, "weight", Halved())


def orthogonal(module):
    if isinstance(module, torch.nn.Linear):
        torch.nn.utils.parametrizations.orthogonal(module)


def two_norms(module):
    torch.nn.utils.parametrizations.weight_norm(module)
    torch.nn.utils.parametrizations.spectral_norm(module)


@pytest.mark.parametrize("parametrize", [halved, orthogonal, two_norms])
def test_a_parametrization_that_is_not_known_is_refused_whatever_is_renamed(parametrize, tmp_path):
    torch.save(OrderedDict(in_parts(parametrize).state_dict()), tmp_path / "w.pth")
    renamed = ["rename: [['parametrizations.weight.original[01]?$', weight]]", "drop: ['*.base', '*original0', '*._?']"]
    for lines in ([], renamed):
        message = refusal(tmp_path, entry(*lines))
        assert "parametrization that is not known" in message or "touches it" in message
        assert not advised(message)


@pytest.mark.parametrize("parametrize", [old_weight_norm, torch.nn.utils.parametrizations.weight_norm, halved])
def test_a_module_in_parts_that_the_network_does_not_have_is_dropped_whole(parametrize, tmp_path, network, state):
    """The projector of DINO ends in a layer with weight norm."""
    projector = torch.nn.Sequential(torch.nn.Linear(3, 2))
    parametrize(projector[0])
    torch.save({**state, **prefixed(projector.state_dict(), "projector.")}, tmp_path / "w.pth")
    assert_same(load(tmp_path, entry("drop: [projector.*]")), network, some_images())


# --- masks -----------------------------------------------------------------------------------


def masked(state):
    """Masks of the convolutions that leave about half of their weights, and the weights that they leave."""
    generator = torch.Generator().manual_seed(5)
    masks = {key: (torch.rand(w.shape, generator=generator) > 0.5).float() for key, w in state.items() if w.ndim == 4}
    return masks, OrderedDict((key, masks[key] * w if key in masks else w) for key, w in state.items())


def lottery(state, masks):
    return {**prefixed(state, "model."), **{f"mask_{key.replace('.', '_')}": mask for key, mask in masks.items()}}


MASKED = {
    "a dictionary beside": lambda state, masks: {"state_dict": state, "masks": masks, "epoch": 3},
    "in the state dict, under other names": lottery,
    "with a longer name": lambda state, masks: {"model": state, "mask": prefixed(masks, "net.")},
}


@pytest.mark.parametrize("content", MASKED.values(), ids=MASKED)
def test_a_mask_that_is_not_applied_is_refused_and_the_advised_command_applies_it(content, tmp_path, state):
    masks, left = masked(state)
    torch.save(content(state, masks), tmp_path / "w.pth")
    lines = ["select_prefix: model.", "strip_prefixes: [model.]"] if content is lottery else []
    message = refusal(tmp_path, entry(*lines))
    assert "masks that would remove weights" in message
    run_here(message)
    loaded = load(tmp_path, entry(*lines, weights="file:w-weights.pth")).state_dict()
    assert all(torch.equal(loaded[key], tensor) for key, tensor in left.items())
    kept = load(tmp_path, entry(*lines, "drop: [mask*]"))
    assert torch.equal(kept.state_dict()["conv1.0.weight"], state["conv1.0.weight"])
    assert any("masks" in remark for remark in kept.remarks)
    torch.save(content(left, masks), tmp_path / "w.pth")  # an applied mask changes nothing
    assert not any("masks" in remark for remark in load(tmp_path, entry(*lines)).remarks)


def test_a_network_with_parts_of_its_own_gets_them():
    from harness.plugins.models._parametrizations import folded

    state = in_parts(old_weight_norm).state_dict()
    assert folded(dict(state), state, (), (), "") == dict(state)


def test_the_robustness_librarys_files_need_no_change(tmp_path, network, state):
    """Two normalizers, both the entry's; a second copy of the network; nothing is said about any of it."""
    numbers = {
        f"module.{name}.new_{which}": three(values)
        for name in ("normalizer", "attacker.normalize")
        for which, values in (("mean", MEAN), ("std", STD))
    }
    both = {**prefixed(state, "module.model."), **prefixed(state, "module.attacker.model.")}
    torch.save({"model": {**both, **numbers}, "epoch": 90}, tmp_path / "w.pth")
    recipe = LoadingRecipe(wrapper_keys=("model",), select_prefix="module.model.", strip_prefixes=("module.model.",))
    spec: ModelSpec = spec_for(tmp_path / "w.pth", recipe, mean=MEAN, std=STD)
    assert of_the_file(Checkpoint().load(spec)) == []
