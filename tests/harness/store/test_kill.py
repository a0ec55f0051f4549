"""A killed run loses nothing that was committed, and resumes to the same bits."""

import pytest

from tests.helpers.forks import as_module, python


def kill(times, folder):
    done = python(as_module(["-m", "tests.helpers.kill_run", times]), folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"kills={times}" in done.stdout and "acknowledged=0" not in done.stdout


def test_ten_kills_of_real_runs(tmp_path):
    kill(10, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_two_hundred_kills_of_real_runs(tmp_path):
    kill(200, tmp_path)
