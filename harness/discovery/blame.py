"""Whether an exception that nobody expected comes from a plugin of somebody else."""

from __future__ import annotations

from pathlib import Path
from typing import Final

THIRD_PARTY: Final[set[str]] = set()
"""Top-level names of the modules of plugins that are not built in, as they are loaded."""


def place_in_plugin(error: BaseException) -> str:
    """File and line, ``my_probe.py:12``, of the last call in a plugin's code that led to `error`; else empty.

    The code of the harness that a plugin calls with wrong values is not at fault, and neither is that of a library.
    """
    place, trace = "", error.__traceback__
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] in THIRD_PARTY:
            place = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
