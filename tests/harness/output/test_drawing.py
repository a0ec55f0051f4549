"""Figures drawn: every point where it belongs, the same bytes every time, errors that say what to do."""

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from harness import Erratum, Figure, ImportedModel, ImportedTable, Measure, RequestError, Series
from harness.output.drawing import COLOURS, GLYPHS, MARKERS, ROWS, to_image, to_text, write
from harness.plugins.importers.paper import Paper
from harness.plugins.reports.correlation import Correlation
from harness.store import store_table
from harness.study.compose import compose, mended
from harness.study.errata import marked
from harness.study.rows import Row
from tests.helpers.places import ROOT

SVG = "{http://www.w3.org/2000/svg}"


def figure(*series, **more):
    given = {"name": "f", "title": "Title", "x_label": "across", "y_label": "up", **more}
    return Figure(series=series, **given)


def points(label="g", x=(0.0, 1.0, 2.0), y=(1.0, 3.0, 2.0), line=False):
    return Series(label=label, x=tuple(x), y=tuple(y), line=line)


def plot(text):
    """The rows of the plot in a terminal figure, without labels and axis."""
    rows = [re.split("[┤│]", line, maxsplit=1)[1] for line in text.splitlines() if re.match(r"[^┤│└]*[┤│]", line)]
    assert len(rows) == ROWS
    return rows


def marks(text, glyph):
    return [(column, row) for row, line in enumerate(plot(text)) for column, one in enumerate(line) if one == glyph]


# --- text -------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("draw", [to_text, lambda one: to_image(one, "svg")])
def test_a_figure_without_points_is_refused(draw):
    with pytest.raises(RequestError, match="figure f cannot be drawn: it has no points"):
        draw(figure(points(x=(), y=())))


def test_more_series_than_marks_lead_to_a_file():
    many = figure(*(points(f"s{at}") for at in range(len(GLYPHS) + 1)))
    with pytest.raises(RequestError, match=r"has 33 series, and a terminal shows 32\. Type: --figure f -o f\.svg"):
        to_text(many)


def test_every_pair_of_colour_and_marker_is_another_one():
    assert COLOURS[7] == "#000000"  # the eighth is one's own model among the seven groups of the study: not the palest
    pairs = {(COLOURS[at % len(COLOURS)], MARKERS[at % len(MARKERS)]) for at in range(88)}
    assert len(pairs) == 88
    assert len(set(GLYPHS)) == len(GLYPHS) and "@" not in GLYPHS and "·" not in GLYPHS


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
    with pytest.raises(RequestError, match=r"cannot draw a\.pdf: expected a name that ends in \.svg or \.png"):
        write(drawn[0], tmp_path / "a.pdf")
    with pytest.raises(RequestError, match=r"cannot write .*a\.svg: No such file"):
        write(drawn[0], tmp_path / "absent" / "a.svg")


def test_without_matplotlib_the_pip_command_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(RequestError, match=r"drawing SVG needs matplotlib.*pip install 'bias-harness\[figures\]'"):
        to_image(figure(points()), "svg")


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
        (("--figure", "scatter-edge-ID", "-o", "a.pdf"), ("a.pdf", ".svg or .png")),
        (("--figure", "scatter-edge-ID", "--format", "csv"), ("unknown value of --format 'csv'",)),
        (("--sort", "ege"), ("unknown value of --sort 'ege'", "did you mean 'edge'")),
    ],
)
def test_mistakes_are_one_line(report, arguments, words):
    code, out, err = report(*arguments)
    assert (code, out, len(err.strip().splitlines())) == (2, "", 1)
    assert all(word in err for word in words), err


def test_the_picture_of_the_documentation_is_the_published_table(real, tmp_path, monkeypatch):
    """The same points and words; the bytes are those of one version of matplotlib."""
    pytest.importorskip("matplotlib", reason="the extra `figures` is not installed")
    table = Paper().read(real / "paper" / "benchmark.csv")
    rows = [marked(Row(name=m.name, group=m.group, run="p", measures=m.measures), table.errata) for m in table.models]
    study = mended(compose(rows, table.biases, table.axes, titles=table.titles, errata=table.errata))
    drawn = {one.name: one for one in Correlation().figures(Correlation().data(study))}
    committed = ROOT / "docs" / "images" / "shape-bias-adversarial.svg"
    found = [
        ("".join(one.itertext()), sum(1 for _ in root.iter(f"{SVG}use")))
        for root in map(
            ElementTree.fromstring, (to_image(drawn["scatter-shape-bias-Adversarial"], "svg"), committed.read_bytes())
        )
        for one in root.iter(f"{SVG}text")
    ]
    half = len(found) // 2
    assert found[:half] == found[half:]
    assert committed.stat().st_size < 60_000
