"""Figures in plain characters: every point where it belongs, nothing hidden, errors that say what to do."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import RequestError
from harness.output.plain_drawing import GLYPHS, ROWS, to_text
from tests.helpers.drawn_figures import figure, marks, points


def test_points_stand_in_the_order_of_their_values():
    found = sorted(marks(to_text(figure(points())), "o"))
    columns, rows = zip(*found, strict=True)
    assert columns == tuple(sorted(columns)) and len(set(columns)) == 3
    assert rows[1] < rows[2] < rows[0]  # the highest value stands highest
    assert columns[1] - columns[0] == pytest.approx(columns[2] - columns[1], abs=1)


@given(
    st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e-3, 1e-3)), min_size=1, max_size=30),
    st.integers(40, 120),
)
def test_every_figure_fits_and_shows_every_distinct_place(pairs, width):
    x, y = zip(*pairs, strict=True)
    text = to_text(figure(points(x=x, y=y)), width)
    assert max(map(len, text.splitlines())) <= width
    assert 1 <= len(marks(text, "o")) <= len(set(pairs))


@pytest.mark.parametrize("value", [0.0, 0.5, -3.0, 1e9])
def test_one_point_stands_in_the_middle(value):
    ((column, row),) = marks(to_text(figure(points(x=[value], y=[value])), 80), "o")
    assert abs(row - ROWS // 2) <= 1
    assert 25 <= column <= 45


def test_ticks_stand_beside_their_values():
    text = to_text(figure(points(x=[0.0, 1.0], y=[0.0, 100.0])))
    labelled = {float(line.split("┤")[0]): row for row, line in enumerate(text.splitlines()[3:]) if "┤" in line}
    assert set(labelled) == {0.0, 50.0, 100.0}
    rows = dict((row, column) for column, row in marks(text, "o"))
    assert set(rows) == {labelled[0.0], labelled[100.0]}
    axis, labels = text.splitlines()[3 + ROWS : 5 + ROWS]
    assert axis.count("┬") == len(labels.split())
    assert [float(one) for one in labels.split()] == sorted(float(one) for one in labels.split())


def test_series_have_marks_of_their_own_and_shared_places_say_so():
    text = to_text(figure(points("first"), points("second", x=(0.0, 0.5), y=(1.0, 1.0))))
    assert len(marks(text, "o")) == 2
    assert len(marks(text, "x")) == 1
    assert len(marks(text, "@")) == 1
    assert "o first   x second   @ several of these" in text
    assert "several" not in to_text(figure(points("first")))


def test_lines_join_their_points_and_hide_none():
    text = to_text(figure(points(line=True)))
    assert len(marks(text, "o")) == 3
    dots = marks(text, "·")
    assert len(dots) > 20
    assert marks(to_text(figure(points())), "·") == []


def test_a_logarithmic_axis_has_equal_steps_for_equal_factors():
    text = to_text(figure(points(x=[0.01, 0.1, 1.0], y=[1.0, 1.0, 1.0]), log_x=True))
    (first, _), (second, _), (third, _) = sorted(marks(text, "o"))
    assert second - first == pytest.approx(third - second, abs=1)
    with pytest.raises(RequestError, match="figure f cannot be drawn: its logarithmic axis has values of 0 or less"):
        to_text(figure(points(), log_x=True))


def test_notes_and_labels_are_there():
    lines = to_text(figure(points(), note="one\ntwo"), 60).splitlines()
    assert lines[0] == "Title" and "up" in lines
    assert lines[-2:] == ["one", "two"]
    assert any(line.strip() == "across" for line in lines)


def test_more_series_than_marks_lead_to_a_file():
    many = figure(*(points(f"s{at}") for at in range(len(GLYPHS) + 1)))
    with pytest.raises(
        RequestError, match=r"has more series than the 32 that a terminal shows\. Type: --figure f -o f\.svg"
    ):
        to_text(many)


def test_glyphs_are_unlike_each_other_and_unlike_lines():
    assert len(set(GLYPHS)) == len(GLYPHS) and not {"@", "·", "|"} & set(GLYPHS)


def rows_of(text):
    """What is beside the axis and in each row of a plot with named rows: name -> the cells."""
    return {name.strip(): cells for name, _, cells in (line.partition("┤") for line in text.splitlines()) if cells}


NAMED = ((0.0, "above"), (-2.0, "below"))


def test_named_rows_are_one_line_each_in_their_order():
    text = to_text(figure(points("g", x=(1.0, 2.0, 3.0), y=(0.0, -1.0, -2.0)), y_ticks=NAMED))
    lines = [line for line in text.splitlines() if "┤" in line or "│" in line]
    assert [line.split()[0] for line in lines] == ["above", "│", "below"]
    assert [line.count("o") for line in (part.partition("┤")[2] or part for part in lines)] == [1, 1, 1]


@given(st.floats(-1e3, -1.01), st.integers(50, 120))
def test_a_point_beyond_a_limit_stands_at_the_edge_with_its_number(value, width):
    shown = figure(points("g", x=(value, 0.5), y=(0.0, -2.0)), x_limits=(-1.0, None), y_ticks=NAMED)
    text = to_text(shown, width)
    assert max(map(len, text.splitlines())) <= width
    cells = rows_of(text)["above"].split()
    assert cells[0] == "o←" and float(cells[1]) == pytest.approx(value, abs=0.5)
    assert "←" not in rows_of(text)["below"]


@pytest.mark.parametrize("value", [-7.0, 7.0])
@pytest.mark.parametrize("gap", [0.02, 0.05, 0.2, 0.5])
def test_a_number_beside_a_point_is_whole_or_absent_and_hides_no_other_point(value, gap):
    side = math.copysign(1, value)
    others = points("h", x=[side * at for at in (1 - gap, 1 - 2 * gap, -1)], y=(0.0, 0.0, -2.0))
    shown = figure(points("g", x=(value,), y=(0.0,)), others, x_limits=(-1.0, 1.0), y_ticks=NAMED)
    row = rows_of(to_text(shown, 60))["above"]
    assert (row.count("o"), row.count("x"), row.count("@")) in [(1, 2, 0), (0, 1, 1)]
    assert "".join(character for character in row if character in "-.0123456789") in ("", f"{value:.2f}")
    assert f"{value:.2f}" in row or gap < 0.5


def test_panels_stand_below_each_other_with_one_legend():
    series = [replace(points(label), panel=panel) for panel in ("first", "second") for label in ("a", "b")]
    text = to_text(figure(*series))
    assert text.index("first") < text.index("second") < text.index("o a   x b")
    assert text.count("└") == 2 and text.count("o a") == 1
    assert [line for line in text.splitlines() if line.strip() == "across"] and text.count("across") == 1


def test_open_marks_and_bars_and_lines_are_told_apart():
    series = (
        points("g", x=(0.0, 1.0), y=(0.0, 1.0)),
        replace(points("g", x=(0.5,), y=(0.2,)), style="open"),
        replace(points("by chance", x=(0.2,), y=(0.8,)), style="ticks"),
        replace(points("equal", x=(-9.0, 9.0), y=(-9.0, 9.0)), style="reference"),
    )
    text = to_text(figure(*series))
    assert "o g   x g (open)   | by chance   · equal" in text
    assert (len(marks(text, "o")), len(marks(text, "x")), len(marks(text, "|"))) == (2, 1, 1)
    line = marks(text, "·")
    assert len(line) > 20 and all(0 <= row < ROWS for _, row in line)
    columns = [column for column, _ in sorted(line, key=lambda place: -place[1])]
    assert columns == sorted(columns)  # it rises


def test_a_probit_axis_has_equal_steps_for_equal_quantiles():
    at = [0.02275013, 0.15865525, 0.5, 0.84134475, 0.97724987]
    text = to_text(figure(points(x=at, y=at), probit=True))
    columns = [column for column, _ in sorted(marks(text, "o"))]
    steps = [second - first for first, second in pairwise(columns)]
    assert len(steps) == 4 and max(steps) - min(steps) <= 1
    assert "50" in text and "0.5" not in text  # in percent
