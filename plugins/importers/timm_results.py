"""The accuracies that timm publishes of its networks: ``results/results-*.csv`` of pytorch-image-models.

Wightman: PyTorch Image Models (github.com/huggingface/pytorch-image-models, Apache-2.0). Columns ``model, top1,
top1_err, top5, top5_err, param_count, img_size, crop_pct, interpolation``, in percent; the tables of other images than
ImageNet's have differences to it behind them, which are not read. Which images they are, the file's name says alone.

Every network is measured at an image size, crop and interpolation of its own: other numbers than in a study that has
one for all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from harness import ImportedModel, ImportedTable, Importer, Measure, RequestError, hookimpl

from ._tables import Row, Wanted, number, read_rows, refuse_names

SETS: Mapping[str, tuple[str, str, int]] = {
    "imagenet": ("imagenet", "", 50_000),
    "imagenet-real": ("imagenet-real", "", 46_837),
    "imagenetv2-matched-frequency": ("imagenet-v2", "", 10_000),
    "sketch": ("imagenet-sketch", "", 50_889),
    "imagenet-r": ("imagenet-r", "", 30_000),
    "imagenet-a": ("imagenet-a", "", 7_500),
    "imagenet-r-clean": ("timm", "imagenet-r-clean", 10_000),
    "imagenet-a-clean": ("timm", "imagenet-a-clean", 10_000),
}
"""Middle of the file's name -> dataset, condition and number of images; the last two are images of ImageNet in the 200
classes of ImageNet-R and ImageNet-A, for which there is no dataset here."""
AXES: Mapping[str, str] = {
    "imagenet": "ID",
    "imagenet-real": "ReaL",
    "imagenet-v2": "V2",
    "imagenet-sketch": "Sketch",
    "imagenet-r": "R",
    "imagenet-a": "A",
}
"""Dataset -> the axis that its accuracy is; as of the importer ``imagenet-testbed``."""
OWN_SIZE = "note: each network at timm's own image size, crop and interpolation for it"
ROUNDING = 0.0021
"""Percent: accuracy and error are rounded to three decimals each."""
_NAME = re.compile(r"results-(?P<images>[a-z0-9-]+)\.csv(\.gz)?")
_WANTED = Wanted(
    "expected results/results-*.csv of huggingface/pytorch-image-models",
    "harness import timm results-imagenet.csv --out RUN",
)


class TimmResults(Importer):
    """``harness import timm results-imagenet.csv --out RUN``."""

    name = "timm"
    url = "https://github.com/huggingface/pytorch-image-models/tree/main/results"

    def read(self, path: Path) -> ImportedTable:
        """Top-1 and top-5 accuracies of all networks on the images that the file's name says.

        Raises:
            RequestError: the name says none of timm's sets, a column is missing or twice, a network occurs twice, or
                accuracy and error of a network are no percentages that go together.
        """
        dataset, condition, images = _set_of(path)
        rows = read_rows(path, ("model", "top1", "top1_err", "top5", "top5_err"), _WANTED)
        refuse_names(path, rows)
        models = [_model(row, (dataset, condition, images), f"{path}, row {line}") for line, row in rows]
        return ImportedTable(
            title=f"timm's accuracies on {condition or dataset}",
            source="github.com/huggingface/pytorch-image-models, results",
            license="Apache-2.0",
            models=tuple(models),
            biases={},
            axes={AXES[dataset]: (f"top1@{dataset}",)} if dataset in AXES else {},
            probes={"top*@*": "accuracy"},
        )


def _set_of(path: Path) -> tuple[str, str, int]:
    match = _NAME.fullmatch(path.name)
    if match is None or match["images"] not in SETS:
        raise RequestError(
            f"{path}: its name does not say which images these are; expected results-SET.csv or .csv.gz with SET one "
            f"of {', '.join(SETS)}; rename it",
            remedy=_WANTED.remedy,
        )
    return SETS[match["images"]]


def _model(row: Row, images: tuple[str, str, int], location: str) -> ImportedModel:
    dataset, condition, n = images
    name = row["model"].strip()
    values = {key: _percent(row, key, f"{location} ({name})") for key in ("top1", "top5")}
    if values["top1"] > values["top5"]:
        problem = f"{location} ({name}): top1 is {values['top1']:g} and top5 {values['top5']:g}"
        raise RequestError(f"{problem}, expected top5 to be at least top1; correct the table")
    measures = [
        Measure(name=key, condition=condition, value=value / 100, direction="higher", n=n, flags=(OWN_SIZE,))
        for key, value in values.items()
    ]
    return ImportedModel(name=name, group=None, measures={one.full_name(dataset): one for one in measures})


def _percent(row: Row, key: str, location: str) -> float:
    """An accuracy in percent, which the error beside it completes to 100."""
    accuracy, error = (number(row[column], 100.0, f"{location}: column {column}") for column in (key, f"{key}_err"))
    if abs(accuracy + error - 100) > ROUNDING:
        problem = f"{location}: {key} {accuracy:g} and {key}_err {error:g} add up to {accuracy + error:g}"
        raise RequestError(f"{problem}, expected percentages that add up to 100; correct the table")
    return accuracy


@hookimpl
def harness_importers() -> list[Importer]:
    """The importer ``timm``."""
    return [TimmResults()]
