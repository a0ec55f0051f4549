"""The annotations of ImageNet-X: the published ones by the number of the image, or one line that says what is wrong."""

import csv
import os
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from harness import Preprocessing, Sample
from harness.plugins.datasets import _imagenet_x as package
from harness.plugins.datasets._imagenet_classes import wnids
from harness.plugins.datasets.imagenet import ImageNet
from harness.plugins.datasets.imagenet_x import ImageNetX
from tests.helpers import imagenet_x
from tests.helpers.bounds import bounded
from tests.helpers.trees import grow, refusal

DATASET = ImageNetX()
PIP = "Type: pip install 'bias-harness[imagenet-x]'"
PLAIN = {wnids()[65]: [1], wnids()[970]: [2], wnids()[230]: [3]}


def file_name(number):
    return f"ILSVRC2012_val_{number:08}.JPEG"


def tree(root, images=PLAIN):
    """Empty files: wnid -> numbers."""
    return grow(root / "val", {wnid: [file_name(number) for number in numbers] for wnid, numbers in images.items()})


@pytest.fixture
def wheel():
    """The folder of the annotations in the installed package."""
    spec = find_spec("imagenet_x")
    if spec is None:
        pytest.skip("the extra `imagenet-x` is not installed")
    return Path(spec.submodule_search_locations[0], "annotations")


@pytest.fixture
def other_package(tmp_path, monkeypatch):
    """The folder of the annotations in a package of that name, empty; it says so if anyone imports it."""
    folder = tmp_path / "site" / "imagenet_x" / "annotations"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(folder.parent.parent)
    return folder


# --- the published annotations ---------------------------------------------------------------


def test_annotations_are_those_of_the_published_table(real, wheel):
    table, annotations = imagenet_x.annotations(real), package.annotated_images()
    assert annotations.keys() == set(table.images.tolist()) and len(annotations) == package.ANNOTATED
    rows = [annotations[number] for number in table.images.tolist()]
    assert [row.target for row in rows] == table.targets.tolist()
    for name in ("factor", "factors", "prototype"):
        assert tuple(getattr(row, name) for row in rows) == getattr(table, name)
    assert Counter(row.prototype for row in rows) == {"": 46_110, "1": 2758}
    assert sum(not row.factor for row in rows) == 2
    assert {row.factor for row in rows} - {""} == set(package.FACTORS) == set(imagenet_x.FACTORS)
    assert "imagenet_x" not in sys.modules


def test_metaclasses_give_the_published_accuracies(real, wheel):
    """A decision for a class of the right group counts; the classes of the groups are read from the package."""
    annotations = package.annotated_images()
    with (wheel / "imagenet_1k_classes_to_100_metaclasses.csv").open() as file:
        groups = [name if name in package.METACLASSES else "other" for _, name, _ in csv.reader(file)][1:]
    counted = {number: row for number, row in annotations.items() if not row.prototype}
    assert {row.metaclass for row in counted.values()} == set(package.METACLASSES)
    published = imagenet_x.published_accuracies(real, "top-base-metaclass.csv.gz")
    for network, decisions in imagenet_x.predictions(real).items():
        right = [groups[decisions[number - 1]] == row.metaclass for number, row in counted.items()]
        assert np.mean(right) == pytest.approx(published[network]["average"], rel=1e-14)


def test_annotations_follow_the_number_wherever_the_file_lies(tmp_path, real, wheel):
    samples = DATASET.samples(tree(tmp_path, {**PLAIN, wnids()[0]: [4]}))
    table = imagenet_x.annotations(real)
    assert table.images[:4].tolist() == [1, 2, 3, 4]
    assert {sample.id.rpartition("/")[2]: sample.attributes[:2] for sample in samples} == {
        file_name(number): (table.factor[number - 1], table.factors[number - 1]) for number in range(1, 5)
    }
    assert [*DATASET.remarks(samples)] == [
        "4 of 48,868 annotated images (partial tree)",
        f"1 of 4 images are not in the folder of their annotated class, as {wnids()[0]}/{file_name(4)}",
    ]


def test_images_without_annotation_are_left_out(tmp_path, wheel):
    without = next(number for number in range(1, 50_001) if number not in package.annotated_images())
    root = tree(tmp_path, {**PLAIN, wnids()[5]: [without]})
    assert len(ImageNet().samples(root)) == 4 and len(DATASET.samples(root)) == 3


def test_a_complete_set_is_not_remarked_on(wheel):
    samples = [
        Sample(id=f"{wnids()[row.target]}/{file_name(number)}", targets=(row.target,))
        for number, row in package.annotated_images().items()
    ]
    assert [*DATASET.remarks(samples)] == []


def test_parameters():
    assert (DATASET.name, DATASET.path, DATASET.version) == ("imagenet-x", "imagenet/val", 1)
    assert DATASET.preprocessing == Preprocessing(resize=256, size=224)
    assert DATASET.attributes == ("factor", "factors", "metaclass", "prototype")
    assert DATASET.release().images == 48_868 and "CC BY-NC" in DATASET.release().license
    assert len(DATASET.label_space().classes) == 1000


# --- what is wrong ---------------------------------------------------------------------------


def line_of(root):
    """The one line with which the annotations are refused."""
    with pytest.raises(package.DatasetError) as caught:
        DATASET.samples(root)
    assert caught.value.exit_code == 2 and str(caught.value).isprintable()
    return str(caught.value)


def test_without_the_package_the_line_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setattr(package, "find_spec", lambda name: None)
    line = line_of(tree(tmp_path))
    assert "imagenet-x, which is not installed" in line and line.endswith(PIP)


def test_a_folder_of_that_name_is_not_the_package(tmp_path, monkeypatch):
    (tmp_path / "here" / "imagenet_x").mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "here")])
    assert line_of(tmp_path).endswith(PIP)


def test_images_with_other_names_are_refused(tmp_path, wheel):
    root = grow(tmp_path / "val", {wnids()[0]: ["tench.JPEG"]})
    assert "not named as a validation image" in refusal(DATASET, root)


@pytest.mark.parametrize("kind", ["absent", "FIFO", "folder", "device", "empty", "endless", "bomb", "other factors"])
def test_hostile_annotations(kind, tmp_path, other_package):
    """Refused in one line before anything of them is looked at; the package is not imported."""
    path = other_package / "imagenet_x_val_top_factor.jsonl"
    line = b'{"file_name":"ILSVRC2012_val_00000001.JPEG","class":65,"justification":""}\n'
    make = {
        "absent": lambda: None,
        "FIFO": lambda: os.mkfifo(path),
        "folder": path.mkdir,
        "device": lambda: path.symlink_to("/dev/zero"),
        "empty": path.touch,
        "endless": lambda: os.truncate(_touched(path), 1 << 40),
        "bomb": lambda: path.write_bytes(b'{"file_name":' + b"[" * 1_000_000),
        "other factors": lambda: path.write_bytes(line * 200),
    }
    make[kind]()
    root = tree(tmp_path)
    with bounded(root):
        line = line_of(root)
    assert str(path) in line and line.endswith("Type: pip install --force-reinstall --no-deps imagenet-x==0.0.7")
    assert "imagenet_x" not in sys.modules and len(line) < 600


def _touched(path):
    path.touch()
    return path


@pytest.mark.parametrize("name", [package._TOP, package._MULTI, package._PROTOTYPES, package._GROUPS])
def test_hostile_changes_of_one_byte_are_noticed(name, tmp_path, wheel, other_package):
    """An image moved to another factor, class or list: nothing else would tell."""
    for published in package._PUBLISHED:
        (other_package / published).symlink_to(wheel / published)
    content = bytearray((wheel / name).read_bytes())
    content[len(content) // 2] ^= 1
    (other_package / name).unlink()
    (other_package / name).write_bytes(content)
    with bounded(other_package):
        assert f"{name} is not that of imagenet-x 0.0.7" in line_of(tmp_path)


def test_injected_errors_of_the_disk_are_one_line(tmp_path, other_package, monkeypatch):
    def failing(path, most):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(package, "_beginning", failing)
    assert "Permission denied" in line_of(tree(tmp_path))
