"""Fixtures that all tests share."""

import re

import hypothesis
import pytest

from tests.helpers.places import REAL as SHARED_REAL
from tests.helpers.trees import new_folder, write_tree

pytest_plugins = (
    "tests.helpers.command",
    "tests.helpers.read_once",
    "tests.helpers.small_checkpoints",
    "tests.helpers.stored_runs",
)

hypothesis.settings.register_profile("harness", deadline=None)  # a busy machine fails no test of numbers
hypothesis.settings.load_profile("harness")

LONGEST = ("system/test_docs", "system/test_ground_truth", "system/test_paper_suite", "system", "zoo/test_training")
"""Files that take longest come first, so that no process is left alone with one of them at the end."""


def pytest_collection_modifyitems(items):
    """The files of `LONGEST` in their order, then the others as they were."""
    items.sort(key=lambda item: next((n for n, part in enumerate(LONGEST) if part in item.nodeid), len(LONGEST)))


@pytest.fixture(scope="session", autouse=True)
def environment_of_wide_fixtures(tmp_path_factory):
    """`own_environment` for fixtures of a whole module, which are set up before any of a function's."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.delenv("HARNESS_DATA", raising=False)
        monkeypatch.setenv("HARNESS_CACHE", str(tmp_path_factory.mktemp("cache-of-wide-fixtures")))
        yield


@pytest.fixture(autouse=True)
def own_environment(monkeypatch, tmp_path_factory):
    """No test reads the user's data folder, or reads or writes the user's cache."""
    monkeypatch.delenv("HARNESS_DATA", raising=False)
    monkeypatch.setenv("HARNESS_CACHE", str(new_folder(tmp_path_factory.getbasetemp(), "cache")))


@pytest.fixture
def tmp_path(request, tmp_path_factory):
    """An empty folder of the test's own, as pytest's, which takes longer the more tests there are."""
    return new_folder(tmp_path_factory.getbasetemp(), re.sub(r"\W", "_", request.node.name)[:30])


@pytest.fixture(scope="session")
def real():
    """Folder of real photographs and published results, which lies beside a development tree only."""
    folder = SHARED_REAL
    if not folder.is_dir():
        pytest.skip(f"real test material is not here: {folder}")
    return folder


@pytest.fixture
def tiny_tree(tmp_path):
    """Makes a ``<wnid>/`` tree of random JPEGs: `tiny_tree(classes=3, images=2, size=(80, 64))` returns its folder."""

    def make(classes=3, images=2, size=(80, 64), folder=tmp_path / "val"):
        return write_tree(folder, classes, images, size)

    return make
