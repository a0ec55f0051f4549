"""Specifications of Vega, drawn by Vega itself: as many marks as points, where they belong."""

import json
import math
import re
from statistics import NormalDist

import pytest
import vl_convert
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import Figure, Series
from harness.output.html import to_html
from harness.output.html.axes import CONFIG
from harness.output.html.heat import DIVERGING, SEQUENTIAL, Shades, luminance
from harness.output.html.looks import COLOURS, SHAPES
from harness.output.html.page import asset
from harness.output.scales import Scale
from tests.helpers.pages import data_of, heat, page, scatter


def specs(*figures):
    return data_of(to_html([page(*figures)], "t"))["panels"]


def svg(spec, **signals):
    """What Vega draws, with other values of signals."""
    set_ = [{**signal, "value": signals.get(signal["name"], signal["value"])} for signal in spec["signals"]]
    return vl_convert.vega_to_svg({**spec, "signals": set_, "config": CONFIG})


def marks(picture, name, tag="path"):
    """The elements of the marks called `name`."""
    parts = re.split(r'<g class="mark-(?:symbol|rule|text|rect|line)', picture)
    named = (part for part in parts if part.partition('"')[0].endswith(name))
    return [element for part in named for element in re.findall(rf"<{tag}[ >][^>]*>", part)]


def test_a_mark_for_each_point_and_none_for_a_hidden_group():
    (spec,) = specs(scatter())
    assert len(marks(svg(spec), "point-marks")) == 9
    assert len(marks(svg(spec, hidden=[1]), "point-marks")) == 6
    assert len(marks(svg(spec, hidden=[0, 1, 2]), "point-marks")) == 0


def test_the_model_under_the_pointer_is_larger_and_named():
    (spec,) = specs(scatter())
    lit = svg(spec, lit=4, lit_name="robust-b")
    assert ">robust-b<" in lit and ">robust-b<" not in svg(spec)
    assert lit.count("var(--ink)") > svg(spec).count("var(--ink)")


def test_a_point_has_its_numbers_its_group_and_its_name():
    file = data_of(to_html([page(scatter())], "t"))
    points = next(data["values"] for data in file["panels"][0]["data"] if data["name"] == "points")
    assert points[4] == {"x": 1.5, "y": 3.0, "g": 1, "k": 1, "n": 4}
    assert file["names"][4] == "robust-b" and file["groups"][1] == "robust"


def placed(x, y, **more):
    """Places in the picture, as fractions of the plot, of points drawn by Vega and by the scales of the harness."""
    series = Series(label="g", x=tuple(x), y=tuple(y))
    figure = Figure(name="f", title="t", x_label="x", y_label="y", series=(series,), **more)
    (spec,) = specs(figure)
    spec = {**spec, "autosize": "none", "width": 1000, "height": 1000}
    shown = (re.search(r"translate\(([^,]+),([^)]+)\)", mark).groups() for mark in marks(svg(spec), "point-marks"))
    drawn = [tuple(map(float, spot)) for spot in shown]
    scales = [Scale.of(figure, [series], side, 0.06) for side in ("x", "y")]
    expected = [(scales[0].place(a), 1 - scales[1].place(b)) for a, b in zip(x, y, strict=True)]
    return [(a / 1000, b / 1000) for a, b in drawn], expected


@pytest.mark.parametrize("more", [{}, {"log_x": True}, {"probit": True}], ids=["linear", "log", "probit"])
def test_points_lie_where_the_scales_of_pictures_put_them(more):
    drawn, expected = placed([0.01, 0.2, 0.5, 0.9], [0.3, 0.999, 0.5, 0.7], **more)
    for spot, place in zip(drawn, expected, strict=True):
        assert spot == pytest.approx(place, abs=1e-6)


def test_ticks_of_a_probit_axis_are_percent():
    figure = scatter(probit=True, series=(Series(label="g", x=(0.02, 0.5, 0.98), y=(0.1, 0.5, 0.9)),))
    (spec,) = specs(figure)
    assert {">10%<", ">50%<", ">90%<"} <= set(re.findall(r">\d[\d.]*%<", svg(spec)))
    window = [NormalDist().inv_cdf(0.505), NormalDist().inv_cdf(0.512)]
    assert ">51%<" in svg(spec, xdom=window)  # ticks follow what is in view


def test_points_beyond_a_limit_have_an_arrow_and_their_number():
    bars = Series(label="chance", x=(-3.0, 0.1), y=(1.0, 2.0), style="ticks")
    series = Series(label="g", x=(-2.5, 0.0, 9.0), y=(1.0, 2.0, 3.0))
    (spec,) = specs(scatter(series=(series, bars), x_limits=(-1.0, 5.0)))
    picture = svg(spec)
    assert ">← -2.50<" in picture and ">9.00 →<" in picture
    points = next(data["values"] for data in spec["data"] if data["name"] == "points")
    assert [(point["x"], point.get("a")) for point in points] == [(-1.0, -2.5), (0.0, None), (5.0, 9.0)]
    assert len(marks(picture, "bar-marks", "line")) == 1  # bars beyond a limit are left out


def test_lines_references_rows_and_open_marks():
    series = (
        Series(label="curve", x=(1.0, 2.0, 3.0), y=(1.0, 3.0, 2.0), line=True, panel="a"),
        Series(label="curve", x=(2.0,), y=(2.0,), style="open", panel="b"),
        Series(label="zero", x=(0.0, 9.0), y=(2.0, 2.0), style="reference", panel="a"),
    )
    first, second = specs(scatter(series=series, y_ticks=((1.0, "one"), (2.0, "two"), (3.0, "three"))))
    picture = svg(first)
    assert picture.count('stroke="var(--look-0)"') == 1 and picture.count('stroke="var(--reference)"') == 1
    assert all(f">{name}<" in picture for name in ("one", "two", "three"))
    assert 'fill="var(--paper)"' in " ".join(marks(svg(second), "point-marks"))


def test_curves_of_one_group_look_alike_and_one_stands_out_under_the_pointer():
    models = [f"model {at}" for at in range(15)]
    curves = tuple(
        Series(label="ab"[at % 2], x=(1.0, 2.0), y=(float(at), 1.0), line=True, names=(model, model))
        for at, model in enumerate(models)
    )
    (spec,) = specs(scatter(series=curves))
    picture = svg(spec)
    lines = marks(picture, "")
    assert [sum(f'stroke="var(--look-{look})"' in line for line in lines) for look in range(3)] == [8, 7, 0]
    lit = marks(svg(spec, lit=3), "")
    assert sum('stroke-width="3"' in line and 'stroke-opacity="0.75"' in line for line in lit) == 1
    assert sum('stroke-opacity="0.15' in line for line in lit) == 14


def test_a_reference_line_is_no_reason_to_fail():
    equal = Series(label="y = x", x=(0.0, 1.0), y=(0.0, 1.0), style="reference")
    series = (Series(label="g", x=(0.2, 0.8), y=(0.3, 0.7)), equal)
    assert len(marks(svg(*specs(scatter(series=series, probit=True))), "point-marks")) == 2
    series = (series[0], Series(label="all", x=(-1.0, 0.0, 1.0), y=(0.4, 0.4, 0.4), style="reference"))
    assert len(marks(svg(*specs(scatter(series=series, log_x=True))), "point-marks")) == 2


finite = st.floats(-1e6, 1e6, allow_subnormal=False)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(finite, finite), min_size=1, max_size=20), st.booleans())
def test_any_points_are_drawn_each_once(points, line):
    x, y = zip(*points, strict=True)
    (spec,) = specs(scatter(series=(Series(label="g", x=x, y=y, line=line),)))
    assert json.loads(json.dumps(spec, allow_nan=False)) == spec
    assert len(marks(svg(spec), "point-marks")) == len(points)


# --- heat maps ------------------------------------------------------------------------------


def test_a_cell_for_each_number_and_the_number_in_it():
    (spec,) = specs(heat())
    picture = svg(spec)
    assert len(marks(picture, "cell-marks")) == 4
    assert all(f">{text}<" in picture for text in ("1.00", "-0.50", "–", "0.25"))
    assert ">0.25<" not in svg({**spec, "width": 90})  # no room
    assert ">row 0<" in picture and ">c1<" in picture


def test_signed_numbers_diverge_around_zero_and_others_rise():
    signed, rising = Shades.of(heat()), Shades.of(heat(((0.5, 2.0), (None, 11.0))))
    assert (signed.colours, rising.colours) == (DIVERGING, SEQUENTIAL)
    assert signed.numbers[0] == -signed.numbers[-1] == -1.0 and signed.colour(0.0) == DIVERGING[5]
    assert (rising.numbers[0], rising.numbers[-1]) == (0.5, 11.0) and rising.text(11.0) == "11.0"
    assert Shades.of(heat(((3.0,),))).colour(3.0) == SEQUENTIAL[0]


@pytest.mark.parametrize("of", [heat(), heat(((0.0, 1.0),))], ids=["diverging", "rising"])
def test_every_number_is_legible_on_its_colour(of):
    shades = Shades.of(of)
    first, last = shades.numbers[0], shades.numbers[-1]
    for at in range(201):
        value = first + (last - first) * at / 200
        text = "#ffffff" if shades.dark(value) else "#000000"
        assert contrast(text, shades.colour(value)) >= 4.4
    lightness = [luminance(colour) for colour in SEQUENTIAL]
    assert lightness == sorted(lightness)


# --- colours --------------------------------------------------------------------------------


def contrast(one, other):
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def themes():
    """Name -> colour, in the light and in the dark theme."""
    pairs = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\);", asset("page.css"))
    return {name: light for name, light, _ in pairs}, {name: dark for name, _, dark in pairs}


@pytest.mark.parametrize("theme", themes(), ids=["light", "dark"])
def test_colours_stand_out(theme):
    for name in [f"look-{at}" for at in range(COLOURS)] + ["reference"]:
        assert contrast(theme[name], theme["paper"]) >= 3, name
    for name in ("ink", "muted", "link", "red", "green", "yellow", "blue", "magenta", "cyan"):
        assert min(contrast(theme[name], theme[ground]) for ground in ("paper", "panel")) >= 4.5, name


# Machado, Oliveira & Fernandes 2009, severity 1.0: what red-, green- and blue-blind people see, in linear RGB.
BLIND = {
    "all": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def seen(colour, matrix):
    """CIELAB of `colour` (sRGB, D65) as seen through `matrix`."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    linear = [min(max(sum(a * b for a, b in zip(row, linear, strict=True)), 0), 1) for row in matrix]
    to_xyz = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    x, y, z = (sum(a * b for a, b in zip(row, linear, strict=True)) for row in to_xyz)
    xyz = (x / 0.9505, y, z / 1.089)
    x, y, z = (part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116 for part in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("theme", themes(), ids=["light", "dark"])
@pytest.mark.parametrize("matrix", BLIND.values(), ids=BLIND)
def test_colours_differ_for_every_vision(theme, matrix):
    """In CIELAB a difference of 2.3 is just noticed; each group has a shape of its own, too."""
    colours = [seen(theme[f"look-{at}"], matrix) for at in range(COLOURS)]
    assert min(math.dist(a, b) for at, a in enumerate(colours) for b in colours[:at]) > 15


def test_eighty_eight_looks_are_different():
    assert math.gcd(COLOURS, len(SHAPES)) == 1 and len(set(SHAPES)) == 11
