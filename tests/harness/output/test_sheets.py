"""Pictures of the width of a paper's column: exactly so wide, no letter too small, nothing covered or cut off."""

import re
import warnings
from dataclasses import replace
from itertools import combinations
from xml.etree import ElementTree

import pytest
from PIL import Image

from harness import Figure, HeatMap, RequestError, Series
from harness.output.drawing import settings_for, to_canvas, to_files, to_image
from harness.output.sheets import WIDTHS, Sheet, width_of
from tests.helpers.drawn_figures import figure, points
from tests.helpers.hostile_texts import TEXTS

pytest.importorskip("matplotlib", reason="the extra `figures` is not installed")
COLUMN, PAGE = WIDTHS["column"], WIDTHS["page"]
NAMES = ("resnet50_trained_on_SIN_and_IN_then_finetuned_on_IN", "resnet50_trained_on_SIN_and_IN", "short")
GROUPS = ("baseline", "training recipes", "augmentation", "stylized", "freezing", "adversarial", "contrastive")
NOTE = "A note of several words, which does not fit on one line of a column.\nA second line."
TITLE = "shape bias and Adversarial: Spearman's ρ = 0.47**, p within families < 0.001, n = 48 models"
MAP = HeatMap(title="map", rows=("0", "1"), columns=("0", "1"), values=((0.1, None), (0.3, 0.4)))
ONE = figure(*(points(name) for name in GROUPS), title=TITLE, note=NOTE)
FIGURES = {
    "one-panel": ONE,
    "lines": figure(*(points(name, line=True) for name in GROUPS[:3]), title=TITLE),
    "panels": replace(ONE, series=tuple(replace(points(name), panel=f"panel of {name}") for name in GROUPS[:4])),
    "rows": replace(ONE, series=(points("g"),), y_ticks=tuple((float(at), name) for at, name in enumerate(NAMES))),
    "maps": Figure(name="m", title=TITLE, x_label="x", y_label="y", maps=(MAP, MAP), map_label="rate", note=NOTE),
}


@pytest.mark.parametrize(("text", "inches"), [("column", 3.25), ("page", 6.875), ("5.5", 5.5), ("2", 2.0)])
def test_widths(text, inches):
    assert width_of(text) == inches


@pytest.mark.parametrize("text", ["", "wide", "1.9", "41", "-3", "nan", "inf", "3,25", "3.25in"])
def test_other_widths_are_refused(text):
    with pytest.raises(RequestError, match=r"column \(3\.25 inches\), page \(6\.875 inches\) or 2 to 40 inches"):
        width_of(text)


def boxes(canvas):
    """Where everything lies, in inches from the lower left corner: panels with their labels, legend, title, note."""
    canvas.draw_without_rendering()
    parts = [*canvas.legends, *canvas.texts]
    panels = [axes.get_tightbbox() for axes in canvas.axes]
    return [
        [side / canvas.dpi for side in box.extents] for box in [*panels, *(part.get_window_extent() for part in parts)]
    ]


@pytest.mark.parametrize(("kind", "width"), [*((kind, COLUMN) for kind in FIGURES), ("panels", PAGE)])
def test_nothing_is_covered_or_cut_off(kind, width):
    sheet = Sheet.of(width)
    with settings_for("png", sheet):
        canvas = to_canvas(FIGURES[kind], sheet)
        placed = boxes(canvas)
    across, high = canvas.get_size_inches()
    assert across == width
    for left, low, right, top in placed:
        assert -0.02 <= left < right <= across + 0.02 and -0.02 <= low < top <= high + 0.02
    panels = len(canvas.axes)
    for (at, one), (of, other) in combinations(enumerate(placed), 2):
        if at < panels <= of or (panels <= at):
            apart = one[2] <= other[0] + 0.02 or other[2] <= one[0] + 0.02
            assert apart or one[3] <= other[1] + 0.02 or other[3] <= one[1] + 0.02, (one, other)


@pytest.mark.parametrize("width", [COLUMN, PAGE, None])
def test_every_row_and_column_of_words_has_its_name_and_none_covers_another(width):
    names = [f"a bias of {word}" for word in ("shape", "texture", "low", "high", "noise", "shift", "roll", "crop")]
    names = [*names, *("CB width", "CB center", "peak noise")]
    values = tuple(tuple(float(at + of) for of in range(11)) for at in range(11))
    each = HeatMap(title="all models", rows=tuple(names), columns=tuple(names), values=values)
    sheet = Sheet.of(width)
    with settings_for("png", sheet):
        canvas = to_canvas(replace(FIGURES["maps"], maps=(each, replace(each, title="within"))), sheet)
        canvas.draw_without_rendering()
        for axes in canvas.axes[:2]:
            for axis in (axes.xaxis, axes.yaxis):
                ticks = [label for label in axis.get_ticklabels() if label.get_text()]
                shown = [label.get_window_extent() for label in ticks]
                assert len(ticks) == len(names)
                assert not any(one.overlaps(other) for one, other in combinations(shown, 2))


def test_numbers_of_a_logarithmic_axis_do_not_cover_each_other():
    sheet = Sheet.of(COLUMN)
    curve = points(x=(2.0, 4.0, 8.0, 16.0, 35.0), y=(0.1, 0.2, 0.3, 0.2, 0.1), line=True)
    with settings_for("png", sheet):
        canvas = to_canvas(replace(figure(curve), log_x=True), sheet)
        canvas.draw_without_rendering()
        every = [*canvas.axes[0].get_xticklabels(), *canvas.axes[0].get_xticklabels(minor=True)]
        shown = [label for label in every if label.get_text()]
        assert [label.get_text() for label in shown] == ["2", "5", "10", "20"]
        spans = [label.get_window_extent() for label in shown]
        assert not any(one.overlaps(other) for one, other in combinations(spans, 2))


@pytest.mark.parametrize("kind", ["panels", "rows"])
def test_no_letter_is_below_7_points(kind):
    svg = ElementTree.fromstring(to_image(FIGURES[kind], "svg", COLUMN))
    assert svg.get("width") == "234pt" and svg.get("viewBox").split()[2] == "234"
    styles = [node.get("style") for node in svg.iter("{http://www.w3.org/2000/svg}text")]
    sizes = [float(re.search(r"(?:font: |font-size: )([\d.]+)px", style).group(1)) for style in styles]
    assert len(sizes) > 10 and min(sizes) >= 7


@pytest.fixture(scope="module")
def pictures():
    return {kind: to_image(ONE, kind, COLUMN) for kind in ("png", "pdf")}


def test_pictures_are_as_wide_as_asked(pictures, tmp_path):
    (tmp_path / "a.png").write_bytes(pictures["png"])
    with Image.open(tmp_path / "a.png") as image:
        assert image.size[0] == 975 and image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    assert re.search(rb"/MediaBox \[ 0 0 234 ", pictures["pdf"])


def test_fonts_are_in_the_pdf_and_no_date_is(pictures):
    assert b"/FontFile2" in pictures["pdf"] and b"/Type3" not in pictures["pdf"]
    assert b"Date" not in pictures["pdf"] and b"Date" not in pictures["png"]
    assert not re.search(rb"/(Creator|Producer)", pictures["pdf"])


def test_the_same_figure_gives_the_same_bytes(pictures):
    assert {kind: to_image(ONE, kind, COLUMN) for kind in pictures} == pictures


def test_figures_that_cannot_be_drawn_are_set_aside():
    empty = replace(figure(points("g", x=(), y=())), name="empty")
    files, refusals = to_files([ONE, empty, ONE], "svg")
    assert [*files] == ["f.svg", "f-2.svg"]
    assert refusals == ["figure empty cannot be drawn: it has no points. Type: --figure list"]
    with pytest.raises(RequestError, match="it has no points"):
        to_files([empty], "svg")


@pytest.mark.parametrize("kind", ["png", "pdf"])  # tests/harness/test_foreign.py has SVG
def test_hostile_texts_in_a_column(kind):
    evil = " ".join((TEXTS["math"], TEXTS["cdata"], TEXTS["clear-screen"], TEXTS["tex-input"]))
    series = tuple(Series(label=text, x=(1.0,), y=(1.0,), panel=evil) for text in TEXTS.values())
    texts = {"title": evil, "x_label": evil, "y_label": evil, "note": evil}
    with warnings.catch_warnings(action="ignore"):  # glyphs that the font lacks
        drawn = to_image(Figure(name="f", series=series, y_ticks=((1.0, evil),), **texts), kind, COLUMN)
    assert len(drawn) < 2_000_000
    assert not re.search(rb"/(URI|JavaScript|JS|Launch|OpenAction|EmbeddedFile)", drawn)
