"""Single decisions of people and networks, in the format of the model-vs-human toolbox.

Geirhos, Narayanappa, Mitzkus, Thieringer, Bethge, Wichmann, Brendel: "Partial success in closing the gap between human
and machine vision" (NeurIPS 2021): ``raw-data/<set>/<set>_<observer>_session_<n>.csv`` of bethgelab/model-vs-human.
Cue-conflict decisions become trials of ``shape-bias@cue-conflict``, those on other sets of ``accuracy@<dataset>``, with
the sample ids of the dataset plugins, so that people and networks are compared on the same images.

Each experiment numbers its own people, so ``subject-01`` of two experiments are two people.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from harness import DecisionTable, ImportedDecisions, Importer, RequestError, TaskLayout, hookimpl

from ..datasets._entry_level import CATEGORIES
from ..datasets._model_vs_human import (
    ATTRIBUTES,
    EXPERIMENTS,
    Stimulus,
    condition_name,
    dataset_name,
    kept,
    sample_id,
    stimulus,
)

COLUMNS = ("subj", "session", "trial", "rt", "object_response", "category", "condition", "imagename")
NO_DECISION = "na"
HUMANS = "humans"
_FILE = re.compile(r"(?P<set>[A-Za-z-]+)_(?P<observer>[A-Za-z0-9][A-Za-z0-9_.+-]*?)_session[_-]?\d+\.csv")
_TEXTURE = re.compile(r"(?P<shape>[a-z]+)\d+-(?P<texture>[a-z]+)\d+")
_UNSAID = ("", "nan", NO_DECISION)
_SETS = ("cue-conflict", *EXPERIMENTS)
_PLAIN_SETS = ("cue-conflict", *(name for name, facts in EXPERIMENTS.items() if not facts.conditions))
"""Sets without conditions: the toolbox's own files of networks name their images as the image files are called."""
_PLAIN = re.compile(r"(?P<image>(?P<category>[a-z]+)\d+(-[a-z]+\d+)?)\.png")
_COMMAND = "harness import model-vs-human FILE_OR_FOLDER --out RUN"


class _Decision(NamedTuple):
    """One row: `chosen` is the category's number, -1 for none; `attributes` are those of the dataset."""

    sample: str
    target: int
    chosen: int
    attributes: tuple[str, ...]


class ModelVsHuman(Importer):
    """``harness import model-vs-human FILE_OR_FOLDER --out RUN``."""

    name = "model-vs-human"
    url = "https://github.com/bethgelab/model-vs-human"

    def read(self, path: Path) -> DecisionTable:
        """Decisions in one file, or in all files below a folder; the sessions of one observer are merged.

        Raises:
            RequestError: a file's name or columns are not the toolbox's, a row has no category or image of its set,
                an observer saw an image twice, or observers of one set saw different images.
        """
        decisions: dict[tuple[str, str], dict[str, _Decision]] = {}
        for file in _files(path):
            experiment, observer = _named(file)
            seen = decisions.setdefault((experiment, observer), {})
            for line, decision in _rows(file, experiment, observer):
                if decision.sample in seen:
                    raise RequestError(
                        f"{file}, row {line}: {observer} saw {decision.sample} of {experiment} twice; expected one "
                        "decision for each image. Give each session once"
                    )
                seen[decision.sample] = decision
        _refuse_different_images(decisions)
        several = len({experiment for experiment, _ in decisions}) > 1
        return DecisionTable(
            title="Decisions of people and networks (model-vs-human, Geirhos et al., NeurIPS 2021)",
            source="github.com/bethgelab/model-vs-human, raw-data",
            license="none stated for the decisions (toolbox: MIT)",
            probe="shape-bias" if all(experiment == "cue-conflict" for experiment, _ in decisions) else "accuracy",
            decisions=tuple(_imported(*place, seen, several) for place, seen in sorted(decisions.items())),
        )


def _files(path: Path) -> Sequence[Path]:
    if path.is_file():
        return [path]
    files = sorted(path.rglob("*.csv"))
    if not files:
        problem = "has no .csv file" if path.is_dir() else "does not exist"
        raise RequestError(
            f"{path} {problem}; expected the toolbox's raw-data, or a folder or file of it", remedy=_COMMAND
        )
    return files


def _named(file: Path) -> tuple[str, str]:
    """Experiment and observer."""
    match = _FILE.fullmatch(file.name)
    if match is None or match["set"] not in _SETS:
        raise RequestError(
            f"{file} is not named SET_OBSERVER_session_N.csv (cue-conflict_subject-01_session_1.csv) with SET "
            f"one of {', '.join(_SETS)}"
        )
    return match["set"], match["observer"]


def _rows(file: Path, experiment: str, observer: str) -> Iterator[tuple[int, _Decision]]:
    """(line, decision) of every row."""
    spelt: dict[str, str] = {}
    for line, row in _csv(file):
        location = f"{file}, row {line}"
        if _plain(row["subj"]) != _plain(observer):
            raise RequestError(
                f"{location}: subj is {row['subj']!r}, but the file is named after {observer!r}; rename it"
            )
        parts = stimulus(row["imagename"]) or _plain_stimulus(experiment, row)
        if parts is None or parts.category != row["category"] or parts.category not in CATEGORIES:
            raise RequestError(
                f"{location}: imagename {row['imagename']!r} and category {row['category']!r} do not agree; expected "
                f"NNNN_EXPERIMENT_OBSERVER_CONDITION_CATEGORY_NN_IMAGE.png with one of {', '.join(CATEGORIES)}, or, in "
                f"{', '.join(_PLAIN_SETS)}, CATEGORYn….png with condition NaN"
            )
        # The column and the image's name may spell a condition differently, but must correspond one to one.
        condition = condition_name(row["condition"])
        if condition not in _UNSAID and spelt.setdefault(condition, parts.condition) != parts.condition:
            raise RequestError(
                f"{location}: condition {row['condition']!r} is {parts.condition!r} in the name of the image, but was "
                f"{spelt[condition]!r} in earlier rows; expected one condition"
            )
        try:
            sample, attributes = _sample(experiment, parts.condition, parts.category, parts.image)
            decision = _choice(row["object_response"])
        except ValueError as error:
            raise RequestError(f"{location}: {error}") from error
        yield line, _Decision(sample, CATEGORIES.index(parts.category), decision, attributes)


def _plain_stimulus(experiment: str, row: Mapping[str, str]) -> Stimulus | None:
    """The parts of ``airplane1-bicycle2.png``, without number, observer and condition; None in sets with conditions."""
    plain = experiment in _PLAIN_SETS and row["condition"].lower() in _UNSAID
    match = _PLAIN.fullmatch(row["imagename"]) if plain else None
    return Stimulus("", "", match["category"], match["image"]) if match else None


def _csv(file: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    """(line, row) with lower-case column names, since some sets write ``Session``."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as opened:
            reader = csv.reader(opened, strict=True)
            header = [name.strip().lower() for name in next(reader, [])]
            if sorted(header) != sorted(COLUMNS):
                raise RequestError(
                    f"{file} has the columns {', '.join(header) or 'none'}; expected {', '.join(COLUMNS)}"
                )
            for row in filter(None, reader):
                if len(row) != len(header):
                    raise RequestError(f"{file}, row {reader.line_num}: {len(row)} cells, expected {len(header)}")
                yield reader.line_num, dict(zip(header, (cell.strip() for cell in row), strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RequestError(f"{file} cannot be read as CSV text ({error})", remedy=_COMMAND) from error


def _plain(observer: str) -> str:
    return observer.lower().replace("_", "-")


def _choice(response: str) -> int:
    if response == NO_DECISION:
        return -1
    if response not in CATEGORIES:
        raise ValueError(
            f"object_response {response!r} is none of the 16 categories {', '.join(CATEGORIES)}, nor {NO_DECISION}"
        )
    return CATEGORIES.index(response)


def _sample(experiment: str, condition: str, category: str, image: str) -> tuple[str, tuple[str, ...]]:
    """Id and attributes, as the dataset's plugin gives them. ValueError if the set has no such image."""
    if experiment == "cue-conflict":
        cues = _TEXTURE.fullmatch(image)
        if cues is None or cues["shape"] != category or cues["texture"] not in CATEGORIES:
            raise ValueError(f"image {image!r} is not named {category}N-TEXTUREn with a texture of the 16 categories")
        return sample_id("", category, image), (cues["texture"],)
    conditions = EXPERIMENTS[experiment].conditions
    if not conditions:
        return sample_id("", category, image), ()
    if condition not in conditions:
        raise ValueError(f"condition {condition!r} is none of the conditions of {experiment}: {', '.join(conditions)}")
    return sample_id(condition, category, image), (condition, kept(experiment, condition))


def _refuse_different_images(decisions: Mapping[tuple[str, str], Mapping[str, _Decision]]) -> None:
    """Raise RequestError unless all observers of a set saw the same images: a run stores one list for each task."""
    first: dict[str, str] = {}
    for (experiment, observer), seen in decisions.items():
        if not seen:
            raise RequestError(f"{experiment} of {observer} has a header and no decisions")
        reference = first.setdefault(experiment, observer)
        differing = sorted(seen.keys() ^ decisions[experiment, reference].keys())
        if differing:
            viewer, other = (observer, reference) if differing[0] in seen else (reference, observer)
            expected = len(decisions[experiment, reference])
            raise RequestError(
                f"{observer} saw {len(seen):,} images of {experiment}, {reference} {expected:,}: "
                f"{differing[0]} was seen by {viewer} and not by {other}. Observers in one run must have seen the same "
                f"images; import {observer} into a separate run"
            )


def _imported(experiment: str, observer: str, decisions: Mapping[str, _Decision], several: bool) -> ImportedDecisions:
    """The trials of one observer. With several experiments, people are named apart: ``subject-01.sketch``."""
    rows = [decisions[sample] for sample in sorted(decisions)]
    conflict = experiment == "cue-conflict"
    names = ("texture",) if conflict else ATTRIBUTES if EXPERIMENTS[experiment].conditions else ()
    columns = zip(*(row.attributes for row in rows), strict=True)
    top5 = np.full((len(rows), 1, 5), -1, dtype=np.int16)
    top5[:, 0, 0] = [row.chosen for row in rows]
    layout = TaskLayout(
        task=f"{'shape-bias' if conflict else 'accuracy'}@{dataset_name(experiment)}",
        sample_ids=tuple(row.sample for row in rows),
        targets=np.array([[row.target] for row in rows], dtype=np.int16),
        conditions=("clean",),
        classes=CATEGORIES,
        size=224,
        span=len(rows),
        attributes=dict(zip(names, columns, strict=True)),
    )
    if not observer.startswith("subject"):
        return ImportedDecisions(observer=observer, group=None, layout=layout, top5=top5)
    name = f"{observer}.{experiment}" if several else observer
    return ImportedDecisions(observer=name, group=HUMANS, layout=layout, top5=top5, experiment=experiment)


@hookimpl
def harness_importers() -> list[Importer]:
    """The importer ``model-vs-human``."""
    return [ModelVsHuman()]
