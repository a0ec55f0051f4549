"""Runs -> study: definitions, gaps with their reasons, merging, and measures recomputed from stored trials."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import (
    Erratum,
    ImportedModel,
    ImportedTable,
    Measure,
    PluginError,
    Probe,
    RequestError,
    RunError,
    StoreError,
    TaskLayout,
    accuracy_measures,
)
from harness.identity import job_of
from harness.output.formats import render
from harness.plugins.reports.correlation import Correlation
from harness.records import Identity, StatisticsPlan, TrialBlock
from harness.store import RunWriter, store_table
from harness.study.compose import compose, mended, open_study
from harness.study.errata import flag
from harness.study.measuring import measures_of, with_params
from harness.study.ordering import sorted_by
from harness.study.rows import Row
from harness.testing import make_trials
from harness.views import Views
from tests.helpers.reasons import absences, lines


def row(name="m", run="runs/a", group="g", missing=None, network=None, tasks=(), **values):
    measures = {
        key.replace("_", "@"): Measure(
            name=key.partition("_")[0], value=value, reason=None if value is not None else "0/0"
        )
        for key, value in values.items()
    }
    return Row(
        name=name,
        group=group,
        run=run,
        measures=measures,
        missing=missing or (),
        network=network,
        tasks=frozenset(tasks),
    )


# --- compose ----------------------------------------------------------------------------------

AXES = {"ID": ("top1@a", "top1@b")}


def only(study):
    (model,) = study.models
    return model


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_an_axis_is_the_mean_of_its_parts(values):
    parts = {f"top1_{'abcdef'[at]}": value for at, value in enumerate(values)}
    names = tuple(name.replace("_", "@") for name in parts)
    model = only(compose([row(**parts)], {}, {"ID": names}))
    assert model.axes["ID"] == pytest.approx(sum(values) / len(values))
    assert model.missing == ()


@pytest.mark.parametrize(
    ("given_row", "reason"),
    [
        (row(top1_a=0.5), "no top1@b (no task of runs/a measures it)"),
        (
            row(top1_a=0.5, missing=absences({"top1@b": "not in the published table"})),
            "no top1@b (not in the published table)",
        ),
        (row(top1_a=0.5, missing=absences(tasks={"accuracy@b": "failed: NaN"})), "no top1@b (accuracy@b: failed: NaN)"),
        (row(top1_a=0.5, top1_b=None), "no top1@b (0/0)"),
        (row(top1_c=0.5, missing=absences({"top1@a": "x", "top1@b": "y"})), "no top1@a (x); no top1@b (y)"),
    ],
)
def test_a_missing_part_makes_the_axis_none_with_the_reason(given_row, reason):
    model = only(compose([given_row], {}, AXES))
    assert model.axes == {"ID": None}
    assert lines(model)["ID"] == reason


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        ({}, {}, ""),
        ({"unit": "octaves"}, {"unit": "octaves"}, ""),
        ({"unit": "octaves"}, {"unit": "fraction"}, "top1@a: in octaves, top1@b: in fraction"),
        ({"direction": "higher"}, {"direction": "neither"}, ""),
        (
            {"direction": "higher"},
            {"direction": "lower"},
            "top1@a: higher is better, top1@b: lower is better",
        ),
    ],
)
def test_a_mean_of_unlike_measures_is_remarked_on(first, second, text):
    given = row(top1_a=0.5, top1_b=0.25)
    kinds = zip(given.measures.items(), (first, second), strict=True)
    unlike = replace(given, measures={name: replace(measure, **kind) for (name, measure), kind in kinds})
    study = compose([unlike], {}, AXES)
    assert only(study).axes["ID"] == 0.375
    assert [remark.text for remark in study.warnings] == [
        "the mean of unlike measures, which says little: " + text
    ] * bool(text)


def test_titles_that_two_names_would_share_are_left_out():
    """Two suites, each with one meaning of a title, or a title that is the name of another axis."""
    rows = [row("m1", group="g", top1_a=0.5), row("m2", group="h", top1_a=0.5)]
    axes = {name: ("top1@a",) for name in ("ID", "Robustness", "clean")}

    def titles(**given):
        return compose(rows, {"bias": ("top1@b",)}, axes, titles=given).titles

    assert titles(ID="in", Robustness="out", g="in") == {"ID": "in", "Robustness": "out", "g": "in"}
    assert titles(ID="acc", Robustness="acc", bias="b") == {"bias": "b"}
    assert titles(ID="clean") == {} and titles(g="h", h="x") == {"g": "h", "h": "x"} and titles(g="h") == {}
    assert titles(ID="ID", elsewhere="ID") == {"ID": "ID", "elsewhere": "ID"}


def test_a_part_whose_name_has_no_dataset_is_missing_like_any_other():
    """Published tables name their measures as they like."""
    model = only(compose([row(missing=absences(tasks={"accuracy@b": "failed: NaN"}))], {}, {"ID": ["error rate"]}))
    assert lines(model)["ID"] == "no error rate (no task of runs/a measures it)"


def test_undefined_measures_are_missing_with_their_reason():
    assert lines(only(compose([row(top1_a=None)], {}, {}))) == {"top1@a": "0/0"}


def test_names_and_parts_of_definitions_are_checked():
    with pytest.raises(RequestError, match="'ID' is the name of a bias and of an axis"):
        compose([], {"ID": ("x@a",)}, AXES)
    with pytest.raises(RequestError, match="'ID' lists no measure"):
        compose([], {}, {"ID": ()})


def test_a_model_of_two_runs_is_refused_if_they_share_a_measure():
    with pytest.raises(RequestError, match=r"model 'm' is in runs/a and in runs/b, both with top1@a \(1 shared"):
        compose([row(top1_a=0.5), row(run="runs/b", top1_a=0.6)], {}, AXES)
    network = {"checkpoint": "sha256:1"}
    with pytest.raises(RequestError, match=r"both with top1@a \(1 shared"):
        compose([row(top1_a=0.5, network=network), row(run="runs/b", top1_a=0.5)], {}, AXES)


def test_two_published_tables_may_print_one_number():
    model = only(compose([row(top1_a=0.5), row(run="runs/b", top1_a=0.5, top1_b=0.7)], {}, AXES))
    assert {name: measure.value for name, measure in model.measures.items()} == {"top1@a": 0.5, "top1@b": 0.7}


def test_disjoint_rows_of_one_model_merge():
    first = row(
        top1_a=0.5, group=None, missing=absences({"top1@b": "not run"}, {"accuracy@b": "not run", "other@c": "failed"})
    )
    second = row(run="runs/b", top1_b=0.7, tasks=["accuracy@b"])
    model = only(compose([first, second], {}, AXES))
    assert model.axes["ID"] == pytest.approx(0.6)
    assert (model.group, model.run, lines(model)) == ("g", "runs/a + runs/b", {"other@c": "failed"})


def test_rows_of_other_groups_or_networks_do_not_merge():
    with pytest.raises(RequestError, match="in groups 'g' and 'h'"):
        compose([row(top1_a=0.5), row(run="runs/b", group="h", top1_b=0.5)], {}, AXES)
    first, second = (
        row(run=run, network={"checkpoint": [digest]}, **{name: 0.5})
        for run, digest, name in (("runs/a", "3f", "top1_a"), ("runs/b", "9a", "top1_b"))
    )
    with pytest.raises(RequestError, match=r"different networks \(checkpoint changed: 3f -> 9a\)"):
        compose([first, second], {}, AXES)
    published = row(run="runs/c", network={"source": "import predictions"}, top1_c=0.5)
    with pytest.raises(RequestError, match=r"is in runs/a and in runs/c; imported decisions name no checkpoint"):
        compose([first, published], {}, AXES)


def test_flags_become_warnings():
    flagged = Measure(name="top1", value=0.001, flags=("chance-level",))
    by_condition = Measure(name="top1", value=0.001, condition="low-pass-0.1", flags=("chance-level",))
    rows = [
        Row(name=f"m{i}", group=None, run="r", measures={"top1@a": flagged, "top1@a/low-pass-0.1": by_condition})
        for i in range(4)
    ]
    both = "top1@a, top1@a/low-pass-0.1"
    assert compose(rows[:2], {}, {}).warnings == (f"{both}: chance-level (m0, m1)",)
    assert compose(rows, {}, {}, warnings=["first"]).warnings == ("first", f"{both}: chance-level (4 models)")


def test_measures_flagged_alike_for_the_same_models_share_a_line():
    def flagged(*names, flag):
        return {f"{name}@a": Measure(name=name, value=0.1, flags=(flag,)) for name in names}

    rows = [
        Row(name="m0", group=None, run="r", measures=flagged("x", "y", "z", flag="censored")),
        Row(name="m1", group=None, run="r", measures=flagged("x", "y", flag="censored")),
    ]
    assert compose(rows, {}, {}).warnings == ("x@a, y@a: censored (m0, m1)", "z@a: censored (m0)")
    erratum = Erratum(measure="x@a", title="half", proof="")
    rows = [Row(name="m0", group=None, run="r", measures=flagged("x", "y", flag=flag(erratum)))]
    assert len(compose(rows, {}, {}).warnings) == 2, "each erratum names its measure"


# --- measures ---------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Clean(Probe):
    name: ClassVar[str] = "clean"

    def conditions(self, size):
        return ("plain",)

    def stimuli(self, batch):
        yield "plain", batch.images

    def measures(self, trials):
        yield from accuracy_measures(trials, "plain", "")


@dataclass(frozen=True, kw_only=True)
class Ratio(Probe):
    """Top-1 divided by that of `clean`, times `scale`."""

    name: ClassVar[str] = "ratio"
    requires: ClassVar[tuple[str, ...]] = ("clean",)
    scale: tuple[float, ...] = (1.0,)

    def conditions(self, size):
        return ("dark",)

    def stimuli(self, batch):
        yield "dark", batch.images / 2

    def measures(self, trials):
        ratio = trials.accuracy("dark") / trials.required["clean"].accuracy("plain")
        yield Measure(name="ratio", value=ratio * self.scale[0])


@dataclass(frozen=True, kw_only=True)
class Doubled(Clean):
    yields: tuple = ()

    def measures(self, trials):
        yield from self.yields


def test_measures_have_full_names():
    found, set_aside = measures_of(Clean(), Views.of(make_trials(["plain"]), ["plain"]), "photos")
    assert set(found) == {"top1@photos", "correct@photos", "n@photos"}
    assert set_aside == []


def test_two_measures_of_one_name_and_other_things_are_set_aside():
    trials = Views.of(make_trials(["plain"]), ["plain"])
    first, second, other = (Measure(name=name, value=value) for name, value in (("x", 1.0), ("x", 2.0), ("y", 3.0)))
    found, (twice, thing) = measures_of(Doubled(yields=(first, 0.5, other, second)), trials, "photos")
    assert found == {"y@photos": other}  # nobody knows which of the two is meant
    assert (twice.kind, twice.subject) == ("measure", "x@photos")
    assert "probe 'clean' yields two measures named 'x@photos'" in twice.text
    assert "yields 0.5 as a measure" in thing.text


def test_stored_parameters_become_tuples_again():
    assert with_params(Ratio(), {"scale": [2.0, 3.0]}) == Ratio(scale=(2.0, 3.0))
    with pytest.raises(PluginError, match=r"no parameter 'size', but stored.*Available: scale\."):
        with_params(Ratio(), {"size": 3})


# --- runs -------------------------------------------------------------------------------------

PROBES = {"clean": Clean(), "ratio": Ratio()}
N = 48


@dataclass
class Lab:
    """Writes runs with known trials: `hits` of N samples correct."""

    folder: object
    settings: dict = field(default_factory=lambda: {"seed": 0, "limit": None})

    def run(self, name, cells, *, study=None, models=None, planned=None, warnings=()):
        path = self.folder / name
        with RunWriter.create(path, settings=self.settings, command=["harness", "run"]) as run:
            tasks = dict.fromkeys(cell["task"] for cell in cells)
            run.update_manifest(
                study=study or {"biases": {}, "axes": {"ID": ["top1@photos"]}},
                models=models or {cell["model"]: {"group": "g"} for cell in cells},
                planned=planned or {task: {c["model"]: "" for c in cells if c["task"] == task} for task in tasks},
                warnings={"photos": list(warnings)},
            )
            for cell in cells:
                self.store(run, **cell)
        return path

    def layout(self, task, samples=N):
        return TaskLayout(
            task=task,
            sample_ids=tuple(f"{at:04d}" for at in range(samples)),
            targets=np.zeros((samples, 1), np.int16),
            conditions=("plain",) if task.startswith("clean") else ("dark",),
            classes=tuple("abcdef"),
            size=8,
            span=16,
        )

    def store(self, run, *, task, model, hits, spans=3, failed=None, samples=N, **changes):
        layout = self.layout(task, samples)
        run.put_layout(layout)
        probe = PROBES[task.partition("@")[0]]
        identity = {
            "model": {"name": model, "checkpoint": [changes.get("checkpoint", "aa")], **changes.get("network", {})},
            "probe": {
                "name": changes.get("probe", probe.name),
                "version": changes.get("version", 1),
                "params": changes.get("params", {}),
            },
            "dataset": {"name": "photos", "n": samples},
            "settings": dict(self.settings),
        }
        job = job_of(task, model, Identity(identity))
        run.begin(job, {"created": changes["created"]} if "created" in changes else {})
        correct = np.arange(samples) < hits
        for at, (low, high) in enumerate(layout.spans()[:spans]):
            if "sessions" in changes:
                run.begin(job, changes["sessions"][at])
            run.commit(job, (low, high), _block(correct[low:high]))
        if failed:
            run.fail(job, failed)
        if spans == 3 and not failed:
            run.finish([job])


def _block(correct):
    n = len(correct)
    top5 = np.tile(np.arange(5, dtype=np.int16), (n, 1, 1))
    top5[~correct, 0] = [1, 0, 2, 3, 4]
    logp = np.broadcast_to(np.array([-0.5, -1, -2, -3, -4], np.float16), top5.shape).copy()
    rank = (~correct).astype(np.uint16)[:, None]
    return TrialBlock(top5=top5, logp=logp, correct=correct.astype(np.uint8)[:, None], rank=rank)


@pytest.fixture
def lab(tmp_path):
    return Lab(tmp_path)


def clean(model="m", hits=24, **more):
    return {"task": "clean@photos", "model": model, "hits": hits, **more}


def ratio(model="m", hits=12, **more):
    return {"task": "ratio@photos", "model": model, "hits": hits, **more}


def test_measures_are_recomputed_from_stored_trials(lab):
    path = lab.run(
        "a", [clean("m1"), clean("m2", 36), ratio("m1", params={"scale": [2.0]})], warnings=["3 of 50 images"]
    )
    study = open_study([path], PROBES)
    first, second = study.models
    assert (first.name, first.group, first.run, first.axes) == ("m1", "g", str(path), {"ID": 0.5})
    assert first.measures["ratio@photos"].value == 2 * 12 / 24
    assert second.axes == {"ID": 0.75}
    assert study.axes == {"ID": ("top1@photos",)}
    assert study.warnings == ("3 of 50 images",)
    assert study.provenance[0]["run"] == str(path)
    assert study.provenance[0]["settings"] == lab.settings


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (clean("bad", spans=1), "incomplete: 1 of 3 spans. Type: harness run … --out "),
        (clean("bad", spans=2, failed="NaN logits"), "failed: NaN logits"),
        (clean("bad", failed="disk full"), "failed: disk full"),
        (
            clean("bad", version=7),
            "made by version 7 of probe 'clean', installed is 1. Type: harness run … --out ",
        ),
        (clean("bad", probe="gone"), "probe 'gone' is not installed. Type: harness list probes"),
    ],
)
def test_unusable_cells_are_missing_with_their_reason(lab, cell, reason):
    study = open_study([lab.run("a", [clean("good"), cell])], PROBES)
    good, bad = study.models
    assert good.axes == {"ID": 0.5}
    assert bad.measures == {}
    assert bad.axes == {"ID": None}
    assert lines(bad)["clean@photos"].startswith(reason)
    assert lines(bad)["ID"].startswith(f"no top1@photos (clean@photos: {reason}")


def test_planned_cells_that_were_not_run_are_shown(lab):
    planned = {"clean@photos": {"m": "", "waits": "", "other": "other answers in coco"}}
    models = {name: {"group": None} for name in ("m", "waits", "other")}
    study = open_study([lab.run("a", [clean()], planned=planned, models=models)], PROBES)
    reasons = {model.name: lines(model).get("clean@photos") for model in study.models}
    assert reasons == {"m": None, "waits": "not run", "other": "other answers in coco"}


def test_a_required_task_that_is_unusable_makes_the_measure_missing(lab):
    study = open_study([lab.run("a", [clean("m", spans=1), ratio()])], PROBES)
    reason = lines(only(study))["ratio@photos"]
    assert reason.startswith("needs clean@photos, which is not usable: incomplete: 1 of 3 spans")


def test_a_probe_that_raises_costs_its_own_measures_alone(lab):
    """At zero clean accuracy `Ratio` divides by zero: a plugin's mistake, which must not block the whole report."""
    first, second = open_study([lab.run("a", [clean("m", hits=0), ratio("m"), clean("n"), ratio("n")])], PROBES).models
    assert first.axes == {"ID": 0.0} and "ratio@photos" not in first.measures
    assert lines(first)["ratio@photos"].startswith("probe 'ratio' cannot reduce the stored trials: ZeroDivisionError:")
    assert "(test_compose.py:" in lines(first)["ratio@photos"]
    assert second.measures["ratio@photos"].value == 12 / 24


BEFORE, AFTER = "2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00"


def test_a_required_task_of_another_checkpoint_is_not_used(lab):
    cells = [clean(created=BEFORE), ratio(checkpoint="bb", created=AFTER)]
    model = only(open_study([lab.run("a", cells)], PROBES))
    assert "top1@photos" not in model.measures
    assert "measured with an earlier network (checkpoint changed: aa -> bb)" in lines(model)["clean@photos"]
    assert "needs clean@photos, which is not usable: measured with an earlier" in lines(model)["ratio@photos"]


def test_one_network_may_see_one_dataset_at_its_own_size_and_another_as_all_networks_do(lab):
    own_size = {"network": {"preprocessing": {"resize": 288, "size": 256}}}
    other = {"task": "clean@others", "model": "m", "hits": 3, "created": AFTER, **own_size}
    model = only(open_study([lab.run("a", [clean(created=BEFORE), other])], PROBES))
    assert {"top1@photos", "top1@others"} <= set(model.measures) and model.missing == ()


@pytest.mark.parametrize("latest", ["photos", "others"])
def test_of_two_checkpoints_the_latest_counts(lab, latest):
    """Data of one task had gone when the checkpoint changed: its old numbers must not stand beside the new ones."""
    first, second = (AFTER, BEFORE) if latest == "photos" else (BEFORE, AFTER)
    other = {"task": "clean@others", "model": "m", "hits": 3, "checkpoint": "bb", "created": second}
    planned = {"clean@photos": {"m": "no folder; what was stored before is kept"}, "clean@others": {"m": ""}}
    study = open_study([lab.run("a", [clean(created=first), other], planned=planned)], PROBES)
    model, old = only(study), "others" if latest == "photos" else "photos"
    assert f"top1@{latest}" in model.measures and f"top1@{old}" not in model.measures
    assert "measured with an earlier network (checkpoint changed" in lines(model)[f"clean@{old}"]
    assert study.trial_reader.cells() == {f"clean@{latest}": ("m",)}
    if old == "photos":
        assert "the last rerun was not possible: no folder" in lines(model)["clean@photos"]
        assert "an earlier network" in lines(model)["ID"]


def test_cells_on_replaced_samples_are_missing(lab):
    path = lab.run("a", [clean("old"), clean("new", samples=32, spans=2)])
    old, new = open_study([path], PROBES).models
    assert "that the run has replaced since" in lines(old)["clean@photos"]
    assert new.measures["n@photos"].value == 32


@pytest.mark.parametrize("file", ["*/all.h5", "cell.json"])
def test_a_damaged_cell_costs_its_own_measures_alone(lab, file):
    path = lab.run("a", [clean("bad"), clean("good")])
    (damaged,) = path.glob(f"shards/*/bad/{file}")
    damaged.write_bytes(damaged.read_bytes()[:-4000] if file != "cell.json" else b"{")
    study = open_study([path], PROBES)
    models = {model.name: model for model in study.models}
    assert models["good"].axes == {"ID": 0.5} and models["bad"].axes == {"ID": None}
    assert str(damaged) in lines(models["bad"])["clean@photos"]
    (remark,) = [text for text in study.warnings if "incomplete" in text]
    assert "1 of 2 cells have no result" in remark
    assert study.trial_reader.cells()["clean@photos"][-1] == "good"


def test_damaged_trials_are_an_error_where_nothing_else_can_be_read(lab):
    path = lab.run("a", [clean()])
    shard = next(path.glob("shards/*/m/*/all.h5"))
    shard.write_bytes(shard.read_bytes()[:-4000])
    with pytest.raises(StoreError):
        open_study([path], PROBES)


@dataclass(frozen=True, kw_only=True)
class Same(Clean):
    name: ClassVar[str] = "ratio"

    def measures(self, trials):
        yield Measure(name="top1", value=0.25)


def test_a_measure_of_two_tasks_is_set_aside(lab):
    model = only(open_study([lab.run("a", [clean(), ratio()])], {"clean": Clean(), "ratio": Same()}))
    assert "top1@photos" not in model.measures and "n@photos" in model.measures and model.axes == {"ID": None}
    assert "measured by two tasks, one of them ratio@photos" in lines(model)["top1@photos"]


def test_parameters_that_the_installed_probe_refuses_cost_its_measures_alone(lab):
    model = only(open_study([lab.run("a", [clean(), ratio(params={"size": 3})])], PROBES))
    assert model.axes == {"ID": 0.5}
    assert "no parameter 'size'" in lines(model)["ratio@photos"]


def test_runs_of_other_settings_are_warned_about(lab):
    first = lab.run("a", [clean("m1")])
    second = replace(lab, settings={"seed": 0, "limit": 48}).run("b", [clean("m2")])
    study = open_study([first, second], PROBES)
    assert len(study.models) == 2
    reason = "cannot be compared with m1: settings.limit changed: absent -> 48"
    assert study.warnings == (f"clean@photos: m2 {reason}; left out of biases, axes and ranks",)
    assert [model.axes["ID"] for model in study.models] == [0.5, None]
    assert lines(study.models[1])["top1@photos"] == reason


def test_cells_of_other_machines_are_told_even_if_only_a_span_is(lab):
    here, there = ({"device": f"cpu, {threads} threads"} for threads in (2, 8))
    cells = [clean(f"m{at}", sessions=[here] * 3) for at in range(3)] + [clean("m3", sessions=[there, here, here])]
    study = open_study([lab.run("a", cells)], PROBES)
    change = "machine.device changed: cpu, 2 threads -> cpu, 8 threads and cpu, 2 threads"
    assert study.warnings == (f"clean@photos: m3: {change}, so numbers are equal up to rounding",)
    assert [model.axes["ID"] for model in study.models] == [0.5] * 4


def test_disjoint_runs_of_one_model_merge(lab):
    definitions = {"biases": {}, "axes": {"ID": ["top1@photos", "top1@others"]}}
    first = lab.run("a", [clean()], study=definitions, planned={t: {"m": ""} for t in ("clean@photos", "clean@others")})
    second = lab.run("b", [{"task": "clean@others", "model": "m", "hits": 12}], study=definitions)
    assert lines(only(open_study([first], PROBES)))["clean@others"] == "not run"
    model = only(open_study([first, second], PROBES))
    assert model.axes == {"ID": 0.375}
    assert model.missing == ()


def test_conflicting_definitions_name_both_runs(lab):
    first = lab.run("a", [clean()])
    second = lab.run("b", [clean("n")], study={"biases": {}, "axes": {"ID": ["top5@photos"]}})
    with pytest.raises(RequestError) as caught:
        open_study([first, second], PROBES)
    assert f"'ID' is top1@photos in {first}, but top5@photos in {second}" in str(caught.value)


def test_an_imported_table_stands_beside_a_run(lab, tmp_path):
    measure = Measure(name="top1", value=0.7, flags=("erratum: x",))
    table = ImportedTable(
        title="Table",
        source="somewhere",
        license="CC0",
        models=(
            ImportedModel(name="published", group=None, measures={"top1@photos": measure}),
            ImportedModel(name="gap", group=None, measures={}, missing={"top1@photos": "not in the table"}),
        ),
        biases={},
        axes={"ID": ("top1@photos",)},
    )
    store_table(tmp_path / "table", table, source_sha256="0" * 64, command=["harness"])
    study = open_study([tmp_path / "table", lab.run("a", [clean()])], PROBES, ungrouped=True)
    assert {model.name: model.axes["ID"] for model in study.models} == {"published": 0.7, "gap": None, "m": 0.5}
    assert study.ungrouped
    assert study.warnings == ("top1@photos: erratum: x (published)",)
    assert (study.provenance[0]["title"], study.provenance[0]["license"]) == ("Table", "CC0")


def test_other_statistics_of_a_second_run_are_said_once_with_its_name(lab):
    first, second = (
        lab.run(name, [clean(name)], study={"axes": {"ID": ["top1@photos"]}, "statistics": statistics})
        for name, statistics in (("a", {"set_apart": "g"}), ("b", {"set_apart": "h", "controls": ["ID"]}))
    )
    study = open_study([first, second], PROBES)
    assert study.statistics == StatisticsPlan(set_apart="g", controls=("ID",))
    text = "other statistics are declared here (set_apart); those of an earlier run are used"
    assert study.warnings == (f"{second}: {text}",)


def test_published_and_measured_numbers_of_one_name_are_one_row_with_a_remark(lab, tmp_path):
    published = {"top1@others": Measure(name="top1", value=0.7)}
    model = ImportedModel(name="m", group=None, measures=published)
    table = ImportedTable(title="T", source="s", license="l", models=(model,), biases={}, axes={"ID": ("top1@photos",)})
    store_table(tmp_path / "table", table, source_sha256="0" * 64, command=["harness"])
    own = lab.run("a", [clean()])
    study = open_study([tmp_path / "table", own], PROBES)
    assert set(only(study).measures) > {"top1@others", "top1@photos"}
    text = f"m: one row of {tmp_path / 'table'} and {own}: published numbers name no checkpoint"
    assert study.warnings == (text,)
    assert open_study([own], PROBES).warnings == ()


def test_own_parameters_beside_published_numbers_are_set_apart(lab, tmp_path):
    measures = {name: Measure(name=name.partition("@")[0], value=0.3) for name in ("top1@photos", "ratio@photos")}
    definitions = {"biases": {"ratio": ["ratio@photos"]}, "axes": {"ID": ["top1@photos"]}}
    table = ImportedTable(
        title="T",
        source="s",
        license="l",
        models=(ImportedModel(name="p", group="g", measures=measures),),
        biases={"ratio": ("ratio@photos",)},
        axes={"ID": ("top1@photos",)},
    )
    store_table(tmp_path / "table", table, source_sha256="0" * 64, command=["harness"])
    cells = [one for name in ("usual", "odd") for one in (clean(name), ratio(name))]
    cells[-1]["params"] = {"scale": [3.0]}
    study = open_study([tmp_path / "table", lab.run("a", cells, study=definitions)], PROBES)
    assert {model.name: model.biases["ratio"] for model in study.models} == {"p": 0.3, "usual": 0.5, "odd": None}
    assert None not in [model.axes["ID"] for model in study.models]
    (remark,) = study.warnings
    assert remark.startswith(
        "ratio@photos: odd cannot be compared with the published numbers: probe.params.scale changed"
    )


HALVED = Erratum(measure="top1@photos", title="was halved", scale=2.0, offset=0.0)
LOST = Erratum(measure="top1@others", title="another set")
STUDY = {"biases": {"ratio": ["ratio@photos"]}, "axes": {"ID": ["top1@photos", "top1@others"]}}


@pytest.fixture
def published(tmp_path):
    """A published table of six models with errata, in a run folder."""

    def measured(name, value):
        return {name: Measure(name=name.partition("@")[0], value=value)}

    models = tuple(
        ImportedModel(
            name=f"p{at}",
            group="g",
            measures={
                **measured("top1@photos", at / 20),
                **measured("top1@others", 0.9 - at / 10),
                **measured("ratio@photos", 1 - at / 10),
            },
        )
        for at in range(6)
    )
    table = ImportedTable(
        title="Table",
        source="somewhere",
        license="CC0",
        models=models,
        biases={name: tuple(parts) for name, parts in STUDY["biases"].items()},
        axes={name: tuple(parts) for name, parts in STUDY["axes"].items()},
        errata=(HALVED, LOST),
    )
    store_table(tmp_path / "table", table, source_sha256="0" * 64, command=["harness"])
    return tmp_path / "table"


def test_a_new_checkpoint_among_published_ones_mended(lab, published):
    cells = [clean("mine", 33), ratio("mine", 20), {"task": "clean@others", "model": "mine", "hits": 12}]
    own = lab.run("own", cells, study=STUDY)
    study = open_study([published, own], PROBES)
    mine = study.models[-1]
    assert (mine.name, mine.axes["ID"]) == ("mine", (33 / 48 + 12 / 48) / 2)
    assert study.models[2].axes["ID"] == pytest.approx((0.1 + 0.7) / 2)
    assert study.errata == (HALVED, LOST)
    healed = mended(study)
    assert [model.axes["ID"] for model in healed.models] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5, 33 / 48])
    assert healed.models[-1].measures["top1@photos"].flags == ()
    data = Correlation().data(healed)
    assert (data["mended"], data["models"][-1]["own"]) == (True, True)
    assert data["models"][-1]["ranks"]["ID"] == {"rank": 1, "of": 7}
    assert next(one for one in data["correlations"] if one["models"] == "all")["n"] == 7
    assert "► mine" in render(Correlation(), data)


def test_errata_are_marked_on_imported_rows_even_if_they_merge_with_own_ones(lab, published):
    own = lab.run("own", [{"task": "clean@elsewhere", "model": "p1", "hits": 12}], study={"axes": {}})
    study = open_study([published, own], PROBES)
    model = next(one for one in study.models if one.name == "p1")
    assert model.measures["top1@photos"].flags == ("erratum: was halved",)
    assert model.measures["top1@elsewhere"].flags == ()
    assert next(one for one in mended(study).models if one.name == "p1").measures["top1@photos"].value == 0.1


def test_models_are_sorted_within_their_groups():
    rows = [row("a", top1_a=0.1), row("b", group="h", top1_a=0.9), row("c", top1_a=0.5), row("d", top1_b=0.5)]
    study = compose(rows, {}, {"ID": ("top1@a",)})
    assert [one.name for one in sorted_by(study).models] == ["c", "a", "d", "b"]
    assert [one.name for one in sorted_by(study, "top1@b").models] == ["d", "a", "c", "b"]
    assert sorted_by(compose(rows, {}, {})) == compose(rows, {}, {})
    with pytest.raises(RequestError, match=r"unknown value of --sort 'top1'.*Available: ID, top1@a, top1@b.*--sort ID"):
        sorted_by(study, "top1")


def test_requests_that_make_no_study(lab, tmp_path):
    path = lab.run("a", [clean()])
    with pytest.raises(RequestError, match=r"no run was given\. Type: harness report RUN"):
        open_study([], PROBES)
    with pytest.raises(RequestError, match="run 'a' was given twice"):
        open_study([path, tmp_path / "." / "a"], PROBES)
    with pytest.raises(RunError):
        open_study([tmp_path / "nothing"], PROBES)


def test_reading_changes_nothing(lab):
    path = lab.run("a", [clean(), ratio()])
    before = {file: (file.stat().st_mtime_ns, file.stat().st_size) for file in path.rglob("*")}
    open_study([path], PROBES)
    assert {file: (file.stat().st_mtime_ns, file.stat().st_size) for file in path.rglob("*")} == before
