"""The parts of the HTML file of the report ``sensitivity``, from its JSON-ready data alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness import Page, Table

from .._cells import plain
from .._pages import count, details, listed, measured_sentence, provenance_page, remarks_page
from .._reading import PREDICTION, reading_page
from .figures import alternative_figures, effective_figures
from .further_tables import definition_table, flip_table, robustness_table
from .interventions import change_table, intervention_tables
from .notes import label
from .robustness_tables import beyond_tables, effective_tables
from .schema import SensitivityData, SensitivityEntry
from .tables import alternative_tables, coupling_tables, held_tables, influence_tables, reliability_tables


def all_pages(data: SensitivityData) -> list[Page]:
    """Three computed sentences, then one part for each thing that a coefficient may rest on."""
    entries = data["sensitivities"]
    defined = [entry for entry in entries if entry["alternatives"]]
    coupled = [entry for entry in entries if entry["coupling"]]
    robust = [entry for entry in entries if entry["effective"]]
    effective = data["effective"]
    parts = [
        Page(title="Controls and error", tables=tuple(held_tables(data, entries))),
        Page(title="Single models", tables=(*influence_tables(data, entries), *_with_rows(flip_table(data)))),
        Page(title="Definitions", figures=alternative_figures(data), tables=tuple(alternative_tables(data, defined))),
        details("Each definition", _with_rows(definition_table(data))),
        Page(title="Shared denominators", tables=tuple(coupling_tables(data, coupled))),
        Page(title="Reliability", tables=tuple(reliability_tables(data, data["reliabilities"], None))),
        Page(
            title="Effective robustness",
            figures=effective_figures(data),
            tables=(*effective_tables(data, effective), *beyond_tables(data, robust)),
        ),
        details("Effective robustness of each model", _with_rows(robustness_table(data))),
        Page(title="Changes of one hyperparameter", tables=tuple(intervention_tables(data))),
        details("Each change", _with_rows(change_table(data))),
    ]
    return [
        Page(title="Summary", text=_summary(data)),
        *(page for page in parts if page.figures or page.tables),
        remarks_page(data["warnings"]),
        provenance_page(data["provenance"]),
        reading_page(without=PREDICTION),
    ]


def _with_rows(table: Table) -> list[Table]:
    return [table] if table.rows else []


def _summary(data: SensitivityData) -> tuple[str, str, str]:
    """What was measured; what single models do to the coefficients; what the controls do."""
    entries = data["sensitivities"]
    biases, axes = ({entry[key] for entry in entries} for key in ("bias", "generalization"))
    subject = f"{count(len(biases), 'bias', 'biases')} and {count(len(axes), 'axis', 'axes')} of generalization"
    return measured_sentence(data["measured"], subject), _single(data, entries), _held(data, entries)


def _single(data: SensitivityData, entries: Sequence[SensitivityEntry]) -> str:
    known = [
        (abs(without - rho), entry)
        for entry in entries
        if (without := entry["influence"]["without"]) is not None and (rho := entry["spearman"]) is not None
    ]
    if not known:
        return f"What a single model does to a coefficient is unknown: {listed(list(_why(entries, 'influence')), 3)}."
    flipped = sum(bool(entry["influence"]["flips"]) for _, entry in known)
    _, most = max(known, key=lambda pair: pair[0])
    return (
        f"The deletion of a single model moves p across 0.05 for {flipped} of {count(len(known), 'coefficient')}; most "
        f"of all it moves that of {_pair(data, most)}, from {plain(most['spearman']).text} to "
        f"{plain(most['influence']['without']).text} without {most['influence']['model']}."
    )


def _held(data: SensitivityData, entries: Sequence[SensitivityEntry]) -> str:
    known = [
        (held * rho, entry["partial"])
        for entry in entries
        if (held := entry["partial"]["value"]) is not None and (rho := entry["spearman"]) is not None
    ]
    if not known:
        return f"No coefficient has its controls held: {listed(list(_why(entries, 'partial')), 3)}."
    controls = listed([label(data, name).text for name in data["controls"]])
    turned = sum(product < 0 for product, _ in known)
    kept = sum(of["p"] is not None and of["p"] < 0.05 for _, of in known)
    return (
        f"With {controls} held, {turned} of {count(len(known), 'coefficient')} {'has' if turned == 1 else 'have'} the "
        f"other sign, and {kept} {'has' if kept == 1 else 'have'} p < 0.05 (exploratory, not adjusted)."
    )


def _pair(data: SensitivityData, entry: SensitivityEntry) -> str:
    return f"{label(data, entry['bias']).text} × {label(data, entry['generalization']).text}"


def _why(entries: Sequence[SensitivityEntry], part: str) -> Iterator[str]:
    """Each reason once."""
    if not entries:
        yield "the runs do not define both biases and axes"
    reasons = (entry["reason"] or entry[part]["reason"] or "undefined" for entry in entries)  # type: ignore[literal-required]
    yield from dict.fromkeys(reasons)
