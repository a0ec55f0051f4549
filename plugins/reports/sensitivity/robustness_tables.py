"""The tables of effective robustness of the report ``sensitivity``, made from its JSON-ready data alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness import Table, TableCell

from .._cells import number, plain
from .notes import counted, label, notes, reason_lines
from .schema import EffectiveEntry, SensitivityData, SensitivityEntry


def effective_tables(data: SensitivityData, entries: Sequence[EffectiveEntry]) -> Iterator[Table]:
    """The line of each axis, and the model that is farthest above it."""
    if not entries:
        return
    rows = []
    for entry in entries:
        inside = [name for name in entry["values"] if name not in entry["outside"]]
        known = {name: beyond for name in inside if (beyond := entry["values"][name]) is not None}
        most = max(known, key=lambda name: known[name], default=None)
        numbers = [counted(entry["n"]), plain(entry["slope"]), plain(entry["r2"])]
        value = number(None if most is None else known[most], "+.1f", scale=100)
        rows.append((label(data, entry["generalization"]), *numbers, value, TableCell(most or "–", value=most or "")))
    against = data["titles"].get(entries[0]["against"], entries[0]["against"])
    yield Table(
        title=f"Effective robustness: beyond what {against} predicts over the baseline models",
        columns=("axis", "n", "slope", "R²", "most", "model"),
        rows=tuple(rows),
        note=notes(
            "n, slope, R²: of the line through the baseline models, on the probit scale. most: largest value within "
            "the baseline's range, in points.",
            (f"– {label(data, e['generalization']).text}: {e['reason']}" for e in entries if e["reason"]),
            _outside(data, entries),
            (f"without a place on the line: {', '.join(e['left_out'])}" for e in entries if e["left_out"]),
        ),
    )


def _outside(data: SensitivityData, entries: Sequence[EffectiveEntry]) -> Iterator[str]:
    for entry in entries:
        if entry["outside"]:
            axis, against = (label(data, entry[key]).text for key in ("generalization", "against"))
            yield (
                f"{axis}: {len(entry['outside'])} of {len(entry['values'])} models are outside the baseline's range of "
                f"{against}: for them the line is extrapolated, far from it without meaning"
            )


def beyond_tables(data: SensitivityData, entries: Sequence[SensitivityEntry]) -> Iterator[Table]:
    """Biases as rows, axes as columns."""
    if not entries:
        return
    axes = list(dict.fromkeys(entry["generalization"] for entry in entries))
    of: Mapping[tuple[str, str], SensitivityEntry] = {(e["bias"], e["generalization"]): e for e in entries}
    sizes = dict.fromkeys(entry["effective"]["n"] for entry in entries if entry["effective"])
    rows = []
    for bias in dict.fromkeys(entry["bias"] for entry in entries):
        beyond = [of[bias, axis]["effective"] for axis in axes]
        rows.append((label(data, bias), *(plain(one["spearman"] if one else None) for one in beyond)))
    yield Table(
        title="Spearman's ρ of biases with effective robustness",
        columns=("bias", *(data["titles"].get(axis, axis) for axis in axes)),
        keys=("bias", *axes),
        rows=tuple(rows),
        note=notes(
            f"n = {', '.join(map(str, sizes))}: models within the baseline's range.",
            reason_lines(data, entries, lambda entry: entry["effective"] and entry["effective"]["reason"]),
        ),
    )
