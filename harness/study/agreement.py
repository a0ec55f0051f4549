"""Whether a measure has the same protocol on both sides of a comparison, and what a difference means for its value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from harness.records import IMAGES, Measure
from harness.study.protocols import Change, Origin, changes, departures, described_changes
from harness.study.side import Side

FLIPS: Final = 0.001
"""Share of decisions, and at least one, that may change with the last digits of logits: on another device, with another
batch size, precision or library. It is the study's own tolerance of accuracies for TF32 and another JPEG decoder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far the protocols of one measure agree.

    Attributes:
        changes: from the protocol there to the one here.
        obstacle: why the values mean different things; empty if they do not.
        within: what the value may change by other numerics; None if unknown.
        remark: the changes that are no obstacle, and what they do; empty if there are none.
    """

    changes: tuple[Change, ...] = ()
    obstacle: str = ""
    within: float | None = 0.0
    remark: str = ""


def agreement(model: str, measure: Measure, name: str, here: Side, there: Side) -> Agreement:
    """Compare the protocols of the measure `name`; `measure`: its value there."""
    differing = _changes(model, name, here, there)
    serious = serious_ones(differing)
    if serious and not _are_parts(serious, here.origin(model, name), here, there):
        others = [change for change in differing if change not in serious]
        obstacle = f"measured differently there and here: {described_changes([*serious, *others])}"
        return Agreement(changes=differing, obstacle=obstacle)
    within, consequence = _effect(differing, measure)
    return Agreement(changes=differing, within=within, remark=f"{consequence}{described_changes(differing)}")


def serious_ones(differences: Sequence[Change]) -> list[Change]:
    """Those with which numbers mean something else, or belong to another network."""
    return [change for change in differences if change.effect in ("meaning", "network")]


def cells_differ(before: Origin | None, now: Origin | None) -> str:
    """How two cells differ, as the end of a sentence; empty if they do not, or there is only one."""
    if before is None or now is None:
        return ""
    differences = described_changes(serious_ones(changes(replace(before, required={}), replace(now, required={}))))
    return f"; measured differently there and here: {differences}" if differences else ""


def _changes(model: str, name: str, here: Side, there: Side) -> tuple[Change, ...]:
    """From the protocol there to the one here. Published numbers are taken to have the standard protocol."""
    own, other = here.origin(model, name), there.origin(model, name)
    if own is not None and other is not None:
        return changes(other, own)
    if own is not None and (published := there.published(name, own)) is not None:
        return departures(own, published)
    if other is not None and (published := here.published(name, other)) is not None:
        return tuple(change.reversed for change in departures(other, published))
    return ()


def _are_parts(serious: Sequence[Change], origin: Origin | None, here: Side, there: Side) -> bool:
    """Whether all that differs is that one side was measured on a part of the other side's images."""
    if origin is None or any(change.path not in IMAGES for change in serious):
        return False
    smaller, larger = sorted((here.samples(origin.task), there.samples(origin.task)), key=len)
    return 0 < len(smaller) < len(larger) and smaller.items() <= larger.items()


def _effect(differences: Sequence[Change], measure: Measure) -> tuple[float | None, str]:
    """What a value may change by other numerics, None if unknown, and the beginning of the remark about it."""
    effects = {change.effect for change in differences}
    if "draws" in effects:
        return None, "other draws of noise and attacks, whose effect is not known: "
    if "rounding" not in effects:
        return 0.0, ""
    if measure.n is None or measure.unit not in ("fraction", "count"):
        return None, "equal up to rounding, whose effect on this measure is not known: "
    flips = max(1, math.ceil(FLIPS * measure.n))
    within = flips / measure.n if measure.unit == "fraction" else float(flips)
    return within, f"{flips:,} of {measure.n:,} decisions may change by rounding: "
