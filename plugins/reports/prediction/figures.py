"""The figures of the report ``prediction``, made from its JSON-ready data alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypedDict

from harness import Figure, Series

from .._groups import grouped, percent
from .._predictions import PredictionEntry, reason_lines

FLOOR = -1.0
"""A Q² below it is drawn there, with its number: to scale, the worst ones leave no room for the others."""
LINES = 4
"""Lines of text for each axis and learner: one for each kind of Q², and an empty one."""


class Predictions(TypedDict):
    """What the figures need of a report."""

    predictions: list[PredictionEntry]
    titles: dict[str, str]
    units: dict[str, str | None]


def all_figures(data: Predictions) -> list[Figure]:
    """``prediction``, then ``predicted`` and, with a second learner, ``predicted-ols-log``."""
    learners = dict.fromkeys(entry["learner"] for entry in data["predictions"])
    return [*_scores(data), *(figure for learner in learners for figure in _predicted(data, learner))]


# --- Q² ---------------------------------------------------------------------------------------


def _scores(data: Predictions) -> Iterator[Figure]:
    """Each Q² of each axis and learner; no figure if none is defined."""
    entries = [entry for entry in data["predictions"] if entry["q2_loo"] is not None or entry["q2_lofo"] is not None]
    if not entries:
        return
    several = len({entry["learner"] for entry in data["predictions"]}) > 1
    titles = [data["titles"].get(entry["generalization"], entry["generalization"]) for entry in entries]
    names = [f"{title}, {of['learner']}" if several else title for title, of in zip(titles, entries, strict=True)]
    yield Figure(
        name="prediction",
        title="Models left out: each axis predicted from all biases",
        x_label="Q² (1: perfect; 0: no better than a constant)",
        y_label="",
        series=tuple(_score_series(entries)),
        note="\n".join(_score_notes(data, entries)),
        x_limits=(FLOOR, None),
        y_ticks=tuple((-LINES * at - 1.0, name) for at, name in enumerate(names)),
    )


def _score_series(entries: Sequence[PredictionEntry]) -> Iterator[Series]:
    """Points of each kind on a line of their own, the 95 % quantile by chance behind them, and the line at 0."""
    ends = (1.0, -float(LINES * len(entries)))
    yield Series(label="a constant", x=(0.0, 0.0), y=ends, style="reference")
    chance = [(entry["null"]["q2_loo"]["q95"], entry["null"]["q2_lofo"]["q95"]) for entry in entries]
    quantiles = [(q95, -LINES * at - line) for at, both in enumerate(chance) for line, q95 in enumerate(both)]
    yield _column("95 % by chance", quantiles, "ticks")
    kinds = {
        "Q² LOO": [entry["q2_loo"] for entry in entries],
        "Q² LOFO": [entry["q2_lofo"] for entry in entries],
        "ID alone, LOFO": [entry["baselines"]["id"]["q2_lofo"] for entry in entries],
    }
    for line, (label, values) in enumerate(kinds.items()):
        series = _column(label, [(value, -LINES * at - line) for at, value in enumerate(values)])
        if series.x:
            yield series


def _column(label: str, points: Sequence[tuple[float | None, int]], style: str = "points") -> Series:
    """The points that have a value."""
    known = [(value, float(place)) for value, place in points if value is not None]
    x, y = tuple(value for value, _ in known), tuple(place for _, place in known)
    return Series(label=label, x=x, y=y, style="ticks" if style == "ticks" else "points")


def _score_notes(data: Predictions, entries: Sequence[PredictionEntry]) -> Iterator[str]:
    null = entries[0]["null"]
    yield "LOO: each model by all others; LOFO: each group of models by the other groups."
    beyond = {one.style for one in _score_series(entries) if min(one.x) < FLOOR}
    absent = f" Without a bar: below {FLOOR:g}." if "ticks" in beyond else ""
    yield f"95 % by chance: so many of {null['draws']:,} permutations of the axis stay below.{absent}"
    if "points" in beyond:
        yield f"An arrow: below {FLOOR:g}, at the number beside it."
    yield from reason_lines(data["predictions"], data["titles"])


# --- values -----------------------------------------------------------------------------------


def _predicted(data: Predictions, learner: str) -> Iterator[Figure]:
    """The axis of each model as the other groups predict it; no figure where no group can be left out."""
    entries = [entry for entry in data["predictions"] if entry["learner"] == learner and entry["q2_lofo"] is not None]
    series = tuple(one for entry in entries for one in _panel(data, entry))
    if series:
        name = "predicted" if learner == "ols" else f"predicted-{learner}"
        yield Figure(
            name=name,
            title=f"Groups left out: each axis predicted from all biases ({learner})",
            x_label="measured",
            y_label="predicted",
            series=series,
            note="Each group is predicted by a fit to the others. Fractions of images are in %."
            if any(_scale(data, entry) == 100 for entry in entries)
            else "Each group is predicted by a fit to the others.",
        )


def _scale(data: Predictions, entry: PredictionEntry) -> float:
    return percent(data["units"].get(entry["generalization"]))


def _panel(data: Predictions, entry: PredictionEntry) -> Iterator[Series]:
    """The groups of one axis, and the line on which a perfect prediction lies."""
    title = data["titles"].get(entry["generalization"], entry["generalization"])
    panel, scale = f"{title}: Q² LOFO = {entry['q2_lofo'] or 0.0:z.2f}", _scale(data, entry)
    known = [(model, model["lofo"]) for model in entry["predicted"] if model["lofo"] is not None]
    values = [scale * value for model, lofo in known for value in (model["measured"], lofo)]
    if not values:
        return
    ends = (min(values), max(values))
    yield Series(label="predicted = measured", x=ends, y=ends, style="reference", panel=panel)
    for label, models in grouped(known, lambda pair: pair[0]["group"], data["titles"]).items():
        yield Series(
            label=label,
            x=tuple(scale * model["measured"] for model, _ in models),
            y=tuple(scale * lofo for _, lofo in models),
            names=tuple(model["model"] for model, _ in models),
            panel=panel,
        )
