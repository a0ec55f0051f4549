"""ReaL labels belong to the number in a file name, and give away trees with images in wrong folders."""

from __future__ import annotations

from collections import Counter

import pytest

from harness import DatasetError, Preprocessing, Sample
from harness.plugins.datasets import _imagenet_classes as classes
from harness.plugins.datasets.imagenet import ImageNet
from harness.plugins.datasets.imagenet_real import ImageNetReaL
from tests.helpers.trees import grow, paint, painted, refusal

LABELS = classes.real_labels()
LABELLED = [number for number in range(1, 50_001) if LABELS[number - 1]]


def file_name(number):
    return f"ILSVRC2012_val_{number:08}.JPEG"


def right(number):
    """The folder of a class among the image's ReaL labels."""
    return classes.wnids()[LABELS[number - 1][0]]


def wrong(number):
    """The folder of a class that is not among them."""
    return classes.wnids()[next(index for index in range(1000) if index not in LABELS[number - 1])]


def tree(root, folders):
    """Empty files by number -> wnid."""
    for number, wnid in folders.items():
        (root / wnid).mkdir(parents=True, exist_ok=True)
        (root / wnid / file_name(number)).touch()
    return root


def test_labels_are_the_published_ones():
    assert Counter(map(len, LABELS)) == {0: 3163, 1: 39394, 2: 5408, 3: 1319, 4: 411, 5: 161, 6: 88, 7: 41, 8: 13, 9: 2}
    assert LABELS[:4] == ((), (970, 795), (230, 231), (809,))


@pytest.mark.parametrize("text", ["[[1], [2]]", "no json"])
def test_other_labels_are_refused(text, tmp_path, monkeypatch):
    (tmp_path / "imagenet_real_labels.json").write_text(text)
    monkeypatch.setattr(classes, "_timm_file", lambda name: tmp_path / name)
    with pytest.raises(DatasetError, match="pip install --force timm"):
        classes.real_labels.__wrapped__()


def test_parameters():
    dataset = ImageNetReaL()
    assert (dataset.name, dataset.path) == ("imagenet-real", "imagenet/val")
    assert dataset.preprocessing == Preprocessing(resize=256, size=224)
    assert dataset.release().images == 46_837 == len(LABELLED)
    assert len(dataset.label_space().classes) == 1000


def test_labels_follow_the_number_wherever_the_file_lies(tmp_path):
    for number in (1, 2, 3, 4, 49_999, 50_000):
        paint(tmp_path / classes.wnids()[number % 1000] / file_name(number), number)
    samples = list(ImageNetReaL().samples(tmp_path))
    assert {painted(sample.path)[0]: sample.targets for sample in samples} == {
        number: LABELS[number - 1] for number in (2, 3, 4, 49_999, 50_000) if LABELS[number - 1]
    }
    assert f"{classes.wnids()[2]}/{file_name(2)}" in {sample.id for sample in samples}
    assert list(ImageNetReaL().remarks(samples)) == [f"{len(samples)} of 46,837 images with ReaL labels (partial tree)"]


def test_a_complete_set_is_not_remarked_on():
    folders = {number: wrong(number) if i >= 42_164 else right(number) for i, number in enumerate(LABELLED)}
    samples = [Sample(id=f"{folder}/{file_name(number)}", targets=(0,)) for number, folder in folders.items()]
    assert list(ImageNetReaL().remarks(samples)) == []
    moved = [*samples[1:], Sample(id=f"{wrong(LABELLED[0])}/{file_name(LABELLED[0])}", targets=(0,))]
    (remark,) = ImageNetReaL().remarks(moved)
    assert "42,163 of 46,837" in remark and "some images are in a wrong folder" in remark


@pytest.mark.parametrize("name", ["n01440764_tench.JPEG", file_name(0), file_name(50_001), "ILSVRC2012_val_1.JPEG"])
def test_a_name_without_a_number_is_refused(name, tmp_path):
    grow(tmp_path, {"n01440764": [name]})
    message = refusal(ImageNetReaL(), tmp_path)
    assert name in message and "not named as a validation image" in message and "'imagenet'" in message
    assert len(list(ImageNet().samples(tmp_path))) == 1


def test_folders_are_checked(tmp_path):
    assert "none of the 1,000 ImageNet classes" in refusal(ImageNetReaL(), grow(tmp_path / "a", {"x": ["a.JPEG"]}))
    grow(tmp_path, {"flat": [file_name(2)]})
    assert "without class folders" in refusal(ImageNetReaL(), tmp_path / "flat")


@pytest.mark.parametrize("dataset", [ImageNet(), ImageNetReaL()], ids=lambda dataset: dataset.name)
class TestScrambledTrees:
    def test_all_wrong(self, dataset, tmp_path):
        tree(tmp_path, {number: wrong(number) for number in LABELLED[:300]})
        assert "scrambled: only 0 of 300" in refusal(dataset, tmp_path)

    @pytest.mark.parametrize(("agreeing", "refused"), [(99, True), (100, False), (300, False)])
    def test_a_third_must_agree(self, dataset, agreeing, refused, tmp_path):
        """Honest trees of whole classes with 200 images or more have at least 38 % that agree."""
        tree(tmp_path, {n: right(n) if i < agreeing else wrong(n) for i, n in enumerate(LABELLED[:300])})
        if refused:
            assert f"only {agreeing} of 300" in refusal(dataset, tmp_path)
        else:
            assert len(dataset.samples(tmp_path)) == 300

    def test_a_few_prove_nothing(self, dataset, tmp_path):
        tree(tmp_path, {number: wrong(number) for number in LABELLED[:199]})
        assert len(dataset.samples(tmp_path)) == 199

    def test_an_image_in_two_folders(self, dataset, tmp_path):
        tree(tmp_path, {2: right(2), 4: right(4)})
        tree(tmp_path, {4: wrong(4)})
        assert "ILSVRC2012_val_00000004 occurs 2 times" in refusal(dataset, tmp_path)


def test_a_complete_imagenet_in_wrong_folders_is_remarked_on():
    """50 of each class, so that counting does not see it."""
    columns = [index for index in range(1000) for _ in range(50)]
    samples = [
        Sample(id=f"{classes.wnids()[index]}/{file_name(number)}", targets=(index,))
        for number, index in enumerate(columns, 1)
    ]
    (remark,) = ImageNet().remarks(samples)
    assert "expected 42,164: some images are in a wrong folder" in remark
