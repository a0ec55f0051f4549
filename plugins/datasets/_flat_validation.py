"""The ImageNet validation set as its archive unpacks: 50,000 images in one folder, and their labels in a list.

Two lists are read: Kaggle's ``LOC_val_solution.csv`` (image, wnid and box), and the ground truth of the ILSVRC devkit.
The devkit's ids have an order of their own; its ``meta.mat`` or ``map_clsloc.txt`` says which wnid each is.
Sample ids are those of the same images in class folders, so that both layouts have one identity.
"""

from __future__ import annotations

import csv
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness import DatasetError, Sample

from ._imagenet_classes import VALIDATION_IMAGES, WNID, indices
from ._trees import IMAGE_SUFFIXES, class_folders, visible_names
from ._validation_images import check_labels, number_of
from ._wnid_trees import wnid_samples

SOLUTION = "LOC_val_solution.csv"
GROUND_TRUTH = "ILSVRC2012_validation_ground_truth.txt"
_TABLES = ("meta.mat", "map_clsloc.txt")
_MOST_MAT = 16 << 20
"""Bytes of the devkit's table, packed and unpacked; the published one has less than one million."""
_COMPRESSED = 15
"""Type of a compressed element in a MATLAB file."""
_KAGGLE = Path("ILSVRC/Data/CLS-LOC/val")
"""The images in Kaggle's archive; its list lies beside the first of these folders."""
_LEVELS = len(_KAGGLE.parts)
"""Folders above the images in which lists are looked for."""
_DEVKIT = ("", "data", "ILSVRC2012_devkit_t12/data", "devkit/data")
"""Where the devkit's files may be, below one of these folders."""


def validation_samples(root: Path, dataset: str) -> list[Sample]:
    """All validation images below `root`, in class folders or in one folder; ids are ``<wnid>/<file name>``.

    Raises:
        DatasetError: neither layout fits, a label is missing, or most images are in wrong folders.
    """
    sorted_by_class = any(folder.name in indices() for folder in class_folders(root, dataset))
    if not sorted_by_class and root.absolute().name not in indices() and is_flat(root):
        samples = list(flat_samples(root, dataset))
    else:
        below = None if sorted_by_class else next(filter(is_flat, _folders_below(root)), None)
        if below is not None:
            raise DatasetError(
                f"dataset {dataset!r}: {root} has no class folders; the validation images are further down",
                remedy=f"--data {dataset}={below}",
            )
        samples = list(wnid_samples(root, dataset, indices()))
    check_labels(samples, dataset)
    return samples


def _folders_below(root: Path) -> list[Path]:
    children = [path for path in sorted(root.iterdir()) if path.is_dir()]
    return [*children, *(root / _KAGGLE.relative_to(part) for part in _KAGGLE.parents)]


def is_flat(folder: Path) -> bool:
    """Whether validation images lie in `folder` itself."""
    try:
        return any(number_of(path.name) for path in folder.iterdir())
    except OSError:
        return False  # not a folder, or no permission


def flat_samples(root: Path, dataset: str) -> Iterator[Sample]:
    """All images in `root`, with their labels from the nearest list; ids are ``<wnid>/<file name>``.

    Raises:
        DatasetError: there is no list, it has no label for an image, or an image has another name.
    """
    names = sorted(name for name in visible_names(root, dataset) if name.lower().endswith(IMAGE_SUFFIXES))
    numbers = {name: number_of(name) for name in names}
    if strange := next((name for name, number in numbers.items() if number is None), None):
        raise DatasetError(
            f"dataset {dataset!r}: {root / strange} is not named as a validation image, as the others in this folder "
            "are (ILSVRC2012_val_00000001.JPEG). Move it elsewhere"
        )
    path, wnids = _labels(root, dataset)
    for name, number in numbers.items():
        wnid = wnids.get(number or 0)
        if wnid is None:
            raise DatasetError(f"dataset {dataset!r}: {path} has no label for {root / name}. Get the whole list")
        yield Sample(id=f"{wnid}/{name}", targets=(indices()[wnid],), path=root / name)


def _labels(root: Path, dataset: str) -> tuple[Path, dict[int, str]]:
    """The nearest list, and the wnid of each image number in it."""
    starts = (root.absolute(), root.resolve())  # where the folder is a link, the list may be at either end
    for folder in dict.fromkeys(folder for start in starts for folder in (start, *start.parents[:_LEVELS])):
        if (solution := folder / SOLUTION).is_file():
            return solution, _of_solution(solution, dataset)
        truth = next((path for part in _DEVKIT if (path := folder / part / GROUND_TRUTH).is_file()), None)
        if truth is not None:
            return truth, _of_devkit(truth, dataset)
    raise DatasetError(
        f"dataset {dataset!r}: {root} holds validation images without class folders, and no list of their labels is "
        f"there or up to {_LEVELS} levels above: Kaggle's {SOLUTION}, or {GROUND_TRUTH} and meta.mat of the ILSVRC "
        "devkit",
        remedy=f"cp {SOLUTION} {root.absolute().parent}",
    )


def _of_solution(path: Path, dataset: str) -> dict[int, str]:
    """Image number -> wnid, from Kaggle's list: ``ILSVRC2012_val_00048981,n03995372 85 1 499 272``."""
    wnids: dict[int, str] = {}
    for line, cells in enumerate(_rows(path, dataset), 1):
        row = [cell.strip() for cell in cells]
        if not any(row) or (line == 1 and row[0].lower() == "imageid"):
            continue
        number = number_of(f"{row[0].removesuffix('.JPEG')}.JPEG") if len(row) == 2 else None
        named = {word for word in row[-1].split() if WNID.fullmatch(word)} if row else set()
        if number is None or len(named) != 1 or not named <= indices().keys():
            raise _wrong_line(path, line, dataset, "an image and its wnid, ILSVRC2012_val_00048981,n03995372 …")
        (wnid,) = named
        if wnids.setdefault(number, wnid) != wnid:
            raise _wrong_line(path, line, dataset, f"{row[0]} once: it has another wnid further up")
    return wnids


def _of_devkit(path: Path, dataset: str) -> dict[int, str]:
    """Image number -> wnid, from the devkit's ground truth: the id of image n in line n."""
    wnid_of, ids = _devkit_ids(path, dataset), "\n".join(_lines(path, dataset)).rstrip().splitlines()
    if len(ids) != VALIDATION_IMAGES:
        raise DatasetError(
            f"dataset {dataset!r}: {path} has {len(ids):,} lines, expected {VALIDATION_IMAGES:,}. Get the whole list"
        )
    wnids: dict[int, str] = {}
    for number, text in enumerate(ids, 1):
        wnid = wnid_of.get(int(text)) if text.strip().isdecimal() and len(text) < 20 else None
        if wnid is None:
            raise _wrong_line(path, number, dataset, "an ILSVRC id from 1 to 1000")
        wnids[number] = wnid
    return wnids


def _devkit_ids(truth: Path, dataset: str) -> Mapping[int, str]:
    """ILSVRC id (1 to 1000) -> wnid, from a table beside the ground truth. Raises DatasetError without it."""
    table = next((path for name in _TABLES if (path := truth.parent / name).is_file()), None)
    if table is None:
        raise DatasetError(
            f"dataset {dataset!r}: {truth} has ids of the ILSVRC devkit, whose order is not that of the wnids; its "
            f"table {_TABLES[0]} (or {_TABLES[1]}) is not beside it",
            remedy=f"cp ILSVRC2012_devkit_t12/data/{_TABLES[0]} {truth.parent}",
        )
    rows = _of_meta(table, dataset) if table.suffix == ".mat" else [line.split() for line in _lines(table, dataset)]
    numbers = [row for row in rows if len(row) > 1 and row[1].isdecimal() and len(row[1]) <= 4]
    ids = {int(row[1]): row[0] for row in numbers if int(row[1]) <= 1000}
    if sorted(ids) != list(range(1, 1001)) or set(ids.values()) != indices().keys():
        raise DatasetError(f"dataset {dataset!r}: {table} does not give each of the 1,000 wnids an id from 1 to 1000")
    return ids


def _of_meta(path: Path, dataset: str) -> list[Sequence[str]]:
    """(wnid, id) of each synset in the devkit's meta.mat."""
    from scipy.io import loadmat

    _refuse_irregular(path, dataset)
    try:
        _check_unpacked(path)
        synsets = loadmat(path, squeeze_me=True)["synsets"]
        return [(str(row["WNID"]), str(int(row["ILSVRC2012_ID"]))) for row in synsets]
    except Exception as error:  # SciPy raises much more than it states on files of another kind
        raise DatasetError(f"dataset {dataset!r}: {path} is not the table of the ILSVRC devkit ({error})") from error


def _refuse_irregular(path: Path, dataset: str) -> None:
    if path.exists() and not path.is_file():
        raise DatasetError(f"dataset {dataset!r}: {path} is no regular file, but a folder, FIFO or device. Remove it")


def _check_unpacked(path: Path) -> None:
    """Raises ValueError for a file of MATLAB that is not of version 5, or whose compressed elements are too long."""
    content = path.read_bytes() if path.stat().st_size <= _MOST_MAT else b""
    place = 128
    if not content.startswith(b"MATLAB 5.0"):
        raise ValueError(f"expected at most {_MOST_MAT:,} bytes of a MATLAB file of version 5")
    while place + 8 <= len(content):
        kind, length = struct.unpack_from("<II", content, place)
        if kind == _COMPRESSED:
            unpacked = zlib.decompressobj().decompress(content[place + 8 : place + 8 + length], _MOST_MAT + 1)
            if len(unpacked) > _MOST_MAT:
                raise ValueError(f"its content is longer than {_MOST_MAT:,} bytes")
        place += 8 + length


def _rows(path: Path, dataset: str) -> Iterator[list[str]]:
    """The rows of a CSV file. Raises DatasetError."""
    try:
        yield from csv.reader(_lines(path, dataset))
    except csv.Error as error:
        raise DatasetError(f"dataset {dataset!r}: cannot read {path} ({error})") from error


def _lines(path: Path, dataset: str) -> list[str]:
    _refuse_irregular(path, dataset)
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"dataset {dataset!r}: cannot read {path} ({error})") from error


def _wrong_line(path: Path, line: int, dataset: str, expected: str) -> DatasetError:
    return DatasetError(f"dataset {dataset!r}: {path}, line {line}: expected {expected}. Get the list again")
