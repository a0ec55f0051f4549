"""Datasets whose images exist in several views: columns are views × conditions, each file is decoded once."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pytest
import torch
from PIL import Image

from harness import Batch, Dataset, DatasetError, LabelSpace, Preprocessing, Sample
from harness.data.decoding import pixels
from harness.data.manifest import build
from harness.planning.planner import columns_for
from harness.store import RunReader
from tests.helpers.engine import Linear, Plain, Shades, Watch, run, same, trials

SIZE = 32


@dataclass(frozen=True, kw_only=True)
class Weather(Dataset):
    """``<view>/<name>.png``, three views of 20 images."""

    name: str = "made"
    preprocessing: Preprocessing = field(default_factory=lambda: Preprocessing(resize=None, size=SIZE))
    decoded: ClassVar[list] = []

    def label_space(self):
        return LabelSpace(name="ten", classes=tuple("abcdefghij"), model_label_space="ten", outputs=10)

    def views(self):
        return ("fog-1", "fog-2", "rain-1")

    def folder(self, root, view):
        return root / "data" / view

    def samples(self, root):
        for number in range(20):
            name = f"{number:02d}.png"
            yield Sample(id=name, targets=(number % 10,), path=self.folder(root, "fog-1") / name)

    def image(self, sample):
        self.decoded.append(f"{sample.path.parent.name}/{sample.id}")
        return super().image(sample)


@pytest.fixture
def tree(tmp_path):
    generator = np.random.default_rng(1)
    for view in Weather().views():
        (tmp_path / "data" / view).mkdir(parents=True)
        for number in range(20):
            array = generator.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
            Image.fromarray(array).save(tmp_path / "data" / view / f"{number:02d}.png")
    return tmp_path


def test_each_view_is_a_condition_and_equals_a_plain_loop(tree):
    Weather.decoded.clear()
    watch, networks = Watch(), {"one": Linear(1), "two": Linear(2)}
    failures, planned = run(tree / "run", networks, Weather(), probes=(Plain(),), watch=watch)
    assert failures == {}
    assert planned.tasks[0].conditions == ("fog-1", "fog-2", "rain-1")
    assert (watch.images, watch.forwards) == watch.promised == (60, 120)
    assert len(Weather.decoded) == len(set(Weather.decoded)) == 60
    stored = trials(tree / "run")
    for name, network in networks.items():
        top5 = stored["plain@made", name][0]
        for row in range(20):
            for column, view in enumerate(Weather().views()):
                sample = Sample(id=f"{row:02d}.png", targets=(0,), path=tree / "data" / view / f"{row:02d}.png")
                image = torch.from_numpy(pixels(Weather(), sample).copy()).permute(2, 0, 1).float().div(255)[None]
                assert top5[row, column, 0] == network(image).argmax()


@pytest.mark.parametrize("stop_after", [24, 48])
def test_a_run_over_views_resumes_to_the_same_bits(tree, stop_after):
    run(tree / "whole", {"one": Linear(1)}, Weather(), probes=(Plain(),))
    with pytest.raises(KeyboardInterrupt):
        run(tree / "cut", {"one": Linear(1)}, Weather(), probes=(Plain(),), watch=Watch(stop_after))
    run(tree / "cut", {"one": Linear(1)}, Weather(), probes=(Plain(),))
    assert same(trials(tree / "whole"), trials(tree / "cut"))


def test_a_damaged_file_in_a_later_view_fails_the_cells_from_there_on(tree):
    file = tree / "data" / "rain-1" / "17.png"
    file.write_bytes(file.read_bytes()[:-500])
    failures, _ = run(tree / "run", {"one": Linear(1)}, Weather(), probes=(Plain(),))
    assert "image 17.png of made cannot be decoded: " in failures["plain@made", "one"]
    assert failures["plain@made", "one"].count(str(file)) == 1  # the id alone does not say which of the three it is


def test_columns_are_views_by_conditions_and_equal_a_plain_loop(tree):
    Weather.decoded.clear()
    watch, network = Watch(), Linear(1)
    failures, planned = run(tree / "run", {"one": network}, Weather(), watch=watch)
    assert failures == {}
    views, conditions = Weather().views(), Shades().conditions(SIZE)
    by_name = {task.name: task.conditions for task in planned.tasks}
    assert by_name["shades@made"] == tuple(f"{view}/{condition}" for view in views for condition in conditions)
    assert by_name["plain@made"] == views
    assert (watch.images, watch.forwards) == watch.promised == (60, 20 * 3 * (3 + 1))
    assert len(Weather.decoded) == 60
    stored = trials(tree / "run")["shades@made", "one"][0]
    for row in range(20):
        for number, view in enumerate(views):
            batch = one_image(tree, view, row)
            for place, (_, stimulus) in enumerate(Shades().stimuli(batch)):
                assert stored[row, number * 3 + place, 0] == network(stimulus).argmax()


def one_image(tree, view, row):
    sample = Sample(id=f"{row:02d}.png", targets=(row % 10,), path=tree / "data" / view / f"{row:02d}.png")
    image = torch.from_numpy(pixels(Weather(), sample).copy()).permute(2, 0, 1).float().div(255)[None]
    return Batch(images=image, sample_ids=(sample.id,), targets=(sample.targets,), seed=0)


@pytest.mark.parametrize("stop_after", [24, 48])
def test_a_run_over_views_and_conditions_resumes_to_the_same_bits(tree, stop_after):
    run(tree / "whole", {"one": Linear(1)}, Weather())
    with pytest.raises(KeyboardInterrupt):
        run(tree / "cut", {"one": Linear(1)}, Weather(), watch=Watch(stop_after))
    run(tree / "cut", {"one": Linear(1)}, Weather())
    assert same(trials(tree / "whole"), trials(tree / "cut"))


class Dies(Linear):
    """A network that fails in the second view of the first batch."""

    def __init__(self):
        super().__init__(1)
        self.calls = 0

    def forward(self, images):
        self.calls += len(images) > 1
        if self.calls == 5:
            raise ValueError("in the second view")
        return super().forward(images)


def test_a_network_that_fails_in_a_later_view_fails_alone(tree):
    failures, _ = run(tree / "run", {"bad": Dies(), "one": Linear(1)}, Weather(), probes=(Shades(),))
    assert list(failures) == [("shades@made", "bad")]
    assert "bad raised ValueError: in the second view" in failures["shades@made", "bad"]
    run(tree / "alone", {"one": Linear(1)}, Weather(), probes=(Shades(),))
    stored = RunReader.open(tree / "run").read("shades@made", "one")
    assert np.array_equal(stored.top5, trials(tree / "alone")["shades@made", "one"][0])


@dataclass(frozen=True, kw_only=True)
class Foggy(Plain):
    """Its condition is called as one of the views."""

    name: ClassVar[str] = "foggy"

    def conditions(self, size):
        return ("fog-1",)


def test_a_condition_called_as_a_view_is_refused_before_the_first_forward(tree):
    with pytest.raises(ValueError, match="'fog-1' is the name of a view and of a condition; rename one"):
        columns_for(Foggy(), Weather())


def test_the_manifest_knows_every_file_by_its_size(tree):
    before = build(Weather(), tree)
    assert before.digest == build(Weather(), tree).digest
    file = tree / "data" / "rain-1" / "05.png"
    file.write_bytes(file.read_bytes() + b"\0")
    assert build(Weather(), tree).digest != before.digest
    assert build(Weather(), tree, limit=3).total == 20
    file.unlink()
    with pytest.raises(DatasetError, match=r"rain-1/05\.png: No such file"):
        build(Weather(), tree)


def test_views_of_equal_sizes_are_told_apart_by_some_contents(tree):
    for view in Weather().views():
        for file in (tree / "data" / view).iterdir():
            Image.open(file).save(file, "BMP")  # not compressed: every file has the same size
    before = build(Weather(), tree).digest
    assert build(Weather(), tree).digest == before
    for old, new in (("fog-1", "kept"), ("fog-2", "fog-1"), ("kept", "fog-2")):
        (tree / "data" / old).rename(tree / "data" / new)
    assert build(Weather(), tree).digest != before


def test_batches_do_not_mix_views(tree):
    run(tree / "all", {"one": Linear(1)}, Weather(), probes=(Plain(),), batch_size=1)
    _, planned = run(tree / "some", {"one": Linear(1)}, Weather(), probes=(Plain(),), batch_size=4)
    assert planned.settings.batch_size == 4
    assert np.array_equal(
        trials(tree / "all")["plain@made", "one"][0][..., 0], trials(tree / "some")["plain@made", "one"][0][..., 0]
    )
