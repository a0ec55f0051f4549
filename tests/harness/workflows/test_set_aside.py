"""A model that cannot be used is set aside with its reason, and all others are computed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from harness.discovery.loader import load_plugins
from harness.registry import load_registry
from harness.store import RunReader
from tests.helpers import command
from tests.helpers.layouts import prefixed, small_network

ENTRIES = """
  unfit: {source: checkpoint, arch: 'timm:test_resnet', weights: 'file:unfit.pth'}
  page: {source: checkpoint, arch: 'timm:test_resnet', weights: 'file:page.pth'}
  narrow: {source: dummy, options: {kind: wrong-outputs}}
  good: {source: checkpoint, arch: 'timm:test_resnet', weights: 'file:good.pth'}
  big: {source: timm, arch: vit_tiny_patch16_384.augreg_in21k_ft_in1k, options: {pretrained: false, init_seed: 1}}
"""
BAD = ("unfit", "page", "narrow")


@pytest.fixture
def run(harness, data, tmp_path):
    """``harness run`` of accuracy@imagenet on the named models; the folder has two bad checkpoints and a good one."""
    network = small_network(seed=1)
    torch.save({key: value for key, value in network.state_dict().items() if key != "fc.bias"}, tmp_path / "unfit.pth")
    (tmp_path / "page.pth").write_text("<!DOCTYPE html><html></html>")
    torch.save(network.state_dict(), tmp_path / "good.pth")
    (tmp_path / "models.yaml").write_text(command.MODELS + ENTRIES)

    def call(*models, more=(), out="run"):
        return command.run(harness, *more, models=models, tasks=("accuracy@imagenet",), out=out)

    return call


def test_one_checkpoint_that_does_not_fit_stops_no_other(run, harness):
    code, _, err = run("unfit", "good", "page", "narrow")
    assert code == 1 and "1 of 4 cells stored" in err
    assert "1 keys missing (fc.bias)" in err and "an HTML page" in err and "expected (1, 1000)" in err
    assert set(RunReader.open(Path("run")).cells()) == {("accuracy@imagenet", "good")}
    report = json.loads(harness("report", "run", "--format", "json")[1])
    reasons = {model["name"]: model["missing"][0]["reason"] for model in report["models"] if model["name"] in BAD}
    assert reasons.keys() == set(BAD) and "fc.bias" in reasons["unfit"]


def test_what_is_repaired_is_computed_by_the_same_command(run):
    run("unfit", "good")
    torch.save(small_network(seed=2).state_dict(), "unfit.pth")
    code, _, err = run("unfit", "good")
    assert code == 0 and "2 of 2 cells stored" in err


def test_if_none_can_be_loaded_all_are_named_and_nothing_is_written(run):
    code, _, err = run("unfit", "narrow")
    assert code == 2 and "fc.bias" in err and "logits" in err and not Path("run").exists()
    code, _, err = run("page")
    assert code == 2 and "an HTML page" in err and not Path("run").exists()


def test_what_was_stored_is_kept_when_a_checkpoint_breaks(run):
    assert run("good", "plain")[0] == 0
    content = Path("good.pth").read_bytes()
    Path("good.pth").write_bytes(content[: len(content) // 2])
    code, _, err = run("good", "plain", "other")
    assert code == 1 and "what was stored before is kept" in err
    assert len(RunReader.open(Path("run")).cells()) == 3


def test_the_plan_says_that_one_network_is_of_another_size(run):
    """A ViT for 384 pixels among networks for 224: the plan says so for it alone, and the others are run."""
    code, out, _ = run("plain", "big", more=("--dry-run", "--json"))
    cells = {cell["model"]: cell for cell in json.loads(out)["cells"]}
    assert code == 0 and (cells["plain"]["status"], cells["big"]["status"]) == ("run", "missing")
    assert "takes images of 384 pixels, imagenet gives 224" in cells["big"]["reason"]
    code, _, err = run("plain", "big")
    assert code == 1 and "1 of 2 cells stored" in err and "384 pixels" in err


def test_sizes_in_names_are_those_that_timm_states():
    import timm

    from harness.plugins.models._architectures import fixed_size

    named = {name: size for name in timm.list_pretrained() if (size := fixed_size(name))}
    configs = {name: timm.get_pretrained_cfg(name) for name in named}
    assert len(named) > 200
    assert {name: config.input_size[1] for name, config in configs.items()} == named
    assert all(config.fixed_input_size for config in configs.values())
    assert not any(map(fixed_size, ("resnet50.a1_in1k", "levit_128", "regnety_160", "timm:xcit_tiny_12_p16_384")))


def test_no_registered_model_is_set_aside_at_its_benchmarks_size():
    registry = load_registry((), load_plugins(entry_points=False))
    sizes = {name: registry.source_for(spec).image_size(spec) for name, spec in registry.models.items()}
    assert {size for name, size in sizes.items() if size is not None} == {224}


# --- remarks on weights, and expected numbers ------------------------------------------------


def test_remarks_on_weights_are_stored_and_kept(run, harness):
    numbers = {"norm.mean": torch.full((3,), 0.25), "norm.std": torch.full((3,), 0.5)}
    torch.save({**prefixed(small_network(seed=1).state_dict(), "net."), **numbers}, "left-out.pth")
    with Path("models.yaml").open("a") as file:
        recipe = "{select_prefix: net., strip_prefixes: [net.], drop: ['norm.*']}"
        entry = f"source: checkpoint, arch: 'timm:test_resnet', weights: 'file:left-out.pth', recipe: {recipe}"
        file.write(f"  left-out: {{{entry}}}\n")
    for _ in range(2):  # the second time, nothing is loaded
        code, *_ = run("left-out")
        assert code == 0
        report = json.loads(harness("report", "run", "--format", "json")[1])
        assert any("left-out: the file's own normalization is left out" in text for text in report["warnings"])
    assert "[0.25, 0.25, 0.25]" in " ".join(report["warnings"])


def expecting(value):
    """The entry `plain`, with what is expected of it."""
    text = command.MODELS.replace("kind: brightness}", f"kind: brightness}}, expected: {{{value}}}", 1)
    Path("models.yaml").write_text(text)


def test_a_number_that_is_not_as_expected_is_said_by_run_and_report(run, harness):
    assert run("plain")[0] == 0
    value = json.loads(harness("report", "run", "--format", "json")[1])["models"][0]["measures"]["top1@imagenet"]
    keys = {cell.job.key for cell in RunReader.open(Path("run")).cells().values()}
    for expected, unlike in ((value, False), (0.99, True), (value, False)):
        expecting(f"top1@imagenet: {expected}")
        code, _, err = run("plain")
        flat = " ".join(err.split())
        assert code == 0 and (f"the entry expects 0.99, measured is {value:.4f}" in flat) is unlike
        report = json.loads(harness("report", "run", "--format", "json")[1])
        assert any("the entry expects" in text for text in report["warnings"]) is unlike
    assert {cell.job.key for cell in RunReader.open(Path("run")).cells().values()} == keys


def test_a_tolerance_and_a_measure_that_does_not_exist(run):
    expecting(
        "top1@imagenet: {value: 0.99, tolerance: 1.0}, top7@imagenet: 0.5, top1@imagenet-v2: 0.5, top1@imagnet: 1.0"
    )
    code, _, err = run("plain")
    flat = " ".join(err.split())
    assert code == 0 and "the entry expects" not in flat
    assert "top7@imagenet: expected by the entry of plain, but no probe" in flat and "imagenet-v2" not in flat
    assert "top1@imagnet: expected by the entry of plain, but there is no dataset 'imagnet'" in flat


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("top1: 0.5", "not of the form measure@dataset"),
        ("top1@imagenet: high", "top1@imagenet"),
        ("top1@imagenet: {value: 0.5, tolerance: 0}", "tolerance"),
        ("top1@imagenet: {value: 0.5, within: 0.1}", "unknown key 'within'"),
    ],
)
def test_an_expectation_is_checked_where_it_is_written(run, value, words):
    expecting(value)
    code, _, err = run("plain")
    assert code == 2 and "models.yaml:" in err and words in " ".join(err.split())


SOURCE = """
import sys
from harness import ModelSource, hookimpl


class Broken(ModelSource):
    name = "broken"

    def options(self, spec):
        pass

    def files(self, spec):
        if spec.options.get("where") == "files":
            raise KeyError("no such thing")
        return ()

    def load(self, spec):
        sys.exit(0) if spec.options["where"] == "exit" else [][1]


@hookimpl
def harness_model_sources():
    return [Broken()]
"""


@pytest.mark.parametrize("where", ["files", "exit", "load"])
def test_a_source_that_fails_sets_its_own_models_aside(run, where):
    Path("mine").mkdir()
    Path("mine/broken.py").write_text(SOURCE)
    with Path("models.yaml").open("a") as file:
        file.write(f"  broken: {{source: broken, options: {{where: {where}}}}}\n")
    code, _, err = run("broken", "plain", more=("--plugins", "mine"))
    assert code == 1 and "1 of 2 cells stored" in err and "its source 'broken'" in " ".join(err.split())
    code, _, err = run("broken", more=("--plugins", "mine"), out="other")
    assert code == 2 and "its source 'broken'" in " ".join(err.split()) and not Path("other").exists()
