"""A measured value beside an expected one."""

from hypothesis import given
from hypothesis import strategies as st

from harness import Measure
from harness.proportions import proportion
from harness.records import RunModel
from harness.study.expectations import difference, flagged

FRACTIONS = st.floats(0, 1)


@given(hits=st.integers(0, 200), n=st.integers(1, 200), value=FRACTIONS)
def test_without_a_tolerance_the_interval_decides(hits, n, value):
    measure = proportion("top1", min(hits, n), n)
    assert bool(difference(measure, (value, None))) is not (measure.low <= value <= measure.high)


@given(measured=FRACTIONS, value=FRACTIONS, tolerance=st.floats(1e-6, 1))
def test_a_tolerance_decides_whatever_the_interval(measured, value, tolerance):
    measure = Measure(name="top1", value=measured, low=0.0, high=1.0)
    assert bool(difference(measure, (value, tolerance))) is (abs(measured - value) > tolerance)


def test_without_interval_four_decimal_places_must_agree():
    measure = Measure(name="width", value=1.50002)
    assert difference(measure, (1.5, None)) == ""
    assert "expects 1.5001, measured is 1.5000" in difference(measure, (1.5001, None))


def test_only_unlike_measures_get_a_flag():
    measures = {
        "top1@a": Measure(name="top1", value=0.5, low=0.4, high=0.6, flags=("before",)),
        "top5@a": Measure(name="top5", value=0.9, low=0.8, high=1.0),
        "undefined@a": Measure(name="undefined", value=None, reason="no trials"),
    }
    expected = {"top1@a": (0.7, None), "top5@a": (0.9, None), "undefined@a": (1.0, None), "absent@a": (1.0, None)}
    found = flagged(measures, RunModel(expected=expected))
    assert found["top5@a"] is measures["top5@a"] and found["undefined@a"] is measures["undefined@a"]
    assert found["top1@a"].flags[0] == "before" and "0.4000 to 0.6000" in found["top1@a"].flags[1]
    assert flagged(measures, None) == flagged(measures, RunModel()) == measures
