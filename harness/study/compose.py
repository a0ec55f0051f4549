"""Runs -> study: every model of one or more runs with its measures, biases and axes.

What is not there has its reason; a bias or axis that lacks a part is None, never the mean of the other parts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import RequestError, UnknownNameError
from harness.records import Erratum, Lack, Remark, Study, StudyModel
from harness.study.errata import carries, concerned, is_erratum, marked, mendable, mended_definitions, mended_measures
from harness.study.measuring import RowReader, measures_of, with_params
from harness.study.missing import of_definition, of_measures, of_part
from harness.study.rows import Definitions, Row, few
from harness.study.trials import StoredTrials

if TYPE_CHECKING:
    from harness.interfaces import Probe

__all__ = ["Row", "compose", "measures_of", "mended", "open_study", "sorted_by", "with_params"]


def compose(
    rows: Iterable[Row],
    biases: Definitions,
    axes: Definitions,
    *,
    ungrouped: bool = False,
    warnings: Sequence[str] = (),
    provenance: Sequence[Mapping[str, Any]] = (),
    errata: Sequence[Erratum] = (),
) -> Study:
    """Put rows and definitions together.

    Args:
        biases, axes: name -> full names of the measures whose mean it is.
        ungrouped: whether models without a group take part in statistics over models.
        errata: of the imported tables; those stay that a measure of these rows carries as a flag.

    Raises:
        RequestError: a model whose measures come from two runs, or one name for a bias and an axis.
    """
    both = sorted(set(biases) & set(axes))
    if both:
        raise RequestError(f"{both[0]!r} is the name of a bias and of an axis; rename one of them in the suite")
    for name, parts in [*biases.items(), *axes.items()]:
        if not parts:
            raise RequestError(f"{name!r} lists no measure; expected at least one full name such as top1@imagenet")
    models = tuple(_model(row, biases, axes) for row in _merged(rows))
    return Study(
        models=models,
        biases={name: tuple(parts) for name, parts in biases.items()},
        axes={name: tuple(parts) for name, parts in axes.items()},
        ungrouped=ungrouped,
        warnings=(*warnings, *_flag_warnings(models, [*biases.values(), *axes.values()])),
        provenance=tuple(provenance),
        errata=tuple(one for one in dict.fromkeys(errata) if _carried(models, one)),
    )


def mended(study: Study) -> Study:
    """`study` with its errata mended, as far as they can be.

    Imported values are replaced by the right ones. A measure that cannot be mended leaves every bias and axis, for
    one's own models too, so that all rows stay comparable; a bias or axis of which nothing is left goes, with a
    warning.

    Raises:
        RequestError: no erratum concerns these models.
    """
    if not study.errata or study.mended:
        known = "they are applied already" if study.mended else "none of these runs is an imported table with errata"
        raise RequestError(f"no errata to apply: {known}. Rerun without --apply-errata")
    biases, axes = (mended_definitions(one, study.errata) for one in (study.biases, study.axes))
    definitions = {**study.biases, **study.axes}
    gone = [name for name in definitions if name not in {**biases, **axes}]
    rows = [
        Row(
            name=model.name,
            group=model.group,
            run=model.run,
            measures=mended_measures(model.measures, study.errata),
            missing=tuple(one for one in model.missing if one.kind in ("measure", "task")),
        )
        for model in study.models
    ]
    kept = [one for one in study.warnings if not (isinstance(one, Remark) and one.kind in ("flag", "erratum"))]
    composed = compose(
        rows,
        biases,
        axes,
        ungrouped=study.ungrouped,
        warnings=[*kept, *_mending(study, gone)],
        provenance=study.provenance,
    )
    return replace(composed, trial_reader=study.trial_reader, errata=study.errata, mended=True)


def _mending(study: Study, gone: Sequence[str]) -> Iterable[Remark]:
    """What mending has changed, for the report's remarks."""
    definitions = {**study.biases, **study.axes}
    for erratum in study.errata:
        names = [name for name in concerned(definitions, erratum) if name not in gone]
        if names and not mendable(erratum):
            text = f"{', '.join(names)} without {erratum.measure}, for every model: {erratum.title}"
            yield Remark("mended", erratum.measure, text, line=f"mended: {text}")
    for name in gone:
        text = f"{name} is left out, since no part of it can be mended: {', '.join(definitions[name])}"
        yield Remark("mended", name, text, line=f"mended: {text}")


def _carried(models: Sequence[StudyModel], erratum: Erratum) -> bool:
    return any(
        carries(model.measures[erratum.measure], erratum) for model in models if erratum.measure in model.measures
    )


def sorted_by(study: Study, name: str | None = None) -> Study:
    """`study` with the models of each group by falling value of one bias, axis or measure; those without it last.

    Args:
        name: default: the first axis; a study without axes stays as it is.

    Raises:
        UnknownNameError: no model has such a value.
    """
    key = name if name is not None else next(iter(study.axes), None)
    if key is None:
        return study
    values = {model.name: _value(model, key) for model in study.models}
    if name is not None and all(value is None for value in values.values()):
        known = [*study.biases, *study.axes, *dict.fromkeys(one for model in study.models for one in model.measures)]
        hint = f"Type for instance: --sort {known[0]}" if known else "These runs hold no measures"
        raise UnknownNameError("value of --sort", name, known, hint=hint)
    groups = list(dict.fromkeys(model.group for model in study.models))

    def place(model: StudyModel) -> tuple[int, bool, float]:
        value = values[model.name]
        return groups.index(model.group), value is None, 0.0 if value is None else -value

    return replace(study, models=tuple(sorted(study.models, key=place)))


def _value(model: StudyModel, name: str) -> float | None:
    measure = model.measures.get(name)
    return {**model.biases, **model.axes}.get(name, measure.value if measure is not None else None)


def open_study(paths: Sequence[Path], probes: Mapping[str, Probe], *, ungrouped: bool = False) -> Study:
    """Read runs and imported tables, and recompute every measure.

    Args:
        paths: run folders; nothing is written to them.
        probes: installed probes by name.
        ungrouped: as in `compose`.

    Raises:
        RequestError: no run, a run given twice, runs that share a model's measures or define a name differently, one
            model measured with two checkpoints.
        StoreError: stored trials are damaged.
    """
    from harness.store import RunReader

    if not paths:
        raise RequestError("no run was given", remedy="harness report RUN")
    twice = [path for path, count in Counter(path.resolve() for path in paths).items() if count > 1]
    if twice:
        raise RequestError(f"run {twice[0].name!r} was given twice; give each run once")
    reader = RowReader(probes)
    errata: dict[str, tuple[Erratum, ...]] = {}
    for path in paths:
        run = RunReader.open(path)
        reader.add(run, str(path))
        errata[str(path)] = run.imported.errata if run.kind == "imported" else ()
    composed = compose(
        [marked(row, errata[row.run]) for row in reader.finished()],
        reader.biases,
        reader.axes,
        ungrouped=ungrouped,
        warnings=reader.warnings(),
        provenance=reader.provenance,
        errata=[one for of_run in errata.values() for one in of_run],
    )
    return replace(composed, trial_reader=StoredTrials(paths))


# --- rows -> models ---------------------------------------------------------------------------


def _model(row: Row, biases: Definitions, axes: Definitions) -> StudyModel:
    missing = {(one.kind, one.subject): one for one in (*row.missing, *of_measures(row.measures))}
    values: dict[str, float | None] = {}
    kinds: tuple[tuple[Lack, Definitions], ...] = (("bias", biases), ("axis", axes))
    for kind, name, parts in [(kind, *one) for kind, definitions in kinds for one in definitions.items()]:
        lacking = [reason for part in parts if (reason := of_part(row, part))]
        values[name] = None if lacking else _mean(row, parts)
        missing |= {(one.kind, one.subject): one for one in lacking if (one.kind, one.subject) not in missing}
        if lacking:
            missing[kind, name] = of_definition(kind, name, lacking)
    return StudyModel(
        name=row.name,
        group=row.group,
        run=row.run,
        measures=dict(row.measures),
        biases={name: values[name] for name in biases},
        axes={name: values[name] for name in axes},
        missing=tuple(missing.values()),
    )


def _mean(row: Row, parts: Sequence[str]) -> float:
    """The mean of measures that all have a value."""
    numbers = [number for part in parts if (number := row.measures[part].value) is not None]
    return math.fsum(numbers) / len(numbers)


def _merged(rows: Iterable[Row]) -> Iterable[Row]:
    """One row for each model name, in the order of first appearance."""
    found: dict[str, Row] = {}
    for row in rows:
        found[row.name] = _merge(found[row.name], row) if row.name in found else row
    return found.values()


def _merge(first: Row, second: Row) -> Row:
    where = f"model {first.name!r} is in {first.run} and in {second.run}"
    shared = sorted(set(first.measures) & set(second.measures))
    if shared:
        raise RequestError(
            f"{where}, both with {shared[0]} ({len(shared)} shared measures); expected each measure of a model once. "
            f"Give one of the two"
        )
    if first.group and second.group and first.group != second.group:
        raise RequestError(
            f"{where}, in groups {first.group!r} and {second.group!r}; give it one group in registry.yaml"
        )
    changed = _changed(first.network, second.network)
    if changed:
        raise RequestError(f"{where}, measured with different networks ({changed}); give one of the two, or rename one")
    measures, tasks = {**first.measures, **second.measures}, first.tasks | second.tasks
    missing = {(one.kind, one.subject): one for one in (*first.missing, *second.missing)}
    return Row(
        name=first.name,
        group=first.group or second.group,
        run=f"{first.run} + {second.run}",
        measures=measures,
        missing=tuple(
            one for one in missing.values() if one.subject not in (tasks if one.kind == "task" else measures)
        ),
        tasks=tasks,
        network=first.network or second.network,
    )


def _changed(first: Mapping[str, Any] | None, second: Mapping[str, Any] | None) -> str:
    """What differs between two stored identities, in words; empty if nothing does or one is unknown."""
    from harness.identity import difference

    return difference(first, second) if first is not None and second is not None else ""


def _flag_warnings(models: Sequence[StudyModel], definitions: Iterable[Sequence[str]]) -> list[Remark]:
    """One line for each flag on measures that a bias or axis rests on, or that have no condition.

    Such a number must not pass unremarked; the flags of the others stay with their measures. Measures that are flagged
    alike for the same models share their line; an erratum names its one measure.
    """
    parts = {part for one in definitions for part in one}
    flagged: dict[tuple[str, str], list[str]] = {}
    for model in models:
        for name, measure in model.measures.items():
            for remark in measure.flags if name in parts or not measure.condition else ():
                flagged.setdefault((name, remark), []).append(model.name)
    alike: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for (name, remark), names in flagged.items():
        own = name if is_erratum(remark) else ""
        alike.setdefault((own, remark, tuple(names)), []).append(name)
    return [
        Remark("erratum" if own else "flag", ", ".join(measures), f"{remark} ({few(names)})")
        for (own, remark, names), measures in alike.items()
    ]
