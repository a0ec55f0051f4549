"""Runs -> study: every model of one or more runs with its measures, biases and axes.

Whatever is missing has a reason. A bias or axis with a missing part is None, never the mean of the other parts.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import RequestError
from harness.records import Erratum, ReasonKind, Remark, StatisticsPlan, Study, StudyModel
from harness.study.comparability import compared
from harness.study.errata import (
    affected,
    carries,
    correctable,
    corrected_definitions,
    corrected_measures,
    marked,
)
from harness.study.flag_remarks import flag_remarks, unlike_parts
from harness.study.labels import counted_once, duplicate_remarks, with_label, with_labels
from harness.study.measuring import RowReader
from harness.study.merging import merged, mixtures
from harness.study.missing import reason_of_definition, reason_of_part, reasons_of_measures
from harness.study.protocols import standard_of
from harness.study.reduction import denominators_of
from harness.study.rows import Definitions, Row, with_groups
from harness.study.trials import StoredTrials

if TYPE_CHECKING:
    from harness.interfaces import Dataset, Probe


def compose(
    rows: Iterable[Row],
    biases: Definitions,
    axes: Definitions,
    *,
    titles: Mapping[str, str] | None = None,
    ungrouped: bool = False,
    warnings: Sequence[str] = (),
    provenance: Sequence[Mapping[str, Any]] = (),
    errata: Sequence[Erratum] = (),
    statistics: StatisticsPlan | None = None,
    denominators: Mapping[str, str] | None = None,
) -> Study:
    """Put rows and definitions together.

    Args:
        biases, axes: name -> full names of the measures whose mean it is.
        titles: short titles of biases, axes and groups.
        ungrouped: whether statistics over models include models without a group.
        errata: those of the imported tables; only errata that some measure carries as a flag are kept.
        statistics: what was declared of the statistics over models.
        denominators: measures that are divided by another one -> that one.

    Raises:
        RequestError: two runs have the same measure of a model, or a bias and an axis share a name.
    """
    shared = sorted(set(biases) & set(axes))
    if shared:
        raise RequestError(f"{shared[0]!r} is the name of a bias and of an axis; rename one of them in the suite")
    for name, parts in [*biases.items(), *axes.items()]:
        if not parts:
            raise RequestError(f"{name!r} lists no measure; expected at least one full name such as top1@imagenet")
    renamed, group_remarks = with_groups(merged(rows))
    models = tuple(_model(row, biases, axes) for row in renamed)
    return Study(
        models=models,
        biases={name: tuple(parts) for name, parts in biases.items()},
        axes={name: tuple(parts) for name, parts in axes.items()},
        titles=_distinct(titles or {}, [*biases, *axes], sorted({row.group for row in renamed if row.group})),
        ungrouped=ungrouped,
        warnings=(*warnings, *group_remarks, *unlike_parts(models, {**biases, **axes}), *flag_remarks(models)),
        provenance=tuple(provenance),
        errata=tuple(erratum for erratum in dict.fromkeys(errata) if _carried(models, erratum)),
        statistics=statistics or StatisticsPlan(),
        denominators=denominators or {},
    )


def mended(study: Study) -> Study:
    """`study` with its errata corrected, as far as possible.

    Imported values are replaced by the correct ones. A measure that cannot be corrected leaves every bias and axis,
    for one's own models too, so that all rows stay comparable. A bias or axis without parts is dropped, with a warning.

    Raises:
        RequestError: no erratum concerns these models.
    """
    if not study.errata or study.mended:
        cause = "they are already applied" if study.mended else "none of these runs is an imported table with errata"
        raise RequestError(f"no errata to apply: {cause}. Rerun without --apply-errata")
    biases, axes = (corrected_definitions(names, study.errata) for names in (study.biases, study.axes))
    definitions = {**study.biases, **study.axes}
    left_out = [name for name in definitions if name not in {**biases, **axes}]
    rows = [
        Row(
            name=model.name,
            group=model.group,
            run=model.run,
            label=model.label,
            duplicate_of=model.duplicate_of,
            measures=corrected_measures(model.measures, study.errata),
            missing=tuple(reason for reason in model.missing if reason.kind in ("measure", "task")),
        )
        for model in study.models
    ]
    kept = [note for note in study.warnings if not (isinstance(note, Remark) and note.kind in ("flag", "erratum"))]
    composed = compose(
        rows,
        biases,
        axes,
        titles=study.titles,
        ungrouped=study.ungrouped,
        warnings=[*kept, *_correction_remarks(study, left_out)],
        provenance=study.provenance,
        statistics=replace(study.statistics, alternatives=_corrected(study)),
        denominators=study.denominators,
    )
    return replace(composed, trial_reader=study.trial_reader, errata=study.errata, mended=True)


def _corrected(study: Study) -> dict[str, dict[str, tuple[str, ...]]]:
    """The declared alternatives as biases and axes are corrected."""
    declared = study.statistics.alternatives.items()
    return {name: dict(corrected_definitions(choices, study.errata)) for name, choices in declared}


def _correction_remarks(study: Study, left_out: Sequence[str]) -> Iterable[Remark]:
    """What the corrections have changed, as remarks for the report."""
    definitions = {**study.biases, **study.axes}
    for erratum in study.errata:
        names = [name for name in affected(definitions, erratum) if name not in left_out]
        if names and not correctable(erratum):
            text = f"{', '.join(names)} without {erratum.measure}, for every model: {erratum.title}"
            yield Remark("mended", erratum.measure, text, line=f"mended: {text}")
    for name in left_out:
        text = f"{name} is left out, since no part of it can be corrected: {', '.join(definitions[name])}"
        yield Remark("mended", name, text, line=f"mended: {text}")


def _carried(models: Sequence[StudyModel], erratum: Erratum) -> bool:
    return any(
        carries(model.measures[erratum.measure], erratum) for model in models if erratum.measure in model.measures
    )


def open_study(
    paths: Sequence[Path],
    probes: Mapping[str, Probe],
    *,
    datasets: Mapping[str, Dataset] | None = None,
    ungrouped: bool = False,
    labels: Mapping[Path, str] | None = None,
) -> Study:
    """Read runs and imported tables, and recompute every measure.

    Measures of another protocol than those of the other models are flagged, and enter no bias and no axis.

    Args:
        paths: run folders, which are only read.
        probes: installed probes by name. datasets: likewise; without them, the crop and version of one's own numbers
            are not compared with those that published numbers are taken to have.
        ungrouped: as in `compose`.
        labels: path -> label of that run. Its models are ``NAME (LABEL)``, and may be in another run too; statistics
            count each once.

    Raises:
        RequestError: no run, a run given twice, runs that share measures of a model or define a name differently, or a
            model measured with two checkpoints.
        StoreError: the description of a run is damaged, or none of its trials can be read. One damaged cell is missing,
            with its reason.
    """
    from harness.store import RunReader

    if not paths:
        raise RequestError("no run was given", remedy="harness report RUN")
    repeated = [path for path, count in Counter(map(os.path.realpath, paths)).items() if count > 1]
    if repeated:
        raise RequestError(f"run {Path(repeated[0]).name!r} was given twice; give each run once")
    names = {str(path): label for path, label in (labels or {}).items()}
    reader = RowReader(probes, names)
    errata: dict[str, tuple[Erratum, ...]] = {}
    for path in paths:
        run = RunReader.open(path)
        reader.add(run, str(path))
        errata[str(path)] = run.imported.errata if run.kind == "imported" else ()
    reader.refuse_unreadable()
    rows = [with_label(marked(row, errata[row.run]), names) for row in reader.rows()]
    models = counted_once(merged(rows))
    definitions = {**reader.biases, **reader.axes}
    comparable, remarks = compared(models, standard_of(probes, datasets or {}))
    composed = compose(
        comparable,
        reader.biases,
        reader.axes,
        titles=reader.titles,
        statistics=reader.statistics,
        ungrouped=ungrouped,
        warnings=[*reader.warnings(), *mixtures(rows), *duplicate_remarks(models, definitions), *remarks],
        provenance=with_labels(reader.provenance, names),
        errata=[erratum for of_run in errata.values() for erratum in of_run],
        denominators=denominators_of(probes.values()),
    )
    return replace(composed, trial_reader=StoredTrials(paths, labels))


def _distinct(titles: Mapping[str, str], *kinds: Sequence[str]) -> dict[str, str]:
    """`titles` without those that two names of one kind would share: runs of several suites may give such titles."""
    kept = dict(titles)
    for names in kinds:
        shown = Counter(titles.get(name, name) for name in names)
        for name in names:
            if name in titles and shown[titles[name]] > 1:
                kept.pop(name, None)
    return kept


# --- rows -> models ---------------------------------------------------------------------------


def _model(row: Row, biases: Definitions, axes: Definitions) -> StudyModel:
    missing = {(reason.kind, reason.subject): reason for reason in (*row.missing, *reasons_of_measures(row.measures))}
    values: dict[str, float | None] = {}
    kinds: tuple[tuple[ReasonKind, Definitions], ...] = (("bias", biases), ("axis", axes))
    for kind, name, parts in [(kind, *definition) for kind, definitions in kinds for definition in definitions.items()]:
        gaps = [reason for part in parts if (reason := reason_of_part(row, part))]
        values[name] = None if gaps else _mean(row, parts)
        for gap in gaps:
            missing.setdefault((gap.kind, gap.subject), gap)
        if gaps:
            missing[kind, name] = reason_of_definition(kind, name, gaps)
    return StudyModel(
        name=row.name,
        group=row.group,
        run=row.run,
        label=row.label,
        duplicate_of=row.duplicate_of,
        measures=dict(row.measures),
        biases={name: values[name] for name in biases},
        axes={name: values[name] for name in axes},
        missing=tuple(missing.values()),
    )


def _mean(row: Row, parts: Sequence[str]) -> float:
    """The mean of measures that all have a value."""
    numbers = [number for part in parts if (number := row.measures[part].value) is not None]
    return math.fsum(numbers) / len(numbers)
