"""Real runs with labels: tables, trials, reports and errors, in Python and on the command line."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

import harness as door
from harness import RequestError, UnknownNameError
from harness.workflows.run_folders import RunFolders
from tests.helpers import command
from tests.helpers.trees import write_tree

SUITE = """
  third: {source: dummy, options: {kind: random-linear, seed: 4}}
suites:
  small:
    models: [plain, other, third]
    tasks: [accuracy@imagenet]
    biases: {five: [top5@imagenet]}
    axes: {here: [top1@imagenet]}
"""


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """``ann`` and ``copy``, which are equal; ``seed`` with another seed, ``few`` of fewer images, without `third`."""
    folder = tmp_path_factory.mktemp("labelled")
    write_tree(folder / "data" / "imagenet" / "val", classes=4, images=6)
    (folder / "small.yaml").write_text(command.MODELS.rstrip() + SUITE)
    given = {"suite": "small", "registry": "small.yaml", "data": "data", "device": "cpu", "batch_size": 8}
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        door.run(**given, limit=12, out="ann")
        door.run(**given, limit=12, seed=1, out="seed")
        door.run(**given, models=["plain", "other"], limit=6, out="few")
    shutil.copytree(folder / "ann", folder / "copy")
    return folder


@pytest.fixture
def runs(stored, tmp_path, monkeypatch):
    """The working folder, in which the runs lie."""
    monkeypatch.chdir(tmp_path)
    for name in ("ann", "copy", "seed", "few"):
        Path(name).symlink_to(stored / name)
    return tmp_path


def columns(table, *names):
    return [tuple(row) for row in table[list(names)].drop_duplicates().itertuples(index=False)]


def test_tables_have_both_runs_of_each_model(runs):
    study = door.open_study({"ann": "ann", "bob": Path("copy")})
    table = study.measures()
    assert columns(table, "model", "run", "plain_name") == [
        (f"{name} ({run})", run, name) for name in ("plain", "other", "third") for run in ("ann", "bob")
    ]
    plain = door.open_study("ann").measures()
    assert "plain_name" not in plain and set(plain["run"]) == {"ann"}
    for label in ("ann", "bob"):
        own = table[table["run"] == label].drop(columns=["model", "run", "plain_name"]).reset_index(drop=True)
        pd.testing.assert_frame_equal(own, plain.drop(columns=["model", "run"]))
    side_by_side = table.pivot_table(index=["plain_name", "measure"], columns="run", values="value")
    assert (side_by_side["ann"] == side_by_side["bob"]).all()
    assert [run["label"] for run in study.provenance] == ["ann", "bob"] and study.provenance[1]["run"] == "copy"


def test_trials_are_found_by_the_name_that_is_shown(runs):
    study, plain = door.open_study({"ann": "ann", "bob": "seed"}), door.open_study("ann")
    table = study.trials("accuracy@imagenet", "other (ann)")
    assert set(table["model"]) == {"other (ann)"}
    expected = plain.trials("accuracy@imagenet", "other")
    pd.testing.assert_frame_equal(table.drop(columns="model"), expected.drop(columns="model"))
    reader = study.trial_reader
    assert reader.cells()["accuracy@imagenet"][-1] == "third (bob)"
    assert reader.read("accuracy@imagenet", "plain (bob)").model == "plain (bob)"
    own = plain.trial_reader.digest("accuracy@imagenet", "plain")
    assert reader.digest("accuracy@imagenet", "plain (ann)") == own
    with pytest.raises(
        UnknownNameError, match=r"unknown model 'plain'; did you mean 'plain \(bob\)' or 'plain \(ann\)'"
    ):
        study.trials("accuracy@imagenet", "plain")


def test_another_seed_is_told_and_other_images_are_not_compared(runs, harness):
    code, out, _ = harness("report", "ann=ann", "bob=seed", "eve=few", "--format", "json")
    data = json.loads(out)
    assert code == 0 and [run["label"] for run in data["provenance"]] == ["ann", "bob", "eve"]
    models = {model["name"]: model for model in data["models"]}
    assert models["plain (bob)"]["axes"]["here"] is not None
    assert (models["plain (eve)"]["axes"]["here"], models["plain (eve)"]["run"]) == (None, "eve")
    assert models["plain (eve)"]["measures"]["top1@imagenet"] is not None
    assert models["plain (eve)"]["details"]["top1@imagenet"]["comparable"] is False
    told = [text for text in data["warnings"] if "seed changed: 0 -> 1" in text]
    assert len(told) == 1 and "plain (bob), other (bob), third (bob): " in told[0] and "other draws" in told[0]
    assert any(
        "plain (eve), other (eve) cannot be compared with plain (ann), other (ann), third (ann)" in text
        for text in data["warnings"]
    )
    (left_out,) = [text for text in data["warnings"] if "take no part in statistics" in text]
    assert left_out.startswith("5 models take no part") and "third (bob)" in left_out and "third (eve)" not in left_out


def test_one_label_for_two_runs_is_one_set(runs, harness):
    assert RunFolders.of_values([{"ann": ["ann", "few"]}]) == RunFolders.of_words(["ann=ann", "ann=few"])
    code, out, err = harness("report", "ann=ann", "ann=copy")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "model 'plain (ann)' is in ann and in copy, both with" in err
    assert err.endswith("Type: harness report a=RUN b=RUN\n")
    code, out, err = harness("report", "ann", "copy")
    assert (code, out, err.count("\n")) == (2, "", 1) and "or a label to each, which shows them side by side" in err
    code, out, err = harness("report", "a=ann", "b=ann")
    assert (code, out, err.count("\n")) == (2, "", 1) and "run 'ann' was given twice" in err


def test_sorting_figures_and_files_take_the_names_that_are_shown(runs, harness):
    assert harness("report", "ann=ann", "bob=copy", "--sort", "five")[0] == 0
    code, out, _ = harness("report", "ann=ann", "bob=copy", "--figure", "scatter-five-here", "--format", "json")
    names = {name for series in json.loads(out)["series"] for name in series["names"]}
    assert code == 0 and names == {"plain (ann)", "other (ann)"}, "`third` has no group"
    code, _, err = harness("report", "ann=ann", "bob=copy", "-o", "copy/report.txt")
    assert code == 2 and "lies in the run folder" in err
    code, out, err = harness("report", "ann=ann", "copy")
    assert code == 0 and "plain (ann)" in out and f"every decision: {Path('ann/index.h5')}" in err


# --- what is a label -----------------------------------------------------------------------------


def test_a_path_that_exists_is_a_path_whatever_is_in_it(runs, monkeypatch):
    Path("x=ann").symlink_to("ann")
    monkeypatch.setenv("HOME", str(runs))
    words = ["x=ann", "y=ann", "./x=ann", "b=a=c", "z=~/ann", "gone"]
    folders = RunFolders.of_words(words[:2] + words[3:])
    assert folders.paths == (Path("x=ann"), Path("ann"), Path("a=c"), runs / "ann", Path("gone"))
    assert folders.labels == {Path("ann"): "y", Path("a=c"): "b", runs / "ann": "z"}
    assert RunFolders.of_words([words[2]]) == RunFolders(paths=(Path("x=ann"),))
    assert RunFolders.of_values(["x=y", {"l": ["ann", Path("few")]}]) == RunFolders(
        paths=(Path("x=y"), Path("ann"), Path("few")), labels={Path("ann"): "l", Path("few"): "l"}
    )


HOSTILE = {
    "empty": "",
    "path": "runs/ann",
    "dots": "..",
    "hidden": ".ann",
    "option": "-o",
    "space": "a b",
    "brackets": "a (b)",
    "newline": "a\nb",
    "end": "a\n",
    "escape": "\x1b[31ma",
    "markup": "<script>",
    "formula": "=cmd()",
    "latex": "\\input{x}",
    "pipe": "a|b",
    "accent": "é",
    "digits of another script": "²",
    "right to left": "a\u202eb",
    "not utf-8": "\udcff",
    "long": "a" * 41,
    "very long": "a" * 100_000,
}


@pytest.mark.parametrize("label", HOSTILE.values(), ids=HOSTILE)
def test_hostile_labels_are_refused_in_one_line(command_line, runs, label):
    if label.startswith("-"):
        code, out, err = command_line("report", "--", f"{label}=ann")
    else:
        code, out, err = command_line("report", f"{label}=ann")
    assert (code, out, err.count("\n")) == (2, "", 1) and "\x1b" not in err and len(err) < 500
    assert "is no label of a run; expected up to 40 letters, digits and . _ -" in err
    with pytest.raises(RequestError, match="is no label of a run"):
        door.open_study({label: "ann"})


@pytest.mark.parametrize(("given", "words"), [({"a": []}, "label 'a' has no run"), ({1: "ann"}, "'1' is no label")])
def test_mappings_that_name_no_run(runs, given, words):
    with pytest.raises(RequestError, match=words):
        door.open_study(given)


def test_a_label_without_a_run(command_line):
    code, out, err = command_line("report", "ann=")
    assert (code, out) == (2, "") and "'ann=' names no run; expected a run folder behind the label" in err


def test_a_published_table_beside_another_label_of_itself(command_line, real):
    for name in ("paper", "again"):
        assert command_line("import", "paper", real / "paper" / "benchmark.csv", "--out", name)[0] == 0
    alone, both = (
        door.open_study("paper", apply_errata=True),
        door.open_study({"a": "paper"}, {"b": "again"}, apply_errata=True),
    )
    counted = [model for model in both.models if model.duplicate_of is None]
    assert [model.plain_name for model in counted] == [model.name for model in alone.models]
    assert {model.label for model in counted} == {"a"} and len(both.models) == 2 * len(counted)
    assert [run["label"] for run in both.provenance] == ["a", "b"] and both.mended
    assert [model.axes for model in both.models[::2]] == [model.axes for model in both.models[1::2]]
