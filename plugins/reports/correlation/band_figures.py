"""The critical band of each network: thresholds of its frequency bands and the channel that is fitted to them.

Made from the report's JSON-ready data alone. The probe ``critical-band`` says what the numbers are; its measures give
the channel back: amplitude log2(peak noise sensitivity) + 4, centre in cycles per image, full width in octaves.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from harness import Figure, Series

from .curves import MOST_CURVES, by_label, comparable, name_of, with_duplicates
from .schema import CorrelationData, ModelEntry

THRESHOLD = re.compile(r"critical-band-threshold@(?P<dataset>[^/]+)/f(?P<band>[0-9]+)")
PARAMETERS = ("peak-noise-sensitivity", "center-frequency", "bandwidth")
LEVELS = 4
"""Threshold of a band in which no noise is tolerated."""
FULL_WIDTH = 2 * math.sqrt(math.log(4))
"""Full width at half maximum of a Gaussian, in standard deviations."""
A_BAND = 4
"""Points of a fitted curve in each octave."""


@dataclass(frozen=True)
class _Bands:
    """One model on one dataset.

    Attributes:
        frequencies: (L,) of the bands, in cycles per image. thresholds: (L,) 0 to 4.
        fit: (amplitude, centre in cycles per image, width in octaves) of the channel; None where there is none, or its
            centre is so low that it is stored as 0.
    """

    frequencies: tuple[float, ...]
    thresholds: tuple[float, ...]
    fit: tuple[float, float, float] | None

    @property
    def points(self) -> Iterator[tuple[float, float]]:
        """(frequency, threshold) of each band."""
        return zip(self.frequencies, self.thresholds, strict=True)

    def channel(self, frequency: float) -> float:
        """The fitted threshold at a frequency in cycles per image."""
        amplitude, center, width = self.fit or (0.0, 1.0, 1.0)
        return amplitude * math.exp(-(math.log2(frequency / center) ** 2) / (2 * width**2))


def band_figures(data: CorrelationData, *, each: bool = False) -> Iterator[Figure]:
    """``critical-band-<dataset>``; `each`: every model by itself, whose label is its group."""
    models = with_duplicates(data, each=each)
    for dataset, numbers in _datasets(models).items():
        bands = {model["name"]: own for model in models if (own := _bands(data, model, dataset, numbers))}
        having = [model for model in models if model["name"] in bands]
        means = len(having) > MOST_CURVES and not each
        series = tuple(_means(data, having, bands) if means else _curves(data, having, bands, each=each))
        if series:
            yield Figure(
                name=f"critical-band-{dataset}",
                title=f"Critical band: thresholds and fitted channel: {dataset}",
                x_label="frequency of the noise, in cycles per image",
                y_label="threshold, 0 to 4",
                series=series,
                note="\n".join(_notes(having, bands, means=means)),
                log_x=True,
            )


def _datasets(models: Sequence[ModelEntry]) -> dict[str, list[int]]:
    """Dataset -> numbers of the bands that any model has."""
    datasets: dict[str, set[int]] = {}
    for name in dict.fromkeys(name for model in models for name in model["measures"]):
        if match := THRESHOLD.fullmatch(name):
            datasets.setdefault(match["dataset"], set()).add(int(match["band"]))
    return {dataset: sorted(numbers) for dataset, numbers in datasets.items()}


def _bands(data: CorrelationData, model: ModelEntry, dataset: str, numbers: Sequence[int]) -> _Bands | None:
    """None where a threshold is undefined or of another protocol, or nobody says how large the images are."""
    names = [f"critical-band-threshold@{dataset}/f{number}" for number in numbers]
    names = [name for name in names if name in model["measures"]]
    thresholds = [value for name in names if (value := comparable(model, name)) is not None]
    size = _size(data, model, f"critical-band@{dataset}")
    if size is None or not thresholds or len(thresholds) < len(names):
        return None
    first = size / 2 ** len(names)
    frequencies = tuple(first * 2**band for band in range(len(names)))
    return _Bands(frequencies, tuple(thresholds), _fit(model, dataset))


def _size(data: CorrelationData, model: ModelEntry, task: str) -> float | None:
    """Side of the stimuli in pixels, in a run that the model is from."""
    names = {model["run"], *model["run"].split(" + ")}
    runs = [run for run in data["provenance"] if {run.get("run"), run.get("label")} & names]
    return next((stated["tasks"][task]["size"] for stated in runs if task in stated.get("tasks", {})), None)


def _fit(model: ModelEntry, dataset: str) -> tuple[float, float, float] | None:
    peak, center, width = (comparable(model, f"critical-band-{name}@{dataset}") for name in PARAMETERS)
    if not peak or not center or not width or min(peak, center, width) <= 0:
        return None
    return math.log2(peak) + LEVELS, center, width / FULL_WIDTH


def _curves(
    data: CorrelationData, models: Sequence[ModelEntry], bands: dict[str, _Bands], *, each: bool
) -> Iterator[Series]:
    """The thresholds of each label together, and then a curve for each of its models."""
    labels = by_label(data, models) if each else {name_of(model): [model] for model in models}
    for label, members in labels.items():
        points = [(x, y, model["name"]) for model in members for x, y in bands[model["name"]].points]
        x, y, names = zip(*points, strict=True)
        yield Series(label=label, x=x, y=y, names=names, style="open")
        for model in members:
            own = bands[model["name"]]
            if own.fit:
                fine = _fine(own.frequencies)
                names = (model["name"],) * len(fine)
                yield Series(label=label, x=fine, y=tuple(map(own.channel, fine)), names=names, line=True)


def _means(data: CorrelationData, models: Sequence[ModelEntry], bands: dict[str, _Bands]) -> Iterator[Series]:
    """Of each group whose models have the same bands."""
    for label, members in by_label(data, models).items():
        own = [bands[model["name"]] for model in members]
        if len({of.frequencies for of in own}) == 1:
            frequencies = own[0].frequencies
            means = [fmean(values) for values in zip(*(of.thresholds for of in own), strict=True)]
            yield Series(label=label, x=frequencies, y=tuple(means), style="open")
            fitted, fine = [of for of in own if of.fit], _fine(frequencies)
            if fitted:
                y = tuple(fmean(of.channel(at) for of in fitted) for at in fine)
                yield Series(label=label, x=fine, y=y, line=True)


def _fine(frequencies: Sequence[float]) -> tuple[float, ...]:
    """From the lowest to the highest frequency, `A_BAND` steps an octave."""
    return tuple(frequencies[0] * 2 ** (at / A_BAND) for at in range(A_BAND * (len(frequencies) - 1) + 1))


def _notes(models: Sequence[ModelEntry], bands: dict[str, _Bands], *, means: bool) -> Iterator[str]:
    yield "Threshold 4: no noise is tolerated in this band; 0: the strongest is."
    yield "Open: thresholds of the bands; joined: the Gaussian that is fitted to them, over octaves."
    if means:
        yield "Means of groups."
    unfitted = [model["name"] for model in models if bands[model["name"]].fit is None]
    if unfitted:
        listed = ", ".join(unfitted) if len(unfitted) <= MOST_CURVES else f"{len(unfitted)} models"
        yield f"Without a curve, since no channel fits, or its centre is at 0: {listed}."
