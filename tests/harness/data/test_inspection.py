"""What is said about files unlike the others, and about what is dropped; nothing about ordinary files."""

import hashlib
import io
import json
import os
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from harness import Dataset, DatasetError, LabelSpace, Preprocessing, Sample
from harness.data.inspection import copied_files, equal_files
from harness.data.manifest import LOOKED_AT, WITNESSES, build, lowest_hashes
from harness.plugins.datasets.imagenet import ImageNet
from tests.harness.data.test_decoding import Files, noise
from tests.harness.data.test_modes import png
from tests.helpers.trees import WNIDS, write_tree


@dataclass(frozen=True, kw_only=True)
class Views(Dataset):
    """The same file names in three folders."""

    name: str = "views"
    preprocessing: Preprocessing = field(default_factory=lambda: Preprocessing(resize=None, size=32))

    def label_space(self):
        return LabelSpace(name="imagenet-1k", classes=())

    def views(self):
        return ("fog-1", "fog-2", "fog-3")

    def folder(self, root, view):
        return root / view

    def samples(self, root):
        return [Sample(id=path.name, targets=(0,), path=path) for path in sorted((root / "fog-1").iterdir())]


def encoded(image, kind="JPEG", **how):
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def digest_by_definition(root, samples):
    """Ids and targets, then of each view the sizes of all files and the contents of the 8 lowest ids' hashes."""
    total = hashlib.sha256()
    for sample in samples:
        total.update(json.dumps([sample.id, sample.targets, sample.attributes, ""]).encode() + b"\n")
    lowest = sorted(samples, key=lambda sample: hashlib.sha256(sample.id.encode()).digest())[:8]
    for view in Views().views():
        sizes = [(root / view / sample.id).stat().st_size for sample in samples]
        names = sorted(sample.id for sample in lowest)
        read = [hashlib.sha256((root / view / name).read_bytes()).hexdigest() for name in names]
        total.update(json.dumps([view, sizes, read]).encode() + b"\n")
    return total.hexdigest()


@pytest.fixture
def three_views(tmp_path):
    """40 images in three views, all different."""
    for number, view in enumerate(Views().views()):
        (tmp_path / view).mkdir()
        for image in range(40):
            picture = noise(32, 32, seed=100 * number + image)
            (tmp_path / view / f"{image:02d}.JPEG").write_bytes(encoded(picture, quality=85))
    return tmp_path


def remarks(dataset, root):
    return [remark.text for remark in build(dataset, root).remarks]


def test_ordinary_files_give_no_remark(three_views, tmp_path):
    assert remarks(Views(), three_views) == []
    (tmp_path / "plain").mkdir()
    for number in range(12):
        kind, mode = ("JPEG", "L") if number % 2 else ("JPEG", "CMYK")
        noise(300 + number, 280, mode).save(tmp_path / "plain" / f"{number}.jpg", kind)
    assert remarks(Files(), tmp_path / "plain") == []


def test_the_real_photographs_and_stimuli_give_no_remark(real):
    from harness.plugins.datasets.cue_conflict import CueConflict

    assert [text for text in remarks(ImageNet(), real / "imagenet_sample" / "val") if "looked at" in text] == []
    stimuli = next((path for path in (real / "cue_conflict").rglob("airplane") if path.is_dir()), None)
    if stimuli is not None:
        assert [text for text in remarks(CueConflict(), stimuli.parent) if "looked at" in text] == []


# --- views ---------------------------------------------------------------------------------------


def test_a_view_that_is_a_copy_of_another_is_named(three_views):
    for path in (three_views / "fog-1").iterdir():
        (three_views / "fog-3" / path.name).write_bytes(path.read_bytes())
    assert remarks(Views(), three_views) == [
        "fog-1, fog-3 have the same files: 32 of 32 images compared are equal byte for byte"
    ]


def test_a_copy_of_part_of_a_view_is_counted(three_views):
    for path in sorted((three_views / "fog-1").iterdir())[:20]:
        (three_views / "fog-2" / path.name).write_bytes(path.read_bytes())
    looked_at = {sample.id for sample in lowest_hashes(Views().samples(three_views), LOOKED_AT)}
    copied = sum(name < "20" for name in looked_at)
    assert 2 < copied < 32
    assert remarks(Views(), three_views) == [
        f"fog-1, fog-2 have the same files: {copied} of 32 images compared are equal byte for byte"
    ]


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=8), st.integers(1, 5))
def test_groups_of_equal_views_are_those_of_a_partition(labels, images):
    contents = {f"v{place}": [f"{label}-{image}" for image in range(images)] for place, label in enumerate(labels)}
    groups = [
        [f"v{place}" for place, label in enumerate(labels) if label == wanted] for wanted in dict.fromkeys(labels)
    ]
    lines = list(equal_files(contents))
    assert len(lines) == sum(len(group) > 1 for group in groups)
    for group in groups:
        if 1 < len(group) < 5:
            assert any(line.startswith(f"{', '.join(group)} have the same files: {images} of") for line in lines)


def test_one_equal_image_in_many_is_no_remark():
    contents = {"a": ["x", "1", "2"], "b": ["x", "3", "4"]}
    assert list(equal_files(contents)) == []
    assert list(equal_files({view: digests[:1] for view, digests in contents.items()})) != []


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"kind": "PNG"}, "32 of 96 images looked at have another file format (PNG) than the same image in most views"),
        ({"quality": 60}, "32 of 96 images looked at have another JPEG quality than the same image in most views"),
    ],
    ids=["format", "quality"],
)
def test_a_view_that_was_saved_again_is_named(three_views, written, said):
    for path in (three_views / "fog-2").iterdir():
        path.write_bytes(encoded(Image.open(path), **written))
    assert f"{said}: in fog-2" in remarks(Views(), three_views)


def test_a_view_of_another_size_is_named(three_views):
    for path in (three_views / "fog-3").iterdir():
        path.write_bytes(encoded(Image.open(path).resize((48, 48)), quality=85))
    resized = Views(preprocessing=Preprocessing(resize=40, size=32))
    assert "32 of 96 images looked at have another size than the same image in most views: in fog-3" in remarks(
        resized, three_views
    )


def test_views_whose_images_differ_in_kind_but_alike_give_no_remark(three_views):
    for view in Views().views():
        path = three_views / view / "07.JPEG"
        path.write_bytes(encoded(Image.open(path), "PNG"))
        path = three_views / view / "08.JPEG"
        path.write_bytes(encoded(Image.open(path), quality=30))
    assert remarks(Views(), three_views) == []


def test_the_digest_of_a_view_covers_the_same_witnesses_as_before(three_views):
    """Looking at more files than the digest covers leaves the digest, and so every stored key, as it was."""
    manifest = build(Views(), three_views)
    assert manifest.digest == digest_by_definition(three_views, manifest.samples)
    ranked = [sample.id for sample in lowest_hashes(manifest.samples, LOOKED_AT)]
    in_digest = {sample.id for sample in lowest_hashes(manifest.samples, WITNESSES)}
    assert len(in_digest) == 8 and in_digest < set(ranked)
    outside = next(name for name in ranked if name not in in_digest)
    for name, changes in ((outside, False), (min(in_digest), True)):
        path = three_views / "fog-2" / name
        before = path.read_bytes()
        path.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
        changed = build(Views(), three_views)
        assert (changed.digest != manifest.digest) == changes
        assert {view for view in manifest.contents if changed.contents[view] != manifest.contents[view]} == {"fog-2"}
        path.write_bytes(before)


# --- crops and what is dropped -------------------------------------------------------------------


@pytest.mark.parametrize(("ready", "said"), [(4, True), (3, True), (2, True), (1, False)])
def test_ready_crops_that_are_enlarged_are_remarked_on(tmp_path, ready, said):
    for number in range(4):
        size = (224, 224) if number < ready else (400, 300)
        noise(*size, seed=number).save(tmp_path / f"{number}.jpg")
    expected = [
        f"{ready} of 4 images looked at are 224 x 224 pixels, the size of the crop, and are enlarged first "
        "(resized to 256, cropped to 224); ready crops are used as stored with `resize: null` in a dataset entry"
    ]
    assert remarks(Files(), tmp_path) == (expected if said else [])
    assert remarks(Files(preprocessing=Preprocessing(resize=224, size=224)), tmp_path) == []


@pytest.mark.parametrize(("side", "said"), [(64, True), (240, True), (256, False), (300, False)])
def test_squares_of_one_size_that_are_enlarged_are_remarked_on(side, said, tmp_path):
    for number in range(4):
        noise(side, side, seed=number).save(tmp_path / f"{number}.jpg", "JPEG")
    noise(300, 280, seed=9).save(tmp_path / "9.jpg", "JPEG")
    text = (
        f"4 of 5 images looked at are {side} x {side} pixels, as if prepared, and are enlarged first (resized to 256,"
    )
    found = remarks(Files(), tmp_path)
    assert len(found) == said and all(one.startswith(text) for one in found)
    for path in tmp_path.glob("?.jpg"):
        noise(side, side + 7, seed=int(path.stem)).save(path, "JPEG")
    assert remarks(Files(), tmp_path) == []


def smooth(seed, size=96):
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)


@pytest.mark.parametrize(
    ("again", "said"),
    [
        (lambda image, content: encoded(image, quality=85), True),
        (lambda image, content: encoded(image, quality=95), True),
        (lambda image, content: encoded(image, "PNG"), True),
        (lambda image, content: content + b"\0", True),
        (lambda image, content: encoded(Image.blend(image, Image.new("RGB", image.size, 128), 0.1)), False),
        (lambda image, content: encoded(image.resize((90, 90))), False),
        (lambda image, content: b"no image", False),
    ],
    ids=["same quality", "better quality", "png", "bytes more", "less contrast", "smaller", "no images"],
)
def test_a_severity_that_was_saved_again_as_another_is_named(again, said, tmp_path):
    for view in Views().views():
        (tmp_path / view).mkdir()
        for number in range(8):
            content = encoded(smooth([number, *view.encode()]), quality=85)
            (tmp_path / view / f"{number}.JPEG").write_bytes(content)
            if view == "fog-3":
                first = (tmp_path / "fog-1" / f"{number}.JPEG").read_bytes()
                (tmp_path / view / f"{number}.JPEG").write_bytes(again(Image.open(io.BytesIO(first)), first))
    found = [text for text in remarks(Views(), tmp_path) if "nearly the same" in text]
    assert len(found) == said and all(text.startswith("fog-1, fog-3 show nearly") for text in found)


class Severities(Views):
    """As many views as ImageNet-C has of a corruption."""

    def views(self):
        return tuple(f"fog-{level}" for level in range(1, 6))


@pytest.mark.parametrize("strange", [None, "rotated", "others"])
def test_a_view_that_shows_other_images_is_named(strange, tmp_path):
    """Names that were given in another order, or a view of another set: every other severity recognizes the images."""
    for level, view in enumerate(Severities().views()):
        (tmp_path / view).mkdir()
        for number in range(8):
            shift = {"rotated": 1, "others": 100}.get(strange, 0) if level == 1 else 0
            image = smooth((number + shift) % 8 if strange == "rotated" else number + shift)
            faded = Image.blend(image, noise(*image.size, seed=number + 10 * level), 0.1 * level)
            (tmp_path / view / f"{number}.JPEG").write_bytes(encoded(faded, quality=85))
    found = [text for text in remarks(Severities(), tmp_path) if "other images" in text]
    assert len(found) == bool(strange) and all(text.startswith("fog-2 seems to show other images") for text in found)


def test_equal_files_are_told_once(tmp_path):
    for view in Views().views():
        (tmp_path / view).mkdir()
        for number in range(8):
            seed = [number, *view.encode()] if view == "fog-3" else number
            (tmp_path / view / f"{number}.JPEG").write_bytes(encoded(smooth(seed), quality=85))
    (text,) = remarks(Views(), tmp_path)
    assert text.startswith("fog-1, fog-2 have the same files")


def test_neighbouring_severities_of_real_photographs_give_no_remark(real, tmp_path):
    """The qualities of jpeg_compression and the contrasts of contrast: the mildest steps of ImageNet-C."""
    photographs = [Image.open(path).convert("RGB").resize((224, 224)) for path in sorted(real.rglob("*.JPEG"))[:8]]
    steps = {
        "jpeg": [lambda image, q=q: Image.open(io.BytesIO(encoded(image, quality=q))) for q in (25, 18, 15)],
        "contrast": [lambda image, c=c: Image.blend(image, image.resize((1, 1)).resize((224, 224)), 1 - c)
                     for c in (0.2, 0.1, 0.05)],
    }  # fmt: skip
    for kind, changes in steps.items():
        for view, change in zip(Views().views(), changes, strict=True):
            (tmp_path / kind / view).mkdir(parents=True)
            for number, photograph in enumerate(photographs):
                (tmp_path / kind / view / f"{number}.JPEG").write_bytes(encoded(change(photograph), quality=85))
        assert [text for text in remarks(Views(), tmp_path / kind) if "nearly" in text] == []


# --- copies --------------------------------------------------------------------------------------


def test_two_classes_with_the_same_files_are_named(tmp_path):
    """A folder that was copied into another one: half of its labels are wrong."""
    first, second = (tmp_path / wnid for wnid in WNIDS[:2])
    write_tree(tmp_path, 3, 4, (300, 280))
    for path in first.iterdir():
        (second / path.name.replace(first.name, second.name)).write_bytes(path.read_bytes())
    found = [text for text in remarks(ImageNet(), tmp_path) if "copies" in text]
    assert len(found) == 1 and found[0].startswith(
        "4 of 12 files are copies of others, byte for byte, 4 of them of another class: n01443537/n01443537_"
    )


def test_a_view_in_which_all_images_are_one_is_named(three_views):
    content = (three_views / "fog-2" / "00.JPEG").read_bytes()
    for path in (three_views / "fog-2").iterdir():
        path.write_bytes(content)
    (text,) = remarks(Views(), three_views)
    assert text.startswith("in fog-2 31 of 32 files are copies of others, byte for byte: ")


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1)), min_size=1, max_size=9))
def test_copies_are_counted(files):
    """`files`: content and class of each."""
    samples = [Sample(id=f"{at}", targets=(target,)) for at, (_, target) in enumerate(files)]
    said = list(copied_files(samples, {"": {f"{at}": str(content) for at, (content, _) in enumerate(files)}}))
    copies = len(files) - len({content for content, _ in files})
    first = {}
    unlike = sum(first.setdefault(content, target) != target for content, target in files)
    assert bool(said) == (copies > 1 or unlike > 0)
    if said:
        assert said[0].startswith(f"{copies} of {len(files)} files are copies")
        assert (f", {unlike} of them of another class" in said[0]) == (unlike > 0)


def test_an_empty_file_is_refused_before_anything_runs(three_views, tmp_path):
    for name in ("03.JPEG", "39.JPEG"):
        (three_views / "fog-3" / name).write_bytes(b"")
    with pytest.raises(DatasetError, match=r"fog-3/03\.JPEG is empty \(0 bytes\), as are 1 more: .* Get it again"):
        build(Views(), three_views)
    (tmp_path / "plain").mkdir()
    noise(300, 280).save(tmp_path / "plain" / "0.jpg")
    (tmp_path / "plain" / "1.jpg").touch()
    with pytest.raises(DatasetError, match=r"plain/1\.jpg is empty \(0 bytes\): "):
        build(Files(), tmp_path / "plain")


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_an_alpha_channel_is_remarked_on(tmp_path, mode):
    for number in range(3):
        noise(300, 300, mode if number else "RGB").save(tmp_path / f"{number}.png")
    assert remarks(Files(), tmp_path) == ["2 of 3 images looked at have an alpha channel, which is dropped"]


def test_a_transparent_colour_of_a_palette_is_remarked_on(tmp_path):
    noise(300, 300, "L").convert("P").save(tmp_path / "x.png", transparency=3)
    assert remarks(Files(), tmp_path) == ["1 of 1 images looked at have an alpha channel, which is dropped"]


def test_colours_of_sixteen_bits_and_frames_are_remarked_on(tmp_path):
    frames = [noise(300, 300, "L", seed) for seed in range(2)]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    (tmp_path / "y.png").write_bytes(png(np.zeros((300, 300, 3), int), 2).fp.getvalue())
    assert remarks(Files(), tmp_path) == [
        "1 of 2 images looked at have 16 bits in each of several channels, of which the upper 8 are used",
        "1 of 2 images looked at have several frames, of which the first is used",
        "1 of 2 images looked at are PNG, the others GIF",
    ]


def test_a_few_files_of_another_format_are_usual_and_many_are_not(tmp_path):
    for number in range(24):
        noise(300, 300, seed=number).save(tmp_path / f"{number:02d}.img", "PNG" if number < 2 else "JPEG")
    assert remarks(Files(), tmp_path) == []
    noise(300, 300).save(tmp_path / "02.img", "PNG")
    assert remarks(Files(), tmp_path) == ["3 of 24 images looked at are PNG, the others JPEG"]


def test_what_is_no_image_is_left_to_the_decoder(tmp_path):
    (tmp_path / "x.jpg").write_text("this is no image")
    assert remarks(Files(), tmp_path) == []


@pytest.mark.parametrize(("mode", "kind"), [("F", "TIFF"), ("LAB", "TIFF")])
def test_a_mode_that_is_refused_is_refused_before_anything_runs(tmp_path, mode, kind):
    noise(300, 300).save(tmp_path / "a.jpg")
    Image.new(mode, (300, 300)).save(tmp_path / "b.tif", kind)
    with pytest.raises(DatasetError, match=f"image b.tif of files has the mode {mode} .*8-bit RGB or grey .*b.tif"):
        build(Files(), tmp_path)


# --- what is no file -----------------------------------------------------------------------------


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["fifo", "device", "folder"])
@pytest.mark.parametrize("name", ["00.JPEG", "in a view"])
def test_a_fifo_device_or_folder_is_refused_at_once(three_views, kind, name):
    in_view = name == "in a view"
    unseen = max({f"{image:02d}.JPEG" for image in range(40)} - {s.id for s in lowest_hashes(
        Views().samples(three_views), LOOKED_AT)}) if in_view else name  # fmt: skip
    place = three_views / ("fog-2" if in_view else "fog-1") / unseen
    place.unlink()
    {"fifo": os.mkfifo, "device": lambda path: path.symlink_to("/dev/zero"), "folder": os.mkdir}[kind](place)
    dataset, root = (Views(), three_views) if in_view else (Files(), three_views / "fog-1")
    with pytest.raises(DatasetError) as caught:
        build(dataset, root)
    assert str(caught.value) == f"{place} is no regular file, but a folder, FIFO or device. Remove it"


# --- generated images ----------------------------------------------------------------------------


@pytest.mark.parametrize("views", [(), ("fog-1", "fog-2")], ids=["one view", "two views"])
def test_generated_images_are_looked_at_too(tmp_path, views):
    @dataclass(frozen=True, kw_only=True)
    class Generated(Views):
        def views(self):
            return views

        def folder(self, root, view):
            return None

        def samples(self, root):
            return [Sample(id=f"{number}", targets=(0,)) for number in range(9)]

        def image(self, sample):
            return noise(32, 32, "RGBA", seed=int(sample.id))

    seen = len(views) or 9
    assert remarks(Generated(), tmp_path) == [
        f"{seen} of {seen} images looked at have an alpha channel, which is dropped"
    ]
    (said,) = [
        text for text in remarks(Generated(preprocessing=Preprocessing(resize=40, size=32)), tmp_path) if "crop" in text
    ]
    assert said.startswith(f"{seen} of {seen} images looked at are 32 x 32 pixels, the size of the crop")
