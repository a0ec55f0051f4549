"""The tables of the report ``correlation``, made from its JSON-ready data alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from harness import Remark, Table, TableCell

from .._cells import ABSENT, number, remark_tables
from .._predictions import MOST_REASONS, is_defined, prediction_tables
from .coefficients import coefficient_tables
from .further_tables import further_tables
from .notes import (
    definition_notes,
    duplicate_notes,
    ends_of,
    errata_notes,
    flag_lines,
    is_percent,
    label,
    other_reasons,
    precision_notes,
    reason_notes,
    spread_of,
    title_of,
    value_of,
)
from .schema import CorrelationData, ModelEntry, Rank

NO_GROUP = TableCell("–", value="")
ELSEWHERE = "Intervals, numbers of trials and reasons of each measure: --format json"
MOST_INTERVALS = 12
"""Most rows of intervals in a table, but for CSV."""
SIDE_BY_SIDE = 6
"""Columns of numbers that fit beside a name and a group; with more, biases and axes get a table each."""
OF_A_DATASET = 3
"""Measures of a dataset that a table shows where all together do not fit: a probe yields the most telling first."""


def all_tables(data: CorrelationData, *, full: bool = False) -> list[Table]:
    """Every table, the most important first: how biases and generalization correlate, then what that rests on.

    Args:
        full: all measures, intervals and sets of models; else as much as a person reads.
    """
    coefficients, defined = coefficient_tables(data), is_defined(data["predictions"])
    joint = joint_tables(data, None if full else MOST_REASONS)
    return [
        *(joint if defined else ()),
        *coefficients.answer,
        *place_tables(data, full=full),
        *model_tables(data, full=full),
        *interval_tables(data, full=full),
        *(() if defined else joint),
        *coefficients.details,
        *(further_tables(data) if full else ()),
        *_missing(data),
        *_flagged(data),
        *_remarks(data),
    ]


def joint_tables(data: CorrelationData, most: int | None) -> list[Table]:
    """Each axis from all biases at once; `most` reasons why not, None: all."""
    biases, grouped = len(data["biases"]), are_grouped(data)
    return list(prediction_tables(data["predictions"], data["titles"], biases, grouped=grouped, most=most))


def are_grouped(data: CorrelationData) -> bool:
    """Whether every model that takes part has a group."""
    return all(model["group"] is not None for model in data["models"] if model["in_correlations"])


# --- models -----------------------------------------------------------------------------------


def model_tables(data: CorrelationData, *, full: bool) -> Iterator[Table]:
    """Biases and axes of each model, or its measures where none is defined; `full`: its measures, too."""
    biases, axes = list(data["biases"]), list(data["axes"])
    if not biases and not axes:
        yield _measures(data, full)
    elif len(biases) + len(axes) <= SIDE_BY_SIDE:
        yield value_table(data, "Models", [*biases, *axes])
    else:
        kinds = (("biases", biases), ("generalization", axes))
        yield from (value_table(data, f"Models: {kind}", names) for kind, names in kinds if names)
    if full and (biases or axes) and (names := every_measure(data["models"])):
        yield value_table(data, "Measures", names, explained=())


def _shown(data: CorrelationData) -> list[str]:
    """What the tables of models show: biases and axes; without them, measures."""
    return [*data["biases"], *data["axes"]] or measures_shown(data["models"])[0]


def _measures(data: CorrelationData, full: bool) -> Table:
    """The measures of each model, where no bias and no axis is defined."""
    names, others = measures_shown(data["models"])
    if full:
        return value_table(data, "Models", [*names, *others], explained=names)
    table = value_table(data, "Models", names)
    if others:
        listed = ", ".join(others[:3]) + (", …" if len(others) > 3 else "")
        note = f"Not shown: {len(others)} more measures ({listed}); see --format csv or json"
        table = replace(table, note="\n".join(filter(None, [table.note, note])))
    return table


def every_measure(models: Sequence[ModelEntry]) -> list[str]:
    """The names of all measures, in order of appearance."""
    return list(dict.fromkeys(name for model in models for name in model["measures"]))


def measures_shown(models: Sequence[ModelEntry]) -> tuple[list[str], list[str]]:
    """The measures that a table of models shows, and those that it does not.

    Shown are measures over all conditions; of a dataset that has none, those under single conditions, if they are few.
    Of a dataset with many measures the first three are shown. Counts of images and of correct ones are left out unless
    there is nothing else, and so is what no model has.
    """
    every = every_measure(models)
    defined = {name for model in models for name, value in model["measures"].items() if value is not None}
    names = [name for name in every if name in defined] or every
    values = [name for name in names if not name.startswith(("n@", "correct@"))] or names
    whole = [name for name in values if "/" not in name]
    covered = {name.partition("@")[2] for name in whole}
    single = [name for name in values if "/" in name and name.partition("@")[2].partition("/")[0] not in covered]
    if whole and len(single) > SIDE_BY_SIDE:
        single = []
    if len(whole) > SIDE_BY_SIDE:
        of_dataset = {dataset: [name for name in whole if name.endswith(f"@{dataset}")] for dataset in covered}
        whole = [name for name in whole if name in of_dataset[name.partition("@")[2]][:OF_A_DATASET]]
    shown = {*whole, *single}
    return [*whole, *single], sorted((name for name in every if name not in shown), key=lambda name: name not in values)


def value_table(
    data: CorrelationData, title: str, names: Sequence[str], explained: Sequence[str] | None = None
) -> Table:
    """One row for each model, one column for each name.

    Args:
        explained: the names whose definition, precision and gaps the note gives. Default: all.
    """
    explained = names if explained is None else explained
    models = _by_group(data["models"])
    values = [{**model["measures"], **model["biases"], **model["axes"]} for model in models]
    percent = [is_percent(data, name) for name in names]
    numbers = [_numbers([row.get(name) for row in values], per) for name, per in zip(names, percent, strict=True)]
    labels = [(_name(model), label(data, model["group"]) if model["group"] else NO_GROUP) for model in models]
    titles = [title_of(data, name) for name in names]
    return Table(
        title=f"{title} ({len(models)})",
        columns=("model", "group", *(f"{name} %" if per else name for name, per in zip(titles, percent, strict=True))),
        keys=("model", "group", *(f"{name} %" if per else name for name, per in zip(names, percent, strict=True))),
        rows=tuple((*label, *(column[at] for column in numbers)) for at, label in enumerate(labels)),
        note="\n".join(
            [
                *definition_notes(data, explained),
                *precision_notes(data, models, explained),
                *errata_notes(data, explained),
                *reason_notes(data, models, explained),
                *duplicate_notes(models),
                *([] if len(explained) == len(names) else [ELSEWHERE]),
            ]
        ),
    )


def _name(model: ModelEntry) -> TableCell:
    """The model's name, marked if it is one of the user's own among imported ones, or takes no part as a duplicate."""
    name, again = model["name"], model.get("duplicate_of") is not None
    text = ("► " if model["own"] else "") + name + (" ○" if again else "")
    return TableCell(text, value=name, style="bold" if model["own"] else "dim" if again else "")


def place_tables(data: CorrelationData, *, full: bool) -> Iterator[Table]:
    """Ranks of the user's own models among the imported ones; `full`: among how many in a column of its own."""
    own = [model for model in data["models"] if model.get("ranks")]
    names = [name for name in [*data["biases"], *data["axes"]] if any(name in model["ranks"] for model in own)]
    if own and names:
        further = [f"{name}: of" for name in names] if full else []
        places = [[model["ranks"].get(name) for name in names] for model in own]
        totals = [[_total(place) for place in row] if full else [] for row in places]
        yield Table(
            title="► Rank of your own models, 1 for the highest value",
            columns=("model", *(title_of(data, name) for name in names), *further),
            keys=("model", *names, *further),
            rows=tuple(
                (_name(model), *map(_rank, row), *of) for model, row, of in zip(own, places, totals, strict=True)
            ),
            note="\n".join(
                [
                    "Among the models that take part in the correlations and have the value.",
                    *precision_notes(data, own, names),
                ]
            ),
        )


def _rank(place: Rank | None) -> TableCell:
    return ABSENT if place is None else TableCell(f"{place['rank']} of {place['of']}", value=place["rank"])


def _total(place: Rank | None) -> TableCell:
    return ABSENT if place is None else TableCell(str(place["of"]), value=place["of"])


def _by_group(models: Sequence[ModelEntry]) -> list[ModelEntry]:
    """Models of one group side by side, groups in the order of first appearance, those without one last."""
    groups = list(dict.fromkeys(model["group"] for model in models if model["group"] is not None))
    return sorted(models, key=lambda m: groups.index(m["group"]) if m["group"] is not None else len(groups))


def _numbers(values: Sequence[float | None], percent: bool = False) -> list[TableCell]:
    """The cells of one column, with as many decimals as its largest number allows."""
    largest = max((abs(value) for value in values if value is not None), default=0.0)
    form = ".3f" if largest < 3 else ".2f" if largest < 1e4 else ".2e"
    if percent:
        form = ".1f"
    elif largest >= 3 and all(value is None or float(value).is_integer() for value in values):
        form = ",.0f"
    return [number(value, form, scale=100 if percent else 1) for value in values]


def interval_tables(data: CorrelationData, *, full: bool) -> Iterator[Table]:
    """95 % intervals of the biases and axes; unless `full`, if they are few."""
    rows = []
    for model in _by_group(data["models"]):
        for name in [*data["biases"], *data["axes"]]:
            value, spread = value_of(model, name), spread_of(model, name)
            if value is not None and spread is not None and (ends := ends_of(spread)):
                percent = is_percent(data, name)
                numbers = _numbers([value, *ends], percent)
                n = ABSENT if spread["n"] is None else TableCell(f"{spread['n']:,}", value=spread["n"])
                unit = " %" if percent else ""
                what = TableCell(f"{title_of(data, name)}{unit}", value=f"{name}{unit}")
                rows.append((TableCell(model["name"]), what, *numbers, n))
    if rows and (full or len(rows) <= MOST_INTERVALS):
        columns = ("model", "measure", "value", "low", "high", "n")
        yield Table(title="95 % intervals, from n trials each", columns=columns, rows=tuple(rows))


# --- remarks ----------------------------------------------------------------------------------


def _missing(data: CorrelationData) -> Iterator[Table]:
    """Tasks and measures that are missing and concern no column of the tables above."""
    rows = tuple((TableCell(line),) for line in other_reasons(data, _shown(data)))
    if rows:
        yield Table(title="Missing elsewhere, and why", columns=("what: reason: models",), rows=rows)


def _flagged(data: CorrelationData) -> Iterator[Table]:
    """The models of each flag, where a remark gives their number and they are not all that have the measure."""
    rows = tuple((TableCell(line),) for line in flag_lines(data))
    if rows:
        yield Table(title="Flagged models", columns=("measures: flag: models",), rows=rows)


def source_lines(data: CorrelationData) -> list[str]:
    """Of each published table its title, source and license."""
    return [
        f"{source.get('label') or source['run']}: {source['title']}; {source['source']}; {source['license']}"
        for source in data["provenance"]
        if "title" in source
    ]


def _remarks(data: CorrelationData) -> Iterator[Table]:
    footnotes = {erratum["measure"] for erratum in data["errata"] if erratum["concerns"]}
    remarks = [text for text in data["warnings"] if not _is_footnote(text, footnotes)]
    yield from remark_tables([*remarks, *source_lines(data)])


def _is_footnote(remark: str, measures: Collection[str]) -> bool:
    """Whether a remark is the erratum of one of `measures`, which is printed below the values concerned."""
    return isinstance(remark, Remark) and remark.kind == "erratum" and remark.subject in measures
