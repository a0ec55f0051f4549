"""ImageNet-V2: folders are class indices, never positions in a sorted list."""

from __future__ import annotations

import pytest

from harness import Preprocessing, Sample
from harness.data.manifest import build
from harness.plugins.datasets._imagenet_classes import wnids
from harness.plugins.datasets.imagenet_v2 import ImageNetV2
from harness.testing import check_dataset
from tests.helpers.trees import grow, paint, painted, refusal

INDICES = (0, 1, 2, 9, 10, 11, 99, 100, 101, 999)
DATASET = ImageNetV2()


@pytest.mark.parametrize("style", ["{}", "{:03}", "{:04}"])
def test_labels_are_the_numbers_of_the_folders(style, tmp_path):
    for index in INDICES:
        paint(tmp_path / style.format(index) / "ab12.jpeg", index)
    (tmp_path / "README.txt").touch()
    samples = list(DATASET.samples(tmp_path))
    assert {painted(sample.path)[0]: sample.targets for sample in samples} == {index: (index,) for index in INDICES}
    assert {sample.id for sample in samples} == {f"{index}/ab12.jpeg" for index in INDICES}
    assert list(DATASET.remarks(samples)) == ["10 of 10,000 images, 10 of 1,000 classes (partial tree)"]
    check_dataset(DATASET, tmp_path)


def test_folders_named_by_wnid_have_the_identity_of_numbered_ones(tmp_path):
    for index in INDICES:
        paint(tmp_path / "numbers" / str(index) / "ab12.jpeg", index)
        paint(tmp_path / "wnids" / wnids()[index] / "ab12.jpeg", index)
        paint(tmp_path / "both" / (wnids()[index] if index % 2 else f"{index:04}") / "ab12.jpeg", index)
    one, *others = (build(DATASET, tmp_path / layout) for layout in ("numbers", "wnids", "both"))
    assert all(other.digest == one.digest and other.remarks == one.remarks for other in others)
    assert {painted(sample.path)[0]: sample.targets for sample in others[0].samples} == {i: (i,) for i in INDICES}


def test_a_number_and_a_wnid_of_one_class(tmp_path):
    message = refusal(DATASET, grow(tmp_path, {"7": ["a.jpeg"], wnids()[7]: ["a.jpeg"]}))
    assert "are the same class" in message


def test_two_folders_of_one_class(tmp_path):
    grow(tmp_path, {"7": ["a.jpeg"], "0007": ["a.jpeg"], "0010": ["a.jpeg"]})
    message = refusal(DATASET, tmp_path)
    assert "are the same class" in message and str(tmp_path / "0007") in message


def test_a_half_padded_tree_is_unambiguous(tmp_path):
    grow(tmp_path, {"7": ["a.jpeg"], "0010": ["a.jpeg"]})
    assert {sample.targets for sample in DATASET.samples(tmp_path)} == {(7,), (10,)}


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"1000": ["a.jpeg"]}, "neither a class index from 0 to 999 nor one of the 1,000 wnids"),
        ({"-1": ["a.jpeg"]}, "neither a class index from 0 to 999"),
        ({"n00000001": ["a.jpeg"]}, "neither a class index from 0 to 999"),
        ({"n01440764": ["ILSVRC2012_val_00000293.JPEG"]}, "named as an image of ImageNet itself"),
        ({"n01440764": ["n01440764_10026.JPEG"]}, "named as an image of ImageNet itself"),
        ({"0": []}, "is empty"),
        ({"0": ["labels.csv"]}, "is not an image"),
        ({}, "has no class folders"),
    ],
)
def test_refusals(tree, words, tmp_path):
    assert words in refusal(DATASET, grow(tmp_path, tree))


def test_one_level_too_high_or_too_low(tmp_path):
    right = grow(tmp_path / "imagenetv2-matched-frequency-format-val", {"0": ["a.jpeg"]})
    assert refusal(DATASET, tmp_path).endswith(f"Type: --data imagenet-v2={right}")
    assert refusal(DATASET, right / "0").endswith(f"Type: --data imagenet-v2={right}")


def test_facts():
    assert (DATASET.name, DATASET.path) == ("imagenet-v2", "imagenetv2-matched-frequency-format-val")
    assert DATASET.preprocessing == Preprocessing(resize=256, size=224)
    assert DATASET.release().images == 10_000
    assert len(DATASET.label_space().classes) == len(wnids())


def test_remarks_on_whole_sets():
    def counted(*counts):
        return [Sample(id=f"{c}/{i}", targets=(c,)) for c, count in enumerate(counts) for i in range(count)]

    assert list(DATASET.remarks(counted(*[10] * 1000))) == []
    assert "not 10 of each class" in next(iter(DATASET.remarks(counted(11, 9, *[10] * 998))))
    assert "matched-frequency?" in next(iter(DATASET.remarks(counted(*[11] * 1000))))
