"""What a dataset plugin must answer, checked before anything relies on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import PluginError
from harness.records import LabelSpace, Sample

if TYPE_CHECKING:
    from harness.interfaces import Dataset


def check_dataset(dataset: Dataset) -> None:
    """Raises PluginError unless the label space and the views of `dataset` are what they must be."""
    space, views = dataset.label_space(), dataset.views()
    problems = _space_problems(space) if isinstance(space, LabelSpace) else [f"label_space() is {_kind(space)}"]
    if not _names(views):
        problems.append(f"views() is {_kind(views)}, expected a tuple of different names")
    if problems:
        raise PluginError(f"dataset {dataset.name!r}: {'; '.join(problems)}")


def checked_samples(dataset: Dataset, samples: Iterable[Sample]) -> list[Sample]:
    """The samples.

    Raises:
        PluginError: one is not a Sample or has other types than it must, or some have targets and others none.
    """
    checked = []
    for number, sample in enumerate(samples):
        problem = _sample_problem(sample, len(dataset.attributes))
        if problem:
            raise PluginError(f"dataset {dataset.name!r}: sample {number} {problem}")
        checked.append(sample)
    unlabelled = [sample for sample in checked if not sample.targets]
    if 0 < len(unlabelled) < len(checked):
        raise PluginError(
            f"dataset {dataset.name!r}: {len(unlabelled):,} of {len(checked):,} samples have no targets, such as "
            f"{unlabelled[0].id!r}, and would all count as wrong; leave them out, or give no sample targets"
        )
    return checked


def _space_problems(space: LabelSpace) -> list[str]:
    if not _names(space.classes) or not space.classes:
        return ["its classes are not a tuple of different names"]
    if unfit := [name for name in space.classes if not _storable(name)]:
        return [f"the class {unfit[0]!r} has a zero character or bytes that are no UTF-8, and cannot be stored"]
    if not _whole(space.outputs) or space.outputs < 1:
        return [f"outputs is {space.outputs!r}, expected a number of logits"]
    classes, kept = len(space.classes), space.columns
    problems = []
    if kept is not None and space.members is not None:
        problems.append("columns and members are given, expected at most one of them")
    if kept is None and space.members is None and space.outputs != classes:
        problems.append(f"{classes} classes for {space.outputs} logits, without columns or members to choose them")
    for name, rows in (("columns", [kept] if kept is not None else []), ("members", space.members or ())):
        outside = [index for row in rows for index in row if not _whole(index) or not 0 <= index < space.outputs]
        twice = [index for row in rows for index, count in Counter(row).items() if count > 1]
        if outside or twice:
            mistake = f"{outside[0]!r} is not 0 to {space.outputs - 1}" if outside else f"{twice[0]} occurs twice"
            problems.append(f"{name}: {mistake}")
    for name, given in (("columns", kept), ("members", space.members)):
        if given is not None and (len(given) != classes or (not all(given) and name == "members")):
            problems.append(f"{name}: {len(given)} for {classes} classes, expected one (and none empty) for each")
    return problems


def _sample_problem(sample: Any, attributes: int) -> str:
    if not isinstance(sample, Sample):
        return f"is {_kind(sample)}, expected harness.Sample"
    if not isinstance(sample.id, str) or not sample.id:
        return f"has the id {sample.id!r}, expected a text"
    if not isinstance(sample.targets, tuple) or not all(map(_whole, sample.targets)):
        return f"({sample.id}) has the targets {sample.targets!r}, expected a tuple of class numbers"
    if not isinstance(sample.attributes, tuple) or not all(isinstance(value, str) for value in sample.attributes):
        return f"({sample.id}) has the attributes {sample.attributes!r}, expected a tuple of texts"
    if len(sample.attributes) != attributes:
        return f"({sample.id}) has {len(sample.attributes)} attributes, expected {attributes}"
    if sample.path is not None and not isinstance(sample.path, Path):
        return f"({sample.id}) has the path {sample.path!r}, expected pathlib.Path"
    for text in (sample.id, *sample.attributes):
        if not _storable(text):
            return f"has the text {text!r}, with a zero character or bytes that are no UTF-8, which cannot be stored"
    return ""


def _names(names: object) -> bool:
    return (
        isinstance(names, tuple)
        and all(isinstance(name, str) and name for name in names)
        and len(set(names)) == len(names)
    )


def _storable(text: str) -> bool:
    """Whether HDF5 can store a text."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _kind(value: object) -> str:
    return "None" if value is None else f"{type(value).__name__} {str(value)[:40]!r}"
