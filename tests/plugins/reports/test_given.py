"""Biases that are divided by another measure, at equal accuracy: coefficients, table, figure, what is held."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import rankdata

from harness import Measure, Remark, StatisticsPlan
from harness.output.formats import render, to_json
from harness.plugins.reports._divided import divisor_of
from harness.plugins.reports.correlation import Correlation
from harness.study.compose import compose
from harness.study.rows import Row

BIASES = {"pose": ["error-ratio@x/pose"], "both": ["error-ratio@x/pose", "error-ratio@x/dark"], "shape": ["shape@cc"]}
AXES = {"ID": ["top1@a"], "Sketch": ["top1@b"]}
DENOMINATORS = {"error-ratio": "error"}
HELD = StatisticsPlan(controls=("ID", "gone"))


def row(at, rng, **cells):
    """Accuracy rises with `at`; the ratios follow it, and a little of something else that shows on `b` too."""
    other = rng.normal()
    values = {
        "top1@a": 0.3 + at / 100,
        "top1@b": 0.2 + at / 150 + 0.02 * other,
        "error@x": 0.65 - at / 100 + 0.03 * rng.normal(),
        "error-ratio@x/pose": 1 + at / 50 + 0.1 * other,
        "error-ratio@x/dark": 1 + at / 70 + 0.1 * rng.normal(),
        "shape@cc": rng.uniform(),
        **cells,
    }
    measures = {
        name: value if isinstance(value, Measure) else Measure(name=name.partition("@")[0], value=value)
        for name, value in values.items()
        if value is not None
    }
    return Row(name=f"net{at}", group=None, run="r", measures=measures)


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    return [row(at, rng) for at in range(30)]


def report(rows, statistics=HELD, denominators=DENOMINATORS):
    return Correlation().data(compose(rows, BIASES, AXES, statistics=statistics, denominators=denominators))


def partial(data, bias="pose", axis="Sketch"):
    (entry,) = [e for e in data["correlations"] if (e["bias"], e["generalization"], e["models"]) == (bias, axis, "all")]
    return entry["partial"]


def expected(rows, *names):
    """By the textbook formula from three plain coefficients of ranks."""
    values = [[np.mean([one.measures[part].value for part in parts]) for one in rows] for parts in names]
    (_, xy, xz), (_, _, yz), _ = np.corrcoef([rankdata(column) for column in values])
    return (xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2))


@pytest.mark.parametrize("bias", ["pose", "both"])
def test_the_declared_controls_are_held(rows, bias):
    found = partial(report(rows), bias)
    assert (found["given"], found["n"], found["reason"]) == (["ID"], 30, None)
    assert found["value"] == pytest.approx(expected(rows, BIASES[bias], AXES["Sketch"], AXES["ID"]))
    assert found["low"] < found["value"] < found["high"]


def test_without_controls_what_the_bias_is_divided_by_is_held(rows):
    for plan in (StatisticsPlan(), StatisticsPlan(controls=("gone",))):
        found = partial(report(rows, plan))
        assert found["given"] == ["error@x"]
        assert found["value"] == pytest.approx(expected(rows, BIASES["pose"], AXES["Sketch"], ["error@x"]))


def test_what_is_not_divided_and_what_is_itself_held_have_a_reason(rows):
    data = report(rows)
    assert partial(data, "shape") == {
        "given": [], "n": 0, "value": None, "p": None, "low": None, "high": None,
        "reason": "the bias is not divided by another measure",
    }  # fmt: skip
    assert partial(data, "pose", "ID")["reason"] == "ID is not held against itself"
    assert partial(report(rows, denominators={}))["reason"] == "the bias is not divided by another measure"


def test_a_ratio_that_is_a_function_of_accuracy_has_nothing_left():
    rows = [row(at, np.random.default_rng(at), **{"error-ratio@x/pose": 1.0 / (1 + at)}) for at in range(9)]
    found = partial(report(rows))
    assert (found["value"], found["reason"]) == (None, "undefined (pose follows from ID)")
    assert found["given"] == ["ID"]


def test_a_perfect_order_at_equal_accuracy_has_no_interval_and_says_so():
    """Accuracy is the same of every model but one: what is left orders the others."""
    rng = np.random.default_rng(1)
    same = [row(at, rng, **{"top1@a": 0.5, "top1@b": at / 10, "error-ratio@x/pose": float(at)}) for at in range(9)]
    found = partial(report(same))
    assert (found["value"], found["low"], found["reason"]) == (1.0, None, "no interval of a perfect order")


def test_a_bias_whose_parts_are_divided_by_different_measures_follows_accuracy_too(rows, monkeypatch):
    extra = {"error-ratio@y/pose": "error@y"}
    for at, one in enumerate(rows):
        more = {
            name: Measure(name="more", value=0.2 + at * (at + len(name)) % 7 / 9)
            for pair in extra.items()
            for name in pair
        }
        rows[at] = replace(one, measures={**one.measures, **more})
    monkeypatch.setitem(BIASES, "mixed", ["error-ratio@x/pose", "error-ratio@y/pose", "shape@cc"])
    assert partial(report(rows), "mixed")["given"] == ["ID"]
    found = partial(report(rows, StatisticsPlan()), "mixed")
    assert found["given"] == ["error@x", "error@y"]
    assert found["value"] is not None


def test_coefficients_of_other_numbers_of_models_are_told(rows):
    measures = {name: m for name, m in rows[4].measures.items() if name != "top1@a"}
    rows[4] = replace(rows[4], measures=measures)
    data = report(rows)
    text = " ".join(render(Correlation(), json.loads(to_json(data))).split())
    assert (
        "ρ is of more models than ρ given, which some lack: pose × Sketch (ρ n = 30), both × Sketch (ρ n = 30)" in text
    )
    assert "of more models" not in render(Correlation(), json.loads(to_json(report(rows[5:]))))


def test_models_without_a_comparable_divisor_are_left_out(rows):
    unlike = Remark("comparability", "error@x", "cannot be compared", line="cannot be compared")
    flagged = replace(rows[3].measures["error@x"], flags=(unlike,))
    rows[3] = replace(rows[3], measures={**rows[3].measures, "error@x": flagged})
    rows[4] = replace(rows[4], measures={name: m for name, m in rows[4].measures.items() if name != "error@x"})
    found, others = partial(report(rows, StatisticsPlan())), [*rows[:3], *rows[5:]]
    assert found["n"] == 28
    assert found["value"] == pytest.approx(expected(others, BIASES["pose"], AXES["Sketch"], ["error@x"]))


def test_the_next_report_of_other_divisors_is_computed_anew(rows):
    before = partial(report(rows, StatisticsPlan()))
    changed = replace(rows[0].measures["error@x"], value=0.01)
    rows[0] = replace(rows[0], measures={**rows[0].measures, "error@x": changed})
    assert partial(report(rows, StatisticsPlan())) != before


def test_each_group_and_its_complement_have_theirs(rows):
    rows = [replace(one, group="even" if at % 2 else "odd") for at, one in enumerate(rows)]
    found = {
        e["models"]: e["partial"]["n"]
        for e in report(rows)["correlations"]
        if (e["bias"], e["generalization"]) == ("pose", "Sketch")
    }
    assert found == {"all": 30, "odd": 15, "even": 15, "not odd": 15, "not even": 15}


def test_the_table_follows_the_matrix_in_every_format(rows):
    data = json.loads(to_json(report(rows)))
    tables = [table.title for table in Correlation().tables(data)]
    matrix = tables.index("Spearman's ρ of biases and generalization, all models")
    assert tables[matrix + 1] == "Biases divided by another measure: ρ, and ρ at equal accuracy"
    text = render(Correlation(), data)
    assert max(map(len, text.splitlines())) <= 80
    told = " ".join(text.split())
    assert "pose, both: divided by another measure, so ρ follows accuracy; ρ at equal ID is in the next table." in told
    assert "– ID is not held" not in told
    block = next(part for part in render(Correlation(), data, "csv").split("\n\n") if "ρ at equal" in part[:80])
    lines = csv.DictReader(io.StringIO("\n".join(line for line in block.splitlines() if not line.startswith("#"))))
    (found,) = [line for line in lines if (line["bias"], line["axis"]) == ("both", "Sketch")]
    assert (found["given"], found["n"]) == ("ID", "30")
    assert float(found["partial"]) == partial(data, "both")["value"]


def test_where_nothing_is_divided_there_is_no_table_no_note_and_no_figure(rows):
    data = report(rows, denominators={})
    assert "equal" not in render(Correlation(), data)
    assert not [figure for figure in Correlation().figures(data) if figure.name.startswith("partial")]


def test_the_figure_of_an_axis_has_both_coefficients_of_every_divided_bias(rows):
    data = report(rows)
    figures = {figure.name: figure for figure in Correlation().figures(data)}
    assert "partial-ID" not in figures  # what is held
    figure = figures["partial-Sketch"]
    assert figure.y_ticks == ((0.0, "pose"), (-1.0, "both"))
    _, plain, held = figure.series
    assert (plain.label, held.label, plain.names, plain.y) == ("ρ", "ρ given ID", ("pose", "both"), (0.0, -1.0))
    assert held.x == tuple(partial(data, bias)["value"] for bias in ("pose", "both"))
    assert plain.x == tuple(e["spearman"] for e in data["correlations"] if e["partial"]["value"] in held.x)


@pytest.mark.parametrize(
    ("parts", "divisor"),
    [
        (["error-ratio@x/pose", "error-ratio@x/dark"], "error@x"),
        (["error-ratio@x/pose", "error-ratio@y/pose"], None),
        (["error-ratio@x/pose", "shape@x"], None),
        (["shape@x"], None),
        (["accepted@x", "accepted@x"], "error@x"),
        (["accepted@x/attacked"], "error@x/attacked"),
        (["accepted@x/attacked", "accepted@x"], None),
    ],
)
def test_a_divisor_is_that_of_all_parts_or_none(parts, divisor):
    assert divisor_of(parts, {**DENOMINATORS, "accepted": "error/*"}) == divisor
