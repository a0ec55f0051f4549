"""Walking ``<class>/<image>`` folders quickly: by name alone, without opening an image or reading a file's size."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from harness import DatasetError

IMAGE_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")

_OF_WINDOWS = ("thumbs.db", "desktop.ini")
"""Files that a file manager leaves behind, as others leave hidden ones."""


def class_folders(root: Path, dataset: str) -> list[Path]:
    """The sub-folders of `root`, sorted by name, links followed; plain files and hidden entries are left out.

    Raises:
        DatasetError: `root` is not a readable folder, or contains a broken link.
    """
    folders = []
    for entry in _entries(root, dataset):
        if entry.is_dir():
            folders.append(Path(entry.path))
        elif entry.is_symlink() and not entry.is_file():
            raise DatasetError(f"dataset {dataset!r}: {entry.path} is a broken link; fix or delete it")
    return sorted(folders)


def image_names(folder: Path, dataset: str, suffixes: Sequence[str] = IMAGE_SUFFIXES) -> list[str]:
    """The file names in a class folder, sorted; hidden ones and those of a file manager are left out.

    Raises:
        DatasetError: the folder is empty, or contains a folder or a file without an image suffix.
    """
    names = []
    for entry in _entries(folder, dataset):
        if entry.is_dir(follow_symlinks=False) or not entry.name.lower().endswith(tuple(suffixes)):
            raise DatasetError(
                f"dataset {dataset!r}: {entry.path} is not an image; a class folder contains only files that end in "
                f"{' '.join(suffixes)}. Move it elsewhere"
            )
        names.append(entry.name)
    if not names:
        raise DatasetError(
            f"dataset {dataset!r}: class folder {folder} is empty; fill it, or delete it to measure a partial tree"
        )
    return sorted(names)


def visible_names(folder: Path, dataset: str) -> set[str]:
    """The names of all entries of `folder`, without hidden ones and those of a file manager.

    Raises:
        DatasetError: it cannot be read.
    """
    return {entry.name for entry in _entries(folder, dataset)}


def no_folders(root: Path, dataset: str, expected: str, better: Path | None = None) -> DatasetError:
    """The error for a root without class folders; `better` is the folder that is probably meant."""
    hint = f"{dataset}={better}" if better else f"{dataset}=DIR with the folder that holds them"
    return DatasetError(
        f"dataset {dataset!r}: {root} has no class folders; expected {expected}", remedy=f"--data {hint}"
    )


def nearby(root: Path, fits: Callable[[Path], bool]) -> list[Path]:
    """The folders one or two levels above and one level below `root` that fit, the nearest above first."""
    start = root.absolute()
    try:
        below = sorted(path for path in start.iterdir() if path.is_dir())
    except OSError:
        below = []  # no permission: only a hint is lost
    return [path for path in (start.parent, start.parent.parent, *below) if fits(path)]


def _entries(folder: Path, dataset: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from (entry for entry in entries if not _is_left_behind(entry.name))
    except OSError as error:
        raise DatasetError(
            f"dataset {dataset!r}: cannot read the folder {folder} ({error.strerror})",
            remedy=f"--data {dataset}=DIR with the folder that holds it",
        ) from error


def _is_left_behind(name: str) -> bool:
    return name.startswith(".") or name.lower() in _OF_WINDOWS
