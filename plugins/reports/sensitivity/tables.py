"""The tables of the report ``sensitivity``, made from its JSON-ready data alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from harness import Table, TableCell

from .._cells import ABSENT, p_cell, plain, remark_tables
from .further_tables import further_tables
from .interventions import intervention_tables
from .notes import counted, label, notes, pair_cells, reason_lines
from .robustness_tables import beyond_tables, effective_tables
from .schema import ReliabilityEntry, SensitivityData, SensitivityEntry

MOST_SETS = 6
"""Most sets of models as columns of a table, but for CSV."""
MOST_FLIPS = 6
"""Most names of models whose deletion flips a star in a note; CSV and JSON have all of them."""


def all_tables(data: SensitivityData, *, full: bool = False) -> list[Table]:
    """Coefficients and what moves them, definitions, shared denominators, reliability, effective robustness.

    Args:
        full: all sets of models, models and definitions; else as much as a person reads.
    """
    entries = data["sensitivities"]
    return [
        *held_tables(data, entries),
        *influence_tables(data, entries),
        *alternative_tables(data, [entry for entry in entries if entry["alternatives"]]),
        *coupling_tables(data, [entry for entry in entries if entry["coupling"]]),
        *reliability_tables(data, data["reliabilities"], None if full else MOST_SETS),
        *effective_tables(data, data["effective"]),
        *beyond_tables(data, [entry for entry in entries if entry["effective"]]),
        *intervention_tables(data),
        *(further_tables(data) if full else ()),
        *remark_tables(data["warnings"]),
    ]


def _share(value: float | None) -> TableCell:
    return ABSENT if value is None else TableCell(f"{100 * value:.0f} %", value=value)


def held_tables(data: SensitivityData, entries: Sequence[SensitivityEntry]) -> Iterator[Table]:
    """Each coefficient with its controls held, and beside its ceiling."""
    if not entries:
        return
    rows = tuple(
        (
            *pair_cells(data, entry),
            counted(entry["n"]),
            plain(entry["spearman"]),
            plain(entry["partial"]["value"]),
            p_cell(entry["partial"]["p"]),
            plain(entry["ceiling"]["value"]),
            plain(entry["ceiling"]["disattenuated"]),
        )
        for entry in entries
    )
    yield Table(
        title="Spearman's ρ with controls held, and without error of measurement",
        columns=("bias", "axis", "n", "ρ", "held", "p held", "ceiling", "ρ/ceiling"),
        rows=rows,
        note=notes(
            _held(data, entries),
            _detectable(entries),
            "ceiling: largest ρ to expect with these reliabilities.",
            reason_lines(data, entries, lambda entry: entry["reason"]),
            reason_lines(data, entries, lambda entry: None if entry["reason"] else entry["partial"]["reason"]),
            _without_ceiling(entries),
        ),
    )


def _held(data: SensitivityData, entries: Sequence[SensitivityEntry]) -> Iterator[str]:
    """What is held for the pairs, and those that rest on fewer models for it."""
    partials = [(entry, entry["partial"]) for entry in entries if entry["partial"]["controls"]]
    controls = [name for name in data["controls"] if any(name in of["controls"] for _, of in partials)]
    if controls:
        listed = ", ".join(label(data, name).text for name in controls)
        fewer = any(len(of["controls"]) < len(controls) for _, of in partials)
        text = f"held: ρ at equal {listed}{' (but what the pair itself is of)' if fewer else ''}; exploratory, "
        yield f"{text}p is not adjusted for the number of pairs."
    yield from _fewer(data, ((entry, of["n"]) for entry, of in partials if of["value"] is not None), "held")


def _fewer(data: SensitivityData, sizes: Iterable[tuple[SensitivityEntry, int]], what: str) -> Iterator[str]:
    """One line for each number of models that is below that of the pair, with the pairs concerned."""
    concerned: dict[int, list[str]] = {}
    for entry, n in sizes:
        if n < entry["n"]:
            concerned.setdefault(n, []).append(" × ".join(cell.text for cell in pair_cells(data, entry)))
    for n, pairs in concerned.items():
        yield f"– {what} over n = {n} models: {', '.join(pairs) if len(pairs) <= 4 else f'{len(pairs)} pairs'}"


def _without_ceiling(entries: Sequence[SensitivityEntry]) -> Iterator[str]:
    unknown = [entry for entry in entries if entry["ceiling"]["value"] is None]
    if unknown:
        yield f"– no ceiling: {len(unknown)} pairs; the table of reliability says why"
    low = [entry for entry in entries if entry["ceiling"]["value"] is not None and entry["ceiling"]["reason"]]
    if low:
        yield f"– no ρ/ceiling: {len(low)} pairs with a reliability below 0.5"


def _detectable(entries: Sequence[SensitivityEntry]) -> Iterator[str]:
    """What as many models could have shown, for each number of models."""
    by_n = {entry["n"]: entry["detectable"] for entry in entries}
    for n, detectable in sorted(by_n.items(), reverse=True):
        if detectable["single"] is not None and detectable["corrected"] is not None:
            yield (
                f"n = {n}: smallest |ρ| found in 4 of 5 studies at p < 0.05: {detectable['single']:.2f}; as the "
                f"strictest of {detectable['tests']} tests after Holm: {detectable['corrected']:.2f}"
            )


def influence_tables(data: SensitivityData, entries: Sequence[SensitivityEntry]) -> Iterator[Table]:
    """The model whose deletion moves each coefficient most, and how many flip it."""
    if not any(entry["influence"]["model"] for entry in entries):
        return
    rows = tuple(
        (
            *pair_cells(data, entry),
            plain(entry["spearman"]),
            p_cell(entry["p"]),
            plain(entry["influence"]["without"]),
            TableCell(entry["influence"]["model"] or "–", value=entry["influence"]["model"] or ""),
            counted(len(entry["influence"]["flips"])),
        )
        for entry in entries
    )
    yield Table(
        title="The model whose deletion moves ρ most, and deletions that flip p < 0.05",
        columns=("bias", "axis", "ρ", "p", "without", "model", "flips"),
        rows=rows,
        note=notes(
            _flips(data, entries),
            reason_lines(data, entries, lambda entry: None if entry["reason"] else entry["influence"]["reason"]),
        ),
    )


def _flips(data: SensitivityData, entries: Sequence[SensitivityEntry]) -> Iterator[str]:
    for entry in entries:
        flips = entry["influence"]["flips"]
        if flips:
            more = f" and {len(flips) - MOST_FLIPS} more (--format csv or json)" if len(flips) > MOST_FLIPS else ""
            pair = " × ".join(cell.text for cell in pair_cells(data, entry))
            yield f"{pair} flips without any one of: {', '.join(flips[:MOST_FLIPS])}{more}"


def alternative_tables(data: SensitivityData, entries: Sequence[SensitivityEntry]) -> Iterator[Table]:
    """Each coefficient over all declared definitions."""
    rows = []
    for entry in entries:
        of = entry["alternatives"]
        if of is not None:
            numbers = [plain(of["least"]), plain(of["median"]), plain(of["most"])]
            shares = [_share(of["positive"]), _share(of["significant"])]
            defined, tried = of["defined"], len(of["specifications"])
            count = TableCell(f"{defined} of {tried}" if defined < tried else str(defined), value=defined)
            rows.append((*pair_cells(data, entry), count, *numbers, *shares))
    if rows:
        yield Table(
            title="Spearman's ρ over all declared definitions of the bias and the axis",
            columns=("bias", "axis", "definitions", "least", "median", "most", "ρ > 0", "p < 0.05"),
            rows=tuple(rows),
            note=notes(
                "Definitions share their data, so the share of p < 0.05 is no test. Each of them: --format csv or json",
                reason_lines(data, entries, lambda entry: entry["alternatives"] and entry["alternatives"]["reason"]),
            ),
        )


def coupling_tables(data: SensitivityData, entries: Sequence[SensitivityEntry]) -> Iterator[Table]:
    """Each coefficient of a divided bias beside what the division alone makes."""
    rows, draws = [], 0
    for entry in entries:
        of = entry["coupling"]
        if of is not None:
            draws = max(draws, of["draws"])
            within = of["within"] or {"null": None, "p": None}
            numbers = [plain(of["null"]), plain(of["sd"]), p_cell(of["p"]), plain(within["null"]), p_cell(within["p"])]
            rows.append((*pair_cells(data, entry), plain(entry["spearman"]), *numbers, plain(of["absolute"])))
    if rows:
        yield Table(
            title="Biases that are divided by another measure: ρ beside what the division alone makes",
            columns=("bias", "axis", "ρ", "null", "sd", "p", "in groups", "p in groups", "undivided"),
            keys=("bias", "axis", "rho", "null", "sd", "p", "null_within", "p_within", "undivided"),
            rows=tuple(rows),
            note=notes(
                f"null: mean ρ of {draws:,} draws in which the models exchange what is divided, and keep what it is "
                "divided by; p: two-sided around it, not adjusted. in groups: models exchange with others of their "
                "group only. undivided: ρ of what is divided.",
                _fewer(data, ((e, e["coupling"]["n"]) for e in entries if e["coupling"]), "null, undivided"),
                reason_lines(data, entries, lambda entry: entry["coupling"] and entry["coupling"]["reason"]),
            ),
        )


def reliability_tables(data: SensitivityData, entries: Sequence[ReliabilityEntry], most: int | None) -> Iterator[Table]:
    """Biases and axes as rows, sets of models as columns; `most`: how many, None: all."""
    if not entries:
        return
    every = list(dict.fromkeys(entry["models"] for entry in entries))
    sets = every[:most]
    of = {(entry["name"], entry["models"]): entry for entry in entries}
    rows = []
    for name in dict.fromkeys(entry["name"] for entry in entries):
        own = [of[name, models] for models in sets]
        method = ABSENT if own[0]["value"] is None else TableCell(own[0]["method"])
        rows.append((label(data, name), method, *(plain(entry["value"]) for entry in own)))
    overall = [entry for entry in entries if entry["models"] == sets[0]]
    usual = {models: max(entry["n"] for entry in entries if entry["models"] == models) for models in sets}
    sizes = ", ".join(f"{label(data, models).text} {n}" for models, n in usual.items())
    fewer = [f"{label(data, e['name']).text} {e['n']}" for e in overall if e["n"] < usual[sets[0]]]
    yield Table(
        title="Reliability: share of the variance over models that is not error of measurement",
        columns=("name", "from", *(label(data, models).text for models in sets)),
        keys=("name", "from", *sets),
        rows=tuple(rows),
        note=notes(
            f"models: {sizes}{', but ' + ', '.join(fewer) if fewer else ''}. Groups of fewer than five have none.",
            f"{len(every) - len(sets)} more groups: --format csv or json" if len(every) > len(sets) else "",
            "halves: from random halves of the images, the same for all models; errors: 1 - mean SE²/variance. Below "
            "0.5 a coefficient over these models says little; at 0 and below they cannot be told apart.",
            (f"– {label(data, e['name']).text}: {e['reason']}" for e in overall if e["reason"]),
        ),
    )
