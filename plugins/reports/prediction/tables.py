"""The tables of the report ``prediction``, made from its JSON-ready data alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness import Table

from .._cells import p_cell, remark_tables
from .._predictions import (
    MOST_REASONS,
    PredictionEntry,
    axis_cells,
    is_defined,
    left_out_tables,
    prediction_tables,
    score,
)
from .schema import Baselines, PredictionData


def all_tables(data: PredictionData, *, full: bool = False) -> list[Table]:
    """Q² of each axis and learner, the baselines, what is reached by chance, and remarks.

    Args:
        full: each model as others predict it, and all reasons; else as much as a person reads.
    """
    entries, titles = data["predictions"], data["titles"]
    most = None if full else MOST_REASONS
    tables = list(prediction_tables(entries, titles, len(data["biases"]), grouped=data["grouped"], most=most))
    tables += detail_tables(entries, titles, data["log"])
    if is_defined(entries) and full:
        tables += left_out_tables(entries)
    return [*tables, *remark_tables(data["warnings"])]


def detail_tables(entries: Sequence[PredictionEntry], titles: Mapping[str, str], log: Sequence[str]) -> list[Table]:
    """The baselines, and what is reached by chance; none where nothing is defined."""
    return [_baselines(entries, titles, log), _by_chance(entries, titles)] if is_defined(entries) else []


def _baselines(entries: Sequence[PredictionEntry], titles: Mapping[str, str], log: Sequence[str]) -> Table:
    """Q² by other means: without biases, or with ID beside them."""
    columns = {
        "family_mean_q2_loo": "group mean LOO",
        "id_q2_loo": "ID LOO",
        "id_q2_lofo": "ID LOFO",
        "id_biases_q2_loo": "ID + biases LOO",
        "id_biases_q2_lofo": "ID + biases LOFO",
    }
    return Table(
        title="Q² by other means, and order inside groups",
        columns=("axis", "learner", *columns.values(), "order"),
        keys=("generalization", "learner", *columns, "concordance"),
        rows=tuple(
            (
                *axis_cells(entry, titles),
                *(score(q2, signed=True) for q2 in _other_q2(entry["baselines"])),
                score(entry["concordance"]),
            )
            for entry in entries
        ),
        note="\n".join(_baseline_notes(entries, log)),
    )


def _other_q2(scores: Baselines) -> tuple[float | None, ...]:
    """In the order of the columns."""
    alone, beside = scores["id"], scores["id+biases"]
    return scores["family-mean"]["q2_loo"], alone["q2_loo"], alone["q2_lofo"], beside["q2_loo"], beside["q2_lofo"]


def _baseline_notes(entries: Sequence[PredictionEntry], log: Sequence[str]) -> Iterator[str]:
    first = next(entry for entry in entries if entry["r2"] is not None)["baselines"]
    yield (
        f"group mean: each model by the others of its group ({first['family-mean']['n']} models of groups of two or "
        "more); a group that is left out has none. The mean of the other models has Q² 0 by definition."
    )
    yield "order: share of the pairs of models inside a left-out group in the predicted order; 0.50 is chance."
    if log:
        yield f"ols-log takes the logarithm of {', '.join(log)}."


def _by_chance(entries: Sequence[PredictionEntry], titles: Mapping[str, str]) -> Table:
    """Mean and 95 % quantile over the permutations."""
    kinds = ("r2", "q2_loo", "q2_lofo")
    rows = tuple(
        (
            *axis_cells(entry, titles),
            *(score(entry["null"][kind][key]) for kind in kinds for key in ("mean", "q95")),  # type: ignore[literal-required]
            p_cell(entry["p_loo"]),
        )
        for entry in entries
    )
    headings = ("R² mean", "R² 95 %", "LOO mean", "LOO 95 %", "LOFO mean", "LOFO 95 %", "p LOO")
    null = next(entry for entry in entries if entry["r2"] is not None)["null"]
    return Table(
        title="What biases reach that know nothing of the axis",
        columns=("axis", "learner", *headings),
        keys=("generalization", "learner", *(f"{kind}_{key}" for kind in kinds for key in ("mean", "q95")), "p_loo"),
        rows=rows,
        note=f"Over {null['draws']:,} permutations of the axis over all models, seed {null['seed']}. p LOO: share of "
        "those that reach this Q² LOO; too small, since models of one group are alike, yet permuted one by one.",
    )
