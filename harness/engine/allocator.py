"""Memory allocation of the C library while networks run on the CPU."""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4
"""Parameters of mallopt(3) in glibc's malloc.h."""


def keep_freed_memory() -> bool:
    """Have glibc keep freed memory for the next allocation, for the rest of this process.

    A forward allocates and frees activations of tens of megabytes a thousand times. By default, glibc maps and unmaps
    each of them, and the kernel zeroes every page again: on the machine in docs/performance.md, this took more time
    than the network itself. Peak memory stays the same; memory is just not returned between two peaks.

    Returns:
        Whether the C library accepted the settings; without glibc, nothing changes.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = ((_M_TRIM_THRESHOLD, 2**31 - 1), (_M_MMAP_THRESHOLD, 32 * 2**20), (_M_MMAP_MAX, 0))
    return all([mallopt(parameter, value) for parameter, value in settings])
