"""Errata of imported tables: marked where they apply, mended on request, and proved on the published table."""

import csv
import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import Erratum, Measure, RequestError
from harness.output.formats import render
from harness.plugins.importers.paper import ERRATA, IMAGES, TOLERANCES, Paper
from harness.plugins.reports.correlation import Correlation
from harness.study.compose import compose, mended
from harness.study.errata import corrected_definitions, corrected_flag, flag, marked, right_value
from harness.study.rows import Row
from tests.helpers.reasons import absences, lines

DOUBLED = Erratum(measure="top1@a", title="was halved", scale=2.0, offset=0.0)
LOST = Erratum(measure="top1@b", title="another set")
AXES = {"ID": ("top1@a", "top1@b"), "Other": ("top1@b",)}


def row(name="m", run="table", group="g", missing=None, **values):
    measures = {f"top1@{key}": Measure(name="top1", value=value) for key, value in values.items()}
    return Row(name=name, group=group, run=run, measures=measures, missing=missing or ())


def study(*rows, errata=(DOUBLED, LOST), axes=AXES, biases=None):
    return compose(
        [marked(one, errata) if one.run == "table" else one for one in rows], biases or {}, axes, errata=errata
    )


def test_imported_measures_are_marked_once_and_others_are_not():
    one = marked(row(a=0.2, c=0.3), [DOUBLED, LOST])
    assert one.measures["top1@a"].flags == ("erratum: was halved",)
    assert one.measures["top1@c"].flags == ()
    assert marked(one, [DOUBLED]) == one


def test_mending_replaces_what_can_be_and_leaves_out_what_cannot():
    found = mended(study(row(a=0.2, b=0.4), row("mine", "own", a=0.5, b=0.9)))
    published, mine = found.models
    assert found.axes == {"ID": ("top1@a",)}
    assert published.axes == {"ID": 0.4}
    assert published.measures["top1@a"].flags == ("mended: was halved",)
    assert published.measures["top1@b"].value == 0.4  # it stays as published, and is part of nothing
    assert mine.axes == {"ID": 0.5}  # own values are right already, and mean the same as the published ones
    assert found.mended and found.errata == (DOUBLED, LOST)


def test_mending_says_what_it_changed_and_nothing_that_is_no_longer_true():
    before = study(row(a=0.2, b=0.4))
    assert "top1@a: erratum: was halved (m)" in before.warnings
    after = mended(before).warnings
    assert "top1@a: mended: was halved (m)" in after
    assert "mended: ID without top1@b, for every model: another set" in after
    assert "mended: Other is left out, since no part of it can be corrected: top1@b" in after
    assert not any("erratum: was halved" in one for one in after)


def test_mending_takes_back_the_reason_of_a_gap_that_is_none_any_more():
    before = study(row(a=0.2, b=0.1), row("gap", a=0.3, missing=absences({"top1@b": "not in the table"})))
    assert lines(before.models[1])["ID"] == "no top1@b (not in the table)"
    gap = mended(before).models[1]
    assert gap.axes == {"ID": 0.6}
    assert lines(gap) == {"top1@b": "not in the table"}


def test_errata_that_concern_no_model_are_not_told_and_nothing_to_mend_is_refused():
    assert study(row(a=0.2)).errata == (DOUBLED,)
    assert study(row("mine", "own", a=0.2)).errata == ()
    with pytest.raises(RequestError, match="no errata to apply: none of these runs is an imported table"):
        mended(study(row("mine", "own", a=0.2)))
    with pytest.raises(RequestError, match="already applied"):
        mended(mended(study(row(a=0.2))))


def test_intervals_are_mended_too_and_stay_in_order():
    mirrored = Erratum(measure="top1@a", title="t", scale=-1.0, offset=1.0)
    measure = Measure(name="top1", value=0.3, low=0.2, high=0.6)
    one = marked(Row(name="m", group=None, run="table", measures={"top1@a": measure}), [mirrored])
    (model,) = mended(compose([one], {}, {}, errata=[mirrored])).models
    found = model.measures["top1@a"]
    assert (found.value, found.low, found.high) == pytest.approx((0.7, 0.4, 0.8))


def test_definitions_lose_only_what_cannot_be_mended():
    assert corrected_definitions({"x": ("top1@c",)}, [DOUBLED, LOST]) == {"x": ("top1@c",)}
    assert flag(LOST) != corrected_flag(LOST)


@given(st.integers(48, 50_048))
def test_the_attacks_accuracy_is_what_was_counted(counted):
    erratum = ERRATA[1]
    assert right_value(erratum, counted / 50_048) == pytest.approx((counted - 48) / 50_000, abs=1e-12)
    if counted == 48:
        assert str(right_value(erratum, 48 / 50_048)) == "0.0"


def test_every_published_measure_has_a_tolerance_with_a_reason():
    assert all(one.within > 0 and one.reason for one in TOLERANCES)


# --- the published table ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def published(real):
    with (real / "paper" / "benchmark.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def table(real):
    return Paper().read(real / "paper" / "benchmark.csv")


def exact(text):
    """A printed percentage as the fraction that it is, if its denominator is at most 50,889."""
    return (Fraction(text) / 100).limit_denominator(60_000)


@pytest.mark.parametrize(
    ("column", "denominator", "values"),
    [
        ("top1_acc/imagenet-real", 326, 69),
        ("top1_acc/PGD-40/low", 50_048, 65),
        ("top1_acc/PGD-40/high", 50_048, 33),
    ],
)
def test_every_value_has_the_denominator_that_the_erratum_says(published, column, denominator, values):
    texts = [one[column] for one in published if one[column]]
    assert len(texts) == values
    for text in texts:
        assert denominator % exact(text).denominator == 0
    smaller = [n for n in range(1, denominator) if all(n % exact(text).denominator == 0 for text in texts)]
    assert smaller == []


def test_no_attack_leaves_fewer_than_48_and_three_leave_none_but_these(published):
    counts = [
        float(one[f"top1_acc/PGD-40/{level}"]) * 50_048 / 100
        for one in published
        for level in ("low", "high")
        if one[f"top1_acc/PGD-40/{level}"]
    ]
    assert round(min(counts)) == 48
    assert sum(round(count) == 48 for count in counts) == 3


@pytest.mark.parametrize("dataset", [name for name in IMAGES if name != "imagenet-real"])
def test_published_accuracies_are_whole_numbers_of_images(published, dataset):
    counts = [float(one[f"top1_acc/{dataset}"]) * IMAGES[dataset] / 100 for one in published]
    assert len(counts) == 70
    assert max(abs(count - round(count)) for count in counts) < 1e-4


def test_proofs_say_how_many_values_there_are(published):
    columns = ("top1_acc/imagenet-real", "top1_acc/PGD-40/low", "top1_acc/PGD-40/high")
    for erratum, column in zip(ERRATA, columns, strict=True):
        (said,) = re.findall(r"all (\d+) published values", erratum.proof)
        assert int(said) == sum(bool(one[column]) for one in published)


def as_study(table):
    rows = [
        marked(
            Row(name=m.name, group=m.group, run="paper", measures=m.measures, missing=absences(m.missing)), table.errata
        )
        for m in table.models
    ]
    return compose(rows, table.biases, table.axes, errata=table.errata)


def stars(entry):
    if entry["p"] is None or entry["p"] >= 0.05:
        return ""
    return "**" if entry["p_holm"] < 0.05 else "*"


def test_what_mending_changes_in_the_conclusions(table):
    """What docs/errata.md says of it."""
    pairs = list(zip(*(Correlation().data(one)["correlations"] for one in both(table)), strict=True))
    changed = [
        (new["models"], new["bias"], new["generalization"], stars(old), stars(new))
        for old, new in pairs
        if stars(old) != stars(new)
    ]
    assert changed == [
        ("training_recipes", "critical-band-bandwidth", "ID", "**", "*"),
        ("not adversarial_training", "critical-band-center-frequency", "ID", "", "*"),
    ]
    moved = [
        (abs(new["spearman"] - old["spearman"]), new["models"], new["bias"], new["generalization"])
        for old, new in pairs
        if new["spearman"] != old["spearman"]
    ]
    assert {axis for *_, axis in moved} == {"ID"}  # ranks do not see an increasing linear map
    assert max(one for one in moved if one[1] == "all")[0] == pytest.approx(0.0137, abs=5e-5)
    assert max(moved)[1:] == ("training_recipes", "high-frequency-bias", "ID")
    assert max(moved)[0] == pytest.approx(0.2667, abs=5e-5)


def both(table):
    """The published study, and the same mended."""
    return as_study(table), mended(as_study(table))


def test_the_report_marks_the_errata_and_mended_it_does_not(table):
    before, after = (Correlation().data(one) for one in both(table))
    assert [(one["measure"], one["concerns"]) for one in before["errata"]] == [
        ("top1@imagenet-real", ["ID"]),
        ("top1@imagenet/pgd-40-low", ["Adversarial"]),
        ("top1@imagenet/pgd-40-high", []),
    ]
    assert (before["mended"], after["mended"]) == (False, True)
    assert after["axes"]["ID"] == ["top1@imagenet", "top1@imagenet-v2"]
    text, healed = (render(Correlation(), one) for one in (before, after))
    assert "† ID: the published top1@imagenet-real is wrong" in text
    assert "†" not in healed
    assert "mended: ID without top1@imagenet-real, for every model" in " ".join(healed.split())
    assert max(map(len, [*text.splitlines(), *healed.splitlines()])) <= 80
