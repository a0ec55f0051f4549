"""A comparison as JSON and as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, cast

from harness.errors import listed
from harness.records import Table, TableCell
from harness.study.comparing import VERDICTS, Comparison
from harness.study.comparison_schema import ComparisonData, ComparisonEntry
from harness.study.side import Side

MOST_EQUAL = 60
"""In the terminal, more measures within their tolerance than this are counted instead of listed."""
COLUMNS = ("measure", "here", "there", "difference", "within", "verdict")


def comparison_data(here: Side, there: Side, comparisons: Sequence[Comparison]) -> ComparisonData:
    """The comparison as one JSON-ready object."""
    counts = Counter(comparison.verdict for comparison in comparisons)
    return {
        "run": here.label,
        "against": there.label,
        "counts": {verdict: counts[verdict] for verdict in VERDICTS},
        "settings": _settings(here, there),
        "only_here": sorted(set(here.models) - set(there.models)),
        "only_there": sorted(set(there.models) - set(here.models)),
        "comparisons": [cast(ComparisonEntry, asdict(comparison)) for comparison in comparisons],
    }


def _settings(here: Side, there: Side) -> str:
    """The settings in which two runs differ: ``seed 0 there, 7 here``."""
    shared = [name for name in here.settings if name in there.settings]
    changed = [name for name in shared if here.settings[name] != there.settings[name]]
    return ", ".join(f"{name} {there.settings[name]} there, {here.settings[name]} here" for name in changed)


def comparison_tables(data: Mapping[str, Any], *, whole: bool = True, each: bool = False) -> list[Table]:
    """The measures on both sides, the most urgent first; then the reasons why the others cannot be compared.

    Args:
        whole: False: if many measures are within their tolerance, they are counted instead of listed.
        each: whether each measure that is missing on one side has a row, as in CSV; else each reason has.
    """
    rows = [row for row in data["comparisons"] if row["mine"] is not None and row["theirs"] is not None]
    rows.sort(key=lambda row: VERDICTS.index(row["verdict"]))
    ok = sum(row["verdict"] == "ok" for row in rows)
    hidden = not whole and ok > MOST_EQUAL
    shown = [row for row in rows if row["verdict"] != "ok"] if hidden else rows
    models = list(dict.fromkeys(row["model"] for row in data["comparisons"]))
    counts = ", ".join(f"{number} {verdict}" for verdict, number in data["counts"].items() if number)
    model_prefix = f"{models[0]}, " if len(models) == 1 else ""
    notes = [*_notes(rows)]
    if hidden:
        notes.insert(0, f"{ok:,} measures are ok and not listed here: see --format csv or json")
    if data["settings"]:
        notes.append(f"settings differ: {data['settings']}; noise, attacks and last digits depend on them")
    for name, side in (("only_here", "run"), ("only_there", "against")):
        notes += [f"only in {data[side]}: {listed(data[name])}"] if data[name] else []
    title = f"{model_prefix}{data['run']} against {data['against']}: {counts}"
    if len(models) > 1 and not whole:
        tables = [_overview(data, models, title), *_by_model(models, shown)]
    else:
        columns = (*(("model",) if len(models) > 1 else ()), *COLUMNS)
        tables = [Table(title=title, columns=columns, rows=tuple(_row(row, len(models) > 1) for row in shown))]
    missing = [row for row in data["comparisons"] if row["mine"] is None or row["theirs"] is None]
    return [*tables[:-1], replace(tables[-1], note="\n".join(notes)), *(_each if each else _by_reason)(missing)]


def _overview(data: Mapping[str, Any], models: Sequence[str], title: str) -> Table:
    """The number of verdicts of each kind, for each model."""
    counts = {
        model: Counter(comparison["verdict"] for comparison in data["comparisons"] if comparison["model"] == model)
        for model in models
    }
    rows = [
        (TableCell(model), *(TableCell(str(verdicts[verdict]), value=verdicts[verdict]) for verdict in VERDICTS))
        for model, verdicts in counts.items()
    ]
    return Table(title=title, columns=("model", *VERDICTS), rows=tuple(rows))


def _by_model(models: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Iterator[Table]:
    """One table for each model with rows, which leaves room for the names of measures."""
    for model in models:
        of_model = [row for row in rows if row["model"] == model]
        if of_model:
            yield Table(title=model, columns=COLUMNS, rows=tuple(_row(row, False) for row in of_model))


def _row(comparison: Mapping[str, Any], several: bool) -> tuple[TableCell, ...]:
    measure, percent, form = _shown(comparison)
    style = {"differs": "bold red", "erratum": "yellow", "not comparable": "dim"}.get(comparison["verdict"], "")
    mark = " †" if comparison["right"] is not None else ""
    return (
        *((TableCell(comparison["model"]),) if several else ()),
        measure,
        *(_number(comparison[name], percent, form) for name in ("mine", "theirs")),
        _number(comparison["difference"], percent, f"+{form}"),
        _number(comparison["tolerance"], percent, form),
        TableCell(f"{comparison['verdict']}{mark}", value=comparison["verdict"], style=style),
    )


def _shown(comparison: Mapping[str, Any]) -> tuple[TableCell, bool, str]:
    """The measure with its unit, whether that is percent, and the format of its numbers."""
    percent = comparison["unit"] == "fraction" and comparison["direction"] == "higher"
    form = "z.0f" if comparison["unit"] == "count" else "z.2f" if percent else "z.3f"
    return TableCell(f"{comparison['measure']} %" if percent else comparison["measure"]), percent, form


def _number(value: float | None, percent: bool, form: str) -> TableCell:
    """Accuracies in percent with two decimals, counts without, everything else with three."""
    if value is None:
        return TableCell("–", value="", style="dim")
    scale = 100 if percent else 1
    return TableCell(f"{scale * value:{form}}", value=scale * value)


def _notes(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if row["reason"]:
            reasons.setdefault(row["reason"], []).append(row["measure"])
    for reason, measures in reasons.items():
        yield f"{listed(dict.fromkeys(measures))}: {reason}"
    errata = dict.fromkeys((row["measure"], row["erratum"]) for row in rows if row["erratum"])
    yield from (f"erratum of {measure}: {title}" for measure, title in errata)
    if any(row["right"] is not None for row in rows):
        yield "† difference from the corrected value"


def _each(missing: Sequence[Mapping[str, Any]]) -> Iterator[Table]:
    """Measures missing on one side, one row for each."""
    rows = []
    for comparison in missing:
        measure, percent, form = _shown(comparison)
        numbers = (_number(comparison[name], percent, form) for name in ("mine", "theirs"))
        rows.append((TableCell(comparison["model"]), measure, *numbers, TableCell(comparison["reason"])))
    if rows:
        columns = ("model", "measure", "here", "there", "reason")
        yield Table(title="Not comparable", columns=columns, rows=tuple(rows))


def _by_reason(missing: Sequence[Mapping[str, Any]]) -> Iterator[Table]:
    """The same, one row for each reason."""
    measures_by_reason: dict[str, list[tuple[str, str]]] = {}
    for comparison in missing:
        measures_by_reason.setdefault(comparison["reason"], []).append((comparison["model"], comparison["measure"]))
    rows = tuple(
        (
            TableCell(str(len(pairs)), len(pairs)),
            TableCell(listed(dict.fromkeys(name for _, name in pairs))),
            TableCell(reason),
        )
        for reason, pairs in measures_by_reason.items()
    )
    if rows:
        yield Table(title="Not comparable", columns=("values", "measures", "reason"), rows=rows)
