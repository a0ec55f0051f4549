"""Where the points of a figure lie, in a terminal and in a picture: its panels, axes, ticks and limits."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Final, Literal

from harness.errors import RequestError
from harness.foreign import one_line, visible
from harness.records import Figure, Series

Kind = Literal["linear", "log", "probit"]
Side = Literal["x", "y"]
LONGEST: Final = 40
"""Most characters of the name of a row, so that room is left for points."""
_NORMAL: Final = NormalDist()
_FORWARD: Final[Mapping[Kind, Callable[[float], float]]] = {
    "linear": float,
    "log": math.log10,
    "probit": _NORMAL.inv_cdf,
}
_BACK: Final[Mapping[Kind, Callable[[float], float]]] = {
    "linear": float,
    "log": lambda place: 10.0**place,
    "probit": _NORMAL.cdf,
}
_TAIL: Final = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05)
LADDERS: Final = (
    (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999),
    tuple(sorted({*_TAIL, 0.1, 0.2, 0.5, 0.8, 0.9, *(1 - at for at in _TAIL)})),
    tuple(sorted({*_TAIL, *(at / 10 for at in range(1, 10)), *(1 - at for at in _TAIL)})),
    tuple(sorted({*_TAIL, *(at / 20 for at in range(1, 20)), *(1 - at for at in _TAIL)})),
)
"""Round fractions on a probit scale, coarse to fine."""
LEAST_TICKS: Final = 4


class Scale:
    """One axis of one panel: maps values to positions between 0 and 1.

    Attributes:
        first, last: its ends on the scale: values, their decimal logarithms, or their normal quantiles.
    """

    def __init__(self, low: float, high: float, kind: Kind = "linear", pad: float = 0.03) -> None:
        self.kind = kind
        first, last = self.forward(low), self.forward(high)
        beyond = (last - first) * pad or abs(first) * 0.1 or 1.0
        self.first, self.last = first - beyond, last + beyond

    @classmethod
    def of(cls, figure: Figure, series: Sequence[Series], side: Side, pad: float = 0.03) -> Scale:
        """The scale that shows every point of `series`. Raises RequestError if there are no points, or none on it."""
        kind: Kind = "probit" if figure.probit else "log" if figure.log_x and side == "x" else "linear"
        limits = figure.x_limits if side == "x" else (None, None)
        values = [within(value, limits) for one in series for value in _spanned(one, side)]
        values += [place for place, _ in figure.y_ticks] if side == "y" else []
        problem = _problem(kind, values, any(one.x for one in series if one.style != "reference"))
        if problem:
            raise RequestError(f"figure {figure.name} cannot be drawn: {problem}", remedy="--figure list")
        if side == "y" and figure.y_ticks:
            return _rows(min(values), max(values))
        return cls(min(values), max(values), kind, pad)

    def forward(self, value: float) -> float:
        """`value` on the scale."""
        return _FORWARD[self.kind](value)

    def back(self, place: float) -> float:
        """The value at a place between `first` and `last`."""
        return _BACK[self.kind](place)

    def place(self, value: float) -> float:
        """From 0 at the lower end to 1."""
        return (self.forward(value) - self.first) / (self.last - self.first)

    def ticks(self, most: int) -> list[float]:
        """About `most` round numbers on the scale."""
        if self.kind == "probit":
            return self._round_fractions(most)
        return [self.back(place) for place in _multiples(self.first, self.last, most)]

    def _round_fractions(self, most: int) -> list[float]:
        low, high = self.back(self.first), self.back(self.last)
        ladders = ([at for at in ladder if low <= at <= high] for ladder in LADDERS)
        return next((ladder for ladder in ladders if len(ladder) >= LEAST_TICKS), _multiples(low, high, most))

    def label(self, value: float) -> str:
        """`value` with as many decimals as the tick spacing requires."""
        if self.kind == "log":
            return f"{value:.2g}"
        if self.kind == "probit":
            return f"{100 * value:.12g}"
        decimals = max(0, -math.floor(math.log10(_round_step((self.last - self.first) / 5)) + 1e-9))
        return f"{value:z.{decimals}f}" if decimals < 7 else f"{value:.1e}"


def _rows(low: float, high: float) -> Scale:
    """The scale of named rows: half a line beyond the outer ones."""
    scale = Scale(0, 1)
    scale.first, scale.last = low - 0.5, high + 0.5
    return scale


def _problem(kind: Kind, values: Sequence[float], points: bool) -> str | None:
    """Why an axis with these values cannot be drawn; None if it can."""
    if not points:
        return "it has no points"
    if kind == "log" and min(values) <= 0:
        return "its logarithmic axis has values of 0 or less"
    if kind == "probit" and not 0 < min(values) <= max(values) < 1:
        return "its probit axis has values that are not between 0 and 1"
    return None


def _spanned(series: Series, side: Side) -> Sequence[float]:
    """The values that must be in view: of a reference line only those that do not vary along it."""
    values = series.x if side == "x" else series.y
    return values if series.style != "reference" or len(set(values)) == 1 else ()


def within(value: float, limits: tuple[float | None, float | None]) -> float:
    """The value, or the limit that it is beyond."""
    low, high = limits
    if low is not None and value < low:
        return low
    return high if high is not None and value > high else value


def _multiples(first: float, last: float, most: int) -> list[float]:
    """About `most` multiples of a round step between two numbers."""
    step = _round_step((last - first) / most)
    return [at * step for at in range(math.ceil(first / step), math.floor(last / step) + 1)]


def _round_step(step: float) -> float:
    """1, 2 or 5 times a power of ten, not smaller than `step`."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * (1 - 1e-9))


# --- points beyond a limit --------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A point as it is drawn: at `x`, `y`, and where it lies beyond a limit, the `arrow` there and its `number`."""

    x: float
    y: float
    arrow: str = ""
    number: str = ""

    @property
    def text(self) -> str:
        """Arrow and number, in the order in which they stand beside the mark; empty within the limits."""
        return f"{self.number} →" if self.arrow == "→" else f"{self.arrow} {self.number}".strip()


def marks_of(figure: Figure, series: Series) -> Iterator[Mark]:
    """Each point of `series`, within the limits of the figure; bars beyond them, which have no number, are left out."""
    for x, y in zip(series.x, series.y, strict=True):
        held = within(x, figure.x_limits)
        if series.style == "ticks" and held != x:
            continue
        arrow = "" if held == x else "←" if x < held else "→"
        yield Mark(x=held, y=y, arrow=arrow, number=_short(x) if arrow else "")


def _short(value: float) -> str:
    if abs(value) >= 10_000:
        return f"{value:.1e}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.2f}"


# --- panels and looks -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One pair of axes: its title (empty if it is the only one) and its series, each with the number of its look."""

    title: str
    series: tuple[tuple[Series, int], ...]

    @property
    def all(self) -> list[Series]:
        """The series alone."""
        return [series for series, _ in self.series]


def panels_of(figure: Figure, *, by_style: bool = False) -> list[Panel]:
    """The panels in the order in which their series come.

    Series of one label have one look, in all panels; two of them in one panel have two, unless they are curves.

    Args:
        by_style: open and filled marks of one label have two looks.
    """
    looks: dict[tuple[str, int, str], int] = {}
    before: Counter[tuple[str, str, str]] = Counter()
    panels: dict[str, list[tuple[Series, int]]] = {}
    for series in figure.series:
        look = -1
        if series.style in ("points", "open"):
            place = (series.panel, series.style, series.label)
            key = (series.label, 0 if series.line else before[place], series.style if by_style else "")
            look = looks.setdefault(key, len(looks))
            before[place] += not series.line
        panels.setdefault(series.panel, []).append((series, look))
    return [Panel(title=title, series=tuple(of_panel)) for title, of_panel in panels.items()]


def with_texts(figure: Figure, shown: Callable[[str], str], most: int = LONGEST) -> Figure:
    """`figure` with `shown` of each text; only its note has several lines.

    Args:
        most: characters of the name of a row or column.
    """

    def line(text: str) -> str:
        return shown(one_line(text))

    return replace(
        figure,
        title=line(figure.title),
        x_label=line(figure.x_label),
        y_label=line(figure.y_label),
        series=tuple(replace(series, label=line(series.label), panel=line(series.panel)) for series in figure.series),
        note="\n".join(map(shown, visible(figure.note).splitlines())),
        y_ticks=tuple((place, line(shortened(name, most))) for place, name in figure.y_ticks),
        maps=tuple(
            replace(
                each,
                title=line(each.title),
                rows=tuple(line(shortened(name, most)) for name in each.rows),
                columns=tuple(line(shortened(name, most)) for name in each.columns),
            )
            for each in figure.maps
        ),
        map_label=line(figure.map_label),
    )


def shortened(text: str, most: int = LONGEST) -> str:
    """`text`, cut if it is longer than `most` characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def labels_below(marks: Mapping[int, str], columns: int) -> str:
    """Each label below its mark, omitted where two would touch."""
    line = ""
    for at, label in sorted(marks.items()):
        start = min(max(at - len(label) // 2, 0), columns - len(label))
        if not line or start > len(line):
            line = line.ljust(start) + label
    return line
