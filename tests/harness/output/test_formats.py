"""Formats of a report: what is lost nowhere, what fits where, what is escaped."""

import io
import json
import re
from html import unescape

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from harness import Page, PluginError, Report, Table, TableCell, UnknownNameError
from harness.output.formats import FORMATS, render, show, to_csv, to_html, to_json, to_markdown, to_terminal
from harness.output.tables import abbreviated, terminal_lines

NAMES = (
    "resnet50_trained_on_SIN_and_IN_then_finetuned_on_IN",
    "resnet50_trained_on_SIN_and_IN",
    "resnet50_trained_on_SIN",
    "vit_base_patch16_224.augreg_in1k",
    "vit_base_patch32_224.augreg_in1k",
)
HEADINGS = ("shape-bias", "critical-band-peak-noise-sensitivity", "Robustness %", "ID")


def number(value, text=None, style=""):
    return TableCell(text or f"{value:.2f}", value=value, style=style)


def wide(columns=12):
    headings = [f"{HEADINGS[at % 4]}" for at in range(columns)]
    rows = tuple((TableCell(name), *(number(at + len(name) / 7) for at in range(columns))) for name in NAMES)
    return Table(title="Wide", columns=("model", *headings), rows=rows, note="first line\nsecond line")


class Two(Report):
    name = "two"

    def data(self, study):
        return {}

    def tables(self, data):
        return [wide(2), wide(1)]


# --- terminal ---------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [1, 2, 5, 12, 40])
@pytest.mark.parametrize("width", [60, 80, 132])
def test_no_line_is_wider_than_the_terminal(columns, width):
    assert all(len(line.plain) <= width for line in terminal_lines(wide(columns), width))


@pytest.mark.parametrize("columns", [5, 12, 40])
def test_blocks_lose_no_number(columns):
    text = "\n".join(line.plain for line in terminal_lines(wide(columns), 80))
    shown = re.findall(r"\d+\.\d\d(?= |$)", text, flags=re.MULTILINE)
    expected = [cell.text for row in wide(columns).rows for cell in row[1:]]
    assert sorted(shown) == sorted(expected)


def test_each_block_names_its_rows():
    text = "\n".join(line.plain for line in terminal_lines(wide(40), 80))
    blocks = text.count("model")
    assert blocks > 1
    assert text.count("augreg_in1k") == 2 * blocks


def test_numbers_stand_to_the_right_and_text_to_the_left():
    rows = (
        (TableCell("a"), number(1.5)),
        (TableCell("long name"), number(123.25)),
        (TableCell("b"), TableCell("–", value="")),
    )
    lines = [line.plain for line in terminal_lines(Table(title="T", columns=("who", "n"), rows=rows), 80)]
    assert lines[1:6] == ["who             n", "─" * 17, "a            1.50", "long name  123.25", "b               –"]


def test_headings_break_at_hyphens_before_names_are_cut():
    rows = ((TableCell("model-a"), *(number(0.5) for _ in range(4))),)
    table = Table(title="T", columns=("model", *["critical-band-bandwidth"] * 4), rows=rows)
    lines = [line.plain for line in terminal_lines(table, 80)]
    assert lines[1].split() == ["critical-"] * 4
    assert lines[3].split() == ["model", *["bandwidth"] * 4]


def test_prose_is_wrapped_not_cut():
    text = "one two three " * 20
    table = Table(title="Remarks", columns=("remark",), rows=((TableCell(text.strip()),),))
    lines = [line.plain for line in terminal_lines(table, 40)]
    assert " ".join(lines[3:]).split() == text.split()


def test_lists_keep_whole_names_and_wrap_the_rest():
    name, about = (
        "a-network-with-a-very-long-name-that-users-copy",
        "What it is, in more words than fit beside the name.",
    )
    cells = (TableCell(name), TableCell("1,280", value=1280), TableCell(f"{about}\nSecond line."))
    table = Table(title="", columns=("name", "images", "about"), rows=(cells,))
    lines = [line.plain for line in terminal_lines(table, 80, whole=("name",))]
    assert lines[0].split() == ["name", "images", "about"]  # no line for a title that is empty
    assert lines[2].startswith(f"{name}   1,280  What it is")
    assert all(len(line) <= 80 for line in lines)
    texts = [line.strip() for line in lines[3:] if line]
    assert texts[-1] == "Second line." and len(texts) >= 2


def test_colour_is_optional_and_repeats_the_text():
    table = Table(title="T", columns=("a", "b"), rows=((TableCell("[red]x"), number(-0.76, "-0.76*", "bold red")),))
    plain, coloured = to_terminal([table]), to_terminal([table], color=True)
    assert "\x1b" not in plain
    assert "\x1b[1;31m-0.76*" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == plain
    assert "[red]x" in plain


def test_show_leaves_colour_to_the_console(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    file = io.StringIO()
    show([wide(2)], Console(file=file, width=70, force_terminal=True))
    assert not re.search(r"\x1b\[[\d;]*3\d", file.getvalue())
    assert max(map(len, re.sub(r"\x1b\[[\d;]*m", "", file.getvalue()).splitlines())) <= 70


@given(st.lists(st.text("abc_", min_size=0, max_size=40), max_size=12), st.integers(8, 30))
def test_abbreviated_names_stay_different(texts, width):
    shown = abbreviated(texts, width)
    assert all(len(one) <= width for one in shown)
    assert len(set(zip(texts, shown, strict=True))) == len(set(texts)) == len(set(shown))
    assert all(short == text for text, short in zip(texts, shown, strict=True) if len(text) <= width)


def test_abbreviated_keeps_start_and_end():
    assert abbreviated(["resnet50_trained_on_SIN", "short"], 12) == ["res…d_on_SIN", "short"]


def test_a_row_of_another_length_is_refused():
    table = Table(title="T", columns=("a", "b"), rows=((TableCell("x"),),))

    def to_page(tables):
        return to_html([Page(title="t", tables=tuple(tables))], "t")

    for write in (to_terminal, to_csv, to_markdown, to_page):
        with pytest.raises(PluginError, match="table 'T' has 2 columns and a row of 1 cells"):
            write([table])


def test_an_empty_table_has_its_headings():
    assert "nothing" in to_terminal([Table(title="Empty", columns=("model", "nothing"), rows=())])


# --- other formats ----------------------------------------------------------------------------


def test_csv_is_read_by_pandas_in_full_precision():
    rows = ((TableCell('a "#1", b'), number(1 / 3)), (TableCell("c"), TableCell("–", value="")))
    tables = [Table(title="First #1", columns=("name", "x"), rows=rows, note="# why"), wide(3)]
    first, second = (pd.read_csv(io.StringIO(block), comment="#") for block in to_csv(tables).split("\n\n"))
    assert first["name"].tolist() == ['a "#1", b', "c"]
    assert first["x"].tolist()[0] == 1 / 3
    assert first["x"].isna().tolist() == [False, True]
    assert second["model"].tolist() == list(NAMES)
    assert second.shape == (5, 4)


def test_markdown_aligns_and_escapes():
    table = Table(title="T", columns=("a|b", "n"), rows=((TableCell("x|<b>"), number(2.0, "2.00* ")),), note="* p < 1")
    assert to_markdown([table]).splitlines() == [
        "### T",
        "",
        r"| a\|b | n |",
        "|---|---:|",
        r"| x\|\<b> | 2.00* |",
        "",
        r"\* p \< 1",
    ]


def test_html_is_self_contained_and_escaped():
    evil = '<script src="https://example.org/x.js">&'
    table = Table(title=evil, columns=(evil, "n"), rows=((TableCell(evil), number(1.0, style="bold red")),), note=evil)
    page = to_html([Page(title=evil, tables=(table,))], evil)
    assert "<script src" not in page
    assert "src=" not in page.replace("src=&quot;", "").replace("src=&#34;", "")
    assert unescape(page).count(evil) == 9  # title and heading, contents, parts and the table, and what names them
    assert page == to_html([Page(title=evil, tables=(table,))], evil)
    assert '<td class="r bold red" data-value="1.0">1.00' in page


def test_json_is_strict():
    assert json.loads(to_json({"ρ": None, "x": 0.1})) == {"ρ": None, "x": 0.1}
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json({"x": float("nan")})


@pytest.mark.parametrize("format", FORMATS)
def test_render_knows_every_format(format):
    text = render(Two(), {}, format)
    assert text.endswith("\n")
    assert ("SIN" in text) == (format != "json")


def test_csv_and_html_have_what_a_report_gives_in_full():
    class More(Two):
        def full_tables(self, data):
            return [*self.tables(data), wide(3)]

    assert {form: render(More(), {}, form).count("Wide") for form in FORMATS if form != "json"} == {
        "terminal": 2, "csv": 3, "markdown": 2, "latex": 2, "html": 6
    }  # fmt: skip
    assert render(Two(), {}, "csv").count("Wide") == 2


def test_render_names_the_formats():
    with pytest.raises(UnknownNameError, match=r"unknown format 'cvs'; did you mean 'csv'.*--format terminal"):
        render(Two(), {}, "cvs")
