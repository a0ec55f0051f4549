"""What `report` and `export` take of memory, with ten times as many samples."""

import importlib.util
import subprocess
import sys

import pytest

from harness.plugins.probes.accuracy import Accuracy
from tests.helpers.store_writer import write_random

FEW, MANY = 20_000, 200_000
NAMES = 110
"""Bytes that the name of a sample takes, with its targets: the axes of the task at hand are in memory."""
CELL = 23 + 5
"""Bytes of the trials of a sample under one condition, and of what a probe makes of them."""
NOISE = 20e6
"""Bytes: the allocator keeps some of what was freed."""

CODE = """
import sys
from harness.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print("peak", int(peak.split()[1]) * 1024, file=sys.stderr)
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("memory")
    for n in (FEW, MANY):
        write_random(folder / f"run{n}", n, task="accuracy@made", version=Accuracy.version)
    return folder


def peak(folder, arguments):
    """The largest resident memory of a fresh process, in bytes."""
    command = [sys.executable, "-c", CODE, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert done.returncode == 0, done.stderr
    return int(done.stderr.split()[-1])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
@pytest.mark.parametrize(
    ("arguments", "each"),
    [
        (["report", "RUN"], NAMES + CELL),
        (["export", "RUN", "-o", "trials.h5"], NAMES),
        (["export", "RUN", "-o", "trials.csv"], NAMES),
        (["export", "RUN", "-o", "trials.parquet"], NAMES),
    ],
    ids=["report", "h5", "csv", "parquet"],
)
def test_memory_is_that_of_one_cell(runs, arguments, each):
    if arguments[-1].endswith("parquet") and importlib.util.find_spec("pyarrow") is None:
        pytest.skip("pyarrow is not installed: pip install pyarrow")
    few, many = (peak(runs, [f"run{n}" if part == "RUN" else part for part in arguments]) for n in (FEW, MANY))
    print(f"{' '.join(arguments)}: {few / 2**20:.0f} MiB for {FEW:,} samples, {many / 2**20:.0f} MiB for {MANY:,}")
    assert many - few < each * (MANY - FEW) + NOISE
