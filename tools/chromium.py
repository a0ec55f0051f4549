"""The system's Chromium for screenshots, tests and benchmarks: where it is, and how it is started."""

from __future__ import annotations

import shutil

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
ABSENT = f"no browser is installed ({', '.join(PROGRAMS)}); on Debian: apt-get install chromium"


def program() -> str | None:
    """The browser on this machine, or None."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)
