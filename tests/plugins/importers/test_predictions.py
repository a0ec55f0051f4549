"""Predictions of networks on the validation images: files, what is refused, and the way to measures."""

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from harness import RequestError, Sample, read_trials
from harness.plugins.datasets._imagenet_classes import indices, real_labels, wnids
from harness.plugins.datasets._imagenet_x import FACTORS
from harness.plugins.datasets.imagenet_real import ImageNetReaL
from harness.plugins.importers import predictions as module
from harness.plugins.importers.predictions import Predictions
from tests.helpers.votes import write_published, write_raters

READ = Predictions().read_beside
HEADER = ("file_name", "predicted_class", "predicted_probability", "label")
ROWS = (
    ("ILSVRC2012_val_00000001.JPEG", 65, 0.9, 65),
    ("ILSVRC2012_val_00000002.JPEG", 795, 0.5, 970),  # a ReaL label, not the original one
    ("ILSVRC2012_val_00000003.JPEG", 0, 0.25, 230),
)


def write(path, rows=ROWS, header=HEADER):
    with Path(path).open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return Path(path)


def by_task(table):
    return {(entry.layout.task, entry.observer): entry for entry in table.decisions}


def test_a_file_becomes_decisions_on_each_set_of_validation_images(tmp_path):
    table = READ(write(tmp_path / "net.csv"), {})
    entries = by_task(table)
    plain, real = entries["accuracy@imagenet", "net"], entries["accuracy@imagenet-real", "net"]
    order = [int(name[-13:-5]) for name in plain.layout.sample_ids]
    assert plain.layout.sample_ids[0] == f"{wnids()[65]}/ILSVRC2012_val_00000001.JPEG"
    assert list(plain.layout.sample_ids) == sorted(plain.layout.sample_ids)
    of = {number: row for number, row in enumerate(ROWS, 1)}
    assert plain.top5[:, 0, 0].tolist() == [of[number][1] for number in order]
    assert plain.probability[:, 0].tolist() == [of[number][2] for number in order]
    assert plain.layout.targets[:, 0].tolist() == [of[number][3] for number in order]
    labelled = [number for number in order if real_labels()[number - 1]]
    targets = [tuple(label for label in row if label >= 0) for row in real.layout.targets.tolist()]
    assert targets == [real_labels()[number - 1] for number in labelled]
    assert table.remarks[0] == "predictions of 3 of 50,000 validation images"
    assert table.remarks[1].startswith("without people's votes: harness fetch --datasets imagenet-votes")


def test_numbers_names_wnids_and_other_spellings_are_the_same(tmp_path):
    plain = READ(write(tmp_path / "net.csv"), {})
    rows = [(number, wnids()[row[1]], row[2], wnids()[row[3]]) for number, row in enumerate(ROWS, 1)]
    others = [
        write(tmp_path / "a.csv", rows, ("Image", "class", "confidence", "target")),
        write(
            tmp_path / "b.csv",
            [("net", *row) for row in rows],
            ("model", "filename", "prediction", "probability", "label"),
        ),
        write(tmp_path / "c.csv", [*map(list, ROWS), []][::-1]),
    ]
    for path in others:
        for mine, other in zip(plain.decisions, READ(path, {}).decisions, strict=True):
            assert other.layout.task == mine.layout.task and other.layout.sample_ids == mine.layout.sample_ids
            assert np.array_equal(other.top5, mine.top5) and np.array_equal(other.probability, mine.probability)
            assert np.array_equal(other.layout.targets, mine.layout.targets)


def test_several_networks_in_a_folder_and_without_probabilities(tmp_path):
    write(tmp_path / "a.csv")
    write(tmp_path / "b.csv", [(*row[:2], "", row[3]) for row in ROWS])
    write(tmp_path / "c.csv", [row[:2] for row in ROWS], HEADER[:2])  # the labels of the others
    entries = by_task(READ(tmp_path, {}))
    assert {name for _, name in entries} == {"a", "b", "c"}
    assert entries["accuracy@imagenet", "b"].probability is None
    assert np.array_equal(
        entries["accuracy@imagenet", "c"].layout.targets, entries["accuracy@imagenet", "a"].layout.targets
    )


def test_labels_of_the_images_at_hand(tmp_path, monkeypatch):
    """Those of the dataset's folder; without any, one line says where they may come from."""
    path = write(tmp_path / "net.csv", [row[:2] for row in ROWS], HEADER[:2])
    samples = [Sample(id=f"{wnids()[row[3]]}/{row[0]}", targets=(row[3],), path=tmp_path) for row in ROWS]
    monkeypatch.setattr(module, "validation_samples", lambda root, dataset: samples if root == Path("there") else [])
    monkeypatch.setattr(module, "validation_labels", dict)
    table = READ(path, {"imagenet": Path("there")})
    assert sorted(table.decisions[0].layout.targets[:, 0].tolist()) == [65, 230, 970]
    with pytest.raises(
        RequestError, match=r"no label of image 1: .* Type: --data imagenet=DIR, or pip install imagenet-x"
    ):
        READ(path, {})


def test_votes_on_few_images_and_no_judgements_are_told(tmp_path):
    """The answers of the experts are published in a file of the same kind."""
    rows = [(number, 1, 0.5, (real_labels()[number - 1] or (0,))[0]) for number in range(1, 31)]
    write_raters(tmp_path / "votes", [(7, 1, (0, 0, 5)), (9, 2, (5, 0, 0))])
    remarks = READ(write(tmp_path / "net.csv", rows, NAMED), {"imagenet-votes": tmp_path / "votes"}).remarks
    (few,) = [remark for remark in remarks if remark.startswith("votes on")]
    assert few.startswith("votes on 2 of 30 images, published are votes on 24,889 of 50,000: is raters.npz the pub")
    assert any(remark.startswith("no judgements of experts on these images") for remark in remarks)


def test_labels_of_the_package_where_the_folder_holds_some_images(tmp_path, monkeypatch):
    path = write(tmp_path / "net.csv", [row[:2] for row in ROWS], HEADER[:2])
    some = [Sample(id=f"{wnids()[65]}/{ROWS[0][0]}", targets=(65,), path=tmp_path)]
    monkeypatch.setattr(module, "validation_samples", lambda root, dataset: some)
    monkeypatch.setattr(module, "validation_labels", lambda: {1: 65, 2: 970, 3: 230})
    table = READ(path, {"imagenet": Path("there")})
    assert sorted(table.decisions[0].layout.targets[:, 0].tolist()) == [65, 230, 970]


def test_labels_that_are_not_those_of_the_images_are_told_or_refused(tmp_path, monkeypatch):
    """A few may be meant; labels counted from 1 are not."""
    rows = [(number, 1, 0.5, number) for number in range(1, 11)]
    monkeypatch.setattr(module, "validation_labels", lambda: {number: number for number in range(1, 11)})
    assert not [remark for remark in READ(write(tmp_path / "net.csv", rows, NAMED), {}).remarks if "labels" in remark]
    some = [(*row[:3], 7) if row[0] in (4, 5, 7) else row for row in rows]
    told = READ(write(tmp_path / "net.csv", some, NAMED), {}).remarks[1]
    assert told == (
        "the labels of 2 of 10 images are not those of the ImageNet validation set, as 7 of image 4, which is 4"
    )
    shifted = [(*row[:3], row[3] + 1) for row in rows]
    with pytest.raises(RequestError, match=r"of 10 of 10 images .* as 2 of image 1, which is 1; correct the column"):
        READ(write(tmp_path / "net.csv", shifted, NAMED), {})


def test_labels_and_factors_of_the_package(tmp_path):
    pytest.importorskip("imagenet_x")
    path = write(tmp_path / "net.csv", [row[:2] for row in ROWS], HEADER[:2])
    entries = by_task(READ(path, {}))
    assert sorted(entries["accuracy@imagenet", "net"].layout.targets[:, 0].tolist()) == [65, 230, 970]
    layout = entries["accuracy@imagenet-x", "net"].layout
    assert set(layout.attributes) == {"factor", "factors", "metaclass", "prototype"}
    assert len(layout.sample_ids) == 3 and set(layout.attributes["factor"]) <= {*FACTORS, ""}


NAMED = ("image", "class", "probability", "target")
REFUSED = {
    "image-twice": ([ROWS[0], ROWS[0]], HEADER, "row 3: image 1 occurs twice"),
    "image-0": ([(0, 1, 0.5, 1)], NAMED, "image '0' is neither a number from 1 to 50,000"),
    "image-50001": ([("ILSVRC2012_val_00050001.JPEG", 1, 0.5, 1)], NAMED, "image 'ILSVRC2012_val_00050001.JPEG'"),
    "image-of-training": ([("n01440764_18.JPEG", 1, 0.5, 1)], NAMED, "is neither a number"),
    "image-is-long": ([("9" * 400, 1, 0.5, 1)], NAMED, "is neither a number"),
    "class-1000": ([(1, 1000, 0.5, 1)], NAMED, "row 2: class '1000' is neither a class from 0 to 999"),
    "class-negative": ([(1, -1, 0.5, 1)], NAMED, "class '-1'"),
    "class-is-a-name": ([(1, "tench", 0.5, 1)], NAMED, "class 'tench'"),
    "class-is-long": ([(1, "0" * 9, 0.5, 1)], NAMED, "class '000000000'"),
    "class-is-a-fraction": ([(1, "3.0", 0.5, 1)], NAMED, r"class '3\.0'"),
    "digits-of-another-script": ([(1, "٣", 0.5, 1)], NAMED, "class"),
    "target-1000": ([(1, 1, 0.5, 1000)], NAMED, "target '1000'"),
    "target-empty": ([(1, 1, 0.5, "")], NAMED, "target ''"),
    "probability-in-percent": ([(1, 1, 93, 1)], NAMED, "probability '93'; expected a number above 0 and at most 1"),
    "probability-0": ([(1, 1, 0, 1)], NAMED, "probability '0'"),
    "probability-nan": ([(1, 1, "nan", 1)], NAMED, "probability 'nan'"),
    "probability-is-a-word": ([(1, 1, "high", 1)], NAMED, "probability 'high'"),
    "no-class": ([(1, 1)], ("image", "label"), "expected class: class or predicted_class or prediction"),
    "semicolons": ([("1;1",)], ("image;class",), "expected image: .*; separate the columns by commas"),
    "no-columns": ([], (), "has the columns none; expected image"),
    "classes-twice": ([(1, 1, 1)], ("image", "class", "prediction"), "2 columns for class"),
    "no-rows": ([], NAMED, "has a header and no predictions"),
    "short-row": ([(1, 1)], NAMED, "row 2: 2 cells, expected 4"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_hostile_files_are_refused_with_one_line(tmp_path, case):
    rows, header, reason = REFUSED[case]
    with pytest.raises(RequestError, match=reason) as caught:
        READ(write(tmp_path / "net.csv", rows, header), {})
    assert "\n" not in str(caught.value) and caught.value.exit_code == 2


def test_files_that_do_not_fit_each_other(tmp_path):
    write(tmp_path / "a.csv")
    write(tmp_path / "b.csv", ROWS[:2])
    with pytest.raises(RequestError, match="b has 2 images and a 3: image 3 is only in a"):
        READ(tmp_path, {})
    write(tmp_path / "b.csv", [(*row[:3], 1) for row in ROWS])
    with pytest.raises(RequestError, match="image 1 has the label 65, but 1 in b"):
        READ(tmp_path, {})
    write(tmp_path / "b.csv", [("a", *row) for row in ROWS], ("model", *HEADER))
    with pytest.raises(RequestError, match=r"a is in .*a\.csv and in .*b\.csv"):
        READ(tmp_path, {})
    (tmp_path / "empty").mkdir()
    with pytest.raises(RequestError, match=r"has no \.csv file"):
        READ(tmp_path / "empty", {})
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\0\0")
    with pytest.raises(RequestError, match="cannot be read as CSV text"):
        READ(tmp_path / "binary.csv", {})


def test_labels_in_another_order_are_refused(tmp_path):
    """Labels that hardly ever are among the ReaL labels are not those of these images."""
    rows = [(number, 0, 0.5, (real_labels()[number - 1] or (0,))[0]) for number in range(1, 601)]
    READ(write(tmp_path / "net.csv", rows, NAMED), {})
    shifted = [(number, chosen, p, (target + 1) % 1000) for number, chosen, p, target in rows]
    with pytest.raises(RequestError, match="the tree is scrambled"):
        READ(write(tmp_path / "net.csv", shifted, NAMED), {})


def test_from_file_to_measures(tmp_path, command_line):
    """Calibration of first choices needs no other probability."""
    write("net.csv")
    code, _, err = command_line("import", "predictions", "net.csv", "--out", "run")
    assert code == 0 and "predictions of 3 of 50,000 validation images" in err
    trials = read_trials("run", "accuracy@imagenet", "net")
    assert np.isnan(trials.logp[:, :, 1:]).all()
    assert sorted(np.exp(trials.logp[:, 0, 0].astype(float)).round(3).tolist()) == [0.25, 0.5, 0.9]
    code, out, _ = command_line("report", "run", "--format", "json")
    data = json.loads(out)
    measures = data["models"][0]["measures"]
    assert measures["top1@imagenet"] == pytest.approx(1 / 3)
    assert measures["ece@imagenet"] == pytest.approx((0.1 + 0.5 + 0.25) / 3, abs=1e-3)
    assert measures["brier-top1@imagenet"] == pytest.approx((0.1**2 + 0.5**2 + 0.25**2) / 3, abs=1e-3)
    assert measures["top5@imagenet"] is None
    assert any("3 of 50,000" in warning for warning in data["warnings"])
    assert command_line("verify", "run")[0] == 0
    code, _, err = command_line("import", "predictions", "net.csv", "--out", "run")
    assert code == 2 and "run holds a run already, and what is imported needs a new folder" in err
    code, _, err = command_line("import", "predictions", write("bad.csv", [(1, 1, 2, 1)], NAMED), "--out", "bad")
    assert code == 2 and len(err.strip().splitlines()) == 1 and not Path("bad").exists()


def test_predictions_on_other_images_are_not_compared_without_a_word(tmp_path, command_line):
    write("a.csv")
    write("b.csv", ROWS[:2])
    write("c.csv", [(*row[:2], 0.8, row[3]) for row in ROWS])
    for name in "abc":
        assert command_line("import", "predictions", f"{name}.csv", "--out", name)[0] == 0
    data = json.loads(command_line("report", "a", "b", "c", "--format", "json")[1])
    unlike = {m["name"] for m in data["models"] if m["details"]["top1@imagenet"].get("comparable") is False}
    assert unlike == {"b"}
    assert any(
        "cannot be compared with a, c: dataset.samples changed: 3 (sha256 " in warning for warning in data["warnings"]
    )


def test_ids_and_targets_are_those_of_the_datasets(tmp_path):
    root = tmp_path / "val"
    for number, row in enumerate(ROWS, 1):
        folder = root / wnids()[row[3]]
        folder.mkdir(parents=True)
        (folder / f"ILSVRC2012_val_{number:08}.JPEG").write_bytes(b"")
    samples = ImageNetReaL().samples(root)
    entries = by_task(READ(write(tmp_path / "net.csv"), {}))
    layout = entries["accuracy@imagenet-real", "net"].layout
    assert layout.sample_ids == tuple(sample.id for sample in samples)
    assert [tuple(t for t in row if t >= 0) for row in layout.targets.tolist()] == [
        sample.targets for sample in samples
    ]
    assert all(name.partition("/")[0] in indices() for name in layout.sample_ids)


# --- published predictions, by the product's own commands ------------------------------------

VOTED = {
    # error, voted, accepted (yes), (yes or maybe), in ReaL, rectified (yes), (yes or maybe), ReaL top-1
    "ResNet50": (0.23870, 0.98877, 0.18998, 0.33353, 0.30373, 0.19386, 0.15998, 0.82958),
    "DINO": (0.23246, 0.87938, 0.21064, 0.36650, 0.29622, 0.18940, 0.15754, 0.82800),
    "ViT": (0.21994, 0.83368, 0.24476, 0.41885, 0.32409, 0.17506, 0.14314, 0.83987),
    "SimCLR": (0.31858, 0.81248, 0.16134, 0.29918, 0.22092, 0.27682, 0.24114, 0.75652),
}
COLUMNS = (
    "error@imagenet-votes",
    "voted@imagenet-votes",
    "accepted-mistakes@imagenet-votes",
    "accepted-mistakes-or-maybe@imagenet-votes",
    "mistakes-in-real@imagenet-votes",
    "rectified-error@imagenet-votes",
    "rectified-error-or-maybe@imagenet-votes",
    "top1@imagenet-real",
)


def write_predictions(folder, real):
    """The published predictions of four networks as the authors' files have them, with labels."""
    with np.load(real / "more" / "imagenet_x_predictions.npz") as arrays:
        models, targets, predicted, stated = (arrays[name] for name in ("models", "target", "predicted", "probability"))
    folder.mkdir(parents=True)
    names = [f"ILSVRC2012_val_{number:08}.JPEG" for number in range(1, len(targets) + 1)]
    for model, chosen, probability in zip(models.tolist(), predicted, stated, strict=True):
        rows = zip(names, chosen.tolist(), probability.astype(float).tolist(), targets.tolist(), strict=True)
        write(folder / f"{model}.csv", rows)


@pytest.mark.slow
def test_the_published_predictions_give_the_published_numbers(real, tmp_path, command_line):
    """All 32 numbers of votes, to five digits, and 16 ratios of four networks as in the published accuracies."""
    write_predictions(tmp_path / "predictions", real)
    (tmp_path / "data" / "imagenet-votes").mkdir(parents=True)
    write_published(tmp_path / "data" / "imagenet-votes" / "raters.npz", real)
    code, _, err = command_line("import", "predictions", "predictions", "--data", "data", "--out", "run")
    assert code == 0, err
    code, out, _ = command_line("report", "run", "--format", "json")
    models = {model["name"]: model["measures"] for model in json.loads(out)["models"]}
    assert {name: tuple(round(of[column], 5) for column in COLUMNS) for name, of in models.items()} == VOTED
    assert {name: of["real-top1@imagenet-votes"] for name, of in models.items()} == {
        name: of["top1@imagenet-real"] for name, of in models.items()
    }
    with gzip.open(real / "more" / "imagenet_x_results" / "top-base-class.csv.gz", "rt") as file:
        published = {row["model"].lower(): row for row in csv.DictReader(file)}
    assert len(published) == 4
    for name, of in models.items():
        (row,) = [row for key, row in published.items() if key.startswith(name.lower()[:3])]
        assert of["error@imagenet-x"] == pytest.approx(1 - float(row["average"]), abs=1e-12)
        for factor in FACTORS:
            ratio = (1 - float(row[factor])) / (1 - float(row["average"]))
            assert of[f"error-ratio@imagenet-x/{factor}"] == pytest.approx(ratio, rel=1e-12), (name, factor)
    printed = (0.6947, 1.1417, 0.7714, 1.1888, 1.4974, 1.7442, 1.1324, 2.1055, 2.3939, 1.3159, 1.7150, 1.9233, 2.1713)
    ratios = [round(models["ResNet50"][f"error-ratio@imagenet-x/{factor}"], 4) for factor in FACTORS]
    assert ratios == [*printed, 1.9280, 1.1664, 1.9739]
