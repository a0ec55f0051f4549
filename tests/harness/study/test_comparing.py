"""`harness compare`: verdicts on hand-made sides, then the command on runs and on the published table."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from harness import Erratum, Measure, Reason, RequestError, Tolerance
from harness.identity import leaves
from harness.output.formats import to_csv, to_json, to_terminal
from harness.plugins.models._zoo.network import build
from harness.records import effect_of
from harness.statistics import wilson_interval
from harness.study.comparing import compare
from harness.study.comparison_tables import comparison_data, comparison_tables
from harness.study.side import Side
from tests.helpers.identities import DOCUMENT, PATHS, identity, origin, other
from tests.helpers.reasons import absences
from tests.helpers.same_numbers import csv_sheets, problems

PADDED = Erratum(measure="top1@p", title="48 too many", scale=1.00096, offset=-0.00096)
LOST = Erratum(measure="top1@r", title="last batch only")
ACCURACY = Tolerance(measures="top1@*", within=0.001, reason="decoder")


def measure(value, n=None, half=None, reason=None):
    low, high = (None, None) if half is None else (value - half, value + half)
    return Measure(name="top1", value=value, n=n, low=low, high=high, reason=reason, direction="higher")


def side(label="mine", partial=None, errata=(), tolerances=(), missing=None, **measures):
    named = {f"top1@{key}": one if isinstance(one, Measure) else measure(one) for key, one in measures.items()}
    return Side(
        label=label,
        models={"m": named},
        missing={"m": missing or ()},
        partial=partial or {},
        errata=errata,
        tolerances=tolerances,
    )


def table(**measures):
    return side("table", errata=(PADDED, LOST), tolerances=(ACCURACY,), **measures)


def only(mine, theirs):
    (found,) = compare(mine, theirs)
    return found


# --- formats ----------------------------------------------------------------------------------


@given(st.floats(0, 1), st.floats(-0.01, 0.01), st.sampled_from(["fraction", "count", "1"]))
@example(0.5, -0.00001, "fraction")
@example(0.123449999, 0.0, "fraction")
def test_terminal_csv_and_json_show_the_same_numbers(value, shift, unit):
    mine, theirs = (
        side(label, a=replace(measure(number), unit=unit)) for label, number in (("a", value + shift), ("b", value))
    )
    data = comparison_data(mine, theirs, compare(mine, theirs))
    (entry,), (sheet,) = data["comparisons"], csv_sheets(to_csv(comparison_tables(data)))
    (cells,) = comparison_tables(data, whole=False)[0].rows
    assert [problem for cell in cells[1:5] for problem in problems(cell.text, cell.value)] == []
    scale = 100 if unit == "fraction" else 1
    numbers = [entry[key] for key in ("mine", "theirs", "difference", "tolerance")]
    expected = ["" if number is None else scale * number for number in numbers]
    assert sheet.rows == [[f"top1@a{' %' if unit == 'fraction' else ''}", *expected, entry["verdict"]]]


def test_csv_has_every_comparison_of_the_json():
    lost = {f"top1@{name}": f"lost {name}" for name in "stuvwx"}
    mine = side(a=0.5, p=0.3, r=0.6, z=0.7, missing=absences(lost))
    theirs = table(a=0.5004, p=0.2, r=0.9, s=0.1, t=0.2, u=0.3, v=0.4, w=0.5, x=0.6)
    data = comparison_data(mine, theirs, compare(mine, theirs))
    judged, missing = csv_sheets(to_csv(comparison_tables(data, each=True)))
    rows = [["m", row[0], *row[1:3]] for row in judged.rows] + [row[:4] for row in missing.rows]
    assert sorted(map(str, rows)) == sorted(
        str(["m", f"{one['measure']} %", *("" if one[key] is None else 100 * one[key] for key in ("mine", "theirs"))])
        for one in data["comparisons"]
    )
    assert [row[4] for row in missing.rows] == [
        one["reason"] for one in data["comparisons"] if one["mine"] is None or one["theirs"] is None
    ]
    assert len(missing.rows) == 6


# --- verdicts ---------------------------------------------------------------------------------


@given(st.floats(0, 1), st.floats(-0.01, 0.01))
def test_what_is_within_the_tolerance_is_ok_and_else_differs(value, shift):
    found = only(side(a=value + shift), table(a=value))
    assert found.difference == pytest.approx(shift, abs=1e-12)
    if abs(abs(shift) - 0.001) > 1e-8:
        assert found.verdict == ("ok" if abs(shift) < 0.001 else "differs")


def test_the_first_tolerance_that_fits_counts_and_says_why():
    wide = Tolerance(measures="top1@a", within=0.1, reason="first")
    found = only(side(a=0.55), side("table", tolerances=(wide, ACCURACY), a=0.5))
    assert (found.verdict, found.tolerance, found.reason) == ("ok", 0.1, "first")


def test_fewer_trials_widen_the_tolerance_by_the_half_width_of_their_interval():
    found = only(side(a=measure(0.52, n=250, half=0.06)), table(a=measure(0.5, n=50_000)))
    assert (found.verdict, found.tolerance) == ("ok", pytest.approx(0.061))
    assert found.reason == "decoder; 95 % interval of 250 trials here, 50,000 there"
    assert only(side(a=measure(0.52, n=50_000, half=0.06)), table(a=measure(0.5, n=50_000))).verdict == "differs"
    assert only(side(a=measure(0.57, n=250, half=0.06)), table(a=measure(0.5, n=50_000))).verdict == "differs"


def test_their_fewer_trials_count_too():
    found = only(side(a=measure(0.52, n=50_000, half=0.001)), side("run", a=measure(0.5, n=250, half=0.06)))
    assert (found.verdict, found.tolerance) == ("ok", pytest.approx(0.06))


def test_a_part_of_a_dataset_widens_where_no_number_of_trials_is_known():
    partial = {"a": "320 of 1,280 images"}
    found = only(side(a=measure(0.52, n=190, half=0.06), partial=partial), table(a=0.5))
    assert (found.verdict, found.reason) == ("ok", "decoder; 95 % interval of 320 of 1,280 images")
    unknown = only(side(a=0.52, partial={"*": "--limit 20"}), table(a=0.5))
    assert (unknown.verdict, unknown.tolerance) == ("not comparable", None)
    assert unknown.reason == "--limit 20, and no interval is known"
    assert only(side(a=0.5, partial={"*": "--limit 20"}), table(a=0.5)).verdict == "ok"


def test_two_runs_must_agree_and_their_rounding_may_not():
    assert only(side(a=0.1 + 0.2), side("run", a=0.3)).verdict == "ok"
    found = only(side(a=0.3001), side("run", a=0.3))
    assert (found.verdict, found.reason) == ("differs", "equal numbers expected")


def test_a_measure_without_a_tolerance_in_a_published_table_cannot_be_judged():
    mine, theirs = (Side(label="s", models={"m": {"fit@a": measure(v)}}, tolerances=(ACCURACY,)) for v in (3.0, 9.0))
    found = only(mine, theirs)
    assert (found.verdict, found.reason) == ("not comparable", "no tolerance is known")


@pytest.mark.parametrize(
    ("mine", "verdict"),
    [(0.1, "erratum"), (0.1 + 0.00096 * 0.9, "ok"), (0.1 + 0.0011, "differs"), (0.1 - 0.0011, "differs")],
)
def test_a_mended_value_is_what_counts(mine, verdict):
    """0.1 was published as (0.1 + 0.00096) / 1.00096, which is 0.00086 more."""
    found = only(side(p=mine), table(p=(0.1 + 0.00096) / 1.00096))
    assert found.right == pytest.approx(0.1)
    assert found.difference == pytest.approx(mine - 0.1)
    expected = verdict if abs(mine - found.theirs) > 0.001 or verdict != "erratum" else "ok"
    assert found.verdict == expected


@pytest.mark.parametrize("mine", [0.5, 0.5004, 0.9])
def test_what_nobody_can_judge_is_an_erratum_even_where_it_agrees(mine):
    """The published number rests on 326 trials without an interval, one's own on 46,837."""
    found = only(side(r=measure(mine, n=46_837, half=0.004)), table(r=measure(0.5, n=326)))
    assert (found.verdict, found.erratum, found.right) == ("erratum", "last batch only", None)


def test_a_difference_that_the_erratum_explains_is_an_erratum():
    tight = Tolerance(measures="*", within=0.0001, reason="tight")
    found = only(side(p=0.1), side("table", errata=(PADDED,), tolerances=(tight,), p=(0.1 + 0.00096) / 1.00096))
    assert (found.verdict, found.erratum) == ("erratum", "48 too many")


def test_what_cannot_be_mended_is_never_judged():
    for value in (0.5, 0.9):
        found = only(side(r=value), table(r=0.9))
        assert (found.verdict, found.right) == ("erratum", None)


def test_gaps_have_their_reason():
    mine = side(a=0.5, b=measure(None, reason="0/0"), d=0.3, missing=absences({"top1@c": "failed: NaN"}))
    theirs = side("table", a=0.5, b=0.5, c=0.5, e=0.5, missing=absences({"top1@d": "not published"}))
    found = {one.measure: (one.verdict, one.reason) for one in compare(mine, theirs)}
    assert found["top1@b"] == ("not comparable", "undefined in mine: 0/0")
    assert found["top1@c"] == ("not comparable", "mine: failed: NaN")
    assert found["top1@e"] == ("not comparable", "mine: not measured")
    assert found["top1@d"] == ("not comparable", "table: not published")


def test_what_is_undefined_on_both_sides_for_one_reason_is_no_difference():
    mine = side(a=0.5, b=measure(None, reason="needs logits"), c=measure(None, reason="3 of 9 are guesses"))
    theirs = side("run", a=0.5, b=measure(None, reason="needs logits"), c=measure(None, reason="4 of 9 are guesses"))
    found = {one.measure: (one.verdict, one.reason) for one in compare(mine, theirs)}
    assert found.keys() == {"top1@a", "top1@c"}
    assert found["top1@c"] == ("not comparable", "undefined in mine: 3 of 9 are guesses")
    with pytest.raises(RequestError, match=r"no measure.*needs logits"):
        compare(side(b=measure(None, reason="needs logits")), side("run", b=measure(None, reason="needs logits")))


def test_nothing_in_common_is_a_mistake():
    with pytest.raises(RequestError, match=r"no model of mine \(m\) is in table \(other\)"):
        compare(side(a=0.5), Side(label="table", models={"other": {}}))
    with pytest.raises(RequestError, match=r"share m, but no measure: top1@a here, top1@b there"):
        compare(side(a=0.5), side("table", b=0.5))


def test_a_task_that_is_missing_on_both_sides_stands_for_its_measures():
    tasks = {"accuracy@a": "failed: NaN", "accuracy@b": "no folder"}
    mine = side(c=0.5, missing=absences(tasks=tasks))
    theirs = side("table", c=0.5, missing=absences(tasks={"accuracy@a": "failed: NaN", "accuracy@z": "not run"}))
    found = {one.measure: (one.verdict, one.reason) for one in compare(mine, theirs)}
    assert found.keys() == {"top1@c", "accuracy@a"}
    assert found["accuracy@a"] == ("not comparable", "mine: failed: NaN")
    other = side("table", c=0.5, missing=absences(tasks={"accuracy@a": "not run"}))
    (one,) = [one for one in compare(mine, other) if one.measure == "accuracy@a"]
    assert one.reason == "mine: failed: NaN; table: not run"
    with pytest.raises(RequestError, match=r"but no measure: none here, none there \(mine: failed: NaN\)\. Run"):
        compare(side(missing=mine.missing["m"]), side("table", missing=theirs.missing["m"]))


def test_models_of_one_side_alone_are_named():
    mine, theirs = side(a=0.5), side("table", a=0.5)
    mine = replace(mine, models={**mine.models, "x": {}})
    theirs = replace(theirs, models={**theirs.models, **{f"y{at}": {} for at in range(6)}})
    data = comparison_data(mine, theirs, compare(mine, theirs))
    assert (data["only_here"], len(data["only_there"])) == (["x"], 6)
    text = to_terminal(comparison_tables(data))
    assert "only in mine: x\n" in text and "only in table: y0, y1, y2, y3, … (6 in all)" in text


# --- what is shown ----------------------------------------------------------------------------


def shown():
    mine = side(a=0.5, p=0.3, r=0.6, q=0.7, label="runs/mine")
    theirs = table(a=0.5004, p=0.2, r=0.9, q=0.7, z=0.1)
    return comparison_data(mine, theirs, compare(mine, theirs))


def test_data_is_strict_json_with_counts():
    data = json.loads(to_json(shown()))
    assert data["counts"] == {"differs": 1, "erratum": 1, "not comparable": 1, "ok": 2}
    (erratum,) = [one for one in data["comparisons"] if one["measure"] == "top1@p"]
    assert {"mine", "theirs", "right", "difference", "tolerance", "reason", "erratum", "verdict"} <= set(erratum)


def test_tables_have_the_worst_first_and_fit_80_columns():
    text = to_terminal(comparison_tables(shown()))
    assert max(map(len, text.splitlines())) <= 80
    verdicts = [line.split()[-1] for line in text.splitlines() if line.startswith("top1@")]
    assert verdicts[0] == "†" and verdicts[1:4] == ["erratum", "ok", "ok"]
    assert "runs/mine: not measured" in text
    assert "1 differs, 1 erratum, 1 not comparable, 2 ok" in text


# --- the command ------------------------------------------------------------------------------


MODELS = "models:\n  plain: {source: dummy, options: {kind: brightness}}\n"


@pytest.fixture
def harness(command_line):
    """`command_line`, with a registry of one dummy network in ``models.yaml``."""
    Path("models.yaml").write_text(MODELS)
    return command_line


def test_people_read_one_table_for_each_model_and_only_what_is_not_ok_of_very_many():
    ok = {f"top1@x/{at}": measure(0.5) for at in range(100)}
    mine = Side(label="mine", models={"one": {**ok, "top1@a": measure(0.5)}, "two": ok})
    theirs = Side(label="other", models={"one": {**ok, "top1@a": measure(0.9)}, "two": ok})
    data = comparison_data(mine, theirs, compare(mine, theirs))
    overview, one = comparison_tables(data, whole=False)
    assert [[cell.text for cell in row] for row in overview.rows] == [
        ["one", "1", "0", "0", "100"],
        ["two", "0", "0", "0", "100"],
    ]
    assert one.title == "one" and [row[0].text for row in one.rows] == ["top1@a %"]
    assert "200 measures are ok and not listed here" in one.note
    (everything,) = comparison_tables(data)
    assert len(everything.rows) == 201 and everything.columns[0] == "model"


def test_counts_have_no_decimals():
    hits = {"correct@a": Measure(name="correct", value=1200.0, unit="count")}
    both = [Side(label=label, models={"m": hits}) for label in ("mine", "other")]
    (table,) = comparison_tables(comparison_data(*both, compare(*both)))
    assert [cell.text for cell in table.rows[0]] == ["correct@a", "1200", "1200", "+0", "0", "ok"]


def test_what_is_missing_has_the_reason_of_its_own_task_in_the_same_words():
    absent = "its checkpoint is not on this machine"
    undefined = measure(None, reason="0/0")  # a reason of its own, and of nothing else on that dataset
    tasks = absences(tasks={"accuracy@a": absent, "accuracy@b": absent, "accuracy@c": "no folder c"})
    own = Reason(kind="measure", subject="top1@a", text=absent, causes=tasks[:1])
    missing = (*absences({"x@d": "0/0"}), own, *tasks)
    mine = Side(label="mine", models={"m": {"x@d": undefined}, "n": {"top1@a": measure(0.5)}}, missing={"m": missing})
    there = {name: measure(0.5) for name in ("top1@a", "top5@a", "top1@b", "top1@c", "top1@d")}
    theirs = Side(label="other", models={"m": there, "n": {"top1@a": measure(0.5)}})
    reasons = [one.reason.removeprefix("mine: ") for one in compare(mine, theirs) if one.model == "m"]
    assert reasons == [absent, absent, absent, "no folder c", "not measured"]


def run(harness, out, *more):
    code, _, err = harness(
        "run", "--registry", "models.yaml", "--data", "data", "--batch-size", "8", "--device", "cpu",
        "--task", "accuracy@imagenet", "--models", "plain", "--out", out, *more,
    )  # fmt: skip
    assert code == 0, err


def test_two_runs(harness, tiny_tree, tmp_path):
    tiny_tree(classes=4, images=6, folder=tmp_path / "data" / "imagenet" / "val")
    run(harness, "one")
    run(harness, "two")
    run(harness, "part", "--limit", 5)
    code, out, _ = harness("compare", "one", "--against", "two", "--format", "json")
    data = json.loads(out)
    assert code == 0
    assert data["counts"]["differs"] == data["counts"]["not comparable"] == 0
    assert data["counts"]["ok"] >= 3
    code, out, _ = harness("compare", "part", "--against", "one", "--format", "json")
    (top1,) = [one for one in json.loads(out)["comparisons"] if one["measure"] == "top1@imagenet"]
    assert "95 % interval of 5 trials here, 24 there" in top1["reason"]


def test_another_crop_is_not_silently_compared_and_other_settings_are_said(harness, tiny_tree, tmp_path):
    tiny_tree(classes=4, images=6, folder=tmp_path / "data" / "imagenet" / "val")
    run(harness, "one")
    crop = {"imagenet": {"resize": 256, "size": 32}}
    suite = {"tasks": ["accuracy@imagenet"], "models": ["plain"], "preprocessing": crop}
    (tmp_path / "crop.yaml").write_text(json.dumps({"suites": {"crop": suite}}))
    code, _, err = harness(
        "run", "--registry", "models.yaml", "--registry", "crop.yaml", "--data", "data", "--batch-size", "8",
        "--device", "cpu", "--suite", "crop", "--out", "two", "--seed", "7",
    )  # fmt: skip
    assert code == 0, err
    code, out, _ = harness("compare", "two", "--against", "one", "--format", "json")
    data = json.loads(out)
    (top1,) = [one for one in data["comparisons"] if one["measure"] == "top1@imagenet"]
    assert "preprocessing.size changed: 224 -> 32" in top1["reason"] and top1["tolerance"] is None, top1
    assert data["settings"] == "seed 0 there, 7 here"
    assert "settings differ: seed 0 there, 7 here" in " ".join(harness("compare", "two", "--against", "one")[1].split())


# --- protocols --------------------------------------------------------------------------------


def measured(value=0.5, samples=None, required=None, **changes):
    """One measure of one model, with the protocol of its trials."""
    return replace(
        side(a=measure(value, n=1000, half=0.03)),
        origins={"m": {"top1@a": origin("accuracy@a", required=required, **changes)}},
        samples=lambda task: samples or {},
    )


@pytest.mark.parametrize("path", PATHS)
@given(shift=st.sampled_from([0.0, 0.0004, 0.2]))
def test_nothing_is_judged_without_naming_what_differs(path, shift):
    found = only(measured(0.5 + shift, **{path: other(leaves(DOCUMENT)[path])}), measured(0.5))
    assert f"{path} changed" in found.reason and [change.path for change in found.changes] == [path]
    serious = effect_of(path) in ("meaning", "network")
    draws, rounding = (effect_of(path) == effect for effect in ("draws", "rounding"))
    equal = shift == 0.0 or (rounding and shift < 0.001)
    expected = "ok" if equal else "not comparable" if draws else "differs"
    assert found.verdict == ("not comparable" if serious else expected)


@given(st.sets(st.sampled_from(PATHS), min_size=1))
def test_however_much_differs_all_of_it_is_named(paths):
    found = only(measured(**{path: other(leaves(DOCUMENT)[path]) for path in paths}), measured())
    named = {path for path in paths if path in found.reason}
    assert named == {path for path in paths if not path.startswith("layout.")} or named == paths
    assert {change.path for change in found.changes} == paths


def test_equal_protocols_are_judged():
    assert only(measured(), measured()).reason == "equal numbers expected"
    assert only(measured(0.5001), measured()).verdict == "differs"


@pytest.mark.parametrize(
    ("unit", "value", "verdict"), [("count", 1, "ok"), ("count", 2, "differs"), ("1", 0.001, "not comparable")]
)
def test_rounding_may_change_one_decision_in_a_thousand(unit, value, verdict):
    sides = [
        replace(
            side(a=replace(measure(0.0 if here else float(value), n=1000), unit=unit)),
            origins={"m": {"top1@a": origin("accuracy@a", **{"versions.torch": "2.2" if here else "2.1"})}},
        )
        for here in (True, False)
    ]
    found = only(*sides)
    assert found.verdict == verdict and "versions.torch changed: 2.1 -> 2.2" in found.reason


SOME, ALL = ({f"{at}": (at % 3,) for at in range(n)} for n in (10, 1000))


@pytest.mark.parametrize(
    ("samples", "verdict"),
    [
        (SOME, "ok"),
        ({**SOME, "0": (2,)}, "not comparable"),
        ({**SOME, "new": (1,)}, "not comparable"),
        ({}, "not comparable"),
    ],
)
def test_a_part_of_the_same_images_is_judged_within_its_interval(samples, verdict):
    """Other labels, other images, or images that nobody knows, are not a part."""
    part = {"dataset.n": 10, "dataset.manifest": "cc", "settings.limit": 10}
    here = replace(measured(samples=samples, **part), models={"m": {"top1@a": measure(0.6, n=10, half=0.3)}})
    found = only(here, measured(samples=ALL))
    assert found.verdict == verdict
    assert "dataset.n changed: 48 -> 10" in found.reason and "dataset.manifest changed" in found.reason
    assert ("95 % interval of 10 trials here" in found.reason) == (verdict == "ok")


def test_the_probe_that_changed_is_blamed_at_its_own_measures():
    def both(version):
        negative = origin("negative@a", required={"accuracy": identity()}, **{"probe.version": version})
        return Side(
            label=str(version),
            models={"m": {"top1@a": measure(0.5), "top1@a/negative": measure(0.2)}},
            origins={"m": {"top1@a": origin("accuracy@a"), "top1@a/negative": negative}},
        )

    plain, negative = compare(both(1), both(2))
    assert (plain.verdict, plain.reason) == ("ok", "equal numbers expected")
    assert (negative.verdict, negative.reason) == (
        "not comparable",
        "measured differently there and here: probe.version changed: 2 -> 1",
    )


def test_a_measure_of_a_cell_that_cannot_be_read_says_how_its_cell_differs():
    """The other side's cell is of a version that is not installed: the side has no measure."""
    full = measured()
    task = Reason(kind="task", subject="accuracy@a", text="made by version 2")
    cells = {("accuracy@a", "m"): origin("accuracy@a", **{"probe.version": 2})}
    empty = Side(label="old", models={"m": {"top1@b": measure(0.5)}}, missing={"m": [task]}, cells=cells)
    full = replace(full, models={"m": {**full.models["m"], "top1@b": measure(0.5)}})
    there = [one for one in compare(full, empty) if one.measure == "top1@a"]
    here = [one for one in compare(empty, full) if one.measure == "top1@a"]
    reason = "old: made by version 2; measured differently there and here: probe.version changed:"
    assert [one.reason for one in there] == [f"{reason} 2 -> 1"]
    assert [one.reason for one in here] == [f"{reason} 1 -> 2"]
    assert {one.verdict for one in (*here, *there)} == {"not comparable"}


def test_published_numbers_have_the_default_parameters():
    def standard(_origin):
        return {path: value for path, value in leaves(DOCUMENT).items() if path.startswith("probe.")}

    published = replace(table(a=0.5), standard=standard)
    assert only(measured(), published).verdict == "ok"
    named = replace(published, probes={"top1@*": "other"})
    assert "probe.name changed: other -> accuracy" in only(measured(), named).reason
    for here, there, change in (
        (measured(**{"probe.params.bias_cutoffs": [0.9]}), published, "0.1 -> 0.9"),
        (published, measured(**{"probe.params.bias_cutoffs": [0.9]}), "0.9 -> 0.1"),
    ):
        found = only(here, there)
        assert found.verdict == "not comparable"
        assert f"probe.params.bias_cutoffs changed: {change}" in found.reason


# --- runs -------------------------------------------------------------------------------------


def compared(command_line, first, second, *more):
    """The comparison of two runs as JSON, and what a person reads."""
    code, out, err = command_line("compare", first, "--against", second, *more, "--format", "json")
    assert code in (0, 1), err
    return json.loads(out)["comparisons"], " ".join(
        command_line("compare", first, "--against", second, *more)[1].split()
    )


def test_other_corruptions_are_not_comparable(command_line, tmp_path):
    """Two runs measured a dataset of one name with other corruptions."""
    for name, corruptions in (("a", "[fog, gaussian_noise]"), ("b", "[fog, brightness, contrast]")):
        entry = f"datasets: {{my-c: {{plugin: shapes-c, params: {{corruptions: {corruptions}}}}}}}"
        (tmp_path / f"{name}.yaml").write_text(entry)
        words = ("--registry", f"{name}.yaml", "--models", "zoo-baseline", "--task", "accuracy@my-c", "--limit", 4)
        assert command_line("run", *words, "--out", name)[0] == 0
    found, text = compared(command_line, "a", "b")
    assert {one["verdict"] for one in found} == {"not comparable"}
    change = "dataset.corruptions changed: fog, brightness, contrast -> fog, gaussian_noise"
    assert all(change in one["reason"] for one in found) and change in text


NEGATIVE = """
from dataclasses import dataclass
from typing import ClassVar
from harness import Probe, accuracy_measures, hookimpl


@dataclass(frozen=True, kw_only=True)
class Negative(Probe):
    name: ClassVar[str] = "negative"
    version: ClassVar[int] = VERSION
    requires: ClassVar[tuple[str, ...]] = ("accuracy",)

    def conditions(self, size):
        return ("negative",)

    def stimuli(self, batch):
        yield "negative", (1 - batch.images) / self.version

    def measures(self, trials):
        return accuracy_measures(trials, "negative")


@hookimpl
def harness_probes():
    return [Negative()]
"""


def test_another_version_of_one_probe_says_nothing_about_the_others(command_line, tmp_path):
    for version in (1, 2):
        (tmp_path / f"v{version}").mkdir()
        (tmp_path / f"v{version}" / "negative.py").write_text(NEGATIVE.replace("VERSION", str(version)))
        words = ("--plugins", f"v{version}", "--models", "zoo-baseline", "--task", "negative@shapes-64", "--limit", 4)
        assert command_line("run", *words, "--out", f"run-{version}")[0] == 0
    found, text = compared(command_line, "run-1", "run-2", "--plugins", "v1")
    blamed = {one["measure"] for one in found if "probe.version" in one["reason"]}
    assert blamed == {one["measure"] for one in found if one["measure"].endswith("/negative")} and blamed
    assert {one["verdict"] for one in found if one["measure"] not in blamed} == {"ok"}
    assert "probe.version changed: 2 -> 1" in text


def test_another_checkpoint_of_one_name_is_named(command_line, tmp_path):
    for name in ("a", "b"):
        torch.save(build("plain").state_dict(), tmp_path / f"{name}.pth")
        model = (
            f"source: checkpoint, arch: 'zoo:plain', weights: 'file:{name}.pth', label_space: shapes-16, outputs: 16"
        )
        (tmp_path / f"{name}.yaml").write_text(f"models: {{mine: {{{model}}}}}")
        words = ("--registry", f"{name}.yaml", "--models", "mine", "--task", "accuracy@shapes-v2", "--limit", 16)
        assert command_line("run", *words, "--out", name)[0] == 0
    found, text = compared(command_line, "a", "b")
    assert {one["verdict"] for one in found} == {"not comparable"}
    assert all(one["reason"].partition(": ")[2].startswith("model.checkpoint changed: ") for one in found)
    assert "model.checkpoint changed" in text and "equal numbers expected" not in text
    assert found[0]["changes"][0]["path"] == "model.checkpoint"


IMPORTER = """
from harness import ImportedModel, ImportedTable, Importer, Measure, Tolerance, hookimpl


class Tiny(Importer):
    name = "tiny"

    def read(self, path):
        measures = {"top1@imagenet": Measure(name="top1", value=float(path.read_text()), direction="higher")}
        return ImportedTable(
            title="Tiny", source="here", license="CC0", biases={}, axes={},
            models=(ImportedModel(name="plain", group=None, measures=measures),),
            tolerances=(Tolerance(measures="top1@*", within=0.01, reason="made up"),),
        )


@hookimpl
def harness_importers():
    return [Tiny()]
"""


@pytest.mark.parametrize(("published", "verdict", "status"), [(0.05, "ok", 0), (0.5, "differs", 1)])
def test_what_differs_ends_with_1(harness, tiny_tree, tmp_path, published, verdict, status):
    """24 images, none recognised: the half-width of the interval is 0.069, and the table allows 0.01 more."""
    tiny_tree(classes=4, images=6, folder=tmp_path / "data" / "imagenet" / "val")
    run(harness, "one")
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "tiny.py").write_text(IMPORTER)
    (tmp_path / "tiny.txt").write_text(str(published))
    words = ("compare", "one", "--plugins", "plugins", "--against", "tiny", "--table", "tiny.txt", "--format", "json")
    code, out, err = harness(*words)
    (found,) = json.loads(out)["comparisons"]
    assert (code, found["verdict"]) == (status, verdict), err
    assert found["tolerance"] == pytest.approx(0.01 + wilson_interval(0, 24)[1] / 2)
    assert "24 of 50,000 images" in found["reason"]
    assert harness(*words[:-2], "-o", "table.txt")[0] == status
    assert verdict in (tmp_path / "table.txt").read_text()


REMARKING = """
from dataclasses import dataclass
from harness import hookimpl
from harness.plugins.datasets.imagenet import ImageNet


@dataclass(frozen=True, kw_only=True)
class Remarking(ImageNet):
    name: str = "remarking"
    path: str = "imagenet/val"

    def release(self):
        return None

    def remarks(self, samples):
        return ["three images have an alpha channel"]


@hookimpl
def harness_datasets():
    return [Remarking()]
"""


def test_a_remark_on_the_images_does_not_widen_the_tolerance(command_line, tiny_tree, tmp_path):
    """Only the number of images tells that a part of the dataset was measured."""
    tiny_tree(classes=4, images=6, folder=tmp_path / "data" / "imagenet" / "val")
    (tmp_path / "models.yaml").write_text(MODELS)
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "tiny.py").write_text(IMPORTER.replace("@imagenet", "@remarking"))
    (tmp_path / "plugins" / "remarking.py").write_text(REMARKING)
    (tmp_path / "tiny.txt").write_text("0.05")
    options = ("--registry", "models.yaml", "--plugins", "plugins")
    words = ("--data", "data", "--models", "plain", "--task", "accuracy@remarking", "--out", "one")
    assert command_line("run", *options, *words)[0] == 0
    words = ("one", "--against", "tiny", "--table", "tiny.txt", "--format", "json")
    code, out, err = command_line("compare", *words, *options)
    (found,) = json.loads(out)["comparisons"]
    assert (code, found["verdict"], found["reason"]) == (1, "differs", "made up"), err


def test_the_published_table_agrees_with_itself(harness, real):
    published = real / "paper" / "benchmark.csv"
    assert harness("import", "paper", published, "--out", "table")[0] == 0
    for more in (("--table", published), ("--data", real)):
        code, out, err = harness("compare", "table", "--against", "paper", "--format", "json", *more)
        assert code == 0, err
        assert json.loads(out)["counts"] == {"differs": 0, "erratum": 69, "not comparable": 0, "ok": 2766}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--against", "papyrus"), ("neither a run folder nor a published table", "model-vs-human, paper")),
        (("--against", "papyrus", "--table", "x.csv"), ("--against papyrus is no published table",)),
        (("--against", "paper"), ("no table paper", "benchmark.csv", "--table FILE", "HARNESS_DATA", "https://")),
        (("--against", "paper", "--data", "."), ("no file paper/benchmark.csv", "https://", "--table FILE")),
        (("--against", "paper", "--format", "pdf"), ("unknown value of --format 'pdf'",)),
    ],
)
def test_mistakes_are_one_line(harness, tiny_tree, tmp_path, arguments, words):
    tiny_tree(classes=2, images=2, folder=tmp_path / "data" / "imagenet" / "val")
    run(harness, "one")
    code, out, err = harness("compare", "one", *arguments)
    assert (code, out) == (2, "")
    assert len(err.strip().splitlines()) == 1
    assert all(word in err for word in words), err


def test_a_model_that_was_not_published_is_said(harness, tiny_tree, tmp_path, real):
    tiny_tree(classes=2, images=2, folder=tmp_path / "data" / "imagenet" / "val")
    run(harness, "one")
    code, _, err = harness("compare", "one", "--against", "paper", "--table", real / "paper" / "benchmark.csv")
    assert code == 2
    assert "no model of one (plain) is in paper" in err
