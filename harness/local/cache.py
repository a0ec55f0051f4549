"""Where the harness keeps downloads, digests and records of first use on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

DISTRIBUTION: Final = "bias-harness"


def cache_dir() -> Path:
    """Where downloads and digests are kept: ``HARNESS_CACHE``, else the user's cache folder. May not exist yet."""
    given = os.environ.get("HARNESS_CACHE")
    if given:
        return Path(given).expanduser()
    import platformdirs

    return platformdirs.user_cache_path(DISTRIBUTION, appauthor=False)
