"""Text that several commands print: lists of names, counts, sizes, durations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from harness.workflows.plan_lines import FEW, named

if TYPE_CHECKING:
    from harness.planning.estimate import Estimate

__all__ = ["count", "estimate_lines", "hours", "named", "passes", "size", "state_lines", "work"]


def state_lines(state: str, reasons: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    """``state: name: reason``, one line for each reason; many reasons that differ only in names share a line.

    Args:
        reasons: name, reason, and the reason without names in it (empty: the same as the reason).
    """
    groups: dict[str, list[str]] = {}
    for name, reason, _ in reasons:
        groups.setdefault(reason, []).append(name)
    if len(groups) > FEW:
        merged: dict[str, list[str]] = {}
        for name, reason, general in reasons:
            merged.setdefault(general or reason, []).append(name)
        shared = {reason: names for reason, names in merged.items() if len(names) > 1}
        single = {reason: names for reason, names in groups.items() if not set(names) & set().union(*shared.values())}
        groups = {**shared, **single}
    for reason, names in groups.items():
        yield f"{state}: {named(names)}: {reason}"


def work(estimate: Estimate) -> str:
    """``10 passes, 7.4 million images decoded, 770.3 million forwards``."""
    return f"{passes(estimate.passes)}, {count(estimate.images)} images decoded, {count(estimate.forwards)} forwards"


def estimate_lines(estimate: Estimate) -> Iterator[str]:
    """The estimate and its reference hardware, in lines of less than 80 characters."""
    yield f"estimate: {hours(estimate.gpu_hours)} GPU-hours ({estimate.reference}, {estimate.precision}),"
    yield f"  {hours(estimate.decode_core_hours)} CPU core-hours to decode, {size(estimate.stored_bytes)} to store"
    if estimate.unknown:
        yield f"not included, because their number of images is unknown: {', '.join(estimate.unknown)}"


def passes(number: int) -> str:
    """``1 pass``, ``10 passes``."""
    return f"{number} pass{'' if number == 1 else 'es'}"


def size(number: int) -> str:
    """Bytes in decimal units: ``1.3 GB``."""
    from rich.filesize import decimal

    return decimal(number)


def count(number: int) -> str:
    """A count, in millions from a million up: ``46,837``, ``475.1 million``."""
    return f"{number:,}" if number < 1_000_000 else f"{number / 1e6:,.1f} million"


def hours(number: float) -> str:
    """Hours with as many digits as an estimate supports: ``0``, ``< 0.01``, ``0.25``, ``3.1``, ``1,204``."""
    if number == 0:
        return "0"
    if number < 0.01:
        return "< 0.01"
    return f"{number:.2f}" if number < 1 else f"{number:.1f}" if number < 100 else f"{number:,.0f}"
