"""Every registered plugin keeps the contract of its kind: one table, no exceptions by name."""

import json
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch

from harness import AbsentCheckpointError, DatasetError, ModelSpec, WhiteBoxProbe, accuracy_measures
from harness.discovery.loader import load_plugins
from harness.records import Measure
from harness.registry import load_registry
from harness.store.layout import RESERVED
from harness.testing import (
    check_dataset,
    check_label_space,
    check_measures,
    check_model_source,
    check_probe,
    make_trials,
)
from tests.helpers.places import ROOT

PLUGINS = load_plugins()
REGISTRY = load_registry((), PLUGINS)
DUMMIES = [{"kind": "constant"}, {"kind": "brightness"}, {"kind": "random-linear", "seed": 2}]


def test_the_table_is_not_empty_and_nothing_is_broken():
    assert {"accuracy", "band-pass", "critical-band", "pgd", "shape-bias"} <= set(PLUGINS.probes)
    assert {"timm", "torchvision", "checkpoint", "dummy"} <= set(PLUGINS.model_sources)
    assert PLUGINS.broken == () and PLUGINS.duplicates == ()


SLOW_AT_224 = ("pgd",)
"""At 224 pixels as slow as all others together; tests/plugins/probes/test_pgd.py attacks a real network there."""


@pytest.mark.parametrize(
    ("name", "size"),
    [
        pytest.param(name, size, marks=[pytest.mark.slow] if size == 224 and name in SLOW_AT_224 else [])
        for name in PLUGINS.probes
        for size in (64, 65, 224)
    ],
)
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
        # An attack follows the sign of a gradient, which is rounded otherwise: few values may differ, by far.
        share = 0.99 if isinstance(probe, WhiteBoxProbe) else 1
        assert ((stimulus - there[condition].cpu()).abs() < 1e-5).float().mean() >= share, condition


def attack_that(cheats):
    """A white-box probe of one step whose `cheats(batch, classifier, attacked)` gives the stimulus."""

    @dataclass(frozen=True, kw_only=True)
    class Cheat(WhiteBoxProbe):
        """One step along the sign of the gradient, and a mistake."""

        name: ClassVar[str] = "cheat"

        def conditions(self, size):
            return ("one-step",)

        def attacks(self, batch, classifier):
            images = batch.images.clone().requires_grad_()
            (gradient,) = torch.autograd.grad(classifier(images)[:, 0].sum(), images)
            yield "one-step", cheats(batch, classifier, (batch.images + gradient.sign() / 255).clamp(0, 1))

        def measures(self, trials):
            return accuracy_measures(trials, "one-step")

    return Cheat()


def test_the_kit_accepts_an_honest_attack():
    check_probe(attack_that(lambda batch, classifier, attacked: attacked))


@pytest.mark.parametrize(
    ("cheats", "words"),
    [
        (lambda batch, classifier, attacked: attacked + 0.02, r"leave \[0, 1\]"),
        (lambda batch, classifier, attacked: (classifier.train(), attacked)[1], "training mode"),
        (lambda batch, classifier, attacked: (classifier.head.weight.mul_(2), attacked)[1], "weights were changed"),
        (lambda batch, classifier, attacked: (batch.images.requires_grad_(), attacked)[1], "require a gradient"),
        (lambda batch, classifier, attacked: (attacked + 0.01 * attacked.mean()).clamp(0, 1), "of the values agree"),
        (
            lambda batch, classifier, attacked: attacked.clamp(max=np.random.default_rng().uniform(0.5, 1)),
            "second time",
        ),
        (lambda batch, classifier, attacked: attacked.double(), "expected torch.float32"),
    ],
    ids=["range", "training", "weights", "images", "batch statistics", "random", "dtype"],
)
def test_the_kit_refuses_an_attack(cheats, words):
    with pytest.raises(AssertionError, match=words):
        check_probe(attack_that(cheats))


def trials_for(probe, seed):
    categories = tuple("airplane bear bicycle bird boat bottle car cat chair clock dog elephant".split())
    values = {"frame": [str(i) for i in range(40)], "cut": ["0"] * 40}
    n, textures = 40, {name: values.get(name, [categories[i % 12] for i in range(40)]) for name in probe.attributes}
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


@pytest.mark.parametrize("name", REGISTRY.datasets)
def test_release_and_views(name):
    dataset = REGISTRY.dataset(name)
    release, views = dataset.release(), dataset.views()
    folders = [dataset.folder(Path("root"), view) for view in views]
    if release is None and dataset.path:  # the user's own files
        assert dataset.root() is None and not views
    elif release is None:  # made by code: there is nothing to get, and no folder to look into
        assert dataset.root() is not None and dataset.root().is_dir()
        assert folders == [None] * len(views)
    else:
        assert release.images > 0 and release.license and release.page.startswith("https://")
        assert len(set(folders)) == len(folders) and all(folder.is_relative_to("root") for folder in folders)
    for download in release.downloads if release else ():
        assert download.uri.startswith(("https://", "hf:", "gdrive:"))
        assert download.digest is None or re.fullmatch("sha256:[0-9a-f]{8,64}|md5:[0-9a-f]{32}", download.digest)
        for folder in (download.into, *(download.rename or ())):
            assert not Path(folder).is_absolute() and ".." not in Path(folder).parts
    assert len(set(views)) == len(views) and not set(views) & {"", "clean"}
    assert not set(dataset.attributes) & set(RESERVED), "the store has an axis of that name"


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


def is_here(spec):
    try:
        REGISTRY.source_for(spec).files(spec)
    except AbsentCheckpointError:
        return False
    return True


@pytest.mark.parametrize("name", [name for name, spec in REGISTRY.models.items() if is_here(spec)])
def test_registered_model(name):
    """Those of which a file is on this machine; all are loaded from synthetic files in test_study_checkpoints."""
    spec = REGISTRY.model(name)
    check_model_source(REGISTRY.source_for(spec), spec, 64 if spec.label_space == "shapes-16" else 224)


COMMANDS = """
import contextlib, io, json
from harness.cli import main

results = []
for words in (
    "list probes --format json",
    "run --registry m.yaml --task invert-colours@sample-photos --models plain --out run",
    "report run --format json",
):
    sys.argv, code = ["harness", *words.split()], 0
    with contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
    results.append((out.getvalue(), code))
print(json.dumps(results))
"""
"""Three commands in one process, which imports the harness once: what each prints, and its exit code."""


def test_a_probe_is_one_new_file_in_the_room_of_probes(tmp_path):
    """A copy of the tree with one file more lists the probe and runs it; nothing else is touched."""
    skip = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "harness", tmp_path / "harness", ignore=skip)
    shutil.copytree(ROOT / "plugins", tmp_path / "harness" / "plugins", ignore=skip)  # where packaging puts it
    shutil.copy(ROOT / "registry.yaml", tmp_path / "harness" / "registry.yaml")
    shutil.copy(ROOT / "docs" / "examples" / "invert_colours.py", tmp_path / "harness" / "plugins" / "probes")
    (tmp_path / "m.yaml").write_text("models: {plain: {source: dummy, options: {kind: brightness}}}\n")
    libraries = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    (tmp_path / "commands.py").write_text(f"import sys\nsys.path += {libraries}\n{COMMANDS}")
    command = [sys.executable, "-S", "commands.py"]  # -S: without the editable installation of this very tree
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (listed, code), (_, ran), (report, reported) = json.loads(done.stdout.splitlines()[-1])
    assert "invert-colours" in listed and (code, ran, reported) == (0, 0, 0), done.stderr
    assert "inverted-relative-top1@sample-photos" in report
