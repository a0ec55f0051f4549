"""The validation set in one folder: labels from the list beside it, and the identity that class folders give."""

import csv
import random
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from harness.data.manifest import build
from harness.data.roots import DataRoots
from harness.fetching.datasets import DatasetFetch
from harness.plugins.datasets._imagenet_classes import VALIDATION_IMAGES, indices, real_labels, wnids
from harness.plugins.datasets.imagenet import ImageNet
from harness.plugins.datasets.imagenet_real import ImageNetReaL
from tests.helpers.bombs import bounded
from tests.helpers.trees import grow, paint, painted, refusal

NUMBERS = (1, 7, 293, 4_000, 49_999, 50_000)
NAME = "ILSVRC2012_val_{:08}"


def label(number):
    """A wnid for an image: some ReaL label of it, else any."""
    return wnids()[next(iter(real_labels()[number - 1]), number % 1000)]


def images(folder, numbers=NUMBERS):
    for number in numbers:
        paint(folder / f"{NAME.format(number)}.JPEG", number)
    return folder


def solution(folder, numbers=NUMBERS, rows=()):
    """Kaggle's list, in an order of its own, an image with two boxes among them."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "LOC_val_solution.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["ImageId", "PredictionString"])
        for number in random.Random(3).sample(numbers, len(numbers)):
            box = f"{label(number)} 85 1 499 272 "
            out.writerow([NAME.format(number), box * (2 if number == 7 else 1)])
        out.writerows(rows)


ORDER = random.Random(5).sample(range(1000), 1000)
"""Column of the class with ILSVRC id 1, 2, …: not the order of the wnids, as in the devkit."""


def devkit(folder, table="meta.mat", lines=VALIDATION_IMAGES):
    """The devkit's ground truth and its table, which also has synsets above the 1,000 classes."""
    folder.mkdir(parents=True, exist_ok=True)
    id_of = {wnids()[column]: place for place, column in enumerate(ORDER, 1)}
    ids = [id_of[label(number)] for number in range(1, lines + 1)]
    (folder / "ILSVRC2012_validation_ground_truth.txt").write_text("".join(f"{number}\n" for number in ids))
    if table == "meta.mat":
        rows = [(place, wnid, "words", 0) for wnid, place in id_of.items()] + [(1001, "n00001740", "entity", 3)]
        kinds = [("ILSVRC2012_ID", object), ("WNID", object), ("words", object), ("num_children", object)]
        savemat(folder / "meta.mat", {"synsets": np.array(rows, dtype=kinds)[:, None]})
    elif table:
        (folder / table).write_text("".join(f"{wnid} {place} some_words\n" for wnid, place in id_of.items()))


def in_class_folders(folder):
    for number in NUMBERS:
        paint(folder / label(number) / f"{NAME.format(number)}.JPEG", number)
    return folder


@pytest.mark.parametrize("dataset", [ImageNet(), ImageNetReaL()], ids=lambda dataset: dataset.name)
@pytest.mark.parametrize("place", ["val", ".", "above"])
def test_kaggles_list_gives_the_identity_of_class_folders(dataset, place, tmp_path):
    root = images(tmp_path / "a" / "b" / "val")
    solution({"val": root, ".": root.parent, "above": tmp_path}[place])
    flat, tree = build(dataset, root), build(dataset, in_class_folders(tmp_path / "tree"))
    assert (flat.digest, flat.remarks) == (tree.digest, tree.remarks)
    assert [(s.id, s.targets) for s in flat.samples] == [(s.id, s.targets) for s in tree.samples]
    for sample in ImageNet().samples(root):
        assert sample.targets == (indices()[label(painted(sample.path)[0])],)


@pytest.mark.parametrize("table", ["meta.mat", "map_clsloc.txt"])
@pytest.mark.parametrize("place", [".", "data", "ILSVRC2012_devkit_t12/data"])
def test_the_devkits_list_gives_the_identity_of_class_folders(table, place, tmp_path):
    root = images(tmp_path / "val")
    devkit(tmp_path / place, table)
    assert build(ImageNet(), root).digest == build(ImageNet(), in_class_folders(tmp_path / "tree")).digest


@pytest.mark.parametrize(
    "changed",
    [
        lambda text: "\ufeff" + text.replace("\r\n", "\n"),
        lambda text: text + "\r\n\r\n",
        lambda text: text.replace("\r\n", "\n\n"),
        lambda text: text.replace(",", " , "),
        lambda text: text.replace(",", ".JPEG,").replace("ImageId.JPEG", "imageid"),
        lambda text: text.replace("ImageId,PredictionString\r\n", ""),
    ],
    ids=["bom and LF", "blank at the end", "blank lines", "blanks", "with suffix", "no header"],
)
def test_a_list_that_went_through_an_editor_is_read(changed, tmp_path):
    root = images(tmp_path / "val")
    solution(tmp_path)
    path = tmp_path / "LOC_val_solution.csv"
    path.write_text(changed(path.read_bytes().decode()), newline="")
    assert [sample.targets for sample in ImageNet().samples(root)] == [
        (indices()[label(painted(sample.path)[0])],) for sample in ImageNet().samples(root)
    ]


def test_blank_lines_at_the_end_of_the_ground_truth_are_no_labels(tmp_path):
    root = images(tmp_path / "val", (1, 50_000))
    devkit(tmp_path, "map_clsloc.txt")
    with (tmp_path / "ILSVRC2012_validation_ground_truth.txt").open("a") as file:
        file.write("\n\n")
    assert len(list(ImageNet().samples(root))) == 2


def test_of_two_lists_the_nearest_is_read(tmp_path):
    root = images(tmp_path / "a" / "val", (1,))
    devkit(tmp_path)
    solution(tmp_path / "a", ())
    assert "LOC_val_solution.csv has no label for" in refusal(ImageNet(), root)


def test_the_list_is_found_from_the_place_of_a_link(tmp_path):
    images(tmp_path / "disk" / "val")
    (tmp_path / "root" / "imagenet").mkdir(parents=True)
    (tmp_path / "root" / "imagenet" / "val").symlink_to(tmp_path / "disk" / "val")
    solution(tmp_path / "root" / "imagenet")
    assert len(list(ImageNet().samples(tmp_path / "root" / "imagenet" / "val"))) == len(NUMBERS)


# --- what is refused, and the way on ----------------------------------------------------------------


def follow(message):
    """The folder after ``--data imagenet=`` at the end of a refusal."""
    return Path(message.rpartition("Type: --data imagenet=")[2])


def test_without_a_list_the_command_that_copies_it_is_named(tmp_path):
    root = images(tmp_path / "data" / "val")
    message = refusal(ImageNet(), root)
    assert "without class folders" in message and "ILSVRC2012_validation_ground_truth.txt and meta.mat" in message
    assert message.endswith(f"Type: cp LOC_val_solution.csv {tmp_path / 'data'}")
    solution(tmp_path / "data")
    assert len(list(ImageNet().samples(root))) == len(NUMBERS)


def test_without_the_devkits_table_it_is_named(tmp_path):
    root = images(tmp_path / "val")
    devkit(tmp_path, table="")
    message = refusal(ImageNet(), root)
    assert "whose order is not that of the wnids" in message
    assert message.endswith(f"Type: cp ILSVRC2012_devkit_t12/data/meta.mat {tmp_path}")
    devkit(tmp_path)
    assert len(list(ImageNet().samples(root))) == len(NUMBERS)


@pytest.mark.parametrize("below", ["val", "ILSVRC/Data/CLS-LOC/val", "CLS-LOC/val"])
def test_the_folder_above_is_recognised(below, tmp_path):
    root = images(tmp_path / below)
    (root.parent / "test").mkdir()
    grow(root.parent, {"train/n01440764": ["n01440764_1.JPEG"]})
    solution(tmp_path)
    assert follow(refusal(ImageNet(), tmp_path)) == root
    assert len(list(ImageNet().samples(root))) == len(NUMBERS)


def test_a_class_folder_is_not_taken_for_the_whole_set(tmp_path):
    images(tmp_path / label(1), (1,))
    solution(tmp_path)
    assert refusal(ImageNet(), tmp_path / label(1)).endswith(f"Type: --data imagenet={tmp_path}")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ((NAME.format(9), "n00000001 1 2 3 4 "), "line 8: expected an image and its wnid"),
        ((NAME.format(9), "n01440764 1 2 3 4 n01443537 1 2 3 4 "), "line 8: expected an image and its wnid"),
        ((NAME.format(9), ""), "line 8: expected an image and its wnid"),
        (("picture.jpg", "n01440764 1 2 3 4 "), "line 8: expected an image and its wnid"),
        ((NAME.format(9),), "line 8: expected an image and its wnid"),
        ((NAME.format(50_001), "n01440764 1 2 3 4 "), "line 8: expected an image and its wnid"),
        ((NAME.format(1), "n15075141 1 2 3 4 "), f"line 8: expected {NAME.format(1)} once"),
    ],
)
def test_a_wrong_line_of_the_list_is_named(row, words, tmp_path):
    root = images(tmp_path / "val")
    solution(tmp_path, rows=[row])
    assert words in refusal(ImageNet(), root)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: devkit(folder, lines=100), "has 100 lines, expected 50,000"),
        (lambda folder: (folder / "meta.mat").write_bytes(b"no table"), "is not the table of the ILSVRC devkit"),
        (lambda folder: savemat(folder / "meta.mat", {"x": 1}), "is not the table of the ILSVRC devkit"),
        (
            lambda folder: ((folder / "meta.mat").unlink(), (folder / "map_clsloc.txt").write_text("n01440764 1 x\n")),
            "does not give each of the 1,000 wnids an id",
        ),
    ],
    ids=["short", "no table", "another table", "part of a table"],
)
def test_a_damaged_devkit_is_named(damage, words, tmp_path):
    root = images(tmp_path / "val", (1,))
    devkit(tmp_path)
    damage(tmp_path)
    assert words in refusal(ImageNet(), root)


def test_an_id_beyond_the_classes_is_named(tmp_path):
    root = images(tmp_path / "val", (1,))
    devkit(tmp_path)
    path = tmp_path / "ILSVRC2012_validation_ground_truth.txt"
    path.write_text(path.read_text().replace("\n", "x\n", 3).replace("x\n", "\n", 2))
    assert "line 3: expected an ILSVRC id from 1 to 1000" in refusal(ImageNet(), root)


def test_an_image_with_another_name_is_named(tmp_path):
    root = images(tmp_path / "val")
    (root / "holiday.jpg").touch()
    (root / "LICENSE.txt").touch()
    solution(tmp_path)
    assert "holiday.jpg is not named as a validation image" in refusal(ImageNet(), root)


def test_a_list_in_a_wrong_order_is_noticed(tmp_path):
    """The devkit's ids taken for columns: hardly any label is a ReaL label."""
    numbers = [number for number in range(1, 401) if real_labels()[number - 1]]
    root = images(tmp_path / "val", numbers)
    rows = [(NAME.format(n), f"{wnids()[ORDER[indices()[label(n)]]]} 1 2 3 4 ") for n in numbers]
    solution(tmp_path, (), rows)
    assert "the tree is scrambled" in refusal(ImageNet(), root)


# --- doctor and fetch ------------------------------------------------------------------------------


def test_fetch_takes_the_complete_folder_as_present(tmp_path, monkeypatch):
    root = tmp_path / "imagenet" / "val"
    images(root)
    roots = DataRoots.parse([str(tmp_path)])
    before = DatasetFetch(ImageNet(), roots).survey()
    assert before.state == "by hand" and "LOC_val_solution.csv" in before.detail
    solution(root.parent)
    assert "6 of 50,000 images" in DatasetFetch(ImageNet(), roots).survey().detail
    monkeypatch.setattr("harness.plugins.datasets.imagenet.VALIDATION_IMAGES", len(NUMBERS))
    assert DatasetFetch(ImageNet(), roots).survey().state == "present"


SUITE = "suites: {mine: {models: [efficientnet-lite0], tasks: ['accuracy@imagenet']}}"


def test_the_doctor_reads_the_folder_or_names_the_list(command_line, tmp_path):
    Path("my.yaml").write_text(SUITE)
    root = images(tmp_path / "root" / "imagenet" / "val")
    asked = ("doctor", "--suite", "mine", "--registry", "my.yaml", "--data", "root")
    code, out, _ = command_line(*asked)
    assert code == 1 and "LOC_val_solution.csv" in out
    solution(root.parent)
    code, out, _ = command_line(*asked)
    assert code == 0 and "6 of 50,000 images" in " ".join(out.split())


def bomb(folder):
    """A table whose one compressed element is 40 MB unpacked."""
    packed = zlib.compress(bytes(40 << 20), 1)
    header = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    (folder / "meta.mat").write_bytes(header + struct.pack("<II", 15, len(packed)) + packed)


HOSTILE = {
    "table-that-unpacks": (bomb, "its content is longer than"),
    "table-of-another-version": (lambda folder: (folder / "meta.mat").write_bytes(bytes(4096)), "of version 5"),
    "id-of-many-digits": (lambda folder: rewrite(folder, "9" * 5000), "line 1: expected an ILSVRC id"),
    "cell-of-many-letters": (lambda folder: solution(folder, rows=[("x" * 200_000, "y")]), "cannot read"),
}


def rewrite(folder, first):
    path = folder / "ILSVRC2012_validation_ground_truth.txt"
    path.write_text("\n".join([first, *path.read_text().splitlines()[1:]]))


@pytest.mark.parametrize(("damage", "words"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_list_of_labels_costs_one_line(damage, words, tmp_path):
    root = images(tmp_path / "val", (1,))
    devkit(tmp_path)
    damage(tmp_path)
    message = bounded(lambda: refusal(ImageNet(), root))
    assert words in message and "TRACEBACK" not in message and "\n" not in message
