"""Pages of a report for tests, and what an HTML parser finds in their file."""

import html.parser
import json
import re
from functools import lru_cache

from harness import Figure, HeatMap, Page, Series, Table, TableCell

GROUPS = ("plain", "robust", "stylized")
VOID = {"meta", "input", "img", "rect", "path", "link", "br"}


def scatter(name="scatter", labels=GROUPS, **more):
    """Three points in each group, with names."""
    series = tuple(
        Series(
            label=label,
            x=(at + 0.1, at + 0.5, at + 0.7),
            y=(1.0, at + 2.0, 3.0),
            names=tuple(f"{label}-{name}" for name in "abc"),
        )
        for at, label in enumerate(labels)
    )  # fmt: skip
    return Figure(**{"name": name, "title": name, "x_label": "bias", "y_label": "axis", "series": series, **more})


def heat(values=((1.0, -0.5), (None, 0.25)), name="heat", **more):
    rows, columns = tuple(f"row {at}" for at in range(len(values))), tuple(f"c{at}" for at in range(len(values[0])))
    maps = (HeatMap(title="map", rows=rows, columns=columns, values=values),)
    given = {"name": name, "title": name, "x_label": "across", "y_label": "down", "maps": maps, "map_label": "ρ"}
    return Figure(**{**given, **more})


def numbers(rows, title="Numbers"):
    """A table of `rows` names and numbers; every fifth is missing."""
    cells = tuple(
        (TableCell(f"model {at}"), TableCell(f"{at / 7:.2f}", value=at / 7) if at % 5 else TableCell("–", value=""))
        for at in range(rows)
    )
    return Table(title=title, columns=("model", "number"), rows=cells, note="a note\nof two lines")


class Element:
    """A tag with attributes, parent, children and the text in it."""

    def __init__(self, tag, attributes, parent):
        self.tag, self.attributes, self.parent, self.children, self.text = tag, dict(attributes), parent, [], ""

    def all(self, tag, **attributes):
        """Every element below with this tag and these attributes; ``class_`` and ``aria_label`` as in HTML."""
        given = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        inside = [each for child in self.children for each in (child, *child.all("*"))]
        return [each for each in inside if tag in ("*", each.tag) and each._has(given)]

    def _has(self, given):
        return all(value in (self.attributes.get(name) or "").split() for name, value in given.items())

    @property
    def content(self):
        return self.text + "".join(child.content for child in self.children)


CLOSES = {"tr": {"tr", "td", "th"}, "td": {"td", "th"}, "th": {"td", "th"}}
"""A tag -> the open ones that it ends, which HTML lets go without an end tag."""


class _Reader(html.parser.HTMLParser):
    """Builds `Element`."""

    def __init__(self):
        super().__init__()
        self.root = self.at = Element("root", {}, None)

    def handle_starttag(self, tag, attributes):
        while self.at.tag in CLOSES.get(tag, ()):
            self.at = self.at.parent
        element = Element(tag, attributes, self.at)
        self.at.children.append(element)
        self.at = self.at if tag in VOID else element

    def handle_startendtag(self, tag, attributes):
        self.at.children.append(Element(tag, attributes, self.at))

    def handle_endtag(self, tag):
        open_ = self.at
        while open_ and open_.tag != tag:
            assert open_.tag in ("tr", "td", "th"), f"<{open_.tag}> is not closed before </{tag}>"
            open_ = open_.parent
        assert open_, f"</{tag}> closes nothing"
        self.at = open_.parent

    def handle_data(self, text):
        self.at.text += text


@lru_cache(maxsize=16)
def read(file):
    """The root of the elements of an HTML file, whose tags must nest."""
    reader = _Reader()
    reader.feed(file)
    reader.close()
    assert reader.at is reader.root
    return reader.root


def data_of(file):
    """What the script of a file reads."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', file, re.DOTALL).group(1))


def page(*figures, tables=(), **more):
    return Page(**{"title": "Part", "figures": figures, "tables": tables, **more})
