"""The manifest of a run folder, ``run.json``. Only this module knows the keys that other folders read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.records.reasons import Reason, Remark
from harness.records.statistics_plan import StatisticsPlan

RunKind = Literal["trials", "imported"]
_OWN_FIELDS = ("contents", "models", "planned", "remedies", "study", "warnings")
"""Fields that a study reads one by one; the others describe the origin of the run."""
STORED = ("tasks", "checkpoints", "sessions")
"""What a study adds to the origin of a run of the cells that it has stored; no run says it of itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunModel:
    """One model of a run, as the registry described it when the run was made.

    Attributes:
        expected: as in `ModelSpec`.
    """

    group: str | None = None
    title: str = ""
    expected: Mapping[str, tuple[float, float | None]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """``run.json``, parsed once.

    Attributes:
        kind: ``trials``, or ``imported`` for a published table.
        settings: settings of the whole run (seed, limit, precision, …).
        models: name -> description of the model.
        planned: task -> model -> why the cell could not be computed; None where it could.
        biases: name -> full names of the measures whose mean it is.
        axes: likewise.
        titles: bias, axis or group -> short title.
        statistics: what the suites declare of the statistics over models.
        warnings: dataset -> remarks about its data; model -> remarks about its weights.
        contents: dataset -> view -> SHA-256 over some files of that view; older runs record none.
        importer: name of the importer of the run's decisions; None for other runs.
        same_numbers: pairs of digests of code that count as equal (``--same-numbers``).
        document: the JSON object as stored.
    """

    kind: RunKind
    settings: Mapping[str, Any]
    models: Mapping[str, RunModel]
    planned: Mapping[str, Mapping[str, Reason | None]]
    biases: Mapping[str, tuple[str, ...]]
    axes: Mapping[str, tuple[str, ...]]
    titles: Mapping[str, str]
    warnings: Mapping[str, tuple[Remark, ...]]
    contents: Mapping[str, Mapping[str, str]]
    importer: str | None
    document: Mapping[str, Any]
    same_numbers: frozenset[tuple[str, str]] = frozenset()
    statistics: StatisticsPlan = field(default_factory=StatisticsPlan)

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> RunRecord:
        """The record in a JSON object. Raises KeyError, TypeError, ValueError or AttributeError for other objects."""
        study = document.get("study", {})
        return cls(
            kind=document["kind"],
            settings=document["settings"],
            models={
                name: RunModel(
                    group=facts.get("group"),
                    title=facts.get("title", ""),
                    expected={measure: (value, far) for measure, (value, far) in facts.get("expected", {}).items()},
                )
                for name, facts in document.get("models", {}).items()
            },
            planned=_planned(document.get("planned", {}), document.get("remedies", {})),
            biases={name: tuple(parts) for name, parts in study.get("biases", {}).items()},
            axes={name: tuple(parts) for name, parts in study.get("axes", {}).items()},
            titles={name: str(title) for name, title in study.get("titles", {}).items()},
            warnings={
                name: tuple(_remark(name, str(text)) for text in texts)
                for name, texts in document.get("warnings", {}).items()
            },
            contents={name: dict(digests) for name, digests in document.get("contents", {}).items()},
            importer=document.get("importer"),
            document=document,
            statistics=StatisticsPlan.parse(study.get("statistics", {})),
            same_numbers=frozenset((said["before"], said["now"]) for said in document.get("same_numbers", ())),
        )

    @property
    def origin(self) -> dict[str, Any]:
        """Origin of the run, JSON-ready: format, kind, settings, history, and the fields of an importer."""
        return {name: value for name, value in self.document.items() if name not in (*_OWN_FIELDS, *STORED)}


def _planned(
    texts: Mapping[str, Mapping[str, str]], remedies: Mapping[str, Mapping[str, str]]
) -> dict[str, dict[str, Reason | None]]:
    """Reasons of the cells that could not be computed. Older runs include the remedy in the text."""
    return {
        task: {
            model: Reason(kind="task", subject=task, text=text, remedy=remedies.get(task, {}).get(model, ""))
            if text
            else None
            for model, text in of_task.items()
        }
        for task, of_task in texts.items()
    }


def _remark(dataset: str, line: str) -> Remark:
    """The remark in a stored line, which begins with the dataset's name."""
    return Remark("data", dataset, line.removeprefix(f"{dataset}: "), line=line)
