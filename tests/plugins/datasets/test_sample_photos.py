"""The photographs inside the foolbox package."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness import DatasetError, Preprocessing
from harness.plugins.datasets import sample_photos
from harness.plugins.datasets.sample_photos import SamplePhotos


def test_twenty_photographs_with_labels():
    pytest.importorskip("foolbox", reason="needs the extra `demo`")
    dataset = SamplePhotos()
    samples = list(dataset.samples(dataset.root()))
    assert len(samples) == len({sample.id for sample in samples}) == 20
    first = samples[0]
    assert first.id == "imagenet_00_243.jpg" and first.targets == (243,)
    assert dataset.label_space().classes[243] == "bull mastiff"
    with dataset.image(first) as image:
        assert image.size == (512, 512)
    assert dataset.preprocessing == Preprocessing(resize=256, size=224)


def test_foolbox_is_not_imported():
    pytest.importorskip("foolbox", reason="needs the extra `demo`")
    code = (
        "import sys; from harness.plugins.datasets.sample_photos import SamplePhotos; d = SamplePhotos();"
        "list(d.samples(d.root())); print({'foolbox', 'torch', 'PIL'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_without_foolbox(monkeypatch):
    monkeypatch.setattr(sample_photos, "find_spec", lambda name: None)
    with pytest.raises(DatasetError, match=r"pip install 'bias-harness\[demo\]'"):
        SamplePhotos().root()


def test_other_files_are_no_photographs(tmp_path):
    for name in ("imagenet_07_12.jpg", "cifar10_00_3.png", "imagenet_x_1.jpg", "imagenet_00_2430.jpg"):
        (tmp_path / name).touch()
    assert [(s.id, s.targets) for s in SamplePhotos().samples(tmp_path)] == [("imagenet_07_12.jpg", (12,))]


def test_an_empty_folder(tmp_path):
    with pytest.raises(DatasetError, match=r"no imagenet_NN_LABEL\.jpg"):
        list(SamplePhotos().samples(tmp_path))
    with pytest.raises(DatasetError, match="there is no folder"):
        list(SamplePhotos().samples(tmp_path / "nothing"))


def test_remark_says_how_wide_the_interval_is(tmp_path):
    for i in range(20):
        (tmp_path / f"imagenet_{i:02}_{i}.jpg").touch()
    samples = list(SamplePhotos().samples(tmp_path))
    # Wilson, 10 of 20: 0.299 to 0.701 (Brown, Cai, DasGupta 2001).
    assert list(SamplePhotos().remarks(samples)) == [
        "only 20 photographs: the 95 % interval of an accuracy is up to 40 points wide"
    ]
