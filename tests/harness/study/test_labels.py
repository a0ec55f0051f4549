"""Runs with labels: each model takes part once, and a duplicate moves, refuses and decides nothing."""

from dataclasses import replace
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import Erratum, Measure, RequestError
from harness.identity import leaves
from harness.records import Job, labelled_name, plain_name
from harness.study.code import CodesOfStudy
from harness.study.comparability import compared, why_apart
from harness.study.compose import compose, mended
from harness.study.errata import marked
from harness.study.labels import counted_once, duplicate_remarks, with_label
from harness.study.merging import merged
from harness.study.ordering import sorted_by
from harness.study.rows import Row
from tests.helpers.identities import DOCUMENT, identity, origin

AXES = {"ID": ("top1@photos",)}
NETWORK = {"checkpoint": ["aa"]}


def row(name="m", label=None, value=0.5, *, run=None, group="g", network=NETWORK, published=False, **changes):
    """A model with one measure, of the run that has the label; `changes`: of its identity, by dotted path."""
    own = {} if published else {"top1@photos": origin(**{"model.name": name, **changes})}
    plain = Row(
        name=name,
        group=group,
        run=run or f"runs/{label}",
        measures={"top1@photos": Measure(name="top1", value=value)},
        origins=own,
        network=None if published else network,
    )
    return with_label(plain, {} if label is None else {plain.run: label})


def standard(_origin):
    return {path: value for path, value in leaves(DOCUMENT).items() if path.startswith(("probe.", "dataset."))}


def study(*rows):
    models = counted_once(merged(rows))
    comparable, remarks = compared(models, standard)
    return compose(comparable, {}, AXES, warnings=[*duplicate_remarks(models, AXES), *remarks])


def axes(found):
    return {model.name: model.axes["ID"] for model in found.models}


def apart(found):
    return {name: text for name, text in ((m.name, why_apart(m.measures["top1@photos"])) for m in found.models) if text}


# --- names ------------------------------------------------------------------------------------


@given(st.text(min_size=1), st.none() | st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]*", fullmatch=True))
def test_the_name_without_its_label_is_the_models_own(name, label):
    shown = labelled_name(name, label)
    assert plain_name(shown, label) == name
    assert shown == (name if label is None else f"{name} ({label})")


def test_two_runs_of_a_model_stand_side_by_side():
    found = study(row("a", "ann", 0.5), row("b", "ann", 0.7), row("a", "bob", 0.6))
    assert axes(found) == {"a (ann)": 0.5, "b (ann)": 0.7, "a (bob)": 0.6}
    assert [(m.label, m.plain_name, m.duplicate_of, m.run) for m in found.models] == [
        ("ann", "a", None, "runs/ann"),
        ("ann", "b", None, "runs/ann"),
        ("bob", "a", "a (ann)", "runs/bob"),
    ]
    assert found.labelled and not study(row("a")).labelled
    text = "1 model takes no part in statistics, which count a model once, as the run given first has it: a (bob)"
    assert found.warnings == (text,)
    assert (found.warnings[0].kind, found.warnings[0].subject) == ("duplicate", "a (bob)")


def test_a_remark_has_the_number_and_names_of_many():
    rows = [row(f"m{at:02}", label) for label in ("ann", "bob") for at in range(20)]
    (remark,) = study(*rows).warnings
    assert remark.startswith("20 models take no part") and "m00 (bob), m01 (bob)" in remark
    assert remark.endswith("m11 (bob), … (20 in all)")


PLACES = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from([None, "x", "y", "z"])), unique=True, max_size=12)


@given(PLACES)
def test_each_model_takes_part_once_in_the_run_that_was_given_first(places):
    rows = counted_once([row(name, label) for name, label in places])
    counted = [one for one in rows if one.duplicate_of is None]
    assert sorted(one.plain_name for one in counted) == sorted({name for name, _ in places})
    for name, _ in places:
        of_model = [one for one in rows if one.plain_name == name]
        assert [one.duplicate_of for one in of_model] == [None, *[of_model[0].name] * (len(of_model) - 1)]


def test_a_run_that_has_nothing_of_a_model_does_not_stand_for_it():
    empty = replace(row("a", "ann"), measures={}, origins={})
    found = sorted_by(study(empty, row("b", "ann"), row("a", "bob"), row("a", "eve")))
    assert {model.name: model.duplicate_of for model in found.models} == {
        "a (bob)": None,
        "a (ann)": "a (bob)",
        "a (eve)": "a (bob)",
        "b (ann)": None,
    }
    rows = counted_once([empty, replace(row("a", "bob"), measures={})])
    assert [one.duplicate_of for one in rows] == [None, "a (ann)"]


def test_what_the_counted_run_lacks_and_another_has_is_told():
    """Statistics over fewer models than the study could have are not silent about it."""
    other = {"top5@photos": Measure(name="top5", value=0.9)}
    found = study(replace(row("a", "ann"), measures=other, origins={}), row("b", "ann"), row("a", "bob"))
    lacking = "statistics are without ID of a (ann), which a run given later has; the run that is given first counts"
    assert {m.name: (m.duplicate_of, m.axes["ID"]) for m in found.models}["a (ann)"] == (None, None)
    assert lacking in found.warnings
    assert lacking not in study(row("a", "ann"), row("a", "bob")).warnings


# --- what is refused, and what is not ----------------------------------------------------------


def test_two_runs_of_one_label_are_one_set():
    first, second = row("a", "ann", run="runs/1"), row("a", "ann", run="runs/2")
    second = replace(second, measures={"top5@photos": Measure(name="top5", value=0.9)}, name=first.name, label="ann")
    (model,) = study(first, second).models
    assert (model.name, model.run, set(model.measures)) == (
        "a (ann)",
        "runs/1 + runs/2",
        {"top1@photos", "top5@photos"},
    )
    assert model.duplicate_of is None
    with pytest.raises(
        RequestError, match=r"model 'a \(ann\)' is in runs/1 and in runs/2, both with top1@photos.*another label to one"
    ):
        study(first, row("a", "ann", run="runs/2"))


@pytest.mark.parametrize("changes", [{}, {"group": "h"}, {"network": {"checkpoint": ["bb"]}}])
def test_runs_without_labels_are_refused_and_the_message_names_the_way_on(changes):
    second = row("a", run="runs/b", **changes)
    if changes:
        second = replace(second, measures={"top5@photos": Measure(name="top5", value=0.9)}, origins={})
    with pytest.raises(RequestError, match=r"is in runs/a and in runs/b.* label to each.*") as error:
        study(row("a", run="runs/a"), second)
    assert error.value.remedy == "harness report a=RUN b=RUN" and "\n" not in str(error.value)
    assert len(study(row("a", "x", run="runs/a"), row("a", "y", run="runs/b", **changes)).models) == 2


def test_a_name_that_looks_like_a_labelled_one_is_not_merged_with_it():
    with pytest.raises(RequestError, match=r"'a \(ann\)' of one run is named as a labelled one of another"):
        study(row("a (ann)", published=True), row("a", "ann"))


def test_groups_of_two_labels_may_differ():
    found = study(row("a", "ann"), row("a", "bob", group="h"), row("a", "eve", group=None))
    assert [model.group for model in found.models] == ["g", "h", None]


def test_another_network_or_published_numbers_of_that_name_are_told():
    other = row("a", "bob", network={"checkpoint": ["bb"]})
    found = study(row("a", "ann"), other, row("a", "paper", published=True))
    assert found.warnings[1:] == (
        "a (bob): another network than that of the same name beside it (checkpoint changed: aa -> bb)",
        "a (paper): published numbers name no checkpoint, so it is that of label ann by name alone",
    )
    assert {remark.kind for remark in found.warnings[1:]} == {"comparability"}


# --- comparability -----------------------------------------------------------------------------

VERSIONS = st.lists(st.sampled_from([1, 2, 3]), min_size=1, max_size=5)


@given(VERSIONS, VERSIONS, st.booleans(), st.booleans())
def test_a_duplicate_has_no_say_in_what_is_compared(first, second, published, again):
    counted = [row(f"m{at}", "ann", **{"probe.version": version}) for at, version in enumerate(first)]
    counted += [row("p", "ann", published=True)] if published else []
    others = [row(f"m{at % len(first)}", f"bob{at}", **{"probe.version": v}) for at, v in enumerate(second)]
    others += [row("m0", "paper", published=True)] if again else []
    alone, both = study(*counted), study(*counted, *others)
    assert axes(alone) == {model.name: model.axes["ID"] for model in both.models if model.duplicate_of is None}
    agreeing = {model.name for model in alone.models if model.axes["ID"] is not None}
    usual = 1 if published else next(first[at] for at in range(len(first)) if f"m{at} (ann)" in agreeing)
    versions = {f"m{at % len(first)} (bob{at})": v for at, v in enumerate(second)} | (
        {"m0 (paper)": 1} if again else {}
    )
    for name, version in versions.items():
        assert (name in apart(both)) == (version != usual), name
        assert (axes(both)[name] is None) == (version != usual)


def test_a_duplicate_that_cannot_be_compared_says_with_what():
    found = study(row("a", "ann"), row("b", "ann"), row("a", "bob", **{"settings.limit": 9, "dataset.manifest": "cc"}))
    assert apart(found).keys() == {"a (bob)"}
    assert apart(found)["a (bob)"].startswith("cannot be compared with a (ann), b (ann): dataset.manifest changed:")
    assert found.models[-1].measures["top1@photos"].value == 0.5
    assert any("left out of biases, axes and ranks" in remark for remark in found.warnings)


def test_a_label_stands_for_its_many_models():
    rows = [row(f"m{at}", label, **{"probe.version": v}) for label, v in (("ann", 1), ("bob", 2)) for at in range(4)]
    (remark,) = study(*rows).warnings[1:]
    assert remark.text.startswith(
        "4 models (bob) cannot be compared with 4 models (ann): probe.version changed: 1 -> 2"
    )


def test_published_numbers_beside_measured_ones_of_that_name_are_judged_too():
    cutoffs = {"probe.params.bias_cutoffs": [0.9]}
    found = study(row("a", "ann", **cutoffs), row("a", "paper", published=True))
    assert apart(found) == {
        "a (paper)": "cannot be compared with a (ann): probe.params.bias_cutoffs changed: 0.9 -> 0.1"
    }
    found = study(row("a", "paper", published=True), row("a", "ann", **cutoffs))
    assert apart(found) == {
        "a (ann)": "cannot be compared with the published numbers: probe.params.bias_cutoffs changed: 0.1 -> 0.9"
    }


def test_where_nobody_else_has_the_measure_duplicates_are_compared_among_themselves():
    first = replace(row("a", "ann"), measures={}, origins={})
    found = compared(
        counted_once([first, row("a", "x"), row("a", "y"), row("a", "z", **{"probe.version": 2})]), standard
    )[0]
    assert [bool(why_apart(one.measures["top1@photos"])) for one in found[1:]] == [False, False, True]


@pytest.mark.parametrize(
    ("path", "words"), [("settings.seed", "other draws"), ("settings.precision", "equal up to rounding")]
)
def test_another_seed_or_precision_of_a_label_is_told_and_stays_in(path, words):
    """However many duplicates have it: what takes part is what is usual."""
    others = [row(name, label, **{path: "other"}) for label in ("bob", "eve") for name in ("a", "b")]
    found = study(row("a", "ann"), row("b", "ann"), *others)
    assert None not in axes(found).values()
    (remark,) = found.warnings[1:]
    assert remark.startswith("accuracy@photos: 4 models: ") and words in remark and f"{path} changed" in remark


def test_another_code_names_the_label():
    codes = CodesOfStudy({"runs/1": "ann", "runs/2": "bob"})
    for run, code in (("runs/1", "x"), ("runs/2", "y")):
        codes.add(Job(task="accuracy@photos", model="m", identity=identity(), key="0", code={"probe": code}), run)
    (remark,) = [one for one in codes.remarks() if one.startswith("probe")]
    assert "m (ann) / m (bob)" in remark


# --- order and errata --------------------------------------------------------------------------

VALUES = st.sampled_from([None, 0.1, 0.2, 0.2 + 1e-9, 0.3])
MODELS = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from(["x", "y"]), st.sampled_from(["g", "h", None]), VALUES),
    unique_by=lambda place: place[:2],
    max_size=12,
)


@given(MODELS)
def test_duplicates_stand_beside_their_model_and_move_no_other(places):
    rows = [
        replace(row(name, label, group=group), measures={"top1@photos": Measure(name="t", value=value, reason="no")})
        for name, label, group, value in places
    ]
    rows = counted_once(rows)
    every = sorted_by(compose(rows, {}, AXES)).models
    alone = sorted_by(compose([one for one in rows if one.duplicate_of is None], {}, AXES)).models
    assert [model.name for model in every if model.duplicate_of is None] == [model.name for model in alone]
    assert sorted(model.name for model in every) == sorted(one.name for one in rows)
    for key in (lambda model: model.group, lambda model: (model.plain_name, model.group)):
        assert len({key(model) for model in every}) == len([*groupby(every, key)]), "each set stands together"
    unsorted = sorted_by(compose(rows, {}, {})).models
    assert [(m.plain_name, m.group) for m in unsorted] == [
        key for key in dict.fromkeys((one.plain_name, one.group) for one in rows)
        for one in rows if (one.plain_name, one.group) == key
    ]  # fmt: skip


def test_corrections_keep_labels_and_what_is_told():
    erratum = Erratum(measure="top1@photos", title="was halved", proof="by hand", scale=2.0)
    rows = [marked(row("a", label, published=True), [erratum]) for label in ("ann", "bob")]
    models = counted_once(rows)
    before = compose(models, {}, AXES, errata=[erratum], warnings=list(duplicate_remarks(models)))
    after = mended(sorted_by(before))
    assert [(m.name, m.label, m.duplicate_of, m.axes["ID"]) for m in after.models] == [
        ("a (ann)", "ann", None, 1.0),
        ("a (bob)", "bob", "a (ann)", 1.0),
    ]
    assert sum(remark.startswith("1 model takes no part") for remark in after.warnings) == 1
