"""The table and the figure of the coefficients at equal accuracy, from the report's JSON-ready data alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness import Figure, Series, Table, TableCell

from .._cells import p_cell, plain
from .._declared import short
from .notes import label, title_of
from .schema import AxisCoefficient, CorrelationData


def divided(data: CorrelationData) -> list[AxisCoefficient]:
    """The coefficients over all models of biases that are divided by another measure, where something else is held."""
    return [entry for entry in data["correlations"] if entry["models"] == "all" and entry["partial"]["given"]]


def given_note(data: CorrelationData) -> Iterator[str]:
    """Below the matrix: which biases follow accuracy, and where their coefficients at equal accuracy are."""
    entries = divided(data)
    biases = list(dict.fromkeys(title_of(data, entry["bias"]) for entry in entries))
    if biases:
        named = ", ".join(biases[:3]) + (f" and {len(biases) - 3} more" if len(biases) > 3 else "")
        held = " and ".join(dict.fromkeys(_given(data, entry) for entry in entries))
        yield f"{named}: divided by another measure, so ρ follows accuracy; ρ at equal {held} is in the next table."


def given_tables(data: CorrelationData) -> Iterator[Table]:
    """Each divided bias with each axis: ρ, and ρ at equal accuracy."""
    entries = divided(data)
    if entries:
        yield Table(
            title="Biases divided by another measure: ρ, and ρ at equal accuracy",
            columns=("bias", "axis", "given", "n", "ρ", "ρ given", "low", "high", "p given"),
            keys=("bias", "axis", "given", "n", "spearman", "partial", "low", "high", "p"),
            rows=tuple(_row(data, entry) for entry in entries),
            note="\n".join(_notes(data, entries)),
        )


def _row(data: CorrelationData, entry: AxisCoefficient) -> tuple[TableCell, ...]:
    partial = entry["partial"]
    return (
        label(data, entry["bias"]),
        label(data, entry["generalization"]),
        TableCell(_given(data, entry), value=" ".join(partial["given"])),
        TableCell(str(partial["n"]), value=partial["n"]),
        plain(entry["spearman"]),
        plain(partial["value"]),
        plain(partial["low"]),
        plain(partial["high"]),
        p_cell(partial["p"]),
    )


def _notes(data: CorrelationData, entries: Sequence[AxisCoefficient]) -> Iterator[str]:
    yield (
        "ρ given: Spearman's partial coefficient, of models that differ in nothing but the rest. low, high, p: of it; "
        "exploratory, p by the t distribution, not adjusted."
    )
    yield "A ratio to a network's own error or accuracy follows accuracy: read ρ given, not ρ."
    fewer = [entry for entry in entries if entry["partial"]["n"] < entry["n"]]
    if fewer:
        pairs = [f"{title_of(data, e['bias'])} × {title_of(data, e['generalization'])} (ρ n = {e['n']})" for e in fewer]
        yield f"ρ is of more models than ρ given, which some lack: {short(pairs)}."
    yield from (f"– {reason}" for reason in dict.fromkeys(e["partial"]["reason"] for e in entries) if reason)


def _given(data: CorrelationData, entry: AxisCoefficient) -> str:
    return " and ".join(title_of(data, name) for name in entry["partial"]["given"])


def given_figures(data: CorrelationData) -> Iterator[Figure]:
    """``partial-<axis>``: ρ of every divided bias, and ρ at equal accuracy."""
    defined = [e for e in divided(data) if e["spearman"] is not None and e["partial"]["value"] is not None]
    for axis in dict.fromkeys(entry["generalization"] for entry in defined):
        entries = [entry for entry in defined if entry["generalization"] == axis]
        held = " or ".join(dict.fromkeys(_given(data, entry) for entry in entries))
        yield Figure(
            name=f"partial-{axis}",
            title=f"Biases divided by another measure, and {title_of(data, axis)}: at equal {held}",
            x_label="Spearman's ρ",
            y_label="",
            series=tuple(_marks(data, entries, held)),
            note=f"n = {_from_to([entry['partial']['n'] for entry in entries])} models",
            y_ticks=tuple((-float(at), title_of(data, entry["bias"])) for at, entry in enumerate(entries)),
        )


def _marks(data: CorrelationData, entries: Sequence[AxisCoefficient], held: str) -> Iterator[Series]:
    """The line at 0, the coefficients as they are, and those at equal accuracy: a bias is a line of the figure."""
    names = tuple(title_of(data, entry["bias"]) for entry in entries)
    lines = tuple(-float(at) for at in range(len(entries)))
    yield Series(label="no relation", x=(0.0, 0.0), y=(1.0, -float(len(entries))), style="reference")
    plain_x = tuple(value for entry in entries if (value := entry["spearman"]) is not None)
    given_x = tuple(value for entry in entries if (value := entry["partial"]["value"]) is not None)
    yield Series(label="ρ", x=plain_x, y=lines, names=names, style="open")
    yield Series(label=f"ρ given {held}", x=given_x, y=lines, names=names)


def _from_to(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
