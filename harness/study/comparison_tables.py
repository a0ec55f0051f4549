"""A comparison as JSON and as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.records import Table, TableCell
from harness.study.comparing import VERDICTS, Comparison, Side, _listed

MOST_EQUAL = 60
"""More measures within their tolerance than this are counted, not listed, where people read them."""
COLUMNS = ("measure", "here", "there", "difference", "within", "verdict")


def comparison_data(mine: Side, theirs: Side, found: Sequence[Comparison]) -> dict[str, Any]:
    """All of it as one JSON-ready object."""
    counts = Counter(one.verdict for one in found)
    return {
        "run": mine.label,
        "against": theirs.label,
        "counts": {verdict: counts[verdict] for verdict in VERDICTS},
        "settings": _settings(mine, theirs),
        "only_here": sorted(set(mine.models) - set(theirs.models)),
        "comparisons": [{name: getattr(one, name) for name in Comparison.__dataclass_fields__} for one in found],
    }


def _settings(mine: Side, theirs: Side) -> str:
    """By which settings the two runs differ, where both have some: ``seed 0 there, 7 here``."""
    both = [name for name in mine.settings if name in theirs.settings]
    unlike = [name for name in both if mine.settings[name] != theirs.settings[name]]
    return ", ".join(f"{name} {theirs.settings[name]} there, {mine.settings[name]} here" for name in unlike)


def comparison_tables(data: Mapping[str, Any], *, whole: bool = True) -> list[Table]:
    """The measures that both have, the worst first; then why the others cannot be compared.

    Args:
        whole: False: many measures within their tolerance are counted in place of being listed.
    """
    rows = [one for one in data["comparisons"] if one["mine"] is not None and one["theirs"] is not None]
    rows.sort(key=lambda one: VERDICTS.index(one["verdict"]))
    equal = sum(one["verdict"] == "ok" for one in rows)
    hidden = not whole and equal > MOST_EQUAL
    shown = [one for one in rows if one["verdict"] != "ok"] if hidden else rows
    models = list(dict.fromkeys(one["model"] for one in data["comparisons"]))
    counts = ", ".join(f"{number} {verdict}" for verdict, number in data["counts"].items() if number)
    who = f"{models[0]}, " if len(models) == 1 else ""
    notes = [*_notes(rows)]
    if hidden:
        notes.insert(0, f"{equal:,} measures are ok and not listed here: see --format csv or json")
    if data["settings"]:
        notes.append(f"settings differ: {data['settings']}; noise, attacks and last digits follow them")
    title = f"{who}{data['run']} against {data['against']}: {counts}"
    if len(models) > 1 and not whole:
        tables = [_overview(data, models, title), *_by_model(models, shown)]
    else:
        columns = (*(("model",) if len(models) > 1 else ()), *COLUMNS)
        tables = [Table(title=title, columns=columns, rows=tuple(_row(one, len(models) > 1) for one in shown))]
    return [*tables[:-1], replace(tables[-1], note="\n".join(notes)), *_missing(data)]


def _overview(data: Mapping[str, Any], models: Sequence[str], title: str) -> Table:
    """How many verdicts of each kind each model has."""
    counts = {
        model: Counter(one["verdict"] for one in data["comparisons"] if one["model"] == model) for model in models
    }
    rows = [
        (TableCell(model), *(TableCell(str(found[verdict]), value=found[verdict]) for verdict in VERDICTS))
        for model, found in counts.items()
    ]
    return Table(title=title, columns=("model", *VERDICTS), rows=tuple(rows))


def _by_model(models: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Iterator[Table]:
    """A table for each model that has rows, so that the measures' names have room."""
    for model in models:
        of_model = [one for one in rows if one["model"] == model]
        if of_model:
            yield Table(title=model, columns=COLUMNS, rows=tuple(_row(one, False) for one in of_model))


def _row(one: Mapping[str, Any], several: bool) -> tuple[TableCell, ...]:
    percent = one["unit"] == "fraction" and one["direction"] == "higher"
    form = ".0f" if one["unit"] == "count" else ".2f" if percent else ".3f"
    style = {"differs": "bold red", "erratum": "yellow", "not comparable": "dim"}.get(one["verdict"], "")
    mark = " †" if one["right"] is not None else ""
    return (
        *((TableCell(one["model"]),) if several else ()),
        TableCell(f"{one['measure']} %" if percent else one["measure"]),
        *(_number(one[name], percent, form) for name in ("mine", "theirs")),
        _number(one["difference"], percent, f"+{form}"),
        _number(one["tolerance"], percent, form),
        TableCell(f"{one['verdict']}{mark}", value=one["verdict"], style=style),
    )


def _number(value: float | None, percent: bool, form: str) -> TableCell:
    """Accuracies in percent with two decimals, counts without, everything else with three."""
    if value is None:
        return TableCell("–", value="", style="dim")
    scale = 100 if percent else 1
    return TableCell(f"{round(scale * value, 6) + 0.0:{form}}", value=scale * value)


def _notes(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    reasons: dict[str, list[str]] = {}
    for one in rows:
        if one["reason"]:
            reasons.setdefault(one["reason"], []).append(one["measure"])
    for reason, measures in reasons.items():
        yield f"{_listed(dict.fromkeys(measures))}: {reason}"
    errata = dict.fromkeys((one["measure"], one["erratum"]) for one in rows if one["erratum"])
    yield from (f"erratum of {measure}: {title}" for measure, title in errata)
    if any(one["right"] is not None for one in rows):
        yield "† the difference is from the mended value"


def _missing(data: Mapping[str, Any]) -> Iterator[Table]:
    """What one side lacks, one line for each reason."""
    found: dict[str, list[tuple[str, str]]] = {}
    for one in data["comparisons"]:
        if one["mine"] is None or one["theirs"] is None:
            found.setdefault(one["reason"], []).append((one["model"], one["measure"]))
    rows = tuple(
        (
            TableCell(str(len(pairs)), len(pairs)),
            TableCell(_listed(dict.fromkeys(name for _, name in pairs))),
            TableCell(reason),
        )
        for reason, pairs in found.items()
    )
    if rows:
        yield Table(title="Not comparable", columns=("values", "measures", "reason"), rows=rows)
