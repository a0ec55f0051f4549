"""Texts that terminals, spreadsheets, viewers and browsers act upon, and what each format must make of them."""

import base64
import csv
import hashlib
import html.parser
import io
import itertools
import re
import unicodedata
from functools import lru_cache

TEXTS = {
    "colour": "a\x1b[31mred",
    "clear-screen": "\x1b[2J\x1b[H",
    "window-title": "\x1b]0;owned\x07",
    "hyperlink": "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "c1-csi": "a\x9b31m",
    "c1-osc": "a\x9d0;owned\x9c",
    "backspaces": "good\b\b\b\bevil",
    "carriage-return": "error: x\rall is well",
    "newline": "x\n0 problems: sound",
    "other-newlines": "a\x0bb\x0cc\x85d\u2028e\u2029f",
    "tab": "a\tb",
    "nul": "a\0b",
    "delete": "a\x7fb",
    "bidi-override": "a\u202etxt.exe",
    "bidi-isolate": "a\u2066b\u2069",
    "zero-width": "res\u200bnet\ufeff50",
    "tag-characters": "a\U000e0041\U000e0042",
    "lone-surrogate": "a\udce9b",
    "high-surrogate": "a\ud800b",
    "rich-markup": "[bold red]x[/] [link=http://evil.example]y[/link]",
    "rich-unclosed": "[/]",
    "formula": '=HYPERLINK("http://evil.example","x")',
    "formula-plus": "+1+cmd|' /C calc'!A0",
    "formula-minus": "-1+1",
    "formula-at": "@SUM(A1)",
    "formula-tab": "\t=1+1",
    "formula-return": "\r=1+1",
    "formula-wide": "\uff1d1+1",
    "formula-after-comma": 'x,=1+1,"=2+2";@x',
    "markdown-link": "[x](http://evil.example)",
    "markdown-image": "![x](http://evil.example/p.png)",
    "markdown-code": "`x` ``` ~~~",
    "markdown-cell": "a|b\n| c",
    "markdown-heading": "# x",
    "markdown-autolink": "<http://evil.example>",
    "bare-link": "http://evil.example www.evil.example me@evil.example",
    "reference": "[x]: http://evil.example",
    "entity": "&lt;script&gt;",
    "script": "<script>alert(1)</script>",
    "attribute": "\" onmouseover=\"alert(1)",
    "javascript": "javascript:alert(1)",
    "comment-end": "--></style></title><img src=x onerror=alert(1)>",
    "math": r"$\frac{$",
    "math-pair": r"$\undefined{x}$",
    "cdata": "]]><script/>",
    "emoji-code": ":skull:",
    "tex-input": r"\input{evil} $&%#_^~",
    "tex-write": r"}\end{document}\immediate\write18{touch executed}",
    "tex-carets": "^^5cinput evil ^^M",
    "tex-rows": r"[1cm] * \\[1cm] & \tabularnewline*",
    "tex-loop": r"\def\x{\x}\x",
    "tex-comment": "% \\",
    "tex-ligatures": "--- `` '' ,, << >> ?` !` \"a",
    "letters": "ρ – × − † é ñ ï Ł 中 😀 ̈",
}  # fmt: skip

FEW = (
    "colour", "window-title", "hyperlink", "c1-csi", "backspaces", "carriage-return", "newline", "other-newlines",
    "delete", "bidi-override", "zero-width", "tag-characters", "rich-markup", "rich-unclosed", "formula",
    "formula-plus", "formula-minus", "formula-at", "formula-tab", "formula-return", "formula-after-comma",
    "markdown-link", "markdown-code", "markdown-cell", "reference", "script", "attribute", "comment-end",
    "tex-input",
)  # fmt: skip
"""One of each kind, for tests of the whole way; no zero characters and halves of pairs, which no run folder holds."""
CELL_OF_A_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_OURS = re.compile(r"\x1b\[(\?25[lh]|2K|1A|[\d;]*m)|\r(?=\x1b\[)|\r$")
"""Colours, and what draws a bar."""


def marked(word):
    """`FEW` of `TEXTS`, each ending in `word`, by which it is found again."""
    return [f"{TEXTS[name]} {word}" for name in FEW]


def inert(text, newlines=True):
    """No character that moves a cursor, starts a sequence, turns the direction or has no width."""
    for character in set(text):
        kind = unicodedata.category(character)
        if kind in ("Cc", "Cf", "Cs", "Zl", "Zp"):
            assert newlines and character == "\n", ascii(character)


def inert_terminal(text):
    """As `inert`, but for what the harness itself draws on a terminal."""
    assert TEXTS["colour"] not in text
    inert(_OURS.sub("", text))


def inert_csv(text):
    """No cell, and no part of a remark after a comma, that a spreadsheet takes for a formula; `inert` too."""
    inert(text)
    for cell in (cell for row in csv.reader(io.StringIO(text)) for cell in row):
        plain = cell.lstrip("\"' ")
        number = re.fullmatch(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?", cell)
        assert number or not plain.startswith(CELL_OF_A_FORMULA) or cell.startswith("'"), cell


def inert_markdown(text):
    """No link, image, tag, code, entity or address that lives, and rows of one table of one length; `inert` too."""
    inert(text)
    bare = re.sub(r"\\[!-/:-@\[-`{-~]", "", text)  # CommonMark: an escaped mark is text
    assert not re.search(r"\]\(|<[a-zA-Z/!]|`|&\w+;|https?://|www\.|\w@\w+\.\w|^~~~|\]:", bare, re.MULTILINE)
    for block in re.findall(r"(?:^\|.*\n)+", bare, re.MULTILINE):
        assert len({line.count("|") for line in block.splitlines()}) == 1, block


class Tags(html.parser.HTMLParser):
    """Collects the tags of a page, with attributes, and its text."""

    def __init__(self):
        super().__init__()
        self.tags, self.text = [], ""

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, sorted(attributes)))

    def handle_data(self, text):
        self.text += text


@lru_cache(maxsize=8)
def parsed(page):
    """The `Tags` of a page."""
    tags = Tags()
    tags.feed(page)
    return tags


_SHOWN = set(
    "html head meta title style body header nav main section h1 h2 a p b br span div ol ul li noscript label output "
    "table caption thead tbody tr th td figure figcaption details summary button input svg path rect script img".split()
)
_ATTRIBUTES = set(
    "lang charset class name content http-equiv id href role title type scope tabindex hidden viewbox d fill x width "
    "height preserveaspectratio autocomplete spellcheck src alt".split()
)


def inert_html(text):
    """Tags that show text, attributes that do nothing, links within the page, and scripts that its policy allows.

    `inert` too, but for the program that draws charts.
    """
    inert(re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL))
    tags = parsed(text)
    for tag, attributes in tags.tags:
        assert tag in _SHOWN, tag
        for name, value in attributes:
            assert name in _ATTRIBUTES or name.startswith(("aria-", "data-")), name
            assert name != "href" or value.startswith("#"), value
            assert name != "src" or value.startswith("data:image/png;base64,"), value
    policy = [dict(of)["content"] for tag, of in tags.tags if tag == "meta" and "http-equiv" in dict(of)]
    for script in re.findall(r"<script>(.*?)</script>", text, re.DOTALL):
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in re.search(r"script-src ([^;]*)", *policy).group(1)


def shape(page):
    """The tags of a page and their attributes, without what a reader sees of them or follows."""
    told = {"aria-label", "aria-labelledby", "href", "id", "data-group", "data-value", "title", "alt", "data-figure"}
    return [(tag, [(name, None if name in told else value) for name, value in of]) for tag, of in parsed(page).tags]


LATEX_COMMANDS = set(
    "textbackslash textasciicircum textasciitilde textless textgreater textbar textendash textemdash "
    "textquoteleft textquoteright textquotedblleft textquotedblright ldots dagger ddagger mathsection "
    "mathparagraph mathsterling char surd circ begin end centering caption label small footnotesize scriptsize "
    "smallskip medskip setlength tabcolsep par linewidth LTcapwidth toprule midrule bottomrule tabularnewline "
    "multicolumn phantom rlap raggedright noindent allowbreak begingroup endgroup endfirsthead endhead endfoot "
    "times leq geq neq pm approx div cdot infty alpha beta gamma delta varepsilon theta kappa lambda mu pi rho "
    "sigma tau chi omega Delta Lambda Pi Sigma Omega rightarrow leftarrow triangleright sum H v b c d i r u AE ae "
    "o O l L ss".split()
)
"""Those that our tables have; none of them reads, writes or defines anything."""


def inert_latex(text):
    """No command but `LATEX_COMMANDS`, braces and environments in pairs, nothing live between them; `inert` too."""
    inert(text)
    assert text.isascii()
    body = "\n".join(line.removesuffix("%") for line in text.splitlines() if not line.startswith("%"))
    commands, marks = set(re.findall(r"\\([a-zA-Z]+)", body)), set(re.findall(r"\\([^a-zA-Z])", body))
    assert commands <= LATEX_COMMANDS and marks <= set("{}$&%#_`'^~=.\","), (commands - LATEX_COMMANDS, marks)
    assert not re.search(r"\\tabularnewline\s*[\[*]", body)
    bare = re.sub(r"\\[^a-zA-Z]", "", body)
    depths = list(itertools.accumulate({"{": 1, "}": -1}.get(character, 0) for character in bare))
    assert min(depths, default=0) >= 0 and (not depths or depths[-1] == 0)
    assert not re.search(r"[%#$^_]", re.sub(r"\$([-+]|\^[123]|\^?\\[A-Za-z]+)\$", "", bare)), bare
    stack = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", body):
        assert kind == "begin" or stack.pop() == name
        stack += [name] if kind == "begin" else []
    assert not stack


INERT = {
    "latex": inert_latex,
    "terminal": inert_terminal,
    "csv": inert_csv,
    "markdown": inert_markdown,
    "html": inert_html,
    "json": inert,
}
"""Format -> what raises AssertionError if a text in it does something."""
