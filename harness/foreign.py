"""Text from outside where it leaves the process: one function for each format, none of which loses a character.

Names of models, groups, conditions, files and checkpoint keys come from strangers. They are stored as they are; what a
terminal, a spreadsheet, a Markdown viewer or a browser would act upon is written visibly, at the exit only.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from json.encoder import encode_basestring as json_string
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from harness.errors import HarnessError

if TYPE_CHECKING:
    import pandas as pd

_UNSEEN: Final = (
    "\x00-\x09\x0b-\x1f\x7f-\x9f"  # C0 without the newline, DEL, C1
    "\xad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb"
    "\U000e0000-\U000e0fff"  # without width: direction, joiners, tags, selectors
    "\ud800-\udfff"
)
_CONTROLS: Final = re.compile(f"[{_UNSEEN}]")
_CONTROLS_AND_NEWLINE: Final = re.compile(f"[\n{_UNSEEN}]")
_SHORT: Final = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_FORMULA: Final = re.compile("\\s*[=+\\-@\uff1d\uff0b\uff0d\uff20\t\r\n]")
_FORMULA_AFTER_COMMA: Final = re.compile("([,;])(?=[\\s\"']*[=+\\-@\uff1d\uff0b\uff0d\uff20])")
_MARKUP: Final = re.compile(
    r"[\\|<`\[\]&]"  # escapes, cells, tags, code, links, images, entities
    r"|\*(?=\**[^\s*|])|(?<!\w)_(?=_*\S)|~(?=~*\S)"  # emphasis that opens; a star after a number is none
    r"|(?<=[A-Za-z]):(?=//)|(?<=[wW])\.|@(?=[\w-]*\.)"  # bare addresses
)
_BLOCK: Final = re.compile(r"^([*#>+=-]+(?=\s|$)|\d+(?=[.)]\s))")
_SPELLED: Final = {
    word[0]: word[1:]
    for word in (
        "–- —- −- ‐- ‑- ‘' ’' “\" ”\" …... ×x ÷/ ·. •* →-> ←<- ↑^ ↓v ±+/- ≤<= ≥>= ≠!= ≈~ ∞inf †+ ‡++ ²^2 ³^3 "
        "ρrho τtau εeps σsigma μmu αalpha βbeta γgamma δdelta ΔDelta λlambda "
        "─- ━- │| ┃| ├+ ┤+ ┬+ ┴+ ┼+ └+ ┘+ ┌+ ┐+ ╰+ ╯+ ╭+ ╮+ ⌈[ ⌉] ⌊[ ⌋] ►> ○o █# ▏# ▎# ▍# ▌# ▋# ▊# ▉#"
    ).split()
}

_LATEX: Final = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\char34{}", "`": r"\`{}", "–": r"\textendash{}", "—": r"\textemdash{}",
    "‘": r"\textquoteleft{}", "’": r"\textquoteright{}", "“": r"\textquotedblleft{}", "”": r"\textquotedblright{}",
    "…": r"\ldots{}", "†": r"$\dagger$", "‡": r"$\ddagger$", "§": r"$\mathsection$", "¶": r"$\mathparagraph$",
    "©": "(c)", "ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}", "œ": r"\oe{}", "Œ": r"\OE{}", "ø": r"\o{}", "Ø": r"\O{}",
    "ł": r"\l{}", "Ł": r"\L{}", "ı": r"\i{}",
    "‐": "-", "‑": "-", "\xa0": "~", "\u2009": r"\,", "\u202f": r"\,", "−": "$-$", "°": r"$^\circ$", "○": r"$\circ$",
    "¹": "$^1$", "²": "$^2$", "³": "$^3$", "€": "EUR", "£": r"$\mathsterling$",
    **{
        word[0]: f"$\\{word[1:]}$"
        for word in (
            "×times ÷div ·cdot ±pm ≤leq ≥geq ≠neq ≈approx ≡equiv ∝propto ∞infty √surd ∑sum ∏prod ∫int ∂partial ∇nabla "
            "∈in ∉notin ⊂subset ⊆subseteq ∪cup ∩cap ∅emptyset ∀forall ∃exists ∧wedge ∨vee ¬neg ∘circ •bullet ⋆star "
            "→rightarrow ←leftarrow ↔leftrightarrow ↑uparrow ↓downarrow ⇒Rightarrow ►triangleright ⌈lceil ⌉rceil "
            "⌊lfloor ⌋rfloor αalpha βbeta γgamma δdelta εvarepsilon ζzeta ηeta θtheta ιiota κkappa λlambda μmu µmu νnu "
            "ξxi πpi ρrho σsigma ςvarsigma τtau υupsilon φvarphi χchi ψpsi ωomega ΓGamma ΔDelta ΘTheta ΛLambda ΞXi ΠPi "
            "ΣSigma ΥUpsilon ΦPhi ΨPsi ΩOmega"
        ).split()
    },
}  # fmt: skip
"""Characters that TeX acts upon or does not have, for LaTeX without packages, in any encoding of its fonts."""
_MARKS: Final = "\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0323\u0327\u0331"
_ACCENTS: Final = dict(zip(_MARKS, "`'^~=u.\"rHvdcb", strict=True))
"""Combining marks, and the commands of LaTeX that set them."""
_LIGATURE: Final = re.compile("(?<=-)-|(?<=')'|(?<=,),")
_OPTION: Final = re.compile(r"^(\s*)([\[*])")
"""What a new row of a table would take as its own, at the start of a cell."""


class OutputError(HarnessError):
    """The result cannot be written to stdout."""


def visible(text: str) -> str:
    r"""`text` for a terminal: control characters, ends of lines but ``\n``, and marks without width as ``\x1b``.

    A byte of a name that is no UTF-8 is shown as that byte. Twice is the same as once.
    """
    return text if text.isprintable() else _CONTROLS.sub(_code, text)


def one_line(text: object) -> str:
    r"""`text` on one line of a terminal: as `visible`, with ``\n`` written out too."""
    words = str(text)
    return words if words.isprintable() else _CONTROLS_AND_NEWLINE.sub(_code, words)


def _code(match: re.Match[str]) -> str:
    character = match.group()
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:  # a byte that the file system's encoding does not have
        return f"\\x{number - 0xDC00:02x}"
    if number < 0x100:
        return _SHORT.get(character, f"\\x{number:02x}")
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def csv_text(text: str) -> str:
    """A cell of text that no spreadsheet takes for a formula: an apostrophe before ``= + - @``; numbers stay numbers.

    Source: OWASP, "CSV Injection". Control characters are visible, newlines too.
    """
    shown = one_line(text)
    return f"'{shown}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else shown


def csv_remark(text: str) -> str:
    """A line that starts with ``#``, in which no formula follows a comma or semicolon."""
    return _FORMULA_AFTER_COMMA.sub(r"\1'", one_line(text))


def markdown_text(text: str) -> str:
    """`text` on one line, without live markup: links, images, tags, code, cells, headings and bare addresses."""
    return _BLOCK.sub(lambda match: _escaped_start(match.group()), _MARKUP.sub(r"\\\g<0>", one_line(text)))


def _escaped_start(start: str) -> str:
    """``1`` stands before its full stop, so the stop is escaped by a reference; anything else by a backslash."""
    return f"&#{ord(start[0])};{start[1:]}" if start[0].isdigit() else f"\\{start}"


def latex_text(text: object) -> str:
    r"""`text` on one line, as text that LaTeX prints with its own fonts and without packages; in ASCII.

    What TeX acts upon is a character; two characters are no ligature; one that TeX does not have is its code
    (``\u4e2d``), and so are control characters.
    """
    shown = "".join(_LATEX.get(character) or _in_latex(character) for character in one_line(text))
    return _OPTION.sub(r"\1{\2}", _LIGATURE.sub(r"{}\g<0>", shown))


def _in_latex(character: str) -> str:
    """A character with its accent, or as it is `spelled`."""
    if character.isascii():
        return character
    parts = unicodedata.normalize("NFD", character)
    letter, mark = parts[0], parts[1:]
    if mark in _ACCENTS and letter.isascii() and letter.isalpha():
        return f"\\{_ACCENTS[mark]}{{{f'{chr(92)}{letter}' if letter in 'ij' else letter}}}"
    return "".join(_LATEX.get(part, part) for part in spelled(character))


def html_text(text: str) -> str:
    """`text` as content or attribute of a page."""
    import html

    return html.escape(visible(text))


def json_text(value: Any) -> str:
    r"""`value` as one JSON document; what a terminal would act upon is ``\u001b``, which JSON reads as the same text.

    Raises ValueError for NaN and infinity, which JSON does not have: use None with a reason.
    """
    return _CONTROLS.sub(_json_code, _indented(value, "\n") + "\n")


_ONE_LINE: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
_PLAIN: Final[Mapping[type, Callable[[Any], str]]] = {
    str: json_string, int: int.__repr__, float: float.__repr__, type(None): lambda _: "null",
}  # fmt: skip
"""Type -> how `json` writes it; other types, and numbers that JSON does not have, are left to it."""


def _indented(value: Any, margin: str) -> str:
    """``json.dumps(value, indent=2)``, which takes several times as long; `margin`: a line end and what follows it."""
    inner = f"{margin}  "
    if isinstance(value, dict) and value:
        lines = [f"{_key(key)}: {_indented(item, inner)}" for key, item in value.items()]
        return f"{{{inner}{f',{inner}'.join(lines)}{margin}}}"
    if isinstance(value, list | tuple) and value:
        return f"[{inner}{f',{inner}'.join(_indented(item, inner) for item in value)}{margin}]"
    write = _PLAIN.get(type(value), _ONE_LINE)
    return write(value) if write is not float.__repr__ or isfinite(value) else _ONE_LINE(value)


def _key(key: Any) -> str:
    """A name in an object; numbers, None and truth values are written as texts."""
    return json_string(key) if type(key) is str else _ONE_LINE({key: 0})[1:-4]


def json_bytes(text: str) -> bytes:
    r"""JSON in UTF-8; the bytes of a file name that are none are ``\udc80``, which JSON reads as the same text."""
    return re.sub("[\ud800-\udfff]", _json_code, text).encode()


def utf8_text(text: str) -> str:
    r"""`text` for files that hold UTF-8 alone, such as Parquet: a byte that is none is shown as ``\xe9``."""
    return re.sub("[\ud800-\udfff]", _code, text)


def data_frame(data: Any, columns: list[str] | None = None) -> pd.DataFrame:
    """``pandas.DataFrame(data, columns=columns)``, whatever texts are in it, and in the names of its columns.

    With pyarrow, pandas keeps text as UTF-8, which not every file name is; such a table keeps its text as Python's.
    """
    import pandas as pd

    try:
        return pd.DataFrame(data, columns=columns)
    except UnicodeEncodeError:
        with pd.option_context("mode.string_storage", "python"):
            return pd.DataFrame(data, columns=columns)


def in_ascii(text: str, form: str) -> str:
    """JSON and HTML in ASCII, without loss, for streams of another encoding than UTF-8; other formats unchanged."""
    if form == "json":
        return re.sub(r"[^\x00-\x7f]", _json_code, text)
    return text.encode("ascii", "xmlcharrefreplace").decode() if form == "html" else text


def _json_code(match: re.Match[str]) -> str:
    return json.dumps(match.group()).strip('"') if match.group() != "\x7f" else r"\u007f"


def drawn(text: str) -> str:
    """`text` in a picture: visible, and no formula of matplotlib's between dollar signs."""
    return visible(text).replace("$", r"\$")


def spelled(character: str) -> str:
    r"""A character in ASCII: ``rho`` for ρ, ``x`` for ×, ``-`` for a line, else its code (``\u4e2d``)."""
    return _SPELLED.get(character, character.encode("ascii", "backslashreplace").decode())
