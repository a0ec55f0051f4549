"""Report ``consistency``: do two observers, people or networks, err on the same images?

Error consistency (Geirhos, Meding, Wichmann: "Beyond accuracy", NeurIPS 2020): Cohen's kappa of correct and wrong
decisions. Aggregated as in model-vs-human (Geirhos et al., NeurIPS 2021, ``plotting/plot.py``): for each network and
person the mean over the conditions that the benchmark counts, then over people, then over datasets; between people over
all pairs. Added here: n, and 95 % bootstrap intervals over images. Only decisions on unmodified images (``clean``)
enter.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, cast

import numpy as np

from harness import NO_LABELS, Page, Remark, Report, StoreError, Study, StudyModel, Table, Trials, hookimpl, statistics

from .._models import LabelFacts, label_facts
from .pages import all_pages
from .people import people_once
from .remarks import HUMANS, MEASURES, missing_remarks, remarks_on
from .schema import ConditionEntry, ConsistencyData, DatasetEntry, Means, ObserverEntry, PairEntry
from .tables import all_tables

CONDITION = "clean"
VARIANT, KEPT = "variant", "kept"
"""Attributes of a dataset: each image's condition, and whether the benchmark counts it."""
BETWEEN = "(between people)"


@dataclass(frozen=True)
class _Aligned:
    """Decisions of several observers on one dataset, aligned on the U images that any of them saw.

    Attributes:
        correct: observer -> (U,) int8: 1, 0, or -1 where the image was not seen.
        accepted: observer -> (U,) int64, the number of the set of correct classes; -1 where the image was not seen.
        conditions: (U,) names; empty where the dataset has none. kept: (U,) bool, whether the benchmark counts the
            image.
    """

    correct: Mapping[str, np.ndarray]
    accepted: Mapping[str, np.ndarray]
    conditions: np.ndarray
    kept: np.ndarray


class ErrorConsistency(Report):
    """Which observers make the same errors."""

    name = "consistency"

    def data(self, study: Study) -> ConsistencyData:
        """``pairs`` of observers on each dataset, ``datasets`` and ``models``: their means over people and datasets.

        A person whom several labels have on one dataset counts once in its means; pairs are those of all.
        """
        groups, labels = {model.name: model.group for model in study.models}, label_facts(study)
        damaged: dict[tuple[str, str], list[str]] = {}
        pairs = [pair for dataset, tasks in _datasets(study).items() for pair in _pairs(study, dataset, tasks, damaged)]
        counted = people_once(pairs, study.models)
        per_dataset = list(_with_people(counted, groups, labels))
        return {
            "models": list(_over_datasets(per_dataset, labels)),
            "datasets": per_dataset,
            "pairs": pairs,
            "warnings": [*study.warnings, *remarks_on(pairs, per_dataset), *missing_remarks(study, damaged)],
            "provenance": [dict(entry) for entry in study.provenance],
        }

    def tables(self, data: Mapping[str, Any]) -> Sequence[Table]:
        """Means over people and datasets, then dataset by dataset, then pairs, then remarks."""
        return all_tables(cast(ConsistencyData, data))

    def full_tables(self, data: Mapping[str, Any]) -> Sequence[Table]:
        """All pairs, and the conditions of each."""
        return all_tables(cast(ConsistencyData, data), full=True)

    def pages(self, data: Mapping[str, Any]) -> Sequence[Page]:
        """A summary, means over people, every pair, remarks, provenance."""
        return all_pages(cast(ConsistencyData, data))


def _datasets(study: Study) -> dict[str, dict[str, str]]:
    """Dataset -> observer -> a task with that observer's decisions, the first by name: all show the same images."""
    tasks_of: dict[str, dict[str, str]] = {}
    for task, models in study.trial_reader.cells().items() if study.trial_reader else ():
        probe, _, dataset = task.partition("@")
        for model in models if probe in MEASURES else ():
            before = tasks_of.setdefault(dataset, {}).setdefault(model, task)
            tasks_of[dataset][model] = min(before, task)
    return dict(sorted(tasks_of.items()))


def _aligned(trials: Mapping[str, Trials]) -> _Aligned:
    ids = list(dict.fromkeys(sample for observed in trials.values() for sample in observed.layout.sample_ids))
    place = {sample: at for at, sample in enumerate(ids)}
    conditions, kept = np.full(len(ids), "", dtype=object), np.ones(len(ids), dtype=bool)
    sets: dict[frozenset[str], int] = {}
    axes: dict[tuple[Any, ...], tuple[np.ndarray, np.ndarray]] = {}
    correct, accepted = {}, {}
    for name, observed in trials.items():
        layout = observed.layout
        key = (layout.sample_ids, layout.classes, layout.targets.tobytes())
        if key not in axes:
            rows = np.array([place[sample] for sample in layout.sample_ids])
            class_sets = [frozenset(layout.classes[t] for t in targets if t >= 0) for targets in layout.targets]
            axes[key] = rows, np.array([sets.setdefault(classes, len(sets)) for classes in class_sets])
            if VARIANT in layout.attributes:
                conditions[rows] = layout.attributes[VARIANT]
            if KEPT in layout.attributes:
                kept[rows] = [value == "yes" for value in layout.attributes[KEPT]]
        rows, numbers = axes[key]
        correct[name], accepted[name] = np.full(len(ids), -1, np.int8), np.full(len(ids), -1)
        correct[name][rows], accepted[name][rows] = observed.correct[:, observed.column(CONDITION)], numbers
    return _Aligned(correct, accepted, conditions, kept)


# --- pairs ------------------------------------------------------------------------------------


def _pairs(
    study: Study, dataset: str, tasks: Mapping[str, str], damaged: dict[tuple[str, str], list[str]]
) -> Iterator[PairEntry]:
    """One entry for every pair of observers of one dataset, in the order of the study's models.

    Args:
        damaged: (task, problem) -> observers whose trials cannot be read or judged; it is added to.
    """
    if study.trial_reader is None:
        return
    read = {}
    for name in (model.name for model in study.models if model.name in tasks):
        try:
            trials = study.trial_reader.read(tasks[name], name)
            if trials.layout.labelled:
                read[name] = trials
            else:
                damaged.setdefault((tasks[name], NO_LABELS), []).append(name)
        except StoreError as error:
            damaged.setdefault((tasks[name], str(error)), []).append(name)
    usable = {name: trials for name, trials in read.items() if CONDITION in trials.layout.conditions}
    aligned = _aligned(usable)
    protocols = {model.name: _protocol(model, tasks[model.name]) for model in study.models if model.name in usable}
    for first, second in combinations(usable, 2):
        unlike = "" if protocols[first] == protocols[second] else protocols[first] or protocols[second]
        yield _compared(aligned, dataset, first, second, unlike)


def _protocol(model: StudyModel, task: str) -> str:
    """How the images of a task were shown otherwise than to most observers; empty if they were not."""
    probe, _, dataset = task.partition("@")
    measure = model.measures.get(f"{MEASURES[probe]}@{dataset}")
    flags = () if measure is None else measure.flags
    return "; ".join(flag.text for flag in flags if isinstance(flag, Remark) and flag.kind == "comparability")


def _compared(aligned: _Aligned, dataset: str, first: str, second: str, unlike: str) -> PairEntry:
    """Means over conditions for one pair, and the values of each condition.

    Args:
        unlike: why the images that the two saw are not the same; empty if they are.
    """
    left, right = aligned.correct[first], aligned.correct[second]
    seen_by_both = (left >= 0) & (right >= 0)
    shared = seen_by_both & aligned.kept
    pair: PairEntry = {
        "dataset": dataset,
        "first": first,
        "second": second,
        "n": int(shared.sum()),
        "seen": [int((left >= 0).sum()), int((right >= 0).sum())],
        **_means([]),
        "expected": None,
        "low": None,
        "high": None,
        "accuracies": None,
        "conditions": [],
        "reason": None,
    }
    if unlike:
        return {**pair, "reason": unlike}
    if not shared.any():
        kept = " in conditions that the benchmark keeps" if seen_by_both.any() else ""
        return {**pair, "reason": f"no shared images{kept}"}
    if (aligned.accepted[first] != aligned.accepted[second])[shared].any():
        return {**pair, "reason": "the shared images have different correct classes for the two"}
    strata = [shared & (aligned.conditions == name) for name in dict.fromkeys(aligned.conditions[shared])]
    conditions = [_condition(aligned.conditions[rows][0], left[rows], right[rows]) for rows in strata]
    low, high = statistics.error_consistency_interval([(left[rows], right[rows]) for rows in strata])
    return {
        **pair,
        **_means(conditions),
        "expected": _mean(condition["expected"] for condition in conditions),
        "low": low,
        "high": high,
        "accuracies": [_mean(condition["accuracies"][side] for condition in conditions) for side in (0, 1)],
        "conditions": conditions,
    }


def _condition(name: str, left: np.ndarray, right: np.ndarray) -> ConditionEntry:
    agreement = statistics.error_consistency(left, right)
    return {
        "condition": name,
        "n": agreement.n,
        "kappa": agreement.kappa,
        "observed": agreement.observed,
        "expected": agreement.expected,
        "accuracies": list(agreement.accuracies or ()),
        "accuracy_difference": _squared(agreement.accuracies),
    }


def _squared(accuracies: tuple[float, float] | None) -> float | None:
    return None if accuracies is None else (accuracies[0] - accuracies[1]) ** 2


def _mean(values: Iterable[float | None]) -> float | None:
    """The mean; None without values, or where one of them is undefined."""
    numbers = list(values)
    defined = [number for number in numbers if number is not None]
    return math.fsum(defined) / len(defined) if defined and len(defined) == len(numbers) else None


def _means(entries: Sequence[Means]) -> Means:
    """Means over `entries`; None where there is none, or where one of them is undefined."""
    return {
        "kappa": _mean(entry["kappa"] for entry in entries),
        "observed": _mean(entry["observed"] for entry in entries),
        "accuracy_difference": _mean(entry["accuracy_difference"] for entry in entries),
    }


# --- means over people and datasets -----------------------------------------------------------


def _with_people(
    pairs: Sequence[PairEntry], groups: Mapping[str, str | None], labels: Mapping[str, LabelFacts]
) -> Iterator[DatasetEntry]:
    """For every network and dataset the mean over people; for people the mean over all pairs of people."""
    pairs_of: dict[tuple[str, str], list[tuple[str, PairEntry]]] = {}
    for pair in pairs:
        people = [name for name in (pair["first"], pair["second"]) if groups[name] == HUMANS]
        networks = [name for name in (pair["first"], pair["second"]) if groups[name] != HUMANS]
        if people:
            observer = networks[0] if networks else BETWEEN
            pairs_of.setdefault((observer, pair["dataset"]), []).append((" and ".join(people), pair))
    for (observer, dataset), with_whom in pairs_of.items():
        reasons = [f"{people}: {pair['reason']}" for people, pair in with_whom if pair["reason"]]
        means = _means([] if reasons else [pair for _, pair in with_whom])
        yield {
            "model": observer,
            "group": HUMANS if observer == BETWEEN else groups[observer],
            "dataset": dataset,
            "people": len(with_whom),
            "n": min(pair["n"] for _, pair in with_whom),
            **means,
            **labels.get(observer, {}),
            "reason": "; ".join(reasons) or None,
        }


def _over_datasets(entries: Sequence[DatasetEntry], labels: Mapping[str, LabelFacts]) -> Iterator[ObserverEntry]:
    """For every network, and between people, the mean over all datasets; undefined if one of them is missing."""
    datasets = list(dict.fromkeys(entry["dataset"] for entry in entries))
    for observer in dict.fromkeys(entry["model"] for entry in entries):
        own = {entry["dataset"]: entry for entry in entries if entry["model"] == observer}
        reasons = [f"{name}: no decisions" for name in datasets if name not in own]
        reasons += [f"{name}: {entry['reason']}" for name, entry in own.items() if entry["reason"]]
        means = _means([] if reasons else list(own.values()))
        group, n = next(iter(own.values()))["group"], sum(entry["n"] for entry in own.values())
        yield {
            "model": observer,
            "group": group,
            "datasets": len(own),
            "n": n,
            **means,
            **labels.get(observer, {}),
            "reason": "; ".join(reasons) or None,
        }


@hookimpl
def harness_reports() -> list[Report]:
    """The report ``consistency``."""
    return [ErrorConsistency()]
