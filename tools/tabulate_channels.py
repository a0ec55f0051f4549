"""``python -m tools.tabulate_channels``: fit a channel to every pattern of thresholds of few bands, and store them all.

The table belongs to the probe `critical-band`: another fit is another ``version`` of it.
"""

from __future__ import annotations

import io
import sys
from itertools import product

import numpy as np

from harness import write_whole
from harness.plugins.probes._channels import BANDS, LEVELS, TABLE
from harness.plugins.probes.critical_band import ChannelError, search


def table() -> np.ndarray:
    """(P, 3) float64: amplitude, centre and width for each pattern, NaN where no channel fits."""
    return np.array([row(pattern) for bands in BANDS for pattern in product(range(LEVELS), repeat=bands)])


def row(pattern: tuple[int, ...]) -> tuple[float, float, float]:
    """One row of the table; equal thresholds have no channel."""
    try:
        channel = search(np.array(pattern, dtype=np.float64)) if len(set(pattern)) > 1 else None
    except ChannelError:
        channel = None
    return (channel.amplitude, channel.center, channel.width) if channel else (np.nan, np.nan, np.nan)


def main() -> int:
    """Write the table; returns the exit code."""
    content = io.BytesIO()
    np.save(content, table(), allow_pickle=False)
    write_whole(TABLE, content.getvalue())
    return 0


if __name__ == "__main__":
    sys.exit(main())
