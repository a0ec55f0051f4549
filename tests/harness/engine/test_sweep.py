"""What plugins answered when a run was planned holds for the whole run, and what one probe does stays with it."""

from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch

from harness import LabelSpace
from harness.store import RunReader
from tests.helpers.engine import CLASSES, Linear, Made, Plain, Shades, arrays_of, run, same, small_images, trials

NETWORKS = {"one": Linear(1)}


class Later:
    """Answers ``first`` until it was asked `times` times, then raises or answers something else."""

    def __init__(self, first, later):
        self.first, self.later, self.left = first, later, 10**9

    def __call__(self):
        self.left -= 1
        if self.left >= 0:
            return self.first
        if isinstance(self.later, Exception):
            raise self.later
        return self.later


ANSWERS = {
    "conditions": (("clean", "dark", "noisy"), ("dark", "clean", "noisy")),
    "effort": (1, "two"),
    "views": (("a", "b"), ("b", "a")),
    "label_space": (
        LabelSpace(name="ten", classes=CLASSES, model_label_space="ten", outputs=10, columns=tuple(range(10))),
        LabelSpace(name="ten", classes=CLASSES, model_label_space="ten", outputs=10, columns=tuple(range(9, -1, -1))),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Fickle(Shades):
    """Answers otherwise once it makes stimuli."""

    later: ClassVar[dict[str, Later]] = {}

    def conditions(self, size):
        return self.later["conditions"]()

    def effort(self):
        return self.later["effort"]()

    def stimuli(self, batch):
        for answer in self.later.values():
            answer.left = 0
        yield from super().stimuli(batch)


@dataclass(frozen=True, kw_only=True)
class FickleImages(Made):
    """Two views of each image, and answers that may change."""

    n: int = 24
    later: ClassVar[dict[str, Later]] = {}

    def views(self):
        return self.later["views"]()

    def folder(self, root, view):
        return None

    def label_space(self):
        return self.later["label_space"]()

    def image(self, sample):
        return super().image(sample).rotate(90 * (sample.view == "b"))


def measured(path, **changes):
    Fickle.later = FickleImages.later = {
        name: Later(first, changes.get(name, first)) for name, (first, _) in ANSWERS.items()
    }
    failures, _ = run(path, NETWORKS, FickleImages(preprocessing=small_images()), probes=(Fickle(),))
    assert failures == {}
    return trials(path)


@pytest.fixture(scope="module")
def steadfast(tmp_path_factory):
    return measured(tmp_path_factory.mktemp("steadfast") / "run")


@pytest.mark.parametrize("how", ["changes", "raises"])
@pytest.mark.parametrize("what", ANSWERS)
def test_an_answer_that_changes_while_the_run_goes_on_changes_no_number(tmp_path, what, how, steadfast):
    later = ANSWERS[what][1] if how == "changes" else ValueError("later")
    assert same(measured(tmp_path / "run", **{what: later}), steadfast)


def set_in(**values):
    def change(batch):
        for name, value in values.items():
            object.__setattr__(batch, name, value)

    return change


def given_other_memory(batch):
    batch.images.data = batch.images.data * 0.25


MEDDLING = {
    "seed": set_in(seed=99),
    "sample ids": set_in(sample_ids=tuple(f"{number:03d}" for number in range(100, 108))),
    "targets": set_in(targets=((3,),) * 8),
    "images": set_in(images=torch.zeros(8, 3, 32, 32)),
    "shape of the images": lambda batch: batch.images.resize_(1, 3, 8, 8),
    "memory of the images": given_other_memory,
    "axes of the images": lambda batch: batch.images.transpose_(2, 3),
}


@dataclass(frozen=True, kw_only=True)
class Meddles(Plain):
    """Sets something in its batch."""

    name: ClassVar[str] = "meddles"
    what: str

    def stimuli(self, batch):
        images = batch.images.clone()
        MEDDLING[self.what](batch)
        yield "clean", images


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    path = tmp_path_factory.mktemp("alone") / "run"
    run(path, NETWORKS, Made(n=16, preprocessing=small_images()), probes=(Shades(), Plain()))
    return trials(path)


@pytest.mark.parametrize("what", MEDDLING)
def test_what_a_probe_sets_in_its_batch_no_other_probe_sees(tmp_path, what, alone):
    dataset = Made(n=16, preprocessing=small_images())
    failures, _ = run(tmp_path / "run", NETWORKS, dataset, probes=(Meddles(what=what), Shades(), Plain()))
    stored = trials(tmp_path / "run")
    assert failures == {} and same({place: stored[place] for place in alone}, alone)
    clean, own = alone["plain@made", "one"], stored["meddles@made", "one"]
    assert same({0: clean}, {0: own}), "the probe shows what it yields"


@dataclass(frozen=True, kw_only=True)
class Hides(Plain):
    """Yields the batch's own images after it has changed them, and sets them back afterwards."""

    name: ClassVar[str] = "hides"
    by: float

    def stimuli(self, batch):
        before = batch.images.clone()
        batch.images.mul_(self.by)
        yield "clean", batch.images
        batch.images.copy_(before)


@pytest.mark.parametrize("by", [5.0, -1.0, 0.5])
def test_images_that_are_changed_and_set_back_are_looked_at(tmp_path, by, alone):
    failures, _ = run(
        tmp_path / "run", NETWORKS, Made(n=16, preprocessing=small_images()), probes=(Hides(by=by), Shades())
    )
    assert all("left [0, 1] under clean" in reason for reason in failures.values())
    assert bool(failures) == (not 0 <= by <= 1)
    reader = RunReader.open(tmp_path / "run")
    stored = reader.read("shades@made", "one")
    assert same({0: alone["shades@made", "one"]}, {0: arrays_of(stored)})
