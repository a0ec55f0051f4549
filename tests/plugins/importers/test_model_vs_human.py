"""Decisions of people and networks: files of the toolbox, what is refused, and the way through a run to a report."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from harness import RequestError, read_trials
from harness.plugins.datasets.cue_conflict import CueConflict
from harness.plugins.datasets.model_vs_human import harness_datasets
from harness.plugins.importers.model_vs_human import COLUMNS, ModelVsHuman

READ = ModelVsHuman().read
CATEGORIES = CueConflict().label_space().classes
COUNTS = {"subject-01": (829, 33), "subject-02": (907, 54), "resnet50": (162, 572), "vgg16": (84, 828)}


def rows_of(experiment, observer, images=(("cat", "cat7-elephant1", "cat"), ("dog", "dog1-dog2", "na")), condition="0"):
    """(category, image, response) -> rows as the toolbox writes them."""
    return [
        {
            "subj": observer,
            "session": "1",
            "trial": str(trial),
            "rt": "NaN",
            "object_response": response,
            "category": category,
            "condition": condition,
            "imagename": f"{trial:04d}_{experiment[:3]}_s01_{condition}_{category}_00_{image}.png",
        }
        for trial, (category, image, response) in enumerate(images, 1)
    ]


def write(folder, experiment, observer, rows, columns=COLUMNS, session="session_1"):
    folder.mkdir(exist_ok=True, parents=True)
    path = folder / f"{experiment}_{observer}_{session}.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([row[column.lower()] for column in columns] for row in rows)
    return path


def refusal(path):
    with pytest.raises(RequestError) as caught:
        READ(path)
    assert "\n" not in str(caught.value) and caught.value.exit_code == 2
    return str(caught.value)


def test_a_small_file(tmp_path):
    images = [("cat", "cat7-elephant1", "elephant"), ("dog", "dog1-cat2", "na"), ("bear", "bear3-bear1", "bear")]
    path = write(tmp_path, "cue-conflict", "subject-07", rows_of("cue-conflict", "subject-07", images))
    (one,) = READ(path).decisions
    assert (one.observer, one.group, one.layout.task) == ("subject-07", "humans", "shape-bias@cue-conflict")
    assert one.layout.sample_ids == ("bear/bear3-bear1.png", "cat/cat7-elephant1.png", "dog/dog1-cat2.png")
    assert one.layout.attributes == {"texture": ("bear", "elephant", "cat")}
    assert one.layout.targets.tolist() == [[CATEGORIES.index(name)] for name in ("bear", "cat", "dog")]
    chosen = [CATEGORIES.index("bear"), CATEGORIES.index("elephant"), -1]
    assert one.top5.tolist() == [[[first, -1, -1, -1, -1]] for first in chosen]
    assert one.top5.dtype == one.layout.targets.dtype == np.int16


def test_ids_targets_and_attributes_are_those_of_the_dataset(real):
    samples = {sample.id: sample for sample in CueConflict().samples(real / "cue_conflict")}
    table = READ(real / "decisions")
    assert [one.observer for one in table.decisions] == ["resnet50", "subject-01", "subject-02", "vgg16"]
    assert [one.group for one in table.decisions] == [None, "humans", "humans", None]
    for one in table.decisions:
        layout = one.layout
        known = {
            id: ((int(target),), (texture,))
            for id, (target,), texture in zip(
                layout.sample_ids, layout.targets, layout.attributes["texture"], strict=True
            )
        }
        assert len(known) == 1280 and list(layout.sample_ids) == sorted(layout.sample_ids)
        assert {id: (sample.targets, sample.attributes) for id, sample in samples.items()}.items() <= known.items()


@pytest.mark.parametrize("dataset", harness_datasets(), ids=lambda dataset: dataset.name)
def test_other_sets_have_the_ids_of_their_datasets(dataset, tmp_path):
    """One stimulus tree and one decision file of the same image: the plugin and the importer must name it alike."""
    experiment = dataset.experiment
    if dataset.attributes:
        name, condition = "n02099601_22.JPEG", "0.90" if experiment == "uniform-noise" else "true"
        condition = condition if experiment in ("uniform-noise", "false-colour") else None
        from harness.plugins.datasets._model_vs_human import EXPERIMENTS

        condition = condition or EXPERIMENTS[experiment].conditions[-1]
        file = tmp_path / "images" / "dnn" / "session-1" / f"0009_abc_dnn_{condition}_dog_00_{name}.png"
    else:
        name, condition = "dog3", "0"
        file = tmp_path / "images" / "dog" / f"{name}.png"
    file.parent.mkdir(parents=True)
    file.touch()
    (sample,) = dataset.samples(tmp_path / "images")
    rows = rows_of(experiment, "subject-01", [("dog", name, "cat")], condition)
    (one,) = READ(write(tmp_path / "csv", experiment, "subject-01", rows)).decisions
    assert one.layout.task == f"accuracy@{dataset.name}"
    assert one.layout.sample_ids == (sample.id,)
    assert tuple(one.layout.targets[0]) == sample.targets
    assert one.layout.attributes == {
        name: (value,) for name, value in zip(dataset.attributes, sample.attributes, strict=True)
    }


def test_capital_session_and_two_sessions_of_one_observer(tmp_path):
    columns = ["Session" if name == "session" else name for name in COLUMNS]
    for session, image in ((1, "dog1"), (2, "dog2")):
        rows = rows_of("sketch", "subject-01", [("dog", image, "dog")])
        write(tmp_path / "sketch", "sketch", "subject-01", rows, columns, f"session_{session}")
    (one,) = READ(tmp_path).decisions
    assert one.layout.sample_ids == ("0/dog/dog1.png", "0/dog/dog2.png")


def test_the_column_may_spell_a_condition_otherwise(tmp_path):
    rows = rows_of("high-pass", "subject-01", [("dog", "a", "dog")], "3.0")
    rows += rows_of("high-pass", "subject-01", [("dog", "b", "dog")], "0.70")
    rows[0]["condition"], rows[1]["condition"] = "3", "nan"
    (one,) = READ(write(tmp_path, "high-pass", "subject-01", rows)).decisions
    assert one.layout.sample_ids == ("0.7/dog/b.png", "3/dog/a.png")
    assert one.layout.attributes == {"variant": ("0.7", "3"), "kept": ("yes", "yes")}
    rows.append({**rows[1], "condition": "3", "imagename": rows[1]["imagename"].replace("_b.", "_c.")})
    assert "condition '3' is '0.7'" in refusal(write(tmp_path, "high-pass", "subject-01", rows))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"object_response": "fish"}, "object_response 'fish' is none of the 16 categories"),
        ({"object_response": ""}, "object_response '' is none"),
        ({"category": "fish"}, "category 'fish' do not agree"),
        ({"category": "dog"}, "category 'dog' do not agree"),
        ({"imagename": "cat7-elephant1.png"}, "do not agree; expected NNNN_EXPERIMENT"),
        ({"imagename": "0001_cue_s01_0_cat_00_cat7-fish1.png"}, "image 'cat7-fish1' is not named catN-TEXTUREn"),
        ({"imagename": "0001_cue_s01_0_cat_00_dog7-cat1.png"}, "image 'dog7-cat1' is not named catN-TEXTUREn"),
        ({"subj": "subject-02"}, "subj is 'subject-02', but the file is named after 'subject-01'"),
    ],
)
def test_rows_that_are_refused(change, words, tmp_path):
    rows = rows_of("cue-conflict", "subject-01")
    rows[0].update(change)
    message = refusal(write(tmp_path, "cue-conflict", "subject-01", rows))
    assert words in message and "row 2" in message


def test_an_image_that_occurs_twice(tmp_path):
    rows = rows_of("cue-conflict", "subject-01")
    path = write(tmp_path, "cue-conflict", "subject-01", [*rows, {**rows[0], "trial": "9"}])
    assert "row 4: subject-01 saw cat/cat7-elephant1.png of cue-conflict twice" in refusal(path)
    write(tmp_path, "cue-conflict", "subject-01", rows)
    write(tmp_path, "cue-conflict", "subject-01", rows, session="session_2")
    assert "twice" in refusal(tmp_path)


def test_observers_who_saw_other_images(tmp_path):
    rows = rows_of("cue-conflict", "subject-01")
    write(tmp_path, "cue-conflict", "subject-01", rows)
    fewer = write(tmp_path, "cue-conflict", "subject-02", rows_of("cue-conflict", "subject-02")[:1])
    message = refusal(tmp_path)
    assert "subject-02 saw 1 images of cue-conflict, subject-01 2: dog/dog1-dog2.png was seen by subject-01" in message
    assert "import subject-02 into a separate run" in message
    assert READ(fewer).decisions[0].top5.shape == (1, 1, 5)


def test_files_that_are_refused(tmp_path):
    rows = rows_of("cue-conflict", "subject-01")
    assert "does not exist" in refusal(tmp_path / "nowhere")
    assert "has no .csv file" in refusal(tmp_path)
    assert "one of cue-conflict, colour" in refusal(write(tmp_path / "a", "imagenet", "subject-01", rows))
    (tmp_path / "b.csv").write_text("a\n")
    assert "is not named SET_OBSERVER_session_N.csv" in refusal(tmp_path / "b.csv")
    more = {**rows[0], "mood": "good"}
    path = write(tmp_path / "c", "cue-conflict", "subject-01", [more], (*COLUMNS, "mood"))
    assert "has the columns subj, session" in refusal(path) and "mood; expected subj" in refusal(path)
    assert "has a header and no decisions" in refusal(write(tmp_path / "d", "cue-conflict", "subject-01", []))
    short = write(tmp_path / "e", "cue-conflict", "subject-01", rows)
    short.write_text(short.read_text() + "subject-01,1\n")
    assert "row 4: 2 cells, expected 8" in refusal(short)
    short.write_bytes(b"\xff\xfe\x00")
    assert "cannot be read as CSV text" in refusal(short)
    unknown = rows_of("contrast", "subject-01", [("dog", "a", "dog")], "c99")
    assert "condition 'c99' is none of the conditions of contrast" in refusal(
        write(tmp_path / "f", "contrast", "subject-01", unknown)
    )


def test_the_published_shape_bias_comes_out_of_the_report(harness, real):
    code, out, err = harness("import", "model-vs-human", real / "decisions", "--out", "people")
    assert (code, out) == (0, "") and "5,120 decisions of 4 observers in people; next: harness report" in err
    code, out, _ = harness("report", "people", "--format", "json")
    report = json.loads(out)
    assert code == 0
    measures = {model["name"]: model["measures"] for model in report["models"]}
    counts = {
        name: (found["shape-decisions@cue-conflict"], found["texture-decisions@cue-conflict"])
        for name, found in measures.items()
    }
    assert counts == COUNTS
    for name, (shape, texture) in COUNTS.items():
        assert measures[name]["shape-bias@cue-conflict"] == shape / (shape + texture)
        assert measures[name]["conflict-trials@cue-conflict"] == 1200
    assert {model["name"]: model["group"] for model in report["models"]}["subject-01"] == "humans"
    assert any("subject-01 made no decision in 27 of 1,280 trials" in line for line in report["warnings"])
    (origin,) = report["provenance"]
    assert origin["importer"] == "model-vs-human" and len(origin["sha256"]) == 64
    assert harness("verify", "people")[0] == 0


def test_stored_trials_are_the_decisions(harness, real):
    assert harness("import", "model-vs-human", real / "decisions", "--out", "people")[0] == 0
    with (real / "decisions" / "cue-conflict_subject-01_session_1.csv").open(newline="") as file:
        said = {
            f"{row['category']}/{row['imagename'].split('_')[-1]}": row["object_response"]
            for row in csv.DictReader(file)
        }
    trials = read_trials("people", "shape-bias@cue-conflict", "subject-01")
    chosen = [CATEGORIES[first] if first >= 0 else "na" for first in trials.top5[:, 0, 0]]
    assert dict(zip(trials.layout.sample_ids, chosen, strict=True)) == said
    assert trials.correct[:, 0].tolist() == [said[id] == id.split("/")[0] for id in trials.layout.sample_ids]
    assert np.isnan(trials.logp).all() and (trials.top5[:, :, 1:] == -1).all()


def test_an_imported_run_is_not_extended(harness, real):
    assert harness("import", "model-vs-human", real / "decisions", "--out", "people")[0] == 0
    task = ("--task", "accuracy@sample-photos", "--models", "efficientnet-lite0", "--device", "cpu", "--dry-run")
    for command in (("run", *task), ("import", "model-vs-human", real / "decisions")):
        code, out, err = harness(*command, "--out", "people")
        assert (code, out, len(err.strip().splitlines())) == (2, "", 1)
        assert "choose another --out" in err


def test_mistakes_leave_nothing(harness, tmp_path):
    code, _, err = harness("import", "model-vs-human", "nowhere", "--out", "people")
    assert code == 2 and "no file nowhere" in err and ModelVsHuman.url in err
    path = write(tmp_path / "csv", "cue-conflict", "subject-01", rows_of("cue-conflict", "subject-01")[:1] * 2)
    code, _, err = harness("import", "model-vs-human", path, "--out", "people")
    assert code == 2 and "twice" in err and not Path("people").exists()


# --- files of networks as the toolbox wrote them, and observers of several experiments ---------


@pytest.mark.parametrize(
    ("experiment", "images"),
    [
        ("cue-conflict", [("cat", "cat7-elephant1", "elephant"), ("bear", "bear10-bear3", "bear")]),
        ("edge", [("airplane", "airplane1", "knife"), ("truck", "truck10", "truck")]),
        ("silhouette", [("airplane", "airplane1", "airplane"), ("oven", "oven2", "knife")]),
    ],
)
def test_the_toolboxs_own_files_of_networks_are_those_of_people(tmp_path, experiment, images):
    # raw-data/edge/edge_resnet50_session-1.csv: "resnet50,1,1,NaN,knife,airplane,NaN,airplane1.png"
    rows = rows_of(experiment, "resnet50", images, condition="NaN")
    plain = [{**row, "imagename": f"{image}.png"} for row, (_, image, _) in zip(rows, images, strict=True)]
    write(tmp_path / "net", experiment, "resnet50", plain, session="session-1")
    write(tmp_path / "people", experiment, "subject-01", rows_of(experiment, "subject-01", images))
    (network,), (person,) = READ(tmp_path / "net").decisions, READ(tmp_path / "people").decisions
    assert network.layout.sample_ids == person.layout.sample_ids
    assert network.layout.attributes == person.layout.attributes
    assert network.top5.tolist() == person.top5.tolist()
    assert network.layout.targets.tolist() == person.layout.targets.tolist()


@pytest.mark.parametrize("image", ["airplane1", "airplane1.png.png", "1.png", "airplane.png", "dog1.png"])
def test_plain_names_that_fit_nothing_are_refused(tmp_path, image):
    rows = rows_of("edge", "resnet50", [("airplane", "airplane1", "knife")], condition="NaN")
    path = write(tmp_path, "edge", "resnet50", [{**rows[0], "imagename": image}])
    assert "row 2" in refusal(path) and "do not agree" in refusal(path)


def test_plain_names_in_a_set_with_conditions_are_refused(tmp_path):
    (row,) = rows_of("sketch", "resnet50", [("airplane", "airplane1", "knife")])
    assert "do not agree" in refusal(write(tmp_path, "sketch", "resnet50", [{**row, "imagename": "airplane1.png"}]))


def test_people_of_two_experiments_are_two_rows_and_a_network_is_one(tmp_path, command_line):
    for experiment in ("edge", "silhouette"):
        for observer, answer in (("subject-01", "cat"), ("resnet50", "dog")):
            images = [("cat", "cat1", answer), ("dog", "dog1", answer)]
            write(tmp_path / "raw", experiment, observer, rows_of(experiment, observer, images))
            write(tmp_path / experiment, experiment, observer, rows_of(experiment, observer, images))
    assert command_line("import", "model-vs-human", "raw", "--out", "run")[0] == 0
    code, out, _ = command_line("report", "run", "--format", "json")
    models = {model["name"]: model for model in json.loads(out)["models"]}
    assert code == 0 and set(models) == {"resnet50", "subject-01.edge", "subject-01.silhouette"}
    assert {"top1@geirhos-edge", "top1@geirhos-silhouette"} <= models["resnet50"]["measures"].keys()
    assert "top1@geirhos-silhouette" not in models["subject-01.edge"]["measures"]
    for experiment in ("edge", "silhouette"):
        assert command_line("import", "model-vs-human", experiment, "--out", f"of-{experiment}")[0] == 0
    code, _, err = command_line("report", "of-edge", "of-silhouette")
    assert code == 2 and "subject-01" in err and "import both into one run" in err
