"""Runs that several tests read: computed once a session, by whichever process of pytest-xdist comes first."""

import os
import subprocess
import sys

import pytest
from filelock import FileLock

KNOWN = (
    *("zoo-baseline", "zoo-stylized", "zoo-stylized-and-shapes", "zoo-stylized-then-shapes", "zoo-simclr"),
    *("zoo-l2-0.25", "zoo-l2-0.75", "zoo-l2-1.5", "zoo-linf-1", "zoo-linf-3", "zoo-linf-6"),
    *("zoo-shape-only", "zoo-texture-only", "zoo-chance"),
    *("zoo-low-frequency-only", "zoo-mid-frequency-only", "zoo-high-frequency-only"),
)
"""Networks of the suite `quickstart` of which something is known by construction, and one without labels."""
QUICKSTART = len(KNOWN) * 16
"""Cells of the suite for them."""


@pytest.fixture(scope="session")
def quickstart(tmp_path_factory):
    """The folder where ``harness run --suite quickstart --models … --out runs/quickstart`` has computed every cell.

    Of the networks `KNOWN`; zoo_measures.json has what the same suite measures for the 17 others.

    tests/system/test_ground_truth.py and tests/system/test_docs.py read the run. Nobody writes to it: who needs to
    takes a copy.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "stored-quickstart"
    folder.mkdir(exist_ok=True)
    finished = folder / "finished"
    with FileLock(folder / "lock"):
        if not finished.exists():
            assert not (folder / "runs").exists(), "the command has failed in another process"
            _run_quickstart(folder)
            finished.touch()
    before = _state(folder / "runs")
    yield folder
    assert _state(folder / "runs") == before, "a test has written to the shared run"


def _run_quickstart(folder):
    environment = {**os.environ, "PYTHONHASHSEED": "0", "COLUMNS": "80"}
    command = [sys.executable, "-m", "harness", "run", "--suite", "quickstart", "--models", *KNOWN]
    command += ["--out", "runs/quickstart"]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert f"{QUICKSTART} of {QUICKSTART} cells stored in runs/quickstart" in done.stderr


def _state(folder):
    """Size and time of every file but the lock, which readers may look at."""
    files = (file for file in folder.rglob("*") if file.is_file() and not file.name.endswith("lock"))
    return {file: (file.stat().st_size, file.stat().st_mtime_ns) for file in files}
