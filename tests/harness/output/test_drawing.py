"""Pictures of figures: every point where it belongs, the same bytes every time, errors that say what to do."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from harness import Erratum, ImportedModel, ImportedTable, Measure, RequestError, Series
from harness.output.drawing import COLOURS, MARKERS, to_image, write
from harness.output.plain_drawing import to_text
from harness.plugins.importers.paper import Paper
from harness.plugins.reports.correlation import Correlation
from harness.plugins.reports.prediction import JointPrediction
from harness.store import store_table
from harness.study.compose import compose, mended
from harness.study.errata import marked
from harness.study.rows import Row
from tests.helpers.drawn_figures import figure, marks, points
from tests.helpers.places import ROOT

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("draw", [to_text, lambda one: to_image(one, "svg")])
def test_a_figure_without_points_is_refused(draw):
    with pytest.raises(RequestError, match="figure f cannot be drawn: it has no points"):
        draw(figure(points(x=(), y=())))


def test_every_pair_of_colour_and_marker_is_another_one():
    assert COLOURS[7] == "#000000"  # the eighth is one's own model among the seven groups of the study: not the palest
    pairs = {(COLOURS[at % len(COLOURS)], MARKERS[at % len(MARKERS)]) for at in range(88)}
    assert len(pairs) == 88


# --- images -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drawn():
    """A figure and its SVG."""
    pytest.importorskip("matplotlib", reason="the extra `figures` is not installed")
    one = figure(points("first"), points("second", line=True), note="a note", title="A title: with ρ = 0.50, n = 3")
    return one, to_image(one, "svg")


def test_the_same_figure_gives_the_same_bytes_whatever_the_users_settings(drawn, tmp_path):
    one, svg = drawn
    assert to_image(one, "svg") == svg
    assert b"<dc:date>" not in svg
    (tmp_path / "matplotlibrc").write_text("font.size: 30\nbackend: svg\naxes.facecolor: red\n")
    code = (
        "import json, sys; from harness import Figure, Series; from harness.output.drawing import to_image;"
        "given = json.loads(sys.argv[1]);"
        "given['series'] = tuple(Series(**one) for one in given['series']);"
        "sys.stdout.buffer.write(to_image(Figure(**given), 'svg'))"
    )
    series = [{"label": s.label, "x": s.x, "y": s.y, "line": s.line} for s in one.series]
    keys = ("name", "title", "x_label", "y_label", "note")
    text = json.dumps({**{key: getattr(one, key) for key in keys}, "series": series})
    again = subprocess.run([sys.executable, "-c", code, text], cwd=tmp_path, capture_output=True, check=True)
    assert again.stdout == svg


def test_text_of_an_svg_is_text(drawn):
    shown = ["".join(one.itertext()) for one in ElementTree.fromstring(drawn[1]).iter(f"{SVG}text")]
    for text in ("A title: with ρ = 0.50, n = 3", "across", "up", "first", "second", "a note"):
        assert text in shown


def test_points_of_an_svg_lie_where_they_belong(drawn):
    """Positions grow with the values, in proportion; SVG counts rows from the top."""
    groups = [one for one in ElementTree.fromstring(drawn[1]).iter(f"{SVG}g") if one.get("id") == "PathCollection_1"]
    uses = [one for one in groups[0].iter(f"{SVG}use")]
    x, y = (np.array([float(one.get(side)) for one in uses]) for side in ("x", "y"))
    assert len(uses) == 3
    assert x[1] - x[0] == pytest.approx(x[2] - x[1])
    assert y[0] - y[1] == pytest.approx(2 * (y[2] - y[1]))
    assert y[1] < y[2] < y[0]


def test_files_are_what_their_names_say(drawn, tmp_path):
    write(drawn[0], tmp_path / "a.svg")
    write(drawn[0], tmp_path / "a.PNG")
    assert (tmp_path / "a.svg").read_bytes() == drawn[1]
    with Image.open(tmp_path / "a.PNG") as image:
        assert image.format == "PNG"
        assert len(image.convert("RGB").getcolors(maxcolors=1 << 20)) > 3


def test_other_names_and_places_are_refused(drawn, tmp_path):
    with pytest.raises(RequestError, match=r"cannot draw a\.eps: expected a name that ends in \.svg, \.png or \.pdf"):
        write(drawn[0], tmp_path / "a.eps")
    with pytest.raises(RequestError, match=r"cannot write .*a\.svg: No such file"):
        write(drawn[0], tmp_path / "absent" / "a.svg")


def test_without_matplotlib_the_pip_command_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(RequestError, match=r"drawing SVG needs matplotlib.*pip install 'bias-harness\[figures\]'"):
        to_image(figure(points()), "svg")


# --- read back from the axes ------------------------------------------------------------------


def offsets(axes):
    """The places of the marks of each series without a line, in the units of the axes."""
    return [np.asarray(collection.get_offsets()).tolist() for collection in axes.collections]


@pytest.fixture
def canvas():
    pytest.importorskip("matplotlib", reason="the extra `figures` is not installed")
    from harness.output.drawing import to_canvas

    return to_canvas


def test_marks_stand_at_their_values_in_the_panel_of_their_series(canvas):
    series = [
        Series(label=label, x=(0.1 * at, 0.3), y=(0.2, 0.1 * at), panel=panel)
        for at, (panel, label) in enumerate([("p", "a"), ("p", "b"), ("q", "a"), ("r", "b"), ("r", "c")], 1)
    ]
    drawn = canvas(figure(*series))
    assert [axes.get_title(loc="left") or axes.get_title() for axes in drawn.axes] == ["p", "q", "r"]
    found = [of for axes in drawn.axes for of in offsets(axes)]
    assert found == [[pytest.approx(pair) for pair in zip(one.x, one.y, strict=True)] for one in series]
    assert [text.get_text() for text in drawn.legends[0].get_texts()] == ["a", "b", "c"]
    colours = [tuple(of.get_facecolor()[0]) for axes in drawn.axes for of in axes.collections]
    assert colours[0] == colours[2] and colours[1] == colours[3] and len(set(colours)) == 3
    labels = [(axes.get_xlabel(), axes.get_ylabel()) for axes in drawn.axes]
    assert labels == [("", "up"), ("across", ""), ("across", "up")]  # below and left of others


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.floats(-1e4, 2), min_size=1, max_size=6))
def test_points_beyond_a_limit_are_drawn_there_with_their_numbers(canvas, values):
    shown = points("g", x=values, y=[float(at) for at in range(len(values))])
    (axes,) = canvas(figure(shown, x_limits=(-1.0, None))).axes
    assert offsets(axes) == [[[max(value, -1.0), at] for at, value in enumerate(values)]]
    beyond = [(value, at) for at, value in enumerate(values) if value < -1]
    assert [text.xy for text in axes.texts] == [(-1.0, at) for _, at in beyond]
    written = [float(text.get_text().removeprefix("← ")) for text in axes.texts]
    assert written == pytest.approx([value for value, _ in beyond], rel=0.05, abs=0.5)
    low, high = axes.get_xlim()
    assert all(low < max(value, -1) < high for value in values)


def test_open_marks_are_not_filled_and_a_line_of_reference_is_cut_off(canvas):
    filled, empty = points("g"), replace(points("g", x=(0.5,), y=(2.5,)), style="open")
    line = Series(label="equal", x=(-50.0, 50.0), y=(-50.0, 50.0), style="reference")
    (axes,) = canvas(figure(filled, empty, line)).axes
    first, second = axes.collections
    assert tuple(first.get_facecolor()[0]) == tuple(second.get_edgecolor()[0])
    assert tuple(second.get_facecolor()[0]) == (1, 1, 1, 1)
    assert [axes.lines[0].get_xdata().tolist(), axes.lines[0].get_ydata().tolist()] == [[-50, 50], [-50, 50]]
    assert axes.get_xlim() == pytest.approx((-0.1, 2.1)) and axes.get_ylim() == pytest.approx((0.9, 3.1))


def test_a_probit_picture_has_fractions_at_their_quantiles_and_percent_beside_them(canvas):
    at = (0.02275013, 0.5, 0.97724987)
    (axes,) = canvas(figure(points(x=at, y=at), probit=True)).axes
    assert offsets(axes) == [[[value, value] for value in at]]
    pixels = axes.transData.transform([(value, 0.5) for value in at])[:, 0]
    assert pixels[1] - pixels[0] == pytest.approx(pixels[2] - pixels[1])
    ticks = {label.get_text(): place for place, label in zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)}
    assert ticks["50"] == 0.5 and all(float(text) == pytest.approx(100 * place) for text, place in ticks.items())


def test_names_of_rows_stand_at_their_places_and_are_no_formulae(canvas, tmp_path):
    names = ("a_b $x_1$", "$\\frac{", "long " * 30)
    ticks = tuple((-float(at), name) for at, name in enumerate(names))
    one = Series(label="m_1 $y$", x=(0.1, 0.2, 0.3), y=(0.0, -1.0, -2.0))
    shown = figure(one, y_ticks=ticks, title="$t_1$: $", note="$n_{$")
    (axes,) = canvas(shown).axes
    assert axes.get_yticks().tolist() == [0, -1, -2]
    write(shown, tmp_path / "a.svg")
    root = ElementTree.fromstring((tmp_path / "a.svg").read_bytes())
    texts = ["".join(of.itertext()) for of in root.iter(f"{SVG}text")]
    assert {"a_b $x_1$", "$\\frac{", "m_1 $y$", "$t_1$: $", "$n_{$"} <= set(texts)
    assert max(map(len, texts)) == 40
    panels = [replace(one, panel=name) for name in names]
    write(figure(*panels), tmp_path / "b.svg")
    assert b"$x_1$" in (tmp_path / "b.svg").read_bytes()


# --- the command ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """An imported table of six models with a bias and an axis."""
    table = ImportedTable(
        title="Table",
        source="here",
        license="CC0",
        models=tuple(
            ImportedModel(
                name=f"m{at}",
                group="g",
                measures={
                    "edge@a": Measure(name="edge", value=at / 10),
                    "top1@a": Measure(name="top1", value=(at * 5 % 6) / 10),
                },
            )
            for at in range(6)
        ),
        biases={"edge": ("edge@a",)},
        axes={"ID": ("top1@a",)},
        errata=(Erratum(measure="top1@a", title="was halved", scale=2.0, offset=0.0),),
    )
    path = tmp_path_factory.mktemp("published") / "table"
    store_table(path, table, source_sha256="0" * 64, command=["harness"])
    return path


@pytest.fixture
def report(command_line, published):
    """Runs ``harness report`` on the table in this process, in `tmp_path`: gives (code, stdout, stderr)."""
    return partial(command_line, "report", published)


def test_figures_by_name(report, tmp_path):
    code, out, _ = report("--figure", "list")
    assert (code, out.split()[0]) == (0, "scatter-edge-ID")
    code, out, _ = report("--figure", "scatter-edge-ID")
    assert code == 0
    assert len(marks(out, "o")) == 6
    assert "† published top1@a: was halved." in out
    code, out, _ = report("--figure", "scatter-edge-ID", "--format", "json", "--apply-errata")
    assert max(json.loads(out)["series"][0]["y"]) == pytest.approx(100)
    assert report("--figure", "scatter-edge-ID", "-o", "a.svg") == (0, "", "")
    ElementTree.fromstring((tmp_path / "a.svg").read_bytes())


@pytest.mark.parametrize("option", ["--apply-errata", "--mend"])
def test_applying_errata_and_sorting(report, option):
    code, out, _ = report("--format", "json", option, "--sort", "edge")
    data = json.loads(out)
    assert (code, data["mended"]) == (0, True)
    assert [one["name"] for one in data["models"]] == ["m5", "m4", "m3", "m2", "m1", "m0"]
    assert [one["axes"]["ID"] for one in data["models"]] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 0.0])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--figure", "scatter-edge"), ("unknown figure", "did you mean 'scatter-edge-ID'?", "--figure list")),
        (("--figure", "scatter-edge-ID", "-o", "a.eps"), ("a.eps", ".png or .pdf")),
        (("--figure", "scatter-edge-ID", "-o", "a.pdf", "--width", "wide"), ("'wide'", "column (3.25 inches)")),
        (("--figure", "scatter-edge-ID", "-o", "a.pdf", "--width", "1"), ("'1'", "2 to 40 inches")),
        (("--figure", "scatter-edge-ID", "--width", "column"), ("--width", "-o FILE.pdf")),
        (("--width", "column"), ("--width", "--figure NAME")),
        (("--figure", "all", "-o", "a.pdf"), ("a file for each figure", "-o FOLDER/")),
        (("--figure", "list", "-o", "a/"), ("the list of figures is one file", "-o FILE")),
        (("--figure", "all", "-o", "a/", "--format", "json"), ("unknown value of --format 'json'", "pdf")),
        (("--figure", "scatter-edge-ID", "--format", "csv"), ("unknown value of --format 'csv'",)),
        (("--sort", "ege"), ("unknown value of --sort 'ege'", "did you mean 'edge'")),
    ],
)
def test_mistakes_are_one_line(report, arguments, words):
    code, out, err = report(*arguments)
    assert (code, out, len(err.strip().splitlines())) == (2, "", 1)
    assert all(word in err for word in words), err


def texts_and_marks(svg):
    """Every text of a picture, and how many marks it has."""
    root = ElementTree.fromstring(svg)
    return ["".join(one.itertext()) for one in root.iter(f"{SVG}text")], sum(1 for _ in root.iter(f"{SVG}use"))


@pytest.mark.parametrize(
    ("report", "figure", "file", "errata"),
    [
        (Correlation(), "scatter-shape-bias-Adversarial", "shape-bias-adversarial", True),
        (JointPrediction(), "prediction", "prediction", False),
    ],
    ids=["scatter", "prediction"],
)
def test_the_pictures_of_the_documentation_are_those_of_the_published_table(real, report, figure, file, errata):
    """The same marks and words; the bytes are those of one version of matplotlib."""
    pytest.importorskip("matplotlib", reason="the extra `figures` is not installed")
    table = Paper().read(real / "paper" / "benchmark.csv")
    rows = [marked(Row(name=m.name, group=m.group, run="p", measures=m.measures), table.errata) for m in table.models]
    more = {"titles": table.titles, "errata": table.errata, "statistics": table.statistics}
    study = compose(rows, table.biases, table.axes, **more)
    drawn = {one.name: one for one in report.figures(report.data(mended(study) if errata else study))}
    committed = ROOT / "docs" / "images" / f"{file}.svg"
    assert texts_and_marks(to_image(drawn[figure], "svg")) == texts_and_marks(committed.read_bytes())
    assert committed.stat().st_size < 60_000
