"""Files of predictions: which network decides what, on which image, with which probability."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from harness import RequestError

from ..datasets._imagenet_classes import VALIDATION_IMAGES, indices
from ..datasets._validation_images import number_of

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "image": ("image", "file_name", "filename", "image_name"),
    "class": ("class", "predicted_class", "prediction"),
    "probability": ("probability", "predicted_probability", "confidence"),
    "target": ("target", "label"),
    "model": ("model",),
}
"""Column -> the names that it may have; `image` and `class` are needed."""
CLASSES: Final = 1000
MOST_BYTES: Final = 256 << 20
"""Of one file; 50,000 rows take 3 MB."""
_COMMAND: Final = "harness import predictions FILE_OR_FOLDER --out RUN"


@dataclass(frozen=True, slots=True)
class NetworkPredictions:
    """Those of one network: image number -> predicted class, its probability (NaN: none), its label (-1: not said)."""

    classes: dict[int, int] = field(default_factory=dict)
    probabilities: dict[int, float] = field(default_factory=dict)
    targets: dict[int, int] = field(default_factory=dict)


def read_networks(path: Path) -> dict[str, NetworkPredictions]:
    files = [path] if path.is_file() else sorted(path.rglob("*.csv"))
    if not files:
        raise RequestError(f"{path} has no .csv file; expected one for each network", remedy=_COMMAND)
    networks: dict[str, NetworkPredictions] = {}
    origins: dict[str, Path] = {}
    for file in files:
        for name, predictions in _of_file(file).items():
            if name in origins:
                raise RequestError(f"{name} is in {origins[name]} and in {file}; give each network once")
            networks[name], origins[name] = predictions, file
    return networks


def _of_file(file: Path) -> dict[str, NetworkPredictions]:
    networks: dict[str, NetworkPredictions] = {}
    for line, row in _rows(file):
        predictions = networks.setdefault(row.get("model") or file.stem, NetworkPredictions())
        try:
            _add(predictions, row)
        except ValueError as error:
            raise RequestError(f"{file}, row {line}: {error}") from error
    if not networks:
        raise RequestError(f"{file} has a header and no predictions")
    return networks


def _rows(file: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, cells by the names in `COLUMNS`) of every row."""
    if file.stat().st_size > MOST_BYTES:
        raise RequestError(f"{file} has {file.stat().st_size:,} bytes; expected at most {MOST_BYTES:,}")
    try:
        with file.open(newline="", encoding="utf-8-sig") as opened:
            reader = csv.reader(opened, strict=True)
            header = [name.strip().lower() for name in next(reader, [])]
            places = _places(file, header)
            for row in filter(None, reader):
                if len(row) != len(header):
                    raise RequestError(f"{file}, row {reader.line_num}: {len(row)} cells, expected {len(header)}")
                yield reader.line_num, {name: row[place].strip() for name, place in places.items()}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RequestError(f"{file} cannot be read as CSV text ({error})", remedy=_COMMAND) from error


def _places(file: Path, header: Sequence[str]) -> dict[str, int]:
    """Which column is which."""
    places: dict[str, int] = {}
    for name, spellings in COLUMNS.items():
        fitting = [place for place, column in enumerate(header) if column in spellings]
        if len(fitting) > 1:
            raise RequestError(f"{file} has {len(fitting)} columns for {name}: {', '.join(header)}; expected one")
        if fitting:
            places[name] = fitting[0]
    missing = [name for name in ("image", "class") if name not in places]
    if missing:
        expected = "; ".join(f"{name}: {' or '.join(COLUMNS[name])}" for name in missing)
        alone = len(header) == 1 and any(mark in header[0] for mark in ";\t|")
        hint = "; separate the columns by commas" if alone else ""
        raise RequestError(f"{file} has the columns {', '.join(header) or 'none'}; expected {expected}{hint}")
    return places


def _add(predictions: NetworkPredictions, row: Mapping[str, str]) -> None:
    """Raises ValueError for a cell that is wrong."""
    image = _image(row["image"])
    if image in predictions.classes:
        raise ValueError(f"image {image} occurs twice; expected one prediction for each image")
    predictions.classes[image] = _class(row["class"], "class")
    predictions.probabilities[image] = _probability(row.get("probability", ""))
    predictions.targets[image] = _class(row["target"], "target") if "target" in row else -1


def _image(cell: str) -> int:
    number = number_of(Path(cell).name)
    if number is None and cell.isascii() and cell.isdecimal() and 1 <= int(cell[:9]) <= VALIDATION_IMAGES:
        number = int(cell)
    if number is None:
        raise ValueError(
            f"image {cell!r} is neither a number from 1 to {VALIDATION_IMAGES:,} nor ILSVRC2012_val_00000001.JPEG …"
        )
    return number


def _class(cell: str, column: str) -> int:
    if cell in indices():
        return indices()[cell]
    if not (cell.isascii() and cell.isdecimal() and int(cell[:9]) < CLASSES and len(cell) < len("00000000")):
        raise ValueError(f"{column} {cell!r} is neither a class from 0 to {CLASSES - 1} nor its wnid (n01440764)")
    return int(cell)


def _probability(cell: str) -> float:
    if not cell:
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not 0 < value <= 1:
        raise ValueError(f"probability {cell!r}; expected a number above 0 and at most 1, or nothing")
    return value
