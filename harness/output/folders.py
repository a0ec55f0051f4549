"""A folder that a user names with ``-o``, into which several files are written: all of them, or none."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from harness.errors import RequestError
from harness.foreign import one_line, spelled
from harness.local.writing import sync_folder, temporary_name, write_whole
from harness.output.files import refusing

LONGEST: Final = 80
"""Most characters of the name of a file, without its suffix."""
_DEVICES: Final = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{at}" for port in ("com", "lpt") for at in range(10))}
)
"""Names that some file systems keep for devices, whatever the suffix."""


def is_folder(text: str) -> bool:
    """Whether ``-o TEXT`` names a folder: it ends in a slash, or is one."""
    return text.endswith(("/", os.sep)) or Path(text).is_dir()


def file_names(titles: Sequence[str], suffix: str = "") -> list[str]:
    """A name for each title, safe on every file system and in every shell; no two are equal in any case of letters.

    Of letters without accents, digits and ``. _ + -``; a number in brackets at the end of a title is left out, so that
    the name stays while models are added.
    """
    names: list[str] = []
    for title in titles:
        stem = _stem(title)
        same = [stem, *(f"{stem}-{at}" for at in range(2, len(titles) + 1))]
        before = {name.casefold() for name in names}
        names.append(next(f"{name}{suffix}" for name in same if f"{name}{suffix}".casefold() not in before))
    return names


def _stem(title: str) -> str:
    text = "".join(map(spelled, re.sub(r"\s*\(\d[\d, ]*\)\s*$|['’`]", "", one_line(title))))
    stem = re.sub(r"[^A-Za-z0-9._+]+", "-", text).strip("-._+")[:LONGEST].strip("-._+") or "untitled"
    return f"{stem}-" if stem.partition(".")[0].casefold() in _DEVICES else stem


def write_folder(folder: Path, files: Mapping[str, bytes | str]) -> None:
    """Write `files` by name, text in UTF-8, into `folder`, which is made if it is absent: all of them or none.

    Files of the same names are replaced; anything else in the folder stays.

    Raises:
        RequestError: they cannot be written, or the folder has files of the same suffixes under other names, which
            may be those of another report. Every file that was there is as it was.
    """
    with refusing(folder, "-o FOLDER/ in a folder that exists"):
        place = Path(os.path.realpath(folder))
        if place.exists():
            _refuse_others(folder, files)
        stage = temporary_name(place / "all" if place.exists() else place)
        try:
            stage.mkdir()
            for name, content in files.items():
                write_whole(stage / name, content)
            if place.exists():
                _moved(stage, place, files)
            else:
                stage.rename(place)
                sync_folder(place.parent)
        finally:
            shutil.rmtree(stage, ignore_errors=True)


def _refuse_others(folder: Path, files: Mapping[str, bytes | str]) -> None:
    suffixes = {Path(name).suffix for name in files}
    others = sorted(path.name for path in folder.iterdir() if path.suffix in suffixes and path.name not in files)
    if others:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        kinds, names = ", ".join(sorted(suffixes)), ", ".join(others[:3])
        raise RequestError(
            f"{folder} has {kinds} files that are not among the {len(files)} to be written: {names}{more}",
            remedy="-o FOLDER/ of another name, or delete them",
        )


def _moved(stage: Path, place: Path, files: Mapping[str, bytes | str]) -> None:
    """Move `files` from `stage` to `place`; if one cannot be moved, those that were there come back."""
    before = stage / "before"
    before.mkdir()
    moved: list[str] = []
    try:
        for name in files:
            moved.append(name)
            with suppress(FileNotFoundError):
                (place / name).rename(before / name)
            (stage / name).rename(place / name)
        sync_folder(place)
    except BaseException:
        for name in moved:
            _restored(before / name, place / name, stage / name)
        raise


def _restored(before: Path, place: Path, staged: Path) -> None:
    """Undo the move of one file: as far as it came."""
    with suppress(OSError):
        if not staged.exists():
            place.unlink()
        if before.exists():
            before.rename(place)
