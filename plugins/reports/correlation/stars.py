"""Stars of the coefficients over all models, and where a star and an interval do not say the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from .notes import title_of
from .schema import AxisCoefficient, BiasCoefficient, CorrelationData

Coefficient = AxisCoefficient | BiasCoefficient
LEGEND = (
    "* p < 0.05 (exact over all permutations for n < 10, else t approximation); ** also after Holm's correction over "
    "the coefficients of this table. Without a star: not significant."
)
INDEPENDENT = "No training families to respect: each model counts as independent."
WITHIN = (
    "* p < 0.05 when models change places only within their training family, and ρ within has the same sign; ** also "
    "after Holm's correction over the coefficients of this table. Without a star: not shown within families."
)
MOST_PAIRS = 8
"""Most pairs that a note names."""


def stars(entry: Coefficient) -> str:
    """Over all models with families: by permutation within them; else by the p-value of independent models."""
    families = entry.get("families")
    if families is None or families["p_within"] is None or families["within"] is None:
        p, p_holm = (entry["p"], entry["p_holm"]) if is_independent(entry) else (None, None)
    else:
        alike = families["within"] * (entry["spearman"] or 0.0) > 0
        p, p_holm = (families["p_within"], families["p_within_holm"]) if alike else (None, None)
    if p is None or p >= 0.05:
        return ""
    return "**" if p_holm is not None and p_holm < 0.05 else "*"


def legend(entries: Sequence[Coefficient]) -> str:
    """What the stars of these coefficients mean."""
    if "families" not in entries[0]:
        return LEGEND
    return f"{LEGEND}\n{INDEPENDENT}" if all(map(is_independent, entries)) else WITHIN


def contradictions(data: CorrelationData, entries: Sequence[Coefficient]) -> Iterator[str]:
    """One line for each way in which a star and an interval of these coefficients differ, with the pairs concerned."""
    if all(map(is_independent, entries)):
        return
    for text, differs in _KINDS.items():
        pairs = [entry for entry in entries if entry["spearman"] is not None and differs(entry)]
        if pairs:
            yield f"{text}: {pair_names(data, pairs)}"


def p_and_interval(data: CorrelationData, entries: Sequence[Coefficient]) -> str:
    """The pairs whose p of independent models and interval over models do not say the same; empty if there is none."""
    pairs = [
        entry
        for entry in entries
        if entry["p"] is not None and _contains((entry["low"], entry["high"])) is (entry["p"] < 0.05)
    ]
    return f"p and interval, two approximations, differ for: {pair_names(data, pairs)}" if pairs else ""


def gap_lines(data: CorrelationData, reasons: Iterable[tuple[Coefficient, str | None]]) -> Iterator[str]:
    """One line for each reason why numbers of a coefficient are undefined, with the pairs concerned."""
    pairs_of: dict[str, list[Coefficient]] = {}
    for entry, reason in reasons:
        if reason:
            pairs_of.setdefault(reason, []).append(entry)
    yield from (f"– {reason}: {pair_names(data, pairs)}" for reason, pairs in pairs_of.items())


def pair_names(data: CorrelationData, entries: Sequence[Coefficient]) -> str:
    """``shape bias × ID, …``, the first `MOST_PAIRS` of them by name."""
    names = [pair_name(data, entry) for entry in entries]
    more = f" and {len(names) - MOST_PAIRS} more" if len(names) > MOST_PAIRS else ""
    return ", ".join(names[:MOST_PAIRS]) + more


def pair_name(data: CorrelationData, entry: Coefficient) -> str:
    """``shape bias × ID``."""
    return f"{title_of(data, entry['bias'])} × {title_of(data, partner(entry))}"


def partner(entry: Coefficient) -> str:
    """What the bias is correlated with."""
    return entry["other"] if "other" in entry else entry["generalization"]


def is_independent(entry: Coefficient) -> bool:
    """Whether there are no families within which models could change places."""
    families = entry.get("families")
    return families is None or families["families"] == 0


def _clusters(entry: Coefficient) -> tuple[float | None, float | None]:
    families = entry.get("families")
    return (families["cluster_low"], families["cluster_high"]) if families else (None, None)


def _contains(ends: tuple[float | None, float | None]) -> bool | None:
    """Whether an interval contains 0; None if it is undefined."""
    low, high = ends
    return None if low is None or high is None else low <= 0 <= high


def _turned(entry: Coefficient) -> bool:
    """Whether models inside families differ the other way round, and not by chance."""
    families = entry.get("families")
    if not families or families["p_within"] is None or families["within"] is None or entry["spearman"] is None:
        return False
    return families["p_within"] < 0.05 and families["within"] * entry["spearman"] < 0


_KINDS: dict[str, Callable[[Coefficient], bool]] = {
    "Starred, though the interval over families contains 0 (other families may not show it)": lambda entry: (
        bool(stars(entry)) and _contains(_clusters(entry)) is True
    ),
    "Starred, though the interval over models contains 0": lambda entry: (
        bool(stars(entry)) and _contains((entry["low"], entry["high"])) is True
    ),
    "Not starred, since p < 0.05 within families has the other sign": _turned,
    "Not starred, though the interval over models excludes 0 (it takes models of one family as independent)": (
        lambda entry: not stars(entry) and _contains((entry["low"], entry["high"])) is False
    ),
    "Not starred, though the interval over families excludes 0 (families differ, models inside them may not)": (
        lambda entry: not stars(entry) and _contains(_clusters(entry)) is False
    ),
}
"""What a note says -> whether it concerns a coefficient."""
