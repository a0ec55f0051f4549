"""Predictions of networks on the ImageNet validation set, one class and perhaps its probability for each image.

They become trials of ``accuracy`` on every dataset that consists of validation images and whose facts are at hand:
`imagenet`, `imagenet-real`, `imagenet-votes` (its folder has the votes) and `imagenet-x` (its package is installed), so
that all measures of first choices are computed as for networks that ran here, on samples of the same ids. The columns
are those of facebookresearch/imagenetx, ``model_predictions`` (Idrissi et al. 2022), and their plain names.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final

import numpy as np

from harness import (
    DatasetError,
    DecisionTable,
    ImportedDecisions,
    Importer,
    RequestError,
    Sample,
    TaskLayout,
    hookimpl,
)

from ..datasets._flat_validation import validation_samples
from ..datasets._imagenet_classes import VALIDATION_IMAGES, class_names, indices, wnids
from ..datasets._validation_images import check_labels, number_of
from ..datasets.imagenet_real import relabelled
from ..datasets.imagenet_votes import ImageNetVotes

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
SPAN: Final = 4096
_Chosen = tuple[Sequence[Sample], tuple[str, ...]]
"""Samples of a dataset, and the names of their attributes."""
_COMMAND: Final = "harness import predictions FILE_OR_FOLDER --out RUN"


@dataclass(frozen=True, slots=True)
class _Predictions:
    """Those of one network: image number -> predicted class, its probability (NaN: none), its label (-1: not said)."""

    classes: dict[int, int] = field(default_factory=dict)
    probabilities: dict[int, float] = field(default_factory=dict)
    targets: dict[int, int] = field(default_factory=dict)


class Predictions(Importer):
    """``harness import predictions FILE_OR_FOLDER --out RUN``."""

    name = "predictions"
    datasets: ClassVar[tuple[str, ...]] = ("imagenet", "imagenet-votes")

    def read(self, path: Path) -> DecisionTable:
        """As `read_beside`, without the folder of any dataset."""
        return self.read_beside(path, {})

    def read_beside(self, path: Path, folders: Mapping[str, Path]) -> DecisionTable:
        """The predictions in one CSV file, or in all below a folder; a network is named by a column, or by its file.

        Args:
            folders: that of `imagenet` gives labels where the file has none, that of `imagenet-votes` the votes.

        Raises:
            RequestError: no columns of images and classes, an image or a class that ImageNet does not have, an image
                twice, a probability out of range, networks with other images, labels that are missing or not those
                of ImageNet, or facts of a dataset that are damaged.
        """
        networks = _networks(path)
        numbers = _numbers(path, networks)
        try:
            samples = _samples(numbers, _targets(path, networks, numbers, folders))
            sets, remarks = _sets(samples, folders)
        except DatasetError as error:
            raise RequestError(f"{path}: {error.reason}", remedy=error.remedy) from error
        if len(numbers) < VALIDATION_IMAGES:
            remarks = [f"predictions of {len(numbers):,} of {VALIDATION_IMAGES:,} validation images", *remarks]
        return DecisionTable(
            title="Predictions on the ImageNet validation set",
            source=path.name,
            license="none stated",
            probe="accuracy",
            decisions=tuple(
                _imported(name, predictions, dataset, chosen, attributes)
                for dataset, (chosen, attributes) in sets.items()
                for name, predictions in networks.items()
            ),
            remarks=tuple(remarks),
        )


# --- the files --------------------------------------------------------------------------------


def _networks(path: Path) -> dict[str, _Predictions]:
    files = [path] if path.is_file() else sorted(path.rglob("*.csv"))
    if not files:
        raise RequestError(f"{path} has no .csv file; expected one for each network", remedy=_COMMAND)
    networks: dict[str, _Predictions] = {}
    origins: dict[str, Path] = {}
    for file in files:
        for name, predictions in _of_file(file).items():
            if name in origins:
                raise RequestError(f"{name} is in {origins[name]} and in {file}; give each network once")
            networks[name], origins[name] = predictions, file
    return networks


def _of_file(file: Path) -> dict[str, _Predictions]:
    networks: dict[str, _Predictions] = {}
    for line, row in _rows(file):
        predictions = networks.setdefault(row.get("model") or file.stem, _Predictions())
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
        raise RequestError(f"{file} has the columns {', '.join(header) or 'none'}; expected {expected}")
    return places


def _add(predictions: _Predictions, row: Mapping[str, str]) -> None:
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


# --- samples ----------------------------------------------------------------------------------


def _numbers(path: Path, networks: Mapping[str, _Predictions]) -> list[int]:
    """The images, which must be the same for all networks: a run stores one list for each task."""
    reference, *others = networks
    images = networks[reference].classes.keys()
    for name in others:
        differing = sorted(images ^ networks[name].classes.keys())
        if differing:
            viewer = name if differing[0] in networks[name].classes else reference
            raise RequestError(
                f"{path}: {name} has {len(networks[name].classes):,} images and {reference} {len(images):,}: image "
                f"{differing[0]} is only in {viewer}. Networks in one run must have seen the same images; import "
                f"{name} into a separate run"
            )
    return sorted(images)


def _targets(
    path: Path, networks: Mapping[str, _Predictions], numbers: Sequence[int], folders: Mapping[str, Path]
) -> dict[int, int]:
    """Image number -> label: of the files, of the images of `imagenet`, or of the package `imagenet-x`."""
    labels: dict[int, int] = {}
    for name, predictions in networks.items():
        for image, target in predictions.targets.items():
            if target >= 0 and labels.setdefault(image, target) != target:
                raise RequestError(f"{path}: image {image} has the label {labels[image]}, but {target} in {name}")
    if not labels and "imagenet" in folders:
        samples = validation_samples(folders["imagenet"], "imagenet")
        numbered = ((number_of(sample.id.rpartition("/")[2]), sample.targets[0]) for sample in samples)
        labels = {number: target for number, target in numbered if number is not None}
    if not labels:
        labels = validation_labels() or {}
    lacking = next((image for image in numbers if image not in labels), None)
    if lacking is not None:
        raise RequestError(
            f"{path}: no label of image {lacking}: there is no column target, and neither the images of dataset "
            "'imagenet' nor the package imagenet-x has it",
            remedy="--data imagenet=DIR, or pip install imagenet-x",
        )
    return labels


def validation_labels() -> dict[int, int] | None:
    """Image number -> class, of the list in the package ``imagenet-x``; None if it is not installed."""
    return None


def _samples(numbers: Sequence[int], targets: Mapping[int, int]) -> list[Sample]:
    """Samples without files, with the ids and in the order of the dataset `imagenet`. Raises DatasetError."""
    named = sorted((f"{wnids()[targets[image]]}/ILSVRC2012_val_{image:08}.JPEG", targets[image]) for image in numbers)
    samples = [Sample(id=name, targets=(target,)) for name, target in named]
    check_labels(samples, "imagenet")
    return samples


def _sets(samples: Sequence[Sample], folders: Mapping[str, Path]) -> tuple[dict[str, _Chosen], list[str]]:
    """Each dataset of validation images whose facts are at hand, with its samples and attributes; and remarks."""
    sets: dict[str, _Chosen] = {
        "imagenet": (samples, ()),
        "imagenet-real": (relabelled(samples, "imagenet-real"), ()),
    }
    remarks = []
    if "imagenet-votes" in folders:
        dataset = ImageNetVotes()
        sets[dataset.name] = dataset.with_votes(samples, folders[dataset.name]), dataset.attributes
    else:
        remarks.append("without people's votes: harness fetch --datasets imagenet-votes --data ROOT, then --data ROOT")
    return sets, remarks


def _imported(
    name: str, predictions: _Predictions, dataset: str, samples: Sequence[Sample], attributes: Sequence[str]
) -> ImportedDecisions:
    images = [number_of(sample.id.rpartition("/")[2]) or 0 for sample in samples]
    most = max(len(sample.targets) for sample in samples)
    top5 = np.full((len(samples), 1, 5), -1, dtype=np.int16)
    top5[:, 0, 0] = [predictions.classes[image] for image in images]
    probability = np.array([[predictions.probabilities[image]] for image in images])
    columns = zip(*(sample.attributes for sample in samples), strict=True)
    layout = TaskLayout(
        task=f"accuracy@{dataset}",
        sample_ids=tuple(sample.id for sample in samples),
        targets=np.array([[*s.targets, *(-1,) * (most - len(s.targets))] for s in samples], dtype=np.int16),
        conditions=("clean",),
        classes=class_names(),
        size=224,
        span=SPAN,
        attributes=dict(zip(attributes, columns, strict=True)),
    )
    known = None if np.isnan(probability).all() else probability
    return ImportedDecisions(observer=name, group=None, layout=layout, top5=top5, probability=known)


@hookimpl
def harness_importers() -> list[Importer]:
    """The importer ``predictions``."""
    return [Predictions()]
