"""Errors of adversarially trained networks and people: means by hand, published values, and what is refused."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from harness.plugins.importers.adversarial_training_vs_humans import STUDIED, AdversarialTrainingVsHumans
from harness.plugins.importers.paper import GROUPS
from tests.helpers.bounds import bounded
from tests.helpers.command import completed
from tests.helpers.hostile_archives import ARCHIVES, tar
from tests.helpers.human_likeness import (
    ACCURACY,
    CONSISTENCY,
    OBSERVERS,
    SETS,
    accuracy,
    archive,
    consistency,
    rows_of,
    tables,
    write_folder,
)

FORM = "adversarial-training-vs-humans"
READ = AdversarialTrainingVsHumans().read
MEAN = "human-error-consistency@model-vs-human"


def by_name(table):
    return {model.name: model for model in table.models}


def values(table):
    return {model.name: {name: measure.value for name, measure in model.measures.items()} for model in table.models}


def test_means_are_over_conditions_and_then_over_sets(tmp_path):
    found = values(READ(write_folder(tmp_path / "raw-results", tables())))
    for observer in OBSERVERS:
        own = found[STUDIED.get(observer, observer)]
        for measure, value in (("ood-accuracy", accuracy), ("human-error-consistency", consistency)):
            sets = {
                name: np.mean([float(row[2]) for row in rows_of(name, value) if row[0] == observer]) for name in SETS
            }
            assert own[f"{measure}@model-vs-human"] == pytest.approx(np.mean(list(sets.values())), abs=1e-12)
            assert own[f"{measure}@geirhos-eidoloniii"] == pytest.approx(sets["eidolonIII"], abs=1e-12)
            # Sets have two to eight conditions: a mean over all conditions alike is another number.
            alike = np.mean([float(row[2]) for name in SETS for row in rows_of(name, value) if row[0] == observer])
            assert abs(own[f"{measure}@model-vs-human"] - alike) > 1e-3
        assert len(own) == 26


def test_the_15_networks_of_the_study_have_its_names():
    assert sorted(STUDIED.values()) == sorted(GROUPS["adversarial_training"])
    assert STUDIED["resnet50_linf_eps4"] == "robust_resnet50_linf_eps4.0"
    assert STUDIED["resnet50_l2_eps0_25"] == "robust_resnet50_l2_eps0.25"
    assert STUDIED["resnet50_l2_eps0"] == "robust_resnet50_l2_eps0"


def test_an_archive_is_its_folder_whatever_the_folder_is_called(tmp_path):
    expected = values(READ(write_folder(tmp_path / "published" / "raw-results", tables())))
    assert values(READ(tmp_path / "published")) == expected
    for at, folder in enumerate(("raw-results/", "", "./adversarial_training_vs_humans-main/raw-results/")):
        for pack in (bytes, gzip.compress):
            path = tmp_path / f"{at}.tar"
            path.write_bytes(pack(archive(tables(), folder)))
            assert values(READ(path)) == expected


def test_files_that_name_no_set_are_not_read(tmp_path):
    expected = values(READ(write_folder(tmp_path / "a", tables())))
    others = {f"{ACCURACY}.csv": "not, a table", f"{CONSISTENCY}.csv": "", "human_like_results.csv": "model\nx\n"}
    table = READ(write_folder(tmp_path / "b", tables(others)))
    assert values(table) == expected
    (note,) = by_name(table)["resnet18_l2_eps0_01"].measures[MEAN].flags
    assert "files that name no set are not read" in note


def test_people_are_no_network(tmp_path):
    table = READ(write_folder(tmp_path / "raw-results", tables()))
    humans, network = by_name(table)["humans"], by_name(table)["resnet18_l2_eps0_01"]
    assert (humans.group, network.group, table.biases) == (None, None, {})
    assert humans.measures[MEAN].flags[1] == "note: of people with one another"
    assert (humans.measures[MEAN].n, network.measures[MEAN].n) == (None, 14_880)
    assert network.measures["ood-accuracy@geirhos-rotation"].n == 1_280
    assert table.axes == {"Human-likeness": (MEAN,)}


def test_published_values(real):
    table = READ(real / "more" / "adversarial_training_vs_humans.tar.gz")
    found = values(table)
    assert len(found) == 50
    assert sum(name in GROUPS["adversarial_training"] for name in found) == 15
    prefix = "robust_resnet50_"
    golden = {"humans": 0.3738, f"{prefix}linf_eps4.0": 0.2376, f"{prefix}linf_eps8.0": 0.2315}
    golden[f"{prefix}l2_eps3"] = 0.2231
    assert {name: round(found[name][MEAN], 4) for name in golden} == golden
    golden = {f"{prefix}l2_eps0": 0.5830, f"{prefix}l2_eps3": 0.5349, f"{prefix}linf_eps4.0": 0.5333}
    assert {name: round(found[name]["ood-accuracy@model-vs-human"], 4) for name in golden} == golden


def test_beside_the_study_of_48_networks_it_is_an_axis_of_15(real, tmp_path):
    files = {FORM: real / "more" / "adversarial_training_vs_humans.tar.gz", "paper": real / "paper" / "benchmark.csv"}
    for form, file in files.items():
        done = completed(["import", form, file, "--out", form], tmp_path)
        assert done.returncode == 0, done.stderr
    done = completed(["report", "paper", FORM, "--format", "json"], tmp_path)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    axis = {model["name"] for model in document["models"] if model["axes"]["Human-likeness"] is not None}
    assert len(document["models"]) == 70 + 50 - 15
    studied = {model["name"] for model in document["models"] if model["group"]}
    assert axis & studied == set(GROUPS["adversarial_training"])
    entry = next(
        entry
        for entry in document["correlations"]
        if (entry["bias"], entry["generalization"], entry["models"]) == ("shape-bias", "Human-likeness", "all")
    )
    assert (entry["n"], entry["spearman"]) == (15, pytest.approx(0.961, abs=5e-4))


# --- what is refused --------------------------------------------------------------------------

RATES, KAPPAS = f"colour_{ACCURACY}.csv", f"colour_{CONSISTENCY}.csv"
COUNT = len(rows_of("colour", accuracy))
MANY = "".join(f"n{at},cr,0.5\r\n" for at in range(20_001))


def changed(name, row, **cells):
    rows = rows_of("colour", accuracy if name == RATES else consistency)
    for column, cell in cells.items():
        rows[row][("subj", "condition", "yvalue").index(column)] = cell
    return {name: rows}


CELLS = {
    "a percentage": (changed(RATES, 0, yvalue="51.2"), "row 2: yvalue is '51.2', expected a number from 0 to 1"),
    "a small percentage": (changed(RATES, 0, yvalue="0.512"), "is no whole number of the 640 images of a condition"),
    "NaN": (changed(RATES, 1, yvalue="nan"), "row 3: yvalue is 'nan'"),
    "infinite": (changed(KAPPAS, 1, yvalue="1e999"), "yvalue is '1e999', expected a number from -1 to 1"),
    "negative": (changed(RATES, 0, yvalue="-0.5"), "expected a number from 0 to 1"),
    "kappa below -1": (changed(KAPPAS, 0, yvalue="-1.5"), "expected a number from -1 to 1"),
    "no number": (changed(KAPPAS, 0, yvalue=""), "yvalue is ''"),
    "other digits": (changed(KAPPAS, 0, yvalue="٠.١"), "expected a number from -1 to 1"),
    "an endless number": (changed(KAPPAS, 0, yvalue="9" * 5_000), "expected a number from -1 to 1"),
    "an unknown condition": (changed(RATES, 0, condition="c100"), "condition 'c100' is none of colour's, which are"),
    "a condition of another set": ({RATES: rows_of("rotation", accuracy)}, "condition '0' is none of colour's"),
    "a row twice": (changed(RATES, 1, condition="cr"), "row 3: 'resnet50_l2_eps0' occurs twice under condition cr"),
    "a row missing": ({KAPPAS: rows_of("colour", consistency)[:-1]}, "has no 'humans' under condition bw"),
    "a network missing": ({RATES: rows_of("colour", accuracy, OBSERVERS[1:])}, "has no 'resnet50_l2_eps0' under"),
    "one more network": (changed(RATES, 0, subj="other"), "under condition"),
    "an empty name": (changed(RATES, 0, subj=" "), "column subj has '', expected a name"),
    "an endless name": (changed(RATES, 0, subj="a" * 5_000), "expected a name of 1 to 200 characters"),
    "consistency named accuracy": (
        {RATES: [[*row[:2], repr(abs(float(row[2])) + 0.0003)] for row in rows_of("colour", consistency)]},
        "is no whole number of the 640 images",
    ),
    "accuracy named consistency": ({KAPPAS: rows_of("colour", accuracy)}, "hold the same numbers"),
    "an absent column": ({RATES: "subj,condition\r\n"}, "has no column yvalue"),
    "a column twice": ({RATES: "subj,subj,condition,yvalue\r\n"}, "has more than one column subj"),
    "no rows": ({RATES: "subj,condition,yvalue\r\n"}, "has a header and no rows"),
    "empty": ({RATES: ""}, "has no column subj"),
    "ragged": ({RATES: "subj,condition,yvalue\r\na,cr\r\n"}, "row 2 has 2 cells, expected 3"),
    "open quote": ({RATES: 'subj,condition,yvalue\r\n"a,cr,1'}, "is not CSV text"),
    "too many rows": ({RATES: "subj,condition,yvalue\r\n" + MANY}, "has more than 20,000 rows"),
}  # fmt: skip


def refused(command_line, path, words):
    with bounded(path.parent):
        code, out, err = command_line("import", FORM, path, "--out", "new")
    assert (code, out) == (2, ""), err
    assert err.startswith("error: ") and err.count("\n") == 1 and err.strip().isprintable(), err
    assert words in err
    assert len(err) < 1_000
    assert not Path("new").exists()


@pytest.mark.parametrize("case", CELLS)
def test_hostile_cells_are_refused_by_file_and_row(command_line, tmp_path, case):
    texts, words = CELLS[case]
    path = tmp_path / "in" / "x.tar"
    path.parent.mkdir()
    path.write_bytes(archive(tables(texts)))
    refused(command_line, path, words)


@pytest.mark.parametrize("name", ["a\x1b[31m", "a\nb"], ids=repr)
def test_hostile_names_of_networks_are_refused(command_line, tmp_path, name):
    texts = {file: text.replace("resnet18_l2_eps0_01", f'"{name}"') for file, text in tables().items()}
    path = tmp_path / "in" / "x.tar"
    path.parent.mkdir()
    path.write_bytes(archive(texts))
    refused(command_line, path, "control character")


FOLDERS = {
    "empty": ({}, f"has no colour_{ACCURACY}.csv, contrast_{ACCURACY}.csv, eidolonI_{ACCURACY}.csv and 21 more"),
    "a set missing": ({name: text for name, text in tables().items() if "rotation" not in name}, "has no rotation_"),
    "not UTF-8": (tables({RATES: "subj,condition,yvalue\r\n\udcff"}), "is not CSV text"),
    "too large": (tables({RATES: "x" * ((8 << 20) + 1)}), "holds more than 8 MiB"),
}


@pytest.mark.parametrize("case", FOLDERS)
def test_hostile_folders_are_refused(command_line, tmp_path, case):
    texts, words = FOLDERS[case]
    folder = tmp_path / "in" / "raw-results"
    folder.mkdir(parents=True)
    for name, text in texts.items():
        (folder / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    refused(command_line, folder, words)


@pytest.mark.parametrize("name", [name for name in ARCHIVES if not name.startswith("zip-")])
def test_hostile_archives_are_refused_and_nothing_is_written(command_line, tmp_path, name):
    (tmp_path / "outside").mkdir()
    path = tmp_path / "in" / "x.tar"
    path.parent.mkdir()
    path.write_bytes(ARCHIVES[name][0](tmp_path))
    refused(command_line, path, "expected raw-results of paulgavrikov/adversarial_training_vs_humans")


FILES = {
    "no archive": (lambda: b"subj,condition,yvalue\n", "is no tar archive"),
    "empty": (lambda: b"", "is no tar archive"),
    "a tar of another study": (tar, "has no colour_"),
    "truncated": (lambda: gzip.compress(archive(tables()))[:-2_000], "is damaged or truncated"),
    "a file in two folders": (
        lambda: archive({f"{folder}/{RATES}": text for folder in "ab" for text in [tables()[RATES]]}),
        f"has {RATES} twice, in two folders",
    ),
    "a file twice": (lambda: archive(tables())[:-1024] + archive(tables()), "is there twice"),
    "more than it may hold": (lambda: gzip.compress(archive(tables({"LICENSE": "x" * (9 << 20)}))), "8,388,608 bytes"),
    "very many members": (lambda: archive({str(at): "" for at in range(1_001)}), "more than 1,000 members"),
}


@pytest.mark.parametrize("case", FILES)
def test_hostile_files_are_refused(command_line, tmp_path, case):
    make, words = FILES[case]
    path = tmp_path / "in" / "x.tar.gz"
    path.parent.mkdir()
    path.write_bytes(make())
    refused(command_line, path, words)
