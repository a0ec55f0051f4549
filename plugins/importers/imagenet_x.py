"""Accuracies of many networks by factor of variation: the result tables of ImageNet-X.

Idrissi, Bouchacourt, Balestriero, Evtimov, Hazirbas, Ballas, Vincent, Drozdzal, Lopez-Paz, Ibrahim: "ImageNet-X:
Understanding Model Mistakes with Factor of Variation Annotations" (ICLR 2023), ``results/val`` of
facebookresearch/imagenetx (CC BY-NC 4.0). Accuracies are over the 46,110 annotated images that are no prototype.

The error ratio of a factor is the error on its images over the error on all. As every ratio to a network's own error it
follows accuracy: a better network fails relatively more on the rare factors, because its remaining errors are there.

A table does not say which it is: the name does, ``top-imagenet_testbed-class.csv``, or the published folders,
``top_factor/imagenet_testbed/class/accuracies_per_factor.csv``. Tables of all factors of an image (``multi``) give
``error-ratio-multi``, as the probe ``accuracy`` does on the dataset `imagenet-x`; those by ReaL labels (``real_class``)
and by 17 groups of classes (``metaclass``) become measures of ``imagenet-x-real`` and ``imagenet-x-metaclass``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from harness import ImportedModel, ImportedTable, Importer, Measure, RequestError, hookimpl

from ._tables import Row, Wanted, is_count, number, read_rows, refuse_names, shown

DATASET = "imagenet-x"
IMAGES = 46_110
TOP: Mapping[str, int] = {
    "pose": 15_064,
    "background": 14_751,
    "pattern": 5_972,
    "color": 6_150,
    "smaller": 1_450,
    "shape": 679,
    "partial_view": 638,
    "subcategory": 585,
    "texture": 282,
    "larger": 150,
    "darker": 122,
    "object_blocking": 78,
    "person_blocking": 60,
    "style": 43,
    "brighter": 44,
    "multiple_objects": 40,
}
"""Factor -> images of which it is the one that stands out most; 2 images have none."""
MULTI: Mapping[str, int] = {
    "pose": 39_974,
    "background": 35_537,
    "pattern": 15_478,
    "color": 13_034,
    "smaller": 2_873,
    "shape": 1_891,
    "partial_view": 1_500,
    "subcategory": 3_604,
    "texture": 879,
    "larger": 390,
    "darker": 512,
    "object_blocking": 217,
    "person_blocking": 105,
    "style": 586,
    "brighter": 94,
    "multiple_objects": 1_828,
}
"""Factor -> images that have it among others."""
FACTORS = tuple(TOP)
CLASS = "class"
WITHOUT = "without-prototypes"
"""Condition of the accuracy on all images that count here: that of the probe ``accuracy`` is on the prototypes too."""
BIASES: Mapping[str, tuple[str, ...]] = {factor: (f"error-ratio@{DATASET}/{factor}",) for factor in FACTORS}
"""Those of the usual table, as the suite `imagenet-x` defines them."""
PEOPLE = "human"
"""A row of the tables with ReaL labels: how often the original label is one of them."""
NOT_A_NETWORK = "decisions of people: they are shown beside networks, and enter no statistics over networks"
NO_ERROR = "undefined (no errors)"
_NAME = re.compile(r"(?P<factors>top|multi)-(?P<networks>\w+)-(?P<correct>class|real_class|metaclass)\.csv(\.gz)?")
_FOLDERS = re.compile(
    r"(?P<factors>top|multi)_factor/(?P<networks>\w+)/(?P<correct>class|real_class|metaclass)"
    r"/accuracies_per_factor\.csv(\.gz)?"
)
_WANTED = Wanted(
    "expected a table of facebookresearch/imagenetx, results/val",
    "harness import imagenet-x top-imagenet_testbed-class.csv.gz --out RUN",
)


class _Kind(NamedTuple):
    """Which table it is: ``top`` or ``multi``, whose networks, and what counts as correct."""

    factors: str
    networks: str
    correct: str

    @property
    def several(self) -> str:
        """What tells its ratios and biases from those of one factor an image; empty for these."""
        return "" if self.factors == "top" else f"-{self.factors}"

    @property
    def by(self) -> str:
        """What tells its datasets and biases from those by class; empty for these."""
        return "" if self.correct == CLASS else f"-{self.correct.removesuffix('_class')}"

    @property
    def images(self) -> Mapping[str, int]:
        return TOP if self.factors == "top" else MULTI


class ImageNetX(Importer):
    """``harness import imagenet-x top-imagenet_testbed-class.csv.gz --out RUN``."""

    name = "imagenet-x"
    url = "https://github.com/facebookresearch/imagenetx/tree/main/results/val"

    def read(self, path: Path) -> ImportedTable:
        """All networks of one table; their biases are the 16 error ratios.

        Raises:
            RequestError: the name does not say which table it is, a column is missing or twice, a network occurs twice,
                or a cell is no fraction, or no whole number of the images of its factor.
        """
        kind = _kind_of(path)
        rows = read_rows(path, ["model", *FACTORS, "worst_factor", "average", "worst_100_classes"], _WANTED)
        refuse_names(path, rows)
        dataset, ratio = f"{DATASET}{kind.by}", f"error-ratio{kind.several}"
        return ImportedTable(
            title=f"ImageNet-X, {kind.factors} factors, {kind.correct}, {kind.networks} (Idrissi et al., ICLR 2023)",
            source="github.com/facebookresearch/imagenetx, results/val; arXiv 2211.01866",
            license="CC BY-NC 4.0",
            models=tuple(_model(row, kind, f"{path}, row {line}") for line, row in rows),
            biases={f"{factor}{kind.several}{kind.by}": (f"{ratio}@{dataset}/{factor}",) for factor in FACTORS},
            axes={},
            probes={f"*@{DATASET}*": "accuracy"},
        )


def _kind_of(path: Path) -> _Kind:
    """Which table it is, by its name or by its folders. Raises RequestError if neither says it."""
    match = _NAME.fullmatch(path.name) or _FOLDERS.fullmatch("/".join(path.absolute().parts[-4:]))
    if match is None:
        raise RequestError(
            f"{path}: which of the tables this is, neither its name says (FACTORS-NETWORKS-CORRECT.csv or .csv.gz with "
            "FACTORS top or multi, and CORRECT class, real_class or metaclass) nor its folders "
            "(FACTORS_factor/NETWORKS/CORRECT/accuracies_per_factor.csv); rename it",
            remedy=_WANTED.remedy,
        )
    return _Kind(match["factors"], match["networks"], match["correct"])


def _model(row: Row, kind: _Kind, location: str) -> ImportedModel:
    name, dataset = row["model"].strip(), f"{DATASET}{kind.by}"
    accuracy = _accuracies(row, kind, f"{location} ({name})")
    error = 1 - accuracy["average"]
    measures = [
        _top1(accuracy["average"], IMAGES, WITHOUT),
        Measure(name="error", value=error, direction="lower", n=IMAGES),
        Measure(name="worst-100-classes-top1", value=accuracy["worst_100_classes"], direction="higher"),
        *(_top1(accuracy[factor], n, f"{factor}{kind.several}") for factor, n in kind.images.items()),
    ]
    ratios = [
        _ratio(f"error-ratio{kind.several}", factor, accuracy[factor], error, n) for factor, n in kind.images.items()
    ]
    ratios.append(_ratio(f"worst-factor{kind.several}", "", accuracy["worst_factor"], error, None))
    people = name == PEOPLE and kind.correct != CLASS
    return ImportedModel(
        name=name,
        group=None,
        measures={measure.full_name(dataset): measure for measure in [*measures, *([] if people else ratios)]},
        missing={measure.full_name(dataset): NOT_A_NETWORK for measure in ratios if people},
    )


def _top1(value: float, n: int, condition: str) -> Measure:
    return Measure(name="top1", condition=condition, value=value, direction="higher", n=n)


def _ratio(name: str, factor: str, accuracy: float, error: float, n: int | None) -> Measure:
    """(1 - accuracy on the images of a factor) / (1 - accuracy on all)."""
    value = (1 - accuracy) / error if error > 0 else None
    reason = None if error > 0 else NO_ERROR
    return Measure(name=name, condition=factor, value=value, unit="1", n=n, reason=reason)


def _accuracies(row: Row, kind: _Kind, location: str) -> dict[str, float]:
    """Column -> fraction. Raises RequestError for one that cannot be what its column says."""
    columns = (*FACTORS, "worst_factor", "average", "worst_100_classes")
    values = {column: number(row[column], 1.0, f"{location}: column {column}") for column in columns}
    for column, images in {**kind.images, "average": IMAGES}.items():
        if not is_count(row[column], images, 1.0):
            raise RequestError(
                f"{location}: column {column} has {shown(row[column])}, expected a whole number of the {images:,} "
                f"images of a table of {kind.factors} factors; is it another table? Name it as published"
            )
    worst = min(values[factor] for factor in FACTORS)
    if abs(values["worst_factor"] - worst) > 5e-4:
        raise RequestError(
            f"{location}: column worst_factor has {shown(row['worst_factor'])}, expected {worst:g}, the smallest of "
            "the factors; correct the table"
        )
    return values


@hookimpl
def harness_importers() -> list[Importer]:
    """The importer ``imagenet-x``."""
    return [ImageNetX()]
