"""Reliability of each bias and axis over all models, and within each group: alike models are told apart less well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from harness import Study, inference, statistics

from .halves import halves_of
from .quantities import Quantities
from .schema import ReliabilityEntry

ALL: Final = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated:
    """What tells the error of one bias or axis over N models.

    Attributes:
        have: (N,) bool, which models have a value. values, errors: (N,), NaN where there is none.
        halves: (2, draws, n) values of the n that have one, on halves of their images; None without trials.
        lacking: why `errors` has gaps; None if it has none.
        known: what `over` has said of some models, which many pairs of a bias and an axis share.
    """

    have: np.ndarray
    values: np.ndarray
    errors: np.ndarray
    halves: np.ndarray | None
    lacking: str | None
    known: dict[bytes, inference.Reliability] = field(default_factory=dict)

    def over(self, members: np.ndarray) -> inference.Reliability:
        """From halves; else from standard errors. Reliability belongs to a set of models: `members`, (N,) bool."""
        chosen = self.have & members
        if chosen.tobytes() not in self.known:
            self.known[chosen.tobytes()] = self._over(chosen)
        return self.known[chosen.tobytes()]

    def _over(self, chosen: np.ndarray) -> inference.Reliability:
        if self.halves is not None:
            return inference.reliability_from_halves(self.halves[:, :, chosen[self.have]])
        if self.lacking is None:
            return inference.reliability_from_errors(self.values[chosen], self.errors[chosen])
        return inference.Reliability(n=int(chosen.sum()), method="errors", reason=self.lacking)


def repeated(study: Study, over: Quantities, name: str) -> Repeated:
    """What tells the error of a bias or axis; undefined where a model that has the value has none."""
    errors, lacking = over.errors(name)
    return Repeated(
        have=over.complete(name),
        values=over.values[name],
        errors=errors,
        halves=halves_of(study, over, name),
        lacking=lacking,
    )


def reliability_entries(study: Study, over: Quantities, name: str, source: Repeated) -> Iterator[ReliabilityEntry]:
    """Over all models, and within each group of five or more."""
    for models, members in _sets(over):
        reliability = source.over(members)
        yield {
            "name": name,
            "kind": "bias" if name in study.biases else "axis",
            "models": models,
            "n": reliability.n,
            "value": reliability.value,
            "method": reliability.method,
            "half": reliability.half,
            "draws": reliability.draws,
            "seed": reliability.seed,
            "reason": reliability.reason,
        }


def _sets(over: Quantities) -> Iterator[tuple[str, np.ndarray]]:
    """All models, then each group of as many as a coefficient needs; names, and (N,) bool."""
    groups = np.array([model.group or "" for model in over.models])
    yield ALL, np.ones(len(groups), dtype=bool)
    for group in dict.fromkeys(groups.tolist()):
        members = groups == group
        if group and members.sum() >= statistics.LEAST_PAIRS and not members.all():
            yield group, members
