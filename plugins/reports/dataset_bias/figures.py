"""The figures of the report ``dataset-bias``, made from its JSON-ready data alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness import Figure, Series

from .._groups import NO_GROUP
from .schema import DatasetBiasData, DatasetPlaces, ModelByPlace, SlopeEntry

MOST_CURVES = 8
"""With more models than this, curves are means of groups: more curves are indistinguishable."""


def all_figures(data: DatasetBiasData) -> list[Figure]:
    """Of each dataset ``histogram-DATASET``, then ``accuracy-ATTRIBUTE-DATASET``; a second one of a name has ``-2``."""
    return [figure for entry in data["datasets"] for figure in figures_of(data, entry)]


def figures_of(data: DatasetBiasData, entry: DatasetPlaces) -> list[Figure]:
    """The figures of one of the datasets."""
    same = [other for other in data["datasets"] if other["dataset"] == entry["dataset"]]
    turn = 1 + next(at for at, other in enumerate(same) if other is entry)
    name = entry["dataset"] if turn == 1 else f"{entry['dataset']}-{turn}"
    return [*_histogram(entry, name), *_curves(seen_by(data, entry), name)]


def seen_by(data: DatasetBiasData, entry: DatasetPlaces) -> list[ModelByPlace]:
    """The models that saw the images of a dataset."""
    return [m for m in data["models"] if m["dataset"] == entry["dataset"] and m["model"] in entry["models"]]


def _histogram(entry: DatasetPlaces, name: str) -> Iterator[Figure]:
    series = []
    for attribute in entry["attributes"]:
        bins = len(attribute["counts"])
        if attribute["n"] and (attribute["start"], attribute["end"]) == (0, 1):
            middles = tuple((at + 0.5) / bins for at in range(bins))
            shares = tuple(100 * count / attribute["n"] for count in attribute["counts"])
            series.append(Series(label=attribute["attribute"], x=middles, y=shares, line=True))
    if series:
        yield Figure(
            name=f"histogram-{name}",
            title=f"Where the objects of {entry['dataset']} are",
            x_label="fraction of the image's side",
            y_label="% of images",
            series=tuple(series),
        )


def _curves(models: Sequence[ModelByPlace], name: str) -> Iterator[Figure]:
    for attribute in dict.fromkeys(function["attribute"] for model in models for function in model["functions"]):
        curves: dict[str, list[SlopeEntry]] = {}
        grouped = len(models) > MOST_CURVES
        for model in models:
            if grouped and model.get("duplicate_of") is not None:
                continue  # a mean counts a model once
            label = (model["group"] or NO_GROUP) if grouped else model["model"]
            curves.setdefault(label, []).extend(f for f in model["functions"] if f["attribute"] == attribute)
        series = tuple(one for label, members in curves.items() if (one := _mean_curve(label, members)).x)
        if series:
            yield Figure(
                name=f"accuracy-{attribute}-{name}",
                title=f"Accuracy by {attribute}: {name}",
                x_label="degrees" if attribute == "tilt" else f"{attribute}, as a fraction of the image's side",
                y_label="top-1 (%)",
                series=series,
                note="Means of groups." if grouped else "",
            )


def _mean_curve(label: str, functions: Sequence[SlopeEntry]) -> Series:
    """Mean accuracy over the middles of the bins that all of `functions` have."""
    points = []
    for bins in zip(*(function["bins"] for function in functions), strict=True):
        values = [place["accuracy"] for place in bins if place["accuracy"] is not None]
        if len(values) == len(bins):
            points.append(((bins[0]["start"] + bins[0]["end"]) / 2, 100 * sum(values) / len(values)))
    return Series(label=label, x=tuple(x for x, _ in points), y=tuple(y for _, y in points), line=True)
