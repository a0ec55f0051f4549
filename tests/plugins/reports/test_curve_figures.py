"""Figures of the report `correlation` over bands, shifts and pairs, against the fit itself and the numbers given."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from harness import Measure
from harness.output.plain_drawing import to_text
from harness.output.scales import panels_of
from harness.plugins.probes.critical_band import ChannelError, fit
from harness.plugins.reports.correlation import Correlation
from harness.plugins.reports.correlation.figures import curve_figures
from harness.study.compose import compose
from harness.study.rows import Row

REPORT = Correlation()
SIZE = 64
RUN = {"run": "r", "kind": "trials", "tasks": {"critical-band@d": {"size": SIZE, "trials": 5}}}


def row(name, values, group="g"):
    """Measures by their full name."""
    measures = {
        full_name: Measure(name=full_name.partition("@")[0], value=value, reason=None if value is not None else "why")
        for full_name, value in values.items()
    }
    return Row(name=name, group=group, run="r", measures=measures)


def data_of(*rows, biases=None, axes=None, provenance=(RUN,)):
    return REPORT.data(compose(rows, biases or {}, axes or {}, provenance=provenance))


def figures(data):
    return {figure.name: figure for figure in REPORT.figures(data)}


# --- critical band ----------------------------------------------------------------------------


def banded(name, thresholds, group="g", fitted=True):
    """As the probe measures it."""
    values = {f"critical-band-threshold@d/f{band}": value for band, value in enumerate(thresholds)}
    channel = fit(np.array(thresholds)) if fitted else None
    parameters = {
        "bandwidth": channel and abs(channel.bandwidth),
        "center-frequency": channel and channel.center_frequency(SIZE),
        "peak-noise-sensitivity": channel and channel.peak_noise_sensitivity,
    }
    return row(name, {**values, **{f"critical-band-{key}@d": value for key, value in parameters.items()}}, group)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=5, max_size=5))
def test_the_curve_is_the_channel_that_the_probe_fits(thresholds):
    try:
        channel = fit(np.array(thresholds))
    except ChannelError:
        return
    assume(0 < channel.center_frequency(SIZE) < math.inf)
    points, curve = figures(data_of(banded("one", thresholds)))["critical-band-d"].series
    assert points.x == tuple(SIZE / 2**5 * 2**band for band in range(5)) and points.y == tuple(thresholds)
    assert (points.style, curve.line, points.label, curve.label) == ("open", True, "one", "one")
    bands = np.arange(5)
    expected = channel.amplitude * np.exp(-((bands - channel.center) ** 2) / (2 * channel.width**2))
    assert curve.x[::4] == pytest.approx(points.x) and len(curve.x) == 17
    assert curve.y[::4] == pytest.approx(expected, abs=1e-9)


def test_a_network_without_a_channel_has_its_points_alone():
    figure = figures(data_of(banded("flat", [2] * 5, fitted=False), banded("one", [0, 1, 3, 2, 0])))["critical-band-d"]
    assert [(one.label, one.line) for one in figure.series] == [("flat", False), ("one", False), ("one", True)]
    assert "centre is at 0: flat." in figure.note and "cycles per image" in to_text(figure)


def test_no_figure_where_nobody_says_how_large_images_are_or_a_threshold_is_missing():
    assert "critical-band-d" not in figures(data_of(banded("one", [0, 1, 3, 2, 0]), provenance=()))
    lacking = row("gap", {f"critical-band-threshold@d/f{band}": None if band == 2 else 1 for band in range(5)})
    assert "critical-band-d" not in figures(data_of(lacking))


def test_many_networks_are_means_of_groups_and_lines_of_their_own_on_pages():
    rows = [banded(f"m{at}", [at % 3, 1, 3, 2, 0], "gh"[at % 2]) for at in range(10)]
    data = data_of(*rows)
    figure = figures(data)["critical-band-d"]
    assert [one.label for one in figure.series] == ["g", "g", "h", "h"] and "Means of groups." in figure.note
    assert figure.series[0].y[0] == pytest.approx(np.mean([at % 3 for at in range(0, 10, 2)]))
    (own,) = [one for one in curve_figures(data, each=True) if one.name == "critical-band-d"]
    assert "Means" not in own.note
    curves = [one for one in own.series if one.line]
    assert [(one.label, set(one.names)) for one in curves] == [
        ("gh"[at % 2], {f"m{at}"}) for at in (*range(0, 10, 2), *range(1, 10, 2))
    ]
    first, second = (one for one in own.series if not one.line)
    assert (first.label, second.label, len(first.x), len(second.x)) == ("g", "h", 25, 25)
    assert first.names[:6] == ("m0",) * 5 + ("m2",) and first.y[5:10] == (2, 1, 3, 2, 0)
    looks = {(series.label, look) for panel in panels_of(own) for series, look in panel.series}
    assert looks == {("g", 0), ("h", 1)}


# --- shifts -----------------------------------------------------------------------------------


def shifted(name, group="g", offset=0.0):
    accuracy = {f"top1@d/crop-{at}": 0.9 - at / 10 - offset for at in (0, 2, 10)}
    changes = {f"top1-change@d/crop-{at}": at / 50 + offset for at in (0, 2)}
    others = {"top1-change@d/crop": 0.5, "top1@d/fog-1": 0.1, "top1@d/fog-2": 0.2, "top1@d/brightness-3": 0.3}
    return row(name, {**accuracy, **changes, **others, "top1@d/brightness-4": 0.4, "mac@d/crop-0": 0.01}, group)


def test_accuracy_and_changes_over_the_offset():
    drawn = figures(data_of(shifted("one"), shifted("two", offset=0.1)))
    assert [name for name in drawn if name.startswith("shift")] == ["shift-crop-d"]  # severities are no shifts
    curves = {(one.panel, one.label): (one.x, one.y) for one in drawn["shift-crop-d"].series}
    accuracy, change = "accuracy at each offset", "decisions that change to the next offset"
    assert {panel for panel, _ in curves} == {accuracy, change}  # one offset is no curve
    assert curves[accuracy, "one"] == ((0, 2, 10), pytest.approx((0.9, 0.7, -0.1)))
    assert curves[change, "two"] == ((0, 2), pytest.approx((0.1, 0.14)))


def test_frames_of_a_sequence():
    frames = {f"top1@d/translate-{at:02d}": at / 100 for at in range(41)}
    (figure,) = [one for name, one in figures(data_of(row("one", frames))).items() if name.startswith("shift")]
    assert figure.name == "shift-translate-d" and figure.series[0].x == tuple(range(41))


# --- one line a model -------------------------------------------------------------------------


def test_every_curve_of_a_page_is_one_model_with_its_name_and_group():
    rows = [
        row(
            f"m{at}",
            {
                "relative-top1@d/low-pass-0.1": at / 10,
                "relative-top1@d/low-pass-0.5": 0.5,
                "gap-variation@d/stage-1": at / 20,
                "gap-variation@d/stage-2": 0.1,
            },
            "gh"[at % 2],
        )
        for at in range(10)
    ]
    stray = row("stray", {"relative-top1@d/low-pass-0.5": 0.2}, None)  # takes no part in statistics
    drawn = {figure.name: figure for figure in curve_figures(data_of(*rows, stray), each=True)}
    assert list(drawn) == ["low-pass-d", "gap-variation-d"]
    for figure, first in ((drawn["low-pass-d"], 10), (drawn["gap-variation-d"], 20)):
        lines = {one.names[0]: one for one in figure.series}
        assert len(lines) == (11 if first == 10 else 10) and figure.note == ""
        for at in range(10):
            assert lines[f"m{at}"].label == "gh"[at % 2] and lines[f"m{at}"].y[0] == at / first
    assert drawn["low-pass-d"].series[-1].label == "no group" and drawn["low-pass-d"].series[-1].y == (0.2,)


# --- matrix -----------------------------------------------------------------------------------


def test_the_matrix_has_the_coefficients():
    rng = np.random.default_rng(3)
    numbers = rng.uniform(0.1, 0.9, (12, 4))
    names = ("shape-bias@d", "mac@d", "top1@d", "top1@e")
    rows = [
        row(f"m{at}", dict(zip(names, map(float, own), strict=True)), "gh"[at % 2]) for at, own in enumerate(numbers)
    ]
    data = data_of(*rows, biases={"a": names[:1], "b": names[1:2]}, axes={"X": names[2:3], "Y": names[3:]})
    drawn = figures(data)
    overall, within = drawn["matrix"].maps
    assert (overall.title, within.title) == ("all models", "within training families")
    assert (overall.rows, overall.columns) == (("a", "b"), ("X", "Y"))
    for i in range(2):
        for j in range(2):
            assert overall.values[i][j] == pytest.approx(spearmanr(numbers[:, i], numbers[:, 2 + j]).statistic)
            (entry,) = [
                one
                for one in data["correlations"]
                if (one["bias"], one["generalization"], one["models"]) == ("ab"[i], "XY"[j], "all")
            ]
            assert within.values[i][j] == entry["families"]["within"]
    among = drawn["matrix-biases"].maps[0]
    rho = spearmanr(numbers[:, 0], numbers[:, 1]).statistic
    assert among.rows == among.columns == ("a", "b")
    assert [among.values[0][0], among.values[1][1]] == [None, None]  # a bias with itself is no finding
    assert among.values[0][1] == among.values[1][0] == pytest.approx(rho)
    assert "Spearman's ρ" in to_text(drawn["matrix"])


def test_no_matrix_without_a_coefficient():
    few = [row(f"m{at}", {"shape-bias@d": at / 9, "top1@d": at / 8}) for at in range(2)]
    assert figures(data_of(*few, biases={"a": ("shape-bias@d",)}, axes={"X": ("top1@d",)})).keys() == {"scatter-a-X"}


def test_undefined_coefficients_are_no_number():
    rows = [row(f"m{at}", {"s@d": 0.5, "t@d": at / 9, "top1@d": math.sin(at)}) for at in range(7)]
    data = data_of(*rows, biases={"flat": ("s@d",), "b": ("t@d",)}, axes={"X": ("top1@d",)})
    overall = figures(data)["matrix"].maps[0]
    assert overall.values[0] == (None,) and overall.values[1][0] is not None
