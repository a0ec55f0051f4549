"""What a report plugin gives is checked before it is shown: one line for its author, never a traceback."""

import pytest

from harness import Figure, PluginError, Table, TableCell
from harness.output.formats import to_json
from harness.output.promises import checked_data, checked_figures, checked_tables, strict_json

FIGURE = Figure(name="f", title="f", x_label="x", y_label="y", series=())
TABLE = Table(title="t", columns=("a",), rows=((TableCell("x"),),))


def test_what_is_promised_passes():
    data = {"a": None}
    assert checked_data("mine", data) is data
    assert checked_tables(iter([TABLE])) == [TABLE] and checked_tables(()) == []
    assert checked_figures([FIGURE]) == [FIGURE]


@pytest.mark.parametrize("data", [None, [], "text"])
def test_data_is_a_dict(data):
    with pytest.raises(PluginError, match=r"report 'mine': data\(\) is .*, expected a dict"):
        checked_data("mine", data)


@pytest.mark.parametrize(
    ("tables", "problem"),
    [
        (None, r"tables\(\) of the report is None, expected harness\.Table objects"),
        ("text", r"is str 'text', expected harness\.Table objects"),
        ([1], r"has int '1', expected harness\.Table"),
        ([FIGURE], r"has Figure .*, expected harness\.Table"),
        ([Table(title="t", columns=(), rows=())], "table 't' has no columns"),
        ([Table(title="t", columns=("a",), rows=(("x",),))], r"has str 'x' as a cell, expected harness\.TableCell"),
    ],
)
def test_other_tables_are_refused(tables, problem):
    with pytest.raises(PluginError, match=problem):
        checked_tables(tables)


@pytest.mark.parametrize("figures", [None, [TABLE], 3])
def test_other_figures_are_refused(figures):
    with pytest.raises(PluginError, match=r"figures\(\) of the report .* expected harness\.Figure"):
        checked_figures(figures)


@pytest.mark.parametrize("data", [float("nan"), object(), {"a": {1}}])
def test_data_without_strict_json_is_one_line(data):
    with pytest.raises(PluginError, match=r"report 'mine': .* is no strict JSON .*with a reason"), strict_json("mine"):
        to_json({"a": data})
