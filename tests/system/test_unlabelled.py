"""A folder of images without labels, from `--dry-run` to every command: decisions yes, accuracy never."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness import NO_LABELS, PluginError, Sample, load_plugins, paired_change, read_trials
from harness.data.manifest import MADE_WITNESSES, build, made_witnesses
from harness.planning.planner import padded_targets, plan_task
from harness.testing import check_dataset, make_trials
from tests.helpers.engine import Linear, Made, Plain, run, small_images

PLUGIN = '''
"""Photographs without labels, some of them in a second view."""

from dataclasses import dataclass
from typing import ClassVar

from harness import Dataset, LabelSpace, Preprocessing, Sample, hookimpl


@dataclass(frozen=True, kw_only=True)
class Frames(Dataset):
    name: str = "frames"
    path: str = "frames"
    attributes: ClassVar[tuple[str, ...]] = ("texture", "variant", "kept")

    def label_space(self):
        return LabelSpace(name="imagenet-1k", classes=tuple(map(str, range(1000))))

    def views(self):
        return ("fog-1", "fog-2") if self.name == "foggy" else ()

    def folder(self, root, view):
        return root

    def samples(self, root):
        return [Sample(id=p.name, targets=(), path=p, attributes=("1", "a", "yes")) for p in sorted(root.glob("*.png"))]


@hookimpl
def harness_datasets():
    small = Preprocessing(resize=32, size=32)
    return [Frames(preprocessing=small), Frames(name="foggy", preprocessing=small)]
'''
SUITE = """
suites:
  unlabelled:
    models: [plain]
    tasks: [accuracy@frames, band-pass@frames]
    biases: {low: [low-frequency-bias@frames]}
    axes: {ID: [top1@frames]}
"""
TASKS = ("accuracy@frames", "accuracy@foggy", "band-pass@frames", "critical-band@frames")
WORDS = ("--registry", "models.yaml", "--plugins", "plug")


@pytest.fixture
def frames(harness):
    """The command line beside three images without labels, known as `frames` and, in two views, as `foggy`."""
    Path("plug").mkdir()
    Path("plug/frames.py").write_text(PLUGIN)
    with Path("models.yaml").open("a") as file:
        file.write(SUITE)
    Path("data/frames").mkdir(parents=True)
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (36, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(f"data/frames/{number}.png")
    Path("data/foggy").symlink_to("frames")
    return harness


def measured(harness, *words):
    more = ("--data", "data", "--data", "foggy=data/frames", "--device", "cpu", "--models", "plain")
    return harness("run", *WORDS, *more, *(word for task in TASKS for word in ("--task", task)), "--out", "r", *words)


def test_from_the_plan_to_every_command(frames):
    code, out, err = measured(frames, "--dry-run")
    assert code == 0 and f"frames: {NO_LABELS}: accuracy, and what rests on it, is not defined" in out + err
    code, out, err = measured(frames)
    assert code == 0 and "4 of 4 cells stored" in out + err and "chance" not in out + err
    trials = read_trials("r", "band-pass@frames", "plain")
    assert not trials.layout.labelled and not trials.correct.any() and (trials.top5 >= 0).all()
    with pytest.raises(ValueError, match=NO_LABELS):
        trials.accuracy("low-pass-0.1")
    assert next(iter(paired_change(trials, [("low-pass-0.99", "low-pass-0.1")]))).value is not None

    code, out, _ = frames("report", "r", "--plugins", "plug", "--format", "json")
    report = json.loads(out)
    assert code == 0 and "chance" not in out
    for model in report["models"]:
        given = {name for name, value in model["measures"].items() if value is not None}
        assert {name.partition("@")[0] for name in given} <= {"n"}, given
        reasons = {missing["reason"] for missing in model["missing"] if missing["kind"] == "measure"}
        assert reasons == {NO_LABELS}
    assert frames("verify", "r")[0] == 0
    check_dataset(load_plugins([Path("plug")]).datasets["frames"], Path("data/frames"))
    assert frames("export", "r", "-o", "trials.csv")[0] == 0
    with Path("trials.csv").open() as file:
        assert {(row["target"], row["correct"]) for row in csv.DictReader(file)} == {("", "0")}
    assert frames("export", "r", "-o", "trials.h5")[0] == 0
    code, out, _ = frames("report", "r", "--plugins", "plug", "--report", "consistency", "--format", "json")
    assert code == 0 and json.loads(out)["pairs"] == [] and f"accuracy@frames: {NO_LABELS}" in out
    assert frames("compare", "r", "--against", "r", "--plugins", "plug")[0] == 0
    code, out, err = frames("doctor", *WORDS, "--suite", "unlabelled", "--data", "data")
    assert code == 0, out + err


@pytest.mark.parametrize("probe", ["pgd", "shape-bias"])
def test_a_probe_that_needs_labels_is_refused(frames, probe):
    for words in ((), ("--dry-run",)):
        code, out, err = frames(
            "run", *WORDS, "--data", "data", "--task", f"{probe}@frames", "--models", "plain", "--out", "r", *words
        )
        assert (code, out) == (2, "") and err.count("\n") == 1 and not Path("r").exists()
        assert f"task {probe}@frames: probe {probe} needs labels, and the samples of frames have none" in err


@dataclass(frozen=True, kw_only=True)
class Unlabelled(Made):
    """Made images, of which the first `labelled` have a target."""

    labelled: int = 0

    def samples(self, root):
        return [Sample(id=s.id, targets=s.targets * (int(s.id) < self.labelled)) for s in super().samples(root)]


def test_made_images_in_order_without_classes_to_take_in_turn(tmp_path):
    dataset = Unlabelled(preprocessing=small_images())
    by_hash = [sample.id for sample in made_witnesses(Made().samples(tmp_path), {})]
    witnesses = [sample.id for sample in made_witnesses(dataset.samples(tmp_path), {})]
    assert len(set(witnesses)) == MADE_WITNESSES and witnesses != by_hash
    assert padded_targets(dataset.samples(tmp_path)).tolist() == [[-1]] * 50
    failures, planned = run(tmp_path / "run", {"one": Linear(1)}, dataset, probes=(Plain(),))
    assert failures == {} and not planned.tasks[0].layout.labelled


def test_some_labels_are_refused(tmp_path):
    dataset = Unlabelled(labelled=47, preprocessing=small_images())
    with pytest.raises(PluginError, match=r"3 of 50 samples have no targets, such as '047'.*leave them out"):
        build(dataset, tmp_path)
    with pytest.raises(AssertionError, match="some samples have targets, and others none"):
        check_dataset(dataset, tmp_path)


def test_labels_are_asked_of_the_samples_that_a_limit_keeps(tmp_path):
    manifest = build(Unlabelled(preprocessing=small_images()), tmp_path, 3)
    assert manifest.remarks[0].text.startswith(NO_LABELS)
    assert plan_task("plain@made", Plain(), Unlabelled(preprocessing=small_images()), manifest, 8).images == 3


def test_trials_of_a_test_are_labelled():
    assert make_trials(("a",)).layout.labelled
