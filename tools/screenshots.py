"""``python -m tools.screenshots RUN… docs/images``: the page of a report, wide and narrow, light and dark."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from tools.chromium import ABSENT, FLAGS, program

if TYPE_CHECKING:
    from playwright.sync_api import Browser

WIDTHS = {"wide": (1440, 1100), "narrow": (390, 844)}
"""Name -> pixels of the window, across and down."""
PARTS = ("summary", "prediction", "scatter-plots")
"""Parts of the page, by the name in their address."""


def draw(page: Path, folder: Path) -> Iterator[Path]:
    """Take a screenshot of each of `PARTS` at each width in each theme, and name each file when it is there.

    Raises SystemExit where no browser is installed.
    """
    from playwright.sync_api import sync_playwright

    if program() is None:
        sys.exit(ABSENT)
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program(), args=FLAGS)
        for part, width, theme in product(PARTS, WIDTHS, ("light", "dark")):
            if (shot := _shot(browser, page, part, width, theme)) is not None:
                file = folder / f"report-{part}-{width}-{theme}.png"
                file.write_bytes(shot)
                yield file
        browser.close()


def _shot(browser: Browser, page: Path, part: str, width: str, theme: str) -> bytes | None:
    """PNG of what is on the screen after a click on a part in the list of contents; None without the part."""
    across, down = WIDTHS[width]
    context = browser.new_context(
        viewport={"width": across, "height": down},
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
    )
    shown = context.new_page()
    shown.goto(f"{page.as_uri()}#part-{part}")
    if not shown.locator(f"#part-{part}").count():
        return None
    shown.wait_for_timeout(1500)  # charts are drawn as they come into view
    shot = shown.screenshot()
    context.close()
    return _small(shot)


def _small(png: bytes) -> bytes:
    """The same picture in 256 colours: a third of the bytes."""
    from PIL import Image

    small = BytesIO()
    Image.open(BytesIO(png)).convert("RGB").quantize(256).save(small, "png", optimize=True)
    return small.getvalue()


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the page of the runs and draw it."""
    parser = argparse.ArgumentParser(prog="python -m tools.screenshots", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("folder", type=Path)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        page = Path(scratch) / "report.html"
        page.write_text(_page(given.runs), encoding="utf-8")
        for file in draw(page, given.folder):
            sys.stdout.write(f"{file}: {file.stat().st_size / 1000:.0f} kB\n")


def _page(runs: Sequence[Path]) -> str:
    from harness.discovery.loader import load_plugins
    from harness.output.formats import render
    from harness.workflows.run_folders import RunFolders
    from harness.workflows.study import opened

    plugins = load_plugins(())
    report = plugins.report("correlation")
    return render(report, report.data(opened(RunFolders(paths=tuple(runs)), plugins)), "html")


if __name__ == "__main__":
    main()
