"""ImageNet-A, -R and -Sketch: which columns are decided among, and what is none of their classes."""

from __future__ import annotations

import hashlib

import pytest

from harness import DatasetError, Preprocessing, Sample
from harness.plugins.datasets import _imagenet_classes as classes
from harness.plugins.datasets.imagenet_sketch import ImageNetSketch
from harness.plugins.datasets.imagenet_subsets import ImageNetA, ImageNetR
from harness.testing import check_dataset
from tests.helpers.trees import grow, paint, painted, refusal

DIGESTS = {
    "a": "e81223a35add6e78f9afe6f215652c1926ebefe1d8efc26c6e923d7ac9143937",
    "r": "91e09d2ff0a002104bc0d37a892a7e75ffc2cc0db47b2b506047a3493b9116d2",
}
SUBSETS = [("a", ImageNetA(), 7_500), ("r", ImageNetR(), 30_000)]
ONE_OF_R_ONLY = "n01443537"


@pytest.mark.parametrize(("letter", "dataset", "images"), SUBSETS, ids="ar")
class TestSubsets:
    def test_columns_are_the_published_lists(self, letter, dataset, images):
        space = dataset.label_space()
        assert space.columns is not None and space.outputs == 1000 and space.members is None
        text = "".join(f"{column}\n" for column in space.columns)
        assert hashlib.sha256(text.encode()).hexdigest() == DIGESTS[letter]
        assert len(set(space.columns)) == len(space.classes) == 200 and list(space.columns) == sorted(space.columns)
        assert space.classes == tuple(classes.class_names()[column] for column in space.columns)

    def test_targets_are_positions_among_the_200_by_wnid(self, letter, dataset, images, tmp_path):
        columns = dataset.label_space().columns
        for target in (0, 1, 50, 198, 199):
            paint(tmp_path / classes.wnids()[columns[target]] / "0.5_thing _ a thing_0.9.jpg", target)
        (tmp_path / "README.txt").touch()
        samples = list(dataset.samples(tmp_path))
        assert {painted(sample.path)[0] for sample in samples} == {0, 1, 50, 198, 199}
        assert all(sample.targets == (painted(sample.path)[0],) for sample in samples)
        assert list(dataset.remarks(samples)) == [f"5 of {images:,} images, 5 of 200 classes (partial tree)"]
        check_dataset(dataset, tmp_path)

    def test_facts(self, letter, dataset, images):
        assert dataset.name == dataset.path == f"imagenet-{letter}"
        assert dataset.preprocessing == Preprocessing(resize=256, size=224)
        assert dataset.release().images == images
        assert list(dataset.remarks([Sample(id=f"{i}", targets=(i % 200,)) for i in range(images)])) == []

    def test_a_damaged_list_is_refused(self, letter, dataset, images, tmp_path, monkeypatch):
        (tmp_path / f"imagenet_{letter}_indices.txt").write_text("\n".join(map(str, range(200))))
        monkeypatch.setattr(classes, "_timm_file", lambda name: tmp_path / name)
        with pytest.raises(DatasetError, match="not the published list of 200 classes"):
            classes.subset.__wrapped__(letter)


def test_the_subsets_share_86_classes():
    assert len(set(ImageNetA().label_space().columns) & set(ImageNetR().label_space().columns)) == 86


def test_a_class_outside_the_200_is_named(tmp_path):
    assert classes.indices()[ONE_OF_R_ONLY] in set(classes.subset("r")) - set(classes.subset("a"))
    grow(tmp_path, {ONE_OF_R_ONLY: ["a.jpg"]})
    message = refusal(ImageNetA(), tmp_path)
    assert f"{ONE_OF_R_ONLY} is none of the 200 classes of imagenet-a" in message and "another dataset" in message
    assert [sample.targets for sample in ImageNetR().samples(tmp_path)] == [(0,)]


def test_one_level_too_high_or_too_low(tmp_path):
    wnid = classes.wnids()[classes.subset("a")[0]]
    right = grow(tmp_path / "imagenet-a", {wnid: ["a.jpg"]})
    assert refusal(ImageNetA(), tmp_path).endswith(f"Type: --data imagenet-a={right}")
    assert refusal(ImageNetA(), right / wnid).endswith(f"Type: --data imagenet-a={right}")


def test_sketch(tmp_path):
    dataset = ImageNetSketch()
    for index in (0, 9, 500, 999):
        paint(tmp_path / classes.wnids()[index] / "sketch_1.JPEG", index)
    samples = list(dataset.samples(tmp_path))
    assert [sample.targets for sample in samples] == [(painted(sample.path)[0],) for sample in samples]
    assert list(dataset.remarks(samples)) == ["4 of 50,889 images, 4 of 1,000 classes (partial tree)"]
    assert (dataset.name, dataset.path, dataset.release().images) == ("imagenet-sketch", "sketch", 50_889)
    assert list(dataset.remarks([Sample(id=f"{i}", targets=(i % 1000,)) for i in range(50_889)])) == []
    check_dataset(dataset, tmp_path)
