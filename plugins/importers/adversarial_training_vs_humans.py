"""How alike are the errors of adversarially trained networks and of people? 49 networks on twelve sets of images.

Gavrikov, Keuper, Keuper: "An Extended Study of Human-like Behavior under Adversarial Training" (CVPR Workshops 2023,
arXiv 2303.12669). Reads ``raw-results`` of paulgavrikov/adversarial_training_vs_humans (CC BY-SA 4.0): for each
parametric set of model-vs-human the accuracy and the error consistency with people of each network, by condition.

A network's number is the unweighted mean over the conditions of a set, then over the sets; conditions that the OOD
benchmark of model-vs-human leaves out (controls, and those too hard for people) count, too. So these are not the
numbers of the report `consistency`, nor those of ``human_like_results.csv``, which is over 17 sets. The two files
without a set's name, ``OOD accuracy.csv`` and ``error-consistency.csv``, are those of uniform-noise again: not read.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness import FetchError, ImportedModel, ImportedTable, Importer, Measure, RequestError, hookimpl, read_tar

from ..datasets._model_vs_human import EXPERIMENTS, condition_name, dataset_name
from .paper import GROUPS

SETS = {name: facts for name, facts in EXPERIMENTS.items() if len(facts.conditions) > 1}
"""The parametric ones."""
HUMANS = "humans"
ALL = "model-vs-human"
"""In place of a dataset: the mean over all sets."""
AXIS = "Human-likeness"
MOST_BYTES = 8 << 20
"""Of all files together; the published ones take 0.5 MB."""
MOST_ROWS = 20_000
"""Of one file; the published ones have at most 400."""
LONGEST_NAME = 200
COLUMNS = ("subj", "condition", "yvalue")
_NUMBER = re.compile(r"-?\d+(\.\d*)?([eE]-?\d{1,3})?", re.ASCII)
_COMMAND = "harness import adversarial-training-vs-humans adversarial_training_vs_humans.tar.gz --out RUN"
_EXPECTED = "expected raw-results of paulgavrikov/adversarial_training_vs_humans, as a folder or in a .tar.gz"
_MEANS = "note: unweighted mean over 12 sets and all of their conditions; files that name no set are not read"
_OF_SET = "note: unweighted mean over all conditions of the set"
_PEOPLE = "note: of people with one another"
Values = Mapping[str, Mapping[str, float]]
"""Observer -> condition -> number."""


@dataclass(frozen=True)
class Kind:
    """One of the two numbers.

    Attributes:
        file: end of the names of its files. measure: its name. least: the smallest possible number; the largest is 1.
    """

    file: str
    measure: str
    unit: str
    least: float


ACCURACY = Kind("OOD accuracy", "ood-accuracy", "fraction", 0.0)
CONSISTENCY = Kind("error-consistency", "human-error-consistency", "1", -1.0)


def _studied() -> dict[str, str]:
    """Name here -> name among the 48 of the study: robust-models-transfer's ResNet-50s are in both."""
    names = {}
    for name in GROUPS["adversarial_training"]:
        norm, _, epsilon = name.removeprefix("robust_").partition("_eps")
        names[f"{norm}_eps{float(epsilon):g}".replace(".", "_")] = name
    return names


STUDIED = _studied()


class AdversarialTrainingVsHumans(Importer):
    """``harness import adversarial-training-vs-humans FILE_OR_FOLDER --out RUN``."""

    name = "adversarial-training-vs-humans"
    url = "https://github.com/paulgavrikov/adversarial_training_vs_humans"

    def read(self, path: Path) -> ImportedTable:
        """Means of all networks, and of people, from the published archive or its unpacked folder.

        Raises:
            RequestError: a set's file is missing or is not the published kind of table, a network is in some files
                only, a condition is missing or unknown, or a number is out of range.
        """
        files = _files(path)
        tables = {
            (kind, name): _values(f"{path}: {_file_name(kind, name)}", files[_file_name(kind, name)], kind, name)
            for kind in (ACCURACY, CONSISTENCY)
            for name in SETS
        }
        _refuse_misfits(path, tables)
        observers = next(iter(tables.values()))
        return ImportedTable(
            title="An Extended Study of Human-like Behavior under Adversarial Training (Gavrikov et al., 2023)",
            source="github.com/paulgavrikov/adversarial_training_vs_humans, raw-results; arXiv 2303.12669",
            license="CC BY-SA 4.0",
            models=tuple(_model(observer, tables) for observer in observers),
            biases={},
            axes={AXIS: (f"{CONSISTENCY.measure}@{ALL}",)},
        )


# --- the files --------------------------------------------------------------------------------


def _file_name(kind: Kind, experiment: str) -> str:
    return f"{experiment}_{kind.file}.csv"


def _files(path: Path) -> dict[str, bytes]:
    """Name -> content of the files that are read."""
    needed = [_file_name(kind, name) for kind in (ACCURACY, CONSISTENCY) for name in SETS]
    files = _in_folder(path, needed) if path.is_dir() else _in_archive(path, needed)
    absent = [name for name in needed if name not in files]
    if absent:
        named = ", ".join(absent[:3]) + (f" and {len(absent) - 3} more" if len(absent) > 3 else "")
        raise RequestError(f"{path} has no {named}; {_EXPECTED}", remedy=_COMMAND)
    return files


def _in_folder(path: Path, needed: list[str]) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for name in needed:
        found = [file for file in (path / name, path / "raw-results" / name) if file.is_file()]
        if len(found) > 1:
            raise RequestError(f"{path} has {name} twice, in raw-results too; give one of the two folders")
        for file in found:
            files[name] = _content(file)
    return files


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise RequestError(f"{file} cannot be read ({error.strerror}); {_EXPECTED}", remedy=_COMMAND) from error
    if len(content) > MOST_BYTES:
        raise RequestError(f"{file} holds more than {MOST_BYTES >> 20} MiB; {_EXPECTED}", remedy=_COMMAND)
    return content


def _in_archive(path: Path, needed: list[str]) -> dict[str, bytes]:
    try:
        members = read_tar(path, MOST_BYTES)
    except FetchError as error:
        raise RequestError(f"{error.reason}; {_EXPECTED}", remedy=_COMMAND) from error
    except OSError as error:
        raise RequestError(f"{path} cannot be read ({error.strerror}); {_EXPECTED}", remedy=_COMMAND) from error
    files: dict[str, bytes] = {}
    for member, content in members.items():
        name = member.rpartition("/")[2]
        if name in needed and name in files:
            raise RequestError(f"{path} has {name} twice, in two folders; {_EXPECTED}", remedy=_COMMAND)
        files[name] = content
    return files


def _values(place: str, content: bytes, kind: Kind, experiment: str) -> Values:
    """The numbers of one file."""
    try:
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        header = next(reader, [])
        columns = [_column(place, header, column) for column in COLUMNS]
        values: dict[str, dict[str, float]] = {}
        for number, cells in enumerate(filter(None, reader)):
            where = f"{place}, row {reader.line_num}"
            if len(cells) != len(header):
                raise RequestError(f"{where} has {len(cells)} cells, expected {len(header)}, as in the header")
            if number >= MOST_ROWS:
                raise RequestError(f"{place} has more than {MOST_ROWS:,} rows; {_EXPECTED}", remedy=_COMMAND)
            _add(values, where, [cells[column] for column in columns], kind, experiment)
    except (UnicodeDecodeError, csv.Error) as error:
        raise RequestError(f"{place} is not CSV text ({error}); {_EXPECTED}", remedy=_COMMAND) from error
    if not values:
        raise RequestError(f"{place} has a header and no rows; {_EXPECTED}", remedy=_COMMAND)
    return values


def _column(place: str, header: list[str], column: str) -> int:
    if header.count(column) != 1:
        problem = "has no" if column not in header else "has more than one"
        raise RequestError(f"{place} {problem} column {column}; {_EXPECTED}", remedy=_COMMAND)
    return header.index(column)


def _add(values: dict[str, dict[str, float]], where: str, cells: list[str], kind: Kind, experiment: str) -> None:
    observer, condition = cells[0].strip(), condition_name(cells[1])
    if not observer or len(observer) > LONGEST_NAME:
        problem = f"{where}: column subj has {observer[:60]!r}"
        raise RequestError(f"{problem}, expected a name of 1 to {LONGEST_NAME} characters; correct the table")
    if condition not in SETS[experiment].conditions:
        known = ", ".join(SETS[experiment].conditions)
        raise RequestError(f"{where}: condition {cells[1][:60]!r} is none of {experiment}'s, which are {known}")
    own = values.setdefault(observer, {})
    if condition in own:
        raise RequestError(f"{where}: {observer!r} occurs twice under condition {condition}; expected it once")
    own[condition] = _number(where, cells[2].strip(), kind)
    images = SETS[experiment].images // len(SETS[experiment].conditions)
    if kind is ACCURACY and observer != HUMANS and not _is_whole(own[condition] * images):
        problem = f"{where}: yvalue {cells[2]} of {observer!r} is no whole number of the {images} images"
        raise RequestError(f"{problem} of a condition; is it another table?")


def _number(where: str, text: str, kind: Kind) -> float:
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not kind.least <= value <= 1:
        raise RequestError(
            f"{where}: yvalue is {text[:60]!r}, expected a number from {kind.least:g} to 1; correct the table"
        )
    return value


def _is_whole(value: float) -> bool:
    return abs(value - round(value)) < 1e-3


def _refuse_misfits(path: Path, tables: Mapping[tuple[Kind, str], Values]) -> None:
    """Raise RequestError for observers or conditions that are in some files only, and for one file in place of two."""
    observers = dict.fromkeys(observer for values in tables.values() for observer in values)
    for (kind, name), values in tables.items():
        for observer in observers:
            own = values.get(observer, {})
            absent = [condition for condition in SETS[name].conditions if condition not in own]
            if absent:
                problem = f"{path}: {_file_name(kind, name)} has no {observer!r} under condition {absent[0]}"
                raise RequestError(f"{problem}; expected all conditions of every observer, since means are over all")
    for name in SETS:
        if tables[ACCURACY, name] == tables[CONSISTENCY, name]:
            pair = f"{_file_name(ACCURACY, name)} and {_file_name(CONSISTENCY, name)}"
            raise RequestError(f"{path}: {pair} hold the same numbers; one is not what its name says")


# --- the numbers ------------------------------------------------------------------------------


def _model(observer: str, tables: Mapping[tuple[Kind, str], Values]) -> ImportedModel:
    measures: dict[str, Measure] = {}
    for kind in (ACCURACY, CONSISTENCY):
        means = {name: _mean(list(tables[kind, name][observer].values())) for name in SETS}
        for name, value in means.items():
            measure = _measure(kind, observer, value, SETS[name].images, _OF_SET)
            measures[measure.full_name(dataset_name(name))] = measure
        images = sum(facts.images for facts in SETS.values())
        overall = _measure(kind, observer, _mean(list(means.values())), images, _MEANS)
        measures[overall.full_name(ALL)] = overall
    return ImportedModel(name=STUDIED.get(observer, observer), group=None, measures=measures)


def _measure(kind: Kind, observer: str, value: float, images: int, note: str) -> Measure:
    between_people = kind is CONSISTENCY and observer == HUMANS
    return Measure(
        name=kind.measure,
        value=value,
        unit=kind.unit,
        direction="higher",
        n=None if observer == HUMANS else images,
        flags=(note, _PEOPLE) if between_people else (note,),
    )


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


@hookimpl
def harness_importers() -> list[Importer]:
    """The importer ``adversarial-training-vs-humans``."""
    return [AdversarialTrainingVsHumans()]
