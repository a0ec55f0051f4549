"""Where points of a figure lie: probit places against SciPy, limits that hold, ticks in view, looks by label."""

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import special

from harness import RequestError, Series
from harness.output.scales import Scale, marks_of, panels_of, with_texts, within
from tests.helpers.drawn_figures import figure, points

FRACTIONS = st.floats(1e-6, 1 - 1e-6)
LIMITS = st.tuples(st.none() | st.floats(-10, 0), st.none() | st.floats(0.5, 10))


@given(st.lists(FRACTIONS, min_size=2, max_size=9), FRACTIONS)
def test_a_probit_scale_is_that_of_scipy(values, one):
    shown = figure(points(x=values, y=values), probit=True)
    scale = Scale.of(shown, shown.series, "x", pad=0.05)
    low, high = special.ndtri(min(values)), special.ndtri(max(values))
    if high - low > 1e-9:
        assert (scale.first, scale.last) == pytest.approx((low - 0.05 * (high - low), high + 0.05 * (high - low)))
    expected = (special.ndtri(one) - scale.first) / (scale.last - scale.first)
    assert scale.place(one) == pytest.approx(expected, rel=1e-6, abs=1e-6)
    assert scale.back(scale.forward(one)) == pytest.approx(one, rel=1e-9)


@given(st.lists(FRACTIONS, min_size=1, max_size=9))
@example([0.999999])
@example([0.5, 0.5 + 1e-9])
def test_ticks_of_a_probit_scale_are_in_view_and_their_labels_are_them(values):
    scale = Scale.of(figure(points(x=values, y=values), probit=True), [points(x=values, y=values)], "y")
    ticks = scale.ticks(5)
    assert all(-1e-9 <= scale.place(tick) <= 1 + 1e-9 for tick in ticks) and len(ticks) >= 2
    assert len(set(map(scale.label, ticks))) == len(ticks)
    assert [float(scale.label(tick)) for tick in ticks] == pytest.approx([100 * tick for tick in ticks], rel=1e-11)


@pytest.mark.parametrize("values", [(0.0, 0.5), (0.5, 1.0), (-0.1, 0.5)])
def test_a_probit_scale_has_no_place_for_nought_and_one(values):
    shown = figure(points(x=(0.5, 0.6), y=values), probit=True)
    with pytest.raises(RequestError, match="figure f cannot be drawn: its probit axis has values that are not between"):
        Scale.of(shown, shown.series, "y")


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=20), LIMITS)
def test_every_point_is_drawn_within_the_limits_and_those_beyond_say_where_they_are(values, limits):
    shown = figure(points(x=values, y=values), x_limits=limits)
    marks = list(marks_of(shown, shown.series[0]))
    assert [mark.y for mark in marks] == values
    low, high = (-1e9 if limits[0] is None else limits[0]), (1e9 if limits[1] is None else limits[1])
    for value, mark in zip(values, marks, strict=True):
        if low <= value <= high:
            assert (mark.x, mark.text) == (value, "")
        else:
            assert mark.x == (low if value < low else high) == within(value, limits)
            assert mark.arrow == ("←" if value < low else "→") and mark.arrow in mark.text
            assert float(mark.number) == pytest.approx(value, abs=0.5)


def test_bars_beyond_a_limit_are_left_out():
    bars = replace(points(x=(-3.0, 0.0, 3.0), y=(1.0, 2.0, 3.0)), style="ticks")
    shown = figure(bars, points(), x_limits=(-1.0, 1.0))
    assert [(mark.x, mark.y, mark.text) for mark in marks_of(shown, bars)] == [(0.0, 2.0, "")]


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=20), LIMITS)
def test_the_scale_ends_at_the_limits(values, limits):
    shown = figure(points(x=values, y=values), x_limits=limits)
    scale = Scale.of(shown, shown.series, "x", pad=0.0)
    assert all(-1e-9 <= scale.place(mark.x) <= 1 + 1e-9 for mark in marks_of(shown, shown.series[0]))


def test_a_reference_line_keeps_in_view_what_does_not_vary_along_it():
    across = Series(label="0", x=(5.0, 5.0), y=(-100.0, 100.0), style="reference")
    slanted = Series(label="=", x=(-9.0, 9.0), y=(-9.0, 9.0), style="reference")
    shown = figure(across, slanted, points(x=(0.0, 1.0), y=(2.0, 3.0)))
    x, y = (Scale.of(shown, shown.series, side, pad=0.1) for side in ("x", "y"))
    assert (x.first, x.last, y.first, y.last) == pytest.approx((-0.5, 5.5, 1.9, 3.1))
    with pytest.raises(RequestError, match="it has no points"):
        Scale.of(figure(across), [across], "x")


def test_curves_of_one_label_have_one_look_in_one_panel():
    shown = figure(
        *(Series(label="g", x=(0.0, 1.0), y=(at, at), line=True) for at in (0.0, 1.0)),
        Series(label="g", x=(0.5,), y=(0.5,), style="open"),
        Series(label="h", x=(0.0, 1.0), y=(1.0, 1.0), line=True),
    )
    (panel,) = panels_of(shown)
    assert [look for _, look in panel.series] == [0, 0, 0, 1]


def test_one_label_has_one_look_in_all_panels_and_two_of_it_in_one_panel_have_two():
    def series(label, panel, style="points"):
        return Series(label=label, x=(1.0,), y=(1.0,), panel=panel, style=style)

    shown = figure(
        series("a", "first"),
        series("=", "first", "reference"),
        series("b", "first"),
        series("b", "second", "open"),
        series("b", "second"),
        series("a", "second"),
        series("a", "second"),
    )
    panels = panels_of(shown)
    assert [panel.title for panel in panels] == ["first", "second"]
    assert [[look for _, look in panel.series] for panel in panels] == [[0, -1, 1], [1, 1, 0, 2]]
    apart = [[look for _, look in panel.series] for panel in panels_of(shown, by_style=True)]
    assert apart == [[0, -1, 1], [2, 1, 0, 3]]


def test_every_text_of_a_figure_is_shown_as_it_should_be():
    one = Series(label="la", x=(1.0,), y=(1.0,), panel="pa")
    shown = with_texts(figure(one, title="ti", note="no\nte", y_ticks=((1.0, "ro"),)), str.upper)
    texts = (shown.title, shown.x_label, shown.y_label, shown.note, shown.series[0].label, shown.series[0].panel)
    assert texts == ("TI", "ACROSS", "UP", "NO\nTE", "LA", "PA") and shown.y_ticks == ((1.0, "RO"),)
