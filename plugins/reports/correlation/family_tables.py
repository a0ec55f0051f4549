"""The table of training families of the report ``correlation``, from its JSON-ready data alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness import Table, TableCell

from .._cells import p_cell, plain
from .notes import label, title_of
from .schema import AxisCoefficient, CorrelationData, FamilyNumbers
from .stars import Coefficient, gap_lines, pair_names, partner


def family_tables(data: CorrelationData) -> Iterator[Table]:
    """Each bias with each axis: over all models, within families, in each of them, and for other families."""
    entries = [(entry, entry["families"]) for entry in data["correlations"] if "families" in entry]
    if _is_defined(entries):
        yield _table(data, "Within training families", entries, "\n".join(_notes(data, entries)))


def families_among(data: CorrelationData) -> Iterator[Table]:
    """Each pair of biases, likewise."""
    entries = [(entry, entry["families"]) for entry in data["bias_correlations"] if "families" in entry]
    if _is_defined(entries):
        yield _table(data, "Within training families, among biases", entries, "Exploratory.")


def _is_defined(entries: Sequence[tuple[Coefficient, FamilyNumbers]]) -> bool:
    return any(families["within"] is not None for _, families in entries)


def _table(data: CorrelationData, title: str, entries: Sequence[tuple[Coefficient, FamilyNumbers]], note: str) -> Table:
    return Table(
        title=title,
        columns=("bias", "axis", "ρ all", "within", "p Holm", "+", "−", "Simpson", "low", "high"),
        keys=("bias", "axis", "all", "within", "p_within_holm", "positive", "negative", "simpson", "low", "high"),
        rows=tuple(_row(data, entry, families) for entry, families in entries),
        note=note,
    )


def _row(data: CorrelationData, entry: Coefficient, families: FamilyNumbers) -> tuple[TableCell, ...]:
    signs = list(families["signs"].values())
    positive, negative = (sum(sign == direction for sign in signs) for direction in (1, -1))
    return (
        label(data, entry["bias"]),
        label(data, partner(entry)),
        plain(entry["spearman"]),
        plain(families["within"]),
        p_cell(families["p_within_holm"]),
        TableCell(str(positive), positive),
        TableCell(str(negative), negative),
        TableCell(_turns(entry, families)),
        plain(families["cluster_low"]),
        plain(families["cluster_high"]),
    )


def _turns(entry: Coefficient, families: FamilyNumbers) -> str:
    """Where the relation turns round: ``within`` families pooled, or in a single ``family``; empty if nowhere."""
    if not families["simpson"]:
        return ""
    return "within" if (families["within"] or 0.0) * (entry["spearman"] or 0.0) < 0 else "family"


def _notes(data: CorrelationData, entries: Sequence[tuple[AxisCoefficient, FamilyNumbers]]) -> Iterator[str]:
    usual = max((families for _, families in entries), key=lambda families: families["n"])
    of_all = "" if usual["permutations"] is None else f" of {usual['permutations']:.1e}"
    drawn = f"{usual['draws']:,} random permutations{of_all} within families, seed {usual['seed']}"
    permutations = f"all {usual['draws']:,} permutations within families" if usual["seed"] is None else drawn
    families = "1 family" if usual["families"] == 1 else f"{usual['families']} families"
    yield (
        f"within: ρ of ranks less family means, {usual['n']} models in {families} of two or more. "
        f"p Holm: by {permutations}, corrected over {_tests(entries)}, the primary tests of this report; every "
        "other p in it is exploratory."
    )
    yield "+, −: families of three or more in which the relation rises, falls."
    if any(families["simpson"] for _, families in entries):
        yield "Simpson: the sign turns round within families, or in one family of five or more."
    if any(families["cluster_low"] is not None for _, families in entries):
        yield f"low, high: 95 % interval for other families, from {usual['cluster_draws']:,} samples of families."
    yield from gap_lines(data, ((entry, families["reason"]) for entry, families in entries))
    yield from _everywhere(data, entries)
    worth = [(one["name"], one["n_effective"]) for one in data["clusters"] if one["n_effective"] is not None]
    if worth:
        listed = ", ".join(f"{title_of(data, name)} {n:.1f}" for name, n in worth)
        size = max(one["family_size"] for one in data["clusters"])
        yield (
            f"Models of one family are alike; a model chosen at random is one of {size:.1f} (Σn²/n). So many "
            f"independent models is a mean over all worth: {listed}"
        )


def _tests(entries: Sequence[tuple[AxisCoefficient, FamilyNumbers]]) -> str:
    """How many coefficients have a p: those without are no tests, and are not corrected for."""
    tests = sum(families["p_within"] is not None for _, families in entries)
    return f"these {tests}" if tests == len(entries) else f"the {tests} that have one"


def _everywhere(data: CorrelationData, entries: Sequence[tuple[AxisCoefficient, FamilyNumbers]]) -> Iterator[str]:
    """Which relations order most pairs of models alike in every family."""
    judged = [(entry, families["worst_error"]) for entry, families in entries if families["worst_error"] is not None]
    held = [entry for entry, error in judged if error < 0.5]
    if judged:
        listed = f": {pair_names(data, held)}" if held else ""
        share = f"{len(held)} of {len(judged)}"
        yield f"In every family of three or more, most pairs of models are ordered as ρ says for {share}{listed}"
