"""Runs -> rows: what each run knows of each model, its measures recomputed from the stored trials.

Cells are read one at a time, so memory does not grow with their number. A cell that cannot be used leaves its reason.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError, PluginError, RequestError, described
from harness.identity import difference
from harness.records import Measure
from harness.remarks import joined
from harness.study.rows import Definitions, Row, few
from harness.study.superseded import superseded
from harness.views import Views, measures_by_view

if TYPE_CHECKING:
    from harness.interfaces import Probe
    from harness.store import RunReader
    from harness.store.cells import StoredCell


COMPARED_SETTINGS = ("seed", "limit", "precision", "device_type")
"""Settings that must agree before two models can be compared; batch size moves logits in the last digits only."""


def measures_of(probe: Probe, views: Views, dataset: str) -> dict[str, Measure]:
    """The measures of one cell by full name: over all views of the dataset, and of each.

    Raises:
        PluginError: the probe yields two measures of one name, or something that is no measure.
    """
    found: dict[str, Measure] = {}
    for measure in measures_by_view(probe, views):
        if not isinstance(measure, Measure):
            raise PluginError(f"probe {probe.name!r} yields {measure!r} as a measure; expected harness.Measure")
        name = measure.full_name(dataset)
        if name in found:
            raise PluginError(
                f"probe {probe.name!r} yields two measures named {name!r}; give one another `name` or `condition`"
            )
        found[name] = measure
    return found


def with_params(probe: Probe, params: Mapping[str, Any]) -> Probe:
    """`probe` with stored parameters; lists, which JSON has for tuples, become tuples again.

    Raises:
        PluginError: the probe has no such parameter.
    """
    known = {one.name for one in fields(probe)}
    unknown = sorted(set(params) - known)
    if unknown:
        raise PluginError(
            f"probe {probe.name!r} has no parameter {unknown[0]!r}, but stored trials were made with it. "
            f"Available: {', '.join(sorted(known)) or 'none'}. Install the version of the probe that made them"
        )
    return replace(probe, **{name: _tuples(value) for name, value in params.items()})


class RowReader:
    """Collects rows, definitions and remarks, run by run.

    Args:
        probes: installed probes by name.
    """

    def __init__(self, probes: Mapping[str, Probe]) -> None:
        self.probes = probes
        self.biases: dict[str, tuple[str, ...]] = {}
        self.axes: dict[str, tuple[str, ...]] = {}
        self.provenance: list[dict[str, Any]] = []
        self._rows: list[Row] = []
        self._remarks: list[tuple[str, str]] = []
        self._defined_by: dict[str, str] = {}
        self._produced_by: dict[str, str] = {}
        self._measured_as: dict[str, dict[str, list[str]]] = {}

    def add(self, run: RunReader, label: str) -> None:
        """Read one run; `label` names it in errors and reports.

        Raises:
            RequestError: it defines a bias or axis otherwise than an earlier run.
            StoreError: stored trials are damaged.
        """
        record = run.record
        origin, stored = record.origin, [remark for remarks in record.warnings.values() for remark in remarks]
        self._remarks += [(label, remark) for remark in joined(stored)]
        if run.kind == "imported":
            table = run.imported
            origin.update(title=table.title, source=table.source, license=table.license)
            self._define(label, table.biases, table.axes)
            self._rows += [
                Row(name=one.name, group=one.group, run=label, measures=one.measures, missing=one.missing)
                for one in table.models
            ]
        else:
            self._define(label, record.biases, record.axes)
            self._add_trials(run, label)
        self.provenance.append({**origin, "run": label, "kind": run.kind})

    def finished(self) -> Iterable[Row]:
        """All rows; a part of a bias or axis that a row lacks has the reason of the task that measures it elsewhere."""
        parts = [part for one in (*self.biases.values(), *self.axes.values()) for part in one]
        for row in self._rows:
            tasks = {part: self._produced_by.get(part, "") for part in parts if part not in row.measures}
            learned = {part: f"{task}: {row.missing[task]}" for part, task in tasks.items() if task in row.missing}
            yield replace(row, missing={**learned, **row.missing})

    def warnings(self) -> list[str]:
        """Stored remarks, and what makes models incomparable; each names its run where there are several."""
        several = len(self.provenance) > 1
        remarks = [f"{label}: {remark}" if several else remark for label, remark in self._remarks]
        return list(dict.fromkeys([*remarks, *self._incomparable()]))

    def _define(self, label: str, biases: Definitions, axes: Definitions) -> None:
        for known, given in ((self.biases, biases), (self.axes, axes)):
            for name, parts in given.items():
                before = known.setdefault(name, tuple(parts))
                if before != tuple(parts):
                    raise RequestError(
                        f"{name!r} is {', '.join(before)} in {self._defined_by[name]}, but {', '.join(parts)} in "
                        f"{label}; expected one definition. Report them one by one, or rename it in one suite"
                    )
                self._defined_by.setdefault(name, label)

    def _add_trials(self, run: RunReader, label: str) -> None:
        cells, planned = run.cells(), run.record.planned
        old = superseded(cells)
        known = run.record.models
        tasks = dict.fromkeys([*planned, *(task for task, _ in cells)])
        for model in dict.fromkeys([*known, *(model for _, model in cells)]):
            row = _RowBuilder(self, run, label, model, cells, old)
            for task in tasks:
                if (task, model) in cells or model in planned.get(task, {}):
                    row.add(task, planned.get(task, {}).get(model, ""))
            self._rows.append(row.finished(known[model].group if model in known else None))

    def note(self, task: str, model: str, cell: StoredCell, measures: Iterable[str]) -> None:
        """Remember which task yields which measures, and under which conditions a model was measured."""
        self._produced_by.update(dict.fromkeys(measures, task))
        identity = cell.job.identity
        if identity.first_choices_only:
            return  # what people decided has no settings; the samples are compared by whoever puts trials side by side
        settings = {name: identity.settings.get(name) for name in COMPARED_SETTINGS}
        compared = {**identity.protocol(), "settings": settings}
        variants = self._measured_as.setdefault(task, {})
        variants.setdefault(json.dumps(compared, sort_keys=True), []).append(model)

    def _incomparable(self) -> Iterable[str]:
        for task, variants in self._measured_as.items():
            usual, *others = sorted(variants, key=lambda variant: -len(variants[variant]))
            for other in others:
                yield (
                    f"{task}: {few(variants[other])} cannot be compared with {few(variants[usual])}: "
                    f"{difference(json.loads(usual), json.loads(other))}"
                )


class _RowBuilder:
    """One model of one run of trials."""

    def __init__(
        self,
        reader: RowReader,
        run: RunReader,
        label: str,
        model: str,
        cells: Mapping[tuple[str, str], StoredCell],
        old: Mapping[tuple[str, str], str],
    ) -> None:
        self.reader, self.run, self.label, self.model, self.cells, self.old = reader, run, label, model, cells, old
        self.measures: dict[str, Measure] = {}
        self.missing: dict[str, str] = {}
        self.tasks: dict[str, Mapping[str, Any]] = {}

    def add(self, task: str, planned: str) -> None:
        """Measure one task, or keep the reason why not; `planned` is the reason known when the run was planned."""
        reason = self._unusable(task, planned)
        if reason:
            self.missing[task] = reason
            return
        cell, (_, _, dataset) = self.cells[task, self.model], task.partition("@")
        probe = self._probe(task)
        required = [f"{name}@{dataset}" for name in probe.requires]
        for needed in required:
            reason = self._unusable(needed, "") or self._unlike(cell, needed)
            if reason:
                self.missing[task] = f"needs {needed}, which is not usable: {reason}"
                return
        try:
            views = self._views(task, required)
        except ValueError as error:
            self.missing[task] = (
                f"measured under other conditions: {error}; rerun with harness run … --out {self.label}"
            )
            return
        try:
            found = measures_of(probe, views, dataset)
        except HarnessError:
            raise
        except Exception as error:  # noqa: BLE001 - a plugin's mistake costs its cells, with the reason, and no others
            self.missing[task] = f"probe {probe.name!r} cannot reduce the stored trials: {described(error)}"
            return
        doubled = sorted(set(found) & set(self.measures))
        if doubled:
            raise PluginError(
                f"{doubled[0]} of {self.model} is measured by two tasks, one of them {task}; rename it in one"
            )
        self.measures.update(found)
        self.tasks[task] = cell.job.identity.network
        self.reader.note(task, self.model, cell, found)

    def _probe(self, task: str) -> Probe:
        """The installed probe of a stored task, with the parameters that its trials were made with."""
        stored = self.cells[task, self.model].job.identity.probe
        return with_params(self.reader.probes[stored.name], stored.params)

    def _views(self, task: str, required: Sequence[str] = ()) -> Views:
        """The stored trials of `task` and of those it requires, by view. ValueError if their columns do not fit."""
        trials = self.run.read(task, self.model)
        others = {name.partition("@")[0]: self._views(name) for name in required}
        return Views.of(trials, self._probe(task).conditions(trials.layout.size), others)

    def finished(self, group: str | None) -> Row:
        """The row; all its measures are of one network."""
        return Row(
            name=self.model,
            group=group,
            run=self.label,
            measures=self.measures,
            missing=self.missing,
            tasks=frozenset(self.tasks),
            network=next(iter(self.tasks.values()), None),
        )

    def _unusable(self, task: str, planned: str) -> str:
        """Why the stored trials of `task` give no measures; empty if they do."""
        cell = self.cells.get((task, self.model))
        if cell is None:
            return planned or "not run"
        layout = self.run.layout(task)
        done, spans = len(cell.spans), len(layout.spans())
        resume = f"harness run … --out {self.label}"
        if (task, self.model) in self.old:
            away = f", which could not be done the last time: {planned}" if planned else ""
            return f"{self.old[task, self.model]}; measure it anew with {resume}{away}"
        if cell.failed is not None:
            return f"failed: {cell.failed}"
        if done < spans:
            return f"incomplete: {done} of {spans} spans; resume with {resume}"
        if not cell.complete(layout):
            return f"measured on samples, classes or conditions that the run has replaced since; rerun with {resume}"
        stored = cell.job.identity.probe
        probe = self.reader.probes.get(stored.name)
        if probe is None:
            return f"probe {stored.name!r} is not installed; see harness list probes"
        if probe.version != stored.version:
            return (
                f"made by version {stored.version} of probe {probe.name!r}, installed is {probe.version}; "
                f"rerun with {resume}"
            )
        return ""

    def _unlike(self, cell: StoredCell, task: str) -> str:
        """What tells `cell` from the cell whose trials its probe needs, other than the probe; empty if nothing does."""
        other = self.cells[task, self.model]
        changed = difference(other.job.identity.without_task(), cell.job.identity.without_task())
        if not changed and self.run.layout(task).sample_ids != self.run.layout(cell.job.task).sample_ids:
            changed = "its samples are others"
        return f"{changed}; rerun both with harness run … --out {self.label}" if changed else ""


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
