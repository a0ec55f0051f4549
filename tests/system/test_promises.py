"""The commands of docs/reliability.md: each one is there, collects tests, and does in short what it does in full."""

import importlib.util
import re
import shlex
import subprocess
import sys

import pytest

from tests.helpers.forks import as_module, python
from tests.helpers.places import ROOT

ROWS = [line for line in (ROOT / "docs" / "reliability.md").read_text().splitlines() if line.startswith("| ")]
COMMANDS = [command for row in ROWS for command in re.findall(r"`(python -m [^`]+)`", row)]
PYTEST = [command for command in COMMANDS if command.startswith("python -m pytest ")]
SHORT = {
    "python -m tests.helpers.kill_run 300": "-m tests.helpers.kill_run 1",
    "python -m tests.helpers.power_cut --seeds 6": "-m tests.helpers.power_cut --seeds 0 --every 60",
    "python -m tests.helpers.flip_hdf5 FOLDER index.h5 1": "-m tests.helpers.flip_hdf5 FOLDER index.h5 9973",
}
"""Command of the document -> the same in seconds."""


def test_every_promise_has_a_command_and_every_command_is_tried_here():
    promises = [row for row in ROWS[1:] if not row.startswith("|---")]
    assert len(promises) >= 6
    assert [row for row in promises if "`python -m " not in row] == []
    assert set(COMMANDS) == {*PYTEST, *SHORT}


@pytest.mark.parametrize("command", SHORT)
def test_the_module_of_a_command_exists(command):
    assert importlib.util.find_spec(shlex.split(command)[2]) is not None


@pytest.mark.parametrize("command", PYTEST)
def test_what_a_command_selects_exists(command):
    words = shlex.split(command)[3:]
    options = dict(zip(words[::2], words[1::2], strict=False)) if words[0].startswith("-") else {}
    places = [word for word in words if word.startswith("tests/")] or ["tests"]
    files = [
        file for place in places for file in ([ROOT / place] if place.endswith(".py") else (ROOT / place).rglob("*.py"))
    ]
    names = [name for file in files for name in re.findall(r"def (test_\w+)", file.read_text())]
    assert [name for name in names if options.get("-k", "") in name]
    assert "-m" not in options or any(f"mark.{options['-m']}" in file.read_text() for file in files)


@pytest.mark.slow
@pytest.mark.parametrize("command", PYTEST)
def test_pytest_collects_something(command):
    words = [sys.executable, *shlex.split(command)[1:], "--collect-only", "-q"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.slow
@pytest.mark.parametrize("command", SHORT)
def test_a_command_does_what_it_says(command, tmp_path):
    words = shlex.split(SHORT[command].replace("FOLDER", str(tmp_path)))
    done = python(as_module(words), ROOT)
    assert done.returncode == 0 and done.stdout, done.stderr[-2000:]
