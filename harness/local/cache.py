"""The cache folder: downloads, digests and records of first use on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from harness.local.paths import home_path

DISTRIBUTION: Final = "bias-harness"


def cache_dir() -> Path:
    """The folder of downloads and digests: ``HARNESS_CACHE``, else the user's cache folder. It may not exist yet."""
    folder = os.environ.get("HARNESS_CACHE")
    if folder:
        return home_path(folder)
    import platformdirs

    return platformdirs.user_cache_path(DISTRIBUTION, appauthor=False)
