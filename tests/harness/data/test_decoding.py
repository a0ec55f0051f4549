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
from harness.data.manifest import Manifest, dataset_identity


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


def oracle(image, resize=256, size=224, interpolation="bilinear"):
    from torchvision import transforms

    how = transforms.InterpolationMode(interpolation)
    chain = transforms.Compose([transforms.Resize(resize, how), transforms.CenterCrop(size), transforms.PILToTensor()])
    return chain(image.convert("RGB")).permute(1, 2, 0).numpy()


@settings(deadline=None, max_examples=60)
@given(st.integers(30, 700), st.integers(30, 700), st.sampled_from([(256, 224), (64, 64), (65, 64), (40, 33)]))
def test_equals_torchvision_on_pil_images_of_any_size(width, height, sizes):
    image = noise(width, height)
    resize, size = sizes
    assert np.array_equal(preprocess(image, Preprocessing(resize=resize, size=size)), oracle(image, resize, size))


@settings(deadline=None, max_examples=60)
@given(
    st.integers(30, 500), st.integers(30, 500), st.sampled_from([64, (64, 64), (48, 80), (80, 48), (33, 33)]),
    st.sampled_from(["bilinear", "bicubic"]),
)  # fmt: skip
def test_equals_torchvision_for_each_interpolation_and_pair(width, height, resize, interpolation):
    image = noise(width, height)
    preprocessing = Preprocessing(resize=resize, size=33, interpolation=interpolation)
    assert np.array_equal(preprocess(image, preprocessing), oracle(image, resize, 33, interpolation))


@pytest.mark.parametrize(
    ("size", "crop_pct", "interpolation", "mode"),
    [
        (224, 0.95, "bicubic", "center"),
        (224, 0.875, "bilinear", "center"),
        (240, 1.0, "bicubic", "center"),
        (224, 0.96, "bicubic", "squash"),
    ],
)
def test_equals_timms_evaluation(size, crop_pct, interpolation, mode):
    """A resize of floor(size / crop_pct), as a number or, where timm squashes, as a pair."""
    from timm.data.transforms_factory import transforms_imagenet_eval

    theirs = transforms_imagenet_eval(
        size, crop_pct=crop_pct, crop_mode=mode, interpolation=interpolation, use_prefetcher=True
    )
    side = int(size / crop_pct)
    resize = (side, side) if mode == "squash" else side
    preprocessing = Preprocessing(resize=resize, size=size, interpolation=interpolation)
    for width, height in ((500, 375), (375, 500), (300, 300), (256, 256), (180, 900)):
        image = noise(width, height)
        assert np.array_equal(preprocess(image, preprocessing).transpose(2, 0, 1), np.asarray(theirs(image)))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"resize": 200}, "size 224 is larger than resize 200"),
        ({"resize": (300, 200)}, "size 224 is larger than resize 200"),
        ({"interpolation": "lanczos"}, "'lanczos' is none of bilinear, bicubic"),
        ({"resize": None, "interpolation": "bicubic"}, "give resize too"),
    ],
)
def test_what_no_image_could_get_is_refused(fields, words):
    with pytest.raises(ValueError, match=words):
        Preprocessing(**fields)


@pytest.mark.parametrize(
    ("preprocessing", "document", "text"),
    [
        (Preprocessing(), {"resize": 256, "size": 224}, "resized to 256, cropped to 224"),
        (Preprocessing(resize=None), {"resize": None, "size": 224}, "224 px as stored"),
        (
            Preprocessing(resize=(232, 236), interpolation="bicubic"),
            {"resize": (232, 236), "size": 224, "interpolation": "bicubic"},
            "resized to 232 x 236 (bicubic), cropped to 224",
        ),
    ],
)
def test_the_identity_of_the_default_has_no_new_field(preprocessing, document, text):
    assert preprocessing.document() == document
    assert str(preprocessing) == text
    identity = dataset_identity(Files(preprocessing=preprocessing), Manifest(samples=(), total=0, digest=""))
    assert identity["preprocessing"] == document


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
