"""Runs -> rows: the models of each run, with their measures recomputed from the stored trials.

Cells are read one at a time, so memory does not grow with their number. A cell that cannot be used has a reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError, RequestError, StoreError, described, plugin_faults
from harness.names import task_of
from harness.records import Measure, Reason, Remark, StatisticsPlan
from harness.remarks import joined, labelled
from harness.study import commands
from harness.study.code import CodesOfStudy
from harness.study.expectations import flagged
from harness.study.kept_measures import KeptMeasures
from harness.study.missing import reasons_of_parts, reasons_of_published
from harness.study.protocols import Origin
from harness.study.reduction import measures_of, with_params
from harness.study.rows import Definitions, Row
from harness.study.stored_facts import stored_facts
from harness.study.superseded import network_of, superseded, unlike
from harness.views import Views

if TYPE_CHECKING:
    from harness.interfaces import Probe
    from harness.store import Cells, RunReader, StoredCell


class RowReader:
    """Collects rows, definitions and remarks from one run after another.

    Args:
        probes: installed probes by name.
        labels: run, as `add` is given it -> its label, by which remarks tell models of one name apart.
    """

    def __init__(self, probes: Mapping[str, Probe], labels: Mapping[str, str] | None = None) -> None:
        self.probes, self._labels = probes, labels or {}
        self.biases: dict[str, tuple[str, ...]] = {}
        self.axes: dict[str, tuple[str, ...]] = {}
        self.titles: dict[str, str] = {}
        self.statistics = StatisticsPlan()
        self.provenance: list[dict[str, Any]] = []
        self._rows: list[Row] = []
        self._remarks: list[tuple[str, Remark]] = []
        self._defined_by: dict[str, str] = {}
        self._produced_by: dict[str, str] = {}
        self.damage: list[StoreError] = []
        self._codes = CodesOfStudy(self._labels)

    def add(self, run: RunReader, label: str) -> None:
        """Read one run; `label` is its name in errors and reports.

        Raises:
            RequestError: it defines a bias or axis differently from an earlier run.
            StoreError: the description of the run is damaged. A damaged cell is missing, with the reason.
        """
        record = run.record
        self._codes.same |= record.same_numbers
        origin, stored = record.origin, [remark for remarks in record.warnings.values() for remark in remarks]
        self._remarks += [(label, remark) for remark in joined(stored)]
        if run.kind == "imported":
            table = run.imported
            origin.update(title=table.title, source=table.source, license=table.license)
            self._define(label, table.biases, table.axes)
            self.titles = {**table.titles, **self.titles}
            self._declare(label, table.statistics)
            self._rows += [
                Row(
                    name=model.name,
                    group=model.group,
                    run=label,
                    measures=model.measures,
                    missing=reasons_of_published(model.missing),
                    probes=table.probes,
                )
                for model in table.models
            ]
        else:
            self._define(label, record.biases, record.axes)
            self.titles = {**record.titles, **self.titles}
            self._declare(label, record.statistics)
            with KeptMeasures(run).active() as kept:
                origin.update(self._add_trials(run, label, kept))
        self.provenance.append({**origin, "run": label, "kind": run.kind})

    def rows(self) -> Iterable[Row]:
        """All rows. A missing part of a bias or axis has the reason of the task that measures it in other rows."""
        parts = list(dict.fromkeys(part for names in (*self.biases.values(), *self.axes.values()) for part in names))
        for row in self._rows:
            absent = [part for part in parts if part not in row.measures]
            yield replace(row, missing=(*reasons_of_parts(absent, self._produced_by, row.missing), *row.missing))

    def refuse_unreadable(self) -> None:
        """Raise the StoreError of the first damaged cell if nothing at all can be read."""
        if self.damage and not any(row.measures for row in self._rows):
            raise self.damage[0]

    def warnings(self) -> list[Remark]:
        """Stored remarks, and remarks on code; with several runs, each stored remark names its run, or its label."""
        several = len(self.provenance) > 1
        remarks = [labelled(each, self._labels.get(run, run)) if several else each for run, each in self._remarks]
        return list(dict.fromkeys([*remarks, *self._codes.remarks()]))

    def _define(self, label: str, biases: Definitions, axes: Definitions) -> None:
        for definitions, given in ((self.biases, biases), (self.axes, axes)):
            for name, parts in given.items():
                earlier = definitions.setdefault(name, tuple(parts))
                if earlier != tuple(parts):
                    raise RequestError(
                        f"{name!r} is {', '.join(earlier)} in {self._defined_by[name]}, but {', '.join(parts)} in "
                        f"{label}; expected one definition. Report the runs one by one, or rename it in one suite"
                    )
                self._defined_by.setdefault(name, label)

    def _declare(self, label: str, plan: StatisticsPlan) -> None:
        self.statistics, unlike = self.statistics.completed(plan)
        text = f"other statistics are declared here ({', '.join(unlike)}); those of an earlier run are used"
        self._remarks += [(label, Remark("data", label, text))] if unlike else []

    def _add_trials(self, run: RunReader, label: str, kept: KeptMeasures) -> dict[str, Any]:
        """Add the rows of a run of trials; gives what it has stored."""
        from harness.store import cells_of

        cells, planned, models = cells_of(run), run.record.planned, run.record.models
        places = {**cells.sound, **cells.damaged}
        tasks = dict.fromkeys([*planned, *(task for task, _ in places)])
        cells_planned, cells_missing, replaced = 0, 0, superseded(cells.sound)
        for model in dict.fromkeys([*models, *(model for _, model in places)]):
            builder = _RowBuilder(self, run, label, model, cells, replaced, kept)
            for task in tasks:
                if (task, model) in places or model in planned.get(task, {}):
                    builder.add(task, planned.get(task, {}).get(model))
            self._rows.append(builder.build(models[model].group if model in models else None))
            cells_planned += len(builder.tasks) + builder.cells_missing
            cells_missing += builder.cells_missing
        if cells_missing:
            text = f"incomplete: {cells_missing} of {cells_planned} cells have no result, listed with their reasons"
            self._remarks += [(label, Remark("incomplete", label, text))]
        return stored_facts(run, cells.sound)

    def note(self, cell: StoredCell, measures: Iterable[str], label: str) -> None:
        """Record which task of the run `label` yields which measures, and by which code."""
        self._produced_by.update(dict.fromkeys(measures, cell.job.task))
        self._codes.add(cell.job, label)


class _RowBuilder:
    """Builds the row of one model of a run of trials."""

    def __init__(
        self,
        reader: RowReader,
        run: RunReader,
        label: str,
        model: str,
        cells: Cells,
        old: Mapping[tuple[str, str], str],
        kept: KeptMeasures,
    ) -> None:
        self.reader, self.run, self.label, self.model, self.old = reader, run, label, model, old
        self.cells, self.damaged, self.kept = cells.sound, cells.damaged, kept
        self.measures: dict[str, Measure] = {}
        self.missing: list[Reason] = []
        self.tasks: dict[str, Mapping[str, Any]] = {}
        self.cells_missing = 0
        self.doubled: set[str] = set()
        self.origins: dict[str, Origin] = {}
        self._probes: dict[str, Probe] = {}

    def add(self, task: str, planned: Reason | None) -> None:
        """Add the measures of one task, or the reason why there are none; `planned`: the reason given by the plan."""
        try:
            reason = self._unusable(task, planned) or self._unmet(task)
            measures = reason or self._measured(task)
        except HarnessError as error:
            self.reader.damage += [error] if isinstance(error, StoreError) else []
            measures = Reason.of_error("task", task, error)
        if isinstance(measures, Reason):
            self.missing.append(measures)
            self.cells_missing += measures is not planned
            return
        self._set_shared_aside(task, measures)
        cell = self.cells[task, self.model]
        self.measures.update(measures)
        self.tasks[task] = network_of(cell.job)
        origin = Origin.of(cell, [self.cells[needed, self.model] for needed in self._required(task)])
        self.origins.update(dict.fromkeys(measures, origin))
        self.reader.note(cell, measures, self.label)

    def _set_shared_aside(self, task: str, measures: dict[str, Measure]) -> None:
        """Take measures that another task yields too out of both: nobody knows which of them is meant."""
        for name in sorted((measures.keys() & self.measures.keys()) | (measures.keys() & self.doubled)):
            text = f"measured by two tasks, one of them {task}; rename it in one"
            self.missing.append(Reason(kind="measure", subject=name, text=text))
            self.doubled.add(name)
            del measures[name]
            self.measures.pop(name, None)

    def _unmet(self, task: str) -> Reason | None:
        """Why the trials required by the probe of `task` cannot be used; None if they can."""
        cell = self.cells[task, self.model]
        for needed in self._required(task):
            cause = self._unusable(needed, None) or self._unlike(cell, needed)
            if cause:
                text = f"needs {needed}, which is not usable: {cause.text}"
                return replace(cause, subject=task, text=text)
        return None

    def _required(self, task: str) -> list[str]:
        return [f"{name}@{task_of(task).dataset}" for name in self._probe(task).requires]

    def _measured(self, task: str) -> dict[str, Measure] | Reason:
        """The measures of a task whose trials are usable, or why its probe yields none."""
        probe, required, dataset = self._probe(task), self._required(task), task_of(task).dataset
        try:
            measures, set_aside = self.kept.measures(
                probe, [task, *required], self.model, lambda: measures_of(probe, self._views(task, required), dataset)
            )
        except HarnessError:
            raise
        except plugin_faults() as error:  # a plugin's mistake makes only its own cells missing, with a reason
            return self._reason(task, f"probe {probe.name!r} cannot reduce the stored trials: {described(error)}")
        self.missing += set_aside
        return measures

    @property
    def _rerun(self) -> str:
        """The command that computes the missing cells of the run."""
        return commands.rerun(self.run.record, self.label)

    def _reason(self, task: str, text: str, remedy: str = "") -> Reason:
        return Reason(kind="task", subject=task, text=text, remedy=remedy)

    def _probe(self, task: str) -> Probe:
        """The installed probe of a stored task, with the parameters of its trials."""
        if task not in self._probes:
            stored = self.cells[task, self.model].job.identity.probe
            self._probes[task] = with_params(self.reader.probes[stored.name], stored.params)
        return self._probes[task]

    def _views(self, task: str, required: Sequence[str] = ()) -> Views:
        """The stored trials of `task` and of the required tasks, by view. RequestError if their columns do not fit."""
        trials = self.run.read(task, self.model, lazily=True)
        required_views = {task_of(name).probe: self._views(name) for name in required}
        try:
            return Views.of(trials, self._probe(task).conditions(trials.layout.size), required_views)
        except ValueError as error:
            raise RequestError(f"measured under other conditions: {error}", remedy=self._rerun) from error

    def build(self, group: str | None) -> Row:
        """The row; all its measures belong to one network."""
        return Row(
            name=self.model,
            group=group,
            run=self.label,
            measures=flagged(self.measures, self.run.record.models.get(self.model)),
            missing=tuple(self.missing),
            tasks=frozenset(self.tasks),
            origins=self.origins,
            network=next(iter(self.tasks.values()), None),
        )

    def _unusable(self, task: str, planned: Reason | None) -> Reason | None:
        """Why the stored trials of `task` give no measures; None if they do. Raises StoreError for damaged ones."""
        if (task, self.model) in self.damaged:
            raise self.damaged[task, self.model]
        cell = self.cells.get((task, self.model))
        if cell is None:
            return planned or self._reason(task, "not run")
        layout = self.run.layout_header(task)
        done, spans = len(cell.spans), len(layout.spans)
        if (task, self.model) in self.old:
            failure = f", and the last rerun was not possible: {planned.text}" if planned else ""
            return self._reason(task, f"{self.old[task, self.model]}{failure}", self._rerun)
        if cell.failed is not None:
            return self._reason(task, f"failed: {cell.failed}")
        if done < spans:
            return self._reason(task, f"incomplete: {done} of {spans} spans", self._rerun)
        if not cell.complete(layout):
            text = "measured on samples, classes or conditions that the run has replaced since"
            return self._reason(task, text, self._rerun)
        stored = cell.job.identity.probe
        probe = self.reader.probes.get(stored.name)
        if probe is None:
            remedy = commands.report(self.run.record, self.label)
            return self._reason(task, f"probe {stored.name!r} is not installed", remedy)
        if probe.version != stored.version:
            text = f"made by version {stored.version} of probe {probe.name!r}, installed is {probe.version}"
            return self._reason(task, text, self._rerun)
        return None

    def _unlike(self, cell: StoredCell, task: str) -> Reason | None:
        """How `cell` differs, other than in its probe, from the cell whose trials it requires; None if it does not."""
        changed = unlike(self.run, cell, self.cells[task, self.model])
        return self._reason(task, f"{changed}; rerun both", self._rerun) if changed else None
