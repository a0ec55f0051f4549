"""Which colour and shape a group of points has: the same in all figures of a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from harness.output.scales import Panel, panels_of
from harness.records import Figure

COLOURS: Final = 8
"""Colours of the page: ``--look-0`` to ``--look-7`` in its stylesheet, in the order of `harness.output.drawing`."""
SHAPES: Final = (
    "M1,0A1,1,0,1,1,-1,0A1,1,0,1,1,1,0Z",
    "M-.89,-.89H.89V.89H-.89Z",
    "M0,-1.2L1.1,.85H-1.1Z",
    "M0,-1.25L1.25,0L0,1.25L-1.25,0Z",
    "M0,1.2L1.1,-.85H-1.1Z",
    "M-.42,-1.1H.42V-.42H1.1V.42H.42V1.1H-.42V.42H-1.1V-.42H-.42Z",
    "M0,-.6L.6,-1.2L1.2,-.6L.6,0L1.2,.6L.6,1.2L0,.6L-.6,1.2L-1.2,.6L-.6,0L-1.2,-.6L-.6,-1.2Z",
    "M0,-1.35L.33,-.45L1.28,-.42L.53,.17L.79,1.09L0,.56L-.79,1.09L-.53,.17L-1.28,-.42L-.33,-.45Z",
    "M-1.2,0L.85,-1.1V1.1Z",
    "M1.2,0L-.85,-1.1V1.1Z",
    "M0,-1.15L1,-.58V.58L0,1.15L-1,.58V-.58Z",
)
"""Paths of about equal area around the origin. Eleven, so that with eight colours there are 88 different pairs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Points of one label, in one or more figures.

    Attributes:
        number: its place among the groups of a page.
        family: groups that share figures, directly or through others, have one number.
    """

    label: str
    number: int
    look: int
    family: int

    @property
    def colour(self) -> str:
        """Its colour, for either theme."""
        return colour_of(self.look)

    @property
    def shape(self) -> str:
        """Its path around the origin."""
        return SHAPES[self.look % len(SHAPES)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """The looks of all figures of a page.

    Attributes:
        panels: of each figure, with looks that are the same in all figures of one family.
        groups: by label, in the order in which they come.
    """

    panels: tuple[tuple[Panel, ...], ...]
    groups: dict[str, Group]

    def number(self, label: str) -> int:
        """The place of a group; -1 of points without a label."""
        return self.groups[label].number if label in self.groups else -1


def colour_of(look: int) -> str:
    """A name of the stylesheet."""
    return f"var(--look-{look % COLOURS})"


def looks_of(figures: Sequence[Figure]) -> Looks:
    """The looks of `figures`, whose texts are shown as they are. Series of one label share one, in one panel too."""
    panels: list[tuple[Panel, ...]] = [()] * len(figures)
    groups = dict[str, Group]()
    for family, members in enumerate(_families(figures)):
        looks = dict[str, int]()
        for at in members:
            panels[at] = tuple(_in_looks(panel, looks) for panel in panels_of(figures[at]))
        for label in filter(None, looks):
            groups[label] = Group(label=label, number=len(groups), look=looks[label], family=family)
    return Looks(panels=tuple(panels), groups=groups)


def _in_looks(panel: Panel, looks: dict[str, int]) -> Panel:
    """`panel` with the looks of its labels; a new one takes the next look."""
    series = ((one, looks.setdefault(one.label, len(looks)) if look >= 0 else look) for one, look in panel.series)
    return replace(panel, series=tuple(series))


def labels_of(figure: Figure) -> list[str]:
    """Labels of the points of a figure, each once, in order."""
    points = (series for series in figure.series if series.style in ("points", "open") and series.label)
    return list(dict.fromkeys(series.label for series in points))


def _families(figures: Sequence[Figure]) -> list[list[int]]:
    """Places of the figures that share labels, directly or through others; figures without labels are alone."""
    families: list[tuple[set[str], list[int]]] = []
    for at, figure in enumerate(figures):
        labels, members = set(labels_of(figure)), [at]
        apart = []
        for family in families:
            if family[0] & labels:
                labels, members = labels | family[0], sorted(members + family[1])
            else:
                apart.append(family)
        families = [*apart, (labels, members)]
    return [members for _, members in sorted(families, key=lambda family: family[1][0])]
