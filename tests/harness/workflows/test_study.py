"""`harness.open_study`: tables with the numbers of the report and the export."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

import harness as door
from harness import RequestError, UnknownNameError
from harness.study.opened import FAMILIES
from tests.helpers import command
from tests.helpers.reasons import lines
from tests.helpers.trees import write_tree

MORE = """
  third: {source: dummy, options: {kind: random-linear, seed: 4}, group: dummies}
  fourth: {source: dummy, options: {kind: random-linear, seed: 5}, group: dummies}
datasets:
  elsewhere: {plugin: imagenet, path: not/here}
suites:
  small:
    models: [plain, other, nan, third, fourth]
    tasks: [accuracy@imagenet, band-pass@imagenet, accuracy@elsewhere]
    biases:
      low: [top1@imagenet/low-pass-0.5]
      gone: [top1@elsewhere]
    axes:
      here: [top1@imagenet, top1@imagenet/low-pass-0.8]
"""


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A folder with ``small``: a run of five models, one of which fails, and of a dataset that is not there.

    All tests of this file read it, through `small`, and none writes to it.
    """
    folder = tmp_path_factory.mktemp("stored")
    write_tree(folder / "data" / "imagenet" / "val", classes=4, images=6)
    (folder / "small.yaml").write_text(command.MODELS.rstrip() + MORE)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        result = door.run(
            suite="small", registry="small.yaml", data="data", device="cpu", batch_size=8, limit=12, out="small"
        )
    assert result.stored == 8
    return folder


@pytest.fixture
def small(stored, tmp_path, monkeypatch):
    """The study of the run, which lies as ``small`` in the working folder, with its registry and its data."""
    monkeypatch.chdir(tmp_path)
    for name in ("small", "small.yaml", "data"):
        Path(name).symlink_to(stored / name)
    return door.open_study("small")


@pytest.fixture
def report(small, harness):
    return json.loads(harness("report", "small", "--format", "json")[1])


def test_measures_are_those_of_the_report_and_nothing_is_dropped(small, report):
    table = small.measures()
    assert tuple(table.columns) == ("model", "group", "run", "kind", "measure", "value", "low", "high", "n", "unit",
                                    "direction", "condition", "flags", "reason")  # fmt: skip
    rows = {(row["model"], row["measure"]): row for row in table.to_dict("records")}
    assert len(rows) == len(table)
    for model in report["models"]:
        for kind, values in (("measure", model["measures"]), ("bias", model["biases"]), ("axis", model["axes"])):
            own = table[(table["model"] == model["name"]) & (table["kind"] == kind)]
            assert dict(zip(own["measure"], own["value"].replace({float("nan"): None}), strict=True)) == values
        for name, known in {**model["details"], **model["intervals"]}.items():
            row = rows[model["name"], name]
            assert all(
                row[key] == value for key, value in known.items() if key in ("low", "high", "n", "unit") and value
            )
        for name, reason in lines(model).items():
            assert rows[model["name"], name]["reason"] == reason
    undefined = table[table["value"].isna()]
    assert set(undefined["kind"]) == {"measure", "bias", "axis", "missing"} and undefined["reason"].notna().all()
    assert "NaN" in rows["nan", "accuracy@imagenet"]["reason"]


def test_correlations_are_those_of_the_report(small, report):
    table = small.correlations()
    expected = []
    for entry in report["correlations"]:
        families, held = entry.pop("families", {}), entry.pop("partial")
        partial = {"partial": held["value"], "p_partial": held["p"], "given": ", ".join(held["given"]) or None}
        expected.append({**entry, **{name: families.get(name) for name in FAMILIES}, **partial})
    assert expected[0]["models"] == "all" and expected[0]["simpson"] is False
    assert list(table.columns) == list(expected[0])
    got = table.astype(object).where(table.notna(), None).to_dict("records")
    assert got == expected
    assert str(table["n"].dtype) == "Int64" and table["spearman"].dtype == float
    assert table["reason"].notna().any()


def test_a_study_without_definitions_has_the_columns_of_the_others(small):
    door.run(models="plain", tasks="accuracy@imagenet", registry="small.yaml", data="data", device="cpu", out="bare")
    bare = door.open_study("bare").correlations()
    assert len(bare) == 0 and list(bare.columns) == list(small.correlations().columns)


def test_trials_are_those_of_the_export(small, harness):
    assert harness("export", "small", "-o", "all.csv")[0] == 0
    exported = pd.read_csv("all.csv", dtype={"target": str}, keep_default_na=False)
    table = small.trials("band-pass@imagenet", "other")
    expected = exported[(exported["task"] == "band-pass@imagenet") & (exported["model"] == "other")]
    assert list(table.columns) == list(expected.columns)
    assert table["correct"].tolist() == expected["correct"].tolist()
    for name in table.columns:
        if name.startswith("logp"):
            assert table[name].astype("float16").tolist() == expected[name].astype("float16").tolist()
        else:
            assert table[name].astype(str).tolist() == expected[name].astype(str).tolist()
    repr(table)  # warnings are errors: pandas warns where it prints float16


@pytest.mark.parametrize(
    ("task", "model", "kind", "words"),
    [
        ("accuracy@imagenet", "nobody", UnknownNameError, "unknown model 'nobody'"),
        ("accuracy@imagenot", "plain", UnknownNameError, "did you mean 'accuracy@imagenet'"),
        ("accuracy@imagenet", "nan", RequestError, "no trials of nan on accuracy@imagenet: failed: nan gave NaN"),
        ("accuracy@elsewhere", "plain", RequestError, "no trials of plain on accuracy@elsewhere: no folder"),
    ],
)
def test_trials_that_are_not_there_have_their_reason(small, task, model, kind, words):
    with pytest.raises(kind) as error:
        small.trials(task, model)
    assert words in str(error.value)


def test_it_is_short_to_look_at_and_escapes_what_strangers_wrote(small):
    assert (
        repr(small)
        == "<study of 5 models, 2 biases, 1 axis, 4 warnings; .measures(), .correlations(), .trials(task, model)>"
    )
    first, *others = small.models
    hostile = replace(small, models=(replace(first, name="<script>", group="[red]"), *others), warnings=("<img>",))
    page = hostile._repr_html_()
    assert "&lt;script&gt;" in page and "&lt;img&gt;" in page
    assert "<script>" not in page and "<img>" not in page
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(hostile)
    assert "[red]" in console.export_text()


def test_runs_that_cannot_be_opened_are_refused(small):
    for runs, words in (((), "no run was given"), (("small", "small"), "given twice"), (("nowhere",), "holds no run")):
        with pytest.raises(RequestError, match=words):
            door.open_study(*runs)
    with pytest.raises(RequestError, match="no errata to apply"):
        door.open_study("small", apply_errata=True)


def test_the_former_name_of_apply_errata_still_works_and_warns(small):
    with (
        pytest.warns(DeprecationWarning, match="use apply_errata") as caught,
        pytest.raises(RequestError, match="no errata to apply"),
    ):
        door.open_study("small", mend=True)
    assert [Path(warning.filename) for warning in caught] == [Path(__file__)], "the warning names the caller's line"
    with pytest.warns(DeprecationWarning):
        assert not door.open_study("small", mend=False).mended


def test_a_report_gets_an_opened_study_like_any_other(small):
    plugins = door.load_plugins()
    assert isinstance(small, door.Study)
    assert plugins.report("consistency").data(small)
