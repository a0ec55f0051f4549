"""A killed run loses nothing that was committed, and resumes to the same bits."""

import subprocess
import sys
from pathlib import Path

import pytest


def kill(times):
    script = Path(__file__).with_name("kill_run.py")
    done = subprocess.run([sys.executable, script, str(times)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"kills={times}" in done.stdout and "acknowledged=0" not in done.stdout


def test_ten_kills_of_real_runs():
    kill(10)


@pytest.mark.slow
def test_a_hundred_kills_of_real_runs():
    kill(100)
