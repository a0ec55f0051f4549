"""Which measures of a table mean the same: flags, remarks, and what they do to biases, axes and ranks."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import Erratum, Measure
from harness.identity import leaves
from harness.plugins.reports.correlation import Correlation
from harness.records import FIRST_CHOICES, Identity, Remark, effect_of
from harness.study.comparability import compared, why_apart
from harness.study.compose import compose, mended
from harness.study.errata import marked
from harness.study.protocols import Origin
from harness.study.rows import Row
from tests.helpers.identities import DOCUMENT, PATHS, origin, other
from tests.helpers.reasons import lines

AXES = {"ID": ("top1@photos",)}


def row(name, value=0.5, made=None, **changes):
    """A model with one measure; `made`: its origin, None for a published number."""
    made = made or {"top1@photos": origin(**{"model.name": name, **changes})}
    return Row(
        name=name,
        group="g",
        run="runs/a",
        measures={measure: Measure(name="top1", value=value) for measure in made},
        origins={measure: one for measure, one in made.items() if one is not None},
    )


def published(name, value=0.5):
    return row(name, value, {"top1@photos": None})


def standard(_origin):
    return {path: value for path, value in leaves(DOCUMENT).items() if path.startswith(("probe.", "dataset."))}


def study(*rows):
    comparable, remarks = compared(rows, standard)
    return compose(comparable, {}, AXES, warnings=remarks)


def axes(found):
    return {model.name: model.axes["ID"] for model in found.models}


# --- the meaning of a column ------------------------------------------------------------------

OF_MEANING = [path for path in PATHS if effect_of(path) == "meaning"]
HARMLESS = [path for path in PATHS if effect_of(path) in ("network", "none")]


@pytest.mark.parametrize("path", OF_MEANING)
def test_a_row_of_another_protocol_enters_no_axis_and_is_told(path):
    value = leaves(DOCUMENT)[path]
    found = study(row("m1"), row("m2"), row("odd", 0.9, **{path: other(value)}), row("m3"))
    assert axes(found) == {"m1": 0.5, "m2": 0.5, "odd": None, "m3": 0.5}
    odd = found.models[2]
    reason = f"cannot be compared with m1, m2, m3: {path} changed: "
    assert odd.measures["top1@photos"].value == 0.9
    assert why_apart(odd.measures["top1@photos"]).startswith(reason)
    assert lines(odd)["ID"].startswith(f"no top1@photos ({reason}")
    (remark,) = found.warnings
    assert (remark.kind, remark.subject) == ("comparability", "accuracy@photos")
    assert remark.text.startswith(f"odd {reason}") and remark.text.endswith("; left out of biases, axes and ranks")


@pytest.mark.parametrize("path", HARMLESS)
def test_networks_differ_by_design_and_storage_changes_nothing(path):
    found = study(row("m1"), row("m2", **{path: other(leaves(DOCUMENT)[path])}))
    assert found.warnings == () and None not in axes(found).values()


@given(st.lists(st.sampled_from([1, 2, 3]), min_size=1, max_size=9))
def test_the_protocol_of_most_rows_counts(versions):
    rows = [row(f"m{at}", **{"probe.version": version}) for at, version in enumerate(versions)]
    kept = {version for version, value in zip(versions, axes(study(*rows)).values(), strict=True) if value is not None}
    (usual,) = kept
    counts = {version: versions.count(version) for version in versions}
    assert counts[usual] == max(counts.values())
    assert usual == next(version for version in versions if counts[version] == counts[usual])


def test_the_protocol_of_published_numbers_counts_however_few_they_are():
    odd = {"probe.params.bias_cutoffs": [0.9]}
    found = study(published("p"), row("m1", **odd), row("m2", **odd), row("m3"))
    assert axes(found) == {"p": 0.5, "m1": None, "m2": None, "m3": 0.5}
    (remark,) = found.warnings
    text = "cannot be compared with the published numbers: probe.params.bias_cutoffs changed: 0.1 -> 0.9"
    assert remark.text == f"m1, m2 {text}; left out of biases, axes and ranks"


def test_what_agrees_with_published_numbers_must_agree_with_each_other():
    """A published table says nothing about images, so one's own rows are compared among themselves."""
    found = study(published("p"), row("m1"), row("m2"), row("m3", **{"dataset.manifest": "cc"}))
    assert axes(found) == {"p": 0.5, "m1": 0.5, "m2": 0.5, "m3": None}


def test_a_measure_of_another_probe_is_not_the_same_measure():
    found = study(row("m1"), row("m2"), row("m3", **{"probe.name": "my-accuracy"}))
    assert axes(found)["m3"] is None


def test_a_published_measure_is_that_of_the_probe_that_its_table_names():
    table = replace(published("p"), probes={"top1@*/pgd-*": "pgd", "top1@*": "accuracy"})
    found = study(table, row("m1"), row("m2", **{"probe.name": "my-accuracy"}))
    assert axes(found) == {"p": 0.5, "m1": 0.5, "m2": None}
    assert "probe.name changed: accuracy -> my-accuracy" in found.warnings[0]


def test_required_trials_count():
    def made(name, version):
        clean = origin("clean@photos", **{"probe.version": version}).identity
        return row(name, made={"top1@photos": origin(required={"clean": clean})})

    found = study(made("m1", 1), made("m2", 1), made("m3", 2))
    assert "requires.clean.probe.version changed: 1 -> 2" in found.warnings[0]
    assert axes(found)["m3"] is None


def test_people_are_compared_in_what_their_decisions_record():
    def person(name, version=1):
        probe = {**DOCUMENT["probe"], "version": version}
        document = {"model": {"name": name}, "probe": probe, "dataset": {"name": "photos"}, "trials": FIRST_CHOICES}
        return row(name, made={"top1@photos": Origin(task="accuracy@photos", identity=Identity(document))})

    several = [person(f"subject-{at}") for at in range(5)]
    found = study(*several, row("m1"), row("m2"), row("m3", **{"dataset.manifest": "cc"}))
    assert [name for name, value in axes(found).items() if value is None] == ["m3"]
    assert axes(study(person("subject", version=2), row("m1"), row("m2")))["subject"] is None


def test_tasks_and_models_with_one_reason_share_a_remark():
    def two(name, **changes):
        made = {f"top1@{d}": origin(f"accuracy@{d}", **{"dataset.name": d, **changes}) for d in ("a", "b")}
        return row(name, made=made)

    comparable, remarks = compared([two("m1"), two("m2"), two("m3", **{"probe.version": 2})], standard)
    assert [(remark.kind, remark.subject) for remark in remarks] == [("comparability", "accuracy@a, accuracy@b")]
    assert all(why_apart(measure) for measure in comparable[2].measures.values())


def test_corrections_keep_what_is_told():
    erratum = Erratum(measure="top1@photos", title="halved", scale=2.0, offset=0.0)
    rows = [marked(published("p", 0.2), [erratum]), row("odd", **{"probe.version": 2})]
    comparable, remarks = compared(rows, standard)
    composed = compose(comparable, {}, AXES, warnings=remarks, errata=[erratum])
    healed = mended(replace(composed, errata=(erratum,)))
    assert axes(healed) == {"p": 0.4, "odd": None}
    assert [remark for remark in healed.warnings if remark.kind == "comparability"] == remarks


def test_reports_neither_rank_nor_correlate_what_cannot_be_compared():
    rows = [published(f"p{at}", at / 10) for at in range(6)]
    comparable, remarks = compared([*rows, row("own", 1.0, **{"probe.params.cutoffs": [0.3]})], standard)
    names = {"bias": ("top1@photos",)}
    provenance = [{"kind": kind, "run": run} for kind, run in (("imported", "t"), ("trials", "runs/a"))]
    data = Correlation().data(compose(comparable, names, AXES, warnings=remarks, provenance=provenance))
    own = data["models"][-1]
    assert own["own"] and own["ranks"] == {} and own["measures"] == {"top1@photos": 1.0}
    assert own["biases"] == {"bias": None} and own["axes"] == {"ID": None}
    assert {one["n"] for one in data["correlations"] if one["models"] == "all"} == {6}
    assert any("probe.params.cutoffs" in flag for flag in own["details"]["top1@photos"]["flags"])
    assert any("probe.params.cutoffs" in warning for warning in data["warnings"])


# --- numerics ---------------------------------------------------------------------------------

NUMERIC = [path for path in PATHS if effect_of(path) in ("draws", "rounding")]


@pytest.mark.parametrize("path", NUMERIC)
def test_other_draws_and_rounding_are_told_and_stay_in(path):
    found = study(row("m1"), row("m2"), row("odd", **{path: other(leaves(DOCUMENT)[path])}))
    assert None not in axes(found).values()
    assert all(not measure.flags for model in found.models for measure in model.measures.values())
    (remark,) = found.warnings
    assert isinstance(remark, Remark) and remark.kind == "comparability" and remark.subject == "accuracy@photos"
    consequence = "noise and attacks are other draws" if effect_of(path) == "draws" else "equal up to rounding"
    assert remark.text.startswith(f"odd: {path} changed: ") and consequence in remark.text


def test_tasks_of_one_row_with_other_numerics_are_told_once():
    def two(name):
        return row(
            name,
            made={
                "top1@a": origin("accuracy@a", machine={"device": "A"}),
                "top5@a": origin("accuracy@a", machine={"device": "A"}),
                "top1@b": origin("accuracy@b", machine={"device": "B"}, **{"settings.seed": 7, "versions.torch": "2"}),
                "top1@c": origin("accuracy@c", machine={"device": "A"}),
            },
        )

    _, remarks = compared([two("m1"), two("m2")], standard)
    assert [str(remark) for remark in remarks] == [
        "accuracy@b: m1, m2: settings.seed changed: 0 -> 7, so noise and attacks are other draws",
        "accuracy@b: m1, m2: machine.device changed: A -> B; versions.torch changed: 2.1 -> 2, so numbers are equal up "
        "to rounding",
    ]


def test_a_table_made_in_one_session_needs_no_remark():
    assert compared([row(f"m{at}") for at in range(5)], standard)[1] == []
    assert compared([published("p"), published("q")], standard)[1] == []
