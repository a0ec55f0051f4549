"""Report ``dataset-bias``: where photographers put the object, and how accuracy depends on it.

Of each dataset whose samples say where their objects are (attributes `x`, `y`, `size`, `tilt`): histograms, spread and
divergence from uniform (`places`); and for each model the accuracy on unmodified images as a function of distance from
the middle, place, size and tilt (`by_place`). After the "photographer's bias" of Azulay & Weiss (JMLR 2019, section 5):
if objects are photographed in the middle and at one size, a network need not be invariant to where they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np

from harness import Figure, Page, Remark, Report, StoreError, Study, Table, TaskLayout, Trials, hookimpl

from .._models import LabelFacts, label_facts
from .by_place import accuracy, cells_of, function_of
from .figures import all_figures
from .pages import all_pages
from .places import SCALES, attribute_entry, numbers, place_entry, with_distance
from .schema import DatasetBiasData, DatasetPlaces, ModelByPlace
from .tables import all_tables

CONDITION = "clean"
PREFERRED = "accuracy"
"""The probe whose decisions are read where a dataset has those of several."""


class DatasetBias(Report):
    """Where objects are, and accuracy as a function of place and size."""

    name = "dataset-bias"

    def data(self, study: Study) -> DatasetBiasData:
        """``datasets``: where their objects are; ``models``: accuracy of each on each of these datasets."""
        groups, labels = {model.name: model.group for model in study.models}, label_facts(study)
        shown, models, problems = _Shown(), list[ModelByPlace](), _Problems()
        for task, model, trials in _decisions(study, problems):
            places = shown.places(trials.layout, model)
            models.append(_model_entry(trials, task, model, groups.get(model), labels[model], places))
        datasets = shown.entries()
        own = [*_remarks(datasets), *problems.remarks(study, {(entry["dataset"], entry["model"]) for entry in models})]
        names = {entry["dataset"] for entry in datasets}
        return {
            "datasets": datasets,
            "models": models,
            "warnings": [*own, *(remark for remark in study.warnings if _concerns(remark, names))],
            "provenance": [dict(entry) for entry in study.provenance],
        }

    def tables(self, data: Mapping[str, Any]) -> Sequence[Table]:
        """For each dataset: attributes, histograms, accuracies of the models; then remarks."""
        return all_tables(cast(DatasetBiasData, data))

    def full_tables(self, data: Mapping[str, Any]) -> Sequence[Table]:
        """These, and each accuracy with its n and interval."""
        return all_tables(cast(DatasetBiasData, data), full=True)

    def figures(self, data: Mapping[str, Any]) -> Sequence[Figure]:
        """``histogram-DATASET``, and ``accuracy-ATTRIBUTE-DATASET`` for each attribute."""
        return all_figures(cast(DatasetBiasData, data))

    def pages(self, data: Mapping[str, Any]) -> Sequence[Page]:
        """Computed sentences, a part for each dataset, remarks, provenance."""
        return all_pages(cast(DatasetBiasData, data))


def _decisions(study: Study, problems: _Problems) -> Iterator[tuple[str, str, Trials]]:
    """(task, model, trials) of every model on unmodified images with places, one task a dataset."""
    cells = study.trial_reader.cells() if study.trial_reader else {}
    met, useless = set[tuple[str, str]](), set[tuple[str, str]]()
    for task in sorted(cells, key=lambda task: (_dataset(task), not task.startswith(f"{PREFERRED}@"), task)):
        members = set(cells[task])
        for model in (model for model in study.models if model.name in members):
            if (_dataset(task), model.name) in met or (task, model.run) in useless:
                continue
            trials = _read(study, task, model.name, problems)
            if trials is not None and _has_places(trials, problems):
                met.add((_dataset(task), model.name))
                yield task, model.name, trials
            elif trials is not None:
                useless.add((task, model.run))  # one layout for all models of a run


def _read(study: Study, task: str, model: str, problems: _Problems) -> Trials | None:
    try:
        return study.trial_reader.read(task, model) if study.trial_reader else None
    except StoreError as error:
        problems.damaged.setdefault((task, str(error)), []).append(model)
        return None


def _has_places(trials: Trials, problems: _Problems) -> bool:
    """Whether the samples have places, and there are decisions on them unmodified."""
    placed, shown = bool(SCALES.keys() & trials.layout.attributes), CONDITION in trials.layout.conditions
    if placed and not shown:
        problems.modified.add(_dataset(trials.layout.task))
    return placed and shown


def _dataset(task: str) -> str:
    return task.partition("@")[2]


class _Problems:
    """Why there are no decisions.

    Attributes:
        damaged: (task, problem) -> models whose trials cannot be read.
        modified: datasets with places, but without decisions on unmodified images in a task.
    """

    def __init__(self) -> None:
        self.damaged: dict[tuple[str, str], list[str]] = {}
        self.modified: set[str] = set()

    def remarks(self, study: Study, decided: Collection[tuple[str, str]]) -> Iterator[str]:
        """One line for each reason. `decided`: (dataset, model) with decisions."""
        names, lines = {dataset for dataset, _ in decided}, dict(self.damaged)
        for model in study.models:
            for reason in model.missing:
                dataset = _dataset(reason.subject) if reason.kind == "task" else ""
                damaged = any(task == reason.subject and model.name in of for (task, _), of in self.damaged.items())
                if dataset in names and (dataset, model.name) not in decided and not damaged:
                    lines.setdefault((reason.subject, reason.line), []).append(model.name)
        for (task, line), models in lines.items():
            yield f"no decisions on {task}: {line}: {', '.join(models)}"
        for dataset in sorted(self.modified - names):
            yield f"{dataset}: no decisions on unmodified images. Type: harness run --task {PREFERRED}@{dataset} …"


def _concerns(remark: str, datasets: Collection[str]) -> bool:
    """Whether a remark of the study is about one of these datasets, a measure on one, or the study as a whole."""
    if not isinstance(remark, Remark) or remark.kind not in ("data", "flag"):
        return True
    return any((_dataset(part) or part).partition("/")[0] in datasets for part in remark.subject.split(", "))


class _Shown:
    """The datasets of a study as the models saw them: two runs may hold other images of one dataset."""

    def __init__(self) -> None:
        self._shown: list[tuple[TaskLayout, list[str], dict[str, np.ndarray | str]]] = []

    def places(self, layout: TaskLayout, model: str) -> dict[str, np.ndarray]:
        """Attribute -> (N,) values of the images that `model` saw; without those that cannot be read."""
        shown = next((shown for shown in self._shown if _same(shown[0], layout)), None)
        if shown is None:
            values = {name: _values(layout, name) for name in SCALES if name in layout.attributes}
            shown = layout, list[str](), values
            self._shown.append(shown)
        shown[1].append(model)
        return {name: array for name, array in shown[2].items() if not isinstance(array, str)}

    def entries(self) -> list[DatasetPlaces]:
        return [_dataset_entry(*shown) for shown in self._shown]


def _same(first: TaskLayout, second: TaskLayout) -> bool:
    """Whether two layouts have the same images in the same places."""
    return (
        _dataset(first.task) == _dataset(second.task)
        and first.sample_ids == second.sample_ids
        and all(first.attributes.get(name) == second.attributes.get(name) for name in SCALES)
    )


def _values(layout: TaskLayout, attribute: str) -> np.ndarray | str:
    """Values of an attribute; the reason where they cannot be read."""
    try:
        return numbers(layout, attribute)
    except ValueError as error:
        return str(error)


def _dataset_entry(layout: TaskLayout, models: list[str], values: Mapping[str, np.ndarray | str]) -> DatasetPlaces:
    x, y = values.get("x", ""), values.get("y", "")
    return {
        "dataset": _dataset(layout.task),
        "models": models,
        "images": len(layout.sample_ids),
        "attributes": [attribute_entry(name, array) for name, array in values.items()],
        "place": None if isinstance(x, str) or isinstance(y, str) else place_entry(x, y),
    }


def _model_entry(
    trials: Trials,
    task: str,
    model: str,
    group: str | None,
    labels: LabelFacts,
    values: Mapping[str, np.ndarray],
) -> ModelByPlace:
    correct = trials.correct[:, trials.column(CONDITION)].astype(np.int8)
    correct[(trials.layout.targets < 0).all(axis=1)] = -1  # without labels
    return {
        **accuracy(correct[correct >= 0] == 1, least=1),
        **labels,
        "model": model,
        "group": group,
        "dataset": _dataset(task),
        "task": task,
        "functions": [function_of(name, array, correct) for name, array in with_distance(values).items()],
        "cells": cells_of(values["x"], values["y"], correct) if {"x", "y"} <= values.keys() else [],
    }


def _remarks(datasets: Sequence[DatasetPlaces]) -> Iterator[str]:
    if not datasets:
        yield _no_places()
    names = [entry["dataset"] for entry in datasets]
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        yield f"{name}: the runs hold other images, or other places of their objects; each is listed with its models"
    for entry in datasets:
        for attribute in entry["attributes"]:
            unknown = entry["images"] - attribute["n"]
            if attribute["reason"] or unknown:
                why = (
                    attribute["reason"] or f"{unknown:,} of {entry['images']:,} images have no {attribute['attribute']}"
                )
                yield f"{entry['dataset']}: {why}"


def _no_places() -> str:
    """The one line for a study without places: what is needed, and which datasets have it."""
    from harness import load_plugins

    having = [name for name, dataset in load_plugins().datasets.items() if SCALES.keys() & set(dataset.attributes)]
    return (
        f"no dataset here says where its objects are: attributes {', '.join(SCALES)} are needed, which "
        f"{' and '.join(sorted(having))} have. Type: harness run --task {PREFERRED}@shapes-placed --models …"
    )


@hookimpl
def harness_reports() -> list[Report]:
    """The report ``dataset-bias``."""
    return [DatasetBias()]
