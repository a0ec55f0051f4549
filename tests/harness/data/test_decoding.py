"""Pixels equal those of the field's scripts, bit for bit, whoever decodes them and in whatever order."""

import os
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from harness import Dataset, ImageError, LabelSpace, Preprocessing, Sample
from harness.data.decoding import batches, pixels, preprocess


@dataclass(frozen=True, kw_only=True)
class Files(Dataset):
    name: str = "files"

    def label_space(self):
        return LabelSpace(name="imagenet-1k", classes=())

    def samples(self, root):
        return [Sample(id=path.name, targets=(0,), path=path) for path in sorted(root.iterdir())]


def noise(width, height, mode="RGB", seed=0):
    rng = np.random.default_rng(seed)
    return Image.frombytes(mode, (width, height), rng.bytes(width * height * len(mode)))


def oracle(image, resize=256, size=224):
    from torchvision import transforms

    chain = transforms.Compose([transforms.Resize(resize), transforms.CenterCrop(size), transforms.PILToTensor()])
    return chain(image.convert("RGB")).permute(1, 2, 0).numpy()


@settings(deadline=None, max_examples=60)
@given(st.integers(30, 700), st.integers(30, 700), st.sampled_from([(256, 224), (64, 64), (65, 64), (40, 33)]))
def test_equals_torchvision_on_pil_images_of_any_size(width, height, sizes):
    image = noise(width, height)
    resize, size = sizes
    assert np.array_equal(preprocess(image, Preprocessing(resize=resize, size=size)), oracle(image, resize, size))


def test_equals_torchvision_on_real_photographs(real):
    for path in sorted((real / "imagenet_sample" / "val").glob("*/*.JPEG"))[::10]:
        with Image.open(path) as image:
            assert np.array_equal(preprocess(image, Preprocessing()), oracle(image)), path.name


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK"])
def test_every_mode_becomes_rgb(mode):
    image = noise(300, 260, mode)
    assert np.array_equal(preprocess(image, Preprocessing()), oracle(image))


def test_a_set_that_is_not_resized_refuses_other_sizes():
    exact = noise(224, 224)
    assert np.array_equal(preprocess(exact, Preprocessing(resize=None)), np.asarray(exact))
    with pytest.raises(ImageError, match="is 225x224 pixels, expected 224x224"):
        preprocess(noise(225, 224), Preprocessing(resize=None))


@pytest.fixture
def files(tmp_path):
    for i in range(11):
        noise(250 + i, 240, seed=i).save(tmp_path / f"{i:02d}.png")
    return tmp_path


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("size", [1, 4, 11])
def test_batches_come_in_order_whatever_the_workers(files, workers, size):
    dataset = Files()
    samples = list(dataset.samples(files))
    groups = [samples[i : i + size] for i in range(0, len(samples), size)]
    out = list(batches(dataset, groups, workers))
    assert [sample for group, _ in out for sample in group] == samples
    together = np.concatenate([array for _, array in out])
    assert np.array_equal(together, np.stack([pixels(dataset, sample) for sample in samples]))


def test_an_undecodable_file_is_named_and_what_was_before_it_is_delivered(files):
    (files / "05.png").write_text("this is no image")
    dataset = Files()
    groups = [[sample] for sample in dataset.samples(files)]
    delivered = []
    with pytest.raises(ImageError, match=r"image 05\.png of files cannot be decoded"):
        for group, _ in batches(dataset, groups, 3):
            delivered.extend(sample.id for sample in group)
    assert delivered == [f"{i:02d}.png" for i in range(5)]


@pytest.mark.parametrize("keep", [1, 100, 3000, -1])
def test_a_truncated_jpeg_is_refused(tmp_path, keep):
    noise(400, 300).save(tmp_path / "x.jpg")
    whole = (tmp_path / "x.jpg").read_bytes()
    (tmp_path / "x.jpg").write_bytes(whole[:keep])
    dataset = Files()
    with pytest.raises(ImageError, match="cannot be decoded"):
        pixels(dataset, next(iter(dataset.samples(tmp_path))))


@pytest.mark.timeout(20)
def test_a_fifo_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.jpg")
    with pytest.raises(ImageError, match=r"image x\.jpg of files is no regular file"):
        pixels(Files(), Sample(id="x.jpg", targets=(0,), path=tmp_path / "x.jpg"))
