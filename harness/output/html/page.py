"""The parts of a report -> one self-contained HTML file, which needs no network and runs no code but its own.

Names come from strangers. The template escapes every text; the script reads them as data (JSON without ``<``, ``>``,
``&`` and all that is not ASCII) and writes them as text. A policy in the file's head allows its own three scripts and
its own stylesheet by their digests, pictures inside the file, and nothing else: no address, no evaluation of text.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from itertools import chain, count
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from harness.foreign import visible
from harness.output.html.axes import CONFIG
from harness.output.html.charts import Names
from harness.output.html.figures import FigureView, figure_view, readable
from harness.output.html.looks import Group, Looks, looks_of
from harness.output.html.runtime import runtime
from harness.output.html.tables import FILTERED, SHOWN, table_html
from harness.records import Page, Picture, Table

if TYPE_CHECKING:
    from jinja2 import Template

ROOM = "harness.output.html"
_UNSAFE = re.compile("[<>&\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableView:
    """A table as the template shows it.

    Attributes:
        label: the name of its region, which no other region of the file has.
        most: rows that are shown at first, if there are more.
    """

    table: Table
    label: str
    html: Markup
    filtered: bool
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureView:
    """A picture as the template shows it."""

    address: str
    caption: str
    alternative: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PageView:
    """A part of the file as the template shows it; `families`: the groups of its figures, by `Group.family`."""

    id: str
    page: Page
    families: tuple[tuple[Group, ...], ...]
    figures: tuple[FigureView, ...]
    pictures: tuple[PictureView, ...]
    tables: tuple[TableView, ...]


def to_html(pages: Sequence[Page], title: str) -> str:
    """One self-contained file; the same pages give the same bytes.

    A figure that cannot be drawn says so in its place. Raises PluginError for a row of another length than its table.
    """
    views, names, looks = _views(pages)
    panels = [panel.spec for view in views for figure in view.figures for panel in figure.panels]
    data = {"names": names.all, "groups": list(looks.groups), "config": CONFIG, "panels": panels}
    style = asset("page.css")
    scripts = {
        "early": asset("early.js"),
        "vega": in_ascii(runtime()) if panels else "",
        "script": in_ascii(asset("charts.js") + asset("tables.js")),
    }
    return _template().render(
        title=title,
        views=views,
        counter=partial(next, iter(range(len(panels)))),
        first=next((at for at, view in enumerate(views) if view.figures), -1),
        policy=_policy(style, [text for text in scripts.values() if text]),
        data=Markup(json_for_script(data)),
        style=Markup(style),
        **{name: Markup(text) for name, text in scripts.items()},
    )


def _views(pages: Sequence[Page]) -> tuple[list[PageView], Names, Looks]:
    """Every part with its figures in the looks of the whole file, and the names of all points."""
    figures = [readable(figure) for page in pages for figure in page.figures]
    looks, names = looks_of(figures), Names()
    drawn = iter([figure_view(*pair, looks, names) for pair in zip(figures, looks.panels, strict=True)])
    ids = _ids(page.title for page in pages)
    labels = {page.title for page in pages}
    views = []
    for page, identity in zip(pages, ids, strict=True):
        own = tuple(next(drawn) for _ in page.figures)
        views.append(
            PageView(
                id=identity,
                page=page,
                families=tuple(_families(own)),
                figures=own,
                pictures=tuple(map(_picture, page.pictures)),
                tables=tuple(_table(table, labels) for table in page.tables),
            )
        )
    return views, names, looks


def _families(figures: Sequence[FigureView]) -> Iterator[tuple[Group, ...]]:
    groups = dict.fromkeys(group for figure in figures for group in figure.groups)
    for family in dict.fromkeys(group.family for group in groups):
        yield tuple(sorted((group for group in groups if group.family == family), key=lambda group: group.number))


def _table(table: Table, labels: set[str]) -> TableView:
    """`table` with a label that is not among `labels`, to which it is added."""
    title = table.title or "Table"
    others = (f"{title} (table{f' {at}' if at > 1 else ''})" for at in count(1))
    label = next(label for label in chain([title], others) if label not in labels)
    labels.add(label)
    rows = len(table.rows)
    return TableView(
        table=table,
        label=label,
        html=table_html(table),
        filtered=rows > FILTERED,
        most=SHOWN if rows > SHOWN else 0,
    )


def _picture(picture: Picture) -> PictureView:
    address = f"data:image/png;base64,{base64.b64encode(picture.png).decode()}"
    return PictureView(address=address, caption=picture.caption, alternative=picture.alternative or picture.caption)


def _ids(titles: Iterator[str]) -> Iterator[str]:
    """A name for the address of each part: its letters and digits, numbered where two are equal."""
    before = dict[str, int]()
    for title in titles:
        plain = "-".join(re.findall(r"[a-z0-9]+", title.lower()))[:60] or "part"
        before[plain] = before.get(plain, 0) + 1
        yield f"part-{plain}" + (f"--{before[plain]}" if before[plain] > 1 else "")


def json_for_script(data: Any) -> str:
    """JSON in ASCII that ends no script and keeps lone halves of characters; raises ValueError for NaN."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return _UNSAFE.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def _policy(style: str, scripts: Sequence[str]) -> str:
    """The content security policy of the file."""
    sources = " ".join(map(_source, scripts))
    own = f"img-src data:; style-src {_source(style)}; script-src {sources}"
    return f"default-src 'none'; {own}; base-uri 'none'; form-action 'none'"


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def asset(name: str) -> str:
    """A file of this room."""
    return (files(ROOM) / name).read_text(encoding="utf-8")


def in_ascii(script: str) -> str:
    """A script without characters that an encoding may lack: its digest is in the policy, so nobody may rewrite it."""
    return re.sub(r"[^\x00-\x7f]", lambda match: json.dumps(match.group())[1:-1], script)


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
                              keep_trailing_newline=True, finalize=_shown)  # fmt: skip
    return environment.from_string(asset("page.html.jinja"))


def _shown(value: Any) -> Any:
    """Every text of the template: what is no markup is made visible before it is escaped."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
