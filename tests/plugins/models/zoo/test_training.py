"""Training: the same bytes whatever happens beside it or in between, and failures that stay where they are."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
import torch
import yaml
from safetensors.torch import load_file

from harness.plugins.models._zoo.training import __main__ as training
from harness.plugins.models._zoo.training import pictures
from harness.plugins.models._zoo.training.recipe import Recipe
from harness.plugins.models._zoo.training.storage import Place
from harness.plugins.models._zoo.training.trainer import train
from tests.helpers.command import completed
from tests.helpers.forks import as_module, python
from tests.helpers.training_images import fill_cache

SMALL = {"images": 64, "batch": 16, "epochs": 1}
FEW = {
    "first": {**SMALL, "group": "baseline"},
    "second": {**SMALL, "start": "first", "learning_rate": 0.01, "title": "a “second” one"},
    "broken": {**SMALL, "learning_rate": 1.0e30},
    "orphan": {**SMALL, "start": "broken"},
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return fill_cache(tmp_path_factory.mktemp("images"), "shapes", "conflict")


@pytest.fixture(autouse=True)
def own_torch():
    """Training sets torch up for a process of its own."""
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), torch.get_rng_state()
    yield
    torch.set_num_threads(before[0])
    torch.use_deterministic_algorithms(before[1])
    torch.set_rng_state(before[2])


def trained(cache, name="first", start=None, tell=lambda *_: None, **recipe):
    small = {key: value for key, value in SMALL.items() if key != "epochs" or "contrast" not in recipe}
    return train(name, Recipe.model_validate(small | recipe), cache, torch.device("cpu"), start, tell)


def command(folder, cache, recipes, *words):
    file = folder.parent / f"{folder.name}.yaml"
    file.write_text(yaml.safe_dump({"networks": recipes}, sort_keys=False))
    zoo = ["-m", "harness.plugins.models._zoo.training", str(file), "--out", str(folder), "--cache", str(cache), *words]
    return [sys.executable, *zoo]


def run(folder, *arguments):
    return python(as_module(command(folder, *arguments)[1:]), folder.parent)


def refused(words, capfd, monkeypatch):
    """What a command that trains nothing says before it ends with exit code 2, in this process."""
    monkeypatch.setattr(sys, "argv", list(words))
    with pytest.raises(SystemExit) as stop:
        training.app()
    assert stop.value.code == 2
    return capfd.readouterr().err


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)
    return found


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name != "registry.yaml"}


# --- images ----------------------------------------------------------------------------------


def test_rendered_images_do_not_depend_on_how_many_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "PART", 8)
    few, many = (pictures.rendered("textures", count, tmp_path / str(count)) for count in (5, 20))
    assert few.shape == (5, 64, 64, 3) and few.dtype == np.uint8
    assert np.array_equal(few, many[:5])
    assert len(np.unique(many.reshape(20, -1), axis=0)) == 20
    files = {file: file.stat().st_mtime_ns for file in (tmp_path / "20").glob("*.npy")}
    assert len(files) == 3
    pictures.rendered("textures", 20, tmp_path / "20")
    assert files == {file: file.stat().st_mtime_ns for file in files}


def test_two_processes_share_the_drawing(tmp_path, monkeypatch):
    """What another holds the lock of is left for later, and not drawn a second time when it is there."""
    from filelock import FileLock

    monkeypatch.setattr(pictures, "PART", 4)
    drawn = []

    def one(name, split, index):
        drawn.append(index)
        if index == 4:  # by now, 0 to 3 were left to the other, which finishes them
            pictures._write(taken, np.zeros((4, 64, 64, 3), np.uint8))
            lock.release()
        return np.ones((64, 64, 3), np.uint8)

    pictures.digest()  # of the pictures as they are; a process computes it once
    monkeypatch.setattr(pictures, "_picture", one)
    taken = pictures.part("shapes", "training", 0, tmp_path)
    with FileLock(f"{taken}.lock") as lock:
        found = pictures.rendered("shapes", 8, tmp_path)
    assert drawn == [4, 5, 6, 7]
    assert found[:4].max() == 0 and found[4:].min() == 1


# --- one network -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "recipe",
    [
        {"augment": {"mixup": 0.4, "crop": 0.5, "noise": 0.2}, "label_smoothing": 0.1},
        {"optimizer": "adamw", "learning_rate": 0.002, "adversary": {"norm": "l2", "epsilon": 1.0}},
        {"contrast": {"epochs": 1, "head_epochs": 1}, "augment": {"colour": 0.8}},
    ],
)
def test_trained_twice_it_has_the_same_bits(cache, recipe):
    first, second = (trained(cache, **recipe) for _ in range(2))
    assert first[1] == second[1]
    assert all(math.isfinite(entry["loss"]) and 0 <= entry["accuracy"] <= 1 for entry in first[1])
    states = first[0].state_dict(), second[0].state_dict()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert not first[0].training


def test_another_seed_or_name_is_another_network(cache):
    weights = [
        trained(cache, **how)[0].head.weight
        for how in ({"epochs": 0}, {"epochs": 0, "seed": 1}, {"epochs": 0, "name": "b"})
    ]
    assert len({tuple(weight[0].tolist()) for weight in weights}) == 3


@pytest.mark.parametrize(("freeze", "frozen"), [("convolutions", 4), ("first", 2), ("nothing", 0)])
def test_frozen_convolutions_do_not_change(cache, freeze, frozen):
    before, after = trained(cache, epochs=0)[0], trained(cache, freeze=freeze)[0]
    same = [torch.equal(old[0].weight, new[0].weight) for old, new in zip(before.stages, after.stages, strict=True)]
    assert same == [True] * frozen + [False] * (4 - frozen)
    assert not torch.equal(before.head.weight, after.head.weight)
    assert not torch.equal(before.stages[0][1].weight, after.stages[0][1].weight)


def test_without_labels_the_head_is_trained_last_and_alone(cache):
    told = []
    _, log = trained(cache, tell=lambda *epochs: told.append(epochs), contrast={"epochs": 1, "head_epochs": 2})
    assert [entry["epoch"] for entry in log] == [1, 2, 3]
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_it_learns(cache):
    """It knows 160 images after it has seen each of them twenty times."""
    _, log = trained(cache, images=640, batch=32, epochs=5, augment={"shift": 0})
    assert log[0]["loss"] > 2.0 and log[-1]["loss"] < 0.8


def test_it_begins_with_the_start(cache):
    start = trained(cache)[0]
    same = trained(cache, name="other", start=start, epochs=0)[0]
    assert torch.equal(same.head.weight, start.head.weight)


def test_a_loss_that_is_no_number(cache):
    with pytest.raises(ArithmeticError, match="after epoch 1; a lower learning_rate may help"):
        trained(cache, learning_rate=1e30)


# --- the command -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def few(tmp_path_factory, cache):
    """(folder, finished command) of the four networks of FEW, two at a time."""
    folder = tmp_path_factory.mktemp("zoo") / "few"
    return folder, run(folder, cache, FEW, "--jobs", "2")


def test_a_failure_stops_no_other_network(few):
    folder, done = few
    assert done.returncode == 1, done.stderr
    assert sorted(file.name for file in folder.iterdir()) == [
        "first.json", "first.safetensors", "registry.yaml", "second.json", "second.safetensors"
    ]  # fmt: skip
    lines = done.stderr.splitlines()
    assert lines[0] == "0 of 4 networks are trained"
    assert any(line.startswith("broken: failed: the loss is nan after epoch 1") for line in lines)
    assert any(line.startswith("orphan: failed: it starts from broken, which failed") for line in lines)
    assert any(line.startswith("second: trained in") and "ETA" in line and "images/s" in line for line in lines)
    assert f"--registry {folder}/registry.yaml --models first second --out" in done.stderr
    assert lines[-1].startswith("error: 2 of 4 networks failed, first broken: the loss is nan")
    assert "Traceback" not in done.stderr


def test_beside_another_a_network_has_the_same_bits_as_alone(few, cache):
    folder, _ = few
    alone = trained(cache, group="baseline")[0].state_dict()
    saved = load_file(folder / "first.safetensors")
    assert all(torch.equal(saved[key], alone[key]) for key in saved)
    assert {key for key in alone if key not in saved} == {f"stages.{i}.1.num_batches_tracked" for i in range(4)}


def test_the_card_tells_everything(few):
    folder, _ = few
    card, first = (json.loads((folder / f"{name}.json").read_text()) for name in ("second", "first"))
    assert card["start_sha256"] == first["sha256"] != card["sha256"]
    assert card["parameters"] == 57_712 and card["threads"] == 1 and card["device"] == "cpu"
    assert (
        card["versions"]["torch"] == torch.__version__.partition("+")[0]
        or card["versions"]["torch"] == torch.__version__
    )
    assert card["recipe"]["learning_rate"] == 0.01 and len(card["log"]) == 1
    entry = yaml.safe_load((folder / "registry.yaml").read_text())["models"]["second"]
    assert entry["sha256"] == card["sha256"] and entry["title"] == "a “second” one" and "group" not in entry


def test_only_what_fits_its_recipe_counts_as_trained(few, tmp_path):
    place = Place(few[0], "second")
    recipe = Recipe.model_validate(FEW["second"])
    assert place.why_not(recipe) is None
    assert place.why_not(recipe.model_copy(update={"epochs": 2, "seed": 1})) == "its recipe differs in epochs, seed"
    copy = Place(tmp_path, "second")
    for name in ("second.json", "second.safetensors"):
        (tmp_path / name).write_bytes((few[0] / name).read_bytes())
    assert copy.why_not(recipe) == "first, from which it starts, has changed"
    weights = bytearray(copy.weights.read_bytes())
    weights[-1] ^= 1
    copy.weights.write_bytes(weights)
    assert copy.why_not(recipe) == f"{copy.weights} has changed since training"
    copy.weights.unlink()
    assert copy.why_not(recipe) == "not trained yet"


def test_killed_between_two_networks_it_goes_on(few, cache, tmp_path):
    folder = tmp_path / "few"
    two = {name: FEW[name] for name in ("first", "second")}
    process = subprocess.Popen(command(folder, cache, two, "--jobs", "1"), stderr=subprocess.DEVNULL)
    until((folder / "first.json").exists)
    process.kill()
    process.wait()
    before = (folder / "first.safetensors").stat().st_mtime_ns
    done = run(folder, cache, two)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("1 of 2 networks are trained") or done.stderr.startswith("2 of 2")
    assert (folder / "first.safetensors").stat().st_mtime_ns == before
    assert contents(folder) == contents(few[0])


def test_ctrl_c_and_a_lost_process(cache, tmp_path):
    """Ctrl-C ends all processes and leaves nothing half-written; a process that is killed fails its network alone."""
    folder = tmp_path / "long"
    long = {**SMALL, "epochs": 100_000}
    process = subprocess.Popen(
        command(folder, cache, {"a": long, "b": long}, "--jobs", "2"),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )

    def workers():
        found = [one for one in psutil.Process(process.pid).children() if "--multiprocessing-fork" in one.cmdline()]
        return found if len(found) == 2 and all(one.memory_info().rss > 150e6 for one in found) else None

    try:
        children = until(workers)
        os.kill(children[0].pid, signal.SIGKILL)
        told = next(line for line in process.stderr if "failed" in line)
        os.killpg(process.pid, signal.SIGINT)
        told += process.communicate(timeout=60)[1]
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, told
    assert "failed: its process was ended by SIGKILL; out of memory?" in told
    assert told.rstrip().endswith("interrupted; the same command resumes")
    assert "Traceback" not in told
    psutil.wait_procs(children, timeout=20)
    assert not any(one.is_running() for one in children)
    assert list(folder.iterdir()) == []


def test_a_full_disk_is_one_line(cache, tmp_path, monkeypatch):
    """Nothing is left of a file that could not be written."""
    import os

    def full(descriptor):
        raise OSError(28, "No space left on device")

    place = Place(tmp_path, "a")
    network = trained(cache, epochs=0)[0]
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        place.save(network, Recipe(), [], {})
    assert list(tmp_path.iterdir()) == []


def test_the_report_is_one_command_away(few, cache, tmp_path, monkeypatch):
    """Its commands of the harness are of this process; in those of docs/add-a-network.md, of processes of their own."""

    def harness(*words, quiet=False, accepted=(0,)):
        done = completed(words, tmp_path)
        assert done.returncode in accepted, done.stderr
        sys.stdout.write("" if quiet else done.stdout)
        return done.returncode

    monkeypatch.setattr(training, "_harness", harness)
    suite = {"title": "", "tasks": ["accuracy@shapes-a"], "axes": {"ID": "top1@shapes-a"}}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump({"suites": {"tiny": suite}}))
    folder, out = few[0], tmp_path / "run"
    request = ("--report", str(out), "--suite", "tiny", "--registry", str(tmp_path / "tiny.yaml"))
    done = run(folder, cache, {name: FEW[name] for name in ("first", "second")}, *request)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("2 of 2 networks are trained")
    assert "first" in done.stdout and "second" in done.stdout and "ID" in done.stdout


def test_a_report_that_cannot_be_is_told_before_training(cache, tmp_path, capfd, monkeypatch):
    words = command(tmp_path / "zoo", cache, {"a": SMALL}, "--report", str(tmp_path / "run"), "--suite", "quickstrat")
    told = refused(words[2:], capfd, monkeypatch)
    assert "quickstart" in told and "trained" not in told
    words = command(tmp_path / "zoo", cache, {"zoo-baseline": SMALL}, "--report", str(tmp_path / "run"))
    assert "for example my-zoo-baseline" in refused(words[2:], capfd, monkeypatch)


def test_requests_that_make_no_sense(cache, tmp_path, capfd, monkeypatch):
    words = command(tmp_path / "zoo", cache, {"a": SMALL}, "--device", "tpu")
    told = refused(words[2:], capfd, monkeypatch)
    assert told == "error: no device 'tpu' here; available: cpu\n" or "cpu, cuda" in told
    told = refused([*words[2:3], str(tmp_path / "zoo.yaml")], capfd, monkeypatch)
    assert "--out my-zoo" in told and len(told.splitlines()) == 1


def test_help_needs_no_torch():
    imports = "import sys; from harness.plugins.models._zoo.training import __main__"
    code = f"{imports}; assert 'torch' not in sys.modules, 'torch'"
    subprocess.run([sys.executable, "-c", code], check=True)
