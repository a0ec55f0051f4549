"""ImageNet trees: labels by wnid whatever the order, and nothing strange goes unnoticed."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness import DatasetError, Preprocessing, Sample
from harness.plugins.datasets import _imagenet_classes as classes
from harness.plugins.datasets.imagenet import ImageNet
from tests.helpers import trees
from tests.helpers.places import REAL as SHARED_REAL
from tests.helpers.trees import grow

REAL = SHARED_REAL / "imagenet_sample" / "val"


def refusal(root: Path) -> str:
    return trees.refusal(ImageNet(), root)


# --- classes ---------------------------------------------------------------------------------


def test_wnids_are_the_published_list():
    assert len(classes.wnids()) == 1000
    assert list(classes.wnids()) == sorted(set(classes.wnids()))
    text = "".join(f"{wnid}\n" for wnid in classes.wnids())
    assert hashlib.sha256(text.encode()).hexdigest() == (
        "70002b0ff5de60a3a17a82dbfcff291931f96225ddf941ad2e182fc39e183d15"
    )


def test_class_names_are_unique_and_known():
    names = ImageNet().label_space().classes
    assert len(set(names)) == 1000
    assert names[0].startswith("tench") and names[999].startswith("toilet tissue")
    assert names[134] == "crane (n02012849)" and names[517] == "crane (n03126707)"


def test_timm_is_not_imported():
    code = (
        "import sys; from harness.plugins.datasets.imagenet import ImageNet; ImageNet().label_space();"
        "print({'timm', 'torch', 'PIL'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    "damage", ["n01440764\n", "\n".join(reversed([f"n{i:08}" for i in range(1000)])), "x\n" * 1000]
)
def test_a_damaged_list_is_refused(damage, tmp_path, monkeypatch):
    (tmp_path / "imagenet_synsets.txt").write_text(damage)
    monkeypatch.setattr(classes, "_timm_file", lambda name: tmp_path / name)
    with pytest.raises(DatasetError, match="is not the sorted list"):
        classes.wnids.__wrapped__()


def test_without_timm(monkeypatch):
    monkeypatch.setattr(classes, "find_spec", lambda name: None)
    with pytest.raises(DatasetError, match="pip install timm"):
        classes.wnids.__wrapped__()


# --- trees -----------------------------------------------------------------------------------


@pytest.mark.skipif(not REAL.is_dir(), reason="the real photographs in ../shared/real are absent")
def test_real_partial_tree():
    samples = list(ImageNet().samples(REAL))
    assert [sample.targets for sample in samples] == [(4 * i,) for i in range(250)]
    assert all(sample.path is not None and sample.path.is_file() for sample in samples)
    assert samples[0].id == "n01440764/n01440764_tench.JPEG"
    assert list(ImageNet().remarks(samples)) == ["250 of 50,000 images, 250 of 1,000 classes (partial tree)"]
    assert f"--data imagenet={REAL}" in refusal(REAL.parent)


def test_any_subset_in_any_order_gets_its_label_from_the_wnid(tmp_path):
    chosen = random.Random(3).sample(range(1000), 30)
    grow(tmp_path, {classes.wnids()[index]: [f"{index}.JPEG"] for index in chosen})
    samples = list(ImageNet().samples(tmp_path))
    assert {int(sample.path.stem): sample.targets for sample in samples} == {index: (index,) for index in chosen}


def test_a_scrambled_tree_keeps_folder_labels_and_unique_ids(tmp_path):
    first, second = classes.wnids()[5], classes.wnids()[900]
    grow(tmp_path, {first: ["a.JPEG", "b.png"], second: ["a.JPEG"]})
    samples = {sample.id: sample.targets for sample in ImageNet().samples(tmp_path)}
    assert samples == {f"{first}/a.JPEG": (5,), f"{first}/b.png": (5,), f"{second}/a.JPEG": (900,)}


@pytest.mark.parametrize("shift", [0, 1])
def test_a_tree_whose_file_names_name_other_classes_is_refused(shift, tmp_path):
    """Folders renamed by another order of the classes, around files that keep the names of the training set."""
    wnids = classes.wnids()[:4]
    for at, wnid in enumerate(wnids):
        grow(tmp_path, {wnid: [f"{wnids[(at + shift) % 4]}_{number}.JPEG" for number in range(2)]})
    if shift:
        assert "scrambled: 8 of 8 images named after a wnid are in the folder of another" in refusal(tmp_path)
        return
    samples = ImageNet().samples(tmp_path)
    assert [text for text in ImageNet().remarks(samples) if "named" in text] == []
    (tmp_path / wnids[0] / f"{wnids[1]}_9.JPEG").touch()
    (text,) = [text for text in ImageNet().remarks(ImageNet().samples(tmp_path)) if "named" in text]
    assert text == f"1 of 9 images named after a wnid are in the folder of another, as {wnids[0]}/{wnids[1]}_9.JPEG"


def test_ignored_entries(tmp_path):
    wnid = classes.wnids()[0]
    grow(tmp_path, {wnid: ["a.JPEG", ".DS_Store", "._a.JPEG", "Thumbs.db", "desktop.ini"], ".cache": ["x"]})
    (tmp_path / "README.txt").touch()
    assert [sample.id for sample in ImageNet().samples(tmp_path)] == [f"{wnid}/a.JPEG"]


def test_links_are_followed(tmp_path):
    wnid = classes.wnids()[7]
    store = grow(tmp_path / "store", {"x": ["a.JPEG"]})
    (tmp_path / "val").mkdir()
    (tmp_path / "val" / wnid).symlink_to(store / "x")
    (store / "x" / "b.JPEG").symlink_to(store / "x" / "a.JPEG")
    (tmp_path / "link").symlink_to(tmp_path / "val")
    assert [s.id for s in ImageNet().samples(tmp_path / "link")] == [f"{wnid}/a.JPEG", f"{wnid}/b.JPEG"]
    (tmp_path / "val" / classes.wnids()[8]).symlink_to(tmp_path / "nowhere")
    assert "broken link" in refusal(tmp_path / "val")


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"0": ["a.jpeg"], "1": ["a.jpeg"]}, "layout of ImageNet-V2 (dataset 'imagenet-v2')"),
        ({"n00000001": ["a.JPEG"]}, "ImageNet-21k only"),
        ({"tench": ["a.JPEG"]}, "none of the 1,000 ImageNet classes"),
        ({"n01440764": []}, "is empty"),
        ({"n01440764": ["a.JPEG", "boxes.txt"]}, "boxes.txt is not an image"),
        ({"n01440764/images": ["a.JPEG"]}, "images is not an image"),
        ({}, "has no class folders"),
    ],
)
def test_refusals(tree, words, tmp_path):
    assert words in refusal(grow(tmp_path, tree))


def test_one_stranger_among_many_is_named(tmp_path):
    grow(tmp_path, {wnid: ["a.JPEG"] for wnid in classes.wnids()[:5]} | {"lost+found": []})
    assert str(tmp_path / "lost+found") in refusal(tmp_path)


def test_the_folder_above_is_recognised(tmp_path):
    grow(tmp_path, {"train/n01440764": ["a.JPEG"], "val/n01440764": ["a.JPEG"]})
    assert f"--data imagenet={tmp_path / 'val'}" in refusal(tmp_path)


def test_a_class_folder_is_one_level_too_low(tmp_path):
    grow(tmp_path, {"val/n01440764": ["a.JPEG"]})
    assert refusal(tmp_path / "val" / "n01440764").endswith(f"Type: --data imagenet={tmp_path / 'val'}")


def test_missing_folder(tmp_path):
    assert "--data imagenet=DIR" in refusal(tmp_path / "nothing")
    (tmp_path / "file").touch()
    assert "cannot read the folder" in refusal(tmp_path / "file")


# --- remarks ---------------------------------------------------------------------------------


def counted(*counts: int) -> list[Sample]:
    return [Sample(id=f"{c}/{i}", targets=(c,)) for c, count in enumerate(counts) for i in range(count)]


def test_remarks():
    remarks = ImageNet().remarks
    assert list(remarks(counted(*[50] * 1000))) == []
    assert list(remarks(counted(*[50] * 999))) == ["49,950 of 50,000 images, 999 of 1,000 classes (partial tree)"]
    assert "not 50 of each class" in next(iter(remarks(counted(51, 49, *[50] * 998))))
    assert "training set" in next(iter(remarks(counted(*[51] * 1000))))


def test_parameters():
    dataset = ImageNet()
    assert (dataset.name, dataset.path, dataset.preprocessing) == ("imagenet", "imagenet/val", Preprocessing())
    assert dataset.preprocessing == Preprocessing(resize=256, size=224)
    assert dataset.root() is None and dataset.views() == ()
    assert dataset.release().images == 50_000
    assert dataset.release().downloads == () and dataset.release().page.startswith("https://image-net.org")


def test_fifty_thousand_files_are_listed_quickly(tmp_path):
    labels = [labels[0] if labels else 0 for labels in classes.real_labels()]
    for number, index in enumerate(labels, 1):
        folder = tmp_path / classes.wnids()[index]
        folder.mkdir(exist_ok=True)
        os.close(os.open(folder / f"ILSVRC2012_val_{number:08}.JPEG", os.O_CREAT))
    start = time.perf_counter()
    assert sum(1 for _ in ImageNet().samples(tmp_path)) == 50_000
    assert time.perf_counter() - start < 10  # takes about 0.5 s; a busy machine must not fail it
