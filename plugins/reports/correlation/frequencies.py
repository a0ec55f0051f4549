"""The heat maps of what one spatial frequency does to each network, made from the report's JSON-ready data alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

from harness import Figure, HeatMap

from .curves import by_label
from .schema import CorrelationData, ModelEntry

ADDED = re.compile(
    r"error-increase@(?P<dataset>[^/]+)/fourier-(?:(?P<radius>[0-9.]+)-(?P<angle>[0-9]+)|(?P<down>[0-9]+)_(?P<right>-?[0-9]+))"
)
MOST_MAPS = 9
"""With more models than this, maps are means of groups."""
Cells = Mapping[tuple[str, str], str]
"""(row, column) -> full name of the measure."""


def frequency_figures(data: CorrelationData) -> Iterator[Figure]:
    """``fourier-<dataset>``, and ``fourier-full-<dataset>`` of a map of all frequencies around zero."""
    every = data["models"]
    models = every if len(every) <= MOST_MAPS else [model for model in every if model.get("duplicate_of") is None]
    for dataset, matches in _by_dataset(models).items():
        for full in (False, True):
            chosen = [match for match in matches if bool(match["down"]) == full]
            cells = _square(chosen) if full else _polar(chosen)
            maps = tuple(_maps(data, models, cells)) if cells else ()
            if maps:
                yield Figure(
                    name=f"fourier-{'full-' if full else ''}{dataset}",
                    title=f"What one spatial frequency adds to the error: {dataset}",
                    x_label="cycles to the right" if full else "radius, in cycles (of 0° and 90°)",
                    y_label="cycles down" if full else "direction",
                    maps=maps,
                    map_label="increase of the top-1 error",
                    note="Means of groups." if len(models) > MOST_MAPS else "",
                )


def _by_dataset(models: Sequence[ModelEntry]) -> dict[str, list[re.Match[str]]]:
    matches: dict[str, list[re.Match[str]]] = {}
    for name in dict.fromkeys(name for model in models for name in model["measures"]):
        if match := ADDED.fullmatch(name):
            matches.setdefault(match["dataset"], []).append(match)
    return matches


def _polar(matches: Sequence[re.Match[str]]) -> dict[tuple[str, str], str]:
    """Directions as rows, largest first; the n-th radius of a direction as the n-th column."""
    by_angle: dict[int, list[re.Match[str]]] = {}
    for match in matches:
        by_angle.setdefault(int(match["angle"]), []).append(match)
    ordered = {angle: sorted(own, key=lambda match: float(match["radius"])) for angle, own in by_angle.items()}
    names = [match["radius"] for match in ordered.get(0, next(iter(ordered.values()), []))]
    return {
        (f"{angle}°", names[place]): match[0]
        for angle in sorted(ordered, reverse=True)
        for place, match in enumerate(ordered[angle][: len(names)])
    }


def _square(matches: Sequence[re.Match[str]]) -> dict[tuple[str, str], str]:
    """All frequencies around zero, each twice, since the map is symmetric."""
    known = {(int(match["down"]), int(match["right"])): match[0] for match in matches}
    known |= {(-down, -right): name for (down, right), name in known.items()}
    reach = max((abs(number) for place in known for number in place), default=-1)
    numbers = range(-reach, reach + 1)
    return {(str(i), str(j)): known[i, j] for i in numbers for j in numbers if (i, j) in known}


def _maps(data: CorrelationData, models: Sequence[ModelEntry], cells: Cells) -> Iterator[HeatMap]:
    """One for each model or group that has any value."""
    sets = by_label(data, models) if len(models) > MOST_MAPS else {str(model["name"]): [model] for model in models}
    rows, columns = (tuple(dict.fromkeys(place[side] for place in cells)) for side in (0, 1))
    for title, members in sets.items():
        values = tuple(tuple(_mean(members, cells.get((row, column))) for column in columns) for row in rows)
        if any(value is not None for row in values for value in row):
            yield HeatMap(title=title, rows=rows, columns=columns, values=values)


def _mean(models: Sequence[ModelEntry], name: str | None) -> float | None:
    values = [model["measures"].get(name) for model in models] if name else []
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None
