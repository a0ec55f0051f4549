"""The measures of ``layer-shiftability``, from its stored arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from harness import Measure, Trials, statistics

ALIAS: Final = "layer-alias"
VARIANCE: Final = "gap-variance"
STRIDE: Final = "stride"
MEANS: Final = "channel-means"
"""Arrays of each sample and condition: (layers,), and of the last (layers, channels of one condition)."""
VARIATION: Final = "gap-variation"
UNITS: Final = {ALIAS: "fraction", VARIATION: "1"}
ROUNDING: Final = 1e-12
"""Variance over images, beside the square of the means, below which float32 has rounded it."""
PART: Final = 4096
"""Rows whose means of channels are in memory at a time."""


def depth_measures(trials: Trials, last: str, named: Sequence[str]) -> Iterator[Measure]:
    """``layer-alias`` and ``gap-variation``: each as the mean over all stages, then of each layer (``stage-1`` …).

    Args:
        last: the condition of the last roll along the diagonal, under which the variance is that over all rolls.
        named: layers that are no stages, but have been asked for by name; measures of them have that name.
    """
    stored = {ALIAS, VARIANCE, MEANS, STRIDE} <= trials.arrays.keys() and trials.layers and len(trials.correct)
    places = _places(trials, named) if stored else {}
    if not places:
        reason = "no layer has fewer places than the image has pixels" if stored else "no activations are stored"
        yield from (_undefined(name, "", reason) for name in (ALIAS, VARIATION))
        return
    for of_layers in (list(_aliases(trials, places)), list(_variations(trials, places, last))):
        if of_stages := [measure for measure in of_layers if measure.condition not in named]:
            yield _mean(of_stages)
        yield from of_layers


def _places(trials: Trials, named: Sequence[str]) -> dict[str, int]:
    """Condition of a measure -> place of a layer in the arrays.

    A stage has the number of times that the sides have been halved, so that the same number means the same in all
    networks; of several such layers the last counts. What has the resolution of the image is no stage yet.
    """
    places: dict[str, int] = {}
    for place, layer in enumerate(trials.layers):
        stride = float(trials.array(STRIDE, 0, 1)[0, 0, place])
        if layer in named:
            places[layer] = place
        elif stride >= math.sqrt(2):
            places[f"stage-{round(math.log2(stride))}"] = place
    return places


def _aliases(trials: Trials, places: Mapping[str, int]) -> Iterator[Measure]:
    """The mean over images of each layer, whose share stands under one condition."""
    shares = trials.array(ALIAS)
    for condition, place in places.items():
        values = shares[:, np.isfinite(shares[:, :, place]).any(axis=0), place].astype(float)
        if values.size:
            yield _ratio(ALIAS, condition, values[:, 0], np.ones(len(values)), trials.repeats)
        else:
            layer = trials.layers[place]
            reason = f"{layer} has no square map of which rolls by half a stride are measured, or only constant ones"
            yield _undefined(ALIAS, condition, reason)


def _variations(trials: Trials, places: Mapping[str, int], last: str) -> Iterator[Measure]:
    """The root of a variance over rolls divided by one over images, of each layer."""
    over_rolls = trials.array(VARIANCE)[:, trials.column(last)].astype(float)
    over_images, squares = _over_images(trials)
    for condition, place in places.items():
        moved, spread, layer = over_rolls[:, place], over_images[:, place], trials.layers[place]
        if not np.isfinite(spread).any():
            yield _undefined(VARIATION, condition, f"{layer} has no map that is about square, or no finite one")
        elif np.nanmean(spread) <= ROUNDING * squares[place]:
            yield _undefined(VARIATION, condition, f"the means of {layer} are the same for all images")
        else:
            yield _rooted(_ratio(VARIATION, condition, moved, spread, trials.repeats))


def _over_images(trials: Trials) -> tuple[np.ndarray, np.ndarray]:
    """Mean over channels of the squared distance of each image's means to those of all, (N, layers), and of the latter.

    Channels that no image has are no channels; an image that lacks others, which were not finite, is NaN.
    """
    n = len(trials.correct)
    parts = [(low, min(low + PART, n)) for low in range(0, n, PART)]
    totals = [
        (np.nansum(part, axis=0), np.isfinite(part).sum(axis=0)) for part in (_means(trials, *at) for at in parts)
    ]
    counts = sum(count for _, count in totals)
    centre = sum(total for total, _ in totals) / np.where(counts, counts, np.nan)
    channels = np.isfinite(centre).sum(axis=1)
    distances = [
        np.where(counts > 0, (_means(trials, *at) - centre) ** 2, 0).sum(axis=2) / np.where(channels, channels, np.nan)
        for at in parts
    ]
    return np.concatenate(distances), np.nansum(centre**2, axis=1) / np.maximum(channels, 1)


def _means(trials: Trials, low: int, high: int) -> np.ndarray:
    """Means of channels (high - low, layers, channels), put together from the conditions."""
    parts = trials.array(MEANS, low, high)[:, :, : len(trials.layers)].astype(float)
    return parts.transpose(0, 2, 1, 3).reshape(len(parts), len(trials.layers), -1)


def _ratio(name: str, condition: str, totals: np.ndarray, weights: np.ndarray, repeats: int) -> Measure:
    """sum(totals) / sum(weights) over rows, with an interval over images; rows without a number are left out."""
    known = np.isfinite(totals) & np.isfinite(weights)
    rows = [np.where(known, values, 0).reshape(-1, repeats).sum(axis=1) for values in (totals, weights)]
    low, high = statistics.cluster_interval(*rows)
    missing = len(known) - int(known.sum())
    return Measure(
        name=name,
        condition=condition,
        value=math.fsum(rows[0]) / math.fsum(rows[1]),
        unit=UNITS[name],
        direction="lower",
        low=None if low is None else max(low, 0.0),
        high=high,
        n=int(known.sum()),
        flags=(f"{missing:,} of {len(known):,} trials left out: maps that are constant or not finite",) * (missing > 0),
        by_image=True,
    )


def _rooted(measure: Measure) -> Measure:
    ends = (None if end is None else math.sqrt(end) for end in (measure.value, measure.low, measure.high))
    value, low, high = ends
    return replace(measure, value=value, low=low, high=high)


def _mean(stages: Sequence[Measure]) -> Measure:
    """The mean over stages, undefined if one is; half-widths of intervals add linearly, since stages share images.

    A stage whose images do not differ has no interval, and adds nothing to that of the mean.
    """
    values = [stage.value for stage in stages if stage.value is not None]
    if len(values) < len(stages):
        reason = next(stage.reason for stage in stages if stage.value is None)
        return _undefined(stages[0].name, "", reason or "")
    ends: list[float | None] = [None, None]
    if any(stage.low is not None for stage in stages):
        pairs = zip(stages, values, strict=True)
        bounds = [(value, value) if stage.low is None else (stage.low, stage.high or value) for stage, value in pairs]
        ends = [math.fsum(of_end) / len(stages) for of_end in zip(*bounds, strict=True)]
    low, high = ends
    flags = tuple(f"{stage.condition}: {flag}" for stage in stages for flag in stage.flags)
    n, value = min(stage.n or 0 for stage in stages), math.fsum(values) / len(values)
    return replace(stages[0], condition="", value=value, low=low, high=high, n=n, flags=flags)


def _undefined(name: str, condition: str, reason: str) -> Measure:
    return Measure(name=name, value=None, condition=condition, unit=UNITS[name], direction="lower", reason=reason)
