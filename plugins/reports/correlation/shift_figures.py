"""Accuracy and changes of decisions over the offset of a small shift, made from the report's JSON-ready data alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from harness import Figure, Series

from .curves import MOST_CURVES, curves_of, with_duplicates
from .schema import CorrelationData, ModelEntry

SHIFTED = re.compile(
    r"(?P<measure>top1|top1-change|top1-change-correct|mac)@(?P<dataset>[^/]+)/"
    r"(?P<kind>crop|(?:translate|rotate|scale|brightness)(?=-[0-9]{2}$))-(?P<offset>[0-9]+)"
)
"""Frames have two digits, unlike the severities of a corruption (``brightness-3``)."""
OFFSETS = {
    "crop": ("offset in pixels", "The crop moves down and to the right."),
    "translate": ("frame", "Each frame is one pixel farther to the right."),
    "rotate": ("frame", "Each frame is turned one degree farther, clockwise."),
    "scale": ("frame", "Each frame is larger by 2.5 % of the image's size."),
    "brightness": ("frame", "Each frame is brighter by 0.02 of the range."),
}
"""Kind -> name of the x axis, and what one step on it is."""
PANELS = {
    "top1": "accuracy at each offset",
    "top1-change": "decisions that change to the next offset",
    "top1-change-correct": "the same among the images that are right",
    "mac": "mean absolute change of the probability to the next offset",
}
Shifts = dict[tuple[str, str], dict[str, dict[float, str]]]
"""(kind, dataset) -> measure -> offset -> full name of the measure."""


def shift_figures(data: CorrelationData, *, each: bool = False) -> Iterator[Figure]:
    """``shift-<kind>-<dataset>``, with a panel for each measure; `each`: every model by itself."""
    models = with_duplicates(data, each=each)
    for (kind, dataset), measures in _shifts(models).items():
        series = tuple(one for name, of in measures.items() for one in _panel(data, models, name, of, each=each))
        if series:
            x_label, step = OFFSETS[kind]
            means = len(models) > MOST_CURVES and not each
            yield Figure(
                name=f"shift-{kind}-{dataset}",
                title=f"Small shifts, {kind}: {dataset}",
                x_label=x_label,
                y_label="fraction",
                series=series,
                note=f"{step} Means of groups." if means else step,
            )


def _shifts(models: Sequence[ModelEntry]) -> Shifts:
    """Measures at two or more offsets, the measures in the order of `PANELS`."""
    shifts: Shifts = {}
    for full_name in dict.fromkeys(name for model in models for name in model["measures"]):
        if match := SHIFTED.fullmatch(full_name):
            of_kind = shifts.setdefault((match["kind"], match["dataset"]), {})
            of_kind.setdefault(match["measure"], {})[float(match["offset"])] = full_name
    return {
        place: {name: dict(sorted(measures[name].items())) for name in PANELS if len(measures.get(name, {})) > 1}
        for place, measures in shifts.items()
    }


def _panel(
    data: CorrelationData, models: Sequence[ModelEntry], name: str, offsets: dict[float, str], *, each: bool
) -> Iterator[Series]:
    yield from curves_of(data, models, offsets, each=each, panel=PANELS[name])
