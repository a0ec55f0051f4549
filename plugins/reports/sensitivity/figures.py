"""The figures of the report ``sensitivity``, made from its JSON-ready data alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import NormalDist

from harness import Figure, Series

from .._groups import grouped
from .quantities import AS_DEFINED
from .schema import AlternativesEntry, EffectiveEntry, PlacedEntry, SensitivityData, SpecificationEntry

LINES = 3
"""Lines of text for each pair."""
STEP, SPREAD = 0.4, 1.8
"""Lines from one coefficient of a pair to the next, and most from the least to the largest."""
NORMAL = NormalDist()


def all_figures(data: SensitivityData) -> list[Figure]:
    """``alternatives`` where any are declared, ``effective-robustness`` where a line is fitted."""
    return [*alternative_figures(data), *effective_figures(data)]


def alternative_figures(data: SensitivityData) -> tuple[Figure, ...]:
    """``alternatives``, where any are declared."""
    return tuple(_alternatives(data))


def effective_figures(data: SensitivityData) -> tuple[Figure, ...]:
    """``effective-robustness``, where a line is fitted."""
    return tuple(_effective(data))


# --- specifications ---------------------------------------------------------------------------


def _alternatives(data: SensitivityData) -> Iterator[Figure]:
    """Every pair with a curve of its coefficients by all definitions, from the least to the largest."""
    pairs = [
        (f"{_title(data, entry['bias'])} × {_title(data, entry['generalization'])}", entry["alternatives"])
        for entry in data["sensitivities"]
    ]
    curves = [(name, of) for name, of in pairs if of is not None and of["defined"]]
    if curves:
        undefined = sum(len(of["specifications"]) - of["defined"] for _, of in curves)
        yield Figure(
            name="alternatives",
            title="Spearman's ρ by every declared definition",
            x_label="Spearman's ρ",
            y_label="",
            series=tuple(_curve_series(curves)),
            note=f"{undefined} combinations of definitions have no coefficient." if undefined else "",
            y_ticks=tuple((float(-LINES * at), name) for at, (name, _) in enumerate(curves)),
        )


def _title(data: SensitivityData, name: str) -> str:
    return data["titles"].get(name, name)


def _curve_series(curves: Sequence[tuple[str, AlternativesEntry]]) -> Iterator[Series]:
    """The line at 0, the definitions of the suite, and all others."""
    yield Series(label="no relation", x=(0.0, 0.0), y=(1.0, -float(LINES * len(curves))), style="reference")
    points = [(name, *point) for at, (name, of) in enumerate(curves) for point in _curve(of, -LINES * at)]
    for label, defined in (("as defined", True), ("another definition", False)):
        chosen = [point for point in points if _is_defined(point[1]) is defined]
        if chosen:
            yield Series(
                label=label,
                x=tuple(x for _, _, x, _ in chosen),
                y=tuple(y for *_, y in chosen),
                names=tuple(f"{name}: {of['bias']} × {of['generalization']}" for name, of, *_ in chosen),
            )


def _is_defined(of: SpecificationEntry) -> bool:
    return of["bias"] == of["generalization"] == AS_DEFINED


def _curve(of: AlternativesEntry, middle: float) -> Iterator[tuple[SpecificationEntry, float, float]]:
    """Each specification with its coefficient and its place, which rises with the coefficient."""
    known = [(each, each["spearman"]) for each in of["specifications"] if each["spearman"] is not None]
    known.sort(key=lambda pair: pair[1])
    step = min(STEP, SPREAD / max(len(known) - 1, 1))
    for rank, (each, value) in enumerate(known):
        yield each, value, middle + step * (rank - (len(known) - 1) / 2)


# --- effective robustness ---------------------------------------------------------------------


def _effective(data: SensitivityData) -> Iterator[Figure]:
    """A panel for each axis with a line."""
    fitted = [entry for entry in data["effective"] if entry["slope"] is not None and entry["intercept"] is not None]
    series = tuple(one for entry in fitted for one in _panel(data, entry))
    if series:
        against = _title(data, fitted[0]["against"])
        yield Figure(
            name="effective-robustness",
            title=f"Accuracy beyond what {against} predicts over the baseline models",
            x_label=f"{against} (%)",
            y_label="axis (%)",
            series=series,
            note="\n".join(_notes(data, fitted)),
            probit=True,
        )


def _notes(data: SensitivityData, fitted: Sequence[EffectiveEntry]) -> Iterator[str]:
    yield (
        "Probit scales. Filled: the baseline models, to which the line is fitted; open: the others. Beyond the "
        "baseline's range it is extrapolated."
    )
    for entry in data["effective"]:
        title = _title(data, entry["generalization"])
        if entry not in fitted:
            yield f"– {title}: {entry['reason']}"
        elif absent := [point["model"] for point in entry["points"] if point["x"] is None]:
            subject = "1 model has" if len(absent) == 1 else f"{len(absent)} models have"
            yield f"– {title}: {subject} no place on the scale"


def _panel(data: SensitivityData, entry: EffectiveEntry) -> Iterator[Series]:
    """The line, and the groups of one axis: those of baseline models apart from the others."""
    title = _title(data, entry["generalization"])
    numbers = [f"slope {entry['slope']:.2f}", *([] if entry["r2"] is None else [f"R² {entry['r2']:.2f}"])]
    panel = f"{title}: {', '.join(numbers)}, n = {entry['n']}"
    placed = [(of, of["x"], of["y"]) for of in entry["points"] if of["x"] is not None and of["y"] is not None]
    x, y = _line(entry, [place for _, place, _ in placed], [place for *_, place in placed])
    yield Series(label="line of the baseline", x=x, y=y, style="reference", panel=panel)
    for label, models in grouped(placed, lambda of: of[0]["group"], data["titles"]).items():
        for baseline in (True, False):
            chosen = [of for of in models if of[0]["baseline"] is baseline]
            if chosen:
                yield _points(label, chosen, panel, baseline=baseline)


def _points(label: str, models: Sequence[tuple[PlacedEntry, float, float]], panel: str, *, baseline: bool) -> Series:
    return Series(
        label=label,
        x=tuple(x for _, x, _ in models),
        y=tuple(y for *_, y in models),
        names=tuple(of["model"] for of, *_ in models),
        style="points" if baseline else "open",
        panel=panel,
    )


def _line(entry: EffectiveEntry, x: Sequence[float], y: Sequence[float]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The ends of the line, as fractions, where it leaves the ranges of all models in x or in y."""
    slope, intercept = entry["slope"] or 0.0, entry["intercept"] or 0.0
    ends = [NORMAL.inv_cdf(min(x)), NORMAL.inv_cdf(max(x))]
    if slope:
        crossings = sorted((NORMAL.inv_cdf(place) - intercept) / slope for place in (min(y), max(y)))
        ends = [max(ends[0], crossings[0]), min(ends[1], crossings[1])]
    return tuple(NORMAL.cdf(at) for at in ends), tuple(NORMAL.cdf(intercept + slope * at) for at in ends)
