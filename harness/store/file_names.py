"""Names of tasks, models and attributes that become parts of paths, on the disk or inside an exported file."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from typing import Final

from harness.local.listing import is_there, names_in
from harness.names import LONGEST

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+@-]*")


def is_name(name: str) -> bool:
    """Whether `name` can be part of a path."""
    return _NAME.fullmatch(name) is not None and len(name) <= LONGEST


def check_name(kind: str, name: str) -> None:
    """Raises ValueError if `name` (of a task, model or attribute) cannot be part of a path."""
    if not is_name(name):
        raise ValueError(
            f"{kind} {name!r} cannot be stored: a name begins with a letter or digit, followed by letters, digits, "
            "'.', '_', '+', '@' and '-'"
        )


_LONGEST_EXPORTED: Final = 200
"""Bytes of a name in an export; netCDF reads names of up to 256."""
_UNPORTABLE: Final = re.compile(r"[^\w.+@-]")


def portable_names(names: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """For each name one of its own that HDF5 and netCDF accept inside a file: the name itself wherever that can be.

    Args:
        taken: names that none of them may get.
    """
    portable: dict[str, str] = {}
    used = set(taken)
    for name in names:
        stem = _UNPORTABLE.sub("_", unicodedata.normalize("NFC", name))
        stem = stem.encode(errors="replace")[:_LONGEST_EXPORTED].decode(errors="ignore")
        stem = stem if re.match(r"\w", stem) else f"_{stem}"
        endings = (f"+{number}" for number in count(2))
        candidate = stem
        while candidate in used:
            candidate = stem + next(endings)
        used.add(candidate)
        portable[name] = candidate
    return portable


def named_folders(folder: Path, file: str) -> list[str]:
    """Names of the folders in `folder` that hold `file`, sorted; what no task or model can be called is not ours.

    Raises UnreadableError: the disk does not say.
    """
    names = filter(is_name, names_in(folder))
    return [name for name in names if is_there(f"{folder}/{name}/{file}", follow=False)]
