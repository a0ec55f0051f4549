"""The HTML file of a report in a browser: what people click, type and see. Skipped where no browser is installed."""

import pytest

from harness import Page, Series, Table, TableCell
from harness.output.formats import render
from harness.output.html import to_html
from harness.plugins.reports.correlation import Correlation
from tests.helpers.browser import NARROW, WIDE, browser, drawn, opened, see, violations
from tests.helpers.hostile_texts import TEXTS
from tests.helpers.pages import GROUPS, heat, numbers, page, scatter
from tests.helpers.published import imported_study

__all__ = ["browser"]

every_look = pytest.mark.parametrize("scheme", ["light", "dark"])
every_width = pytest.mark.parametrize("width", [WIDE, NARROW])


def curves():
    line = Series(label="plain", x=(0.1, 1.0, 10.0), y=(0.2, 0.5, 0.9), names=("a", "b", "c"), line=True)
    return scatter("curves", series=(line,), log_x=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A file with every kind of figure and table."""
    parts = [
        Page(title="Summary", text=("One sentence.", "Another."), tables=(numbers(3, "Few"),)),
        page(scatter(), scatter("other"), heat(), curves(), title="Figures"),
        page(title="Tables", tables=(numbers(40, "Many"),)),
        page(scatter("folded"), title="Folded", folded=True, tables=(numbers(5, "Within"),)),
    ]
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(to_html(parts, "A report"), encoding="utf-8")
    return file


# --- every page ---------------------------------------------------------------------------------


@every_look
@every_width
def test_a_page_asks_for_nothing_and_shuts_nobody_out(browser, made, scheme, width):
    with opened(browser, made, scheme=scheme, width=width) as shown:
        assert drawn(shown, "scatter") == [9]
        shown.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
        assert violations(shown) == []


def test_names_do_nothing(browser, tmp_path):
    texts = [*TEXTS.values(), "<img src=x onerror=alert(1)>", "');alert(1);('", "{{7*7}}", "${alert(1)}"]
    rows = tuple((TableCell(text), TableCell("1", value=1.0)) for text in texts)
    series = tuple(Series(label=text, x=(at,), y=(1.0,), names=(text,)) for at, text in enumerate(texts[:6]))
    many = Series(label="all", x=tuple(range(len(texts))), y=(1.0,) * len(texts), names=tuple(texts))
    parts = [
        page(
            scatter(series=(*series, many), title=text, x_label=text),
            title=text,
            text=(text,),
            tables=(Table(title=text, columns=(text, "n"), rows=rows, note=text),),
        )
        for text in ("<script>alert(1)</script>", "</script><script>alert(2)</script>", "\x1b[31m\u2028=1+1|\\input{x}")
    ]
    file = tmp_path / "hostile.html"
    file.write_text(to_html(parts, "</title><script>alert(3)</script>"), encoding="utf-8")
    with opened(browser, file) as shown:
        assert drawn(shown, "scatter")
        shown.locator(".panel").first.hover()
        shown.locator("th button").first.click()
        assert shown.locator("script").count() == 4


def test_a_page_without_scripts_has_its_tables(browser, made):
    with opened(browser, made, java_script_enabled=False) as shown:
        assert shown.locator("noscript").first.is_visible()
        assert shown.get_by_text("model 2").first.is_visible()


# --- figures ------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["click", "Enter", "Space"])
def test_a_group_is_switched_off_in_every_figure(browser, made, by):
    with opened(browser, made) as shown:
        assert (drawn(shown, "scatter"), drawn(shown, "other")) == ([9], [9])
        button = shown.locator(f'button.group[data-group="{GROUPS[1]}"]').first
        act = button.click if by == "click" else lambda: button.press(by)
        act()
        expect_marks(shown, scatter=6, other=6)
        shown.locator("summary h2").click()
        assert drawn(shown, "folded") == [6]  # one that was drawn afterwards
        assert {one.get_attribute("aria-pressed") for one in of_group(shown)} == {"false"}
        act()
        expect_marks(shown, scatter=9, other=9, folded=9)


def of_group(shown):
    return shown.locator(f'button.group[data-group="{GROUPS[1]}"]').all()


def expect_marks(shown, **counts):
    for name, count in counts.items():
        shown.wait_for_function(
            """([name, count]) => document.querySelectorAll(
                 `figure[data-figure="${name}"] g.mark-symbol > path`).length === count""",
            arg=[name, count],
            timeout=5000,
        )


def test_a_point_tells_its_name_and_numbers(browser, made):
    with opened(browser, made) as shown:
        drawn(shown, "scatter")
        mark = shown.locator('figure[data-figure="scatter"] g.mark-symbol > path').nth(1)
        box = mark.bounding_box()
        shown.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        tip = shown.locator("#tip")
        tip.wait_for(state="visible")
        assert tip.locator("*").all_inner_texts() == ["plain-b", "plain", "bias: 0.5", "axis: 2"]


def test_a_point_of_a_probit_figure_tells_percent_as_its_axes_do(browser, tmp_path):
    series = Series(label="g", x=(0.1, 0.5, 0.9), y=(0.2, 0.5, 0.75), names=("a", "b", "c"))
    file = tmp_path / "report.html"
    file.write_text(to_html([page(scatter(series=(series,), probit=True))], "t"), encoding="utf-8")
    with opened(browser, file) as shown:
        assert drawn(shown, "scatter") == [3]
        shown.locator("g.mark-symbol > path").nth(2).hover()
        assert shown.locator("#tip *").all_inner_texts() == ["c", "g", "bias: 90", "axis: 75"]


def test_a_point_tells_of_the_models_that_it_covers_and_none_tells_out_of_view(browser, tmp_path):
    one = Series(label="g", x=(0.0, 1.0), y=(0.0, 1.0), names=("a", "b"))
    other = Series(label="h", x=(1.0, 0.0), y=(1.0, 1.0), names=("c", "d"))
    file = tmp_path / "report.html"
    file.write_text(to_html([page(scatter(series=(one, other)))], "t"), encoding="utf-8")
    with opened(browser, file) as shown:
        assert drawn(shown, "scatter") == [4]
        box = shown.locator("g.mark-symbol > path").nth(1).bounding_box()
        at = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        tip = shown.locator("#tip")
        shown.mouse.move(*at)
        texts = tip.locator("*").all_inner_texts()
        assert (texts[0], texts[-1]) in (("b", "also here: c"), ("c", "also here: b"))
        shown.mouse.move(0, 0)
        panel, mark = shown.locator(".panel"), shown.locator("g.mark-symbol > path").nth(1)
        for key in ("+", "ArrowRight", "ArrowUp", "ArrowUp"):  # now it is a little beyond the right end
            before = mark.get_attribute("transform")
            panel.press(key)
            mark_moves = "([mark, before]) => mark.getAttribute('transform') !== before"
            shown.wait_for_function(mark_moves, arg=[mark.element_handle(), before], timeout=5000)
        box = mark.bounding_box()
        shown.mouse.move(box["x"] + box["width"] / 2 - 20, box["y"] + box["height"] / 2)
        assert tip.is_hidden()


_TICKS = """[...document.querySelectorAll('figure[data-figure="scatter"] g.role-axis-label text')].map(
    one => one.textContent).sort().join("|")"""
"""The labels of the axes; Vega keeps no order of them in the document."""


def test_zoom_and_reset_by_button_and_by_key(browser, made):
    with opened(browser, made) as shown:
        drawn(shown, "scatter")
        home = shown.evaluate(_TICKS)
        chart = shown.locator('figure[data-figure="scatter"]')
        for narrow, back in (
            (chart.get_by_label("Zoom in").click, chart.get_by_label("Reset").click),
            (lambda: chart.locator(".panel").press("+"), lambda: chart.locator(".panel").press("0")),
        ):
            narrow()
            shown.wait_for_function(f"home => {_TICKS} !== home", arg=home, timeout=5000)
            back()
            shown.wait_for_function(f"home => {_TICKS} === home", arg=home, timeout=5000)


def test_the_numbers_of_a_figure_are_below_it(browser, made):
    with opened(browser, made) as shown:
        chart = shown.locator('figure[data-figure="scatter"]')
        chart.get_by_text("The numbers").click()
        rows = chart.locator("details tbody tr")
        assert rows.count() == 9
        cells = rows.nth(1).locator("td, th").all_inner_texts()
        assert [text.strip() for text in cells] == ["plain-b", "plain", "0.5", "2"]


# --- tables -------------------------------------------------------------------------------------


def column(shown, box, at):
    rows = box.locator("tbody tr:visible")
    return [rows.nth(row).locator("td, th").nth(at).inner_text().strip() for row in range(rows.count())]


def test_a_table_sorts_by_number_with_what_is_missing_last(browser, made):
    with opened(browser, made) as shown:
        box = shown.locator('.table[aria-label="Many"]')
        before = column(shown, box, 1)
        present = sorted(float(text) for text in before if text != "–")
        heading = box.get_by_role("button", name="number")
        states = []
        for expected in (present, present[::-1]):
            heading.press("Enter")
            states.append(box.locator("th[aria-sort]").nth(1).get_attribute("aria-sort"))
            after = column(shown, box, 1)
            assert [float(text) for text in after[: len(present)]] == expected
            assert set(after[len(present) :]) == {"–"}
        heading.press("Enter")
        assert states == ["ascending", "descending"]
        assert column(shown, box, 1) == before


def test_a_table_is_filtered_as_one_types(browser, made):
    with opened(browser, made) as shown:
        box = shown.locator('.table[aria-label="Many"]')
        assert box.locator("output").inner_text() == "40 rows"  # of which not all are in sight
        box.get_by_label("Filter rows").fill("model 3")
        assert column(shown, box, 0) == ["model 3", *(f"model {at}" for at in range(30, 40))]
        assert box.locator("output").inner_text() == "11 of 40 rows"
        box.get_by_label("Filter rows").fill("")
        assert box.locator("output").inner_text() == "40 rows"
        assert len(column(shown, box, 0)) == 40
        assert shown.locator('.table[aria-label="Few"]').get_by_label("Filter rows").count() == 0


def test_a_filter_counts_the_rows_that_match_beyond_those_that_are_shown(browser, tmp_path):
    rows = tuple((TableCell(f"model {at}"), TableCell("0.3"), TableCell("0.7")) for at in range(250))
    file = tmp_path / "report.html"
    table = Table(title="Long", columns=("model", "a", "b"), rows=rows)
    file.write_text(to_html([page(tables=(table,))], "t"), encoding="utf-8")
    with opened(browser, file) as shown:
        box = shown.locator('.table[aria-label="Long"]')
        texts = []
        for query in ("", "model", "model 1", "30.7"):  # the last one is the end of a cell and the start of the next
            box.get_by_label("Filter rows").fill(query)
            texts.append(box.locator("output").inner_text())
        assert texts == ["100 of 250 rows", "100 of 250 rows", "100 of 111 rows that match, of 250", "0 of 250 rows"]
        box.get_by_label("Filter rows").fill("model 1")
        box.get_by_role("button", name="Show all").click()
        assert box.locator("output").inner_text() == "111 of 250 rows"
        assert len(column(shown, box, 0)) == 111


def test_names_sort_by_the_numbers_in_them(browser, tmp_path):
    ordered = ["9", "10", "l2 eps0", "l2 eps0.01", "l2 eps0.03", "l2 eps0.1", "l2 eps0.25", "l2 eps0.5", "l2 eps3",
               "linf-6", "linf-6-long", "net v9", "net v10", "net-a"]  # fmt: skip
    rows = tuple((TableCell(name), TableCell(name)) for name in reversed(ordered))
    file = tmp_path / "report.html"
    table = Table(title="Names", columns=("model", "b"), rows=rows)
    file.write_text(to_html([page(tables=(table,))], "t"), encoding="utf-8")
    with opened(browser, file) as shown:
        box = shown.locator('.table[aria-label="Names"]')
        box.get_by_role("button", name="model").click()
        assert column(shown, box, 0) == ordered


def test_an_address_with_a_broken_fragment_opens_the_page(browser, made):
    with opened(browser, made) as shown:  # which complains of nothing
        shown.evaluate("location.hash = '#%zz'")
        shown.evaluate("location.hash = '#part-folded'")
        shown.wait_for_selector("#part-folded > details[open]")


# --- keyboard, theme, paper ---------------------------------------------------------------------

_REACHABLE = "a[href], button, input, summary, [tabindex='0']"


def test_the_keyboard_reaches_everything(browser, made):
    with opened(browser, made) as shown:
        shown.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
        wanted = shown.evaluate(
            """selector => [...document.querySelectorAll(selector)].map((one, at) => {
                 one.dataset.at = at;
                 return one.checkVisibility() ? at : -1;
               }).filter(at => at >= 0)""",
            _REACHABLE,
        )
        reached = []
        for _ in wanted:
            shown.keyboard.press("Tab")
            reached.append(shown.evaluate("+document.activeElement.dataset.at"))
        assert reached == wanted
        focus = shown.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert focus != "none"


def test_the_theme_follows_the_system_until_it_is_chosen(browser, made):
    with opened(browser, made, scheme="dark") as shown:
        background = "getComputedStyle(document.body).backgroundColor"
        dark = shown.evaluate(background)
        button = shown.locator("#theme")
        assert button.inner_text() == "Light theme"
        button.click()
        light = shown.evaluate(background)
        assert button.inner_text() == "Dark theme"
        assert sum(map(int, light[4:-1].split(","))) > 600 > 150 > sum(map(int, dark[4:-1].split(",")))


def test_paper_has_every_figure_and_what_is_folded(browser, made):
    with opened(browser, made) as shown:
        shown.emulate_media(media="print")
        shown.wait_for_function("[...document.querySelectorAll('.panel')].every(one => one.querySelector('svg'))")
        assert shown.get_by_text("Within").is_visible()
        assert not shown.locator("#theme").is_visible()
        assert shown.pdf()[:5] == b"%PDF-"


# --- the published table ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def published(real, tmp_path_factory):
    """The file of the table of the 48 networks."""
    folder = tmp_path_factory.mktemp("published")
    _, data = imported_study(real, folder)
    file = folder / "report.html"
    file.write_text(render(Correlation(), data, "html"), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("scheme", "width"),
    [
        ("light", WIDE),
        pytest.param("dark", WIDE, marks=pytest.mark.slow),
        pytest.param("light", NARROW, marks=pytest.mark.slow),
        pytest.param("dark", NARROW, marks=pytest.mark.slow),
    ],
)
def test_the_page_of_the_48_networks(browser, published, scheme, width):
    assert published.stat().st_size < 6e6
    with opened(browser, published, scheme=scheme, width=width) as shown:
        see(shown, ".panel")
        shown.wait_for_selector(".panel svg")
        assert violations(shown) == []
