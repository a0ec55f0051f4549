"""Files that appear whole or not at all: text, bytes, arrays; what fails leaves the former content and nothing else."""

import os
import re
from pathlib import Path

import numpy as np
import pytest

from harness import write_whole
from harness.local.writing import leftovers

TREE = Path(__file__).parents[3]


def test_text_bytes_and_arrays_are_written_as_they_are(tmp_path):
    write_whole(tmp_path / "text", "größer\n")
    write_whole(tmp_path / "bytes", b"\x00\xff")
    write_whole(tmp_path / "array", memoryview(np.arange(6, dtype=np.int16).reshape(2, 3)))
    write_whole(tmp_path / "empty", "")
    assert (tmp_path / "text").read_bytes() == "größer\n".encode()
    assert (tmp_path / "bytes").read_bytes() == b"\x00\xff"
    assert (tmp_path / "array").read_bytes() == np.arange(6, dtype=np.int16).tobytes()
    assert (tmp_path / "empty").read_bytes() == b""


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_what_fails_leaves_the_former_content_and_no_other_file(broken, tmp_path, monkeypatch):
    write_whole(tmp_path / "file", "former")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail) if broken == "fsync" else monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        write_whole(tmp_path / "file", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"] and (tmp_path / "file").read_text() == "former"


def test_content_is_durable_before_it_has_its_name(tmp_path, monkeypatch):
    steps, fsync, replace = [], os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda number: (steps.append("sync"), fsync(number))[1])
    monkeypatch.setattr(Path, "replace", lambda old, new: (steps.append(old.name), replace(old, new))[1])
    write_whole(tmp_path / "file", "content")
    before, temporary, after = steps
    assert (before, after) == ("sync", "sync")  # the file, and after the rename its folder
    (tmp_path / temporary).write_text("left by a killed process")
    assert leftovers(tmp_path) == [tmp_path / temporary]


def test_nothing_else_writes_temporary_files_of_its_own():
    sources = [path for room in ("harness", "plugins", "tools") for path in (TREE / room).rglob("*.py")]
    writers = {str(path.relative_to(TREE)) for path in sources if re.search(r'\.tmp["\']', path.read_text())}
    assert writers == {"harness/local/writing.py"}
