"""A killed run loses nothing that was committed, and resumes to the same bits."""

import subprocess
import sys

import pytest

from tests.helpers.places import ROOT


def kill(times):
    command = [sys.executable, "-m", "tests.helpers.kill_run", str(times)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"kills={times}" in done.stdout and "acknowledged=0" not in done.stdout


def test_ten_kills_of_real_runs():
    kill(10)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_two_hundred_kills_of_real_runs():
    kill(200)
