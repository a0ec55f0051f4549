"""Boxes of the validation images: files in the published layout, the crop that networks see, and hostile XML."""

import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from harness import Preprocessing
from harness.data.decoding import preprocess
from harness.data.manifest import build
from harness.plugins.datasets._boxes import Annotation, Box, place, read_annotation, shown
from harness.plugins.datasets._imagenet_classes import wnids
from harness.plugins.datasets.imagenet import ImageNet
from harness.plugins.datasets.imagenet_boxes import ImageNetBoxes
from tests.helpers.bounds import bounded
from tests.helpers.trees import refusal

BOXES = ImageNetBoxes()
NAME = "ILSVRC2012_val_{:08}"
KAGGLE = "ILSVRC/Annotations/CLS-LOC/val"
LABELS = {1: wnids()[65], 2: wnids()[970], 3: wnids()[230]}


def written(number, boxes, size=(500, 375), name=None, filename=None):
    """A file as ILSVRC publishes it; `boxes`: (xmin, ymin, xmax, ymax) in pixels, of class `name`."""
    objects = "".join(
        f"""
	<object>
		<name>{name or LABELS[number]}</name>
		<pose>Unspecified</pose>
		<truncated>0</truncated>
		<difficult>0</difficult>
		<bndbox>
			<xmin>{xmin}</xmin>
			<ymin>{ymin}</ymin>
			<xmax>{xmax}</xmax>
			<ymax>{ymax}</ymax>
		</bndbox>
	</object>"""
        for xmin, ymin, xmax, ymax in boxes
    )
    return f"""<annotation>
	<folder>val</folder>
	<filename>{filename or NAME.format(number)}</filename>
	<source>
		<database>ILSVRC_2012</database>
	</source>
	<size>
		<width>{size[0]}</width>
		<height>{size[1]}</height>
		<depth>3</depth>
	</size>
	<segmented>0</segmented>{objects}
</annotation>
"""


def archive(folder, texts, annotations=KAGGLE, size=(500, 375), flat=False):
    """The images of `LABELS` as Kaggle's archive has them, and `texts`: number -> XML; returns the images' folder."""
    root = folder / "ILSVRC/Data/CLS-LOC/val"
    for number, wnid in LABELS.items():
        path = (root if flat else root / wnid) / f"{NAME.format(number)}.JPEG"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (number, 0, 0)).save(path)
    place_of = folder / annotations
    place_of.mkdir(parents=True, exist_ok=True)
    for number, text in texts.items():
        (place_of / f"{NAME.format(number)}.xml").write_bytes(text if isinstance(text, bytes) else text.encode())
    if flat:
        rows = "".join(f"{NAME.format(number)},{wnid} 1 1 2 2 \n" for number, wnid in LABELS.items())
        (folder / "LOC_val_solution.csv").write_text(f"ImageId,PredictionString\n{rows}")
    return root


WHOLE = {1: [(62, 0, 437, 375)], 2: [(0, 0, 500, 375)], 3: [(150, 100, 250, 200), (200, 150, 350, 300)]}


def of(root, dataset=BOXES):
    """Number -> attributes."""
    return {int(s.id[-13:-5]): tuple(float(v) for v in s.attributes if v) for s in dataset.samples(root)}


@pytest.mark.parametrize(
    "annotations",
    [KAGGLE, "ILSVRC/Data/CLS-LOC/val", "Annotations/CLS-LOC/val", "ILSVRC/Data/CLS-LOC/Annotations/CLS-LOC/val"],
    ids=["as Kaggle unpacks", "with the images", "above", "beside"],
)
@pytest.mark.parametrize("flat", [False, True], ids=["class folders", "one folder"])
def test_boxes_are_read_where_the_archives_unpack_them(annotations, flat, tmp_path):
    root = archive(tmp_path, {n: written(n, boxes) for n, boxes in WHOLE.items()}, annotations, flat=flat)
    found = of(root)
    # 500 x 375 is resized to 341 x 256, of which columns 58.5 -> 58 to 282 and rows 16 to 240 are seen
    assert found[2] == pytest.approx((0.5, 0.5, 1))
    left, right = (x * 341 / 500 - 58 for x in (150, 350))
    top, bottom = (y * 256 / 375 - 16 for y in (100, 300))
    size = ((right - left) * (bottom - top)) ** 0.5
    assert found[3] == pytest.approx(((left + right) / 448, (top + bottom) / 448, size / 224), abs=1e-6), "the union"
    assert found[1] == pytest.approx((0.5, 0.5, 1), abs=0.01)


def test_targets_images_and_the_identity_of_imagenet_stay(tmp_path):
    root = archive(tmp_path, {n: written(n, boxes) for n, boxes in WHOLE.items()})
    before = build(ImageNet(), root)
    samples = BOXES.samples(root)
    assert [replace(sample, attributes=()) for sample in samples] == ImageNet().samples(root)
    with_boxes = build(BOXES, root)
    assert with_boxes.digest != before.digest
    (tmp_path / KAGGLE / f"{NAME.format(3)}.xml").write_text(written(3, WHOLE[3][:1]))
    assert build(BOXES, root).digest != with_boxes.digest, "other boxes are another dataset"
    assert build(ImageNet(), root).digest == before.digest
    (tmp_path / KAGGLE / f"{NAME.format(3)}.xml").write_text("no XML")
    assert build(ImageNet(), root).digest == before.digest, "whoever does not need boxes does not read them"


SIDES = st.integers(40, 700)


@given(SIDES, SIDES, st.lists(st.fractions(0, 1, max_denominator=40), min_size=4, max_size=4), st.sampled_from([
    Preprocessing(resize=40, size=32), Preprocessing(resize=32, size=32), Preprocessing(resize=(36, 48), size=32),
]))  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_the_crop_is_that_of_the_decoder(width, height, edges, preprocessing):
    """A white box on black is decoded: where it is in the pixels is where it is said to be, to a pixel and its blur."""
    left, right = sorted(round(width * edge) for edge in edges[:2])
    top, bottom = sorted(round(height * edge) for edge in edges[2:])
    if left == right or top == bottom:
        return
    picture = np.zeros((height, width, 3), np.uint8)
    picture[top:bottom, left:right] = 255
    seen = preprocess(Image.fromarray(picture), preprocessing)[..., 0].astype(float) / 255
    box = Box(Fraction(left, width), Fraction(top, height), Fraction(right, width), Fraction(bottom, height))
    found = shown(box, Annotation(width, height, ()), preprocessing)
    if found is None:
        assert seen.mean() < 0.05
        return
    size = preprocessing.size
    across, down = seen.max(axis=0), seen.max(axis=1)
    for profile, low, high in ((across, found.left, found.right), (down, found.top, found.bottom)):
        inside = np.arange(size) + 0.5
        deep = (inside > low * size + 1.5) & (inside < high * size - 1.5)
        far = (inside < low * size - 1.5) | (inside > high * size + 1.5)
        assert (profile[far] < 0.15).all()
        if seen.max() > 0.9:
            assert (profile[deep] > 0.85).all()


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_places_are_in_the_range_of_the_report(edges):
    (left, right), (top, bottom) = sorted(edges[:2]), sorted(edges[2:])
    if left < right and top < bottom:
        x, y, size = map(float, place(Box(left, top, right, bottom)))
        assert 0 <= x <= 1 and 0 <= y <= 1 and 0 < size <= 1


def test_images_without_a_box_have_no_place_and_a_remark(tmp_path):
    """Missing files, other classes, reversed boxes, boxes outside of the image or of the crop."""
    texts = {
        1: [written(1, [(10, 10, 20, 20)], name="n01440764"), written(1, []), written(1, [(300, 200, 100, 50)])],
        2: [written(2, [(600, 0, 700, 90)]), written(2, [(-50, -50, 0, 0)]), written(2, [(0, 0, 20, 375)])],
    }
    for first, second in zip(texts[1], texts[2], strict=True):
        root = archive(tmp_path, {1: first, 2: second})
        samples = BOXES.samples(root)
        assert {sample.attributes for sample in samples} == {("", "", "")}
        assert "3 of 3 images have no box of their class in the crop" in list(BOXES.remarks(samples))


def test_boxes_that_leave_the_image_are_clipped_and_names_in_words_count(tmp_path):
    root = archive(tmp_path, {1: written(1, [(-40, -9, 620, 400)]), 2: written(2, WHOLE[2], name="Scottish_deerhound")})
    assert of(root) == {1: (0.5, 0.5, 1), 2: (0.5, 0.5, 1), 3: ()}


def test_a_tree_without_annotations_is_refused_with_what_to_get(tmp_path):
    root = archive(tmp_path, {})
    assert "Annotations/CLS-LOC/val" in refusal(BOXES, root)
    assert "Type: mkdir -p" in refusal(BOXES, root)
    assert len(ImageNet().samples(root)) == 3


def test_cropped_copies_are_refused(tmp_path):
    """Annotations are of the published images: of squares cut from them nobody knows where the object is."""
    texts = {n: written(n, boxes) for n, boxes in WHOLE.items()}
    line = refusal(BOXES, archive(tmp_path / "cropped", texts, size=(256, 256)))
    assert "has 256 x 256 pixels" in line and "500 x 375" in line
    for size in ((250, 188), (375, 500)):  # smaller, and on its side
        assert of(archive(tmp_path / f"{size[0]}", texts, size=size))[2] == pytest.approx((0.5, 0.5, 1))


def test_a_crop_for_each_network_is_refused(tmp_path):
    root = archive(tmp_path, {1: written(1, WHOLE[1])})
    assert "an object has one place" in refusal(replace(BOXES, preprocessing=Preprocessing(native=True)), root)


def test_the_report_reads_them(tmp_path, harness):
    archive(tmp_path, {n: written(n, boxes) for n, boxes in WHOLE.items()})
    code, _, error = harness(
        "run", "--registry", "models.yaml", "--data", f"imagenet-boxes={tmp_path}/ILSVRC/Data/CLS-LOC/val",
        "--task", "accuracy@imagenet-boxes", "--models", "plain", "--device", "cpu", "--out", "run",
    )  # fmt: skip
    assert code == 0, error
    code, out, _ = harness("report", "run", "--report", "dataset-bias")
    assert code == 0 and "Where the objects of imagenet-boxes are (3 images)" in out
    assert "3 images, fewer than 20" in out


# --- hostile ---------------------------------------------------------------------------------

ENTITIES = '<!ENTITY l0 "lol">' + "".join(f'<!ENTITY l{k} "{f"&l{k - 1};" * 10}">' for k in range(1, 10))
LAUGHS = f"<!DOCTYPE a [{ENTITIES}]><annotation>&l9;</annotation>"
LONG_ENTITY = f'<!ENTITY a "{"a" * 5000}">'
READS = '<!ENTITY x SYSTEM "file:///etc/passwd">'
GOOD = written(1, WHOLE[1])
HOSTILE = {
    "billion laughs": (LAUGHS, "document type"),
    "quadratic": (f"<!DOCTYPE a [{LONG_ENTITY}]><annotation>{'&a;' * 5000}</annotation>", "document type"),
    "external entity": (f"<!DOCTYPE a [{READS}]><annotation>&x;</annotation>", "document type"),
    "external type": ('<!DOCTYPE annotation SYSTEM "http://127.0.0.1:9/a.dtd"><annotation/>', "document type"),
    "parameter entity": ('<!DOCTYPE a [<!ENTITY % x "y">%x;]><annotation/>', "document type"),
    "UTF-16 laughs": (LAUGHS.encode("utf-16"), "document type"),
    "entity outside of a type": (f"{READS}<annotation>&x;</annotation>", "no XML"),
    "undefined entity": ("<annotation>&lol;</annotation>", "no XML"),
    "other root": ("<html><body/></html>", "its root is 'html'"),
    "empty": ("", "no XML"),
    "truncated": (GOOD[:300], "no XML"),
    "two roots": (GOOD * 2, "no XML"),
    "web page": ("<!DOCTYPE html><html></html>", "document type"),
    "binary": (bytes(range(256)) * 8, "no XML"),
    "null bytes": (GOOD.replace("val<", "v\0l<"), "no XML"),
    "other encoding": ('<?xml version="1.0" encoding="utf-16"?>'.encode("utf-16") + GOOD.encode("utf-16"), "no XML"),
    "encoding that unpacks": ('<?xml version="1.0" encoding="zlib_codec"?><html/>', "its root is 'html'"),
    "unknown encoding": ('<?xml version="1.0" encoding="klingon"?><html/>', "its root is 'html'"),
    "long": (GOOD.replace("val<", f"{'v' * (1 << 20)}<"), "more than 1,048,576 bytes"),
    "deep": ("<annotation>" + "<a>" * 300_000, "no XML"),
    "deep and closed": ("<annotation>" + "<a>" * 100_000 + "</a>" * 100_000 + "</annotation>", "size/width is ''"),
    "wide": ("<annotation>" + "<object/>" * 100_000 + "</annotation>", "size/width is ''"),
    "other image": (written(1, WHOLE[1], filename="ILSVRC2012_val_00000002"), "it is about"),
    "path as name": (written(1, WHOLE[1], filename="../../../etc/passwd"), "it is about"),
    "control characters": (written(1, WHOLE[1], filename="\u202e\u009b31m"), "it is about"),
    "no size": ("<annotation><object/></annotation>", "size/width is ''"),
    "zero size": (written(1, WHOLE[1], size=(0, 375)), "its image has 0 x 375 pixels"),
    "negative size": (written(1, WHOLE[1], size=(-500, 375)), "its image has -500 x 375"),
    "huge size": (written(1, WHOLE[1], size=("9" * 100_000, 375)), "at most six digits"),
    "infinite edge": (written(1, [("inf", 0, 1, 1)]), "xmin is 'inf'"),
    "exponent": (written(1, [(0, 0, "1e400", 1)]), "xmax is '1e400'"),
    "other digits": (written(1, [(0, "\u0663", 9, 9)]), "ymin is"),
    "code": (written(1, [(0, 0, 9, "__import__('os')")]), "ymax is"),
    "no box": (GOOD.replace("bndbox", "polygon"), "bndbox/xmin is ''"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "words"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_xml_is_refused_in_one_line(content, words, tmp_path):
    root = archive(tmp_path, {1: content, 2: written(2, WHOLE[2])})
    with bounded(tmp_path):
        line = refusal(BOXES, root)
    assert words in line and f"{NAME.format(1)}.xml" in line
    assert line.isprintable() and len(line) < 600


@pytest.mark.parametrize("kind", ["FIFO", "folder", "link to a device"])
def test_hostile_files_in_place_of_xml_are_not_opened(kind, tmp_path):
    root = archive(tmp_path, {2: written(2, WHOLE[2])})
    path = tmp_path / KAGGLE / f"{NAME.format(1)}.xml"
    make = {"FIFO": os.mkfifo, "folder": Path.mkdir, "link to a device": lambda link: link.symlink_to("/dev/zero")}
    make[kind](path)
    with bounded(root):
        assert "no regular file" in refusal(BOXES, root)


def test_unreadable_annotations_are_one_line(tmp_path, monkeypatch):
    root = archive(tmp_path, {1: GOOD})
    monkeypatch.setattr("harness.plugins.datasets.imagenet_boxes.read_annotation", _denied)
    assert "Permission denied" in refusal(BOXES, root)


def _denied(path):
    raise PermissionError(13, "Permission denied", str(path))


def test_published_files_are_read(tmp_path):
    path = tmp_path / f"{NAME.format(3)}.xml"
    path.write_text(written(3, WHOLE[3]))
    width, height, boxes = read_annotation(path)
    assert (width, height) == (500, 375)
    assert boxes == tuple((LABELS[3], Box(*box)) for box in WHOLE[3])
