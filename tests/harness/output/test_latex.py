r"""Tables as LaTeX: the numbers of the terminal in columns that are aligned, and text that is nothing but text."""

import re
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import Table, TableCell
from harness.foreign import latex_text, one_line
from harness.output.formats import to_terminal
from harness.output.latex import to_latex
from tests.helpers.hostile_texts import TEXTS, inert_latex

SPELLED = {
    r"\textbackslash{}": "\\", r"\textasciicircum{}": "^", r"\textasciitilde{}": "~", r"\textless{}": "<",
    r"\textgreater{}": ">", r"\textbar{}": "|", r"\char34{}": '"', r"\`{}": "`", r"\{": "{", r"\}": "}", r"\$": "$",
    r"\&": "&", r"\%": "%", r"\#": "#", r"\_": "_", "{}": "", "{[}": "[", "{*}": "*",
}  # fmt: skip
_SPELLED = re.compile("|".join(re.escape(key) for key in sorted(SPELLED, key=len, reverse=True)))


def read(text):
    """What LaTeX prints of an ASCII text; ASSERTS that it acts upon none of it."""
    assert not re.search(r"[\\{}$&%#^~_]", _SPELLED.sub("", text)), text
    return _SPELLED.sub(lambda match: SPELLED[match.group()], text)


def number(text, value=1.0):
    return TableCell(text, value=value)


def table(*rows, columns=("model", "a", "b"), note="", title="A title"):
    return Table(title=title, columns=columns, rows=tuple(rows), note=note)


def body(text):
    """The cells of each row of a table, as they stand in the file."""
    rows = text.split(r"\midrule")[-1].split(r"\end{tabular}")[0].split(r"\end{longtable}")[0]
    return [line.removesuffix(r" \tabularnewline").split(" & ") for line in rows.splitlines() if "&" in line]


def shown(cell):
    """The number in a cell as a person reads it."""
    bare = re.sub(r"\\phantom\{[^}]*\}", "", cell)
    return (
        re.sub(r"\\rlap\{([^}]*)\}", r"\1", bare).replace("$-$", "-").replace("$+$", "+").replace(r"\textless{}", "<")
    )


# --- text -------------------------------------------------------------------------------------


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30))
def test_plain_text_is_printed_as_it_is(text):
    assert read(latex_text(text)) == text


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_hostile_latex_text(text):
    written = latex_text(text)
    inert_latex(written)
    if text.isascii():
        assert read(written) == one_line(text)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("ρ × Δ", r"$\rho$ $\times$ $\Delta$"),
        ("1 – 2", r"1 \textendash{} 2"),
        ("−1 ± 2", r"$-$1 $\pm$ 2"),
        ("é ñ ï Å", r"\'{e} \~{n} \"{\i} \r{A}"),
        ("中", r"\textbackslash{}u4e2d"),
        ("\udce9", r"\textbackslash{}xe9"),
        ("a -- b", "a -{}- b"),
        ("► a (ann) ○", r"$\triangleright$ a (ann) $\circ$"),
        ("[x]", "{[}x]"),
        ("* p < 0.05", r"{*} p \textless{} 0.05"),
    ],
)
def test_characters_beyond_ascii_are_commands_of_latex(text, written):
    assert latex_text(text) == written


# --- tables -----------------------------------------------------------------------------------


def test_a_table_has_caption_label_rules_and_notes():
    text = to_latex(
        [table((TableCell("m_1"), number("0.5"), number("2")), note="n = 3\n* p < 0.05")], "harness report: x"
    )
    head, _, rest = text.partition("\n\n")
    assert all(line.startswith("%") for line in head.splitlines()) and r"\usepackage{booktabs}" in head
    expected = [
        r"\begin{table}[htbp]", r"\caption{A title}", r"\label{tab:a-title}", r"\begin{tabular}{@{}lrr@{}}",
        r"\toprule", r"\multicolumn{1}{c}{a}", r"\midrule", r"m\_1 & 0.5 & 2 \tabularnewline", r"\bottomrule",
        r"\end{tabular}", r"n = 3\par", r"{*} p \textless{} 0.05\par", r"\end{table}",
    ]  # fmt: skip
    places = [rest.index(part) for part in expected]
    assert places == sorted(places)
    inert_latex(text)


NUMBERS = ("0.74*", "-0.1", "<0.001", "12.345**", "–", "7", "+2.5†", "1e-05", "")


def test_decimal_points_stand_below_each_other():
    cells = [
        row[1]
        for row in body(to_latex([table(*((TableCell("m"), number(of)) for of in NUMBERS), columns=("m", "a"))], ""))
    ]
    assert [shown(cell).replace(r"\textendash{}", "–").replace(r"$\dagger$", "†") for cell in cells] == [*NUMBERS]
    behind = []
    for cell in cells:
        if cell not in (r"\textendash{}", ""):
            wide = re.sub(r"\\rlap\{[^}]*\}", "", cell).replace(r"\phantom", "").replace("{", "").replace("}", "")
            wide = wide.replace("$-$", "-").replace("$+$", "+").replace(r"\textless", "<")
            behind.append(len(wide) - re.search(r"\d+", wide).end())
    assert len(set(behind)) == 1


WIDE = table(
    *((TableCell(f"network-{at}"), *(number(f"{at + of / 7:.2f}") for of in range(24))) for at in range(5)),
    columns=("model", *(f"measure-{at}" for at in range(24))),
)


@pytest.mark.parametrize("one", [WIDE, table((TableCell("a"), number("-0.30*"), number("1"))), table()])
def test_the_numbers_are_those_of_the_terminal(one):
    text = to_latex([one], "t")
    inert_latex(text)
    assert r"\begin{longtable}" not in text
    tabulars = re.findall(r"\\begin\{tabular\}.*?\\end\{tabular\}", text, re.DOTALL)
    rows = [row for tabular in tabulars for row in body(tabular)]
    written = sorted(shown(cell) for row in rows for cell in row[1:])
    assert written == sorted(cell.text for row in one.rows for cell in row[1:])
    of_terminal = re.findall(r"(?<= )-?\d+\.\d\d\*?(?= |$)", to_terminal([one], width=400), re.MULTILINE)
    assert sorted(of_terminal) == [cell for cell in written if "." in cell]
    assert {row[0] for row in rows} == {row[0].text for row in one.rows}


def test_long_tables_have_several_pages_and_long_texts_several_lines():
    rows = [(TableCell("name_" * 12), TableCell("some words " * 20), number(f"{at}.5")) for at in range(60)]
    text = to_latex([table(*rows)], "t")
    inert_latex(text)
    assert r"\usepackage{longtable}" in text.partition("\n\n")[0]
    assert re.search(r"\\begin\{longtable\}\{@\{\}p\{0\.\d\d\\linewidth\}p\{0\.\d\d\\linewidth\}r@\{\}\}", text)
    assert len(body(text)) == 60 and text.count(r"\caption") == 1 and text.count(r"\label") == 1
    assert r"name\_\allowbreak{}name" in text


def test_labels_are_unique_and_the_same_tables_give_the_same_text():
    tables = [table(), table(title="A TITLE"), table(title="ρ {x}")]
    text = to_latex(tables, "t")
    assert re.findall(r"\\label\{(.*?)\}", text) == ["tab:a-title", "tab:a-title-2", "tab:rho-x"]
    assert to_latex(tables, "t") == text


PLACES = ("title", "heading", "first", "cell", "note")


def strange(text, *places):
    given = {name: text if name in places else "plain" for name in PLACES}
    row = (TableCell(given["first"]), TableCell(given["cell"]), number("-1.5"))
    return table(row, row, columns=(given["heading"], "b", "n"), title=given["title"], note=given["note"])


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("place", PLACES)
def test_hostile_latex(text, place):
    written = to_latex([strange(text, place)], text)
    inert_latex(written)
    assert written.splitlines()[0].startswith("% ") and len(body(written)) == 2
    broken = (place == "heading" and len(text.split()) > 1) or (place == "note" and "\n" in text)
    assert written.replace(r"\allowbreak{}", "").count(latex_text(text)) >= (1 if broken else 2)


# --- set --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The text of a document with every hostile text in every place of a table, and the log of pdflatex."""
    program = shutil.which("pdflatex")
    if program is None:
        pytest.skip("pdflatex is not installed")
    folder = tmp_path_factory.mktemp("latex")
    (folder / "evil.tex").write_text("EXECUTED")
    tables = [strange(text, *PLACES) for text in TEXTS.values()]
    (folder / "tables.tex").write_text(to_latex([*tables, WIDE], r"\input{evil}"))
    classes = (
        r"\documentclass{article}\usepackage{booktabs,longtable}\extrafloats{500}\maxdeadcycles=9999\begin{document}"
    )
    (folder / "paper.tex").write_text(classes + r"\input{tables}\end{document}")
    command = [program, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "paper"]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=60, check=False)
    return folder, done.returncode, done.stdout.decode(errors="replace")


def test_hostile_tables_are_typeset(pages):
    folder, code, log = pages
    assert code == 0, log[-2000:]
    assert "evil.tex" not in log and not (folder / "executed").exists()
    assert {path.name for path in folder.iterdir()} == {
        "evil.tex", "tables.tex", "paper.tex", "paper.aux", "paper.log", "paper.pdf",
    }  # fmt: skip


def test_what_is_typeset_is_read_again(pages):
    program = shutil.which("pdftotext")
    if program is None:
        pytest.skip("pdftotext is not installed")
    done = subprocess.run([program, "-layout", "paper.pdf", "-"], cwd=pages[0], capture_output=True, check=True)
    text = done.stdout.decode()
    assert "EXECUTED" not in text
    for words in (r"\input{evil} $&%#", "cinput evil", r"\def\x{\x}\x", "<script>alert(1)</script>"):
        assert words in text, words
