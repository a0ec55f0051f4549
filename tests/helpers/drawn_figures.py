"""Small figures, and where their marks stand in a terminal."""

import re

from harness import Figure, Series
from harness.output.plain_drawing import ROWS


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
