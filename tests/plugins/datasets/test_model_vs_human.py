"""The stimuli of the model-vs-human toolbox: labels and conditions from file names, never from folders."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import Preprocessing
from harness.plugins.datasets import _model_vs_human as toolbox
from harness.plugins.datasets.cue_conflict import CueConflict
from harness.plugins.datasets.model_vs_human import Outlines, Parametric, harness_datasets
from tests.helpers.trees import grow, paint, painted, refusal

DATASETS = {dataset.experiment: dataset for dataset in harness_datasets()}
PARAMETRIC = sorted(name for name, facts in toolbox.EXPERIMENTS.items() if facts.conditions)
CATEGORIES = CueConflict().label_space().classes
COUNTS = {
    "colour": 1280, "contrast": 1280, "cue-conflict": 1280, "edge": 160, "eidolonI": 1280, "eidolonII": 1280,
    "eidolonIII": 1280, "false-colour": 1120, "high-pass": 1280, "low-pass": 1280, "phase-scrambling": 1120,
    "power-equalisation": 1120, "rotation": 1280, "silhouette": 160, "sketch": 800, "stylized": 800,
    "uniform-noise": 1280,
}  # fmt: skip
KEPT = {
    "colour": ["bw"],
    "contrast": ["c50", "c30", "c15", "c10", "c05"],
    "eidolonI": ["2-10-10", "4-10-10", "8-10-10", "16-10-10", "32-10-10"],
    "eidolonII": ["2-3-10", "4-3-10", "8-3-10", "16-3-10"],
    "eidolonIII": ["2-0-10", "4-0-10", "8-0-10"],
    "false-colour": ["false"],
    "high-pass": ["3", "1.5", "1", "0.7"],
    "low-pass": ["1", "3", "5", "7", "10"],
    "phase-scrambling": ["30", "60", "90", "120"],
    "power-equalisation": ["pow"],
    "rotation": ["90", "180", "270"],
    "sketch": ["0"],
    "stylized": ["0"],
    "uniform-noise": ["0.03", "0.05", "0.1", "0.2", "0.35"],
}
"""What is left of each set after the exclusions of the OOD benchmark."""


# --- names -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "name"),
    [("3.0", "3"), ("3", "3"), ("0.90", "0.9"), (".5", "0.5"), ("0.0", "0"), ("-0", "0"), ("100", "100"),
     ("True", "true"), ("inf", "inf"), ("c05", "c05"), ("128-10-10", "128-10-10"), (" cr ", "cr"),
     ("1e3", "1e3"), ("nan", "nan")],
)  # fmt: skip
def test_condition_name(given, name):
    assert toolbox.condition_name(given) == name


@given(st.decimals(min_value=-1000, max_value=1000, places=4))
def test_equal_numbers_have_one_name(number):
    name = toolbox.condition_name(str(f"{number:f}"))
    assert name == toolbox.condition_name(name) == toolbox.condition_name(f"{number:f}0")
    assert float(name) == float(number) and "e" not in name.lower()


@pytest.mark.parametrize("experiment", PARAMETRIC)
def test_no_two_conditions_share_a_name(experiment):
    conditions = toolbox.EXPERIMENTS[experiment].conditions
    assert [toolbox.condition_name(condition) for condition in conditions] == list(conditions)
    assert len(set(conditions)) == len(conditions) and set(toolbox.EXPERIMENTS[experiment].excluded) <= set(conditions)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("0001_cl_dnn_cr_oven_40_n04111531_14126.png", ("dnn", "cr", "oven", "n04111531_14126")),
        ("0676_sty_s03_0_bicycle_00_bicycle-0011-ILSVRC2012-val-00011821.png",
         ("s03", "0", "bicycle", "bicycle-0011-ILSVRC2012-val-00011821")),
        ("1277_hp_dnn_3.0_chair_10_n03376595_10873.png", ("dnn", "3", "chair", "n03376595_10873")),
        ("1277_eid_dnn_8-3-10_elephant_10_n02504458_13245.png", ("dnn", "8-3-10", "elephant", "n02504458_13245")),
        ("bird3-bird2.png", None),
        ("0001_cl_dnn_cr_oven_40.png", None),
    ],
)  # fmt: skip
def test_file_names(name, parts):
    assert toolbox.stimulus(name) == parts


def test_people_and_networks_name_the_same_sample():
    ours = toolbox.stimulus("0004_fc_dnn_True_boat_35_n03662601_11862.png")
    theirs = toolbox.stimulus("1118_fc_s01_true_boat_35_n03662601_11862.png")
    ids = {toolbox.sample_id(one.condition, one.category, one.image) for one in (ours, theirs)}
    assert ids == {"true/boat/n03662601_11862.png"}
    assert toolbox.sample_id("", "boat", "boat3.png") == toolbox.sample_id("", "boat", "boat3") == "boat/boat3.png"


# --- facts -----------------------------------------------------------------------------------


def test_seventeen_sets_with_the_documented_counts():
    releases = {name: dataset.release() for name, dataset in DATASETS.items()} | {
        "cue-conflict": CueConflict().release()
    }
    assert {name: release.images for name, release in releases.items()} == COUNTS
    for name, release in releases.items():
        (download,) = release.downloads
        assert download.uri == f"https://github.com/bethgelab/model-vs-human/releases/download/v0.1/{name}.tar.gz"
        dataset = DATASETS.get(name) or CueConflict()
        assert "/".join(filter(None, (download.into, name))) == dataset.path  # what it unpacks to is what is looked for
        assert release.license


def test_names_and_preprocessing():
    names = [dataset.name for dataset in DATASETS.values()]
    assert {"stylized", "geirhos-edge", "geirhos-eidoloniii", "geirhos-uniform-noise"} <= set(names)
    assert [toolbox.dataset_name(experiment) for experiment in DATASETS] == names
    assert all(dataset.preprocessing == Preprocessing(resize=None, size=224) for dataset in DATASETS.values())
    assert all(dataset.label_space().classes == CATEGORIES for dataset in DATASETS.values())
    assert DATASETS["stylized"].path == "stylized" and DATASETS["sketch"].path == "model-vs-human/sketch"


@pytest.mark.parametrize("experiment", PARAMETRIC)
def test_what_the_ood_benchmark_keeps(experiment):
    conditions = toolbox.EXPERIMENTS[experiment].conditions
    kept = [condition for condition in conditions if toolbox.kept(experiment, condition) == "yes"]
    assert sorted(kept) == sorted(KEPT[experiment])
    assert toolbox.EXPERIMENTS[experiment].images % len(conditions) == 0


@pytest.mark.parametrize(("kind", "experiment"), [(Parametric, "edge"), (Outlines, "colour"), (Parametric, "texture")])
def test_an_experiment_of_another_layout_is_refused(kind, experiment):
    with pytest.raises(ValueError, match="is none of"):
        kind(name="mine", experiment=experiment)


# --- trees -----------------------------------------------------------------------------------


def session(root, experiment, images=2):
    """A session with every condition and category; trial numbers shuffle the order of the files."""
    total = 0
    for condition in toolbox.EXPERIMENTS[experiment].conditions:
        for number, category in enumerate(CATEGORIES):
            for image in range(images):
                trial = (total * 7919) % 10_000
                name = f"{trial:04}_x_dnn_{condition}_{category}_10_n0{number:07}_{image}.png"
                paint(root / name, number)
                total += 1
    return total


@pytest.mark.parametrize("experiment", PARAMETRIC)
def test_labels_and_conditions_come_from_the_names(experiment, tmp_path):
    dataset = DATASETS[experiment]
    total = session(tmp_path / "dnn" / "session-1", experiment)
    samples = list(dataset.samples(tmp_path))
    assert len(samples) == len({sample.id for sample in samples}) == total
    for sample in samples:
        condition, category, _ = sample.id.split("/")
        assert sample.targets == (painted(sample.path)[0],) and CATEGORIES[sample.targets[0]] == category
        assert sample.attributes == (condition, "yes" if condition in KEPT[experiment] else "no")
    conditions = len(toolbox.EXPERIMENTS[experiment].conditions)
    (remark,) = dataset.remarks(samples)
    assert remark.startswith(f"{total} of {COUNTS[experiment]:,} stimuli, 16 of 16 categories")
    assert remark.endswith(f"{conditions} of {conditions} conditions (partial)")


def test_the_set_the_folder_dnn_and_the_session_are_all_taken(tmp_path):
    total = session(tmp_path / "dnn" / "session-1", "stylized", images=1)
    session(tmp_path / "dnn" / ".session-2", "stylized", images=1)
    scans = [
        list(DATASETS["stylized"].samples(root))
        for root in (tmp_path, tmp_path / "dnn", tmp_path / "dnn" / "session-1")
    ]
    assert scans[0] == scans[1] == scans[2] and len(scans[0]) == total


def test_all_sessions_are_read(tmp_path):
    paint(tmp_path / "dnn" / "session-1" / "0001_sty_dnn_0_cat_00_one.png", 7)
    paint(tmp_path / "dnn" / "session-2" / "0001_sty_dnn_0_cat_00_two.png", 7)
    assert {sample.id for sample in DATASETS["stylized"].samples(tmp_path)} == {"0/cat/one.png", "0/cat/two.png"}


@pytest.mark.parametrize("experiment", ["edge", "silhouette"])
def test_outlines(experiment, tmp_path):
    dataset = DATASETS[experiment]
    for number, category in enumerate(CATEGORIES):
        for image in range(1, 11):
            paint(tmp_path / category / f"{category}{image}.png", number)
    (tmp_path / "README.md").touch()
    samples = list(dataset.samples(tmp_path))
    assert all(sample.targets == (painted(sample.path)[0],) for sample in samples)
    assert samples[0].id == "airplane/airplane1.png" and len(samples) == 160
    assert list(dataset.remarks(samples)) == []
    assert list(dataset.remarks(samples[:10])) == ["10 of 160 stimuli, 1 of 16 categories (partial)"]
    assert "files there twice?" in next(iter(dataset.remarks(samples * 2)))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("0001_sty_dnn_0_fish_00_a.png", "one of the 16 categories"),
        ("0001_sty_dnn_0_cat.png", "is not named NNNN_EXPERIMENT"),
        ("0001_cl_dnn_bw_cat_00_a.png", "condition 'bw', none of those of stylized: 0"),
        ("a.txt", "is not an image"),
    ],
)
def test_strange_files(name, words, tmp_path):
    grow(tmp_path, {"dnn/session-1": ["0002_sty_dnn_0_cat_00_b.png", name]})
    assert words in refusal(DATASETS["stylized"], tmp_path)


def test_another_folder(tmp_path):
    grow(tmp_path, {"stylized/dnn/session-1": ["0002_sty_dnn_0_cat_00_b.png"]})
    assert refusal(DATASETS["stylized"], tmp_path).endswith(f"Type: --data stylized={tmp_path / 'stylized'}")
    assert "expected its stimuli in dnn/session-1" in refusal(DATASETS["stylized"], tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"fish": ["fish1.png"]}, "none of the 16 categories"),
        ({"cat": ["dog1.png"]}, "is not named catN.png"),
        ({"cat": ["cat.png"]}, "is not named catN.png"),
        ({}, "has no class folders"),
    ],
)
def test_strange_outlines(tree, words, tmp_path):
    assert words in refusal(DATASETS["edge"], grow(tmp_path, tree))
