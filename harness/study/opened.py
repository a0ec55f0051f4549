"""A study opened from run folders, with its numbers as pandas tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final

from harness.errors import RequestError, UnknownNameError
from harness.foreign import data_frame, html_text, one_line
from harness.records import ReasonKind, Study, reason_for

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from harness.discovery.loader import Plugins
    from harness.records import StudyModel

REPORT: Final = "correlation"
"""The report that supplies correlations and intervals."""
MEASURES: Final = ("model", "group", "run", "kind", "measure", "value", "low", "high", "n", "unit", "direction",
                   "condition", "flags", "reason")  # fmt: skip
CORRELATIONS: Final = ("bias", "generalization", "models", "n", "spearman", "p", "p_method", "low", "high", "p_holm",
                       "p_bh", "poster", "reason")  # fmt: skip
"""Columns of an empty table."""
FAMILIES: Final = ("within", "p_within", "p_within_holm", "p_within_method", "simpson", "worst_family", "cluster_low",
                   "cluster_high", "n_effective")  # fmt: skip
"""Columns that a coefficient over all models has by training family."""
PARTIAL: Final = ("partial", "p_partial", "given")
"""Columns of the coefficient at equal accuracy, of biases that are divided by another measure."""
_NUMBERS: Final = ("value", "low", "high", "spearman", "p", "p_holm", "p_bh", "poster", "within", "p_within",
                   "p_within_holm", "cluster_low", "cluster_high", "n_effective", "partial", "p_partial")  # fmt: skip
"""Columns of float64, NaN where the number is undefined; `n` is Int64, <NA> where it is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class OpenedStudy(Study):
    """A study with its measures, correlations and trials as tables: one row per observation, one column per fact.

    Attributes:
        plugins: the plugins used to open it.
    """

    plugins: Plugins = field(compare=False)

    @classmethod
    def of(cls, study: Study, plugins: Plugins) -> OpenedStudy:
        """`study` with methods that return tables."""
        return cls(**{column.name: getattr(study, column.name) for column in fields(Study)}, plugins=plugins)

    def measures(self) -> pd.DataFrame:
        """A row for each model × measure, then its biases and axes, then the missing measures and tasks.

        Returns:
            Columns ``model``, ``group``, ``run``; ``kind`` (``measure``, ``bias``, ``axis`` or, for a task or measure
            without result, ``missing``); ``measure`` (its full name); ``value`` with the 95 % interval ``low``,
            ``high`` and ``n``, the number of trials; ``unit``, ``direction`` (which way is better), ``condition``,
            ``flags``; ``reason`` why a value is NaN. Fractions are in [0, 1]. If any run has a label, ``run`` is the
            label of those that have one, and ``plain_name`` is the model's name without it.
        """
        report = self.plugins.report(REPORT).data(self)
        of_report = {model["name"]: model for model in report["models"]}
        rows = [
            {**row, "plain_name": model.plain_name} if self.labelled else row
            for model in self.models
            for row in _rows(model, of_report[model.name], report["units"])
        ]
        return _frame(rows, MEASURES)

    def correlations(self) -> pd.DataFrame:
        """A row for each bias × axis and set of models, as ``correlations`` of ``harness report --format json``.

        Returns:
            Columns ``bias``, ``generalization``, ``models`` (``all``, a group, or ``not`` a group), ``n``,
            ``spearman``, ``p``, ``p_method``, ``low``, ``high`` (95 % interval), ``p_holm``, ``p_bh`` (adjusted),
            ``poster``, ``reason`` why a coefficient or its interval is NaN; then those of ``families``, of all models
            only: ``within``, ``p_within``, ``p_within_holm``, ``p_within_method``, ``simpson``, ``worst_family``,
            ``cluster_low``, ``cluster_high``, ``n_effective``; then, of a bias that is divided by another measure, the
            coefficient at equal accuracy ``partial``, its ``p_partial``, and what is held, ``given``.
        """
        rows = self.plugins.report(REPORT).data(self)["correlations"]
        return _frame([_flat(row) for row in rows], (*CORRELATIONS, *FAMILIES, *PARTIAL))

    def trials(self, task: str, model: str) -> pd.DataFrame:
        """A row for each sample × condition of one model on one task, as ``harness export`` writes them.

        Returns:
            Columns ``task``, ``model``, ``sample_id``, ``target``, ``condition``, ``correct``, ``top5_1``, ``logp_1``,
            … ``top5_5``, ``logp_5`` (natural logarithm, float32), and the dataset's attributes of its samples.

        Raises:
            UnknownNameError: the study has no such task or model.
            RequestError: it has no trials of that model on that task; the message gives the reason.
            StoreError: the stored trials are damaged.
        """
        from harness.store import trials_frame

        reader = self.trial_reader
        if reader is None or model not in reader.cells().get(task, ()):
            raise self._without_trials(task, model)
        trials = reader.read(task, model)
        table = trials_frame(trials, sorted(trials.layout.attributes))
        # pandas cannot print float16 without a warning; float32 holds the same values.
        return table.astype({name: "float32" for name in map(str, table.columns) if name.startswith("logp_")})

    def _without_trials(self, task: str, model: str) -> RequestError:
        """The error that says why there are no trials of `model` on `task`."""
        models = {row.name: row for row in self.models}
        if model not in models:
            return UnknownNameError("model", model, models, "See: .measures()")
        cells = self.trial_reader.cells() if self.trial_reader else {}
        reason = reason_for(models[model].missing, "task", task)
        if reason:
            return RequestError(f"no trials of {model} on {task}: {reason.text}", remedy=reason.remedy)
        tasks = [name for name, names in cells.items() if model in names]
        return UnknownNameError("task", task, tasks, f"These are the tasks with trials of {model}")

    def __repr__(self) -> str:
        return f"<study of {self._size()}; .measures(), .correlations(), .trials(task, model)>"

    def _size(self) -> str:
        """``34 models, 10 biases, 4 axes, 1 warning``."""
        counts = (
            (len(self.models), "model", "models"),
            (len(self.biases), "bias", "biases"),
            (len(self.axes), "axis", "axes"),
            (len(self.warnings), "warning", "warnings"),
        )
        return ", ".join(f"{count} {singular if count == 1 else plural}" for count, singular, plural in counts)

    def _overview(self) -> Iterator[list[str]]:
        """A header, then one line for each model with its biases and axes."""
        names = [*self.biases, *self.axes]
        yield ["model", "group", *names]
        for model in self.models:
            values = {**model.biases, **model.axes}
            numbers = [values[name] for name in names]
            yield [model.name, model.group or "", *("–" if number is None else f"{number:.3g}" for number in numbers)]

    def _repr_html_(self) -> str:
        """For notebooks: biases and axes of all models. Names come from untrusted files, so they are escaped."""
        head, *rows = [[html_text(cell) for cell in line] for line in self._overview()]
        body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
        warnings = "".join(f"<li>{html_text(warning)}</li>" for warning in self.warnings)
        return (
            f"<table><caption>study of {self._size()}</caption>"
            f"<thead><tr>{''.join(f'<th>{cell}</th>' for cell in head)}</tr></thead><tbody>{body}</tbody></table>"
            + (f"<ul>{warnings}</ul>" if warnings else "")
        )

    def __rich__(self) -> Table:
        """For `rich.print`: biases and axes of all models."""
        from rich.table import Table
        from rich.text import Text

        head, *rows = self._overview()
        table = Table(title=Text(f"study of {self._size()}"))
        for name in head:
            table.add_column(Text(one_line(name)))
        for row in rows:
            table.add_row(*(Text(one_line(cell)) for cell in row))
        return table


def _rows(model: StudyModel, of_report: dict[str, Any], units: dict[str, str | None]) -> Iterator[dict[str, Any]]:
    """The rows of one model. `of_report`: its object in the report, with the intervals of biases and axes."""
    of_model = {"model": model.name, "group": model.group, "run": model.label or model.run}
    for name, measure in model.measures.items():
        facts = {key: getattr(measure, key) for key in MEASURES if hasattr(measure, key)}
        yield {**of_model, "kind": "measure", "measure": name, **facts, "flags": "; ".join(measure.flags)}
    kinds: tuple[tuple[ReasonKind, Mapping[str, float | None]], ...] = (("bias", model.biases), ("axis", model.axes))
    for kind, values in kinds:
        for name, value in values.items():
            facts = {"value": value, "unit": units[name], **of_report["intervals"].get(name, {})}
            reason = reason_for(model.missing, kind, name)
            yield {**of_model, "kind": kind, "measure": name, **facts, "reason": reason.line if reason else None}
    named, absent = {**model.measures, **model.biases, **model.axes}, dict[str, list[str]]()
    for reason in model.missing:
        if reason.subject not in named:
            absent.setdefault(reason.subject, []).append(reason.line)
    for subject, lines in absent.items():
        yield {**of_model, "kind": "missing", "measure": subject, "reason": "; ".join(lines)}


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """A coefficient with the numbers of its families, and those at equal accuracy, beside its own."""
    families, partial = row.get("families", {}), row["partial"]
    own = {name: value for name, value in row.items() if name not in ("families", "partial")}
    held = {"partial": partial["value"], "p_partial": partial["p"], "given": ", ".join(partial["given"]) or None}
    return {**own, **{name: families.get(name) for name in FAMILIES}, **held}


def _frame(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> pd.DataFrame:
    """The rows as a table: `columns` first, then all other keys of the rows."""
    further = dict.fromkeys(name for row in rows for name in row if name not in columns)
    table = data_frame(rows, columns=[*columns, *further])
    types = {**dict.fromkeys(_NUMBERS, "float64"), "n": "Int64"}
    return table.astype({name: kind for name, kind in types.items() if name in table})
