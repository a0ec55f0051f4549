"""``--open``: where the page lies, what the browser is given, what makes no page."""

import webbrowser
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest

from tests.helpers.command import refused, run


@pytest.fixture
def opened(monkeypatch):
    """The addresses that a browser was given; it is there unless `found` is False."""
    addresses = []
    monkeypatch.setattr(webbrowser, "open", lambda address: addresses.append(address) or "no" not in address)
    return addresses


def test_a_report_and_a_comparison_are_shown(harness, data, opened, tmp_path, monkeypatch):
    run(harness)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    code, out, err = harness("report", "run", "--open")
    path = Path(unquote(urlparse(opened[0]).path))
    assert (code, out) == (0, "") and f"page: {path}" in err and path.is_relative_to(tmp_path)
    assert path.read_text("utf-8").startswith("<!DOCTYPE html>")
    code, out, err = harness("compare", "run", "--against", "run", "--open", "-o", "no browser.html")
    assert (code, out) == (0, "") and "no browser was found: open no browser.html in one" in err
    assert opened[1] == Path("no browser.html").resolve().as_uri()
    assert path.read_bytes() == harness("report", "run", "--format", "html")[1].encode()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--format", "csv"), ("--format csv makes none", "--open --format html")),
        (("--figure", "f"), ("the page of all figures", "without --figure")),
    ],
    ids=["csv", "figure"],
)
def test_what_is_no_page_is_not_opened(harness, opened, options, words):
    refused(harness("report", "none", "--open", *options), *words)
    assert opened == []
