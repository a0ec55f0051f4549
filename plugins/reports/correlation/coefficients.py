"""The coefficients of the report ``correlation`` as tables: a matrix, each with its interval, one group set apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from harness import Table, TableCell, statistics

from .._cells import BLANK, p_cell, plain
from .family_tables import family_tables
from .given_tables import given_note, given_tables
from .notes import errata_notes, label, title_of
from .schema import CorrelationData
from .stars import Coefficient, contradictions, gap_lines, legend, p_and_interval, partner, stars

APART = ("all", "group", "others")
AS_INDEPENDENT = (
    "p by the t approximation (exact for n < 10) and intervals after Bonett & Wright (2000), as on the study's poster: "
    "models of one family are taken as independent. Exploratory."
)
EXPLORATORY = "Exploratory: the primary tests are those of all models, within families."


class CoefficientTables(NamedTuple):
    """The tables of coefficients, each list empty or with one table.

    Attributes:
        matrix: of biases and axes over all models. given: divided biases at equal accuracy. families: within training
            families. intervals: each coefficient as if models were independent; in their place, why none is defined.
        apart: a group set apart. among: the matrix of biases.
    """

    matrix: list[Table]
    given: list[Table]
    families: list[Table]
    intervals: list[Table]
    apart: list[Table]
    among: list[Table]

    @property
    def answer(self) -> list[Table]:
        """What answers the question."""
        return [*self.matrix, *self.given]

    @property
    def details(self) -> list[Table]:
        """What details it."""
        return [*self.families, *self.intervals, *self.apart, *self.among]


def coefficient_tables(data: CorrelationData, *, sets: str = "--format csv or json") -> CoefficientTables:
    """The matrix of biases and axes over all models, which answers the question, and the tables that detail it.

    Args:
        sets: where the coefficients of each set of models are.
    """
    across, among = (list(_selections(data[key])) for key in ("correlations", "bias_correlations"))
    tables = CoefficientTables([], [], [], [], [], [])
    if across and not _defined(across[0]):
        return tables._replace(intervals=[_nothing(across[0])])
    if across:
        overall, *subsets = across
        errata = "\n".join(errata_notes(data, [*data["biases"], *data["axes"]]))
        notes = (
            legend(overall),
            *given_note(data),
            *contradictions(data, overall),
            _undefined_sets(data, subsets),
            errata,
        )
        left_out = "\n".join(_left_out(data, overall, subsets, sets))
        tables = tables._replace(
            matrix=[_matrix(data, overall, *notes)],
            given=list(given_tables(data)),
            families=list(family_tables(data)),
            intervals=[_full(data, overall, left_out)],
            apart=list(_apart(data, overall, subsets)),
        )
    if among and _defined(among[0]):
        notes_among = (legend(among[0]), *contradictions(data, among[0]), EXPLORATORY)
        tables = tables._replace(among=[_matrix(data, among[0], *notes_among)])
    return tables


def _apart(
    data: CorrelationData, overall: Sequence[Coefficient], subsets: Sequence[Sequence[Coefficient]]
) -> Iterator[Table]:
    """All models, the group that was declared beforehand, and its complement side by side."""
    sets = {entries[0]["models"]: entries for entries in subsets}
    group = data["set_apart"]
    if group is None or group not in sets or not _defined(sets.get(f"not {group}", ())):
        return
    three = (overall, sets[group], sets[f"not {group}"])
    rows = [
        (label(data, entry["bias"]), label(data, partner(entry)), *map(_coefficient, (entry, inside, outside)))
        for entry, inside, outside in zip(*three, strict=True)
    ]
    most_models = [max(entry["n"] for entry in entries) for entries in three]
    sizes = ", ".join(f"{label} {n}" for label, n in zip(APART, most_models, strict=True))
    halves = [(label, _near_zero(n)) for label, n in zip(APART, most_models, strict=True)]
    widths = ", ".join(f"{label} ±{half:.2f}" for label, half in halves if half is not None)
    yield Table(
        title=f"Spearman's ρ with {title_of(data, group)} set apart",
        columns=("bias", "axis", *APART),
        rows=tuple(rows),
        note=f"models: {sizes}. Stars of group and others take their models as independent; Holm's correction within "
        f"each column. {EXPLORATORY}\n"
        f"95 % interval of a ρ near 0: {widths}.",
    )


def _left_out(
    data: CorrelationData, overall: Sequence[Coefficient], subsets: Sequence[Sequence[Coefficient]], where: str
) -> Iterator[str]:
    """What each group changes, and why none is set apart, where none is declared; `where`: the coefficients are."""
    sets = {entries[0]["models"]: entries for entries in subsets}
    changes = {
        name: _change(overall, complement)
        for name in sets
        if (complement := sets.get(f"not {name}")) and _defined(complement)
    }
    if not changes:
        return
    ordered = sorted(changes, key=lambda name: -changes[name])
    listed = ", ".join(f"{title_of(data, name)} {changes[name]:.2f}" for name in ordered)
    yield f"Mean change of ρ when a group is left out: {listed}. Each group's coefficients: {where}"
    if data["set_apart"] is None:
        yield "No group is set apart: none was declared beforehand (set_apart, under statistics of a suite)."


def _change(overall: Sequence[Coefficient], complement: Sequence[Coefficient]) -> float:
    """Mean absolute change of the coefficients from all models to `complement`."""
    pairs = [(left["spearman"], right["spearman"]) for left, right in zip(overall, complement, strict=True)]
    changes = [abs(before - after) for before, after in pairs if before is not None and after is not None]
    return sum(changes) / len(changes) if changes else 0.0


def _nothing(entries: Sequence[Coefficient]) -> Table:
    text = ", ".join(dict.fromkeys(entry["reason"] or "" for entry in entries))
    if any(entry["n"] < statistics.LEAST_PAIRS for entry in entries):
        text += f"; at least {statistics.LEAST_PAIRS} models with both numbers are needed"
    return Table(title="Spearman's ρ of biases and generalization", columns=("all models",), rows=((TableCell(text),),))


def _selections(entries: Sequence[Coefficient]) -> Iterator[list[Coefficient]]:
    """The entries of each set of models, in order."""
    sets: dict[str, list[Coefficient]] = {}
    for entry in entries:
        sets.setdefault(entry["models"], []).append(entry)
    yield from sets.values()


def _defined(entries: Sequence[Coefficient]) -> bool:
    return any(entry["spearman"] is not None for entry in entries)


def _matrix(data: CorrelationData, entries: Sequence[Coefficient], *notes: str) -> Table:
    """Biases as rows, axes as columns. If the columns are biases too, each pair appears once, below the diagonal."""
    among = "other" in entries[0]
    places = [(partner(e), e["bias"]) if among else (e["bias"], partner(e)) for e in entries]
    rows, columns = (list(dict.fromkeys(place[side] for place in places)) for side in (0, 1))
    cells = {place: _coefficient(entry) for place, entry in zip(places, entries, strict=True)}
    subject = "all models" if entries[0]["models"] == "all" else f"models: {entries[0]['models']}"
    return Table(
        title=f"Spearman's ρ {'among biases' if among else 'of biases and generalization'}, {subject}",
        columns=("bias", *(title_of(data, name) for name in columns)),
        keys=("bias", *columns),
        rows=tuple((label(data, row), *(cells.get((row, column), BLANK) for column in columns)) for row in rows),
        note="\n".join(filter(None, [_sizes(data, entries), *_gaps(entries), *notes])),
    )


def _coefficient(entry: Coefficient) -> TableCell:
    """For example ``-0.76**``, padded to two stars so that the digits line up."""
    value = entry["spearman"]
    if value is None:
        return TableCell("–  ", value="", style="dim")
    marks = stars(entry)
    colour = "cyan" if value > 0 else "red"
    style = f"bold {colour}" if abs(value) >= 0.5 else colour
    return TableCell(f"{plain(value).text}{marks:<2}", value=value, style=style if marks else "dim")


def _sizes(data: CorrelationData, entries: Sequence[Coefficient]) -> str:
    """The number of models, and the precision of a coefficient with that many."""
    counts = [entry["n"] for entry in entries]
    usual = max(counts, key=lambda n: (counts.count(n), n))
    exceptions = list(_exceptions(data, entries, usual))
    half = _near_zero(usual)
    width = "" if half is None else f" (95 % interval of a ρ near 0: ±{half:.2f})"
    return f"n = {usual} models{width}" + (f", but {', '.join(exceptions)}" if exceptions else "")


def _exceptions(data: CorrelationData, entries: Sequence[Coefficient], usual: int) -> Iterator[str]:
    """``C n = 200`` for an axis that so many models have, with whichever bias; else each pair with another n."""
    for name in dict.fromkeys(map(partner, entries)):
        own = [entry for entry in entries if partner(entry) == name]
        if len({entry["n"] for entry in own}) == 1 < len(own) and own[0]["n"] != usual:
            yield f"{title_of(data, name)} n = {own[0]['n']}"
        else:
            pairs = [entry for entry in own if entry["n"] != usual]
            yield from (f"{title_of(data, e['bias'])} × {title_of(data, name)} n = {e['n']}" for e in pairs)


def _near_zero(n: int) -> float | None:
    """Half-width of the 95 % interval of a coefficient near 0 over n models; None if n is too small."""
    return statistics.spearman_interval(0.0, n)[1] if n >= statistics.LEAST_PAIRS else None


def _gaps(entries: Sequence[Coefficient]) -> Iterator[str]:
    reasons = dict.fromkeys(entry["reason"] for entry in entries if entry["spearman"] is None)
    yield from (f"– {reason}" for reason in reasons)


def _undefined_sets(data: CorrelationData, subsets: Sequence[Sequence[Coefficient]]) -> str:
    firsts = [entries[0] for entries in subsets if not _defined(entries)]
    undefined = [f"{_set_title(data, first['models'])} {first['reason']}" for first in firsts]
    return f"No coefficients for: {', '.join(undefined)}" if undefined else ""


def _set_title(data: CorrelationData, models: str) -> str:
    """``recipes`` or ``not recipes`` for a group and its complement."""
    negation = "not " if models.startswith("not ") else ""
    return negation + title_of(data, models.removeprefix("not "))


def _full(data: CorrelationData, entries: Sequence[Coefficient], left_out: str) -> Table:
    """Value, interval and p-values of each coefficient, as if models were independent."""
    rows = []
    for entry in entries:
        value = entry["spearman"]
        numbers = [plain(value), plain(entry["low"]), plain(entry["high"]), p_cell(entry["p"]), p_cell(entry["p_holm"])]
        rows.append(
            (label(data, entry["bias"]), label(data, partner(entry)), TableCell(str(entry["n"]), entry["n"]), *numbers)
        )
    gaps = gap_lines(data, ((entry, entry["reason"]) for entry in entries))
    return Table(
        title="The same with 95 % intervals and p-values, all models",
        columns=("bias", "axis", "n", "ρ", "low", "high", "p", "p Holm"),
        rows=tuple(rows),
        note="\n".join(filter(None, [AS_INDEPENDENT, p_and_interval(data, entries), *gaps, left_out])),
    )
