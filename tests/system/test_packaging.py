"""What a third party installs, and what the wheel of the harness itself holds."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from harness import Batch, TaskLayout, Trials
from harness.discovery.loader import load_plugins
from tests.helpers.places import ROOT

EXAMPLE = ROOT / "docs" / "examples" / "invert_colours.py"
THIRD_PARTY = ROOT / "tests" / "third_party"
SHIPPED = ("harness", "plugins", "pyproject.toml", "registry.yaml", "README.md", "LICENSE")
NO_BUILD = shutil.ignore_patterns("__pycache__", "build", "*.egg-info")


def run(*command, **environment):
    """stdout of a command that must succeed away from the repository, where only installed things are seen."""
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=Path(sys.prefix), env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def pip_install(source, target):
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet")
    run(sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(source))


def copied(tmp_path, *names, folder=ROOT):
    """A copy to build in: setuptools leaves build/ and *.egg-info behind."""
    copy = tmp_path / "source"
    copy.mkdir()
    for name in names:
        source = folder / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=NO_BUILD)
        else:
            shutil.copy(source, copy / name)
    return copy


def test_package_holds_the_example_of_the_docs():
    assert (THIRD_PARTY / "harness_invert.py").read_text() == EXAMPLE.read_text()
    assert len(EXAMPLE.read_text().splitlines()) < 60


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder into which pip has installed the third-party package."""
    folder = tmp_path_factory.mktemp("third-party")
    pip_install(copied(folder, "pyproject.toml", "harness_invert.py", folder=THIRD_PARTY), folder / "site")
    return folder / "site"


def test_installed_package_is_found(site):
    script = """
import json
from harness import load_plugins
plugins = load_plugins()
probe = plugins.probe("invert-colours")
print(json.dumps([plugins.providers["probe", probe.name], type(probe).__module__, [b.error for b in plugins.broken]]))
"""
    printed = json.loads(run(sys.executable, "-c", script, PYTHONPATH=str(site)))
    assert printed == ["harness-invert 1.0 (harness_invert)", "harness_invert", []]


def test_installed_package_and_its_file_in_a_folder_are_duplicates(site):
    """What happens to somebody who installs a plugin and keeps the file: an error with both places, no choice."""
    script = """
import sys
from pathlib import Path
from harness import PluginError
from harness import load_plugins
try:
    load_plugins([Path(sys.argv[1])]).probe("invert-colours")
except PluginError as error:
    print(error)
"""
    printed = run(sys.executable, "-c", script, str(EXAMPLE.parent), PYTHONPATH=str(site))
    assert str(EXAMPLE) in printed
    assert "harness-invert 1.0 (harness_invert)" in printed


@pytest.fixture
def probe():
    """The example's probe, loaded as `--plugins docs/examples` does."""
    return load_plugins([EXAMPLE.parent], entry_points=False).probe("invert-colours")


def test_example_inverts(probe):
    import torch

    images = torch.tensor([0.0, 0.25, 1.0]).reshape(1, 3, 1, 1)
    batch = Batch(images=images, sample_ids=("a",), targets=((0,),), seed=0)
    ((condition, stimulus),) = probe.stimuli(batch)
    assert (condition,) == probe.conditions(224)
    assert stimulus.flatten().tolist() == [1.0, 0.75, 0.0]
    assert images.flatten().tolist() == [0.0, 0.25, 1.0]


def trials(task, condition, correct, required=None):
    """Trials of which only `correct` matters."""
    n = len(correct)
    layout = TaskLayout(
        task=task,
        sample_ids=tuple(map(str, range(n))),
        targets=np.zeros((n, 1), np.int16),
        conditions=(condition,),
        classes=("a", "b"),
        size=8,
        span=16,
    )
    top5, logp = np.zeros((n, 1, 5), np.int16), np.zeros((n, 1, 5), np.float16)
    hits = np.array(correct, dtype=bool)[:, None]
    return Trials(model="m", layout=layout, top5=top5, logp=logp, correct=hits, required=required or {})


@pytest.mark.parametrize(("clean", "relative"), [([1, 1, 0, 0], 0.5), ([1, 1, 1, 1], 0.25), ([0, 0, 0, 0], None)])
def test_example_measures(probe, clean, relative):
    before = trials("accuracy@photos", "clean", clean)
    inverted = trials("invert-colours@photos", "inverted", [1, 0, 0, 0], {"accuracy": before})
    measures = {measure.full_name("photos"): measure for measure in probe.measures(inverted)}
    assert measures["top1@photos/inverted"].value == 0.25
    assert (measures["correct@photos/inverted"].value, measures["n@photos/inverted"].value) == (1, 4)
    assert measures["inverted-relative-top1@photos"].value == relative
    assert (measures["inverted-relative-top1@photos"].reason is None) == (relative is not None)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The harness' own wheel, built from a copy of what is in the repository."""
    folder = tmp_path_factory.mktemp("wheel")
    source = copied(folder, *SHIPPED)
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder / "dist"), str(source))
    (file,) = (folder / "dist").glob("*.whl")
    return file


def shipped(folder, package):
    """Every file below `folder` that is no compiled module: modules, networks of the zoo, their recipes."""
    files = (file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    return {f"{package}/{file.relative_to(folder).as_posix()}" for file in files}


def test_wheel_holds_every_file_of_the_tree_and_the_registry_and_nothing_else(wheel):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    expected = shipped(ROOT / "harness", "harness") | shipped(ROOT / "plugins", "harness/plugins")
    assert names == expected | {"harness/registry.yaml"}
    assert "harness/plugins/probes/band_pass.py" in names and "harness/py.typed" in names
    assert "harness/plugins/models/_zoo/weights/zoo-baseline.safetensors" in names


@pytest.mark.slow
def test_wheel_works_where_it_is_installed(wheel, tmp_path):
    site = tmp_path / "site"
    pip_install(wheel, site)
    script = """
import json, harness
from harness import load_plugins
from harness.registry import built_in_registry, load_registry
plugins = load_plugins(entry_points=False)
registry = load_registry((), plugins)
suite = registry.suite("smoke")
broken = [one.error for one in plugins.broken]
print(json.dumps([harness.__file__, str(built_in_registry()), sorted(plugins.probes), broken]))
"""
    package, registry, probes, broken = json.loads(run(sys.executable, "-c", script, PYTHONPATH=str(site)))
    assert package == str(site / "harness" / "__init__.py")
    assert registry == str(site / "harness" / "registry.yaml")
    assert {"accuracy", "band-pass", "critical-band"} <= set(probes)
    assert broken == []


def test_make_names_the_interpreter_that_is_too_old(tmp_path):
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    old = tmp_path / "python3.9"
    old.write_text('#!/bin/sh\nif [ "$1" = --version ]; then echo Python 3.9.1; else exit 1; fi\n')
    old.chmod(0o755)
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    done = subprocess.run(["make", "test", f"PYTHON={old}"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode != 0
    assert f"Python 3.11 or newer is needed; {old} is Python 3.9.1. Type: make test PYTHON=python3.12" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_continuous_integration_runs_the_developers_command():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text().splitlines()[-1] == "make test"


def test_installed_package_runs(site, tmp_path):
    """The probe of a package is used like a built-in one, by name alone."""
    registry = tmp_path / "models.yaml"
    registry.write_text("models: {plain: {source: dummy, options: {kind: brightness}}}\n")
    out = str(tmp_path / "run")
    command = (sys.executable, "-m", "harness")
    task = ("--task", "invert-colours@sample-photos", "--models", "plain", "--registry", str(registry))
    run(*command, "run", *task, "--out", out, PYTHONPATH=str(site))
    report = json.loads(run(*command, "report", out, "--format", "json", PYTHONPATH=str(site)))
    assert "top1@sample-photos/inverted" in report["models"][0]["measures"]
