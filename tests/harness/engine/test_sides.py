"""Stimuli of another side than the images from which they are made: two sides, one dataset, in one run."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
import torch

from harness import Batch, Measure, Preprocessing, Probe
from harness.data.decoding import preprocess
from harness.data.manifest import build
from harness.engine.repeatable import unrepeatable
from harness.identity import digest_of
from harness.planning.estimate import estimate, shape_of
from harness.planning.plan import Settings
from harness.planning.planner import make_job, plan_task
from harness.store import RunReader
from harness.store.layout import layout_digest
from harness.testing import check_fingerprint, check_probe, fingerprint_of
from tests.helpers.engine import Linear, Made, Plain, Shades, Watch, run, small_images, specs_of, trials

SIZE, SIDE = 32, 36
PROBES = (Plain(), Shades())


@dataclass(frozen=True, kw_only=True)
class Crops(Probe):
    """Crops at two corners of larger images."""

    name: ClassVar[str] = "crops"
    needed: int | None = SIDE
    given: int = 0

    def side(self, size):
        return self.needed if self.needed is not None else size * 9 // 8

    def conditions(self, size):
        return ("first", "last")

    def stimuli(self, batch):
        size = self.given or batch.size
        yield "first", batch.images[:, :, :size, :size]
        yield "last", batch.images[:, :, -size:, -size:].contiguous()

    def measures(self, trials):
        yield Measure(name="c", value=trials.accuracy("first"))


def larger():
    return Made(n=11, preprocessing=replace(small_images(), resize=40))


def test_stimuli_and_decisions_are_those_of_a_plain_loop(tmp_path):
    watch, networks = Watch(), {"one": Linear(1), "two": Linear(2)}
    failures, planned = run(tmp_path / "run", networks, larger(), probes=(Crops(), *PROBES), watch=watch)
    assert failures == {} and watch.forwards == 11 * 2 * (2 + 3 + 1)
    passes = [
        ([task.name for task in part.tasks], part.size, part.dataset.preprocessing.size) for part in planned.passes
    ]
    assert passes == [(["crops@made"], SIZE, SIDE), (["plain@made", "shades@made"], SIZE, SIZE)]
    stored = RunReader.open(tmp_path / "run")
    layout = stored.layout("crops@made")
    assert (layout.size, layout.side, stored.layout("plain@made").side) == (SIZE, SIDE, None)
    top5 = trials(tmp_path / "run")["crops@made", "two"][0]
    for row, sample in enumerate(larger().samples(tmp_path)):
        image = preprocess(larger().image(sample), Preprocessing(resize=40, size=SIDE))
        for column, place in enumerate((slice(SIZE), slice(-SIZE, None))):
            crop = torch.from_numpy(image[place, place].copy()).permute(2, 0, 1).float() / 255
            assert top5[row, column, 0] == networks["two"](crop[None]).argmax()
    assert not run(tmp_path / "run", networks, larger(), probes=(Crops(), *PROBES))[1].passes  # resumes with 0 computed


def test_the_identity_of_other_tasks_is_what_it_was(tmp_path):
    """Digests of an earlier version: its stored runs resume, and nothing is measured again."""
    dataset = Made(preprocessing=small_images())
    manifest, digests = build(dataset, tmp_path), {}
    for probe in PROBES:
        task = plan_task(f"{probe.name}@made", probe, dataset, manifest, 8)
        document = make_job(task, specs_of("one")["one"], (), Settings(batch_size=8)).identity.document
        digests[probe.name] = digest_of({name: part for name, part in document.items() if name != "versions"})
        digests[f"layout of {probe.name}"] = layout_digest(task.layout, attributes=True)
    assert {name: digest[:16] for name, digest in digests.items()} == {
        "plain": "c1c3ce19f7adf3cf",
        "layout of plain": "d936aa0131fd5539",
        "shades": "aa72b7f779cf1820",
        "layout of shades": "2d02e2f607bfb17f",
    }
    dataset = larger()
    manifest = build(dataset, tmp_path)
    sides = [plan_task("crops@made", Crops(needed=side), dataset, manifest, 8) for side in (36, 38, SIZE)]
    keys = [make_job(task, specs_of("one")["one"], (), Settings()).identity.document["layout"] for task in sides]
    assert [layout.get("side") for layout in keys] == [36, 38, None]
    assert len({layout_digest(task.layout) for task in sides}) == 3


@pytest.mark.parametrize(
    ("side", "preprocessing", "message"),
    [
        (0, Preprocessing(resize=40, size=32), r"side\(32\) returned 0, expected a number of pixels from 1 to 65,536"),
        (-5, Preprocessing(resize=40, size=32), r"side\(32\) returned -5"),
        (36.0, Preprocessing(resize=40, size=32), r"side\(32\) returned 36\.0"),
        (True, Preprocessing(resize=40, size=32), r"side\(32\) returned True"),
        ("36", Preprocessing(resize=40, size=32), r"side\(32\) returned '36'"),
        (10**30, Preprocessing(resize=40, size=32), "expected a number of pixels"),
        (41, Preprocessing(resize=40, size=32), "images of 41, and made is resized to 40; an entry with `resize: 41`"),
        (36, Preprocessing(resize=(50, 34), size=32), "is resized to 34"),
        (36, Preprocessing(resize=None, size=32), "has images of 32 pixels that are used as they are"),
        (36, Preprocessing(resize=40, size=32, native=True), "has the size of each network"),
    ],
    ids=["zero", "negative", "float", "bool", "text", "huge", "above", "pair", "as-stored", "native"],
)
def test_hostile_sides_are_refused_before_anything_runs(tmp_path, side, preprocessing, message):
    dataset, probe = Made(preprocessing=preprocessing), Crops(needed=side)
    for refusing in (
        lambda: plan_task("crops@made", probe, dataset, build(dataset, tmp_path, 1), 8),
        lambda: shape_of("crops@made", probe, dataset),
    ):
        with pytest.raises(ValueError, match=message):
            refusing()


@pytest.mark.parametrize("given", [SIDE, 31])
def test_stimuli_of_another_side_than_announced_fail(tmp_path, given):
    failures, _ = run(tmp_path / "run", {"one": Linear(1)}, larger(), probes=(Crops(given=given), Plain()))
    assert list(failures) == [("crops@made", "one")]
    assert (
        f"(8, 3, {given}, {given}) under first, expected torch.float32 (8, 3, 32, 32)" in failures["crops@made", "one"]
    )


@dataclass(frozen=True, kw_only=True)
class Random(Crops):
    """Crops at a place of chance."""

    name: ClassVar[str] = "random"

    def stimuli(self, batch):
        for name in self.conditions(batch.size):
            yield name, torch.rand(len(batch.sample_ids), 3, batch.size, batch.size)


def test_a_sided_probe_is_tried_like_others(tmp_path):
    networks = {"one": Linear(1)}
    _, planned = run(tmp_path / "run", networks, larger(), probes=(Crops(), Random()))
    assert unrepeatable(planned).keys() == {"random@made"}


def test_its_own_tests_know_the_side():
    probe = Crops(needed=None)
    check_probe(probe, size=40)
    check_fingerprint(probe, fingerprint_of(probe))
    with pytest.raises(AssertionError, match=r"\(5, 3, 45, 45\), expected \(5, 3, 40, 40\)"):
        check_probe(Crops(needed=None, given=45), size=40)
    with pytest.raises(AssertionError, match=r"side\(64\) is 0"):
        check_probe(Crops(needed=0))


def test_decoding_twice_is_estimated():
    shapes = [shape_of(f"{probe.name}@made", probe, larger(), 100) for probe in (Plain(), Crops())]
    cost = estimate(shapes, models=1)
    assert (cost.passes, cost.images) == (2, 200)
    assert cost.tasks[0].gpu_hours == pytest.approx(cost.tasks[1].gpu_hours / 2)  # networks see 32 pixels in both


def test_the_side_of_a_batch_is_that_of_its_images_unless_it_is_said():
    images = torch.zeros(2, 3, 9, 9)
    assert Batch(images, ("a", "b"), ((), ()), 0).size == 9
    batch = Batch(images, ("a", "b"), ((), ()), 0, 7)
    assert (batch.size, replace(batch, images=images + 1).size) == (7, 7)
    assert np.shape(batch.noise("x")) == (2, 9, 9)
