"""What ``harness compare`` and ``harness import`` do, without the command line."""

from pathlib import Path

import numpy as np
import pytest

import harness as door
from harness import (
    DatasetError,
    DecisionTable,
    ImportedDecisions,
    ImportedModel,
    ImportedTable,
    Measure,
    PluginError,
    RequestError,
    TaskLayout,
)
from harness.discovery.loader import Plugins
from harness.store import RunReader
from harness.study.sides import table_side
from harness.workflows.compare import compare_runs
from harness.workflows.importing import import_results
from tests.helpers import command


@pytest.fixture
def two(data, harness):
    """Runs of one model on all samples and on a part of them."""
    Path("more.yaml").write_text(command.MODELS)
    for out, limit in (("whole", None), ("part", 10)):
        door.run(
            models="plain",
            tasks="accuracy@imagenet",
            registry="more.yaml",
            data="data",
            device="cpu",
            limit=limit,
            out=out,
        )
    return door.load_plugins()


def test_both_sides_and_what_differs(two):
    compared = compare_runs(Path("whole"), "part", two)
    assert (compared.own.label, compared.reference.label) == ("whole", "part")
    assert compared.reference.partial == {"*": "part: --limit 10"}
    by_name = {one.measure: one for one in compared.comparisons}
    value = door.open_study("whole").models[0].measures["top1@imagenet"].value
    assert by_name["top1@imagenet"].mine == value and "10 trials there, 24 here" in by_name["top1@imagenet"].reason
    same = compare_runs(Path("whole"), "whole", two)
    assert {one.verdict for one in same.comparisons} == {"ok"}


def test_another_side_that_is_not_there_is_refused(two):
    with pytest.raises(RequestError, match="neither a run folder nor a published table"):
        compare_runs(Path("whole"), "nothing", two)
    with pytest.raises(RequestError, match=r"no file gone\.csv to compare with"):
        compare_runs(Path("whole"), "paper", two, table=Path("gone.csv"))


def test_an_import_is_a_run_and_a_refused_one_writes_nothing(two, real):
    with pytest.raises(RequestError, match=r"no file gone\.csv"):
        import_results("paper", Path("gone.csv"), Path("paper"), two, ["test"])
    with pytest.raises(RequestError, match="is not empty"):
        import_results("paper", real / "paper" / "benchmark.csv", Path("data"), two, ["test"])
    assert not Path("paper").exists()
    table = import_results("paper", real / "paper" / "benchmark.csv", Path("paper"), two, ["test"])
    study = door.open_study("paper", apply_errata=True)
    assert study.mended and {one.name for one in study.models} == {one.name for one in table.models}
    assert sum(one.group is not None for one in study.models) == 48


class Importer(door.Importer):
    """An importer of a table with one number."""

    name = "mine"

    def __init__(self, value):
        self.value = value

    def read(self, path):
        measure = Measure(name="shape-bias", value=self.value)
        model = ImportedModel(name="net", group=None, measures={"shape-bias@cues": measure})
        return ImportedTable(title="t", source="s", license="l", models=(model,), biases={}, axes={})


@pytest.mark.parametrize(("value", "fits"), [(0.0, True), (1.0, True), (21.4, False), (1.0001, False), (-0.1, False)])
def test_a_fraction_of_any_importer_is_from_0_to_1(tmp_path, monkeypatch, value, fits):
    monkeypatch.setattr(Plugins, "importer", lambda plugins, name: Importer(value))
    file, out, plugins = tmp_path / "table.csv", tmp_path / "run", door.load_plugins()
    file.write_text("x")
    if fits:
        import_results("mine", file, out, plugins, ["test"])
        assert door.open_study(out).models[0].measures["shape-bias@cues"].value == value
    else:
        with pytest.raises(RequestError, match=rf"shape-bias@cues of net is {value:g}, expected a fraction from 0"):
            import_results("mine", file, out, plugins, ["test"])
        assert not out.exists()


def listed(*models):
    """An importer of (name, group, unit)."""
    rows = tuple(
        ImportedModel(name=name, group=group, measures={"x@a": Measure(name="x", value=0.5, unit=unit)})
        for name, group, unit in models
    )
    table = ImportedTable(title="t", source="s", license="l", models=rows, biases={}, axes={})
    return Given(table)


class Given(door.Importer):
    """An importer that gives `table`, and notes the folders that it was given."""

    name = "mine"
    datasets = ("imagenet", "imagenet-v2")

    def __init__(self, table):
        self.table = table
        self.folders = None

    def read(self, path):
        return self.table

    def read_beside(self, path, folders):
        self.folders = dict(folders)
        return self.read(path)


@pytest.mark.parametrize(
    ("models", "problem"),
    [
        ([("a", None, "1"), ("b", "g", "1")], ""),
        ([("a", None, "1"), ("a", "g", "1")], "a occurs twice"),
        ([("a\nb", None, "1")], r"the name 'a\\nb' is empty, or has a control"),
        ([("\x1b[31mred", None, "1")], "the name '.*' is empty, or has a control"),
        ([(" ", None, "1")], "the name ' ' is empty"),
        ([("a", "", "1")], "the name '' is empty"),
        ([("a", "All", "1")], "group 'All' is in reports the name of another set"),
        ([("a", None, "octaves"), ("b", None, "1")], "x@a is in 1 for b and in octaves for a; expected one unit"),
    ],
)
def test_names_and_units_of_any_importer_are_checked(tmp_path, monkeypatch, models, problem):
    monkeypatch.setattr(Plugins, "importer", lambda plugins, name: listed(*models))
    (tmp_path / "table.csv").write_text("x")
    given = ("mine", tmp_path / "table.csv", tmp_path / "run", door.load_plugins(), ["test"])
    if not problem:
        import_results(*given)
        assert len(door.open_study(tmp_path / "run").models) == len(models)
        return
    with pytest.raises(RequestError, match=problem):
        import_results(*given)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        (None, "importer 'mine' gives NoneType, expected harness.ImportedTable or DecisionTable"),
        ([1], "gives list, expected"),
        (ImportedTable(title="t", source="s", license="l", models=(3,), biases={}, axes={}), "gives 3, expected"),
        (ImportedTable(title="t", source="s", license="l", models=(), biases={}, axes={}), "holds no results"),
    ],
)
def test_what_is_no_table_of_results_is_one_line(tmp_path, monkeypatch, table, problem):
    monkeypatch.setattr(Plugins, "importer", lambda plugins, name: Given(table))
    (tmp_path / "table.csv").write_text("x")
    with pytest.raises(RequestError, match=problem):
        import_results("mine", tmp_path / "table.csv", tmp_path / "run", door.load_plugins(), ["test"])
    with pytest.raises(RequestError, match=problem):
        table_side(Given(table), tmp_path / "table.csv", None)


def test_an_importer_is_given_the_folders_of_its_datasets_that_are_there(tmp_path, monkeypatch):
    importer = listed(("a", None, "1"))
    monkeypatch.setattr(Plugins, "importer", lambda plugins, name: importer)
    monkeypatch.delenv("HARNESS_DATA", raising=False)
    (tmp_path / "table.csv").write_text("x")
    root = tmp_path / "data"
    (root / "imagenet" / "val").mkdir(parents=True)
    plugins = door.load_plugins()
    given = [
        ([], {}),
        ([str(root)], {"imagenet": root / "imagenet" / "val"}),
        ([f"imagenet-v2={root}"], {"imagenet-v2": root}),
    ]
    for number, (data, expected) in enumerate(given):
        import_results("mine", tmp_path / "table.csv", tmp_path / f"run-{number}", plugins, ["test"], data)
        assert importer.folders == expected
    with pytest.raises(DatasetError, match="no such folder"):
        import_results("mine", tmp_path / "table.csv", tmp_path / "run", plugins, ["test"], ["imagenet=gone"])
    assert not (tmp_path / "run").exists()


def test_remarks_of_decisions_are_stored_and_probabilities_belong_to_the_identity(tmp_path, monkeypatch):
    monkeypatch.setattr(Plugins, "importer", lambda plugins, name: importer)
    (tmp_path / "table.csv").write_text("x")
    plugins, keys = door.load_plugins(), []
    for number, probability in enumerate((None, 0.5, 0.25)):
        layout = TaskLayout(
            task="accuracy@made", sample_ids=("a", "b"), targets=np.zeros((2, 1), np.int16), conditions=("clean",),
            classes=("x", "y"), size=8, span=1,
        )  # fmt: skip
        top5 = np.full((2, 1, 5), -1, np.int16)
        top5[:, 0, 0] = 0, 1
        stated = None if probability is None else np.full((2, 1), probability)
        row = ImportedDecisions(observer="net", group=None, layout=layout, top5=top5, probability=stated)
        table = DecisionTable(
            title="t", source="s", license="l", probe="accuracy", decisions=(row,), remarks=("half of it",)
        )
        importer = Given(table)
        out = tmp_path / f"run-{number}"
        import_results("mine", tmp_path / "table.csv", out, plugins, ["test"])
        study = door.open_study(out)
        assert "half of it" in [str(remark) for remark in study.warnings]
        ece = study.models[0].measures["ece@made"]
        assert ece.reason == ("only first choices are known" if probability is None else None)
        assert ece.value == (None if probability is None else pytest.approx(0.5 - probability, abs=1e-3))
        keys.append(RunReader.open(out).cells()["accuracy@made", "net"].job.key)
    assert len({*keys}) == 3


@pytest.mark.parametrize("probability", [0.0, -0.5, 1.5, np.inf])
def test_what_is_no_probability_is_not_stored(tmp_path, monkeypatch, probability):
    layout = TaskLayout(
        task="accuracy@made", sample_ids=("a",), targets=np.zeros((1, 1), np.int16), conditions=("clean",),
        classes=("x", "y"), size=8, span=1,
    )  # fmt: skip
    top5 = np.array([[[0, -1, -1, -1, -1]]], np.int16)
    row = ImportedDecisions(
        observer="net", group=None, layout=layout, top5=top5, probability=np.full((1, 1), probability)
    )
    table = DecisionTable(title="t", source="s", license="l", probe="accuracy", decisions=(row,))
    monkeypatch.setattr(Plugins, "importer", lambda plugins, name: Given(table))
    (tmp_path / "table.csv").write_text("x")
    with pytest.raises((PluginError, RequestError), match="probabilities of net"):
        import_results("mine", tmp_path / "table.csv", tmp_path / "run", door.load_plugins(), ["test"])
    assert not (tmp_path / "run").exists()
