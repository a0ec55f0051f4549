"""Folders of several files: names that are safe everywhere, and all of the files or none."""

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import RequestError
from harness.output.folders import LONGEST, file_names, is_folder, write_folder
from tests.helpers.hostile_texts import TEXTS

SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*\.csv")
FILES = {"a.csv": "new a", "b.csv": b"new b"}


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("scatter-shape-bias-Adversarial", "scatter-shape-bias-Adversarial"),
        ("Spearman's ρ among biases, all models", "Spearmans-rho-among-biases-all-models"),
        ("Models: biases (34)", "Models-biases"),
        ("Measures (1,024)", "Measures"),
        ("Top (best of 3)", "Top-best-of-3"),
        ("../../etc/passwd", "etc-passwd"),
        ("..", "untitled"),
        ("nul.txt", "nul.txt-"),
        ("é中", "xe9-u4e2d"),
    ],
)
def test_titles_become_names(title, name):
    assert file_names([title], ".csv") == [f"{name}.csv"]


def test_no_two_names_are_equal_in_any_case():
    assert file_names(["a", "A", "a-2", "a (3)", "?", "!"]) == ["a", "A-2", "a-2-2", "a-3", "untitled", "untitled-2"]


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.text(max_size=100), max_size=6))
def test_hostile_titles_of_any_kind_become_safe_names(titles):
    names = file_names(titles, ".csv")
    assert len({name.casefold() for name in names}) == len(titles)
    assert all(SAFE.fullmatch(name) and len(name) <= LONGEST + 8 for name in names)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_hostile_title_of_a_file(text, tmp_path):
    (name,) = file_names([f"{text}/../x"], ".csv")
    write_folder(tmp_path / "out", {name: "x"})
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name] and SAFE.fullmatch(name)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_folder_is_what_ends_in_a_slash_or_is_there(tmp_path):
    assert is_folder("tables/") and is_folder(str(tmp_path)) and not is_folder("tables") and not is_folder("a.csv")


def test_files_are_replaced_and_others_stay(tmp_path):
    out = tmp_path / "out"
    write_folder(out, FILES)
    assert contents(out) == {"a.csv": "new a", "b.csv": "new b"}
    (out / "a.csv").write_text("old")
    (out / "notes.txt").write_text("mine")
    write_folder(out, FILES)
    assert contents(out) == {"a.csv": "new a", "b.csv": "new b", "notes.txt": "mine"}


def test_files_of_another_report_are_not_mixed_with_these(tmp_path):
    (tmp_path / "old.csv").write_text("old")
    with pytest.raises(RequestError, match=r"has \.csv files that are not among the 2 to be written: old\.csv"):
        write_folder(tmp_path, FILES)
    assert contents(tmp_path) == {"old.csv": "old"}


@pytest.mark.parametrize("place", ["absent/out", "file/out", "nul\0/out"])
def test_a_folder_that_cannot_be_made_is_refused(tmp_path, place):
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="cannot write"):
        write_folder(tmp_path / place, FILES)
    assert contents(tmp_path) == {"file": ""}


@pytest.mark.parametrize("at", range(6))
@pytest.mark.parametrize("there", [True, False], ids=["folder", "no-folder"])
def test_injected_failure_of_a_move_leaves_the_folder_as_it_was(tmp_path, monkeypatch, at, there):
    """The disk refuses the n-th rename, while files are written or moved."""
    out = tmp_path / "out"
    if there:
        out.mkdir()
        (out / "a.csv").write_text("old")
    calls, rename, replace = [], Path.rename, Path.replace

    def failing(real):
        def call(path, target):
            calls.append(target)
            if len(calls) == at + 1:
                raise OSError(5, "Input/output error", str(path))
            return real(path, target)

        return call

    monkeypatch.setattr(Path, "rename", failing(rename))
    monkeypatch.setattr(Path, "replace", failing(replace))
    try:
        write_folder(out, FILES)
    except RequestError as error:
        assert "out: Input/output error" in str(error) and ".tmp" not in str(error)
        assert contents(tmp_path / "out") == {"a.csv": "old"} if there else list(tmp_path.iterdir()) == []
    else:
        assert contents(out) == {"a.csv": "new a", "b.csv": "new b"}
    assert [path.name for path in tmp_path.iterdir()] in (["out"], [])
