"""Text from strangers in every format: nothing that a terminal, spreadsheet, viewer or browser would act upon."""

import csv
import io
import json
import re
import warnings
from dataclasses import replace
from functools import cache
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import Figure, Page, Series, Table, TableCell, foreign
from harness.foreign import csv_text, data_frame, in_ascii, json_text, markdown_text, one_line, spelled, visible
from harness.output import drawing, plain_drawing
from harness.output.formats import to_csv, to_html, to_json, to_markdown, to_terminal
from tests.helpers.hostile_texts import TEXTS, inert, inert_csv, inert_html, inert_markdown, parsed, shape

SVG_TAGS = {
    "svg", "metadata", "RDF", "Work", "type", "format", "defs", "style", "g", "path", "text", "tspan", "use",
    "clipPath", "rect",
}  # fmt: skip
PLACES = ("title", "heading", "cell", "note")
every_text = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
every_place = pytest.mark.parametrize("place", PLACES)


def table(text, place):
    given = {name: text if name == place else "plain" for name in PLACES}
    rows = ((TableCell(given["cell"]), TableCell("1.50", value=-1.5)),)
    return Table(title=given["title"], columns=(given["heading"], "n"), rows=rows, note=given["note"])


@every_text
@every_place
def test_hostile_terminal(text, place):
    shown = to_terminal([table(text, place)], width=2000)
    inert(shown)
    if place != "heading":  # those are broken between words
        extra = visible(text).count("\n") if place == "note" else 0
        harmless = to_terminal([table("plain", place)], width=2000)
        assert len(shown.splitlines()) == len(harmless.splitlines()) + extra


@every_text
@every_place
def test_hostile_csv(text, place):
    written = to_csv([table(text, place)])
    inert_csv(written)
    rows = list(csv.reader(io.StringIO(written)))
    assert [len(row) for row in rows[-2:]] == [2, 2]
    assert rows[-1][1] == "-1.5"
    if place == "cell":
        assert len(rows[-1][0]) >= len(text)  # nothing is dropped


@every_text
@every_place
def test_hostile_markdown(text, place):
    written = to_markdown([table(text, place)])
    inert_markdown(written)
    bare = re.sub(r"\\[!-/:-@\[-`{-~]", "", written)  # CommonMark: an escaped mark is text
    pipes = [line.count("|") for line in bare.splitlines() if line.startswith("|")]
    assert pipes == [3, 3, 3]
    assert len(re.findall(r"^#", bare, re.MULTILINE)) == 1


@cache
def harmless_page(place):
    return to_html([Page(title="plain", tables=(table("plain", place),))], "plain")


@every_text
@every_place
def test_hostile_html(text, place):
    page = to_html([Page(title=text, tables=(table(text, place),))], text)
    inert_html(page)
    assert shape(page) == shape(harmless_page(place))
    assert visible(text) in parsed(page).text


@every_text
def test_hostile_json(text):
    data = {text: [text, {"deep": text}]}
    for write in (to_json, json_text):
        written = write(data)
        inert(written)
        assert json.loads(written) == data
        assert json.loads(in_ascii(written, "json").encode("ascii")) == data


@every_text
def test_hostile_figure_in_a_terminal(text):
    series = (Series(label=text, x=(1.0, 2.0), y=(1.0, 2.0)), Series(label="b", x=(1.0,), y=(3.0,)))
    figure = Figure(name="f", title=text, x_label=text, y_label=text, series=series, note=text)
    inert(plain_drawing.to_text(figure))
    panels = tuple(replace(one, panel=text, style="open") for one in series)
    inert(plain_drawing.to_text(replace(figure, series=panels, y_ticks=((1.0, text), (3.0, text)))))


@pytest.fixture(scope="module")
def picture():
    """All texts as labels of one picture, and formulae everywhere else."""
    series = tuple(Series(label=text, x=(1.0,), y=(1.0,)) for text in TEXTS.values())
    evil = TEXTS["math"] + TEXTS["cdata"] + TEXTS["clear-screen"]
    with warnings.catch_warnings(action="ignore"):  # glyphs that the font lacks
        panel = (Series(label="", x=(1.0,), y=(1.0,), panel=evil),)
        ticks = ((1.0, evil),)
        texts = {"title": evil, "x_label": evil, "y_label": evil, "note": evil}
        figure = Figure(name="f", series=series + panel, y_ticks=ticks, **texts)
        return drawing.to_image(figure, "svg").decode()


@every_text
def test_hostile_picture(picture, text):
    inert(picture)
    root = ElementTree.fromstring(picture)
    texts = ["".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert one_line(text).split() in map(str.split, texts)
    assert {node.tag.rpartition("}")[2] for node in root.iter()} <= SVG_TAGS
    assert all(value.startswith("#") for node in root.iter() for name, value in node.items() if name.endswith("href"))


@every_text
def test_hostile_export(text):
    from harness.store.export import _for_spreadsheets

    frame = data_frame({"model": [text, text], "n": np.array([-1, 2]), text: ["x", "y"]})
    assert [frame["model"][0], frame.columns[2]] == [text, text]
    written = _for_spreadsheets(frame).to_csv(index=False)
    inert(written)
    rows = list(csv.reader(io.StringIO(written)))
    assert [len(row) for row in rows] == [3, 3, 3]
    assert [row[1] for row in rows[1:]] == ["-1", "2"]
    for cell in [rows[0][2], rows[1][0]]:
        assert cell.strip()[:1] not in set("=+-@\uff1d")


@given(st.text(max_size=30))
def test_hostile_text_of_any_kind_is_inert_and_shown_once(text):
    inert(visible(text).replace("\n", ""), newlines=False)
    inert(one_line(text), newlines=False)
    assert visible(visible(text)) == visible(text)
    assert one_line(visible(text)) == one_line(text)
    assert len(one_line(text)) >= len(text)
    assert json.loads(json_text([text])) == [text]


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30))
def test_plain_text_is_left_as_it_is(text):
    assert one_line(text) == visible(text) == text
    unescaped = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", markdown_text(text))
    assert re.sub(r"^&#(\d+);", lambda match: chr(int(match[1])), unescaped) == text


@pytest.mark.parametrize("number", ["-1.5", "+2", "1e-5", "-.5", "–", "0.66", "-3%x"[:2]])
def test_numbers_stay_numbers(number):
    assert csv_text(number) == number


def test_characters_are_spelled():
    assert "".join(map(spelled, "ρ × – … é中")) == r"rho x - ... \xe9\u4e2d"


LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
KEYS = st.text() | st.integers() | st.booleans() | st.none()


@given(st.recursive(LEAVES, lambda part: st.lists(part) | st.dictionaries(KEYS, part) | st.tuples(part, part)))
def test_json_is_laid_out_as_by_the_library(value):
    assert foreign._indented(value, "\n") == json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)


@pytest.mark.parametrize(
    "value",
    [np.float64(0.1), float("nan"), [float("inf")], {"a": object()}, {(1,): 1}],
    ids=["numpy", "nan", "infinity", "object", "key"],
)
def test_what_json_does_not_have_is_refused_as_by_the_library(value):
    try:
        expected = json.dumps(value, indent=2, allow_nan=False)
    except (TypeError, ValueError) as error:
        with pytest.raises(type(error)):
            json_text(value)
    else:
        assert json_text(value) == f"{expected}\n"
