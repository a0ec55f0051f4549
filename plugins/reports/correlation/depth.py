"""The figures of what is measured in every stage of a network, made from the report's JSON-ready data alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness import Figure, Series

from .curves import MOST_CURVES, curves_of, with_duplicates
from .schema import CorrelationData, ModelEntry

STAGE = re.compile(r"(?P<name>gap-variation|layer-alias)@(?P<dataset>[^/]+)/stage-(?P<number>[0-9]+)")
TITLES = {
    "gap-variation": "How far shifts change the averages of each stage",
    "layer-alias": "How much of each stage is aliased",
}
DEPTH = "stage (how often the sides are halved)"
Stages = dict[str, dict[str, dict[float, str]]]
"""Dataset -> measure -> number of the stage -> full name of the measure."""


def depth_figures(data: CorrelationData, *, each: bool = False) -> Iterator[Figure]:
    """``gap-variation-<dataset>`` and ``layer-alias-<dataset>`` of all models, then ``depth-<dataset>-<model>``.

    Args:
        each: every model by itself in the figures of all models, and no further figures.
    """
    models = with_duplicates(data, each=each)
    for dataset, measures in _stages(models).items():
        for name, numbers in measures.items():
            series = curves_of(data, models, numbers, each=each)
            if series:
                note = "Means of groups." if len(models) > MOST_CURVES and not each else ""
                yield _figure(f"{name}-{dataset}", f"{TITLES[name]}: {dataset}", series, name, note)
    for model in () if each else data["models"]:
        for dataset, measures in _stages([model]).items():
            drawn = tuple(_curve(model, name, numbers) for name, numbers in measures.items())
            if series := tuple(curve for curve in drawn if curve.x):
                title = f"Stages of {model['name']} under shifts: {dataset}"
                yield _figure(f"depth-{dataset}-{model['name']}", title, series, ", ".join(one.label for one in series))


def _stages(models: list[ModelEntry]) -> Stages:
    """The stages of which any of `models` has a measure, in their order."""
    stages: Stages = {}
    for full_name in dict.fromkeys(name for model in models for name in model["measures"]):
        if match := STAGE.fullmatch(full_name):
            of_dataset = stages.setdefault(match["dataset"], {})
            of_dataset.setdefault(match["name"], {})[float(match["number"])] = full_name
    return {
        dataset: {name: dict(sorted(numbers.items())) for name, numbers in sorted(measures.items())}
        for dataset, measures in stages.items()
    }


def _curve(model: ModelEntry, name: str, numbers: dict[float, str]) -> Series:
    points = [(number, model["measures"].get(full_name)) for number, full_name in numbers.items()]
    known = [(number, value) for number, value in points if value is not None]
    return Series(label=name, x=tuple(number for number, _ in known), y=tuple(value for _, value in known), line=True)


def _figure(name: str, title: str, series: tuple[Series, ...], y_label: str, note: str = "") -> Figure:
    return Figure(name=name, title=title, x_label=DEPTH, y_label=y_label, series=series, note=note)
