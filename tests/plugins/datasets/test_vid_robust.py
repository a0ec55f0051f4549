"""ImageNet-Vid-Robust: labels, anchors, and a decision among 288 classes that is the max-logit rule for 30."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from harness import DatasetError
from harness.plugins.datasets.vid_robust import COLUMNS, MEMBERS, VidRobust
from tests.helpers.places import REAL

PUBLISHED = REAL / "more" / "video_pm10" / "vid30_to_imagenet1k.json"


@pytest.mark.skipif(not PUBLISHED.is_file(), reason="the published classes are not on this machine")
def test_the_classes_are_the_published_ones():
    published = json.loads(PUBLISHED.read_text())
    assert [list(members) for members in MEMBERS] == [published[str(label)] for label in range(30)]


def test_the_classes_share_none():
    assert len(COLUMNS) == len(set(COLUMNS)) == 288 and max(COLUMNS) < 1000
    assert VidRobust().label_space().columns == COLUMNS


@given(st.integers(0, 2**32 - 1))
def test_the_largest_of_288_logits_belongs_to_the_class_of_the_largest_maximum(seed):
    """The rule of imagenet-testbed, transcribed: the maximum over each class's logits, then the largest of 30."""
    logits = np.random.default_rng(seed).normal(size=1000)
    scores = [max(logits[column] for column in members) for members in MEMBERS]
    decision = COLUMNS[int(np.argmax(logits[list(COLUMNS)]))]
    assert decision in MEMBERS[int(np.argmax(scores))]


@pytest.fixture
def tree(tmp_path):
    """One anchor with two neighbours, and one alone."""

    def write(labels=None, sets=None, folder="metadata"):
        ids = [f"val/a/00000{number}.JPEG" for number in (1, 2, 3)] + ["val/b/000007.JPEG"]
        for id in ids:
            (tmp_path / id).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (32, 32)).save(tmp_path / id, "JPEG")
        (tmp_path / folder).mkdir(exist_ok=True)
        labels = {id: [26] for id in ids} | {ids[3]: [26, 0]} if labels is None else labels
        sets = {ids[1]: [ids[0], ids[2]], ids[3]: []} if sets is None else sets
        for name, content in (("labels", labels), ("pmsets", sets)):
            text = content if isinstance(content, str) else json.dumps(content)
            (tmp_path / folder / f"{name}.json").write_text(text)
        return tmp_path

    return write


@pytest.mark.parametrize("folder", [".", "metadata"])
def test_anchors_and_neighbours_with_their_labels(tree, folder):
    samples = {sample.id: sample for sample in VidRobust().samples(tree(folder=folder))}
    assert len(samples) == 4
    turtle = [COLUMNS.index(column) for column in range(33, 38)]
    assert samples["val/a/000001.JPEG"].targets == tuple(turtle)
    assert samples["val/b/000007.JPEG"].targets == (*turtle, COLUMNS.index(404))
    assert samples["val/a/000003.JPEG"].attributes == ("a", "3", "0", "val/a/000002.JPEG")
    assert samples["val/b/000007.JPEG"].attributes == ("b", "7", "0", "val/b/000007.JPEG")
    (remark,) = VidRobust().remarks(list(samples.values()))
    assert remark == "4 of 22,179 frames, 2 of 1,109 anchors (partial tree)"


@pytest.mark.parametrize(
    ("labels", "sets", "message"),
    [
        ("{", None, "labels.json is damaged"),
        ("[" * 100_000, None, "labels.json is damaged"),
        (" " * ((32 << 20) + 1), None, "labels.json is damaged"),
        (None, [], "pmsets.json is not a list of frames"),
        ({}, None, "labels.json is not a list of frames"),
        ({"val/a/000002.JPEG": [30]}, None, "expected class numbers 0 to 29"),
        ({"val/a/000002.JPEG": [True]}, None, "expected class numbers 0 to 29"),
        (None, {"val/../../etc/passwd": []}, "is not val/<video>/<number>.JPEG"),
        (None, {"/val/a/000001.JPEG": []}, "is not val/<video>/<number>.JPEG"),
        (None, {"val/a/000001.JPEG": "x"}, "are not a list of frames"),
        (None, {"val/c/000001.JPEG": []}, "none of the frames"),
    ],
)
def test_hostile_lists_are_one_line(tree, labels, sets, message):
    with pytest.raises(DatasetError, match=message) as refusal:
        list(VidRobust().samples(tree(labels, sets)))
    assert "\n" not in str(refusal.value)


def test_without_lists(tmp_path):
    with pytest.raises(DatasetError, match="imagenet-testbed"):
        list(VidRobust().samples(tmp_path))
