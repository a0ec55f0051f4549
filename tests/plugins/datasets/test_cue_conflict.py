"""Cue-conflict trees and the 16 entry-level categories."""

from __future__ import annotations

import hashlib
import json
from collections import Counter

import pytest

from harness import DatasetError, Preprocessing, Sample
from harness.plugins.datasets.cue_conflict import CueConflict
from tests.helpers.places import REAL as SHARED_REAL
from tests.helpers.trees import grow

REAL = SHARED_REAL / "cue_conflict"


def test_members_are_the_published_lists():
    space = CueConflict().label_space()
    assert space.members is not None
    lists = dict(zip(space.classes, map(list, space.members), strict=True))
    digest = hashlib.sha256(json.dumps(lists, sort_keys=True).encode()).hexdigest()
    assert digest == "38f860b2c576faa332251d0dc8147bb3f753fc8806f3a2048f2dc480cce0c63c"
    assert list(space.classes) == sorted(space.classes) and len(space.classes) == 16
    columns = [column for members in space.members for column in members]
    assert len(columns) == len(set(columns)) == 207
    assert (space.name, space.model_label_space, space.outputs) == ("entry-level-16", "imagenet-1k", 1000)


def test_parameters():
    dataset = CueConflict()
    assert (dataset.name, dataset.path) == ("cue-conflict", "cue-conflict")
    assert dataset.preprocessing == Preprocessing(resize=None, size=224)
    assert dataset.attributes == ("texture",)
    assert (dataset.release().images, dataset.release().license) == (1280, "CC BY 4.0")


@pytest.mark.skipif(not REAL.is_dir(), reason="the real stimuli in ../shared/real are absent")
def test_real_partial_tree():
    dataset = CueConflict()
    samples = list(dataset.samples(REAL))
    classes = dataset.label_space().classes
    assert len(samples) == len({sample.id for sample in samples}) == 320
    for sample in samples:
        shape, texture = sample.id.split("/")[0], sample.attributes[0]
        assert classes[sample.targets[0]] == shape
        assert sample.path.name.startswith(shape) and f"-{texture}" in sample.path.name
    assert set(Counter(sample.attributes[0] for sample in samples)) <= set(classes)
    with dataset.image(samples[0]) as image:
        assert image.size == (224, 224)
    assert len(list(dataset.remarks(samples))) == 1
    assert next(iter(dataset.remarks(samples))).startswith("320 of 1,280 stimuli, 16 of 16 shapes")


def test_targets_do_not_depend_on_which_folders_are_there(tmp_path):
    grow(tmp_path, {"truck": ["truck10-cat2.png"], "cat": ["cat7-elephant1.png"]})
    (tmp_path / "README.md").touch()
    found = {sample.id: (sample.targets, sample.attributes) for sample in CueConflict().samples(tmp_path)}
    assert found == {"cat/cat7-elephant1.png": ((7,), ("elephant",)), "truck/truck10-cat2.png": ((15,), ("cat",))}


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"fish": ["fish1-cat1.png"]}, "none of the 16 categories"),
        ({"cat": ["cat1-fish1.png"]}, "two of the 16 categories"),
        ({"cat": ["cat1-dog1-bear1.png"]}, "is not named"),
        ({"cat": ["cat-dog.png"]}, "is not named"),
        ({"cat": ["dog1-cat1.png"]}, "has the shape 'dog'"),
        ({"cat": ["cat1-dog1.jpg"]}, "is not an image"),
        ({"cat": []}, "is empty"),
        ({}, "has no class folders"),
    ],
)
def test_refusals(tree, words, tmp_path):
    with pytest.raises(DatasetError, match=words):
        list(CueConflict().samples(grow(tmp_path, tree)))


def test_remarks():
    def counted(*counts: int) -> list[Sample]:
        return [Sample(id=f"{c}/{i}", targets=(c,)) for c, count in enumerate(counts) for i in range(count)]

    remarks = CueConflict().remarks
    assert list(remarks(counted(*[80] * 16))) == []
    assert "1,200 of 1,280 stimuli, 15 of 16 shapes, 0 to 80" in next(iter(remarks(counted(*[80] * 15))))
    assert "79 to 81" in next(iter(remarks(counted(81, 79, *[80] * 14))))
