"""People whom runs of several labels have: each counts once on a dataset."""

from __future__ import annotations

from collections.abc import Sequence

from harness import StudyModel

from .remarks import HUMANS
from .schema import PairEntry


def people_once(pairs: Sequence[PairEntry], models: Sequence[StudyModel]) -> list[PairEntry]:
    """`pairs` without those of a person whom another label, given earlier, has on that dataset, too."""
    observers = {(pair["dataset"], name) for pair in pairs for name in (pair["first"], pair["second"])}
    people = [model for model in models if model.group == HUMANS]
    first: dict[tuple[str, str], str] = {}
    for person in sorted(people, key=lambda model: model.duplicate_of is not None):
        for dataset in {dataset for dataset, name in observers if name == person.name}:
            first.setdefault((dataset, person.plain_name), person.name)
    plain = {person.name: person.plain_name for person in people}

    def once(dataset: str, name: str) -> bool:
        return name not in plain or first[dataset, plain[name]] == name

    return [pair for pair in pairs if all(once(pair["dataset"], name) for name in (pair["first"], pair["second"]))]
