"""The file of a report: its structure, what a reader without a pointer or scripts has, its size, its bytes."""

import json
import re
from dataclasses import replace

import pytest

from harness import Figure, Page, Picture, Series, TableCell
from harness.foreign import in_ascii
from harness.output.html import to_html
from harness.output.html.page import json_for_script
from tests.helpers.hostile_texts import TEXTS, inert_html, shape
from tests.helpers.pages import GROUPS, data_of, heat, numbers, page, read, scatter

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def file():
    pages = [
        page(scatter(), scatter("other"), heat(), title="Figures", text=("First.", "Second\nline.")),
        page(tables=(numbers(5), numbers(250)), title="Tables", pictures=(Picture(png=PNG, caption="A picture"),)),
        page(title="Tables", folded=True, text=("Folded.",)),
    ]
    return to_html(pages, "A title")


def test_landmarks_and_headings(file):
    root = read(file)
    assert root.all("html")[0].attributes["lang"] == "en"
    assert [len(root.all(tag)) for tag in ("header", "nav", "main", "h1")] == [1, 1, 1, 1]
    assert root.all("nav")[0].attributes["aria-label"] == "Contents"
    sections = root.all("section")
    links = [link.attributes["href"] for link in root.all("nav")[0].all("a")]
    assert links == [f"#{section.attributes['id']}" for section in sections]
    for section, title in zip(sections, ("Figures", "Tables", "Tables"), strict=True):
        (heading,) = section.all("h2")
        assert heading.content == title
        assert section.attributes["aria-labelledby"] == heading.attributes["id"]
    identities = [element.attributes["id"] for element in root.all("*") if "id" in element.attributes]
    assert len(set(identities)) == len(identities)
    assert [p.content for p in sections[0].all("p", class_="text")] == ["First.", "Second\nline."]
    assert sections[2].all("details", class_="part")[0].all("summary")
    assert root.all("a", class_="skip")[0].attributes["href"] == f"#{root.all('main')[0].attributes['id']}"


def test_a_figure_has_its_parts(file):
    figure = next(f for f in read(file).all("figure") if f.attributes.get("data-figure") == "scatter")
    assert figure.all("figcaption")[0].content == "scatter"
    (panel,) = figure.all("div", class_="panel")
    assert panel.attributes["role"] == "img" and panel.attributes["tabindex"] == "0"
    assert panel.attributes["aria-label"] == "scatter. axis against bias: 9 points in 3 groups; the numbers are below."
    buttons = [button.attributes["aria-label"] for button in figure.all("button")]
    assert buttons == ["Zoom in", "Zoom out", "Reset"]
    rows = [[cell.content.strip() for cell in row.children] for row in figure.all("tr")]
    assert rows[0] == ["name", "group", "bias", "axis"]
    assert rows[4] == ["robust-a", "robust", "1.1", "1"] and len(rows) == 10
    panels = [p.attributes["data-panel"] for p in read(file).all("div", class_="panel")]
    assert panels == [str(at) for at in range(len(data_of(file)["panels"]))]


def test_numbers_of_a_probit_figure_are_percent_as_on_its_axes():
    figure = scatter(probit=True, series=(Series(label="g", x=(0.02, 0.5), y=(0.1, 0.9), names=("a", "b")),))
    rows = read(to_html([page(figure)], "t")).all("tr")
    assert [cell.content.strip() for cell in rows[1].children] == ["a", "g", "2", "10"]
    assert [cell.content.strip() for cell in rows[2].children] == ["b", "g", "50", "90"]


def test_the_column_of_named_rows_has_a_heading():
    series = (Series(label="g", x=(0.5, 0.7), y=(-0.9, -4.1)),)
    figure = scatter(series=series, y_label="", y_ticks=((-1.0, "ID"), (-4.0, "OOD")))
    rows = [[cell.content.strip() for cell in row.children] for row in read(to_html([page(figure)], "t")).all("tr")]
    assert rows == [["group", "bias", "row"], ["g", "0.5", "ID"], ["g", "0.7", "OOD"]]


def test_groups_are_buttons_above_the_figures_once(file):
    buttons = read(file).all("section")[0].all("button", class_="group")
    assert [button.attributes["data-group"] for button in buttons] == list(GROUPS)
    assert {button.attributes["aria-pressed"] for button in buttons} == {"true"}
    assert [button.content for button in buttons] == list(GROUPS)
    assert data_of(file)["groups"] == list(GROUPS)


def test_a_heat_map_has_its_numbers_and_its_scale(file):
    figure = next(f for f in read(file).all("figure") if f.attributes.get("data-figure") == "heat")
    rows = [[cell.content.strip() for cell in row.children] for row in figure.all("tr")]
    assert rows == [["down", "c0", "c1"], ["row 0", "1", "-0.5"], ["row 1", "–", "0.25"]]
    assert [span.content for span in figure.all("span", class_="ends")[0].children] == ["-1.00", "0.00", "1.00"]


def test_a_table_has_every_row_and_every_digit(file):
    small, large = read(file).all("section")[1].all("div", class_="table")
    assert small.attributes["aria-label"] == small.all("caption")[0].content == "Numbers"
    assert large.attributes["aria-label"] == "Numbers (table)"  # no two regions have one name
    assert not small.all("input") and large.all("input")[0].attributes["type"] == "search"
    headings = small.all("th", scope="col")
    assert [heading.attributes["aria-sort"] for heading in headings] == ["none", "none"]
    assert [heading.all("button")[0].content for heading in headings] == ["model", "number"]
    for table, count in ((small, 5), (large, 250)):
        rows = [row for body in table.all("tbody") for row in body.all("tr")]
        assert len(rows) == count
        for at, row in enumerate(rows):
            name, number = row.children
            assert (name.tag, name.attributes["scope"]) == ("th", "row") and name.content.strip() == f"model {at}"
            assert number.attributes["data-value"] == (repr(at / 7) if at % 5 else "")
    assert [len(body.all("tr")) for body in large.all("tbody")] == [100, 150]  # those that are shown at first
    assert "a note\nof two lines" in [p.content for p in read(file).all("p", class_="note")]


def test_styles_of_cells_are_names_of_the_stylesheet():
    styles = ["bold red", "dim", "italic bright_green on black", "no style at all", ""]
    table = numbers(len(styles))
    rows = tuple((TableCell(style), TableCell("x", style=style)) for style in styles)
    file = to_html([page(tables=(type(table)(title="t", columns=("a", "b"), rows=rows),))], "t")
    cells = [cell.attributes.get("class", "") for cell in read(file).all("td")]
    assert cells == ["bold red", "dim", "italic green", "", ""]
    assert " style=" not in file


def test_pictures_are_in_the_file(file):
    (image,) = read(file).all("img")
    assert image.attributes == {"src": "data:image/png;base64,iVBORw0KGgo=", "alt": "A picture"}


def test_the_file_needs_no_network_and_allows_its_own_scripts_alone(file):
    inert_html(file)
    policy = next(m.attributes["content"] for m in read(file).all("meta") if "http-equiv" in m.attributes)
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    assert len(re.findall("sha256-", policy)) == 4  # stylesheet, and three scripts
    assert "vega" not in to_html([page(tables=(numbers(3),))], "t").split("<body>")[0]
    assert len(to_html([page(tables=(numbers(3),))], "t")) < 60_000  # no runtime without a figure


def test_no_encoding_changes_what_the_policy_allows(file):
    written = in_ascii(file, "html")
    assert written.isascii()
    inert_html(written)
    assert read(written).all("h1")[0].content == "A title"


def test_the_same_pages_give_the_same_bytes(file):
    again = to_html([page(scatter(), heat())], "t")
    assert again == to_html([page(scatter(), heat())], "t")
    assert again.endswith("</html>\n")


def test_a_figure_that_cannot_be_drawn_says_why_in_its_place():
    empty = Figure(name="empty", title="Nothing", x_label="x", y_label="y")
    below = scatter("below", log_x=True, series=(Series(label="g", x=(-1.0,), y=(1.0,)),))
    uneven = heat(name="uneven")
    uneven = replace(uneven, maps=(replace(uneven.maps[0], rows=("row",)),))
    points = Series(label="g", x=(1.0, 2.0), y=(float("nan"), 1.0))
    odd = scatter("odd", series=(points,)), scatter("short", series=(replace(points, y=(1.0, 2.0), names=("a",)),))
    file = to_html([page(empty, below, uneven, *odd, scatter())], "t")
    problems = [p.content for p in read(file).all("p", class_="problem")]
    assert len(problems) == 5 and all(text.startswith("This figure cannot be drawn: ") for text in problems)
    assert "it has no points" in problems[0] and "0 or less" in problems[1] and "do not fit" in problems[2]
    assert "no numbers" in problems[3] and "of x, y and names" in problems[4]
    assert len(data_of(file)["panels"]) == 1


def test_one_label_has_one_look_in_the_whole_file():
    pages = [page(scatter(labels=("b", "a"))), page(scatter("two", labels=("c", "a", "b")), title="Two")]
    pages.append(page(scatter("apart", labels=("x", "y")), title="Apart"))
    file = to_html(pages, "t")
    buttons = read(file).all("button", class_="group")
    looks = {}
    for button in buttons:
        (path,) = button.all("path")
        looks.setdefault(button.attributes["data-group"], set()).add((path.attributes["d"], path.attributes["fill"]))
    assert {len(each) for each in looks.values()} == {1}
    first, *_ = zip(*(sorted(looks[label]) for label in "bac"), strict=True)
    assert len(set(first)) == 3  # b, a and c differ
    assert looks["x"] == looks["b"]  # shares no figure with them


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_hostile_names_do_nothing_anywhere_in_a_page(text):
    file = to_html([_page_of(text)], text)
    inert_html(file)
    plain = to_html([_page_of("plain")], "plain")
    assert shape(file) == shape(plain)
    assert _expressions(data_of(file)) == _expressions(data_of(plain))


def _page_of(text):
    names = {"names": (text, f"{text}2"), "panel": text}
    series = tuple(
        Series(label=f"{text}{at}", x=(1.0, 2.0), y=(0.5, 3.0), line=at == 1, style=style, **names)
        for at, style in enumerate(("points", "open", "reference", "ticks"))
    )
    texts = {"title": text, "x_label": text, "y_label": text, "name": text}
    chart = Figure(series=series, y_ticks=((0.5, text), (3.0, text)), note=text, **texts)
    maps = heat(**{**texts, "map_label": text})
    maps = replace(maps, maps=(replace(maps.maps[0], title=text, rows=(text, text), columns=(text, text)),))
    picture = Picture(png=PNG, caption=text)
    return Page(title=text, text=(text,), figures=(chart, maps), pictures=(picture,), tables=(numbers(2, title=text),))


def _expressions(value):
    """Every text that Vega evaluates, in order: of a signal, an expression or a test, and colours and shapes."""
    if isinstance(value, dict):
        names = ("signal", "expr", "test", "update", "init", "range", "d", "type", "field", "scale")
        own = [value[name] for name in names if isinstance(value.get(name), str)]
        return own + [text for key, item in value.items() if key != "value" for text in _expressions(item)]
    return [text for item in value for text in _expressions(item)] if isinstance(value, list) else []


def test_json_survives_in_a_script():
    value = {text: [text, 0.1] for text in TEXTS.values()}
    written = json_for_script(value)
    assert json.loads(written) == value
    assert written.isascii() and not set("<>&\x7f") & set(written)
    with pytest.raises(ValueError, match="JSON compliant"):
        json_for_script([float("nan")])


def test_forty_eight_models_fit_the_budget():
    """Figures of 48 models in seven groups, thirty of them, and a table of 20,000 numbers."""
    figures = [scatter(f"f{at}", labels=tuple(f"group {n}" for n in range(16))) for at in range(30)]
    file = to_html([page(*figures, tables=(numbers(20_000),))], "t")
    assert len(file.encode()) < 6_000_000
