"""Channels that are fitted already: images below 80 pixels have four or five bands, so few patterns of thresholds.

SciPy takes longer to import than a report takes to reduce 30 networks, and its last digits depend on its version and on
the processor. ``python -m tools.tabulate_channels`` has filled the table with the fits of `critical_band`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

TABLE = Path(__file__).with_name("channels.npy")
BANDS = (4, 5)
LEVELS = 5
"""Values of a threshold: 0 to 4."""


def place_of(thresholds: Sequence[float]) -> int | None:
    """Row of a pattern in the table: patterns of four bands, then those of five, each in order; None if it has none."""
    bands = len(thresholds)
    if bands not in BANDS or not all(value in range(LEVELS) for value in thresholds):
        return None
    first: int = sum(LEVELS**fewer for fewer in BANDS if fewer < bands)
    number = 0
    for value in thresholds:
        number = LEVELS * number + int(value)
    return first + number


def tabulated(thresholds: Sequence[float]) -> tuple[float, float, float] | None:
    """Amplitude, centre and width of the channel of a pattern; None if it is not in the table, or no channel fits."""
    place = place_of(thresholds)
    row = [np.nan] if place is None else _rows()[place].tolist()
    return None if np.isnan(row[0]) else (row[0], row[1], row[2])


@cache
def _rows() -> np.ndarray:
    rows: np.ndarray = np.load(TABLE, allow_pickle=False)
    return rows
