"""Accuracies of 338 networks under 213 distribution shifts: the ImageNet testbed.

Taori, Dave, Shankar, Carlini, Recht, Schmidt: "Measuring Robustness to Natural Distribution Shifts in Image
Classification" (NeurIPS 2020), the table of top-1 accuracies of modestyachts/imagenet-testbed (MIT), in percent.

Settings that are datasets here have their names: ``val`` is ``top1@imagenet``, ``imagenet-c.fog.3_on-disk`` is
``top1@imagenet-c/fog-3``, ``imagenet-vid-robust_pm10`` is ``pm10@vid-robust``. All others keep their own as conditions
of ``testbed``: ``top1@testbed/objectnet-1.0-beta``. ``top1@imagenet-c`` and ``top1@imagenet-c-15`` are means over the
published files of 19 and of 15 corruptions. In-memory corruptions are other images than the published files.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness import (
    ImportedModel,
    ImportedTable,
    Importer,
    Measure,
    RequestError,
    StatisticsPlan,
    hookimpl,
)

from ..datasets.imagenet_c import ALL, USUAL
from ._columns import Meaning, refuse_other_units
from ._tables import Lines, Row, Wanted, is_count, number, read_rows, refuse_names, shown

ABSENT = "not in the published table"
MEAN = "note: mean of the published accuracies under all severities of all corruptions; n counts images"
OWN: Mapping[str, tuple[str, str]] = {
    "val": ("top1", "imagenet"),
    "imagenetv2-matched-frequency-format-val": ("top1", "imagenet-v2"),
    "imagenet-sketch": ("top1", "imagenet-sketch"),
    "imagenet-r": ("top1", "imagenet-r"),
    "imagenet-a": ("top1", "imagenet-a"),
    "imagenet-vid-robust_pm0": ("pm0", "vid-robust"),
    "imagenet-vid-robust_pm10": ("pm10", "vid-robust"),
    "ytbb-robust_pm0": ("pm0", "ytbb-robust"),
    "ytbb-robust_pm10": ("pm10", "ytbb-robust"),
}
"""Setting -> measure and dataset, where that is not ``top1@testbed/SETTING``."""
IMAGES: Mapping[str, int] = {
    **dict.fromkeys(("val", "greyscale", "stylized_imagenet"), 50_000),
    **dict.fromkeys(("pgd.l2.eps0.1", "pgd.l2.eps0.5", "pgd.linf.eps0.5", "pgd.linf.eps2"), 50_000),
    **dict.fromkeys(("imagenetv2-matched-frequency", "imagenetv2-matched-frequency-format-val"), 10_000),
    **dict.fromkeys(("imagenetv2-threshold-0.7-format-val", "imagenetv2-threshold0.7"), 10_000),
    **dict.fromkeys(("imagenetv2-top-images-format-val", "imagenetv2-topimages"), 10_000),
    **dict.fromkeys(("val-on-imagenet-a-classes", "val-on-imagenet-r-classes"), 10_000),
    **dict.fromkeys(("imagenet-vid-robust_pm0", "imagenet-vid-robust_pm10"), 1_109),
    **dict.fromkeys(("ytbb-robust_pm0", "ytbb-robust_pm10"), 2_030),
    **dict.fromkeys(("val_subsampled_class_1_8", "val-on-objectnet-classes"), 6_250),
    "imagenetv2-matched-frequency-format-val_subsampled_class_1_8": 1_250,
    "imagenet-a": 7_500,
    "imagenet-r": 30_000,
    "imagenet-sketch": 50_889,
    "objectnet-1.0-beta": 18_514,
    "val-on-vid-robust-classes": 14_400,
    "val-on-ytbb-robust-classes": 11_550,
}
"""Setting -> images: every published accuracy is a whole number of so many; of ImageNet-C of `OF_CORRUPTION`."""
OF_CORRUPTION = 50_000
AXES: Mapping[str, tuple[str, ...]] = {
    "ID": ("top1@imagenet",),
    "V2": ("top1@imagenet-v2",),
    "Sketch": ("top1@imagenet-sketch",),
    "R": ("top1@imagenet-r",),
    "A": ("top1@imagenet-a",),
    "C": ("top1@imagenet-c",),
    "ObjectNet": ("top1@testbed/objectnet-1.0-beta",),
    "Stylized": ("top1@testbed/stylized_imagenet",),
    "Video": ("pm10@vid-robust",),
    "PGD": ("top1@testbed/pgd.linf.eps2",),
}
"""Those that the suite `imagenet-x` has too are the same there."""
STATISTICS = StatisticsPlan(controls=("ID",))
NEEDED = ("model", "val", "imagenetv2-matched-frequency-format-val")
_CORRUPTED = re.compile(r"imagenet-c\.(?P<corruption>[a-z_]+)\.(?P<severity>[1-5])_(?P<where>on-disk|in-memory)")
_SETTING = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
_WANTED = Wanted(
    "expected the top-1 accuracies of modestyachts/imagenet-testbed, one row for each network",
    "harness import imagenet-testbed testbed_robustness_top1s.csv.gz --out RUN",
)


class ImageNetTestbed(Importer):
    """``harness import imagenet-testbed testbed_robustness_top1s.csv.gz --out RUN``."""

    name = "imagenet-testbed"
    url = "https://github.com/modestyachts/imagenet-testbed"

    def read(self, path: Path) -> ImportedTable:
        """All networks in all settings; an empty cell is missing with the reason.

        Raises:
            RequestError: a column is missing or twice, a network occurs twice, or a cell is no percentage, no whole
                number of the images of its setting, or of another unit than its column.
        """
        rows = read_rows(path, NEEDED, _WANTED)
        refuse_names(path, rows)
        settings = [column for column in rows[0][1] if column != "model"]
        _refuse_settings(path, settings)
        models = tuple(_model(row, settings, f"{path}, row {line}") for line, row in rows)
        _refuse_units(path, rows, settings)
        return ImportedTable(
            title="Accuracies of the ImageNet testbed (Taori et al., NeurIPS 2020)",
            source="github.com/modestyachts/imagenet-testbed; arXiv 2007.00644",
            license="MIT",
            models=models,
            biases={},
            axes=AXES,
            statistics=STATISTICS,
            probes={"pm*@*": "consecutive-frames", "top1@*": "accuracy"},
        )


def _refuse_settings(path: Path, settings: list[str]) -> None:
    """Raise RequestError for a column whose name cannot be that of a condition."""
    odd = [setting for setting in settings if not _SETTING.fullmatch(setting)]
    if odd:
        problem = f"{path} has a column {shown(odd[0])}, expected a setting in letters, digits and . _ + -"
        raise RequestError(f"{problem}; rename or delete it", remedy=_WANTED.remedy)


def _model(row: Row, settings: list[str], location: str) -> ImportedModel:
    name = row["model"].strip()
    measures: dict[str, Measure] = {}
    missing: dict[str, str] = {}
    for setting in settings:
        measure, dataset = _measure(setting, row[setting].strip(), f"{location} ({name}): column {setting}")
        if measure.value is None:
            missing[measure.full_name(dataset)] = ABSENT
        else:
            measures[measure.full_name(dataset)] = measure
    for dataset, mean in _means(measures):
        measures[mean.full_name(dataset)] = mean
    return ImportedModel(name=name, group=None, measures=measures, missing=missing)


def _measure(setting: str, text: str, place: str) -> tuple[Measure, str]:
    """The measure of one cell, whose value is None where the cell is empty, and its dataset."""
    name, dataset, condition = _named(setting)
    images = OF_CORRUPTION if setting.startswith("imagenet-c.") else IMAGES.get(setting)
    value = number(text, 100.0, place) / 100 if text else None
    if text and images and not is_count(text, images, 100.0):
        problem = f"{place} has {shown(text)}, expected a percentage that is a whole number of {images:,} images"
        raise RequestError(f"{problem}; is it a fraction? Correct the table")
    reason = ABSENT if value is None else None
    measure = Measure(name=name, condition=condition, value=value, direction="higher", n=images, reason=reason)
    return measure, dataset


def _named(setting: str) -> tuple[str, str, str]:
    """Measure, dataset and condition of a setting."""
    corrupted = _CORRUPTED.fullmatch(setting)
    if setting in OWN:
        return (*OWN[setting], "")
    if corrupted and corrupted["where"] == "on-disk" and corrupted["corruption"] in ALL:
        return "top1", "imagenet-c", f"{corrupted['corruption']}-{corrupted['severity']}"
    return "top1", "testbed", setting


def _means(measures: Mapping[str, Measure]) -> Iterator[tuple[str, Measure]]:
    """(dataset, mean accuracy) of each of the two ImageNet-C that this network has been measured on completely."""
    for dataset, corruptions in (("imagenet-c", ALL), ("imagenet-c-15", USUAL)):
        names = [f"top1@imagenet-c/{corruption}-{severity}" for corruption in corruptions for severity in range(1, 6)]
        values = [one.value for name in names if (one := measures.get(name)) and one.value is not None]
        if len(values) == len(names):
            mean = math.fsum(values) / len(values)
            yield dataset, Measure(name="top1", value=mean, direction="higher", n=OF_CORRUPTION, flags=(MEAN,))


def _refuse_units(path: Path, rows: Lines, settings: list[str]) -> None:
    """Raise RequestError for a fraction among percentages."""
    columns = {
        setting: {
            f"{path}, row {line} ({row['model'].strip()})": float(row[setting])
            for line, row in rows
            if row[setting].strip()
        }
        for setting in settings
    }
    plain = ("val", "imagenetv2-matched-frequency-format-val")
    meaning = Meaning(
        clean="val", harder=plain[1:], hard=[name for name in settings if name not in plain], images={}, relative=()
    )
    refuse_other_units(columns, {}, meaning)


@hookimpl
def harness_importers() -> list[Importer]:
    """The importer ``imagenet-testbed``."""
    return [ImageNetTestbed()]
