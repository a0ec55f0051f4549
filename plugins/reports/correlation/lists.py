"""All that is missing, undefined, flagged or wrong in the report ``correlation``, entry by entry, from its data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from harness import Table, TableCell

from .._cells import number
from .notes import title_of
from .schema import CorrelationData, ErratumEntry
from .stars import Coefficient, pair_name


class _Undefined(NamedTuple):
    """One number without a value: what it is, of which pair or axis, over which models, and why."""

    what: str
    subject: str
    models: str
    reason: str


def missing_tables(data: CorrelationData) -> Iterator[Table]:
    """Every missing task, measure, bias and axis with its reason, remedy and models."""
    models_of: dict[tuple[str, str, str, str], list[str]] = {}
    for model in data["models"]:
        for entry in model["missing"]:
            key = (entry["kind"], entry["subject"], entry["reason"], entry["remedy"] or "")
            models_of.setdefault(key, []).append(model["name"])
    subjects_of: dict[tuple[str, str, str, tuple[str, ...]], list[str]] = {}
    for (kind, subject, reason, remedy), models in models_of.items():
        subjects_of.setdefault((kind, reason, remedy, tuple(models)), []).append(subject)
    rows = [
        (*map(TableCell, (kind, ", ".join(subjects), reason, remedy)), *_models(data, models))
        for (kind, reason, remedy, models), subjects in subjects_of.items()
    ]
    if rows:
        columns = ("kind", "missing", "reason", "what to type", "n", "models")
        yield Table(title="What models do not have, and why", columns=columns, rows=tuple(rows))


def flag_tables(data: CorrelationData) -> Iterator[Table]:
    """Every flag with its measures and models."""
    models_of: dict[tuple[str, str], list[str]] = {}
    for model in data["models"]:
        for measure, details in model["details"].items():
            for flag in details.get("flags", ()):
                models_of.setdefault((str(flag), measure), []).append(model["name"])
    measures_of: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (flag, measure), models in models_of.items():
        measures_of.setdefault((flag, tuple(models)), []).append(measure)
    rows = [
        (TableCell(flag), TableCell(", ".join(measures)), *_models(data, models))
        for (flag, models), measures in measures_of.items()
    ]
    if rows:
        columns = ("flag", "measures", "n", "models")
        yield Table(title="Flags of measures, and who carries them", columns=columns, rows=tuple(rows))


def _models(data: CorrelationData, names: Sequence[str]) -> tuple[TableCell, TableCell]:
    every = len(names) == len(data["models"]) > 1
    return TableCell(str(len(names)), value=len(names)), TableCell("all models" if every else ", ".join(names))


def undefined_tables(data: CorrelationData) -> Iterator[Table]:
    """Every statistic over models that is undefined, or lacks its interval, with the reason."""
    subjects_of: dict[tuple[str, str, str], list[str]] = {}
    for what, subject, models, reason in (*_predictions(data), *_coefficients(data), *_clusters(data)):
        subjects_of.setdefault((what, reason, models), []).append(subject)
    models_of: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for (what, reason, models), subjects in subjects_of.items():
        models_of.setdefault((what, reason, tuple(dict.fromkeys(subjects))), []).append(models)
    rows = [
        tuple(map(TableCell, (what, ", ".join(subjects), reason, ", ".join(title_of(data, one) for one in models))))
        for (what, reason, subjects), models in models_of.items()
    ]
    if rows:
        columns = ("number", "of", "reason", "models")
        yield Table(title="Undefined numbers and intervals, and why", columns=columns, rows=tuple(rows))


def _predictions(data: CorrelationData) -> Iterator[_Undefined]:
    for entry in data["predictions"]:
        subject, models = f"{title_of(data, entry['generalization'])} ({entry['learner']})", entry["models"]
        if entry["reason"]:
            yield _Undefined("prediction", subject, models, entry["reason"])
        scores = {
            "the mean": entry["baselines"]["mean"],
            "the mean of the group": entry["baselines"]["family-mean"],
            "ID": entry["baselines"]["id"],
            "ID and biases": entry["baselines"]["id+biases"],
        }
        for name, score in scores.items():
            if score["reason"]:
                yield _Undefined(f"prediction by {name}", subject, models, score["reason"])


def _coefficients(data: CorrelationData) -> Iterator[_Undefined]:
    entries: list[Coefficient] = [*data["correlations"], *data["bias_correlations"]]
    for entry in entries:
        subject = pair_name(data, entry)
        if entry["reason"]:
            yield _Undefined("ρ", subject, entry["models"], entry["reason"])
        families = entry.get("families")
        if families and families["reason"]:
            yield _Undefined("ρ within families", subject, entry["models"], families["reason"])
        if "partial" in entry and entry["partial"]["reason"]:
            yield _Undefined("ρ at equal accuracy", subject, entry["models"], entry["partial"]["reason"])


def _clusters(data: CorrelationData) -> Iterator[_Undefined]:
    for entry in data["clusters"]:
        if entry["reason"]:
            yield _Undefined("ICC", title_of(data, entry["name"]), "all", entry["reason"])


def errata_tables(data: CorrelationData) -> Iterator[Table]:
    """Every erratum with its proof, and what it concerns."""
    if data["errata"]:
        yield Table(
            title="Published numbers that are known to be wrong",
            columns=("measure", "what is wrong", "here", "correct: ×", "correct: +", "concerns", "proof"),
            rows=tuple(_erratum(data, erratum) for erratum in data["errata"]),
            note="Correct is the published fraction times × plus +; without these it cannot be corrected, and is left "
            "out where the errata are applied (--apply-errata).",
        )


def _erratum(data: CorrelationData, erratum: ErratumEntry) -> tuple[TableCell, ...]:
    concerned = ", ".join(title_of(data, name) for name in erratum["concerns"])
    return (
        *map(TableCell, (erratum["measure"], erratum["title"], "applied" if data["mended"] else "as published")),
        number(erratum["scale"], ".6g"),
        number(erratum["offset"], ".6g"),
        *map(TableCell, (concerned, erratum["proof"])),
    )
