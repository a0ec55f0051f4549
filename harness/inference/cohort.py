"""The models of a prediction, those that have every bias and the axis, with what all learners and axes share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from harness.inference.folds import Design, design_of

Learner = Literal["ols", "ols-log"]
MOST_NUMBERS = 50_000
"""Most numbers of a permuted response at once: they stay in the cache of a core, and their products are too small for
several threads of the linear algebra, which wait for each other longer than they compute."""


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """n models without gaps.

    Attributes:
        models: their names. families: their families, None for a model without one.
        places: of each among all models, in the order in which they are given.
        names: of the p biases. biases: (n, p) finite values. log: biases of which ``ols-log`` takes the logarithm.
        draws, seed: of the permutations.
    """

    models: tuple[str, ...]
    families: tuple[str | None, ...]
    places: tuple[int, ...]
    names: tuple[str, ...]
    biases: np.ndarray
    log: tuple[str, ...]
    draws: int
    seed: int

    @property
    def n(self) -> int:
        return len(self.models)

    @cached_property
    def mean(self) -> Design:
        """The design without predictors: each fold predicts its mean."""
        return design_of(np.empty((self.n, 0)), (), self.families)

    @cached_property
    def designs(self) -> dict[Learner, Design]:
        """The design of each learner."""
        designs: dict[Learner, Design] = {"ols": self.design("ols")}
        if self.log:
            designs["ols-log"] = self.design("ols-log")
        return designs

    @cached_property
    def orders(self) -> list[np.ndarray]:
        """`draws` permutations of the n models, as blocks (n, d) of positions."""
        rng, most = np.random.default_rng(self.seed), max(1, MOST_NUMBERS // self.n)
        sizes = [min(most, self.draws - start) for start in range(0, self.draws, most)]
        positions = np.arange(self.n)
        drawn = (rng.permuted(np.tile(positions, (size, 1)), axis=1) for size in sizes)
        return [np.ascontiguousarray(block.T) for block in drawn]

    def design(self, learner: Learner, further: np.ndarray | None = None, name: str = "") -> Design:
        """The design of the biases on the scale of `learner`, and of a `further` predictor (n,) called `name`."""
        scaled = self._scaled(learner)
        for row, column in np.argwhere(np.isnan(scaled))[:1]:
            value = f"{self.biases[row, column]:.3g}"
            empty = np.empty(0)
            reason = f"undefined ({self.names[column]} of {self.models[row]} is {value}, which has no logarithm)"
            return Design(basis=empty, leverage=empty, reason=reason)
        if further is None:
            return design_of(scaled, self.names, self.families)
        return design_of(np.column_stack([scaled, further]), (*self.names, name), self.families)

    def only(self, rows: np.ndarray) -> Cohort:
        """Some of the models; `rows` (n,) boolean."""
        return self if rows.all() else self.taken(np.flatnonzero(rows))

    def taken(self, positions: np.ndarray) -> Cohort:
        """The models at these positions, in this order."""
        return Cohort(
            models=tuple(self.models[at] for at in positions),
            families=tuple(self.families[at] for at in positions),
            places=tuple(self.places[at] for at in positions),
            names=self.names,
            biases=self.biases[positions],
            log=self.log,
            draws=self.draws,
            seed=self.seed,
        )

    def _scaled(self, learner: Learner) -> np.ndarray:
        """The biases, (n, p), some as natural logarithm; NaN where there is none."""
        if learner == "ols":
            return self.biases
        columns, values = [self.names.index(name) for name in self.log], self.biases.copy()
        logged = values[:, columns]
        values[:, columns] = np.log(logged, out=np.full_like(logged, np.nan), where=logged > 0)
        return values
