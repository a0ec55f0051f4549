"""The report ``correlation`` in three sentences, computed from its JSON-ready data alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .._cells import p_cell, plain
from .._pages import count, listed, measured_sentence
from .._prediction_text import prediction_sentence
from .schema import AxisCoefficient, CorrelationData
from .stars import MOST_PAIRS, is_independent, pair_name, stars

ALPHA = 0.05


def summary(data: CorrelationData) -> tuple[str, str, str]:
    """What was measured; what the biases predict out of sample; which single coefficients remain."""
    biases, axes = count(len(data["biases"]), "bias", "biases"), count(len(data["axes"]), "axis", "axes")
    return (
        measured_sentence(data["measured"], f"{biases} and {axes} of generalization"),
        prediction_sentence(data["predictions"], data["titles"], len(data["biases"])),
        _coefficients(data),
    )


def _coefficients(data: CorrelationData) -> str:
    entries = [entry for entry in data["correlations"] if entry["models"] == "all"]
    tested = [entry for entry in entries if _p(entry) is not None]
    if not tested:
        return f"No single coefficient of a bias with an axis is tested: {listed(list(_reasons(entries)), 3)}."
    head = f"Of {count(len(tested), 'single coefficient')}"
    how = f"{_families(tested)} after Holm's correction"
    remaining = sorted((e for e in tested if stars(e) == "**"), key=lambda entry: -abs(entry["spearman"] or 0.0))
    turned = _turned(tested)
    are = "is" if turned == 1 else "are"
    if not remaining:
        sign = " with the sign that it has over all models" if turned else ""
        others = f"; {turned} {are} with the other sign" if turned else ""
        return f"{head}, none is significant {how}{sign}{_closest(data, tested)}{others}."
    named = listed([_named(data, entry) for entry in remaining], MOST_PAIRS)
    verb = "is" if len(remaining) == 1 else "are"
    others = f"; {turned} more {are}, with the other sign than over all models" if turned else ""
    return f"{head}, {len(remaining)} {verb} significant {how}: {named}{others}."


def _closest(data: CorrelationData, tested: Sequence[AxisCoefficient]) -> str:
    """The coefficient with the smallest p of those whose sign within families is that over all models."""
    alike = [entry for entry in tested if not _other_sign(entry)]
    if not alike:
        return ""
    closest = min(alike, key=lambda entry: (_p(entry) or 0.0, -abs(entry["spearman"] or 0.0)))
    p = p_cell(_p(closest)).text
    return f"; the smallest p is that of {_named(data, closest)}: {p} after the correction"


def _turned(tested: Sequence[AxisCoefficient]) -> int:
    """How many coefficients are significant within families, but with another sign there."""
    return sum(_other_sign(entry) and (_p(entry) or 0.0) < ALPHA for entry in tested)


def _other_sign(entry: AxisCoefficient) -> bool:
    families = entry.get("families")
    within = families["within"] if families else None
    return within is not None and within * (entry["spearman"] or 0.0) <= 0


def _families(entries: Sequence[AxisCoefficient]) -> str:
    """What the tests rest on: within training families, or on models as if they were independent."""
    independent = [is_independent(entry) for entry in entries]
    if all(independent):
        return "with each model taken as independent"
    return "within training families" + (" where there are any" if any(independent) else "")


def _p(entry: AxisCoefficient) -> float | None:
    """The adjusted p that a star rests on."""
    families = entry.get("families")
    return entry["p_holm"] if is_independent(entry) or families is None else families["p_within_holm"]


def _named(data: CorrelationData, entry: AxisCoefficient) -> str:
    """``shape bias × ID (ρ = -0.76, within families -0.66)``."""
    families = entry.get("families")
    within = families["within"] if families else None
    inside = "" if within is None else f", within families {plain(within).text}"
    return f"{pair_name(data, entry)} (ρ = {plain(entry['spearman']).text}{inside})"


def _reasons(entries: Sequence[AxisCoefficient]) -> Iterator[str]:
    """Why there is no test; each reason once."""
    if not entries:
        yield "the runs do not define both biases and axes"
    yield from dict.fromkeys(
        reason
        for entry in entries
        for reason in (entry["reason"], entry.get("families", {"reason": None})["reason"])
        if reason
    )
