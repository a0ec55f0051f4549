"""The simulation of docs/statistics.md: stars where nothing is to be found, and where something is."""

import subprocess
import sys

import pytest

from tests.helpers.places import ROOT

COMMAND = "docs/simulations/families.py"


@pytest.mark.slow
def test_the_simulation_prints_what_the_documentation_shows():
    """With families and no effect the old stars fire far more often than 5 %, the new ones do not, and find effects."""
    done = subprocess.run([sys.executable, COMMAND], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout in (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    rates = {(row[2], "within" in row): (float(row[row.index("no") + 2][:-1]), float(row[-1][:-1])) for row in rows}
    for share in ("0%", "30%", "65%"):
        fires, power = rates[share, True]
        assert 2 <= fires <= 8 and power >= 80  # 5 % ± 3 standard errors of 400 studies
    assert rates["65%", False][0] >= 25 and rates["0%", False][0] <= 8
