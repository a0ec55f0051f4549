"""Where things lie in a development tree."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT.parent / "shared" / "real"
"""Real photographs, decisions and published results; beside a development tree only."""
