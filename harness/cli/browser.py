"""``--open``: the page of a report in the system's browser."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from harness.errors import RequestError
from harness.output.files import write_file
from harness.output.streams import remark_line

Open = Annotated[
    bool, typer.Option("--open", help="Show the page in the browser; without -o it is a temporary file. Means html.")
]


def page_format(form: str, figure: str | None = None) -> str:
    """The format with ``--open``. Raises RequestError for another one that was asked for, and for a single figure."""
    if form not in ("terminal", "html"):
        raise RequestError(f"--open shows a page, and --format {form} makes none", remedy="--open --format html")
    if figure is not None:
        raise RequestError("--open shows the page of all figures, not one of them", remedy="--open, without --figure")
    return "html"


def open_page(page: str, output: Path | None) -> None:
    """Write `page` to `output`, or to a temporary file that is kept, and show it; stderr says where it is."""
    import webbrowser

    path = output or Path(tempfile.mkdtemp(prefix="harness-")) / "report.html"
    write_file(path, page)
    remark_line(f"page: {path}")
    if not webbrowser.open(path.resolve().as_uri()):
        remark_line(f"no browser was found: open {path} in one")
