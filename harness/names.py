"""Valid names, and the two strings composed of names: tasks and measures.

Names become parts of measures, of paths in a run folder and of HDF5 groups, so they are safe in all three.
"""

from __future__ import annotations

import re
from typing import Final

from harness.errors import RequestError
from harness.records import TaskSpec

NAME: Final = re.compile(r"(?!.*\.\.)[a-z0-9][a-z0-9._+-]*")
"""Plugins, datasets and suites (`fullmatch`)."""
MODEL_NAME: Final = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._+-]*")
"""Models (`fullmatch`): published names contain capitals."""
LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""Labels of runs in a report (`fullmatch`)."""
LONGEST_LABEL: Final = 40
"""Letters of a label: it stands beside every model's name."""
LONGEST: Final = 255
"""Letters of a model's or task's name: it is the name of a folder."""
ALL_MODELS: Final = "all"
"""The set of all models in a report; the models outside a group are ``not GROUP``."""
_MEASURE: Final = re.compile(r"[^@/\s]+@(?P<dataset>[^@/\s]+)(/[^@/\s]+){0,2}")


def task_of(text: str) -> TaskSpec:
    """``probe@dataset`` as a TaskSpec; only its form is checked. Raises RequestError if malformed."""
    probe, _, dataset = text.partition("@")
    if not (NAME.fullmatch(probe) and NAME.fullmatch(dataset)):
        raise RequestError(f"task {text!r} is not of the form probe@dataset; write for example accuracy@imagenet")
    return TaskSpec(probe=probe, dataset=dataset)


def dataset_of(measure: str) -> str:
    """The dataset in a measure's full name (``top1@imagenet/low-pass-0.1`` -> ``imagenet``)."""
    match = _MEASURE.fullmatch(measure)
    if match is None:
        forms = "measure@dataset, measure@dataset/condition or measure@dataset/view/condition"
        raise ValueError(f"measure {measure!r} is not of the form {forms}")
    return match["dataset"]


def dataset_in(name: str) -> str:
    """The dataset in the name of a task or measure that was made elsewhere, of whatever form; empty if it has none."""
    return name.partition("@")[2].partition("/")[0]


def outside(group: str) -> str:
    """The name of the set of models outside a group."""
    return f"not {group}"


def is_set_of_models(group: str) -> bool:
    """Whether `group` is the name of another set of models (``all``, ``not GROUP``), which no group may have."""
    return group.casefold() == ALL_MODELS or group.casefold().startswith(outside(""))


def is_pattern(text: str) -> bool:
    """Whether `text` is a glob pattern rather than a name."""
    return any(character in text for character in "*?[")
