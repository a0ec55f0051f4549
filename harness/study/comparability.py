"""Which measures of a table mean the same: the protocols of one column are compared over all rows.

A measure of another protocol keeps its value and gets a flag, and enters no bias, axis or rank. What differs only in
the draws of noise, or by rounding, stays in and is told once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeGuard

from harness.errors import listed
from harness.identity import changes_told
from harness.records import Effect, Measure, Remark, effect_of
from harness.remarks import joined
from harness.study.protocols import Change, Origin, Standard, changes, departures, described_changes, stated
from harness.study.rows import Row, short_list

PUBLISHED = "the published numbers"


class _Departure(NamedTuple):
    """Why a measure is not comparable: the models or numbers that it cannot be compared with, and the difference."""

    reference: str
    difference: str

    @property
    def text(self) -> str:
        return f"cannot be compared with {self.reference}: {self.difference}"


Cell = tuple[Row, Origin | None]
"""A model, and what its measure is made of; None for a published number."""
Labels = Mapping[str, str | None]
"""Name of a model -> label of its run."""
Said = Mapping[int, Mapping[str, Any]]
"""Identity of `Row.probes` -> what that published table says about how a measure was made, by dotted path."""
Departures = Mapping[tuple[str, str], _Departure]
"""(model, measure) -> why it is not comparable."""


def tells_apart(remark: str) -> TypeGuard[Remark]:
    """Whether a measure's flag says that it cannot be compared with those of other models."""
    return isinstance(remark, Remark) and remark.kind == "comparability"


def why_apart(measure: Measure) -> str:
    """Why a measure cannot be compared with those of other models; empty if it can."""
    return "; ".join(remark.text for remark in measure.flags if tells_apart(remark))


def compared(rows: Sequence[Row], standard: Standard) -> tuple[list[Row], list[Remark]]:
    """The rows, with flags on the measures that cannot be compared with those of the other rows; and what to tell.

    The protocol of a column is that of the published numbers in it, else that of most rows, the first of several that
    are equally frequent. A model that another label has, and that takes no part in statistics, has no say in it.

    Args:
        rows: one for each model, or for each model and label.
        standard: the protocol of published numbers.
    """
    apart = _departures(rows, standard)
    flagged = [_flagged(row, apart) for row in rows]
    return flagged, [*joined(_set_apart(rows, apart)), *_numerics(rows)]


# --- columns ----------------------------------------------------------------------------------


def _departures(rows: Sequence[Row], standard: Standard) -> dict[tuple[str, str], _Departure]:
    """Columns with the same cells share their result: a task has hundreds of measures."""
    apart: dict[tuple[str, str], _Departure] = {}
    departures_of: dict[tuple[object, ...], dict[str, _Departure]] = {}
    for name in dict.fromkeys(name for row in rows for name in row.measures):
        column = [(row, row.origins.get(name)) for row in rows if name in row.measures]
        tables = {id(row.probes): row.probes for row, origin in column if origin is None}
        said = {table: stated(probes, name) for table, probes in tables.items()}
        key = (*map(str, said.values()), *[id(part) for cell in column for part in cell])
        if key not in departures_of:
            departures_of[key] = _of_column(column, standard, said)
        apart |= {(model, name): departure for model, departure in departures_of[key].items()}
    return apart


def _of_column(column: Sequence[Cell], standard: Standard, said: Said) -> dict[str, _Departure]:
    """Model -> why its measure cannot be compared with those of the models that take part in statistics.

    Where none of these has the measure, all models of the column have a say.
    """
    counted = [cell for cell in column if cell[0].duplicate_of is None] or column
    labels = {row.name: row.label for row, _ in column}
    apart = _of_models({row.name: origin for row, origin in counted}, labels, standard, _first_said(counted, said))
    reference = [cell for cell in counted if cell[0].name not in apart]
    if len(counted) == len(column):
        return apart
    duplicates = [cell for cell in column if cell[0].duplicate_of is not None]
    return apart | _of_duplicates(duplicates, reference, standard, said)


def _of_duplicates(
    duplicates: Sequence[Cell], reference: Sequence[Cell], standard: Standard, said: Said
) -> dict[str, _Departure]:
    """Likewise for models that take no part: `reference` has those that do, and agree."""
    measured = [origin for _, origin in reference if origin is not None]
    usual = next((origin for origin in measured if not origin.identity.first_choices_only), next(iter(measured), None))
    published = len(measured) < len(reference)
    labels = {row.name: row.label for row, _ in reference}
    names = PUBLISHED if published else short_list(list(labels), labels)
    apart = {}
    for row, origin in duplicates:
        differing: Sequence[Change] = ()
        if origin is None and usual is not None and not published:
            own = {**standard(usual), **said[id(row.probes)]}
            differing = tuple(change.reversed for change in departures(usual, own))
        if origin is not None and published:
            differing = departures(origin, {**standard(origin), **_first_said(reference, said)})
        if origin is not None and usual is not None and not differing:
            differing = [change for change in changes(usual, origin) if change.effect == "meaning"]
        if difference := described_changes(differing):
            apart[row.name] = _Departure(names, difference)
    return apart


def _first_said(cells: Sequence[Cell], said: Said) -> Mapping[str, Any]:
    """What the first published table among `cells` says about how the measure was made."""
    return next((said[id(row.probes)] for row, origin in cells if origin is None), {})


def _of_models(
    column: Mapping[str, Origin | None], labels: Labels, standard: Standard, said: Mapping[str, Any]
) -> dict[str, _Departure]:
    """Model -> why its measure cannot be compared with the others. Published numbers have no origin.

    Args:
        said: what the published table says about how the measure was made.
    """
    measured = {model: origin for model, origin in column.items() if origin is not None}
    apart: dict[str, _Departure] = {}
    if len(measured) < len(column):
        differing = {model: departures(origin, {**standard(origin), **said}) for model, origin in measured.items()}
        apart = {
            model: _Departure(PUBLISHED, described_changes(change)) for model, change in differing.items() if change
        }
    kept = {model: origin for model, origin in measured.items() if model not in apart}
    return apart | _unlike_most(kept, labels)


def _unlike_most(column: Mapping[str, Origin], labels: Labels) -> dict[str, _Departure]:
    """The models whose protocol is not that of most; decisions of people follow any with which they agree."""
    variants: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for model, origin in column.items():
        key = tuple(sorted((path, repr(value)) for path, value in origin.meaning.items() if value is not None))
        variants.setdefault(key, []).append(model)
    full = [models for models in variants.values() if not column[models[0]].identity.first_choices_only]
    usual = max(full or variants.values(), key=len, default=[])
    apart: dict[str, _Departure] = {}
    for models in variants.values():
        differing = changes(column[usual[0]], column[models[0]])
        difference = described_changes(change for change in differing if change.effect == "meaning")
        if difference:
            apart |= dict.fromkeys(models, _Departure(short_list(usual, labels), difference))
    return apart


def _flagged(row: Row, apart: Departures) -> Row:
    """`row` with a flag on each measure that is not comparable."""
    measures = dict(row.measures)
    for name, measure in row.measures.items():
        departure = apart.get((row.name, name))
        if departure is not None:
            flag = Remark("comparability", name, departure.text, line=departure.text)
            measures[name] = replace(measure, flags=(*measure.flags, flag))
    return replace(row, measures=measures)


def _set_apart(rows: Sequence[Row], apart: Departures) -> Iterator[Remark]:
    """One remark for each task and reason."""
    models: dict[tuple[str, _Departure], dict[str, None]] = {}
    for row in rows:
        for name, origin in row.origins.items():
            if (row.name, name) in apart:
                models.setdefault((origin.task, apart[row.name, name]), {})[row.name] = None
    labels = {row.name: row.label for row in rows}
    for (task, departure), names in models.items():
        text = f"{short_list(list(names), labels)} {departure.text}; left out of biases, axes and ranks"
        yield Remark("comparability", task, text)


# --- numerics ---------------------------------------------------------------------------------

_CONSEQUENCES: Mapping[Effect, str] = {
    "draws": "so noise and attacks are other draws",
    "rounding": "so numbers are equal up to rounding",
}


def _numerics(rows: Sequence[Row]) -> Iterator[Remark]:
    """One remark for the cells of another seed than most that take part, and one for those of other numerics."""
    cells = {(row.name, origin.task): origin for row in rows for origin in row.origins.values()}
    counted = {row.name for row in rows if row.duplicate_of is None}
    labels = {row.name: row.label for row in rows}
    for effect, consequence in _CONSEQUENCES.items():
        facts = {place: _facts(origin, effect) for place, origin in cells.items()}
        usual = _most_frequent(facts.values())
        usual |= _most_frequent(of for (model, _), of in facts.items() if model in counted)
        unusual: dict[str, list[tuple[str, str]]] = {}
        for place, values in facts.items():
            paths = [path for path in sorted(values) if values[path] != usual[path]]
            if paths:
                text = changes_told([(path, usual[path], values[path]) for path in paths])
                unusual.setdefault(text, []).append(place)
        for text, places in unusual.items():
            models, tasks = (list(dict.fromkeys(place[side] for place in places)) for side in (0, 1))
            yield Remark("comparability", listed(tasks), f"{short_list(models, labels)}: {text}, {consequence}")


def _facts(origin: Origin, effect: Effect) -> dict[str, Any]:
    """Dotted path -> value of what the cell records and has this effect; imported decisions record nothing."""
    return {path: value for path, value in origin.facts.items() if effect_of(path) == effect}


def _most_frequent(facts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Dotted path -> its most frequent value."""
    counts: dict[str, Counter[str]] = {}
    values: dict[tuple[str, str], Any] = {}
    for cell in facts:
        for path, value in cell.items():
            counts.setdefault(path, Counter())[repr(value)] += 1
            values[path, repr(value)] = value
    return {path: values[path, counter.most_common(1)[0][0]] for path, counter in counts.items()}
