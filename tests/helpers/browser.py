"""The system's Chromium, driven by Playwright, with a page of a file and all that it asked for and complained about."""

from contextlib import contextmanager
from importlib.util import find_spec

import pytest

from tools.chromium import ABSENT, FLAGS, program

WIDE, NARROW = 1440, 390


@pytest.fixture(scope="module")  # two drivers cannot run in one process at a time
def browser():
    """A browser without windows; skips where there is none."""
    if find_spec("playwright") is None:
        pytest.skip("Playwright is not installed: pip install --group test")
    if program() is None:
        pytest.skip(ABSENT)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=program(), args=FLAGS)
        yield running
        running.close()


@contextmanager
def opened(browser, file, *, width=WIDE, scheme="light", **more):
    """A page of the file at `file`. At the end it must have asked for nothing else, complained of nothing, and not be
    wider than its window."""
    context = browser.new_context(viewport={"width": width, "height": 1000}, color_scheme=scheme, **more)
    page = context.new_page()
    address, requests, complaints = file.as_uri(), [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
    try:
        page.goto(address)
        yield page
        assert {url.partition("#")[0] for url in requests} == {address}
        assert complaints == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    finally:
        context.close()


def see(page, selector):
    """Scroll to the first element of `selector`, so that what is drawn lazily is drawn."""
    place = page.locator(selector).first
    place.scroll_into_view_if_needed()
    return place


def drawn(page, figure):
    """Number of marks in each panel of a figure, once it is drawn."""
    see(page, f'figure[data-figure="{figure}"] .panel')
    page.wait_for_selector(f'figure[data-figure="{figure}"] .panel svg')
    return page.evaluate(
        """name => [...document.querySelectorAll(`figure[data-figure="${name}"] .panel`)].map(
             panel => panel.querySelectorAll("g.mark-symbol > path").length)""",
        figure,
    )


def violations(page):
    """What axe-core calls serious or critical: rule and the first place of each."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    grave = [one for one in found if one["impact"] in ("serious", "critical")]
    return [(one["id"], len(one["nodes"]), one["nodes"][0]["html"][:200]) for one in grave]
