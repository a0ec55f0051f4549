"""Reliability of each bias and axis over all models, and within each group: alike models are told apart less well."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from harness import Study, inference, statistics

from .halves import halves_of
from .quantities import Quantities
from .schema import ReliabilityEntry

ALL: Final = "all"


def reliability_entries(study: Study, over: Quantities, name: str) -> Iterator[ReliabilityEntry]:
    """From halves of the images; else from standard errors, undefined where a model that has the value has none."""
    have = over.complete(name)
    halves = halves_of(study, over, name)
    errors, lacking = over.errors(name)
    for models, members in _sets(over):
        chosen = have & members
        if halves is not None:
            reliability = inference.reliability_from_halves(halves[:, :, members[have]])
        elif lacking is None:
            reliability = inference.reliability_from_errors(over.values[name][chosen], errors[chosen])
        else:
            reliability = inference.Reliability(n=int(chosen.sum()), method="errors", reason=lacking)
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
